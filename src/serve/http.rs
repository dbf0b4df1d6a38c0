//! Floor 8. Routes and the layers before them, in the order in which they must come.

use std::{
    borrow::Cow,
    convert::Infallible,
    mem,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request},
    routing::get,
};
use futures_util::{FutureExt as _, poll};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use tower::ServiceExt;

use super::{
    authority,
    callers::{Callers, Head, only},
    challenge::{Challenges, Refused},
    channels::{self, Channels},
    cors, events,
    guard::{Guard, Suspicious},
    lasting::Lasting,
    negotiation,
    payload::Parts,
    readiness::Probe,
    refusals,
    reload::Outcome,
};
use crate::{
    authority::Route,
    engine::{CallerHeaders, Principal},
    heap,
    mcp::{self, Accepts, Content, Headers, Incoming, Refusal, Reply, Revision, Status},
    telemetry::{self, Tasks},
};

/// Bytes of a request's body at most.
const BODY_MAX: usize = 4 << 20;
/// How long a client may take to send it.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What is still read, and thrown away, of the body of a refused request, and for how long: a
/// client that is cut off while it sends does not see the refusal.
const DISCARD_MAX: usize = 16 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything a request is answered with.
#[derive(Debug)]
pub(super) struct App {
    shared: Arc<Shared>,
    router: Router,
    guard: ArcSwap<Guard>,
    address: SocketAddr,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) protocol: Arc<mcp::Server>,
    pub(super) channels: Channels,
    callers: ArcSwap<Callers>,
    probe: Probe,
    requests: AtomicU64,
}

impl Shared {
    /// The id under which logs tell of a request.
    pub(super) fn number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }
}

impl App {
    pub(super) fn new(protocol: Arc<mcp::Server>, address: SocketAddr, callers: Callers) -> Self {
        let guard = Guard::new(&protocol.generation().plan().server, address);
        let callers = ArcSwap::from_pointee(callers);
        let (channels, probe, requests) = (Channels::default(), Probe::default(), AtomicU64::new(1));
        let shared = Arc::new(Shared { protocol, channels, callers, probe, requests });
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .fallback(nowhere)
            .with_state(Arc::clone(&shared));
        Self { shared, router, guard: ArcSwap::from_pointee(guard), address }
    }

    /// The calls that the end of the server waits for.
    pub(super) fn tasks(&self) -> &Tasks {
        self.shared.protocol.tasks()
    }

    /// The protocol side.
    pub(super) fn protocol(&self) -> &Arc<mcp::Server> {
        &self.shared.protocol
    }

    /// The address that is listened on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says who may call from now on.
    pub(super) fn let_in(&self, guard: Guard, callers: Callers) {
        self.guard.store(Arc::new(guard));
        self.shared.callers.store(Arc::new(callers));
    }

    /// Remembers whether the latest change of the files is served.
    pub(super) fn note(&self, outcome: Outcome) {
        self.shared.probe.note(outcome);
    }

    /// Lets clients ask to be told of changes.
    pub(super) fn expect_changes(&self) {
        self.shared.protocol.expect_changes();
    }

    /// Ends the streams that would stay open.
    pub(super) fn end_streams(&self) {
        self.shared.protocol.end_streams();
    }

    /// Closes the sources, when the last request was answered.
    pub(super) async fn close(&self) {
        self.shared.protocol.generation().close().await;
    }

    /// Answers one request of a client at an address.
    ///
    /// # Errors
    /// None: the type is that of a service of hyper.
    pub(super) async fn respond(
        self: Arc<Self>,
        request: Request<hyper::body::Incoming>,
        peer: IpAddr,
    ) -> Result<Response<Body>, Infallible> {
        let (request::Parts { method, uri, headers, .. }, body) = request.into_parts();
        let mut body = Body::new(body);
        let mut head = Head { method, uri, headers, peer };
        // A client that asks before it sends sends nothing after a refusal.
        let asks = head.headers.contains_key(header::EXPECT);
        let mut response = self.answer(&mut head, &mut body).await;
        self.guard.load().seal(response.headers_mut());
        if response.status().is_client_error() && !asks && !body.is_end_stream() {
            telemetry::spawn(discard(body));
        }
        Ok(response)
    }

    async fn answer(&self, head: &mut Head, body: &mut Body) -> Response<Body> {
        // Host and Origin come before everything, on every route: a page on a foreign site must
        // not learn even that something is here.
        let origin = match self.guard.load().check(&head.uri, &head.headers) {
            Ok(origin) => Ok(origin.cloned()),
            Err(reason) => Err(reason),
        };
        // Who issues tokens is for every page to read: it names nobody and nothing inside.
        if head.uri.path().starts_with("/.well-known/") && !matches!(origin, Err(Suspicious::Host | Suspicious::NoHost))
        {
            let callers = self.shared.callers.load_full();
            let metadata = callers.challenges.metadata();
            if let Some(answer) = metadata.and_then(|all| all.answer(&head.method, head.uri.path())) {
                return answer;
            }
        }
        // So are the doors of the authorization server through which programs come: no cookie counts there.
        let for_programs = Route::is_for_programs(head.uri.path());
        let origin = match origin {
            Ok(origin) => origin,
            Err(Suspicious::Origin) if for_programs => None,
            Err(reason) => return suspicious(reason),
        };
        if head.uri.path().starts_with("/oauth/") {
            let callers = self.shared.callers.load_full();
            if let Some(authority) = &callers.authority {
                let address = callers.origin_of(head);
                if let Some(answer) = authority::respond(authority, head, body, address).boxed().await {
                    return answer;
                }
            }
        }
        let mut response = if origin.is_some() && head.method == Method::OPTIONS {
            cors::preflight(&head.headers)
        } else {
            self.route(head, body).await
        };
        if let Some(origin) = &origin {
            cors::admit(origin, &mut response);
        }
        response
    }

    /// The paths that nearly every request takes go round the router, which costs more than all
    /// else that is done here, and wants paths to be text. The futures of the others are boxed, or
    /// every request would carry their room along.
    async fn route(&self, head: &mut Head, body: &mut Body) -> Response<Body> {
        if head.uri.path() == "/mcp" {
            return endpoint(&self.shared, None, head, body).await;
        }
        // Shared, not copied.
        let uri = head.uri.clone();
        let path = uri.path();
        if let Some(bridge) = path.strip_prefix("/mcp/").and_then(named) {
            return endpoint(&self.shared, Some(&bridge), head, body).await;
        }
        if path == "/sse" {
            return either(&self.shared, None, head, body).boxed().await;
        }
        if let Some(bridge) = path.strip_prefix("/sse/").and_then(named) {
            return either(&self.shared, Some(&bridge), head, body).boxed().await;
        }
        if path == channels::MESSAGES && head.method == Method::POST {
            return channels::post(&self.shared, head, body).boxed().await;
        }
        // A router that has its state never fails.
        let mut request = Request::new(Body::empty());
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
            (head.method.clone(), uri.clone(), mem::take(&mut head.headers));
        match self.router.clone().oneshot(request).boxed().await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The bridge that the last part of a path names. What is no text names no bridge.
fn named(part: &str) -> Option<Cow<'_, str>> {
    let is_one = !part.is_empty() && !part.contains('/');
    is_one.then(|| percent_encoding::percent_decode_str(part).decode_utf8().unwrap_or(part.into()))
}

async fn discard(body: Body) {
    let mut rest = Limited::new(body, DISCARD_MAX);
    let reading = async { while let Some(Ok(_)) = rest.frame().await {} };
    // What is not read in time is the client's loss.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, reading).await;
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let report = shared.probe.report(&shared.protocol.generation()).await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, report.body.into())
}

async fn nowhere() -> Response<Body> {
    send(
        Refusal::transport(
            Status::NotFound,
            "Not found: MCP is served at /mcp and /mcp/{bridge}, and with HTTP+SSE at /sse and /sse/{bridge}",
        )
        .reply(),
    )
}

/// The path of HTTP+SSE: who posts there speaks Streamable HTTP, so that people may give either
/// address to either kind of client (protocol.md E-09).
async fn either(shared: &Arc<Shared>, bridge: Option<&str>, head: &mut Head, body: &mut Body) -> Response<Body> {
    if head.method != Method::GET {
        return endpoint(shared, bridge, head, body).await;
    }
    match admit(shared, head, body).await {
        Ok(principal) => channels::open(shared, bridge, principal, &head.headers),
        Err(refused) => *refused,
    }
}

/// The MCP endpoint: who is calling, then the method, then the body, in this order, so that a
/// stranger cannot make us read one (protocol.md §2.0, steps 2 to 5).
async fn endpoint(shared: &Arc<Shared>, bridge: Option<&str>, head: &mut Head, body: &mut Body) -> Response<Body> {
    let principal = match admit(shared, head, body).await {
        Ok(principal) => principal,
        Err(refused) => return *refused,
    };
    match head.method {
        Method::POST => {}
        Method::GET => return stand(shared, bridge, &principal, &head.headers),
        Method::DELETE => return end(shared, bridge, &principal, &head.headers),
        _ => return not_post(),
    }
    let accepts = negotiation::accepts(&head.headers);
    if let Err(refusal) = negotiation::is_json(&head.headers) {
        return send(refusal.reply());
    }
    let body = match read(body, &head.headers).await {
        Ok(body) => body,
        Err(refusal) => return send(refusal.reply()),
    };
    let negotiated = negotiation::takes_json(&head.headers).and_then(|()| negotiation::own(&head.headers));
    let [version, method, name, session] = match negotiated {
        Ok(own) => own,
        // Whose headers do not fit is told which request it was (protocol.md H-18).
        Err(refusal) => return send(refusal.of(mcp::id(&body).as_deref()).reply()),
    };
    let more = mcp::messages(&body).saturating_sub(1);
    if more > 0
        && let Err(turned) = shared.callers.load_full().count(&principal, head, more).await
    {
        let callers = shared.callers.load_full();
        return refusals::turned(turned, &callers.challenges, head, &mut Body::empty()).boxed().await;
    }
    let id = shared.number();
    let lent = shared.callers.load().lent(&principal, &head.headers);
    let headers = OwnHeaders::new(mem::take(&mut head.headers), shared);
    let lasting = !is_stateless(version.as_ref());
    let (protocol, bridge) = (Arc::clone(&shared.protocol), bridge.map(str::to_owned));
    let tasks = protocol.tasks().clone();
    // One box here keeps a large future from being moved through every layer above.
    let work = heap::place(|| async move {
        let own = Headers {
            version: text(version.as_ref()),
            method: text(method.as_ref()),
            name: text(name.as_ref()),
            session: text(session.as_ref()),
        };
        let bridge = bridge.as_deref();
        let incoming = Incoming { bridge, protocol: own, headers, accepts, body, principal, request: id };
        protocol.handle(&incoming).await
    });
    let reply = if lasting { Lasting::new(work, tasks).await } else { work.await };
    if let Some(credential) = lent.filter(|_| reply.status == Status::Unauthorized) {
        shared.callers.load().authenticator.forget(credential.as_bytes());
    }
    let refused = match (reply.scope.as_deref(), reply.status) {
        (Some(scope), _) => Some(Refused::Scope(scope)),
        // Who is calling is known: it is the API behind a tool that did not take the caller's token.
        (None, Status::Unauthorized) => Some(Refused::Invalid("The API did not accept the token")),
        (None, _) => None,
    };
    let challenge = refused.map(|refused| shared.callers.load().challenges.value(refused, head.uri.path()));
    let mut response = send(reply);
    if let Some(challenge) = challenge {
        response.headers_mut().insert(Challenges::NAME, challenge);
    }
    response
}

/// Opens the stream of a session (protocol.md S-09). Browsers, and clients without a session,
/// learn that there is none.
fn stand(shared: &Shared, bridge: Option<&str>, principal: &Principal, headers: &HeaderMap) -> Response<Body> {
    let session = match session(headers) {
        Ok(session) => session.filter(|_| negotiation::accepts(headers) == Accepts::Streams),
        Err(refusal) => return send(refusal.reply()),
    };
    let Some(session) = session else { return not_post() };
    let reply = shared.protocol.listen(bridge, session, principal);
    match reply.content {
        Content::Messages(messages) => events::stream(messages, Some(events::opening())),
        Content::Document(_) if reply.status == Status::MethodNotAllowed => not_post(),
        Content::Document(_) | Content::Nothing => send(reply),
    }
}

/// Ends a session (protocol.md S-17). Who has none has nothing to end.
fn end(shared: &Shared, bridge: Option<&str>, principal: &Principal, headers: &HeaderMap) -> Response<Body> {
    match session(headers) {
        Ok(Some(_)) if bridge.is_some_and(|bridge| !shared.protocol.has_bridge(bridge)) => {
            send(Refusal::no_bridge(bridge.unwrap_or_default()).reply())
        }
        Ok(Some(session)) => send(shared.protocol.end(session, principal)),
        Ok(None) => not_post(),
        Err(refusal) => send(refusal.reply()),
    }
}

/// The session that a client names, in a revision that has sessions.
fn session(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let [version, ..] = negotiation::own(headers)?;
    negotiation::is_served(version.as_ref())?;
    let named = headers.get(negotiation::SESSION).and_then(|session| session.to_str().ok());
    Ok(named.filter(|_| !is_stateless(version.as_ref())))
}

/// Whether a client speaks a revision without sessions, in which a lost connection takes a
/// request back (protocol.md H-16, H-17).
pub(super) fn is_stateless(version: Option<&HeaderValue>) -> bool {
    text(version).map(str::trim).and_then(Revision::parse).is_some_and(Revision::is_stateless)
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

/// The caller's headers without the keys of this server.
#[derive(Clone)]
pub(super) struct OwnHeaders {
    all: HeaderMap,
    shared: Arc<Shared>,
}

impl OwnHeaders {
    pub(super) fn new(all: HeaderMap, shared: &Arc<Shared>) -> Self {
        Self { all, shared: Arc::clone(shared) }
    }
}

impl CallerHeaders for OwnHeaders {
    fn get(&self, name: &str) -> Option<&[u8]> {
        only(&self.all, name).filter(|value| !self.shared.callers.load().authenticator.is_key(value))
    }
}

/// Tells who is calling, or what such a caller is answered.
pub(super) async fn admit(
    shared: &Shared,
    head: &Head,
    body: &mut Body,
) -> Result<Arc<Principal>, Box<Response<Body>>> {
    let callers = shared.callers.load_full();
    let found = callers.admit(head).await;
    if let Some(audit) = shared.protocol.generation().audit() {
        callers.record(audit, head, &found);
    }
    match found {
        Ok(principal) => Ok(principal),
        Err(turned) => {
            let response = refusals::turned(turned, &callers.challenges, head, body).boxed().await;
            Err(Box::new(response))
        }
    }
}

/// The endpoint has no such method here; clients look no further (protocol.md S-09, H-16).
#[cold]
fn not_post() -> Response<Body> {
    let mut response = send(Refusal::transport(Status::MethodNotAllowed, "This endpoint takes POST").reply());
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

pub(super) async fn read(body: &mut Body, headers: &HeaderMap) -> Result<Bytes, Refusal> {
    let too_large =
        || Refusal::transport(Status::PayloadTooLarge, format!("The body is larger than {} MiB", BODY_MAX >> 20));
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_MAX) {
        return Err(too_large());
    }
    let reading = async {
        let mut body = Limited::new(body, BODY_MAX);
        let Some(first) = body.frame().await else { return Ok(Bytes::new()) };
        let first = first?.into_data().unwrap_or_default();
        // Nearly every body comes whole, and is read where it came.
        if body.is_end_stream() {
            return Ok(first);
        }
        let rest = body.collect().await?.to_bytes();
        Ok(if rest.is_empty() { first } else { [first, rest].concat().into() })
    };
    let mut reading = pin!(reading);
    // A deadline costs more than reading what has come already.
    let read = match poll!(&mut reading) {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => tokio::time::timeout(BODY_TIMEOUT, reading).await,
    };
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            let error: Box<dyn std::error::Error + Send + Sync> = error;
            Err(if error.is::<LengthLimitError>() {
                too_large()
            } else {
                Refusal::transport(Status::BadRequest, "The body broke off")
            })
        }
        Err(_) => Err(Refusal::transport(Status::RequestTimeout, "The body did not come in time")),
    }
}

#[cold]
fn suspicious(reason: Suspicious) -> Response<Body> {
    let refusal = match reason {
        Suspicious::NoHost => Refusal::transport(Status::BadRequest, "There must be exactly one Host header"),
        Suspicious::Host => Refusal::transport(
            Status::Forbidden,
            "This Host is not allowed: set server.public_url or server.allowed_hosts to the name that clients use",
        ),
        Suspicious::Origin => Refusal::transport(
            Status::Forbidden,
            "This Origin is not allowed: add it to server.allowed_origins if the page may call",
        ),
    };
    send(refusal.reply())
}

/// A message was taken, and is answered elsewhere if at all.
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

pub(super) fn send(reply: Reply) -> Response<Body> {
    let status = status(reply.status);
    let mut response = match reply.content {
        Content::Document(body) => json(status, Body::new(Parts::from(body))),
        Content::Messages(messages) => events::stream(messages, None),
        Content::Nothing => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            return response;
        }
    };
    if let Some(session) = reply.session.and_then(|session| HeaderValue::try_from(session).ok()) {
        response.headers_mut().insert(negotiation::SESSION, session);
    }
    response
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

const fn status(status: Status) -> StatusCode {
    match status {
        Status::Ok => StatusCode::OK,
        Status::Accepted => StatusCode::ACCEPTED,
        Status::BadRequest => StatusCode::BAD_REQUEST,
        Status::Unauthorized => StatusCode::UNAUTHORIZED,
        Status::Forbidden => StatusCode::FORBIDDEN,
        Status::NotFound => StatusCode::NOT_FOUND,
        Status::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Status::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Status::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Status::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Status::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Status::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
