//! Floor 4. What a person must agree to before a tool runs, and how it is published for clients
//! that cannot ask.

use serde_json::{Map, Value, json};

use super::{
    context::Context,
    params::{Params, Presence},
    templates::{self, Stage},
};
use crate::{
    bridge::{Ask, Reply, Tool as Written},
    diag::{Code, Diagnostic},
    plan::Confirmation,
    schema::Arguments,
    yaml::Pointer,
};

/// Builds what a person must agree to. `None` without `confirm`, and after a fault.
pub(super) fn build(
    written: &Written,
    params: &Params,
    tool: &Pointer,
    context: &mut Context<'_>,
) -> Option<Box<Confirmation>> {
    let source = written.confirm.as_deref()?;
    let at = tool.at("confirm");
    if source.trim().is_empty() {
        let fault = Diagnostic::error(Code::Confirm, context.value(&at), "there is nothing to agree to");
        context.push(fault.help("say what will happen, as a question: `Refund {{amount}} to {{customer}}?`"));
        return None;
    }
    let is_free = names_are_free(written, params, tool, context);
    let sentence = templates::text(source, Stage::Consent, params, &at, context)?;
    let visible = params.declared.iter().filter(|param| param.presence != Presence::Bound).count();
    if sentence.is_constant() && visible > 0 {
        let message = "the person is not told what the call is about";
        let advice = Diagnostic::warning(Code::ConfirmSaysLittle, context.value(&at), message);
        context.push(advice.help("name what matters of the arguments: `{{x}}`"));
    }
    let words = in_words(source);
    let arguments = Arguments::compile(&with_argument(&params.schema, words.as_deref(), Demand::Asked)).ok()?;
    is_free.then(|| {
        Box::new(Confirmation {
            sentence,
            description: description(written.description.as_deref().unwrap_or_default(), words.as_deref()),
            input_schema: with_argument(&params.schema, words.as_deref(), Demand::Published),
            arguments,
        })
    })
}

/// The argument and the question have a name that nothing else may have.
fn names_are_free(written: &Written, params: &Params, tool: &Pointer, context: &mut Context<'_>) -> bool {
    let name = Confirmation::ARGUMENT;
    let mut taken: Vec<Pointer> = params.find(name).map(|param| param.pointer.clone()).into_iter().collect();
    taken.extend(written.reply.as_ref().and_then(|reply| question(reply, &tool.at("reply"))));
    for at in &taken {
        let span = context.key(at);
        let message = "`confirm` is the argument by which clients say that the person agreed";
        let fault = Diagnostic::error(Code::Confirm, span, message);
        context.push(fault.context(context.key(&tool.at("confirm")), "because of this").help("give it another name"));
    }
    taken.is_empty()
}

/// Where a fixed answer asks a question of the same name.
fn question(reply: &Reply, at: &Pointer) -> Option<Pointer> {
    let named = |ask: Option<&Ask>| ask.is_some_and(|ask| ask.name == Confirmation::ARGUMENT);
    reply.items().iter().enumerate().find_map(|(index, item)| {
        let at = if matches!(reply, Reply::Items(_)) { at.at(index) } else { at.clone() };
        if named(item.ask.as_ref()) {
            return Some(at.at("ask").at("name"));
        }
        let together = item.together.iter().flatten().position(|inquiry| named(inquiry.ask.as_ref()))?;
        Some(at.at("together").at(together).at("ask").at("name"))
    })
}

/// Which of the two forms of the schema is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// Clients are told that the argument must be given.
    Published,
    /// A call without it is read all the same, to be refused with the sentence.
    Asked,
}

/// A tool's schema with the argument.
fn with_argument(schema: &Value, words: Option<&str>, demand: Demand) -> Value {
    let about = words.map_or_else(|| "what the tool will do".to_owned(), |words| format!("this: {words}"));
    let argument = json!({
        "type": "boolean",
        "description": format!("`true` only when the person has agreed to {about}"),
    });
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    let properties = schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(Confirmation::ARGUMENT.into(), argument);
    }
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut().filter(|_| demand == Demand::Published) {
        required.push(Confirmation::ARGUMENT.into());
    }
    Value::Object(schema)
}

fn description(own: &str, words: Option<&str>) -> String {
    let agreed = match words {
        Some(words) => format!("the person has agreed to \u{201c}{words}\u{201d}"),
        None => "the person has agreed to what it will do; a call without `confirm` says what that is".to_owned(),
    };
    let rule =
        format!("This runs only after {agreed}. Ask them first, and pass `confirm: true` only when they say yes.");
    if own.trim().is_empty() { rule } else { format!("{}\n\n{rule}", own.trim_end()) }
}

/// A template of plain names as people read it: `Refund <amount>?`. `None` for one that does more.
fn in_words(source: &str) -> Option<String> {
    let mut words = String::new();
    let mut rest = source.trim();
    while let Some((before, tag)) = rest.split_once("{{") {
        let (name, behind) = tag.split_once("}}")?;
        let name = name.trim();
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.');
        if name.is_empty() || name == "else" || !name.chars().all(is_name) {
            return None;
        }
        words.push_str(before);
        words.push('<');
        words.push_str(name);
        words.push('>');
        rest = behind;
    }
    words.push_str(rest);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn plain_names_can_be_told_in_words() {
        for (source, words) in [
            ("Really?", Some("Really?")),
            (" Refund {{amount}} to {{ customer.name }}? ", Some("Refund <amount> to <customer.name>?")),
            ("{{#if a}}A{{else}}B{{/if}}?", None),
            ("Delete {{json ids}}?", None),
            ("Delete {{ids", None),
        ] {
            assert_eq!(in_words(source).as_deref(), words, "{source}");
        }
    }
}
