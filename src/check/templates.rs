//! Floor 4. Templates and paths: compiled, and every variable they name must exist where they stand.

use serde_json::Value;

use super::{
    context::Context,
    inserted::{Language, is_plain},
    params::Params,
};
use crate::{
    diag::{Code, Diagnostic},
    plan::CallerPart,
    select::Path,
    template::{Escape, Text, Tree, Variable},
    text::Span,
    yaml::Pointer,
};

/// Where a template stands, and so what it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the request is sent.
    Request,
    /// After an answer that is an error.
    Failure,
    /// After a REST answer.
    RestResult,
    /// After SQL rows.
    SqlResult,
}

impl Stage {
    const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["args", "caller", "now", "request"],
            Self::Failure => &["args", "caller", "now", "request", "status"],
            Self::RestResult => &["args", "caller", "now", "request", "status", "body"],
            Self::SqlResult => &["args", "caller", "now", "request", "rows", "row"],
        }
    }
}

/// Parts of the caller and variables that this version does not have yet.
const PARTS_NOT_YET: [&str; 4] = ["scopes", "client_id", "claims", "end_user"];
const NOT_YET: [&str; 2] = ["headers", "steps"];

/// Compiles a text template. `None` after a fault.
pub(super) fn text(
    source: &str,
    stage: Stage,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Text> {
    if !is_plain(source, Language::Template, at, context) {
        return None;
    }
    match Text::compile(source, Escape::None) {
        Ok(text) => {
            variables(text.variables(), stage, params, at, context);
            Some(text)
        }
        Err(error) => {
            let span = context.part(at, error.range.clone());
            context.push(Diagnostic::error(Code::Template, span, error.message));
            None
        }
    }
}

/// Compiles a typed tree. `None` after a fault.
pub(super) fn tree(
    value: &Value,
    stage: Stage,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Tree> {
    if !leaves_are_plain(value, at, context) {
        return None;
    }
    match Tree::compile(value) {
        Ok(tree) => {
            for (pointer, variable) in tree.variables() {
                variables(std::slice::from_ref(variable), stage, params, &at.below(&pointer), context);
            }
            Some(tree)
        }
        Err(errors) => {
            for (pointer, error) in errors {
                let span = context.part(&at.below(&pointer), error.range.clone());
                context.push(Diagnostic::error(Code::Template, span, error.message));
            }
            None
        }
    }
}

/// A bridge file nests no deeper than its reader permits.
fn leaves_are_plain(value: &Value, at: &Pointer, context: &mut Context<'_>) -> bool {
    match value {
        Value::String(text) => is_plain(text, Language::Template, at, context),
        Value::Array(items) => {
            let each = items.iter().enumerate().map(|(index, item)| leaves_are_plain(item, &at.at(index), context));
            each.fold(true, |all, one| all & one)
        }
        Value::Object(members) => {
            let each = members.iter().map(|(name, member)| leaves_are_plain(member, &at.at(name), context));
            each.fold(true, |all, one| all & one)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Compiles a `JSONPath`. `None` after a fault.
pub(super) fn path(source: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Path> {
    if !is_plain(source, Language::JsonPath, at, context) {
        return None;
    }
    let error = match Path::compile(source) {
        Ok(path) => return Some(path),
        Err(error) => error,
    };
    let rooted = if source.starts_with('[') { format!("${source}") } else { format!("$.{source}") };
    if !source.starts_with('$') && Path::compile(&rooted).is_ok() {
        let span = context.part(at, 0..source.len());
        let fault = Diagnostic::error(Code::JsonPath, span, "a path starts with `$`");
        context.push(fault.replace(format!("did you mean `{rooted}`?"), span, rooted));
    } else {
        let span = context.part(at, error.range.clone());
        context.push(Diagnostic::error(Code::JsonPath, span, error.message));
    }
    None
}

fn variables(named: &[Variable], stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    for variable in named {
        let Some(first) = variable.path.first().map(String::as_str) else { continue };
        let parts = match first {
            "caller" => CallerPart::ALL.map(|(part, _)| part).to_vec(),
            "request" => vec!["id"],
            _ if params.is_known(first) || stage.variables().contains(&first) => continue,
            _ => {
                unknown(variable, stage, params, at, context);
                continue;
            }
        };
        let part = variable.path.get(1).map(String::as_str);
        if part.is_some_and(|part| parts.contains(&part)) {
            continue;
        }
        let span = context.part(at, variable.range.clone());
        let known: Vec<_> = parts.iter().map(|part| format!("{first}.{part}")).collect();
        context.push(match part {
            None => Diagnostic::error(Code::UnknownVariable, span, format!("name a part of `{first}`"))
                .help(format!("known: {}", known.join(", "))),
            Some(part) if first == "caller" && is_part_not_yet(part) => not_yet(span, &format!("caller.{part}")),
            Some(part) => Diagnostic::error(Code::UnknownVariable, span, format!("`{first}` has no part `{part}`"))
                .help(format!("known: {}", known.join(", "))),
        });
    }
}

/// A fault of a variable that belongs to the format and is not here yet.
pub(super) fn not_yet(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error(Code::NotYet, span, format!("`{name}` is not supported yet"))
}

/// Whether a part of the caller belongs to the format and is not here yet.
pub(super) fn is_part_not_yet(part: &str) -> bool {
    PARTS_NOT_YET.contains(&part.split('.').next().unwrap_or(part))
}

fn unknown(variable: &Variable, stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    let name = variable.path.first().map_or("", String::as_str);
    let span = context.part(at, variable.range.clone());
    if NOT_YET.contains(&name) {
        context.push(not_yet(span, name));
        return;
    }
    let known: Vec<&str> = params.names().chain(stage.variables().iter().copied()).collect();
    let fault = Diagnostic::error(Code::UnknownVariable, span, format!("there is no variable `{name}` here"));
    let near = crate::diag::closest(name, known.iter().copied());
    let first = context.part(at, variable.range.start..variable.range.start + name.len());
    context.push(match near {
        Some(near) if context.written(first) == name => fault.replace(format!("did you mean `{near}`?"), first, near),
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None if name == "env" => fault.help("the environment is read with `${NAME}`"),
        None => fault.help(format!("known here: {}", known.join(", "))),
    });
}
