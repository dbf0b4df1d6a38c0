//! Floor 7. Prompts: messages by name, and values that are offered while a person types
//! (protocol.md ).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    Payload, Refusal, Revision, content,
    dispatch::{Answer, Context},
    invoke::{self, Target},
    listing::Endpoint,
    printing, tools,
    wire::{self, Request},
};
use crate::{
    diag,
    engine::{Block, Body, CallerHeaders, ErrorClass, Outcome},
    plan::{Completion, Prompt},
};

/// Values that are offered at once, at most (protocol.md R-09).
const OFFERED_MAX: usize = 100;

/// Gives the messages of a prompt.
pub(super) async fn get<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let Some(name) = request.params.name.and_then(wire::text) else {
        return Err(Refusal::params("params.name must be the name of a prompt"));
    };
    let shelf = context.endpoint.shelf();
    let Some(index) = shelf.prompt(&name) else {
        let locked = shelf.locked_prompt(context.live.generation.plan(), &name).map(|prompt| &prompt.tool);
        if let Some(refusal) = tools::locked_by(context, locked) {
            return Err(refusal);
        }
        let shown: String = name.chars().take(80).collect();
        let near = diag::closest(&name, shelf.prompt_names());
        let hint = near.map_or(String::new(), |near| format!(". Did you mean {near}?"));
        return Err(Refusal::params(format!("Unknown prompt: {shown}{hint}")));
    };
    let arguments = match request.params.arguments.map(RawValue::get) {
        None | Some("null") => None,
        Some(object) if object.starts_with('{') => Some(object.to_owned()),
        Some(_) => return Err(Refusal::params("params.arguments must be an object")),
    };
    let live = context.live.clone();
    let print = move |id: &str, outcome: &Outcome, endpoint: &Endpoint| {
        let prompt = live.generation.plan().prompts.get(index);
        match (prompt, refused(outcome)) {
            (None, _) => Refusal::internal().of(Some(id)).printed(),
            (Some(_), Some(refusal)) => refusal.of(Some(id)).printed(),
            (Some(prompt), None) => print(id, prompt, outcome, (revision, endpoint)),
        }
    };
    invoke::run(context, request, revision, (Target::Prompt(index), arguments.map(Cow::Owned)), print).await
}

/// A prompt has no result that could say what went wrong.
fn refused(outcome: &Outcome) -> Option<Refusal> {
    Some(match invoke::failure(outcome)? {
        (ErrorClass::Arguments, words) => Refusal::params(words),
        (_, words) => Refusal::failed(words),
    })
}

fn print(id: &str, prompt: &Prompt, outcome: &Outcome, (revision, endpoint): (Revision, &Endpoint)) -> Payload {
    let one;
    let blocks = match &outcome.body {
        Body::Blocks(blocks) => blocks.as_slice(),
        Body::Text(text) => {
            one = [Block::Text(text.clone())];
            one.as_slice()
        }
        Body::Document(_) | Body::Structured(_) | Body::Both { .. } | Body::Questions(_) => &[],
    };
    let messages = prompt.roles.iter().zip(blocks);
    let messages: Vec<Value> = messages
        .map(|(role, block)| json!({ "role": role.as_str(), "content": content::block(block, revision) }))
        .collect();
    let mut result = Map::new();
    if revision.is_stateless() {
        result.insert("resultType".into(), json!("complete"));
    }
    if !prompt.tool.description.is_empty() {
        result.insert("description".into(), json!(prompt.tool.description));
    }
    result.insert("messages".into(), Value::Array(messages));
    printing::result(id, result, revision.is_stateless().then(|| endpoint.identity())).into()
}

/// Whose value is typed.
#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    name: Option<String>,
    uri: Option<String>,
}

/// What was typed so far.
#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

/// Offers values for what is being typed.
pub(super) fn complete<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<Payload, Refusal> {
    let reference = request.params.reference.and_then(|raw| serde_json::from_str::<Reference<'_>>(raw.get()).ok());
    let argument = request.params.argument.and_then(|raw| serde_json::from_str::<Argument>(raw.get()).ok());
    let (Some(reference), Some(argument)) = (reference, argument) else {
        return Err(Refusal::params("params needs ref (ref/prompt or ref/resource) and argument with name and value"));
    };
    let (plan, shelf) = (context.live.generation.plan(), context.endpoint.shelf());
    let owner = match (&*reference.kind, &reference.name, &reference.uri) {
        ("ref/prompt", Some(name), _) => {
            shelf.prompt(name).and_then(|at| plan.prompts.get(at)).map(|prompt| (&prompt.tool, &prompt.completions))
        }
        ("ref/resource", _, Some(uri)) => {
            shelf.template(plan, uri).map(|resource| (&resource.tool, &resource.completions))
        }
        _ => None,
    };
    let Some((tool, completions)) = owner else {
        return Err(Refusal::params("There is no such prompt or resource template"));
    };
    if !tool.declared.contains(&argument.name) {
        return Err(Refusal::params("It has no such argument"));
    }
    let offered = completions.iter().find(|it| it.param == argument.name);
    let values = offered.map_or_else(Vec::new, |offered| fitting(offered, &argument.value));
    let shown: Vec<&str> = values.iter().take(OFFERED_MAX).copied().collect();
    let completion = json!({ "values": shown, "total": values.len(), "hasMore": values.len() > OFFERED_MAX });
    let mut result = Map::from_iter([("completion".to_owned(), completion)]);
    let identity = if revision.is_stateless() {
        result.insert("resultType".into(), json!("complete"));
        Some(context.endpoint.identity())
    } else {
        None
    };
    Ok(printing::result(request.id, result, identity).into())
}

/// The values that begin like what was typed, whatever its case.
fn fitting<'a>(offered: &'a Completion, typed: &str) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    let begins = |value: &&str| value.to_lowercase().starts_with(&typed);
    offered.values.iter().map(String::as_str).filter(begins).collect()
}
