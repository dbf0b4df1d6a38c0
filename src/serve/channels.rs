//! Floor 8. HTTP+SSE, the transport of 2024-11-05 that clients still fall back to: an event stream
//! that carries everything the server says, and an address for what the client says
//! (protocol.md §2.4). A channel lives in the memory of one process: behind a balancer a client
//! must stay with the replica that it began with.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, Response},
};
use parking_lot::Mutex;

use super::{
    callers::Head,
    events,
    http::{self, OwnHeaders, Shared},
    negotiation,
};
use crate::{
    engine::Principal,
    mcp::{self, Channel, Eras, Posted, Refusal, Status},
};

/// Where the messages of a channel are posted.
pub(super) const MESSAGES: &str = "/messages";
/// Channels at once at most; one address has fewer connections than that.
const OPEN_MAX: usize = 2048;

/// The channels that are open, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels(Arc<Mutex<HashMap<String, Arc<Channel>>>>);

/// The place of a channel, given back when its stream is dropped.
struct Open {
    channels: Channels,
    id: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        // The channel itself is dropped after the lock.
        let _left = self.channels.0.lock().remove(&self.id);
    }
}

/// Opens a channel; the first event says where its messages are posted.
pub(super) fn open(
    shared: &Shared,
    bridge: Option<&str>,
    principal: Arc<Principal>,
    headers: &HeaderMap,
) -> Response<Body> {
    if !negotiation::may_stream(headers) {
        let words = "Accept must include text/event-stream";
        return http::send(Refusal::transport(Status::NotAcceptable, words).reply());
    }
    let (channel, messages) = match shared.protocol.channel(bridge, principal, Eras::Legacy) {
        Ok(opened) => opened,
        Err(refusal) => return http::send(refusal.reply()),
    };
    let id = channel.id();
    {
        let mut all = shared.channels.0.lock();
        if all.len() >= OPEN_MAX {
            return http::send(Refusal::transport(Status::Unavailable, "Too many channels are open").reply());
        }
        all.insert(id.clone(), channel);
    }
    let address = events::endpoint(&format!("{MESSAGES}?sessionId={id}"));
    let open = Open { channels: shared.channels.clone(), id };
    events::stream(messages.with(open), Some(address))
}

/// Takes a message of a channel; what it is answered goes out there.
pub(super) async fn post(shared: &Arc<Shared>, head: &mut Head, body: &mut Body) -> Response<Body> {
    match take(shared, head, body).await {
        Ok(()) => http::accepted(),
        Err(response) => *response,
    }
}

async fn take(shared: &Arc<Shared>, head: &mut Head, body: &mut Body) -> Result<(), Box<Response<Body>>> {
    let principal = http::admit(shared, head, body).await?;
    let refused = |refusal: Refusal| Box::new(http::send(refusal.reply()));
    negotiation::is_json(&head.headers).map_err(refused)?;
    let channel = session(head.uri.query().unwrap_or_default())
        .and_then(|id| shared.channels.0.lock().get(&id).cloned())
        .filter(|channel| channel.belongs_to(&principal));
    let Some(channel) = channel else {
        let words = "There is no such channel: connect to /sse again";
        return Err(refused(Refusal::transport(Status::NotFound, words)));
    };
    let body = http::read(body, &head.headers).await.map_err(refused)?;
    let named = |refusal: Refusal| refused(refusal.of(mcp::id(&body).as_deref()));
    let [version, ..] = negotiation::own(&head.headers).map_err(named)?;
    if http::is_stateless(version.as_ref()) {
        let words = "This transport has only revisions with a handshake: post to /mcp";
        return Err(named(Refusal::transport(Status::BadRequest, words)));
    }
    if !mcp::is_handshake(&body) {
        negotiation::is_served(version.as_ref()).map_err(named)?;
    }
    let request = shared.number();
    let headers = OwnHeaders::new(std::mem::take(&mut head.headers), shared);
    match channel.receive(Posted { body, principal, headers, request }).await {
        Ok(()) => Ok(()),
        Err(refusal) if refusal.is_an_answer() => {
            channel.refuse(&refusal).await;
            Ok(())
        }
        Err(refusal) => Err(refused(refusal)),
    }
}

/// The id of a channel; clients write its name in two ways.
fn session(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| matches!(&**name, "sessionId" | "session_id")).map(|(_, id)| id.into_owned())
}
