//! Floor 7. From a body to the method that answers it: single messages, batches, notifications.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Incoming, Payload, Refusal, Reply, Revision, Server,
    cancel::new_session,
    classify::{self, Era},
    headers::trimmed,
    listing::Endpoint,
    printing, tools,
    wire::{self, Body, Kind, NotAMessage, Request},
};
use crate::engine::{CallerHeaders, Principal};

/// Messages in a batch at most.
const BATCH_MAX: usize = 50;

/// What a request is answered in: everything but its own text.
pub(super) struct Context<'a, H> {
    pub(super) server: &'a Arc<Server>,
    pub(super) endpoint: &'a Endpoint,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) session: Option<&'a str>,
    pub(super) headers: &'a H,
    pub(super) request: u64,
}

/// What becomes of a request.
pub(super) enum Answer {
    /// A JSON-RPC message.
    Message(Payload),
    /// The client took the request back and waits for nothing.
    Withdrawn,
}

/// Answers one POST.
pub(super) async fn handle<H>(server: &Arc<Server>, endpoint: &Endpoint, incoming: Incoming<'_, H>) -> Reply
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let body = match wire::read(&incoming.body) {
        Ok(body) => body,
        Err(fault) => return refuse(fault).reply(),
    };
    let context = Context {
        server,
        endpoint,
        principal: &incoming.principal,
        session: incoming.protocol.session.map(trimmed),
        headers: &incoming.headers,
        request: incoming.request,
    };
    let protocol = incoming.protocol;
    match body {
        Body::Many(items) => batch(&context, &items, protocol.version.map(trimmed)).await,
        Body::One(Kind::Response) => match protocol.version.map(trimmed).and_then(Revision::parse) {
            Some(revision) if revision.is_stateless() => {
                Refusal::invalid("This revision has no responses to post").reply()
            }
            _ => Reply::accepted(),
        },
        Body::One(Kind::Notification(notification)) => {
            notify(&context, &notification, &classify::notification(&notification, protocol));
            Reply::accepted()
        }
        Body::One(Kind::Request(request)) => {
            let era = match classify::request(&request, protocol) {
                Ok(era) => era,
                Err(refusal) => return refusal.of(Some(request.id)).reply(),
            };
            if request.method == "initialize" && matches!(era, Era::Legacy(_)) {
                return initialize(endpoint, &request);
            }
            match answer(&context, &request, &era).await {
                Ok(Answer::Message(body)) => Reply::ok(body),
                Ok(Answer::Withdrawn) => Reply::accepted(),
                Err(refusal) => refusal.of(Some(request.id)).reply(),
            }
        }
    }
}

fn refuse(fault: NotAMessage) -> Refusal {
    match fault {
        NotAMessage::NotJson => Refusal::parse(),
        NotAMessage::Shape { words, id } => Refusal::invalid(format!("Invalid request: {words}")).of(id.as_deref()),
    }
}

/// A revision is echoed when it is known, and countered with the newest one that has a
/// handshake otherwise (protocol.md L-02, L-03).
fn initialize(endpoint: &Endpoint, request: &Request<'_>) -> Reply {
    let asked = request.params.protocol_version.and_then(wire::text);
    let revision = asked.and_then(|text| Revision::parse(&text)).filter(|revision| !revision.is_stateless());
    let result = endpoint.introduction(revision.unwrap_or(Revision::LATEST_LEGACY)).cloned().unwrap_or_default();
    Reply { session: new_session(), ..Reply::ok(shared(request.id, result)) }
}

async fn answer<H>(context: &Context<'_, H>, request: &Request<'_>, era: &Era) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let (Era::Legacy(revision) | Era::Stateless(revision)) = *era;
    let result = match (&*request.method, era) {
        ("tools/call", _) => return tools::call(context, request, revision).await,
        ("tools/list", _) => tools::list(context.endpoint, request, revision)?.clone(),
        ("ping", Era::Legacy(_)) => Bytes::from_static(b"{}"),
        ("server/discover", Era::Stateless(_)) => context.endpoint.discovery().clone(),
        (method, _) => return Err(Refusal::no_method(method, revision)),
    };
    Ok(Answer::Message(shared(request.id, result)))
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
        && let Some(id) = notification.params.request_id
    {
        context.server.in_flight.cancel(context.session, id.get());
    }
}

/// Several messages in one array (protocol.md S-05, S-06).
async fn batch<H>(context: &Context<'_, H>, items: &[&serde_json::value::RawValue], version: Option<&str>) -> Reply
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let revision = match version {
        None => Revision::ASSUMED,
        Some(version) => match Revision::parse(version) {
            Some(revision) => revision,
            None => return Refusal::legacy_version(version).reply(),
        },
    };
    if !revision.has_batches() {
        return Refusal::invalid(format!("{revision} has no batches")).reply();
    }
    if items.is_empty() || items.len() > BATCH_MAX {
        return Refusal::invalid(format!("A batch has 1 to {BATCH_MAX} messages")).reply();
    }
    let mut requests = Vec::new();
    for item in items {
        match wire::read_one(item) {
            Err(fault) => return refuse(fault).reply(),
            Ok(Kind::Request(request) | Kind::Notification(request))
                if classify::claims(&request) || request.method == "initialize" =>
            {
                return Refusal::invalid("This message cannot be part of a batch").reply();
            }
            Ok(Kind::Request(request)) => requests.push(request),
            Ok(Kind::Notification(notification)) => notify(context, &notification, &Era::Legacy(revision)),
            Ok(Kind::Response) => {}
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
            Ok(Answer::Withdrawn) => {}
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
