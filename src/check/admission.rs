//! Floor 4. Who may see and use a tool, a resource or a prompt: scopes that exist, and parts of the caller that there are.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::{Document, context::Context, templates::spelled};
use crate::{
    bridge::{Fitting, Rate as WrittenRate, Scope as WrittenScope},
    diag::{Code, Diagnostic, closest},
    plan::{Admission, CallerPart, Plan, Rate, Requirement},
    yaml::Pointer,
};

/// Builds what a tool, a resource or a prompt asks of its callers.
pub(super) fn build(
    scopes: &[String],
    require: &IndexMap<String, Fitting>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Admission {
    for (index, scope) in scopes.iter().enumerate() {
        scope_name(scope, &at.at("scopes").at(index), context);
    }
    let mut held = Vec::new();
    for (name, fitting) in require {
        let at = at.at("require").at(name);
        if fitting.values().is_empty() {
            context.fault(Code::Admission, &at, "nothing fits, so there would be nobody to use it");
        }
        match CallerPart::parse(name) {
            Some(part) => held.push(Requirement { part, any_of: fitting.values().to_vec() }),
            None => unknown_part(name, &at, context),
        }
    }
    Admission { scopes: scopes.to_vec(), require: held, rate: None }
}

/// A rate as it is executed.
pub(super) fn rate(written: WrittenRate) -> Rate {
    Rate { count: written.count, per: written.per }
}

fn unknown_part(name: &str, at: &Pointer, context: &mut Context<'_>) {
    let span = context.key(at);
    let fault = Diagnostic::error(Code::Admission, span, format!("`{name}` is not a part of the caller's identity"));
    let bare = name.strip_prefix("caller.").filter(|bare| CallerPart::parse(bare).is_some());
    let near = bare.or_else(|| closest(name, CallerPart::NAMES).filter(|near| *near != "claims"));
    context.push(match near {
        Some(near) => fault.guess(near, span, near),
        None => fault.help(format!("known: {}", CallerPart::NAMES.map(spelled).join(", ").replace("caller.", ""))),
    });
}

/// A scope as RFC 6749 §3.3 spells it: it stands in headers between blanks and quotes.
pub(super) fn scope_name(scope: &str, at: &Pointer, context: &mut Context<'_>) {
    let fits = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    if scope.is_empty() || !scope.bytes().all(fits) {
        let message = format!("`{scope}` is not a scope: it has characters that stand for something else in headers");
        context.fault(Code::Scope, at, message);
    }
}

/// Follows `implies` to its end. A scope that includes one that nobody declared is a fault.
pub(super) fn hierarchy(
    written: &IndexMap<String, WrittenScope>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> BTreeMap<String, BTreeSet<String>> {
    for (name, scope) in written {
        let at = at.at(name);
        scope_name(name, &at, context);
        for (index, implied) in scope.implies.iter().enumerate() {
            if !written.contains_key(implied) {
                undeclared(implied, written.keys(), &at.at("implies").at(index), context);
            }
        }
    }
    let closed = |name: &str| {
        let mut all: BTreeSet<String> = BTreeSet::new();
        let mut next = vec![name];
        while let Some(scope) = next.pop() {
            for implied in written.get(scope).into_iter().flat_map(|scope| &scope.implies) {
                if implied != name && all.insert(implied.clone()) {
                    next.push(implied);
                }
            }
        }
        all
    };
    written.keys().map(|name| (name.clone(), closed(name))).collect()
}

pub(super) fn undeclared<'k>(
    scope: &str,
    declared: impl Iterator<Item = &'k String>,
    at: &Pointer,
    context: &mut Context<'_>,
) {
    let span = context.value(at);
    let fault = Diagnostic::error(Code::Scope, span, format!("the scope `{scope}` is not declared"));
    let hinted = fault.clone().did_you_mean(scope, declared.map(String::as_str));
    let fault = if hinted.help.is_empty() { fault.help("declare it under `server.auth.scopes`") } else { hinted };
    context.push(fault);
}

/// Scopes are declared all or not at all: with a list of them, one that is not in it is misspelt.
/// And a tool that changes something while others need scopes is one that was forgotten.
pub(super) fn hold_against(plan: &Plan, document: &Document, context: &mut Context<'_>) {
    let is_declared = !plan.server.scopes.is_empty();
    let keys = plan.server.api_keys.iter().flat_map(|keys| &keys.keys);
    // Who gives scopes to callers, or asks for them elsewhere, has callers that may not do everything.
    let mut given = keys.map(|key| &key.scopes).chain(plan.tools.iter().map(|tool| &tool.admission.scopes));
    let is_graded = is_declared || (plan.server.asks_callers() && given.any(|scopes| !scopes.is_empty()));
    if !is_graded {
        return;
    }
    let prefix = document.file.prefix.as_deref().unwrap_or_default();
    for (name, tool) in &document.file.tools {
        let at = Pointer::root().at("tools").at(name);
        if is_declared {
            are_declared(&tool.scopes, plan, &at, context);
        }
        let built = plan.tools.iter().find(|built| built.name.strip_prefix(prefix) == Some(name.as_str()));
        let is_open = tool.scopes.is_empty() && tool.require.is_empty();
        if is_open && built.is_some_and(crate::plan::Tool::writes) {
            let message = format!("`{name}` changes something, and every caller may call it");
            let advice = Diagnostic::warning(Code::WriteWithoutScope, context.key(&at), message);
            context.push(advice.help("name the scopes it needs: `scopes: [\u{2026}]`"));
        }
    }
    if !is_declared {
        return;
    }
    for (name, resource) in &document.file.resources {
        are_declared(&resource.scopes, plan, &Pointer::root().at("resources").at(name), context);
    }
    for (name, prompt) in &document.file.prompts {
        are_declared(&prompt.scopes, plan, &Pointer::root().at("prompts").at(name), context);
    }
}

fn are_declared(scopes: &[String], plan: &Plan, at: &Pointer, context: &mut Context<'_>) {
    for (index, scope) in scopes.iter().enumerate() {
        let at = at.at("scopes").at(index);
        if !plan.server.scopes.contains_key(scope) && !context.is_faulty(&at) {
            undeclared(scope, plan.server.scopes.keys(), &at, context);
        }
    }
}
