//! Floor 7. What runs behind `tools/call`, `resources/read` and `prompts/get`: one call of the
//! engine, with the client told and asked on the way where it may be.

use std::{borrow::Cow, sync::Arc, time::Instant};

use futures_util::future::FutureExt as _;
use parking_lot::Mutex;

use super::{
    Payload, Refusal, Revision, Status, content,
    converse::converse,
    dispatch::{Answer, Context},
    hub::Listed,
    listing::Endpoint,
    outlet::{self, Outlet},
    wire::Request,
};
use crate::{
    engine::{self, Body, Call, CallerHeaders, ErrorClass, Generation, Outcome, Peer, Principal, Tally},
    heap,
    plan::{Plan, Tool},
    telemetry::{Called, ToolCallFinished},
    upstream::Relay,
};

/// What is called: a position in the plan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A tool.
    Tool(usize),
    /// A resource.
    Resource(usize),
    /// A prompt.
    Prompt(usize),
}

impl Target {
    /// Everything that can be called.
    pub(super) fn all(plan: &Plan) -> impl Iterator<Item = Self> {
        let tools = (0..plan.tools.len()).map(Self::Tool);
        let resources = (0..plan.resources.len()).map(Self::Resource);
        tools.chain(resources).chain((0..plan.prompts.len()).map(Self::Prompt))
    }

    /// The list that names it.
    pub(super) const fn listed(self) -> Listed {
        match self {
            Self::Tool(_) => Listed::Tools,
            Self::Resource(_) => Listed::Resources,
            Self::Prompt(_) => Listed::Prompts,
        }
    }

    /// What runs when it is called.
    pub(super) fn of(self, plan: &Plan) -> Option<&Tool> {
        match self {
            Self::Tool(at) => plan.tools.get(at),
            Self::Resource(at) => plan.resources.get(at).map(|resource| &resource.tool),
            Self::Prompt(at) => plan.prompts.get(at).map(|prompt| &prompt.tool),
        }
    }
}

/// Runs a call and prints its outcome.
pub(super) async fn run<H, P>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
    (target, arguments): (Target, Option<Cow<'_, str>>),
    print: P,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
    P: FnOnce(&str, &Outcome, &Endpoint) -> Payload + Send + 'static,
{
    let tool = target.of(context.live.generation.plan());
    if let Some(tool) = tool.filter(|tool| tool.speaks()) {
        demand(tool, request, revision)?;
        // Boxed, or the calls of all other tools would carry its room along.
        return speak(context, request, revision, (target, arguments), print).boxed().await;
    }
    let Context { principal, headers, request: number, .. } = *context;
    let invocation = Invocation { principal, headers, request: number, peer: &engine::Silent };
    let work = heap::place(|| invocation.run(&context.live.generation, target, arguments.as_deref()));
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
        None => Ok(Answer::Message(print(request.id, &outcome, context.endpoint))),
    }
}

/// Runs a call of a tool that may tell or ask its client something first.
async fn speak<H, P>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
    (target, arguments): (Target, Option<Cow<'_, str>>),
    print: P,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
    P: FnOnce(&str, &Outcome, &Endpoint) -> Payload + Send + 'static,
{
    let (live, endpoint) = (Arc::clone(context.live), Arc::clone(context.endpoint));
    let (principal, headers) = (Arc::clone(context.principal), context.headers.clone());
    let (id, number) = (request.id.to_owned(), context.request);
    let arguments = arguments.map(Cow::into_owned);
    let relayed = Arc::new(Mutex::new(None));
    let note = Arc::clone(&relayed);
    let work = |outlet: Outlet| async move {
        let invocation = Invocation { principal: &principal, headers: &headers, request: number, peer: &outlet };
        let outcome = invocation.run(&live.generation, target, arguments.as_deref()).await;
        *note.lock() = refusal(&outcome);
        match (&outcome.body, outlet.rounds()) {
            (Body::Questions(open), Some(rounds)) => rounds.input_required(&id, open, endpoint.identity()).into(),
            _ => print(&id, &outcome, &endpoint),
        }
    };
    let answer = converse(context, request, revision, work).await?;
    // Once a stream has begun, only its last message can tell.
    let whole = matches!(answer, Answer::Message(_)) && context.way.has_status();
    let refusal = relayed.lock().take();
    refusal.filter(|_| whole).map_or(Ok(answer), Err)
}

/// The refusal of the whole request that a failure stands for: a source did not take the caller's own
/// credential, and only a status makes clients get another one (auth.md §1.2).
fn refusal(outcome: &Outcome) -> Option<Refusal> {
    let relay = outcome.relay.as_ref()?;
    let words = match &outcome.body {
        Body::Text(text) => text.clone(),
        _ => String::new(),
    };
    Some(match relay {
        Relay::SignIn => Refusal::transport(Status::Unauthorized, words),
        Relay::Scope(scope) => {
            let scopes: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
            Refusal::scopes(&scopes)
        }
    })
}

/// Why a reading or a prompt failed, in words: neither has a result that could say it.
pub(super) fn failure(outcome: &Outcome) -> Option<(ErrorClass, String)> {
    match (outcome.failure, &outcome.body) {
        (None, Body::Questions(_)) => {
            let words = "The client's answer does not have the form that was asked for.";
            Some((ErrorClass::Declined, words.into()))
        }
        (None, _) => None,
        (Some(class), Body::Text(words)) => Some((class, words.clone())),
        (Some(class), _) => Some((class, String::new())),
    }
}

/// Refuses a stateless request that needs what its client did not declare (protocol.md L-14).
/// Clients with a handshake are told in words.
pub(super) fn demand(tool: &Tool, request: &Request<'_>, revision: Revision) -> Result<(), Refusal> {
    let mut needed = tool.demands().peekable();
    if !revision.is_stateless() || needed.peek().is_none() {
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
    async fn run(&self, generation: &Generation, target: Target, arguments: Option<&str>) -> Outcome {
        let Some(tool) = target.of(generation.plan()) else { return lost() };
        let mut event = ToolCallFinished::new(&tool.name, self.principal.name(), self.request, Instant::now());
        let Self { principal, headers, request, peer } = *self;
        // On the heap, so that calls without a record do not carry its room along.
        let mut record = generation.audit().map(|audit| {
            let called = Called { request, tool: &tool.name, writes: tool.writes(), arguments };
            Box::new(audit.call(called, principal.who()))
        });
        if let Some(record) = record.as_mut().filter(|_| tool.writes())
            && record.ahead().await.is_err()
        {
            // What nobody could account for is not done.
            record.ended("unrecorded");
            event.outcome("unrecorded");
            return unrecorded();
        }
        let tally = Tally::new();
        let call = Call { tool, arguments, principal, headers, request, peer, tally: &tally };
        let outcome = engine::call(generation, &call).await;
        let ended = match (&outcome.body, outcome.failure) {
            (_, Some(class)) => class.name(),
            // It goes on, as a call of its own, when they are answered.
            (Body::Questions(_), None) => "asked",
            (_, None) => "ok",
        };
        event.outcome(ended);
        if let Some(record) = &mut record {
            record.ended(ended);
            record.returned(tally.rows_so_far(), content::size(&outcome.body) as u64);
        }
        outcome
    }
}

fn unrecorded() -> Outcome {
    let words = "Nothing was done: this server records every change before it makes it, and cannot just now.";
    Outcome { body: Body::Text(words.into()), failure: Some(ErrorClass::Internal), relay: None }
}

fn lost() -> Outcome {
    Outcome {
        body: Body::Text("The tool failed for a reason inside of the server.".into()),
        failure: Some(ErrorClass::Internal),
        relay: None,
    }
}
