//! Floor 4. Prompts: names, blanks and messages.

use std::collections::HashMap;

use super::{
    admission, complete,
    context::Context,
    output,
    params::Params,
    reply::{Builder, Part, Whose},
    resource::{self, About, Work},
    rest,
    source::{Sources, TIMEOUT},
    templates::Stage,
};
use crate::{
    bridge::{Prompt as Written, PromptRole},
    diag::{Code, Diagnostic},
    plan::{Operation, Prompt, PromptArgument, Reply, Role},
    text::Span,
    yaml::Pointer,
};

/// Where prompts were declared, by their names with prefix, over all files.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Span>);

/// Builds one prompt. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    name: &str,
    written: &Written,
    sources: &Sources,
    names: &mut Names,
    context: &mut Context<'_>,
) -> Option<Prompt> {
    let at = Pointer::root().at("prompts").at(name);
    let full = format!("{}{name}", sources.prefix);
    name_is_usable(&full, &at, names, context);
    resource::advise_on_words("prompt", name, written.description.as_deref(), &at, context);
    let params = resource::of(&written.params, &at, context);
    let admission = admission::build(&written.scopes, &written.require, &at, context);
    rest::refuse_sql_params("a prompt", &params, context);
    let mut builder = Builder::new(&params, Whose::Anybodys);
    let mut items = Vec::new();
    let mut roles = Vec::new();
    let mut whole = true;
    context.take_needs();
    for (index, message) in written.messages.iter().enumerate() {
        let at = at.at("messages").at(index);
        let part = Part::from(message);
        if part.says() {
            roles.push(match message.role {
                Some(PromptRole::Assistant) => Role::Assistant,
                Some(PromptRole::User) | None => Role::User,
            });
        } else if message.role.is_some() {
            let span = context.key(&at.at("role"));
            context.push(Diagnostic::error(Code::Prompt, span, "`role` has no meaning beside a question"));
        }
        match builder.item(part, &at, context) {
            Some(item) => items.push(item),
            None => whole = false,
        }
    }
    let needs = context.take_needs();
    if roles.is_empty() && !context.is_faulty(&at.at("messages")) {
        let fault = Diagnostic::error(Code::Prompt, context.key(&at.at("messages")), "the prompt says nothing");
        context.push(fault.help("add a message: `- text: …`"));
    }
    let used = std::mem::take(&mut builder.used);
    rest::advise_on_unused(&params, &used, &at, context);
    let completions = complete::all(&written.params, &at, context);
    let arguments = arguments(&params);
    let output = output::build(None, Stage::Reply, &params, &at.at("output"), context);
    let operation = Operation::Reply(Box::new(Reply { items, is_error: false }));
    let about = About {
        name: format!("prompt {full}"),
        title: written.title.as_deref(),
        description: written.description.as_deref(),
    };
    let tool = resource::tool(&about, sources, params, Work { operation, output, needs, timeout: TIMEOUT, admission })?;
    whole.then_some(Prompt { name: full, arguments, roles, tool, completions })
}

fn name_is_usable(name: &str, at: &Pointer, names: &mut Names, context: &mut Context<'_>) {
    let span = context.key(at);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let fault = Diagnostic::error(Code::Prompt, span, format!("`{name}` cannot be a prompt's name"));
        context.push(fault.help("use up to 64 letters, digits, `_` and `-`"));
    }
    if let Some(first) = names.0.insert(name.to_owned(), span) {
        let message = format!("there are two prompts named `{name}`");
        let fault = Diagnostic::error(Code::Prompt, span, message).context(first, "the other");
        context.push(fault.help("give one of the two bridges a `prefix:`"));
    }
}

/// The blanks as clients are told them, in the author's order.
fn arguments(params: &Params) -> Vec<PromptArgument> {
    let required = params.schema.get("required").and_then(serde_json::Value::as_array);
    let listed = params.schema.get("properties").and_then(serde_json::Value::as_object);
    let of = |(name, schema): (&String, &serde_json::Value)| {
        let text = |keyword: &str| schema.get(keyword).and_then(serde_json::Value::as_str).map(str::to_owned);
        PromptArgument {
            name: name.clone(),
            title: text("title"),
            description: text("description"),
            required: required.is_some_and(|all| all.iter().any(|it| it == name.as_str())),
        }
    };
    listed.into_iter().flatten().map(of).collect()
}
