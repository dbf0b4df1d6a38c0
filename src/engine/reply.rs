//! Floor 6. Fixed answers: their items in order, with what is told and asked on the way.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::{
    Asked, Block, Body, CallError, Contents, ContentsBody, ErrorClass, LogEntry, Outcome, Peer, Progress, Proof,
    Question, scope::CallScope, shape,
};
use crate::{
    plan::{self, Asks, Content, EmbeddedBody, Item, Need},
    template::Text,
};

/// What templates read as the action where there is no answer.
const IMPOSSIBLE: &str = "none";
/// The same for them; only the words for the model tell the two apart.
const UNANSWERED: &str = "unanswered";
/// How long a client may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// Gives a fixed answer.
pub(super) async fn give(reply: &plan::Reply, scope: &CallScope<'_>, peer: &dyn Peer) -> Result<Outcome, CallError> {
    let mut said = Said::default();
    for item in &reply.items {
        match perform(item, scope, peer, &mut said).await? {
            Turn::On => {}
            Turn::Waits(questions) => return Ok(Outcome::fine(Body::Questions(questions))),
        }
    }
    let failure = reply.is_error.then_some(ErrorClass::Declared);
    Ok(Outcome { body: said.body(), failure, relay: None })
}

/// What was said so far, and what was answered.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) blocks: Vec<Block>,
    answers: Value,
}

impl Said {
    fn body(mut self) -> Body {
        match self.blocks.as_mut_slice() {
            [Block::Text(text)] => Body::Text(std::mem::take(text)),
            _ => Body::Blocks(self.blocks),
        }
    }
}

/// What comes after an item.
pub(super) enum Turn {
    /// The next one.
    On,
    /// The client's answers, which come with a later request.
    Waits(Vec<Question>),
}

/// Does what one item says.
pub(super) async fn perform(
    item: &Item,
    scope: &CallScope<'_>,
    peer: &dyn Peer,
    said: &mut Said,
) -> Result<Turn, CallError> {
    let answers = said.answers.clone();
    let scope = CallScope { answers: Some(&answers), ..*scope };
    match item {
        Item::Say(content) => said.blocks.push(block(content, &scope)?),
        Item::Log(log) => {
            let data = Value::String(text(&log.message, &scope)?);
            peer.log(&LogEntry { level: log.level, logger: log.logger.clone(), data });
        }
        Item::Progress(note) => {
            let message = note.message.as_ref().map(|message| text(message, &scope)).transpose()?;
            peer.progress(&Progress { value: note.value, total: note.total, message });
        }
        Item::Delay(time) => tokio::time::sleep(*time).await,
        Item::Ask(round) => return ask(round, &scope, peer, &mut said.answers).await,
    }
    Ok(Turn::On)
}

fn text(template: &Text, scope: &CallScope<'_>) -> Result<String, CallError> {
    template.render(scope).map_err(|error| shape::template_failed(&error))
}

/// One part of the content.
fn block(content: &Content, scope: &CallScope<'_>) -> Result<Block, CallError> {
    Ok(match content {
        Content::Text(template) => Block::Text(text(template, scope)?),
        Content::Image(media) => Block::Image(media.clone()),
        Content::Audio(media) => Block::Audio(media.clone()),
        Content::Resource { uri, mime_type, body } => Block::Resource(Contents {
            uri: uri.as_ref().map(|uri| text(uri, scope)).transpose()?,
            mime_type: mime_type.clone(),
            body: match body {
                EmbeddedBody::Text(template) => ContentsBody::Text(text(template, scope)?),
                EmbeddedBody::Blob(data) => ContentsBody::Blob(data.clone()),
            },
        }),
        Content::Link { uri, about } => Block::Link { uri: text(uri, scope)?, about: about.clone() },
    })
}

/// Asks the questions of one round, all at once.
async fn ask(
    round: &[plan::Question],
    scope: &CallScope<'_>,
    peer: &dyn Peer,
    answers: &mut Value,
) -> Result<Turn, CallError> {
    let mut questions = Vec::with_capacity(round.len());
    for asked in round {
        questions.push(question(asked, scope)?);
    }
    let can = peer.abilities();
    let replies = join_all(round.iter().zip(&questions).map(async |(asked, question)| {
        if can.has(asked.asks.kind()) {
            let patience = tokio::time::timeout(ANSWER_TIMEOUT, peer.ask(question));
            patience.await.unwrap_or(Asked::Unanswered)
        } else {
            Asked::Impossible
        }
    }));
    let replies = replies.await;
    let mut open = Vec::new();
    for ((asked, question), reply) in round.iter().zip(questions).zip(replies) {
        let answer = match reply {
            Asked::Later => None,
            Asked::Impossible => Some(Answer { action: IMPOSSIBLE, value: Map::new() }),
            Asked::Unanswered => Some(Answer { action: UNANSWERED, value: Map::new() }),
            Asked::Answered(value) => Answer::read(&asked.asks, value),
        };
        let Some(answer) = answer else {
            // An answer that does not fit is asked for again, like one that did not come
            // (protocol.md M-06).
            open.push(question);
            continue;
        };
        if answer.action != "accept" && asked.need == Need::Required {
            return Err(ended(asked, answer.action, scope)?);
        }
        if !answers.is_object() {
            *answers = json!({});
        }
        if let Some(answers) = answers.as_object_mut() {
            answers.insert(asked.name.clone(), answer.shown(&asked.asks));
        }
    }
    Ok(if open.is_empty() { Turn::On } else { Turn::Waits(open) })
}

/// The question as it is sent.
fn question(asked: &plan::Question, scope: &CallScope<'_>) -> Result<Question, CallError> {
    let params = match &asked.asks {
        Asks::Person { message, form, .. } => json!({ "message": text(message, scope)?, "requestedSchema": form }),
        Asks::Model { prompt, system_prompt, settings } => {
            let content = json!({ "type": "text", "text": text(prompt, scope)? });
            let mut params = json!({ "messages": [{ "role": "user", "content": content }] });
            if let (Some(params), Some(settings)) = (params.as_object_mut(), settings.as_object()) {
                if let Some(system) = system_prompt {
                    params.insert("systemPrompt".into(), text(system, scope)?.into());
                }
                params.extend(settings.clone());
            }
            params
        }
        Asks::Folders => json!({}),
    };
    Ok(Question { key: asked.name.clone(), kind: asked.asks.kind(), params, proof: Proof::NotNeeded })
}

/// The end of a call for want of an answer.
fn ended(asked: &plan::Question, action: &str, scope: &CallScope<'_>) -> Result<CallError, CallError> {
    if let Some(otherwise) = &asked.otherwise {
        return Ok(CallError::new(ErrorClass::Declined, text(otherwise, scope)?));
    }
    let words = match (&asked.asks, action) {
        (Asks::Person { .. }, "decline") => "The person declined to answer, so nothing was done.",
        (Asks::Person { .. }, "cancel") => "The person closed the question without an answer, so nothing was done.",
        (_, UNANSWERED) => {
            "The client was asked, and gave no answer: it reported an error, or took too long. Nothing was done; call again if it may be asked once more."
        }
        (Asks::Person { .. }, _) => {
            "This tool needs to ask the person at the client, and could not: use a client that supports elicitation."
        }
        (Asks::Model { .. }, _) => {
            "This tool needs the client's model, and could not ask it: use a client that supports sampling."
        }
        (Asks::Folders, _) => {
            "This tool needs the client's folders, and could not ask for them: use a client that supports roots."
        }
    };
    Ok(CallError::new(ErrorClass::Declined, words))
}

/// What a client answered.
struct Answer {
    action: &'static str,
    value: Map<String, Value>,
}

impl Answer {
    /// Reads the client's result. `None` when it is no answer to the question.
    fn read(asks: &Asks, value: Value) -> Option<Self> {
        let Value::Object(mut value) = value else { return None };
        let action = match asks {
            Asks::Person { form, contract, .. } => {
                let action = value.get("action").and_then(Value::as_str)?;
                let action = ["accept", "decline", "cancel"].into_iter().find(|known| *known == action)?;
                let is_empty = form.pointer("/properties").and_then(Value::as_object).is_none_or(Map::is_empty);
                if action == "accept" && (!is_empty || value.contains_key("content")) {
                    let content = value.get("content").filter(|content| content.is_object())?;
                    contract.accepts(content).then_some(())?;
                }
                action
            }
            Asks::Model { .. } => {
                value.get("content").filter(|content| content.is_object() || content.is_array())?;
                "accept"
            }
            Asks::Folders => {
                value.get("roots").filter(|roots| roots.is_array())?;
                "accept"
            }
        };
        value.remove("_meta");
        Some(Self { action, value })
    }

    /// The form that templates read: every part that they may name is there.
    fn shown(self, asks: &Asks) -> Value {
        let mut shown = self.value;
        match asks {
            Asks::Person { fields, .. } => {
                let mut content = match shown.remove("content") {
                    Some(Value::Object(content)) if self.action == "accept" => content,
                    _ => Map::new(),
                };
                for field in fields {
                    content.entry(field.as_str()).or_insert(Value::Null);
                }
                shown.insert("content".into(), Value::Object(content));
            }
            Asks::Model { .. } => {
                let text = shown.get("content").map(spoken).unwrap_or_default();
                shown.insert("text".into(), text.into());
                shown.entry("model").or_insert(Value::Null);
            }
            Asks::Folders => {
                shown.entry("roots").or_insert_with(|| json!([]));
            }
        }
        let action = if self.action == UNANSWERED { IMPOSSIBLE } else { self.action };
        shown.insert("action".into(), action.into());
        Value::Object(shown)
    }
}

/// The texts of what a model said: one block, or since 2025-11-25 a list of them.
fn spoken(content: &Value) -> String {
    let blocks = match content {
        Value::Array(blocks) => blocks.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    texts.join("\n")
}
