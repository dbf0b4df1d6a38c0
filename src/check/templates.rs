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
    yaml::Pointer,
};

/// Where a template stands, and so what it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before a person has agreed.
    Consent,
    /// Before the request is sent.
    Request,
    /// After an answer that is an error.
    Failure,
    /// After a REST answer.
    RestResult,
    /// After SQL rows.
    SqlResult,
    /// After the last step.
    StepsResult,
    /// After the last statement of a transaction.
    TransactionResult,
    /// In a fixed answer, among its questions.
    Reply,
}

impl Stage {
    const fn variables(self) -> &'static [&'static str] {
        match self {
            // What a person agrees to must be the same when it is asked for again.
            Self::Consent => &["args", "caller"],
            Self::Request => &["args", "caller", "now", "request"],
            Self::Failure => &["args", "caller", "now", "request", "status", "body"],
            Self::RestResult => &["args", "caller", "now", "request", "status", "headers", "body"],
            Self::Reply => &["args", "caller", "now", "request", "answers"],
            Self::SqlResult => &["args", "caller", "now", "request", "rows", "row"],
            Self::StepsResult | Self::TransactionResult => &["args", "caller", "now", "request", "body"],
        }
    }
}

/// Compiles a text template. `None` after a fault.
pub(super) fn text(
    source: &str,
    stage: Stage,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Text> {
    escaped(source, (stage, Escape::None), params, at, context)
}

/// Compiles a text template for a place where values are escaped. `None` after a fault.
pub(super) fn escaped(
    source: &str,
    (stage, escape): (Stage, Escape),
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Text> {
    if !is_plain(source, Language::Template, at, context) {
        return None;
    }
    match Text::compile(source, escape) {
        Ok(text) => {
            variables(text.variables(), stage, params, at, context);
            if matches!(stage, Stage::Request | Stage::Consent) {
                note_needs(source, text.variables(), context);
            }
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
                if let (Stage::Request, Some(source)) = (stage, value.pointer(&pointer).and_then(Value::as_str)) {
                    let beside = tree.variables().filter(|(other, _)| *other == pointer);
                    let beside: Vec<Variable> = beside.map(|(_, variable)| variable.clone()).collect();
                    note_needs(source, &beside, context);
                }
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

/// Notes which parts of the caller a request is made of. A part that the template tests, or has
/// a default for, may be missing.
fn note_needs(source: &str, named: &[Variable], context: &mut Context<'_>) {
    for variable in named.iter().filter(|variable| variable.path.first().is_some_and(|first| first == "caller")) {
        let tested = named.iter().filter(|other| other.path == variable.path).any(|other| {
            let tag = source.get(..other.range.start).and_then(|before| before.rsplit("{{").next()).unwrap_or("");
            let tag = tag.trim_start_matches(['~', '#', '^']).trim_start_matches("else ");
            ["if ", "unless ", "with ", "default "].iter().any(|helper| tag.starts_with(helper))
        });
        if let Some(part) = CallerPart::parse(&variable.path.get(1..).unwrap_or_default().join(".")).filter(|_| !tested)
        {
            context.need(part);
        }
    }
}

fn variables(named: &[Variable], stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    for variable in named {
        let Some((first, rest)) = variable.path.split_first() else { continue };
        let known: Vec<String> = match first.as_str() {
            "caller" => {
                context.name_caller();
                CallerPart::NAMES.map(spelled).to_vec()
            }
            "request" if stage != Stage::Consent => vec!["request.id".into()],
            "steps" => {
                super::steps::name_is_known(variable, params.place.as_ref(), at, context);
                continue;
            }
            _ if params.is_known(first) || stage.variables().contains(&first.as_str()) => continue,
            _ => {
                unknown(variable, stage, params, at, context);
                continue;
            }
        };
        let part = rest.join(".");
        let is_part = match first.as_str() {
            "caller" => CallerPart::parse(&part).is_some() || CallerPart::NAMES.contains(&part.as_str()),
            _ => part == "id",
        };
        if is_part {
            continue;
        }
        let span = context.part(at, variable.range.clone());
        let message = match rest.first() {
            None => format!("name a part of `{first}`"),
            Some(part) => format!("`{first}` has no part `{part}`"),
        };
        let fault = Diagnostic::error(Code::UnknownVariable, span, message);
        context.push(fault.help(format!("known: {}", known.join(", "))));
    }
}

/// A part of the caller as it is written in templates and after `from:`.
pub(super) fn spelled(part: &str) -> String {
    let claim = if part == "claims" { ".NAME" } else { "" };
    format!("caller.{part}{claim}")
}

fn unknown(variable: &Variable, stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    let name = variable.path.first().map_or("", String::as_str);
    let span = context.part(at, variable.range.clone());
    let known: Vec<&str> = params.names().chain(stage.variables().iter().copied()).collect();
    let fault = Diagnostic::error(Code::UnknownVariable, span, format!("there is no variable `{name}` here"));
    let near = crate::diag::closest(name, known.iter().copied());
    let first = context.part(at, variable.range.start..variable.range.start + name.len());
    context.push(match near {
        Some(near) if context.written(first) == name => fault.guess(near, first, near),
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None if name == "env" => fault.help("the environment is read with `${NAME}`"),
        None => fault.help(format!("known here: {}", known.join(", "))),
    });
}
