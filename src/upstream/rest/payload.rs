//! Floor 5. Bodies of requests: JSON, forms, multipart, text and GraphQL. Values are put in by
//! serializers, never by joining text, and every body is bounded before it is sent.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{pairs, request::internal, request::unresolved};
use crate::{
    plan::rest::{Body, Encoding, Form, Graphql, Part},
    template::{Scope, Tree},
    upstream::{FailureClass, UpstreamError},
};

/// Longest body of a request, in bytes: more is no call of a model.
const MAX_BODY: usize = 16 << 20;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A body with its content type.
pub(super) struct Payload {
    pub(super) content_type: HeaderValue,
    pub(super) bytes: Bytes,
}

/// Builds the body of one call.
///
/// # Errors
/// [`FailureClass::Arguments`] for values that have no place in the body or make it too long.
pub(super) fn build(body: &Body, scope: &dyn Scope) -> Result<Payload, UpstreamError> {
    let (content_type, bytes) = match body {
        Body::Json(tree) => (JSON, json(tree, scope)?),
        Body::Form(form) => (FORM, self::form(form, scope)?),
        Body::Multipart(parts) => multipart(parts, scope)?,
        Body::Text { content_type, template } => {
            let text = template.render(scope).map_err(|error| unresolved("part", "text", &error))?;
            let content_type = HeaderValue::from_str(content_type);
            (content_type.map_err(|_| internal("The content type of the body cannot be sent."))?, text.into_bytes())
        }
        Body::Graphql(graphql) => (JSON, self::graphql(graphql, scope)?),
    };
    if bytes.len() > MAX_BODY {
        return Err(too_long("The values", MAX_BODY));
    }
    Ok(Payload { content_type, bytes: bytes.into() })
}

/// A body whose values are all absent is an empty object: a server that wants JSON refuses a
/// request with nothing in it (rest.md §9.3).
fn json(tree: &Tree, scope: &dyn Scope) -> Result<Vec<u8>, UpstreamError> {
    let value = tree.resolve(scope).map_err(|error| unresolved("part", "json", &error))?;
    printed(&value.unwrap_or_else(|| Value::Object(Map::new())))
}

fn printed(value: &Value) -> Result<Vec<u8>, UpstreamError> {
    serde_json::to_vec(value).map_err(|error| internal("The body could not be written.").caused_by(error))
}

fn form(form: &Form, scope: &dyn Scope) -> Result<Vec<u8>, UpstreamError> {
    let mut out = String::new();
    match form {
        Form::Fields(fields) => {
            for field in fields {
                let value = field.value.resolve(scope).map_err(|error| unresolved("field", &field.name, &error))?;
                pairs::append(&mut out, &field.name, &value.unwrap_or_default(), field.style)?;
            }
        }
        Form::Members(tree) => match tree.resolve(scope).map_err(|error| unresolved("part", "form", &error))? {
            Some(Value::Object(members)) => pairs::append_members(&mut out, &members)?,
            None | Some(Value::Null) => {}
            Some(_) => return Err(arguments("The form must be a mapping of fields.")),
        },
    }
    Ok(out.into_bytes())
}

fn graphql(graphql: &Graphql, scope: &dyn Scope) -> Result<Vec<u8>, UpstreamError> {
    let mut body = Map::from_iter([("query".to_owned(), Value::from(graphql.query.as_str()))]);
    if let Some(name) = &graphql.operation {
        body.insert("operationName".into(), name.as_str().into());
    }
    if let Some(tree) = &graphql.variables {
        let variables = tree.resolve(scope).map_err(|error| unresolved("part", "variables", &error))?;
        body.insert("variables".into(), variables.unwrap_or_else(|| Value::Object(Map::new())));
    }
    printed(&Value::Object(body))
}

/// Parts between boundaries (RFC 7578). The boundary is random, so that no value can hold it.
fn multipart(parts: &[Part], scope: &dyn Scope) -> Result<(HeaderValue, Vec<u8>), UpstreamError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| internal("There is no randomness.").caused_by(error))?;
    let boundary = format!("mcp-bridge-{:032x}", u128::from_ne_bytes(random));
    let mut out = Vec::new();
    for part in parts {
        let value = part.value.resolve(scope).map_err(|error| unresolved("part", &part.name, &error))?;
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                for item in items.iter().filter(|item| !item.is_null()) {
                    append_part(&mut out, &boundary, (part, item), scope)?;
                }
            }
            Some(value) => append_part(&mut out, &boundary, (part, &value), scope)?,
        }
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
    Ok((content_type.map_err(|_| internal("The boundary cannot be sent."))?, out))
}

fn append_part(
    out: &mut Vec<u8>,
    boundary: &str,
    (part, value): (&Part, &Value),
    scope: &dyn Scope,
) -> Result<(), UpstreamError> {
    let text = pairs::text(value);
    let (content, named) = match part.encoding {
        // What is longer than this cannot be short enough once it is decoded.
        Encoding::Base64 if text.len() / 4 * 3 > part.max_bytes.saturating_add(512) => {
            return Err(too_long(&format!("The part `{}`", part.name), part.max_bytes));
        }
        Encoding::Base64 => decoded(&part.name, &text)?,
        Encoding::Text => (text.as_bytes().to_vec(), None),
    };
    if content.len() > part.max_bytes || out.len().saturating_add(content.len()) > MAX_BODY {
        return Err(too_long(&format!("The part `{}`", part.name), part.max_bytes.min(MAX_BODY)));
    }
    let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", part.name);
    if let Some(tree) = &part.filename {
        let name = tree.resolve(scope).map_err(|error| unresolved("file name", &part.name, &error))?;
        let name = name.as_ref().and_then(pairs::scalar).unwrap_or_default();
        let plain = |it: char| !it.is_control() && !matches!(it, '"' | '/' | '\\');
        if name.trim().is_empty() || name.trim() == "." || name.trim() == ".." || !name.chars().all(plain) {
            let told =
                format!("The file name of `{}` must not be empty or hold slashes, quotes or line ends.", part.name);
            return Err(arguments(told));
        }
        head.extend(["; filename=\"", &name, "\""]);
    }
    let fallback = part.filename.as_ref().map(|_| "application/octet-stream".to_owned());
    if let Some(content_type) = part.content_type.clone().or(named).or(fallback) {
        head.push_str("\r\nContent-Type: ");
        head.push_str(&content_type);
    }
    head.push_str("\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&content);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The bytes of a base64 text or a data URI (RFC 2397), with the content type that the latter names.
fn decoded(name: &str, text: &str) -> Result<(Vec<u8>, Option<String>), UpstreamError> {
    let unreadable =
        || arguments(format!("`{name}` must be base64 text, or a data URI such as `data:text/plain;base64,…`."));
    let uri = text.get(..5).filter(|start| start.eq_ignore_ascii_case("data:")).and_then(|_| text.get(5..));
    let Some(uri) = uri else { return from_base64(text).map(|bytes| (bytes, None)).ok_or_else(unreadable) };
    let (head, data) = uri.split_once(',').ok_or_else(unreadable)?;
    let (head, encoded) = match head.rsplit_once(';') {
        Some((head, word)) if word.eq_ignore_ascii_case("base64") => (head, true),
        _ => (head, false),
    };
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&it))
    };
    let essence = head.split(';').next().unwrap_or("");
    let named = essence.split_once('/').is_some_and(|(top, sub)| is_token(top) && is_token(sub));
    let unescaped: Vec<u8> = percent_decode_str(data).collect();
    let bytes = if encoded {
        std::str::from_utf8(&unescaped).ok().and_then(from_base64).ok_or_else(unreadable)?
    } else {
        unescaped
    };
    Ok((bytes, named.then(|| essence.to_owned())))
}

/// Base64 in either alphabet, padded or not, with broken lines.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const ANY: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let joined: String = text.chars().filter(|it| !it.is_ascii_whitespace()).collect();
    let alphabet = if joined.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, ANY).decode(joined).ok()
}

#[cold]
fn too_long(what: &str, most: usize) -> UpstreamError {
    arguments(format!("{what} must not be longer than {} KiB.", most / 1024))
}

#[cold]
fn arguments(told: impl Into<std::borrow::Cow<'static, str>>) -> UpstreamError {
    UpstreamError::new(FailureClass::Arguments, told)
}
