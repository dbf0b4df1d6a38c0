//! Floor 7. From a body to the method that answers it: single messages, batches, notifications.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::FutureExt as _;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{
    Accepts, Content, Headers, Incoming, Messages, Payload, Refusal, Reply, Revision, Server,
    cancel::Ticket,
    classify::{self, Era},
    headers::trimmed,
    listen,
    listing::Endpoint,
    live::Live,
    printing, prompts, resources,
    session::{Session, SessionKey},
    tools,
    wire::{self, Body, Kind, NotAMessage, Request, Response},
};
use crate::engine::{Abilities, CallerHeaders, Level, Principal, QuestionKind};

/// Messages in a batch at most.
const BATCH_MAX: usize = 50;

/// What a request is answered in: everything but its own text.
pub(super) struct Context<'a, H> {
    pub(super) server: &'a Arc<Server>,
    pub(super) live: &'a Arc<Live>,
    /// The bridge of the path; `None` for all of them.
    pub(super) bridge: Option<&'a str>,
    pub(super) endpoint: &'a Arc<Endpoint>,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) session: Option<Session>,
    pub(super) headers: &'a H,
    pub(super) request: u64,
    pub(super) way: Way<'a>,
}

/// How messages reach the client before a result.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// The answer becomes a stream.
    Stream,
    /// Not at all: the answer is one document.
    Document,
    /// On the channel that the client has open for everything.
    Channel(&'a mpsc::Sender<Payload>),
}

impl Way<'_> {
    /// Whether the answer has a status of its own.
    pub(super) const fn has_status(self) -> bool {
        matches!(self, Self::Stream | Self::Document)
    }
}

impl<H> Context<'_, H> {
    /// Remembers a request that its client can take back by a message.
    pub(super) fn ticket(&self, request: &Request<'_>, revision: Revision) -> Option<Ticket> {
        // Closing the stream is how a stateless call is taken back over HTTP (protocol.md H-17).
        let by_message = !revision.is_stateless() || matches!(self.way, Way::Channel(_));
        by_message.then(|| self.server.in_flight.enter(self.session.map(|session| session.key), request.id)).flatten()
    }

    /// What a client speaks that does not say it.
    pub(super) fn assumed(&self) -> Revision {
        self.session.map_or(Revision::ASSUMED, |session| session.revision)
    }
}

/// What becomes of a request.
pub(super) enum Answer {
    /// A JSON-RPC message.
    Message(Payload),
    /// Several, and the answer is the last one.
    Messages(Messages),
    /// The client took the request back and waits for nothing.
    Withdrawn,
}

/// Answers one POST.
pub(super) async fn handle<H>(
    server: &Arc<Server>,
    live: &Arc<Live>,
    endpoint: &Arc<Endpoint>,
    incoming: &Incoming<'_, H>,
) -> Reply
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let body = match wire::read(&incoming.body) {
        Ok(body) => body,
        Err(fault) => return refuse(fault).reply(),
    };
    let protocol = incoming.protocol;
    let named = protocol.session.map(trimmed);
    let session = named.and_then(|id| server.sessions.find(id, &incoming.principal));
    let context = Context {
        server,
        live,
        bridge: incoming.bridge,
        endpoint,
        principal: &incoming.principal,
        session,
        headers: &incoming.headers,
        request: incoming.request,
        way: match incoming.accepts {
            Accepts::Streams => Way::Stream,
            Accepts::Documents => Way::Document,
        },
    };
    let is_stranger = named.is_some() && session.is_none();
    match &body {
        Body::One(Kind::Request(request)) => match one(&context, request, protocol, is_stranger).await {
            Ok(reply) => reply,
            Err(refusal) => refusal.of(Some(request.id)).reply(),
        },
        Body::One(Kind::Notification(notification)) => {
            let era = match classify::notification(notification, protocol) {
                Ok(era) => era,
                Err(refusal) => return refusal.reply(),
            };
            if is_stranger && matches!(era, Era::Legacy(_)) {
                return Refusal::no_session().reply();
            }
            notify(&context, notification, &era);
            Reply::accepted()
        }
        Body::One(Kind::Response(response)) => match classify::named(protocol) {
            Err(refusal) => refusal.reply(),
            Ok(Some(revision)) if revision.is_stateless() => {
                Refusal::invalid("This revision has no responses to post").reply()
            }
            _ if is_stranger => Refusal::no_session().reply(),
            _ => {
                if let Some(session) = context.session {
                    hear(server, session.key, response);
                }
                Reply::accepted()
            }
        },
        Body::Many(_) if is_stranger => Refusal::no_session().reply(),
        Body::Many(items) => batch(&context, items, protocol.version.map(trimmed)).boxed().await,
    }
}

/// Answers the one request of a POST.
async fn one<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    protocol: Headers<'_>,
    is_stranger: bool,
) -> Result<Reply, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let era = classify::request(request, protocol, context.assumed())?;
    if matches!(era, Era::Legacy(_)) {
        if request.method == "initialize" {
            let (revision, abilities) = introduce(request);
            let declared = (abilities, context.endpoint.lists());
            let session = context.server.sessions.open(revision, declared, context.principal);
            return Ok(Reply { session, ..Reply::ok(introduction(context.endpoint, request, revision)) });
        }
        if is_stranger {
            return Err(Refusal::no_session());
        }
    }
    Ok(match answer(context, request, &era).await? {
        Answer::Message(body) => Reply::ok(body),
        Answer::Messages(messages) => Reply { content: Content::Messages(messages), ..Reply::ok(Payload::default()) },
        Answer::Withdrawn => Reply::accepted(),
    })
}

pub(super) fn refuse(fault: NotAMessage) -> Refusal {
    match fault {
        NotAMessage::NotJson => Refusal::parse(),
        NotAMessage::Shape { words, id } => Refusal::invalid(format!("Invalid request: {words}")).of(id.as_deref()),
    }
}

/// What a client that introduces itself is served in, and what it can be asked. A revision is
/// echoed when it is known, and countered with the newest one that has a handshake otherwise
/// (protocol.md L-02, L-03).
pub(super) fn introduce(request: &Request<'_>) -> (Revision, Abilities) {
    let asked = request.params.protocol_version.and_then(wire::text);
    let revision = asked.and_then(|text| Revision::parse(&text)).filter(|revision| !revision.is_stateless());
    let revision = revision.unwrap_or(Revision::LATEST_LEGACY);
    let declared = request.params.capabilities.and_then(|declared| serde_json::from_str(declared.get()).ok());
    let declared = declared.map_or_else(Abilities::default, |declared| Abilities::read(&declared));
    // What the revision does not have is not asked, whatever its client says it can (protocol.md M-01).
    let known = |kind: &QuestionKind| *kind != QuestionKind::Elicit || revision >= Revision::V2025_06_18;
    let known = QuestionKind::ALL.into_iter().filter(known).filter(|kind| declared.has(*kind));
    (revision, known.fold(Abilities::default(), Abilities::with))
}

/// The answer to a client that introduces itself.
pub(super) fn introduction(endpoint: &Endpoint, request: &Request<'_>, revision: Revision) -> Payload {
    shared(request.id, endpoint.introduction(revision).cloned().unwrap_or_default())
}

/// The result of a method that only remembers something, or that answers a sign of life.
const EMPTY: Bytes = Bytes::from_static(b"{}");

pub(super) async fn answer<H>(context: &Context<'_, H>, request: &Request<'_>, era: &Era) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let (Era::Legacy(revision) | Era::Stateless(revision)) = *era;
    let result = match (&*request.method, era) {
        ("tools/call", _) => return tools::call(context, request, revision).await,
        // Large futures are boxed, or every request would carry their room along.
        ("subscriptions/listen", Era::Stateless(_)) => {
            return listen::subscribe(context, request, revision).boxed().await;
        }
        ("tools/list", _) => first_page(tools::list(context, request, revision), request)?,
        (method, _) if method.starts_with("resources/") && context.endpoint.shelf().has_resources() => {
            return about_resources(context, request, era).boxed().await;
        }
        ("prompts/list", _) if context.endpoint.shelf().has_prompts() => {
            first_page(context.endpoint.shelf().prompt_list(revision), request)?
        }
        ("prompts/get", _) if context.endpoint.shelf().has_prompts() => {
            return prompts::get(context, request, revision).boxed().await;
        }
        ("completion/complete", _) if context.endpoint.shelf().completes() => {
            return prompts::complete(context, request, revision).map(Answer::Message);
        }
        ("ping", Era::Legacy(_)) => EMPTY,
        ("logging/setLevel", Era::Legacy(_)) => {
            set_level(context, request)?;
            EMPTY
        }
        ("server/discover", Era::Stateless(_)) => context.endpoint.discovery().clone(),
        (method, _) => return Err(Refusal::no_method(method, revision)),
    };
    Ok(Answer::Message(shared(request.id, result)))
}

/// A list: one page, because many clients never ask for a second one (protocol.md R-10).
fn first_page(list: &Bytes, request: &Request<'_>) -> Result<Bytes, Refusal> {
    match request.params.cursor.map(RawValue::get) {
        None | Some("null" | "\"\"") => Ok(list.clone()),
        Some(_) => Err(Refusal::params("There is no page with this cursor")),
    }
}

/// The methods of resources.
async fn about_resources<H>(context: &Context<'_, H>, request: &Request<'_>, era: &Era) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let (Era::Legacy(revision) | Era::Stateless(revision)) = *era;
    let shelf = context.endpoint.shelf();
    let result = match (&*request.method, era) {
        ("resources/list", _) => first_page(shelf.resources(revision), request)?,
        ("resources/templates/list", _) => first_page(shelf.resource_templates(revision), request)?,
        ("resources/read", _) => return resources::read(context, request, revision).await,
        ("resources/subscribe", Era::Legacy(_)) => {
            resources::subscribe(context, request, revision)?;
            EMPTY
        }
        ("resources/unsubscribe", Era::Legacy(_)) => {
            resources::unsubscribe(context, request)?;
            EMPTY
        }
        (method, _) => return Err(Refusal::no_method(method, revision)),
    };
    Ok(Answer::Message(shared(request.id, result)))
}

/// What the client wants to be told from now on (protocol.md U-02). Without a session there is
/// nobody to remember it of.
fn set_level<H>(context: &Context<'_, H>, request: &Request<'_>) -> Result<(), Refusal> {
    let level = request.params.level.and_then(wire::text).and_then(|level| Level::parse(&level));
    let Some(level) = level else {
        let known: Vec<_> = Level::ALL.iter().map(|level| level.as_str()).collect();
        return Err(Refusal::params(format!("params.level must be one of {}", known.join(", "))));
    };
    if let Some(session) = context.session {
        context.server.sessions.set_level(session.key, level);
    }
    Ok(())
}

/// The answer to a request whose result was printed before.
fn shared(id: &str, result: Bytes) -> Payload {
    Payload { head: printing::begin(id, 0).into(), shared: result, tail: Bytes::from_static(b"}") }
}

/// Notifications are never answered, and unknown ones are ignored (protocol.md J-03).
fn notify<H>(context: &Context<'_, H>, notification: &Request<'_>, era: &Era) {
    // Without a handshake there are no ids to take back over HTTP: closing the stream does it.
    if matches!(era, Era::Legacy(_))
        && notification.method == "notifications/cancelled"
        && let (Some(id), Some(session)) = (notification.params.request_id, context.session)
    {
        context.server.in_flight.cancel(session.key, id.get());
    }
}

/// The client answers a request of the server.
pub(super) fn hear(server: &Server, session: SessionKey, response: &Response<'_>) {
    let result = response.result.and_then(|result| serde_json::from_str(result.get()).ok());
    server.asks.answer(session, response.id, result);
}

/// Whether a revision takes this many messages at once (protocol.md S-05, S-06).
pub(super) fn batch_allowed(revision: Revision, messages: usize) -> Result<(), Refusal> {
    if !revision.has_batches() {
        return Err(Refusal::invalid(format!("{revision} has no batches")));
    }
    if messages == 0 || messages > BATCH_MAX {
        return Err(Refusal::invalid(format!("A batch has 1 to {BATCH_MAX} messages")));
    }
    Ok(())
}

/// Several messages in one array (protocol.md S-05, S-06).
async fn batch<H>(context: &Context<'_, H>, items: &[&RawValue], version: Option<&str>) -> Reply
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let revision = match version {
        None => context.assumed(),
        Some(version) => match Revision::parse(version) {
            Some(revision) => revision,
            None => return Refusal::legacy_version(version).reply(),
        },
    };
    if let Err(refusal) = batch_allowed(revision, items.len()) {
        return refusal.reply();
    }
    // One answer for all of them has no room for what precedes any.
    let context = &Context { way: Way::Document, ..*context };
    // What is refused has no effect, so all of it is read before any of it counts.
    let mut messages = Vec::with_capacity(items.len());
    for item in items {
        match wire::read_one(item) {
            Err(fault) => return refuse(fault).reply(),
            Ok(Kind::Request(request) | Kind::Notification(request))
                if classify::claims(&request) || request.method == "initialize" =>
            {
                return Refusal::invalid("This message cannot be part of a batch").reply();
            }
            Ok(message) => messages.push(message),
        }
    }
    let mut requests = Vec::new();
    for message in messages {
        match message {
            Kind::Request(request) => requests.push(request),
            Kind::Notification(notification) => notify(context, &notification, &Era::Legacy(revision)),
            Kind::Response(response) => {
                if let Some(session) = context.session {
                    hear(context.server, session.key, &response);
                }
            }
        }
    }
    if requests.is_empty() {
        return Reply::accepted();
    }
    let era = Era::Legacy(revision);
    let answers = requests.iter().map(|request| answer(context, request, &era));
    let answers = futures_util::future::join_all(answers).await;
    let mut body = vec![b'['];
    for (request, answer) in requests.iter().zip(answers) {
        if body.len() > 1 && !matches!(answer, Ok(Answer::Withdrawn)) {
            body.push(b',');
        }
        match answer {
            Ok(Answer::Message(message)) => {
                for part in [message.head, message.shared, message.tail] {
                    body.extend_from_slice(&part);
                }
            }
            // Only a stream can carry several.
            Ok(Answer::Withdrawn | Answer::Messages(_)) => {}
            Err(refusal) => refusal.of(Some(request.id)).print(&mut body),
        }
    }
    if body.len() == 1 {
        // Every request was taken back, and an empty array is no answer.
        return Reply::accepted();
    }
    body.push(b']');
    Reply::ok(body.into())
}
