//! HTTP+SSE, the transport of 2024-11-05, as clients fall back to it (protocol.md §2.4).

use mcp_bridge::serve::Drained;
use serde_json::{Value, json};

use crate::support::{Events, Post, Response, Served, call_message, initialize_message, serve, spawn, until, upstream};

const BRIDGE: &str = r#"
bridge: shop
sources: { api: { rest: { base_url: "${API}" } } }
tools:
  item:
    description: One item.
    params: { id: { type: integer, description: Number. } }
    rest: { get: "/items/{id}" }
  wait:
    description: Waits.
    params: { millis: { type: integer, description: How long. } }
    rest: { get: "/slow/{millis}" }
"#;
const KEYS: &str = r"
server:
  auth:
    api_keys:
      static:
        - { name: one, value: the-key-of-the-first-caller }
        - { name: two, value: the-key-of-the-second-caller }
";

/// A connected channel: its stream, and where its messages go.
struct Connected {
    events: Events,
    path: String,
}

impl Connected {
    async fn post(&self, server: &Served, message: &Value) -> Response {
        self.posting(message).send(server.address).await
    }

    fn posting(&self, message: &Value) -> Post {
        Post::new(message.to_string()).head(&format!("POST {} HTTP/1.1", self.path))
    }

    /// Sends a request and reads its answer from the channel.
    async fn ask(&mut self, server: &Served, message: &Value) -> Value {
        let taken = self.post(server, message).await;
        assert_eq!((taken.status, taken.body.as_str()), (202, ""));
        self.events.message().await
    }
}

fn connecting(path: &str) -> Post {
    Post::new("").head(&format!("GET {path} HTTP/1.1")).header("content-type", "").header("accept", "text/event-stream")
}

async fn connect(server: &Served, path: &str) -> Connected {
    connect_by(server, &connecting(path)).await
}

async fn connect_by(server: &Served, post: &Post) -> Connected {
    let mut events = Events::open(server.address, post).await;
    assert_eq!((events.head.status, events.head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(events.head.header("x-accel-buffering"), Some("no"));
    let endpoint = events.next().await.expect("the address of messages");
    assert_eq!(endpoint.name, "endpoint");
    assert!(endpoint.data.starts_with("/messages?sessionId="), "{}", endpoint.data);
    Connected { events, path: endpoint.data }
}

async fn shop() -> Served {
    let api = upstream().await;
    serve(&[("shop.yaml", BRIDGE)], &[("API", &api.url())]).await
}

#[tokio::test]
async fn every_revision_with_a_handshake_is_served() {
    let server = shop().await;
    for (revision, path) in
        [("2024-11-05", "/sse"), ("2025-03-26", "/sse/shop"), ("2025-06-18", "/sse"), ("2025-11-25", "/sse/shop")]
    {
        let mut client = connect(&server, path).await;
        let answer = client.ask(&server, &initialize_message(revision)).await;
        assert_eq!((&answer["id"], &answer["result"]["protocolVersion"]), (&json!(0), &json!(revision)));
        assert_eq!(answer["result"]["serverInfo"]["name"], "shop");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(client.post(&server, &initialized).await.status, 202);
        let listed = json!({ "jsonrpc": "2.0", "id": "l", "method": "tools/list" });
        let answer = client.ask(&server, &listed).await;
        assert_eq!((&answer["id"], &answer["result"]["tools"][0]["name"]), (&json!("l"), &json!("item")));
        let answer = client.ask(&server, &call_message("item", &json!({ "id": 7 }))).await;
        assert!(answer["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("SKU-0007")));
        // Errors travel on the channel too.
        let answer = client.ask(&server, &json!({ "jsonrpc": "2.0", "id": 3, "method": "no/such" })).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(3), &json!(-32601)));
    }
}

#[tokio::test]
async fn answers_come_when_they_are_ready_and_calls_can_be_taken_back() {
    let api = upstream().await;
    let server = serve(&[("shop.yaml", BRIDGE)], &[("API", &api.url())]).await;
    let mut client = connect(&server, "/sse").await;
    client.ask(&server, &initialize_message("2024-11-05")).await;
    let wait = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "wait", "arguments": { "millis": 60_000 } } });
    assert_eq!(client.post(&server, &wait).await.status, 202);
    until("the request", || !api.seen().is_empty()).await;
    let quick = client.ask(&server, &call_message("item", &json!({ "id": 1 }))).await;
    assert_eq!(quick["id"], 7);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    assert_eq!(client.post(&server, &cancel).await.status, 202);
    // The id is free again, and what was taken back is not answered.
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(client.ask(&server, &ping).await, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[tokio::test]
async fn what_is_no_message_is_refused_where_it_was_posted() {
    let server = shop().await;
    let mut client = connect(&server, "/sse").await;
    client.ask(&server, &initialize_message("2025-03-26")).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let stateless = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let nobody = client.posting(&ping).head("POST /messages?sessionId=nobody HTTP/1.1");
    let unnamed = client.posting(&ping).head("POST /messages HTTP/1.1");
    let other_spelling =
        client.posting(&ping).head(&format!("POST {} HTTP/1.1", client.path.replace("sessionId", "session_id")));
    for (what, post, status) in [
        ("no JSON", Post::new("{").head(&format!("POST {} HTTP/1.1", client.path)), 400),
        ("no message", client.posting(&json!({ "jsonrpc": "2.0", "id": 1 })), 400),
        ("text", client.posting(&ping).header("content-type", "text/plain"), 415),
        ("an unknown channel", nobody, 404),
        ("no channel", unnamed, 404),
        ("too large", client.posting(&json!("x".repeat(5 << 20))), 413),
        ("a stateless request", client.posting(&stateless), 400),
        ("a stateless header", client.posting(&ping).header("mcp-protocol-version", "2026-07-28"), 400),
        ("another host", client.posting(&ping).header("host", "evil.example"), 403),
        ("a legacy header", client.posting(&ping).header("mcp-protocol-version", "2025-03-26"), 202),
        ("another spelling", other_spelling, 202),
    ] {
        let response = post.send(server.address).await;
        assert_eq!(response.status, status, "{what}: {}", response.body);
    }
    for _ in 0..2 {
        assert_eq!(client.events.message().await["result"], json!({}));
    }
    // A batch is answered one by one (protocol.md S-05).
    let batch =
        json!([ping, { "jsonrpc": "2.0", "id": 2, "method": "ping" }, { "jsonrpc": "2.0", "id": 3, "method": "no" }]);
    assert_eq!(client.post(&server, &batch).await.status, 202);
    let ids = [client.events.message().await, client.events.message().await, client.events.message().await];
    assert_eq!(ids.map(|answer| answer["id"].clone()), [json!(1), json!(2), json!(3)]);
    client.ask(&server, &initialize_message("2025-06-18")).await;
    assert_eq!(client.post(&server, &batch).await.status, 400, "the revision has no batches");
}

#[tokio::test]
async fn the_path_speaks_streamable_http_to_who_posts() {
    let server = shop().await;
    for path in ["/sse", "/sse/shop"] {
        let post = Post::new(initialize_message("2025-06-18").to_string()).head(&format!("POST {path} HTTP/1.1"));
        let introduced = post.send(server.address).await;
        assert!(introduced.status == 200 && introduced.header("mcp-session-id").is_some(), "{}", introduced.body);
    }
    for (path, status) in [("/sse/nobody", 404), ("/sse/", 404), ("/messages", 404)] {
        let response = connecting(path).send(server.address).await;
        assert_eq!(response.status, status, "{path}");
    }
    let response = connecting("/sse").header("accept", "text/html").send(server.address).await;
    assert_eq!(response.status, 406);
}

#[tokio::test]
async fn a_channel_is_its_callers_alone() {
    let bridge = format!("{BRIDGE}{KEYS}");
    let server = serve(&[("shop.yaml", &bridge)], &[("API", "http://127.0.0.1:9")]).await;
    let [one, two] = ["Bearer the-key-of-the-first-caller", "Bearer the-key-of-the-second-caller"];
    assert_eq!(connecting("/sse").send(server.address).await.status, 401);
    let mut client = connect_by(&server, &connecting("/sse").header("authorization", one)).await;
    let message = initialize_message("2024-11-05");
    for (key, status) in [("", 401), (two, 404), (one, 202)] {
        let response = client.posting(&message).header("authorization", key).send(server.address).await;
        assert_eq!(response.status, status, "{key}");
    }
    assert_eq!(client.events.message().await["result"]["protocolVersion"], "2024-11-05");
}

#[tokio::test]
async fn channels_end_with_the_server_after_their_answers() {
    let api = upstream().await;
    let server = serve(&[("shop.yaml", BRIDGE)], &[("API", &api.url())]).await;
    let idle = connect(&server, "/sse").await;
    let mut busy = connect(&server, "/sse").await;
    busy.ask(&server, &initialize_message("2025-06-18")).await;
    assert_eq!(busy.post(&server, &call_message("wait", &json!({ "millis": 200 }))).await.status, 202);
    until("the request", || !api.seen().is_empty()).await;
    let stopping = spawn(server.stop());
    assert_eq!(idle.events.rest().await, Vec::<Value>::new());
    let answers = busy.events.rest().await;
    assert_eq!(answers.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [&json!(7)]);
    assert_eq!(stopping.await.expect("no panic"), Drained::Whole);
}

#[tokio::test]
async fn a_channel_that_was_left_is_forgotten() {
    let server = shop().await;
    let client = connect(&server, "/sse").await;
    let path = client.path.clone();
    drop(client);
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let forgotten = async {
        loop {
            let post = Post::new(ping.to_string()).head(&format!("POST {path} HTTP/1.1"));
            if post.send(server.address).await.status == 404 {
                break;
            }
        }
    };
    let end = tokio::time::timeout(std::time::Duration::from_secs(20), forgotten).await;
    assert!(end.is_ok(), "the channel is still there");
}
