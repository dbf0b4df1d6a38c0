//! Floor 5. Servers in this process that stand in for an API.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Request as Received, State},
    http::HeaderMap,
    response::{IntoResponse, Response as Reply},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// One request as it arrived.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server in this process that records what it is asked and answers with one reply.
pub(super) struct StandIn {
    pub(super) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _serving: JoinSet<()>,
}

type Answering = Arc<dyn Fn() -> Reply + Send + Sync>;

impl StandIn {
    pub(super) async fn start(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let state: (Arc<Mutex<Vec<Seen>>>, Answering) = (Arc::clone(&seen), Arc::new(reply));
        let router = Router::new().fallback(record).with_state(state);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _serving: serving }
    }

    pub(super) async fn fine() -> Self {
        Self::start(|| ([("content-type", "application/json")], r#"{"ok":true}"#).into_response()).await
    }

    pub(super) fn last(&self) -> Seen {
        self.seen.lock().unwrap().pop().expect("a request arrived")
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn record(State((seen, reply)): State<(Arc<Mutex<Vec<Seen>>>, Answering)>, received: Received) -> Reply {
    let (parts, body) = received.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().to_string();
    seen.lock().unwrap().push(Seen { method: parts.method.to_string(), target, headers: parts.headers, body });
    reply()
}

/// A server that reads a request, writes these bytes and closes the connection.
pub(super) async fn broken_off(written: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(written.as_bytes()).await;
        }
    });
    (address, serving)
}
