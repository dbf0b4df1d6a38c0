//! Floor 7. The protocol: bytes and a few headers in, a status and bytes out. Knows every
//! revision, and no HTTP server.

mod asks;
mod cancel;
mod channel;
mod classify;
mod content;
mod converse;
mod dispatch;
mod error;
mod headers;
mod hub;
mod invoke;
mod listen;
mod listing;
mod live;
mod messages;
mod mirror;
mod outlet;
mod printing;
#[doc(hidden)]
pub mod probe;
mod prompts;
mod recent;
mod resources;
mod revision;
mod rounds;
mod seal;
mod session;
mod shelf;
mod tools;
mod watches;
mod wire;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{CallerHeaders, Generation, Principal},
    secret::Secret,
    telemetry::Tasks,
};

use asks::Asks;
use cancel::InFlight;
use hub::{Changes, Hub};
use listing::{Asking, Surface, Updates};
use live::Live;
use rounds::States;
use seal::Seal;
use session::Sessions;

pub use channel::{Channel, Eras, Posted};
pub use error::Refusal;
pub use headers::Headers;
pub use messages::Messages;
pub use revision::Revision;
pub use wire::{id, is_handshake, messages};

/// What a response's HTTP status will be. `serve` alone spells numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A result, or an error made by a handler (protocol.md §2.0, "by origin").
    Ok,
    /// A notification or response was taken.
    Accepted,
    /// The message was refused before any handler saw it.
    BadRequest,
    /// No valid credential.
    Unauthorized,
    /// Host or Origin are not allowed.
    Forbidden,
    /// No such endpoint, or no such method in the stateless revision.
    NotFound,
    /// The endpoint does not have this method.
    MethodNotAllowed,
    /// The client takes neither JSON nor an event stream.
    NotAcceptable,
    /// The body did not come in time.
    RequestTimeout,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not JSON by its content type.
    UnsupportedMediaType,
    /// The caller asks too often.
    TooManyRequests,
    /// What is needed to answer cannot be had just now.
    Unavailable,
}

/// What is sent back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: Status,
    /// What is sent.
    pub content: Content,
    /// The id of a new session, for its header.
    pub session: Option<String>,
    /// Every scope that the refused request needs, for the challenge (protocol.md A-02).
    pub scope: Option<String>,
}

/// What a response carries.
#[derive(Debug)]
pub enum Content {
    /// Nothing: the message was only accepted.
    Nothing,
    /// One message.
    Document(Payload),
    /// Messages as they come.
    Messages(Messages),
}

/// What a client takes as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Documents only.
    Documents,
    /// Documents and streams of messages.
    Streams,
}

/// A JSON document in up to three parts, one after the other: what is the same for every request
/// is shared and never copied.
#[derive(Debug, Default)]
pub struct Payload {
    /// What was printed for this request.
    pub head: Bytes,
    /// What all requests share.
    pub shared: Bytes,
    /// What closes the document.
    pub tail: Bytes,
}

impl Payload {
    /// Bytes of the document.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.head.len() + self.shared.len() + self.tail.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the document without line breaks: JSON may have them between its tokens, and has
    /// none within strings.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        for part in [&self.head, &self.shared, &self.tail] {
            let begin = out.len();
            out.extend_from_slice(part);
            for byte in out.iter_mut().skip(begin).filter(|byte| matches!(byte, b'\n' | b'\r')) {
                *byte = b' ';
            }
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(whole: Vec<u8>) -> Self {
        Self { head: whole.into(), ..Self::default() }
    }
}

impl Reply {
    fn ok(body: Payload) -> Self {
        Self { status: Status::Ok, content: Content::Document(body), session: None, scope: None }
    }

    const fn accepted() -> Self {
        Self { status: Status::Accepted, content: Content::Nothing, session: None, scope: None }
    }
}

/// One POST: a message with all that is known about it.
pub struct Incoming<'a, H> {
    /// The bridge of the path `/mcp/{bridge}`; `None` for all of them.
    pub bridge: Option<&'a str>,
    /// The protocol's own headers.
    pub protocol: Headers<'a>,
    /// The caller's headers, for sources that pass a credential on.
    pub headers: H,
    /// What the client takes as an answer.
    pub accepts: Accepts,
    /// The body.
    pub body: Bytes,
    /// Who is calling.
    pub principal: Arc<Principal>,
    /// The id under which logs tell of the request.
    pub request: u64,
}

/// The protocol side of the server.
#[derive(Debug)]
pub struct Server {
    live: ArcSwap<Live>,
    sessions: Sessions,
    /// Marks what stateless clients bring back with their answers. Without a key of all replicas
    /// it is good for this process alone; `None` when the system has no randomness either.
    states: Option<States>,
    in_flight: InFlight,
    asks: Asks,
    hub: Hub,
    tasks: Tasks,
    /// Ends what would not end by itself.
    ending: CancellationToken,
}

fn session_seal(key: Option<&Secret<String>>) -> Seal {
    Seal::new(key.map_or(&[][..], |key| key.expose().as_bytes()), "session")
}

impl Server {
    /// Prints once what is asked for often: lists and introductions of every endpoint. Session
    /// ids are signed with `key`; without one they can be told from what is none, and nothing in
    /// them has to be believed.
    #[must_use]
    pub fn new(generation: Arc<Generation>, key: Option<&Secret<String>>) -> Arc<Self> {
        let surface = Surface::new(generation.plan(), Updates::Never);
        Arc::new(Self {
            live: ArcSwap::new(Live::new(generation, surface)),
            sessions: Sessions::new(session_seal(key)),
            states: key
                .map_or_else(Seal::random, |key| Some(Seal::new(key.expose().as_bytes(), "state")))
                .map(States::new),
            in_flight: InFlight::default(),
            asks: Asks::default(),
            hub: Hub::default(),
            ending: CancellationToken::new(),
            tasks: Tasks::default(),
        })
    }

    /// Whether session ids are signed with this key.
    #[must_use]
    pub fn signs_with(&self, key: Option<&Secret<String>>) -> bool {
        self.sessions.has(&session_seal(key))
    }

    /// What the server runs against.
    #[must_use]
    pub fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.live.load().generation)
    }

    /// The calls that run to their end even when their client has gone.
    #[must_use]
    pub const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Whether a bridge has this name.
    #[must_use]
    pub fn has_bridge(&self, name: &str) -> bool {
        self.live.load().surface.endpoint(Some(name)).is_some()
    }

    /// What `tools/list` answers at an endpoint, printed for clients that cannot ask the person anything.
    #[must_use]
    pub fn tools(&self, bridge: Option<&str>) -> Option<Bytes> {
        let live = self.live.load();
        live.surface.endpoint(bridge).map(|endpoint| endpoint.tools(Revision::LATEST_LEGACY, Asking::Model).clone())
    }

    /// Answers one POST.
    pub async fn handle<H>(self: &Arc<Self>, incoming: &Incoming<'_, H>) -> Reply
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        let live = self.live.load_full();
        match live.surface.view(live.generation.plan(), incoming.bridge, &incoming.principal) {
            Some(endpoint) => dispatch::handle(self, &live, &endpoint, incoming).await,
            None => Refusal::no_bridge(incoming.bridge.unwrap_or_default()).reply(),
        }
    }

    /// Lets clients ask to be told of changes, because the files are watched. Called before the
    /// first client comes.
    pub fn expect_changes(&self) {
        let live = self.live.load();
        self.live.store(live.seen_as(Surface::new(live.generation.plan(), Updates::Told)));
    }

    /// Serves another generation from now on. Who has begun with the old one ends with it, and
    /// everybody whose lists changed is told.
    pub fn replace(&self, generation: Arc<Generation>) {
        let old = self.live.load_full();
        let surface = Surface::after(&old, generation.plan());
        let resources = surface.changed(generation.plan(), &old, &self.hub.watched());
        let changes = Changes { lists: surface.changes_since(&old.surface), resources };
        self.live.store(Live::new(generation, surface));
        self.hub.tell(&changes);
    }

    /// Ends the streams that stay open, because the server stops.
    pub fn end_streams(&self) {
        self.ending.cancel();
        self.hub.close();
    }

    /// Ends a session (protocol.md S-17).
    #[must_use]
    pub fn end(&self, session: &str, principal: &Principal) -> Reply {
        let Some(session) = self.sessions.find(headers::trimmed(session), principal) else {
            return Refusal::no_session().reply();
        };
        self.sessions.end(session.key);
        self.asks.end(session.key);
        self.hub.end(session.key);
        Reply { status: Status::Ok, ..Reply::accepted() }
    }
}
