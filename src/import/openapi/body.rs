//! Floor 7. Bodies of requests: which of the document's forms is taken, and the params it is made of.

use serde_json::{Map, Value, json};

use super::{
    document::{Document, Family, is_true, items, text},
    operations::Operation,
    params::{Goes, Params},
    request::{Request, placed, words_of},
    shape::{Kind, Shape},
    words,
};

/// Forms of a body that a bridge can send, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Urlencoded,
    Multipart,
    Text,
}

/// What the document says about a body.
struct Body<'d> {
    form: Form,
    media_type: String,
    schema: Option<&'d Value>,
    /// How members of a form are written.
    encoding: Option<&'d Value>,
    description: Option<String>,
    is_required: bool,
}

/// Adds the body to the request.
///
/// # Errors
/// Why no tool can be made of the operation.
pub(super) fn gather<'d>(
    operation: &Operation<'d>,
    parameters: &[&'d Value],
    params: &mut Params<'d>,
    request: &mut Request,
) -> Result<(), String> {
    if params.document.family == Family::Swagger2 && form_of_2(operation, parameters, params, request)? {
        return Ok(());
    }
    let (found, is_required) = match params.document.family {
        Family::Swagger2 => body_of_2(operation, parameters, params.document),
        Family::OpenApi3 => body_of_3(operation, params.document),
    };
    let Some(found) = found else { return Ok(()) };
    let refused = match &found {
        Err(media_types) => Some(format!("its body is {media_types}, which a bridge cannot write")),
        Ok(_) if matches!(operation.method, "get" | "head") => Some("a request of its method has no body".to_owned()),
        Ok(_) => None,
    };
    match (found, refused) {
        (_, Some(reason)) if is_required => Err(reason),
        (_, Some(reason)) => {
            params.note(format!("the body is left out: {reason}"));
            Ok(())
        }
        (Ok(body), None) => write(&body, params, request),
        (Err(_), None) => Ok(()),
    }
}

type Found<'d> = (Option<Result<Body<'d>, String>>, bool);

fn body_of_3<'d>(operation: &Operation<'d>, document: Document<'d>) -> Found<'d> {
    let Some(body) = operation.value.get("requestBody").and_then(|body| document.follow(body)) else {
        return (None, false);
    };
    let is_required = is_true(body.get("required"));
    let Some(content) = body.get("content").and_then(Value::as_object).filter(|content| !content.is_empty()) else {
        return (None, false);
    };
    let known = content.iter().filter_map(|(name, media)| Some((form_of(name)?, name, media)));
    let Some((form, name, media)) = known.min_by_key(|(form, name, _)| (*form as u8, name.len())) else {
        let names: Vec<&str> = content.keys().map(String::as_str).take(3).collect();
        return (Some(Err(names.join(" or "))), is_required);
    };
    let body = Body {
        form,
        media_type: name.clone(),
        schema: media.get("schema"),
        encoding: media.get("encoding"),
        description: words_of(body, words::PARAM),
        is_required,
    };
    (Some(Ok(body)), is_required)
}

fn body_of_2<'d>(operation: &Operation<'d>, parameters: &[&'d Value], document: Document<'d>) -> Found<'d> {
    let Some(body) = parameters.iter().find(|it| text(it.get("in")) == Some("body")) else { return (None, false) };
    let is_required = is_true(body.get("required"));
    let consumed = consumed(operation, document);
    let mut forms: Vec<(Form, &str)> = consumed.iter().filter_map(|name| Some((form_of(name)?, *name))).collect();
    if consumed.is_empty() {
        forms.push((Form::Json, "application/json"));
    }
    forms.retain(|(form, _)| matches!(form, Form::Json | Form::Text));
    let Some((form, name)) = forms.into_iter().min_by_key(|(form, name)| (*form as u8, name.len())) else {
        return (Some(Err(consumed.join(" or "))), is_required);
    };
    let description = words_of(body, words::PARAM);
    let (media_type, schema) = (name.to_owned(), body.get("schema"));
    (Some(Ok(Body { form, media_type, schema, encoding: None, description, is_required })), is_required)
}

fn consumed<'d>(operation: &Operation<'d>, document: Document<'d>) -> Vec<&'d str> {
    let own = operation.value.get("consumes").or_else(|| document.root.get("consumes"));
    items(own).filter_map(Value::as_str).collect()
}

fn form_of(media_type: &str) -> Option<Form> {
    let essence = media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let sub = essence.split_once('/').map_or("", |(_, sub)| sub);
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Some(Form::Urlencoded),
        "multipart/form-data" => Some(Form::Multipart),
        "*/*" | "application/*" | "text/json" => Some(Form::Json),
        _ if sub == "json" || sub.ends_with("+json") => Some(Form::Json),
        "text/html" | "text/xml" => None,
        "application/graphql" | "application/yaml" | "application/x-yaml" | "application/x-ndjson" => Some(Form::Text),
        _ if essence.starts_with("text/") && !sub.ends_with("+xml") && sub != "*" => Some(Form::Text),
        _ => None,
    }
}

fn write<'d>(body: &Body<'d>, params: &mut Params<'d>, request: &mut Request) -> Result<(), String> {
    let shape = body.schema.map(|schema| Shape::of(schema, params.document)).unwrap_or_default();
    match body.form {
        Form::Json => json_body(body, &shape, params, request),
        Form::Urlencoded if shape.has_members() => {
            let fields = fields(&shape, body, params);
            request.body = Some(("form", fields));
        }
        Form::Multipart if shape.has_members() => {
            let parts = parts(&shape, params);
            request.body = Some(("multipart", parts));
        }
        Form::Urlencoded | Form::Multipart => return Err("the fields of its form are not said".into()),
        Form::Text => text_body(body, &shape, params, request)?,
    }
    Ok(())
}

fn json_body<'d>(body: &Body<'d>, shape: &Shape<'d>, params: &mut Params<'d>, request: &mut Request) {
    let essence = body.media_type.split(';').next().unwrap_or("").trim();
    if !["application/json", "*/*", "application/*", "text/json"].contains(&essence) && is_media_type(&body.media_type)
    {
        request.headers.insert("Content-Type".into(), body.media_type.clone().into());
    }
    if shape.has_members() && shape.is_open != Some(true) {
        let members = members(shape, params);
        if members.is_empty() {
            // All of it is read-only, so that nothing can be sent but an empty object.
            request.body = Some(("json", json!({})));
            return;
        }
        let as_named = members.iter().all(|(wire, variable)| wire == variable);
        let tree = if as_named {
            json!("{{args}}")
        } else {
            members.into_iter().map(|(wire, variable)| (wire, placed(&variable))).collect::<Map<_, _>>().into()
        };
        request.body = Some(("json", tree));
        return;
    }
    let whole = whole(body, shape, params);
    request.body = Some(("json", placed(&whole)));
}

/// The body as one param.
fn whole<'d>(body: &Body<'d>, shape: &Shape<'d>, params: &mut Params<'d>) -> String {
    let mut shape = shape.clone();
    if shape.kind.is_none() && body.form == Form::Json {
        shape.kind = Some(Kind::Object);
    }
    let mut spec = params.spec(&shape, "body", Goes::Body);
    let is_said = shape.description.or(shape.title).is_some();
    if let Some(description) = body.description.as_ref().filter(|_| !is_said) {
        spec.insert("description".into(), description.clone().into());
    }
    optional(&mut spec, body.is_required);
    params.add("body", spec)
}

fn optional(spec: &mut Map<String, Value>, is_required: bool) {
    if !is_required {
        let words = spec.shift_remove("description");
        spec.shift_remove("default");
        spec.insert("required".into(), false.into());
        spec.extend(words.map(|words| ("description".to_owned(), words)));
    }
}

/// Every member as a param: its name on the wire and that of the param.
fn members<'d>(shape: &Shape<'d>, params: &mut Params<'d>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, schema) in &shape.properties {
        let inner = shape.inner(schema, params.document);
        let is_required = shape.required.contains(name);
        if inner.is_read_only || (inner.is_deprecated && !is_required) || name.contains("{{") {
            continue;
        }
        if all.len() >= 80 && !is_required {
            params.note("members beyond the first 80 of the body are left out".into());
            continue;
        }
        let mut spec = params.spec(&inner, name, Goes::Body);
        optional(&mut spec, is_required);
        let variable = params.add(name, spec);
        all.push(((*name).to_owned(), variable));
    }
    all
}

fn fields<'d>(shape: &Shape<'d>, body: &Body<'d>, params: &mut Params<'d>) -> Value {
    let mut fields = Map::new();
    for (wire, variable) in members(shape, params) {
        let encoding = body.encoding.and_then(|all| all.get(&wire));
        let kind = shape.properties.get(wire.as_str()).and_then(|schema| shape.inner(schema, params.document).kind);
        let style = encoding.and_then(|it| text(it.get("style")));
        let explode = encoding.and_then(|it| it.get("explode")).and_then(Value::as_bool);
        let value = placed(&variable);
        let value = match (kind, style) {
            (Some(Kind::Array), _) if explode == Some(false) => {
                json!({ "value": value, "style": "form", "explode": false })
            }
            // What is said about no style goes as JSON (OpenAPI 3.0, Encoding Object).
            (Some(Kind::Object), None) => json!({ "value": value, "style": "json" }),
            _ => value,
        };
        fields.insert(wire, value);
    }
    Value::Object(fields)
}

fn parts<'d>(shape: &Shape<'d>, params: &mut Params<'d>) -> Value {
    let mut parts = Map::new();
    for (wire, variable) in members(shape, params) {
        if wire.contains('"') || wire.chars().any(char::is_control) {
            continue;
        }
        let inner = shape.properties.get(wire.as_str()).map(|schema| shape.inner(schema, params.document));
        let inner = inner.unwrap_or_default();
        let items = inner.items.map(|items| inner.inner(items, params.document)).unwrap_or_default();
        let part = if inner.is_file || items.is_file {
            file(&wire, &variable, params)
        } else if inner.kind == Some(Kind::Object) || items.kind == Some(Kind::Object) {
            json!({ "value": placed(&variable), "content_type": "application/json" })
        } else {
            placed(&variable)
        };
        parts.insert(wire, part);
    }
    Value::Object(parts)
}

/// A part that is a file, with a param for its name: APIs look at the ending.
fn file(wire: &str, variable: &str, params: &mut Params<'_>) -> Value {
    if let Some(spec) = params.all.get_mut(variable).and_then(Value::as_object_mut) {
        let said = spec.get("description").and_then(Value::as_str).unwrap_or("").trim_end_matches('.').to_owned();
        spec.insert("description".into(), format!("{said}. The content in base64.").into());
    }
    let spec = Map::from_iter([
        ("type".to_owned(), json!("string")),
        ("default".to_owned(), json!("file")),
        ("description".to_owned(), format!("The name of the file in `{wire}`, with its ending.").into()),
    ]);
    let name = params.add(&format!("{variable}_filename"), spec);
    json!({ "value": placed(variable), "filename": placed(&name) })
}

fn text_body<'d>(body: &Body<'d>, shape: &Shape<'d>, params: &mut Params<'d>, to: &mut Request) -> Result<(), String> {
    if !is_media_type(&body.media_type) {
        return Err(format!("its body has the content type `{}`", body.media_type));
    }
    let text = shape.as_text();
    let name = whole(body, &text, params);
    if !body.is_required
        && let Some(spec) = params.all.get_mut(&name).and_then(Value::as_object_mut)
    {
        // A text template needs a value.
        spec.shift_remove("required");
    }
    to.body = Some(("text", json!({ "content_type": body.media_type, "template": placed(&name) })));
    Ok(())
}

/// The content types that the format accepts.
fn is_media_type(name: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&it))
    };
    let mut parts = name.split(';');
    let whole = parts.next().and_then(|essence| essence.trim().split_once('/'));
    let is_parameter = |part: &str| {
        let part = part.strip_prefix(' ').unwrap_or(part);
        part.split_once('=').is_some_and(|(name, value)| {
            let fine = |text: &str| {
                !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._+-".contains(&it))
            };
            fine(name) && fine(value) && !name.contains(['.', '_', '+'])
        })
    };
    whole.is_some_and(|(kind, sub)| token(kind) && token(sub)) && parts.all(is_parameter)
}

/// The form of Swagger 2.0, whose fields are parameters. Whether there is one.
fn form_of_2<'d>(
    operation: &Operation<'d>,
    parameters: &[&'d Value],
    params: &mut Params<'d>,
    request: &mut Request,
) -> Result<bool, String> {
    let form: Vec<&'d Value> = parameters.iter().copied().filter(|it| text(it.get("in")) == Some("formData")).collect();
    if form.is_empty() {
        return Ok(false);
    }
    if matches!(operation.method, "get" | "head") {
        return Err("a request of its method has no body".into());
    }
    let has_file = form.iter().any(|it| text(it.get("type")) == Some("file"));
    let consumed = consumed(operation, params.document);
    let is_multipart = has_file
        || (consumed.contains(&"multipart/form-data") && !consumed.contains(&"application/x-www-form-urlencoded"));
    let mut all = Map::new();
    for parameter in form {
        let Some(name) = text(parameter.get("name")).filter(|name| !name.contains("{{")) else { continue };
        let shape = Shape::of(parameter, params.document);
        let mut spec = params.spec(&shape, name, Goes::Body);
        optional(&mut spec, is_true(parameter.get("required")));
        let variable = params.add(name, spec);
        let is_list = shape.kind == Some(Kind::Array);
        let value = if is_multipart && shape.is_file {
            file(name, &variable, params)
        } else if is_list && !is_multipart && text(parameter.get("collectionFormat")) != Some("multi") {
            json!({ "value": placed(&variable), "style": "form", "explode": false })
        } else {
            placed(&variable)
        };
        all.insert(name.to_owned(), value);
    }
    request.body = Some((if is_multipart { "multipart" } else { "form" }, Value::Object(all)));
    Ok(true)
}
