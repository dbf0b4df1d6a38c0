//! Floor 4. What clients are offered while a value is typed in.

use indexmap::IndexMap;
use serde_json::Value;

use super::context::Context;
use crate::{
    bridge::{Param, Type},
    diag::{Code, Diagnostic},
    plan::Completion,
    yaml::Pointer,
};

/// What is offered for the values of a resource or a prompt: `complete`, else what `enum` and
/// `boolean` accept.
pub(super) fn all(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) -> Vec<Completion> {
    let mut all = Vec::new();
    for (name, param) in params {
        let at = at.at("params").at(name);
        let values = match param {
            Param::Type(Type::Boolean) => Some(vec!["true".to_owned(), "false".to_owned()]),
            Param::Type(_) => None,
            Param::Spec(spec) => {
                if let (Some(_), Some(_)) = (&spec.complete, &spec.from) {
                    let span = context.key(&at.at("complete"));
                    let message = "`complete` has no meaning beside `from`: the server binds the value";
                    context.push(Diagnostic::error(Code::Complete, span, message));
                }
                match (&spec.complete, &spec.options, spec.kind) {
                    (Some(values), options, _) => {
                        fits(values, options.as_deref(), &at.at("complete"), context);
                        Some(values.clone())
                    }
                    (None, Some(options), _) => Some(options.iter().map(plain).collect()),
                    (None, None, Some(Type::Boolean)) => Some(vec!["true".to_owned(), "false".to_owned()]),
                    (None, None, _) => None,
                }
            }
        };
        all.extend(values.map(|values| Completion { param: name.clone(), values }));
    }
    all
}

/// Tools have no completion in the protocol: the key would be ignored.
pub(super) fn refuse(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) {
    for (name, param) in params {
        let offered = matches!(param, Param::Spec(spec) if spec.complete.is_some());
        if offered {
            let span = context.key(&at.at("params").at(name).at("complete"));
            let message = "`complete` has a meaning for prompts and resources only";
            let fault = Diagnostic::error(Code::ParamPlace, span, message);
            context.push(fault.help("list the values of a tool's param under `enum`"));
        }
    }
}

fn fits(values: &[String], options: Option<&[Value]>, at: &Pointer, context: &mut Context<'_>) {
    if values.is_empty() {
        context.fault(Code::Complete, at, "there is nothing to offer");
    }
    for (index, value) in values.iter().enumerate() {
        if options.is_some_and(|options| !options.iter().any(|option| plain(option) == *value)) {
            context.fault(
                Code::Complete,
                &at.at(index),
                format!("`{value}` is offered, and `enum` does not accept it"),
            );
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
