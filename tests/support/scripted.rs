//! A stand-in whose answers the test writes: a function from the request, and how many came before it, to the answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::Request, http::Response, serve::Listener};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    spawn,
    upstream::{Memory, Seen, note},
};

/// An answer to one request.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// Waits for a permit before it answers.
    gate: Option<Arc<Semaphore>>,
}

impl Scripted {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string(), gate: None }
    }

    /// An answer without content.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), gate: None }
    }

    /// JSON as it is written.
    pub(crate) fn written(body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::json(200, &Value::Null) }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn behind(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }
}

/// A running stand-in.
#[derive(Debug)]
pub(crate) struct StandIn {
    address: SocketAddr,
    memory: Memory,
    connections: Arc<AtomicUsize>,
}

/// Counts the connections that come.
struct Counting(TcpListener, Arc<AtomicUsize>);

impl Listener for Counting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let accepted = Listener::accept(&mut self.0).await;
        self.1.fetch_add(1, Ordering::Relaxed);
        accepted
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl StandIn {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.all()
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Path and query of the requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }
}

/// Starts a stand-in on a port of its own.
pub(crate) async fn stand_in<F>(answer: F) -> StandIn
where
    F: FnMut(&Seen, usize) -> Scripted + Send + 'static,
{
    let memory = Memory::default();
    let script = Arc::new(Mutex::new(answer));
    let remembered = memory.clone();
    let handler = move |request: Request| {
        let (memory, script) = (remembered.clone(), Arc::clone(&script));
        async move {
            let (seen, before) = note(&memory, request).await;
            let scripted = (script.lock().expect("no panic holds it"))(&seen, before);
            if let Some(gate) = &scripted.gate {
                gate.acquire().await.expect("the gate stays").forget();
            }
            let mut response = Response::builder().status(scripted.status);
            for (name, value) in &scripted.headers {
                response = response.header(name, value);
            }
            response.body(Body::from(scripted.body)).expect("a response")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counting = Counting(listener, Arc::clone(&connections));
    spawn(async move { axum::serve(counting, Router::new().fallback(handler)).await });
    StandIn { address, memory, connections }
}
