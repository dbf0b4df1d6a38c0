//! Floor 5. Sends requests in one of two lanes and reads what comes back: `https` through
//! `reqwest`, plain `http` over connections of `plain`.

use std::{
    error::Error,
    fmt::Write as _,
    io, iter,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_ENCODING};
use hyper::body::Body as _;
use url::Url;

use super::{
    plain::{self, Over, Plain},
    request::Outgoing,
};
use crate::{
    plan::{
        RestSource,
        test::{StubAnswer, StubFailure},
    },
    secret::{Secret, Vault},
    upstream::{FailureClass, Tape, UpstreamError},
};

/// How long an unused connection is kept: below the 60 s after which common load balancers close
/// it, so that a request rarely meets a connection that is just being closed (rest.md §9.13).
pub(super) const POOL_IDLE: Duration = Duration::from_secs(55);

/// The way to a source, with its own pool. Neither lane follows redirects or asks the environment for a proxy.
pub(super) enum Lane {
    /// TLS, HTTP/2 where the server speaks it, compressed answers.
    Tls(Box<Deferred>),
    /// TCP and HTTP/1.1 with nothing in between. Asks for no compression and reads none.
    Plain(Box<Plain>),
    /// None: the stubs of a test.
    Played(Arc<Tape>),
}

/// A client that is built when the first request is sent: every one holds a copy of the
/// system's trusted certificates, and most bridges are listed more often than they are called.
#[derive(Debug)]
pub(super) struct Deferred {
    client: OnceLock<reqwest::Client>,
    https_only: bool,
    connect_timeout: Duration,
    max_idle: usize,
    /// The authorities in the place of the system's.
    trusted: Vec<reqwest::Certificate>,
    identity: Option<reqwest::Identity>,
    proxy: Option<reqwest::Proxy>,
}

impl Deferred {
    fn new(https_only: bool, source: &RestSource) -> Self {
        Self {
            client: OnceLock::new(),
            https_only,
            connect_timeout: source.connect_timeout,
            max_idle: source.concurrency,
            trusted: Vec::new(),
            identity: None,
            proxy: None,
        }
    }

    /// # Errors
    /// When no client can be built, as without any trusted certificates.
    fn client(&self) -> Result<&reqwest::Client, Fault> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut builder = reqwest::Client::builder()
            // A redirect would carry credentials to wherever the answer points.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(self.https_only)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(self.max_idle)
            .tcp_nodelay(true)
            .http2_adaptive_window(true);
        if !self.trusted.is_empty() {
            builder = builder.tls_certs_only(self.trusted.iter().cloned());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        let built = builder.build()?;
        Ok(self.client.get_or_init(|| built))
    }
}

impl Lane {
    /// The lane for the scheme of an address that belongs to a source. No connection is opened.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] for certificates or a proxy that cannot be used.
    pub(super) fn to(url: &Url, source: &RestSource, vault: &Vault) -> Result<Self, UpstreamError> {
        let network = &source.network;
        let unusable = |what: &str, error: &dyn std::fmt::Display| {
            UpstreamError::new(FailureClass::Internal, format!("{what} of a source cannot be used.")).caused_by(error)
        };
        if url.scheme() == "http" && network.proxy.is_none() {
            // As many as there may be requests at once: a burst must not close what the next one needs.
            let plain = Plain::to(url, source.connect_timeout, source.concurrency);
            return Ok(Self::Plain(Box::new(plain.map_err(|error| unusable("The address", &error))?)));
        }
        let mut deferred = Deferred::new(url.scheme() == "https", source);
        if let Some(ca) = &network.ca {
            let all = reqwest::Certificate::from_pem_bundle(ca.as_bytes());
            deferred.trusted = all.map_err(|error| unusable("The trusted authorities (`tls.ca`)", &error))?;
        }
        if let Some(identity) = &network.identity {
            let key = vault.get(identity.key).map_or("", |key| key.expose());
            let whole = Secret::new(format!("{}\n{key}", identity.certificate));
            let read = reqwest::Identity::from_pem(whole.expose().as_bytes());
            let read = read.map_err(|error| unusable("The certificate or its key (`tls`)", &error))?;
            deferred.identity = Some(read);
        }
        if let Some(proxy) = network.proxy.and_then(|id| vault.get(id)) {
            // The error would show the address with its password.
            let read = reqwest::Proxy::all(proxy.expose());
            deferred.proxy = Some(read.map_err(|_| unusable("The `proxy`", &"its address cannot be read"))?);
        }
        Ok(Self::Tls(Box::new(deferred)))
    }

    /// The lane through `reqwest`, also for plain `http`.
    #[cfg(test)]
    pub(super) fn tls(source: &RestSource) -> Self {
        Self::Tls(Box::new(Deferred::new(source.base.scheme() == "https", source)))
    }

    /// Sends one request and waits for the head of the answer. The lane of `https` has its own mind about
    /// connections.
    pub(super) async fn send(&self, outgoing: Box<Outgoing>, over: Over) -> Result<Reply, Fault> {
        match self {
            Self::Tls(deferred) => {
                let execute = {
                    let Outgoing { method, url, headers, body } = *outgoing;
                    let mut request = reqwest::Request::new(method, url);
                    *request.headers_mut() = headers;
                    *request.body_mut() = body.map(Into::into);
                    deferred.client()?.execute(request)
                };
                Ok(Reply::Tls(Box::new(execute.await?)))
            }
            Self::Plain(plain) => Ok(Reply::Plain(plain.send(outgoing, over).await?)),
            Self::Played(tape) => match tape.play_answer() {
                Some(Ok(answer)) => Ok(Reply::Played(Box::new(played(answer)?))),
                Some(Err(StubFailure::Unreachable)) => Err(absent("could not be reached: the connection was refused")),
                Some(Err(StubFailure::Timeout)) => {
                    Err(Fault { stage: Stage::TimedOut, cause: "the test says so".into() })
                }
                None => Err(absent("has no answer to this in the test")),
            },
        }
    }
}

/// An answer whose body is still to be read.
pub(super) enum Reply {
    Tls(Box<reqwest::Response>),
    Plain(Box<plain::Reply>),
    Played(Box<http::Response<Option<Bytes>>>),
}

impl Reply {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Tls(response) => response.status(),
            Self::Plain(reply) => reply.answer.status(),
            Self::Played(response) => response.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Tls(response) => response.headers(),
            Self::Plain(reply) => reply.answer.headers(),
            Self::Played(response) => response.headers(),
        }
    }

    /// Takes the headers out.
    pub(super) fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(match self {
            Self::Tls(response) => response.headers_mut(),
            Self::Plain(reply) => reply.answer.headers_mut(),
            Self::Played(response) => response.headers_mut(),
        })
    }

    /// How the body is compressed, where this lane does not undo it.
    pub(super) fn compression(&self) -> Option<HeaderValue> {
        match self {
            Self::Plain(reply) if !reply.answer.body().is_end_stream() => {
                let mut written = reply.answer.headers().get_all(CONTENT_ENCODING).iter();
                written.find(|name| !name.as_bytes().eq_ignore_ascii_case(b"identity")).cloned()
            }
            Self::Plain(_) | Self::Tls(_) | Self::Played(_) => None,
        }
    }

    /// How long the body is, where that is known before it is read.
    pub(super) fn announced(&self) -> Option<u64> {
        match self {
            Self::Tls(response) => response.content_length(),
            Self::Plain(reply) => reply.answer.body().size_hint().exact(),
            Self::Played(response) => response.body().as_ref().map(|body| body.len() as u64),
        }
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        match self {
            Self::Tls(response) => Ok(response.chunk().await?),
            Self::Plain(reply) => reply.chunk().await,
            Self::Played(response) => Ok(response.body_mut().take()),
        }
    }
}

/// The answer of a stub.
fn played(answer: StubAnswer) -> Result<http::Response<Option<Bytes>>, Fault> {
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = (!answer.body.is_empty()).then_some(answer.body);
    response.body(body).map_err(|error| Fault::new(Stage::Building, &error))
}

fn absent(what: &'static str) -> Fault {
    Fault { stage: Stage::Connecting(what), cause: "a test asks no source".into() }
}

/// How far a request had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It cannot be sent as it is.
    Building,
    /// There was no connection, for the reason given in words for the caller.
    Connecting(&'static str),
    /// It took a connection that had been used before, which then closed without an answer: most likely
    /// its server did not want to keep it, and the request and its end met on the way.
    Stale,
    /// It was sent, at least in part.
    Sent,
    /// What came back is no answer of HTTP.
    Garbled,
    /// The connection was silent for too long.
    TimedOut,
}

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) stage: Stage,
    /// The error with its causes, for the log. It holds no address.
    pub(super) cause: String,
}

impl Fault {
    /// A fault of an answer that came and cannot be taken.
    pub(super) fn told(cause: &str) -> Self {
        Self { stage: Stage::Sent, cause: cause.to_owned() }
    }

    /// No connection came about.
    pub(super) fn unconnected(error: &(dyn Error + 'static)) -> Self {
        Self::new(Stage::Connecting(unconnected(error)), error)
    }

    pub(super) fn new(stage: Stage, error: &(dyn Error + 'static)) -> Self {
        let mut cause = error.to_string();
        for inner in causes(error) {
            // Writing to a string cannot fail.
            let _ = write!(cause, ": {inner}");
        }
        Self { stage, cause }
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let stage = if error.is_connect() {
            Stage::Connecting(if error.is_timeout() { CONNECT_TIMEOUT } else { unconnected(&error) })
        } else if error.is_builder() {
            Stage::Building
        } else if error.is_timeout() {
            Stage::TimedOut
        } else if causes(&error).filter_map(|cause| cause.downcast_ref()).any(hyper::Error::is_parse) {
            Stage::Garbled
        } else {
            Stage::Sent
        };
        Self::new(stage, &error)
    }
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        let stage = if error.is_parse() {
            Stage::Garbled
        } else if causes(&error).any(|cause| io_kind(cause) == Some(io::ErrorKind::TimedOut)) {
            Stage::TimedOut
        } else {
            Stage::Sent
        };
        Self::new(stage, &error)
    }
}

const CONNECT_TIMEOUT: &str = "could not be reached: connecting timed out";

/// Why no connection came about, without the address.
fn unconnected(error: &(dyn Error + 'static)) -> &'static str {
    for cause in iter::once(error).chain(causes(error)) {
        if cause.to_string() == "dns error" {
            return "could not be reached: its host name was not found";
        }
        match io_kind(cause) {
            Some(io::ErrorKind::ConnectionRefused) => return "could not be reached: the connection was refused",
            Some(io::ErrorKind::TimedOut) => return CONNECT_TIMEOUT,
            // The TLS library hands its refusals on as these.
            Some(io::ErrorKind::InvalidData | io::ErrorKind::Other) => {
                return "could not be reached: no trusted TLS connection could be made";
            }
            _ => {}
        }
    }
    "could not be reached"
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    error.downcast_ref().map(io::Error::kind)
}

/// What led to an error, from the outside in.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(error.source(), |cause| (*cause).source())
}
