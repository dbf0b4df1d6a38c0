//! Floor 7. The protocol: bytes and a few headers in, a status and bytes out. Knows every
//! revision, and no HTTP server.

mod cancel;
mod classify;
mod dispatch;
mod error;
mod headers;
mod listing;
mod printing;
mod revision;
mod tools;
mod wire;

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    engine::{CallerHeaders, Generation, Principal},
    telemetry::Tasks,
};

use cancel::InFlight;
use listing::Surface;

pub use error::Refusal;
pub use headers::Headers;
pub use revision::Revision;

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
}

/// What is sent back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: Status,
    /// A JSON document; nothing for what was only accepted.
    pub body: Option<Payload>,
    /// The id of a new session, for its header.
    pub session: Option<String>,
    /// Every scope that the refused request needs, for the challenge (protocol.md A-02).
    pub scope: Option<String>,
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

impl From<Vec<u8>> for Payload {
    fn from(whole: Vec<u8>) -> Self {
        Self { head: whole.into(), ..Self::default() }
    }
}

impl Reply {
    fn ok(body: Payload) -> Self {
        Self { status: Status::Ok, body: Some(body), session: None, scope: None }
    }

    const fn accepted() -> Self {
        Self { status: Status::Accepted, body: None, session: None, scope: None }
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
    generation: Arc<Generation>,
    surface: Surface,
    in_flight: InFlight,
    tasks: Tasks,
}

impl Server {
    /// Prints once what is asked for often: lists and introductions of every endpoint.
    #[must_use]
    pub fn new(generation: Arc<Generation>) -> Arc<Self> {
        let surface = Surface::new(generation.plan());
        Arc::new(Self { generation, surface, in_flight: InFlight::default(), tasks: Tasks::default() })
    }

    /// What the server runs against.
    #[must_use]
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// The calls that run to their end even when their client has gone.
    #[must_use]
    pub const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Whether a bridge has this name.
    #[must_use]
    pub fn has_bridge(&self, name: &str) -> bool {
        self.surface.endpoint(Some(name)).is_some()
    }

    /// What `tools/list` answers at an endpoint, printed.
    #[must_use]
    pub fn tools(&self, bridge: Option<&str>) -> Option<&Bytes> {
        self.surface.endpoint(bridge).map(|endpoint| endpoint.tools(Revision::LATEST_LEGACY))
    }

    /// Answers one POST.
    pub async fn handle<H>(self: &Arc<Self>, incoming: Incoming<'_, H>) -> Reply
    where
        H: CallerHeaders + Clone + Send + Sync + 'static,
    {
        let Some(view) = self.surface.view(self.generation.plan(), incoming.bridge, &incoming.principal) else {
            return Refusal::no_bridge(incoming.bridge.unwrap_or_default()).reply();
        };
        dispatch::handle(self, &view, incoming).await
    }
}
