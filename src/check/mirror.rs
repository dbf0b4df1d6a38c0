//! Floor 4. Arguments that clients of 2026-07-28 repeat in a header (protocol.md H-14).

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{context::Context, rest};
use crate::{
    bridge::{Param, ParamSpec, Tool, Type},
    diag::{Code, Diagnostic},
    plan::Mirror,
    yaml::Pointer,
};

/// What asks for a header in a schema.
const KEYWORD: &str = "x-mcp-header";

/// The headers that repeat arguments of a tool. A client drops a whole tool for one that it may not send.
pub(super) fn all(written: &Tool, at: &Pointer, context: &mut Context<'_>) -> Vec<Mirror> {
    let mut all: Vec<Mirror> = Vec::new();
    if let Some(schema) = &written.input_schema {
        let mut way = Way { path: Vec::new(), at: at.at("input_schema") };
        of_members(schema, &mut way, &mut all, context);
        return all;
    }
    for (name, spec, header) in mirrored(&written.params) {
        let at = at.at("params").at(name).at("mirror_header");
        let is_token = rest::is_token(header);
        let is_scalar = matches!(spec.kind, Some(Type::String | Type::Integer | Type::Boolean) | None);
        let message = if !is_token {
            Some(format!("`{header}` cannot be the end of a header's name"))
        } else if all.iter().any(|other| other.header.eq_ignore_ascii_case(header)) {
            Some(format!("two params are repeated in `Mcp-Param-{header}`"))
        } else if spec.from.is_some() {
            Some("a param that the server binds is not the client's to repeat".to_owned())
        } else if !is_scalar {
            Some("only a string, an integer or a boolean can be repeated in a header".to_owned())
        } else {
            None
        };
        match message {
            Some(message) => context.fault(Code::MirrorHeader, &at, message),
            None => all.push(Mirror { path: vec![name.clone()], header: header.to_ascii_lowercase() }),
        }
    }
    all
}

/// Where in a schema something stands, and the arguments that it is about.
struct Way {
    path: Vec<String>,
    at: Pointer,
}

/// Looks for headers in a schema of an author's own: below `properties` alone, because nothing else
/// says which argument is meant.
fn of_members(schema: &Map<String, Value>, way: &mut Way, all: &mut Vec<Mirror>, context: &mut Context<'_>) {
    for (keyword, value) in schema {
        let at = way.at.at(keyword);
        match (keyword.as_str(), value) {
            (KEYWORD, header) => of_argument(schema, header, (way, &at), all, context),
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties.iter().filter_map(|(name, it)| Some((name, it.as_object()?))) {
                    way.path.push(name.clone());
                    let mut inner = Way { path: std::mem::take(&mut way.path), at: at.at(name) };
                    of_members(property, &mut inner, all, context);
                    way.path = inner.path;
                    way.path.pop();
                }
            }
            // What is said about values is no schema.
            ("default" | "const" | "enum" | "examples", _) => {}
            (_, other) => refuse_elsewhere(other, &at, context),
        }
    }
}

fn of_argument(
    schema: &Map<String, Value>,
    header: &Value,
    (way, at): (&Way, &Pointer),
    all: &mut Vec<Mirror>,
    context: &mut Context<'_>,
) {
    let kind = schema.get("type").and_then(Value::as_str);
    let header = header.as_str().unwrap_or_default();
    let message = if way.path.is_empty() {
        Some("the arguments as a whole cannot be repeated in a header".to_owned())
    } else if !rest::is_token(header) {
        Some("the end of a header's name is letters, digits and `-`".to_owned())
    } else if all.iter().any(|other| other.header.eq_ignore_ascii_case(header)) {
        Some(format!("two arguments are repeated in `Mcp-Param-{header}`"))
    } else if !matches!(kind, Some("string" | "integer" | "boolean")) {
        Some("only a string, an integer or a boolean can be repeated in a header".to_owned())
    } else {
        None
    };
    match message {
        Some(message) => context.fault(Code::MirrorHeader, at, message),
        None => all.push(Mirror { path: way.path.clone(), header: header.to_ascii_lowercase() }),
    }
}

/// Clients drop a tool whose header is not reachable through `properties` (protocol.md H-14).
fn refuse_elsewhere(value: &Value, at: &Pointer, context: &mut Context<'_>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let at = at.at(name);
                if name == KEYWORD {
                    let span = context.key(&at);
                    let message = format!("`{KEYWORD}` belongs to an argument, and only `properties` lead to one");
                    context.push(Diagnostic::error(Code::MirrorHeader, span, message));
                } else {
                    refuse_elsewhere(member, &at, context);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_elsewhere(item, &at.at(index), context);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Other methods have no such headers: the key would be ignored.
pub(super) fn refuse(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) {
    for (name, _, _) in mirrored(params) {
        let span = context.key(&at.at("params").at(name).at("mirror_header"));
        context.push(Diagnostic::error(Code::ParamPlace, span, "`mirror_header` has a meaning for tools only"));
    }
}

fn mirrored(params: &IndexMap<String, Param>) -> impl Iterator<Item = (&String, &ParamSpec, &str)> {
    params.iter().filter_map(|(name, param)| match param {
        Param::Spec(spec) => Some((name, &**spec, spec.mirror_header.as_deref()?)),
        Param::Type(_) => None,
    })
}
