//! Floor 4. Settings of the session: what row-level security goes by is bound by the server, from
//! the caller's identity or the author's text, and from nothing else.

use indexmap::IndexMap;

use crate::{
    check::context::Context,
    diag::{Code, Diagnostic, closest},
    plan::{CallerPart, Setting, SettingValue},
    yaml::Pointer,
};

/// Reads the settings. Those with a fault are left out.
pub(super) fn settings(written: &IndexMap<String, String>, at: &Pointer, context: &mut Context<'_>) -> Vec<Setting> {
    let read = written.iter().filter_map(|(name, text)| {
        let at = at.at(name);
        if !is_custom(name) {
            let span = context.key(&at);
            let fault = Diagnostic::error(Code::SqlSession, span, format!("`{name}` is not a setting of yours"));
            context.push(fault.help("a name of your own has a dot in it: `app.user_id`; others belong to the server"));
            return None;
        }
        let value = value(text, &at, context)?;
        Some(Setting { name: name.clone(), value })
    });
    read.collect()
}

/// Two or more identifiers with dots between them, as the database has it for settings that are not
/// its own. Those of its own, such as `role` or `search_path`, would change what statements mean.
fn is_custom(name: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    name.contains('.') && name.len() < 64 && name.split('.').all(is_identifier)
}

fn value(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<SettingValue> {
    if !text.contains("{{") {
        return Some(SettingValue::Text(text.to_owned()));
    }
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
    let part = inner.and_then(|inner| inner.strip_prefix("caller."));
    if let Some(part) = part.and_then(CallerPart::parse) {
        return Some(SettingValue::Caller(part));
    }
    let span = context.value(at);
    let names = CallerPart::NAMES.map(|name| format!("`{{{{caller.{name}}}}}`"));
    let fault = Diagnostic::error(Code::SqlSession, span, "a setting is a text or a part of the caller's identity");
    let near = part.and_then(|part| closest(part, CallerPart::NAMES));
    context.push(match near {
        Some(near) => {
            let whole = format!("{{{{caller.{near}}}}}");
            fault.replace(format!("did you mean `{whole}`?"), context.part(at, 0..text.len()), whole)
        }
        None => fault.help(format!("known: {}", names.join(", "))),
    });
    None
}
