//! Floor 4. Templates and paths: compiled, and every variable they name must exist where they stand.

use serde_json::Value;

use super::{context::Context, params::Params};
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

/// Compiles a text template. `None` after a fault.
pub(super) fn text(
    source: &str,
    stage: Stage,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Text> {
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

/// Compiles a `JSONPath`. `None` after a fault.
pub(super) fn path(source: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Path> {
    match Path::compile(source) {
        Ok(path) => Some(path),
        Err(error) => {
            let span = context.part(at, error.range.clone());
            context.push(Diagnostic::error(Code::JsonPath, span, error.message));
            None
        }
    }
}

fn variables(named: &[Variable], stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    for variable in named {
        let Some(first) = variable.path.first().map(String::as_str) else { continue };
        let parts = match first {
            "caller" => CallerPart::ALL.map(|(part, _)| part).to_vec(),
            "request" => vec!["id"],
            _ if params.find(first).is_some() || stage.variables().contains(&first) => continue,
            _ => {
                unknown(variable, first, stage, params, at, context);
                continue;
            }
        };
        let part = variable.path.get(1).map(String::as_str);
        if !part.is_some_and(|part| parts.contains(&part)) {
            let span = context.part(at, variable.range.clone());
            let message = format!("`{first}` has no part `{}`", part.unwrap_or(""));
            let fault = Diagnostic::error(Code::UnknownVariable, span, message);
            let known: Vec<_> = parts.iter().map(|part| format!("{first}.{part}")).collect();
            context.push(fault.help(format!("known: {}", known.join(", "))));
        }
    }
}

fn unknown(variable: &Variable, name: &str, stage: Stage, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    let span = context.part(at, variable.range.clone());
    let known: Vec<&str> = params.names().chain(stage.variables().iter().copied()).collect();
    let fault = Diagnostic::error(Code::UnknownVariable, span, format!("there is no variable `{name}` here"));
    let near = crate::diag::closest(name, known.iter().copied());
    context.push(match near {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None if name == "env" => fault.help("the environment is read with `${NAME}`"),
        None => fault.help(format!("known here: {}", known.join(", "))),
    });
}
