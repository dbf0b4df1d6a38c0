//! Floor 5. HTTP/1.1 without TLS to one server, over connections that the calls drive themselves: no task
//! stands between a call and its connection that would have to be woken for each step. Serves `lane`.

use std::{
    error::Error as _,
    future::{Future, poll_fn},
    io::{self, ErrorKind},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    runtime::Handle,
    time::{Instant, sleep},
};
use tower::Service as _;
use url::{Position, Url};

use super::{
    lane::{Fault, POOL_IDLE, Stage},
    request::Outgoing,
};

/// How long the kernel waits on a silent connection before it asks whether the other end still lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How often unused connections are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// The way to one server.
pub(super) struct Plain {
    connector: HttpConnector,
    /// The server, as the first bytes of every address name it.
    origin: Url,
    address: Uri,
    host: HeaderValue,
    idle: Arc<Idle>,
}

impl Plain {
    /// The way to the server of an address. No connection is opened.
    ///
    /// # Errors
    /// When the address cannot be that of a server.
    pub(super) fn to(url: &Url, connect_timeout: Duration, max_idle: usize) -> Result<Self, http::Error> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        connector.set_keepalive(Some(KEEPALIVE));
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let address = Uri::builder().scheme("http").authority(authority).path_and_query("/").build()?;
        let host = HeaderValue::from_str(authority)?;
        let kept = Mutex::new(Kept { links: Vec::new(), sweeper: Sweeper::None });
        let idle = Arc::new(Idle { kept, most: max_idle });
        Ok(Self { connector, origin: url.clone(), address, host, idle })
    }

    /// Sends one request and waits for the head of the answer. Dropping the future, or the answer before
    /// its end, closes the connection.
    pub(super) async fn send(&self, outgoing: Box<Outgoing>) -> Result<Reply, Fault> {
        let used = self.idle.take();
        let when_closed = if used.is_some() { Stage::Stale } else { Stage::Sent };
        let mut link = match used {
            Some(link) => link,
            None => Box::pin(self.connect()).await?,
        };
        let answer = pin!(link.requests.send_request(self.request(*outgoing)?));
        match link.drive(answer).await {
            Ok(answer) => Ok(Reply { answer, link: Some(link), idle: Arc::clone(&self.idle) }),
            Err(error) if is_end(&error) => Err(Fault::new(when_closed, &error)),
            Err(error) => Err(error.into()),
        }
    }

    fn request(&self, outgoing: Outgoing) -> Result<Request<Full<Bytes>>, Fault> {
        let Outgoing { method, url, headers, body } = outgoing;
        if url[..Position::BeforePath] != self.origin[..Position::BeforePath] {
            return Err(Fault { stage: Stage::Building, cause: "the address is that of another server".into() });
        }
        let mut request = Request::new(Full::from(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = target(url).map_err(|error| Fault::new(Stage::Building, &error))?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, self.host.clone());
        Ok(request)
    }

    async fn connect(&self) -> Result<Box<Link>, Fault> {
        let mut connector = self.connector.clone();
        let connected = match poll_fn(|context| connector.poll_ready(context)).await {
            Ok(()) => connector.call(self.address.clone()).await,
            Err(error) => Err(error),
        };
        let stream = connected.map_err(|error| Fault::unconnected(&error))?;
        let (requests, connection) = http1::handshake(stream).await?;
        Ok(Box::new(Link { requests, connection, state: State::Open }))
    }
}

/// Whether a connection ended where the answer should have begun.
fn is_end(error: &hyper::Error) -> bool {
    let kind = error.source().and_then(|cause| cause.downcast_ref()).map(io::Error::kind);
    let is_cut =
        matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe));
    error.is_incomplete_message() || is_cut
}

/// What a request asks for at its server: the path and the query.
fn target(url: Url) -> Result<Uri, http::uri::InvalidUri> {
    let start = url[..Position::BeforePath].len();
    let end = url[..Position::AfterQuery].len();
    let whole = Bytes::from(String::from(url));
    PathAndQuery::from_maybe_shared(whole.slice(start..end)).map(Uri::from)
}

/// A connection, used by one call at a time.
struct Link {
    requests: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<TcpStream>, Full<Bytes>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// It has come to its end and must not be polled again.
    Over,
}

impl Link {
    /// Lets the connection work until `step` is done, which waits for something that it brings.
    async fn drive<T>(&mut self, mut step: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            if let Poll::Ready(done) = step.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            self.work(context);
            step.as_mut().poll(context)
        })
        .await
    }

    /// What goes wrong here is told to whoever waits for an answer.
    fn work(&mut self, context: &mut Context<'_>) {
        if self.state == State::Open && Pin::new(&mut self.connection).poll(context).is_ready() {
            self.state = State::Over;
        }
    }

    /// Whether it can take a request, as far as is known here. Nobody is woken when that changes.
    fn is_ready(&mut self) -> bool {
        self.work(&mut Context::from_waker(Waker::noop()));
        self.state == State::Open && self.requests.is_ready()
    }
}

/// Connections that nobody uses.
struct Idle {
    kept: Mutex<Kept>,
    most: usize,
}

struct Kept {
    /// The last used at the end.
    links: Vec<(Instant, Box<Link>)>,
    sweeper: Sweeper,
}

/// Whether a task looks through the connections now and then. There is one while there are any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweeper {
    None,
    Runs,
}

impl Idle {
    /// A connection that was used before and can be used again.
    fn take(&self) -> Option<Box<Link>> {
        loop {
            let (since, mut link) = self.kept.lock().links.pop()?;
            if since.elapsed() < POOL_IDLE && link.is_ready() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection whose answer was read to its end.
    fn keep(self: &Arc<Self>, mut link: Box<Link>) {
        if !link.is_ready() {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.links.len() < self.most {
            kept.links.push((Instant::now(), link));
        }
        if kept.sweeper == Sweeper::None
            && let Ok(runtime) = Handle::try_current()
        {
            kept.sweeper = Sweeper::Runs;
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Closes connections that were unused for too long or that their server has closed, until there are none.
async fn sweep(idle: Weak<Idle>) {
    loop {
        sleep(SWEEP).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut kept = idle.kept.lock();
        kept.links.retain_mut(|(since, link)| since.elapsed() < POOL_IDLE && link.is_ready());
        if kept.links.is_empty() {
            kept.sweeper = Sweeper::None;
            return;
        }
    }
}

/// An answer whose body is still to be read.
pub(super) struct Reply {
    pub(super) answer: Response<Incoming>,
    /// `None` when the body is at its end.
    link: Option<Box<Link>>,
    idle: Arc<Idle>,
}

impl Reply {
    /// The next piece of the body; `None` at its end, where the connection goes back.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(link) = &mut self.link else { return Ok(None) };
        let body = self.answer.body_mut();
        while !body.is_end_stream()
            && let Some(frame) = link.drive(pin!(body.frame())).await
        {
            // What is no data is a trailer, which nobody asked for.
            if let Ok(data) = frame.map_err(|error| Fault::new(Stage::Sent, &error))?.into_data() {
                return Ok(Some(data));
            }
        }
        if let Some(link) = self.link.take() {
            self.idle.keep(link);
        }
        Ok(None)
    }
}
