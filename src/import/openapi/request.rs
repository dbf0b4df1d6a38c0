//! Floor 7. The parameters of an operation as params of a tool, and where each goes in the request.

use serde_json::{Map, Value, json};

use super::{
    document::{Document, Family, is_true, text},
    operations::Operation,
    params::{Goes, Params},
    shape::{Kind, Shape},
    words::{clean, spoken},
};
use crate::plan::rest::Reserved;

/// Headers that a source and its client set themselves.
const OURS: [&str; 3] = ["accept", "content-type", "user-agent"];

/// A request as it is gathered.
#[derive(Default)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) query: Map<String, Value>,
    pub(super) headers: Map<String, Value>,
    pub(super) cookies: Map<String, Value>,
    pub(super) idempotency_key: Option<String>,
    /// `json`, `form`, `multipart` or `text`, with its value.
    pub(super) body: Option<(&'static str, Value)>,
}

/// What a value is written as in a template.
pub(super) fn placed(name: &str) -> Value {
    format!("{{{{{name}}}}}").into()
}

/// Gathers path, query, headers and cookies. `credentials` are names that the source's own credential has.
///
/// # Errors
/// Why no tool can be made of the operation.
pub(super) fn gather<'d>(
    operation: &Operation<'d>,
    parameters: &[&'d Value],
    credentials: &[String],
    params: &mut Params<'d>,
) -> Result<Request, String> {
    let mut request = Request::default();
    let written = operation.path;
    if written.contains('#') {
        return Err("its path has a fragment, which is never sent".into());
    }
    let (path, fixed) = written.split_once('?').unwrap_or((written, ""));
    for (name, value) in url::form_urlencoded::parse(fixed.as_bytes()) {
        if value.contains(['{', '}']) {
            return Err("its path has parameters behind a `?`".into());
        }
        request.query.insert(name.into_owned(), value.into_owned().into());
    }
    request.path = self::path(path, parameters, params)?;
    for parameter in parameters {
        let (Some(place), Some(name)) = (text(parameter.get("in")), text(parameter.get("name"))) else { continue };
        let is_credential = credentials.iter().any(|known| known.eq_ignore_ascii_case(name));
        let fine = match place {
            "query" | "header" | "cookie" if is_credential => Ok(()),
            "query" => query(parameter, name, params, &mut request),
            "header" => header(parameter, name, params, &mut request),
            "cookie" => cookie(parameter, name, params, &mut request),
            _ => Ok(()),
        };
        if let Err(reason) = fine {
            if is_true(parameter.get("required")) {
                return Err(format!("its {place} parameter `{name}` {reason}"));
            }
            params.note(format!("the {place} parameter `{name}` is left out: it {reason}"));
        }
    }
    Ok(request)
}

/// The path with its parameters under names that templates can use.
fn path<'d>(written: &'d str, parameters: &[&'d Value], params: &mut Params<'d>) -> Result<String, String> {
    let written = if written.starts_with('/') { written.to_owned() } else { format!("/{written}") };
    let mut out = String::new();
    let mut rest = written.as_str();
    let mut known: Vec<(String, String)> = Vec::new();
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        let close = from.find('}').ok_or("the braces of its path do not match")?;
        let inner = from.get(1..close).unwrap_or("");
        let after = from.get(close + 1..).unwrap_or("");
        let name = inner.trim_start_matches(['+', '.', ';', '/']).trim_end_matches(['+', '*']);
        if name.is_empty() || name.contains('{') || before.contains('}') || inner.starts_with([';', '?', '&']) {
            return Err(format!("the part `{{{inner}}}` of its path is not one that can be filled"));
        }
        out.push_str(before);
        let is_whole = before.ends_with('/') && (after.is_empty() || after.starts_with('/'));
        let keeps_slashes = inner.contains('+') && is_whole;
        let variable = if let Some((_, variable)) = known.iter().find(|(wire, _)| wire == name) {
            variable.clone()
        } else {
            let variable = path_param(name, parameters, params)?;
            known.push((name.to_owned(), variable.clone()));
            variable
        };
        out.push('{');
        out.push_str(&variable);
        out.push_str(if keeps_slashes { "*}" } else { "}" });
        rest = after;
    }
    out.push_str(rest);
    if rest.contains('}') || out.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("its path cannot be sent as it stands".into());
    }
    Ok(out)
}

fn path_param<'d>(name: &str, parameters: &[&'d Value], params: &mut Params<'d>) -> Result<String, String> {
    let is_it = |it: &&&Value| text(it.get("in")) == Some("path") && text(it.get("name")) == Some(name);
    let Some(parameter) = parameters.iter().find(is_it) else {
        let mut spec = Map::new();
        spec.insert("type".into(), "string".into());
        spec.insert("description".into(), format!("{}, a part of the path.", spoken(name)).into());
        return Ok(params.add(name, spec));
    };
    if matches!(text(parameter.get("style")), Some("label" | "matrix")) {
        return Err(format!("its path parameter `{name}` has a style that cannot be written"));
    }
    let shape = shape_of(parameter, params.document);
    let mut spec = params.spec(&shape, name, Goes::Inline);
    if matches!(shape.kind, Some(Kind::Array | Kind::Object)) {
        spec = joined(&spec);
    }
    spec.shift_remove("default");
    Ok(params.add(name, described(spec, parameter)))
}

/// A list that is written as one text.
fn joined(spec: &Map<String, Value>) -> Map<String, Value> {
    let said = spec.get("description").and_then(Value::as_str).unwrap_or("").trim_end_matches('.');
    let told = format!("{said}. Several values are separated by commas.");
    Map::from_iter([("type".to_owned(), json!("string")), ("description".to_owned(), told.into())])
}

/// What a parameter holds, with the parameter's own words.
fn shape_of<'d>(parameter: &'d Value, document: Document<'d>) -> Shape<'d> {
    let schema = match document.family {
        Family::Swagger2 => Some(parameter),
        Family::OpenApi3 => parameter.get("schema").or_else(|| {
            let media = parameter.get("content").and_then(Value::as_object).and_then(|all| all.values().next());
            media.and_then(|media| media.get("schema"))
        }),
    };
    let mut shape = schema.map(|schema| Shape::of(schema, document)).unwrap_or_default();
    shape.description = text(parameter.get("description")).or(shape.description);
    shape
}

/// The param with whether it must be given.
fn described(mut spec: Map<String, Value>, parameter: &Value) -> Map<String, Value> {
    let is_path = text(parameter.get("in")) == Some("path");
    if is_true(parameter.get("required")) || is_path {
        // What must be given has no default.
        if !is_path && spec.contains_key("default") {
            return spec;
        }
        spec.shift_remove("required");
    } else if !spec.contains_key("default") {
        let words = spec.shift_remove("description");
        spec.insert("required".into(), false.into());
        spec.extend(words.map(|words| ("description".to_owned(), words)));
    }
    spec
}

fn query<'d>(parameter: &'d Value, name: &str, params: &mut Params<'d>, to: &mut Request) -> Result<(), String> {
    let shape = shape_of(parameter, params.document);
    let as_json = parameter.get("content").is_some();
    if to.query.contains_key(name) {
        return Ok(());
    }
    let style = style_of(parameter, params.document.family);
    let styled = |value: Value, style: &str| json!({ "value": value, "style": style });
    match shape.kind {
        Some(Kind::Object) if !as_json && style == "form" => {
            return members_of(&shape, parameter, params, to).ok_or_else(|| "is a mapping of any names".into());
        }
        Some(Kind::Array) if shape.has_members() => return Err("is of several kinds".into()),
        _ => {}
    }
    let spec = described(params.spec(&shape, name, Goes::Inline), parameter);
    let variable = placed(&params.add(name, spec));
    let value = match (shape.kind, style.as_str()) {
        (Some(Kind::Array | Kind::Object), _) if as_json => styled(variable, "json"),
        (Some(Kind::Object), style) if style != "joined" => styled(variable, "deepObject"),
        (Some(Kind::Array | Kind::Object), "joined") => json!({ "value": variable, "style": "form", "explode": false }),
        (Some(Kind::Array), "spaceDelimited" | "pipeDelimited") => styled(variable, &style),
        _ => variable,
    };
    to.query.insert(name.to_owned(), value);
    Ok(())
}

/// How a list is written: as the formats of both families say it, in one word.
fn style_of(parameter: &Value, family: Family) -> String {
    if family == Family::Swagger2 {
        return match text(parameter.get("collectionFormat")) {
            Some("multi") => "form".into(),
            Some("ssv") => "spaceDelimited".into(),
            Some("pipes") => "pipeDelimited".into(),
            _ => "joined".into(),
        };
    }
    let style = text(parameter.get("style")).unwrap_or("form");
    let explode = parameter.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
    match (style, explode) {
        ("form", false) => "joined".into(),
        ("spaceDelimited" | "pipeDelimited", true) => "form".into(),
        _ => style.to_owned(),
    }
}

/// A mapping whose members are parameters of their own. `None` when their names are not known.
fn members_of<'d>(shape: &Shape<'d>, parameter: &Value, params: &mut Params<'d>, to: &mut Request) -> Option<()> {
    if !shape.has_members() {
        return None;
    }
    for (name, schema) in &shape.properties {
        let inner = shape.inner(schema, params.document);
        if inner.kind.is_none_or(|kind| !kind.is_scalar()) || to.query.contains_key(*name) {
            params.note(format!("the member `{name}` of a query parameter is left out: it is no single value"));
            continue;
        }
        let mut spec = params.spec(&inner, name, Goes::Inline);
        let is_required = is_true(parameter.get("required")) && shape.required.contains(name);
        if !is_required && !spec.contains_key("default") {
            spec.insert("required".into(), false.into());
        }
        let variable = placed(&params.add(name, spec));
        to.query.insert((*name).to_owned(), variable);
    }
    Some(())
}

fn header<'d>(parameter: &'d Value, name: &str, params: &mut Params<'d>, to: &mut Request) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || Reserved::of(&lower).is_some() {
        // These are set by the source and the connection, so nothing is missing without them.
        return Ok(());
    }
    if !is_token(name) {
        return Err("has a name that no header can have".into());
    }
    if lower == "idempotency-key" {
        to.idempotency_key = Some(name.to_owned());
        return Ok(());
    }
    let shape = shape_of(parameter, params.document);
    let only =
        shape.options.as_ref().filter(|options| options.len() == 1).and_then(|options| options.first()?.as_str());
    if let Some(only) = only.filter(|only| is_true(parameter.get("required")) && is_header_text(only)) {
        to.headers.insert(name.to_owned(), only.into());
        return Ok(());
    }
    let mut spec = params.spec(&shape, name, Goes::Inline);
    if matches!(shape.kind, Some(Kind::Array | Kind::Object)) {
        spec = joined(&spec);
    }
    let variable = placed(&params.add(&lower, described(spec, parameter)));
    to.headers.insert(name.to_owned(), variable);
    Ok(())
}

fn cookie<'d>(parameter: &'d Value, name: &str, params: &mut Params<'d>, to: &mut Request) -> Result<(), String> {
    if !is_token(name) {
        return Err("has a name that no cookie can have".into());
    }
    let shape = shape_of(parameter, params.document);
    if matches!(shape.kind, Some(Kind::Array | Kind::Object)) {
        return Err("is no single value".into());
    }
    let spec = params.spec(&shape, name, Goes::Inline);
    let variable = placed(&params.add(name, described(spec, parameter)));
    to.cookies.insert(name.to_owned(), variable);
    Ok(())
}

/// A token of RFC 9110 §5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
}

fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !text.contains("{{") && !text.contains('\\')
}

/// The words of a parameter that has no schema to say them.
pub(super) fn words_of(value: &Value, longest: usize) -> Option<String> {
    text(value.get("description")).map(|text| clean(text, longest)).filter(|text| !text.is_empty())
}
