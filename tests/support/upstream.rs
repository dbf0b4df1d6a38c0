//! A stand-in for a REST API, modelled on httpbin: it says what it was asked, and remembers it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, Response, StatusCode, header},
    routing::{any, get},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::spawn;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The version of HTTP, such as `HTTP/1.1`.
    pub(crate) version: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// The body as text; what is no UTF-8 is replaced.
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Vec<Seen>>>);

impl Memory {
    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().expect("no panic holds it").clone()
    }
}

/// A running stand-in.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    memory: Memory,
}

impl Upstream {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.all()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request came")
    }
}

/// Starts a stand-in on a port of its own.
pub(crate) async fn upstream() -> Upstream {
    let memory = Memory::default();
    let router = Router::new()
        .route("/items/{id}", any(item))
        .route("/items", any(items))
        .route("/echo/{*rest}", any(echo))
        .route("/status/{code}", any(status))
        .route("/slow/{millis}", get(slow))
        .route("/big/{kib}", get(big))
        .route("/kind/{*kind}", get(kind))
        .route("/redirect", any(redirect))
        .route("/bin/{*rest}", any(super::httpbin::answer))
        .fallback(echo)
        .with_state(memory.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    spawn(async move { axum::serve(listener, router).await });
    Upstream { address, memory }
}

/// Remembers a request; says what it was and how many came before it.
pub(super) async fn note(memory: &Memory, request: Request) -> (Seen, usize) {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let seen = Seen {
        method: head.method.to_string(),
        version: format!("{:?}", head.version),
        target: head.uri.path_and_query().map_or(String::new(), ToString::to_string),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body.to_vec(),
    };
    let mut all = memory.0.lock().expect("no panic holds it");
    all.push(seen.clone());
    (seen, all.len() - 1)
}

fn answer(status: u16, content: &str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert(header::CONTENT_TYPE, content.parse().expect("a header"));
    response
}

fn json_answer(status: u16, value: &Value) -> Response<Body> {
    answer(status, "application/json", value.to_string())
}

async fn item(State(memory): State<Memory>, Path(id): Path<u64>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    if id > 1000 {
        return json_answer(404, &json!({ "message": "no such item" }));
    }
    json_answer(200, &json!({ "id": id, "sku": format!("SKU-{id:04}"), "tags": ["a", "b"], "stock": null }))
}

async fn items(State(memory): State<Memory>, request: Request) -> Response<Body> {
    let (seen, _) = note(&memory, request).await;
    if seen.method == "POST" {
        let body = serde_json::from_str(&seen.body).unwrap_or(Value::Null);
        return json_answer(201, &json!({ "created": body }));
    }
    let all: Vec<Value> = (1..=50).map(|id| json!({ "id": id, "name": format!("Item {id}") })).collect();
    json_answer(200, &json!({ "total": 50, "data": all }))
}

async fn echo(State(memory): State<Memory>, request: Request) -> Response<Body> {
    let (seen, _) = note(&memory, request).await;
    let headers: Value =
        seen.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().ok()))).collect();
    let body = json!({ "method": seen.method, "target": seen.target, "headers": headers, "body": seen.body });
    json_answer(200, &body)
}

async fn status(State(memory): State<Memory>, Path(code): Path<u16>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    match code {
        204 => Response::builder().status(204).body(Body::empty()).expect("a response"),
        500 => answer(500, "text/html", "<html><body>stack trace of secret-host</body></html>"),
        code => json_answer(code, &json!({ "title": "Told by the API", "detail": "with details" })),
    }
}

async fn slow(State(memory): State<Memory>, Path(millis): Path<u64>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    json_answer(200, &json!({ "slept": millis }))
}

async fn big(State(memory): State<Memory>, Path(kib): Path<usize>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    let rows: Vec<Value> = (0..kib).map(|row| json!({ "row": row, "text": "x".repeat(1000) })).collect();
    json_answer(200, &json!({ "rows": rows }))
}

async fn kind(State(memory): State<Memory>, Path(kind): Path<String>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    match kind.strip_suffix("-page") {
        Some(kind) => answer(200, kind, "<p>Hello &amp; welcome</p>"),
        None if kind.ends_with("json") => answer(200, &kind, "{\"broken\": "),
        None => answer(200, &kind, "<p>Hello &amp; welcome</p>"),
    }
}

async fn redirect(State(memory): State<Memory>, request: Request) -> Response<Body> {
    note(&memory, request).await;
    Response::builder().status(302).header("location", "/items/1").body(Body::empty()).expect("a response")
}
