//! Floor 8. Connections: accepted, bounded, drained.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{
    Request,
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use super::{
    Drained,
    alarm::Alarm,
    http::App,
    peers::Peers,
    stream::{ClientStream, Version},
    tls::Certificates,
};
use crate::{
    heap,
    telemetry::{self, Tasks},
};

/// Connections at once at most.
const CONNECTIONS_MAX: usize = 10_000;
/// Bytes of a request's head at most. Its headers are 100 at most, as hyper has it by default: the
/// same number set by hand would cost every request two allocations.
const HEAD_MAX: usize = 64 << 10;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;
/// How long to wait after the system refused a connection, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the same complaint is logged at most.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(1);

/// How long clients are waited for, and how many of one address are let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the first bytes of a connection, and for each head of an HTTP/1 request (auth.md §4.1).
    pub(super) head: Duration,
    /// For a write that the client does not read.
    pub(super) write: Duration,
    /// Between the pings of an HTTP/2 connection.
    pub(super) ping: Duration,
    /// For the answer to one.
    pub(super) pong: Duration,
    /// For calls under way, when the server stops.
    pub(super) grace: Duration,
    /// Connections of one address at once.
    pub(super) per_address: usize,
}

impl Limits {
    /// The limits of a server with this grace period.
    pub(super) const fn new(grace: Duration) -> Self {
        Self {
            head: Duration::from_secs(10),
            write: Duration::from_secs(30),
            ping: Duration::from_secs(20),
            pong: Duration::from_secs(10),
            grace,
            per_address: 1024,
        }
    }
}

/// Where clients come in, and what they are shown first.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) certificates: Option<Arc<Certificates>>,
}

/// What every connection needs.
#[derive(Debug)]
struct Shared {
    app: Arc<App>,
    stop: CancellationToken,
    limits: Limits,
    certificates: Option<Arc<Certificates>>,
}

/// Serves until `stop`, then drains.
pub(super) async fn serve(door: Door, app: Arc<App>, stop: CancellationToken, limits: Limits) -> Drained {
    let Door { listener, certificates } = door;
    if let Some(certificates) = &certificates {
        telemetry::spawn(Arc::clone(certificates).watch(stop.clone()));
    }
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let peers = Peers::new(limits.per_address);
    let tasks = app.tasks().clone();
    let shared = Arc::new(Shared { app, stop, limits, certificates });
    let (mut refused, mut crowded) = (Complaint::default(), Complaint::default());
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Some(Ok((stream, address, slot))) => {
                let Some(place) = peers.enter(address.ip()) else {
                    crowded.tell(|| tracing::warn!("a connection was closed: its address has too many"));
                    continue;
                };
                let talk = talk((stream, address.ip()), graceful.watcher(), Arc::clone(&shared));
                telemetry::spawn(async move {
                    talk.await;
                    drop((slot, place));
                });
            }
            Some(Err(error)) => {
                refused.tell(|| tracing::warn!(%error, "a connection could not be accepted"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    drop(listener);
    shared.app.end_streams();
    let ended = async {
        graceful.shutdown().await;
        // Calls whose client has gone end after the last connection, or nobody would know.
        tasks.ended().await;
    };
    match tokio::time::timeout(limits.grace, ended).await {
        Ok(()) => Drained::Whole,
        Err(_) => Drained::CutOff,
    }
}

type Slot = tokio::sync::OwnedSemaphorePermit;

/// The next connection; `None` when there will not be one.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<io::Result<(TcpStream, SocketAddr, Slot)>> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    let accepted = listener.accept().await.map(|(stream, address)| {
        // Without it small answers wait for the acknowledgement of others (protocol.md §7, 32).
        let _ = stream.set_nodelay(true);
        (stream, address, slot)
    });
    Some(accepted)
}

/// Talks with one client until either has had enough. What ends a connection is its affair.
async fn talk((socket, peer): (TcpStream, IpAddr), watcher: Watcher, shared: Arc<Shared>) {
    let Some(certificates) = shared.certificates.clone() else {
        return converse((socket, peer), watcher, shared).await;
    };
    let shaken = tokio::select! {
        biased;
        shaken = tokio::time::timeout(shared.limits.head, certificates.accept(socket)) => shaken,
        () = shared.stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => Box::pin(converse((stream, peer), watcher, shared)).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a client did not shake hands"),
        Err(_) => tracing::debug!(%peer, "a client did not shake hands in time"),
    }
}

async fn converse<S>((socket, peer): (S, IpAddr), watcher: Watcher, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = shared.limits;
    // hyper has no deadline before it knows the version.
    let said = tokio::select! {
        biased;
        // Who has spoken before the end is answered.
        said = tokio::time::timeout(limits.head, ClientStream::sniff(socket, limits.write)) => said,
        () = shared.stop.cancelled() => return,
    };
    let Ok(Ok((version, stream))) = said else { return };
    let tasks = shared.app.tasks().clone();
    let service = service_fn(move |request: Request<Incoming>| {
        // hyper moves what it is given here twice.
        heap::place(|| Arc::clone(&shared.app).respond(request, peer))
    });
    let io = TokioIo::new(stream);
    let _ = match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(Alarm::new(limits.head)).header_read_timeout(limits.head).max_buf_size(HEAD_MAX);
            watcher.watch(builder.serve_connection(io, service)).await
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(OnTasks(tasks));
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(limits.ping)
                .keep_alive_timeout(limits.pong)
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX));
            watcher.watch(builder.serve_connection(io, service)).await
        }
    };
}

/// Runs the requests of an HTTP/2 connection where the end of the server waits for them.
#[derive(Clone, Debug)]
struct OnTasks(Tasks);

impl<F> Executor<F> for OnTasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, request: F) {
        self.0.spawn(request);
    }
}

/// Something that is logged now and then, however often it happens.
#[derive(Debug, Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    fn tell(&mut self, log: impl FnOnce()) {
        if self.0.is_none_or(|last| last.elapsed() >= COMPLAINT_PAUSE) {
            self.0 = Some(Instant::now());
            log();
        }
    }
}
