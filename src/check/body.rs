//! Floor 4. Bodies of requests, of every kind.

use serde_json::Value;

use super::{
    context::Context,
    graphql, parameters,
    parameters::Shape,
    params::{Params, Role},
    templates::{self, Stage},
};
use crate::{
    bridge::{Encoding as WrittenEncoding, Part as WrittenPart, RestOperation, TextBody},
    diag::{Code, Diagnostic},
    plan::rest::{Body, Encoding, Form, Method, Part},
    template::{Escape, Tree},
    yaml::Pointer,
};

/// Bytes of a file at most, unless the author says otherwise.
const MAX_PART: usize = 8 << 20;

/// Builds the body of a request. `None` without one, and after a fault.
pub(super) fn build(
    operation: &RestOperation,
    method: Method,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Body> {
    let present = [
        ("json", operation.json.is_some()),
        ("form", operation.form.is_some()),
        ("multipart", operation.multipart.is_some()),
        ("text", operation.text.is_some()),
        ("graphql", operation.graphql.is_some()),
    ];
    let (kind, _) = present.into_iter().find(|(_, present)| *present)?;
    let at = at.at(kind);
    if method.is_safe() {
        let message = format!("a {} request has no body", method.as_str());
        let fault = Diagnostic::error(Code::Body, context.key(&at), message);
        context.push(fault.help("put the values under `query`, or use `post`, `put` or `patch`"));
    }
    if kind != "json" && operation.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        let message = format!("`{kind}` has a content type of its own");
        context.push(Diagnostic::error(Code::Body, context.key(&at), message));
    }
    if let Some(json) = &operation.json {
        return templates::tree(json, Stage::Request, params, &at, context).map(Body::Json);
    }
    if let Some(form) = &operation.form {
        return self::form(form, params, &at, context).map(Body::Form);
    }
    if let Some(parts) = &operation.multipart {
        let all = parts.iter().filter_map(|(name, written)| part(name, written, params, &at.at(name), context));
        return Some(Body::Multipart(all.collect()));
    }
    if let Some(text) = &operation.text {
        return self::text(text, params, &at, context);
    }
    let written = operation.graphql.as_ref()?;
    graphql::build(written, method, params, &at, context).map(Body::Graphql)
}

fn form(written: &Value, params: &Params, at: &Pointer, context: &mut Context<'_>) -> Option<Form> {
    if let Value::Object(fields) = written {
        return Some(Form::Fields(parameters::fields(fields, params, at, context)));
    }
    let tree = templates::tree(written, Stage::Request, params, at, context)?;
    if !matches!(Shape::of(&tree, params), Shape::Mapping | Shape::Unknown) {
        let fault = Diagnostic::error(Code::Body, context.value(at), "a form is a mapping of fields");
        context.push(fault.help("`form: \"{{args}}\"` sends every argument that is not placed elsewhere"));
        return None;
    }
    Some(Form::Members(tree))
}

fn part(name: &str, written: &WrittenPart, params: &Params, at: &Pointer, context: &mut Context<'_>) -> Option<Part> {
    if name.bytes().any(|byte| byte.is_ascii_control() || byte == b'"') {
        let span = context.key(at);
        context.push(Diagnostic::error(Code::Part, span, "the name of a part holds no quotes and control characters"));
    }
    let long = match written {
        WrittenPart::Plain(value) => {
            let value = templates::tree(value, Stage::Request, params, at, context)?;
            let (filename, content_type, encoding) = (None, None, Encoding::Text);
            return Some(Part { name: name.into(), value, filename, content_type, encoding, max_bytes: MAX_PART });
        }
        WrittenPart::Long(long) => long,
    };
    let value = templates::tree(&long.value, Stage::Request, params, &at.at("value"), context)?;
    let filename = long.filename.as_ref().and_then(|name| {
        templates::tree(&Value::String(name.clone()), Stage::Request, params, &at.at("filename"), context)
    });
    let encoding = match long.encoding {
        Some(WrittenEncoding::Base64) => Encoding::Base64,
        None if is_base64(&value, params) => Encoding::Base64,
        Some(WrittenEncoding::Text) | None => Encoding::Text,
    };
    if encoding == Encoding::Base64 && Shape::of(&value, params) == Shape::Mapping {
        context.fault(Code::Part, &at.at("value"), "a mapping is no base64 text");
    }
    let max_bytes = long.max_bytes.map_or(MAX_PART, |size| size.0);
    if max_bytes == 0 {
        context.fault(Code::NotAccepted, &at.at("max_bytes"), "`max_bytes` must be more than 0");
    }
    let content_type = long.content_type.clone();
    Some(Part { name: name.into(), value, filename, content_type, encoding, max_bytes })
}

/// Whether a value is a param that is declared to be base64.
fn is_base64(value: &Tree, params: &Params) -> bool {
    let Tree::Exact(variable) = value else { return false };
    let [name] = variable.path.as_slice() else { return false };
    let pointers = match params.find(name).map(|param| &param.role) {
        Some(Role::List) => ["items", "format"].as_slice(),
        _ => ["format"].as_slice(),
    };
    let schema = params.schema.get("properties").and_then(|all| all.get(name));
    let format = pointers.iter().try_fold(schema, |at, key| Some(at.and_then(|it| it.get(key)))).flatten();
    format.and_then(Value::as_str) == Some("byte")
}

fn text(written: &TextBody, params: &Params, at: &Pointer, context: &mut Context<'_>) -> Option<Body> {
    let essence = written.content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let escape = match essence.split_once('/').map_or("", |(_, sub)| sub) {
        "xml" | "html" => Escape::Xml,
        "json" => Escape::Json,
        sub if sub.ends_with("+xml") => Escape::Xml,
        sub if sub.ends_with("+json") => Escape::Json,
        _ => Escape::None,
    };
    let stage = (Stage::Request, escape);
    let template = templates::escaped(&written.template, stage, params, &at.at("template"), context)?;
    Some(Body::Text { content_type: written.content_type.clone(), template })
}
