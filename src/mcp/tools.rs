//! Floor 7. `tools/list` and `tools/call`.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Refusal, Revision, Status, content,
    converse::converse,
    dispatch::{Answer, Context},
    listing::Endpoint,
    outlet::{self, Outlet},
    printing,
    wire::{self, Request},
};
use crate::{
    engine::{self, Body, Call, CallerHeaders, Generation, Identified, Outcome, Peer, Principal, QuestionKind},
    telemetry::ToolCallFinished,
    upstream::Relay,
};

/// The list of tools: one page, because many clients never ask for a second one (protocol.md R-10).
pub(super) fn list<'a>(
    endpoint: &'a Endpoint,
    request: &Request<'_>,
    revision: Revision,
) -> Result<&'a Bytes, Refusal> {
    let first_page = |cursor: &serde_json::value::RawValue| matches!(cursor.get(), "null" | "\"\"");
    match request.params.cursor {
        Some(cursor) if !first_page(cursor) => Err(Refusal::params("There is no page with this cursor")),
        _ => Ok(endpoint.tools(revision)),
    }
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
        if context.live.surface.had(&name) {
            let gone = print(request.id, &gone(context.endpoint, &name), revision, context.endpoint);
            return Ok(Answer::Message(gone.into()));
        }
        return Err(locked(context, &name).unwrap_or_else(|| unknown(context.endpoint, &name)));
    };
    let speaks = match context.live.generation.plan().tools.get(index) {
        Some(tool) if tool.speaks() => {
            demand(tool.demands(), request, revision)?;
            true
        }
        _ => false,
    };
    if speaks {
        let (live, endpoint) = (Arc::clone(context.live), Arc::clone(context.endpoint));
        let (principal, headers) = (Arc::clone(context.principal), context.headers.clone());
        let (arguments, id, number) = (arguments.map(str::to_owned), request.id.to_owned(), context.request);
        let relayed = Arc::new(Mutex::new(None));
        let note = Arc::clone(&relayed);
        let work = |outlet: Outlet| async move {
            let invocation = Invocation { principal: &principal, headers: &headers, request: number, peer: &outlet };
            let outcome = invocation.run(&live.generation, index, arguments.as_deref()).await;
            *note.lock() = refusal(&outcome);
            match (&outcome.body, outlet.rounds()) {
                (Body::Questions(open), Some(rounds)) => rounds.input_required(&id, open, endpoint.identity()).into(),
                _ => print(&id, &outcome, revision, &endpoint).into(),
            }
        };
        let answer = converse(context, request, revision, work).await?;
        // Once a stream has begun, only its last message can tell.
        let whole = matches!(answer, Answer::Message(_)) && context.way.has_status();
        let refusal = relayed.lock().take();
        return refusal.filter(|_| whole).map_or(Ok(answer), Err);
    }
    let Context { principal, headers, request: number, .. } = *context;
    let invocation = Invocation { principal, headers, request: number, peer: &engine::Silent };
    let work = invocation.run(&context.live.generation, index, arguments);
    let outcome = match context.ticket(request, revision) {
        None => work.await,
        Some(ticket) => tokio::select! {
            biased;
            () = ticket.cancelled() => return Ok(Answer::Withdrawn),
            outcome = work => outcome,
        },
    };
    match refusal(&outcome).filter(|_| context.way.has_status()) {
        Some(refusal) => Err(refusal),
        None => Ok(Answer::Message(print(request.id, &outcome, revision, context.endpoint).into())),
    }
}

/// The refusal of the whole request that a failure stands for: a source did not take the caller's own
/// credential, and only a status makes clients get another one (auth.md §1.2).
fn refusal(outcome: &Outcome) -> Option<Refusal> {
    let words = match &outcome.body {
        Body::Text(text) => text.clone(),
        _ => String::new(),
    };
    Some(match outcome.relay.as_ref()? {
        Relay::SignIn => Refusal::transport(Status::Unauthorized, words),
        Relay::Scope(scope) => {
            let scopes: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
            Refusal::scopes(&scopes)
        }
    })
}

/// Refuses a stateless request that needs what its client did not declare (protocol.md L-14).
/// Clients with a handshake are told in words.
pub(super) fn demand(
    needed: impl Iterator<Item = QuestionKind>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<(), Refusal> {
    if !revision.is_stateless() {
        return Ok(());
    }
    let declared = outlet::declared(request);
    let missing: Vec<_> = needed.filter(|kind| !declared.has(*kind)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Refusal::capability(&missing)) }
}

/// Who calls, under which id, and who is told on the way.
struct Invocation<'a, H> {
    principal: &'a Principal,
    headers: &'a H,
    request: u64,
    peer: &'a dyn Peer,
}

impl<H: CallerHeaders> Invocation<'_, H> {
    async fn run(&self, generation: &Generation, index: usize, arguments: Option<&str>) -> Outcome {
        let Some(tool) = generation.plan().tools.get(index) else { return lost() };
        let mut event = ToolCallFinished::new(&tool.name, self.principal.name(), self.request, Instant::now());
        let Self { principal, headers, request, peer } = *self;
        let outcome = engine::call(generation, &Call { tool, arguments, principal, headers, request, peer }).await;
        event.outcome(outcome.failure.map_or("ok", engine::ErrorClass::name));
        outcome
    }
}

fn lost() -> Outcome {
    Outcome {
        body: Body::Text("The tool failed for a reason inside of the server.".into()),
        failure: Some(engine::ErrorClass::Internal),
        relay: None,
    }
}

/// A tool that the caller would see with more scopes, which only those who sign in can ask for.
/// For everybody else there is no such tool.
fn locked<H>(context: &Context<'_, H>, name: &str) -> Option<Refusal> {
    let signs_in = context.principal.kind() == Identified::Token;
    let index = context.endpoint.locked(name).filter(|_| signs_in)?;
    let tool = context.live.generation.plan().tools.get(index)?;
    Some(Refusal::scopes(&tool.admission.scopes))
}

/// Clients that keep their lists go on calling tools that a change of the files took away: a model
/// can act on a result, and not on a protocol error.
fn gone(endpoint: &Endpoint, name: &str) -> Outcome {
    let near = crate::diag::closest(name, endpoint.names());
    let hint = near.map_or(String::new(), |near| format!(" The nearest name is now `{near}`."));
    let text = format!(
        "There is no tool `{name}` any more: it was removed or renamed on the server. List the tools again, or reconnect.{hint}"
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
fn print(id: &str, outcome: &Outcome, revision: Revision, endpoint: &Endpoint) -> Vec<u8> {
    let size = content::size(&outcome.body);
    let mut out = printing::begin(id, size + size / 4 + 256);
    out.push(b'{');
    if revision.is_stateless() {
        out.extend_from_slice(b"\"resultType\":\"complete\",");
    }
    out.extend_from_slice(b"\"content\":[");
    let structured = content::print(&outcome.body, revision, &mut out);
    out.push(b']');
    if let Some(structured) = structured {
        out.extend_from_slice(b",\"structuredContent\":");
        out.extend_from_slice(structured);
    }
    if outcome.failure.is_some() || matches!(outcome.body, Body::Questions(_)) {
        out.extend_from_slice(b",\"isError\":true");
    }
    if revision.is_stateless() {
        out.extend_from_slice(endpoint.identity());
    }
    out.extend_from_slice(b"}}");
    out
}
