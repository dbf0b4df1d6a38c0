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
use futures_util::future::FutureExt as _;
use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    task::coop,
    time::{Instant, sleep},
};
use tower::Service as _;
use url::{Position, Url};

use super::{
    lane::{Fault, POOL_IDLE, Stage},
    request::Outgoing,
    wire::{Rest, Wire},
};

/// How long the kernel waits on a silent connection before it asks whether the other end still lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// What happened to a request for which a connection was made in vain.
const CLOSED: &str = "closed a new connection before it was asked anything";
/// How often unused connections are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// Which connections a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// One that was used before, where there is one.
    Any,
    /// Its own: what was used before has just failed it.
    New,
}

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
    pub(super) async fn send(&self, outgoing: Box<Outgoing>, over: Over) -> Result<Box<Reply>, Fault> {
        let mut request = self.request(outgoing)?;
        loop {
            let used = if over == Over::Any { self.idle.take() } else { None };
            let when_closed = if used.is_some() { Stage::Stale } else { Stage::Sent };
            let mut link = match used {
                Some(link) => link,
                None => self.connect().boxed().await?,
            };
            let answer = pin!(link.requests.try_send_request(request));
            let mut failed = match link.drive(answer).await {
                Ok(answer) => return Ok(Box::new(Reply { answer, link: Some(link), idle: Arc::clone(&self.idle) })),
                Err(failed) => failed,
            };
            let unsent = failed.take_message();
            let error = failed.into_error();
            match unsent {
                // Not a byte of it was written: whatever it changes, the next connection may have it.
                Some(unsent) if when_closed == Stage::Stale => request = unsent,
                Some(_) => return Err(Fault::new(Stage::Connecting(CLOSED), &error)),
                None if is_end(&error) => return Err(Fault::new(when_closed, &error)),
                None => return Err(error.into()),
            }
        }
    }

    fn request(&self, outgoing: Box<Outgoing>) -> Result<Request<Full<Bytes>>, Fault> {
        let Outgoing { method, url, headers, body } = *outgoing;
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
        let rest = Rest::default();
        let (requests, connection) = http1::handshake(Wire::new(stream, rest.clone())).await?;
        Ok(Box::new(Link { requests, connection: Some(connection), rest }))
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
    /// `None` when it has come to its end. It must not be polled again, and holds what still waits in it.
    connection: Option<Connection<Wire, Full<Bytes>>>,
    rest: Rest,
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

    /// What goes wrong here is told to whoever waits for an answer; the end of a connection by its drop.
    fn work(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(context).is_ready()
        {
            self.connection = None;
        }
    }

    /// Whether it can take a request, as far as is known here. Nobody is woken when that changes.
    fn is_ready(&mut self) -> bool {
        self.work(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.requests.is_ready()
    }

    /// Whether a connection that nobody used can take a request. What the runtime has not heard of yet is
    /// seen, too: that its server has closed it, and an answer that nobody asked for, which must not become
    /// that of the next request.
    fn is_clean(&mut self) -> bool {
        self.rest.begin();
        let is_clean = self.is_ready();
        self.rest.end();
        is_clean
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
            if since.elapsed() < POOL_IDLE && link.is_clean() {
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
        kept.links.retain_mut(|(since, link)| since.elapsed() < POOL_IDLE && link.is_clean());
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
        // A body of many small pieces must not keep others, and the deadline of this call, waiting.
        coop::consume_budget().await;
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::yield_now,
        time::timeout,
    };

    use super::*;

    #[tokio::test]
    async fn a_request_that_meets_the_end_of_its_connection_comes_back_unsent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let plain = Plain::to(&url, Duration::from_secs(3), 1).unwrap();
        let outgoing = Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: None };
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            stream
        };
        let (reply, stream) = tokio::join!(plain.send(Box::new(outgoing), Over::Any), answering);
        assert!(reply.unwrap().chunk().await.unwrap().is_none());
        let mut link = plain.idle.take().unwrap();
        // It ends after it was looked at, and before it is used.
        drop(stream);
        yield_now().await;
        let answer = link.requests.try_send_request(Request::new(Full::default()));
        let failed = timeout(Duration::from_secs(10), link.drive(pin!(answer))).await.expect("not left waiting");
        assert!(failed.unwrap_err().take_message().is_some());
        assert!(!link.is_clean());
    }
}
