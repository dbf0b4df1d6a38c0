//! Floor 7. `tools/list` and `tools/call`.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    Payload, Refusal, Revision, content,
    dispatch::{Answer, Context},
    invoke::{self, Target},
    listing::{Asking, Endpoint},
    mirror, outlet, printing,
    wire::{self, Request},
};
use crate::{
    engine::{self, Body, CallerHeaders, Identified, Outcome, QuestionKind},
    plan::Tool,
    telemetry::Decision,
};

/// Bytes of a structured content from which on a part of its own costs less than a copy.
const WORTH_SHARING: usize = 4 << 10;

/// The tools, as they are called by a client that can ask the person what this one can.
pub(super) fn list<'c, H>(context: &Context<'c, H>, request: &Request<'_>, revision: Revision) -> &'c Bytes {
    let asks = context.endpoint.asks() && outlet::abilities(context, request, revision).has(QuestionKind::Elicit);
    context.endpoint.tools(revision, if asks { Asking::Client } else { Asking::Model })
}

/// Calls a tool.
pub(super) async fn call<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let Some(name) = request.params.name.and_then(wire::text) else {
        return Err(Refusal::params("params.name must be the name of a tool"));
    };
    let arguments = match request.params.arguments.map(serde_json::value::RawValue::get) {
        None | Some("null") => None,
        Some(object) if object.starts_with('{') => Some(object),
        Some(_) => return Err(Refusal::params("params.arguments must be an object")),
    };
    let Some(index) = context.endpoint.tool(&name) else {
        let gone = missing(context, &name)?;
        return Ok(Answer::Message(print(request.id, &gone, revision, context.endpoint)));
    };
    let tool = context.live.generation.plan().tools.get(index);
    // Before the headers are looked at (protocol.md §2.0, step 11 f and g).
    tool.map_or(Ok(()), |tool| invoke::demand(tool, request, revision))?;
    // Only over HTTP there are headers.
    if let Some(tool) = tool.filter(|_| revision.is_stateless() && context.way.has_status()) {
        mirror::check(&tool.mirrors, context.headers, arguments)?;
    }
    let print = move |id: &str, outcome: &Outcome, endpoint: &Endpoint| print(id, outcome, revision, endpoint);
    invoke::run(context, request, revision, (Target::Tool(index), arguments.map(Cow::Borrowed)), print).await
}

/// What a caller is told who calls a tool that is not there for them.
fn missing<H>(context: &Context<'_, H>, name: &str) -> Result<Outcome, Refusal> {
    let surface = &context.live.surface;
    let had = surface.had(context.bridge, name, context.principal);
    let is_there = surface.endpoint(context.bridge).is_some_and(|whole| whole.tool(name).is_some());
    if is_there || !had {
        note(context, name);
    }
    let locked = context.endpoint.locked(name).and_then(|at| context.live.generation.plan().tools.get(at));
    match locked_by(context, locked) {
        Some(refusal) => Err(refusal),
        None if had => Ok(gone(context.endpoint, name)),
        None => Err(unknown(context.endpoint, name)),
    }
}

/// Records that a caller asked for a tool that there is not, or not for it.
fn note<H>(context: &Context<'_, H>, name: &str) {
    if let Some(audit) = context.live.generation.audit() {
        let reason = Some(if context.endpoint.locked(name).is_some() { "scopes" } else { "unknown_tool" });
        let (asked, who) = (Some(name.chars().take(128).collect()), Some(context.principal.who()));
        audit.decided(&Decision { decision: "refused", reason, address: None, asked, who });
    }
}

/// What the caller would see with more scopes, which only those who sign in can ask for. For
/// everybody else there is no such thing.
pub(super) fn locked_by<H>(context: &Context<'_, H>, tool: Option<&Tool>) -> Option<Refusal> {
    let signs_in = context.principal.kind() == Identified::Token;
    tool.filter(|_| signs_in).map(|tool| Refusal::scopes(&tool.admission.scopes))
}

/// Clients that keep their lists go on calling tools that a change of the files took away: a model
/// can act on a result, and not on a protocol error.
fn gone(endpoint: &Endpoint, name: &str) -> Outcome {
    let near = crate::diag::closest(name, endpoint.names());
    let hint = near.map_or(String::new(), |near| format!(" The nearest name is now `{near}`."));
    let text = format!(
        "There is no tool `{name}` any more: it was removed, renamed or restricted on the server. List the tools again, or reconnect.{hint}"
    );
    Outcome { body: Body::Text(text), failure: Some(engine::ErrorClass::Arguments), relay: None }
}

/// An unknown tool is a protocol error (protocol.md T-06), with the nearest name.
fn unknown(endpoint: &Endpoint, name: &str) -> Refusal {
    let shown: String = name.chars().take(80).collect();
    let hint =
        crate::diag::closest(name, endpoint.names()).map_or(String::new(), |near| format!(". Did you mean {near}?"));
    Refusal::params(format!("Unknown tool: {shown}{hint}"))
}

/// The result of a call, in the words of the revision.
fn print(id: &str, outcome: &Outcome, revision: Revision, endpoint: &Endpoint) -> Payload {
    let size = content::size(&outcome.body);
    let mut head = printing::begin(id, size + size / 4 + 256);
    head.push(b'{');
    if revision.is_stateless() {
        head.extend_from_slice(b"\"resultType\":\"complete\",");
    }
    head.extend_from_slice(b"\"content\":[");
    let structured = content::print(&outcome.body, revision, &mut head).cloned();
    head.push(b']');
    if structured.is_some() {
        head.extend_from_slice(b",\"structuredContent\":");
    }
    let mut tail = Vec::new();
    if outcome.failure.is_some() || matches!(outcome.body, Body::Questions(_)) {
        tail.extend_from_slice(b",\"isError\":true");
    }
    if revision.is_stateless() {
        tail.extend_from_slice(endpoint.identity());
    }
    tail.extend_from_slice(b"}}");
    match structured {
        Some(structured) if structured.len() >= WORTH_SHARING => {
            Payload { head: head.into(), shared: structured, tail: tail.into() }
        }
        structured => {
            head.extend_from_slice(structured.as_deref().unwrap_or_default());
            head.extend_from_slice(&tail);
            head.into()
        }
    }
}
