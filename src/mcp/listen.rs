//! Floor 7. Streams that stay open: the GET stream of a session, and `subscriptions/listen`
//! (protocol.md S-09 to S-11, U-05, U-06).

use futures_util::future::FutureExt;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{
    Content, Messages, Payload, Principal, Refusal, Reply, Revision, Server, Status,
    dispatch::{Answer, Context, Way},
    headers::trimmed,
    hub::{Hub, Listed, Listener, Listening, Owner, tag},
    messages::WAITING,
    printing::{self, notification},
    watches::{ADDRESS_MAX, PER_OWNER_MAX},
    wire::Request,
};
use crate::plan::Watch;

impl Server {
    /// Opens the stream of a session, on which it is told what changes. A server whose lists
    /// never change has nothing to say there.
    #[must_use]
    pub fn listen(&self, bridge: Option<&str>, session: &str, principal: &Principal) -> Reply {
        let Some(session) = self.sessions.find(trimmed(session), principal) else {
            return Refusal::no_session().reply();
        };
        let live = self.live.load();
        if live.surface.endpoint(bridge).is_none() {
            return Refusal::no_bridge(bridge.unwrap_or_default()).reply();
        }
        let (to, coming) = mpsc::channel(WAITING);
        let owner = Owner::Session(session.key);
        let listener = Listener {
            bridge: bridge.map(str::to_owned),
            owner,
            wants: session.lists.each(),
            resources: Vec::new(),
            to,
        };
        let place = live.surface.changes().then(|| self.hub.enter(listener)).flatten();
        match place {
            Some(place) => {
                let messages = Messages::new(Vec::new(), coming, None).with(place);
                Reply { content: Content::Messages(messages), ..Reply::ok(Payload::default()) }
            }
            // Clients take this for a server without such streams, and ask no more.
            None => Refusal::transport(Status::MethodNotAllowed, "There is no stream to open here").reply(),
        }
    }
}

/// Answers `subscriptions/listen`.
pub(super) async fn subscribe<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<Answer, Refusal> {
    if !context.live.surface.changes() {
        return Err(Refusal::no_method(&request.method, revision));
    }
    let asked = asked(request)?;
    let (wants, resources) = (wanted(context, &asked)?, watched(context, &asked)?);
    let id = request.id;
    let (to, coming) = match context.way {
        Way::Channel(to) => (to.clone(), None),
        Way::Stream => {
            let (to, coming) = mpsc::channel(WAITING);
            (to, Some(coming))
        }
        Way::Document => {
            let words = "Accept must include text/event-stream to listen";
            return Err(Refusal::transport(Status::NotAcceptable, words));
        }
    };
    let listener = Listener {
        bridge: context.bridge.map(str::to_owned),
        owner: Owner::Request(id.into()),
        wants: wants.clone(),
        resources: resources.clone(),
        to: to.clone(),
    };
    let place = enter(&context.server.hub, listener)?;
    let acknowledged = acknowledgement(id, &wants, resources);
    let ending = context.server.ending.clone();
    let Some(coming) = coming else {
        return Ok(on_channel(context, request, acknowledged, place).await);
    };
    let last = ended(id, context.endpoint.identity());
    let last = async move {
        ending.cancelled().await;
        Some(last)
    };
    Ok(Answer::Messages(Messages::new(vec![acknowledged], coming, Some(last.boxed())).with(place)))
}

fn enter(hub: &Hub, listener: Listener) -> Result<Listening, Refusal> {
    hub.enter(listener).ok_or_else(|| Refusal::crowded("Too many clients listen; try again later"))
}

/// Listens where everything goes through one channel, until the client takes the request back.
async fn on_channel<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    acknowledged: Payload,
    place: Listening,
) -> Answer {
    let Way::Channel(to) = context.way else { return Answer::Withdrawn };
    let id = request.id;
    // Who has gone is told nothing.
    let _ = to.send(acknowledged).await;
    let taken_back = async {
        match context.ticket(request, Revision::V2026_07_28) {
            Some(ticket) => ticket.cancelled().await,
            None => std::future::pending().await,
        }
    };
    let is_over = tokio::select! {
        // Who took it back before the end is told nothing of the end.
        biased;
        () = taken_back => false,
        () = to.closed() => false,
        () = context.server.ending.cancelled() => true,
    };
    drop(place);
    if is_over {
        // protocol.md D-04: on a shared channel the server takes the request back when it is the one that ends.
        // Like every request that was taken back it gets no result then, which a client that has forgotten it
        // would not understand. On a stream of its own the result says it (protocol.md U-06).
        let reason = Map::from_iter([("reason".to_owned(), json!("The server stops."))]);
        let _ = to.send(notification("notifications/cancelled", reason, &[("requestId", id)])).await;
    }
    Answer::Withdrawn
}

fn malformed() -> Refusal {
    Refusal::params(
        "params.notifications must be an object of booleans, and a list of addresses as resourceSubscriptions",
    )
}

fn asked(request: &Request<'_>) -> Result<Map<String, Value>, Refusal> {
    let asked = request.params.notifications.ok_or_else(malformed)?;
    serde_json::from_str(asked.get()).map_err(|_| malformed())
}

/// The resources that a client wants to be told of, of those that offer it.
fn watched<H>(context: &Context<'_, H>, asked: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let all = match asked.get("resourceSubscriptions") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) => all,
        Some(_) => return Err(malformed()),
    };
    let plan = context.live.generation.plan();
    let mut honoured: Vec<String> = Vec::new();
    for uri in all {
        let uri = uri.as_str().ok_or_else(malformed)?;
        let found = context.endpoint.shelf().find(plan, uri).and_then(|(at, _)| plan.resources.get(at));
        let offered = found.is_some_and(|resource| resource.watch == Watch::Offered) && uri.len() <= ADDRESS_MAX;
        if offered && honoured.len() < PER_OWNER_MAX && !honoured.iter().any(|known| known == uri) {
            honoured.push(uri.to_owned());
        }
    }
    Ok(honoured)
}

/// What a client wants to know, of what there is to know.
fn wanted<H>(context: &Context<'_, H>, asked: &Map<String, Value>) -> Result<Vec<Listed>, Refusal> {
    let mut wants = Vec::new();
    for listed in Listed::ALL {
        match asked.get(listed.member()) {
            Some(Value::Bool(true)) if context.endpoint.offers(listed) => wants.push(listed),
            None | Some(Value::Bool(_) | Value::Null) => {}
            Some(_) => return Err(malformed()),
        }
    }
    Ok(wants)
}

/// The first message: what the client will be told (protocol.md U-05).
fn acknowledgement(id: &str, wants: &[Listed], resources: Vec<String>) -> Payload {
    let mut honoured: Map<String, Value> =
        wants.iter().map(|listed| (listed.member().to_owned(), json!(true))).collect();
    if !resources.is_empty() {
        honoured.insert("resourceSubscriptions".into(), resources.into());
    }
    let params = Map::from_iter([("notifications".to_owned(), Value::Object(honoured))]);
    notification("notifications/subscriptions/acknowledged", params, &[("_meta", &tag(id))])
}

/// The last message: the server ends (protocol.md U-06).
fn ended(id: &str, identity: &[u8]) -> Payload {
    let tag = tag(id);
    let mut out = printing::begin(id, identity.len() + tag.len() + 64);
    out.extend_from_slice(b"{\"resultType\":\"complete\",\"_meta\":");
    // The member that names the server stands ready as `,"_meta":{…}`, and never is empty.
    if let Some(named) = identity.strip_prefix(b",\"_meta\":{") {
        out.extend_from_slice(tag.strip_suffix('}').unwrap_or(&tag).as_bytes());
        out.push(b',');
        out.extend_from_slice(named);
    } else {
        out.extend_from_slice(tag.as_bytes());
    }
    out.extend_from_slice(b"}}");
    out.into()
}
