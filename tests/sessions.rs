//! Sessions without memory: an id says everything, is its caller's alone, outlives the server
//! that gave it, and ends when its client says so (protocol.md S-14 to S-17, L-08).

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Events, Post, Served, call_message, initialize_message, serve, spawn};

const BRIDGE: &str = r#"
bridge: shop
sources: { api: { rest: { base_url: "${API}" } } }
tools:
  item:
    description: One item.
    params: { id: { type: integer, description: Number. } }
    rest: { get: "/items/{id}" }
  wait: { description: Waits., rest: { get: /slow/300 } }
"#;
const KEYS: &str = r#"
server:
  signing_key: "${SIGNING}"
  auth:
    api_keys:
      static:
        - { name: one, value: the-key-of-the-first-caller }
        - { name: two, value: the-key-of-the-second-caller }
"#;

async fn shop(api: &str) -> Served {
    serve(&[("shop.yaml", BRIDGE)], &[("API", api)]).await
}

async fn guarded(signing: &str) -> Served {
    let bridge = format!("{BRIDGE}{KEYS}");
    serve(&[("shop.yaml", &bridge)], &[("API", "http://127.0.0.1:9"), ("SIGNING", signing)]).await
}

fn ping() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })
}

/// A client with a session, which need not say its revision again.
fn with(session: &str, message: &Value) -> Post {
    Post::new(message.to_string()).header("mcp-session-id", session)
}

#[tokio::test]
async fn an_id_that_is_not_ours_is_not_found() {
    let server = shop("http://127.0.0.1:9").await;
    let ours = server.session("2025-06-18").await;
    assert_eq!(with(&ours, &ping()).send(server.address).await.status, 200);
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let response = json!({ "jsonrpc": "2.0", "id": "ask-0", "result": {} });
    for id in ["x", "0123456789abcdef0123456789abcdef", &ours[1..], &format!("{ours}A"), &ours.to_lowercase()] {
        for message in [&ping(), &notification, &response, &json!([ping()])] {
            let answer = with(id, message).send(server.address).await;
            assert_eq!(answer.status, 404, "{id}: {}", answer.body);
            assert!(answer.body.contains("initialize again"), "{}", answer.body);
        }
        // Whoever introduces itself gets a session, whatever it had before.
        let introduced = with(id, &initialize_message("2025-06-18")).send(server.address).await;
        assert!(introduced.status == 200 && introduced.header("mcp-session-id").is_some());
    }
    // The stateless revision has no sessions, and ignores what looks like one (protocol.md H-16).
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let stateless = with("x", &listed).header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/list");
    assert_eq!(stateless.send(server.address).await.status, 200);
}

#[tokio::test]
async fn a_session_is_its_callers_and_every_replica_knows_it() {
    let signing = "a-signing-key-that-is-long-enough";
    let [first, second, third] = [guarded(signing).await, guarded(signing).await, guarded(&signing.repeat(2)).await];
    let [one, two] = ["Bearer the-key-of-the-first-caller", "Bearer the-key-of-the-second-caller"];
    let introduced = Post::new(initialize_message("2025-11-25").to_string()).header("authorization", one);
    let introduced = introduced.send(first.address).await;
    let session = introduced.header("mcp-session-id").expect("a session");
    for (server, key, status) in
        [(&first, one, 200), (&second, one, 200), (&first, two, 404), (&second, two, 404), (&third, one, 404)]
    {
        let response = with(session, &ping()).header("authorization", key).send(server.address).await;
        assert_eq!(response.status, status, "{key}: {}", response.body);
    }
}

#[tokio::test]
async fn a_session_outlives_a_restart_without_any_setting() {
    let before = shop("http://127.0.0.1:9").await;
    let session = before.session("2025-06-18").await;
    before.stop().await;
    let after = shop("http://127.0.0.1:9").await;
    assert_eq!(with(&session, &ping()).send(after.address).await.status, 200);
}

#[tokio::test]
async fn a_session_knows_the_revision_that_was_agreed_on() {
    let server = shop("http://127.0.0.1:9").await;
    let batch = json!([ping()]);
    for (revision, status) in [("2025-03-26", 200), ("2025-06-18", 400), ("2025-11-25", 400)] {
        let session = server.session(revision).await;
        assert_eq!(with(&session, &batch).send(server.address).await.status, status, "{revision}");
        // Any other one that is served may be named all the same (protocol.md L-09).
        let other = with(&session, &ping()).header("mcp-protocol-version", "2025-11-25");
        assert_eq!(other.send(server.address).await.status, 200);
    }
}

#[tokio::test]
async fn a_revision_that_is_not_served_is_refused_whatever_comes_with_it() {
    let server = shop("http://127.0.0.1:9").await;
    let session = server.session("2025-11-25").await;
    let connecting = Post::new("").head("GET /sse HTTP/1.1").header("accept", "text/event-stream");
    let mut channel = Events::open(server.address, &connecting).await;
    let messages = format!("POST {} HTTP/1.1", channel.next().await.expect("the address").data);
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let get = || with(&session, &json!("")).head("GET /mcp HTTP/1.1").header("accept", "text/event-stream");
    for version in ["banana", "1999-01-01", "2025-06-18 x"] {
        for (what, post) in [
            ("a request", with(&session, &ping())),
            ("a batch", with(&session, &json!([ping()]))),
            ("a notification", with(&session, &notification)),
            ("an answer", with(&session, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))),
            ("a stream", get()),
            ("an end", with(&session, &ping()).head("DELETE /mcp HTTP/1.1")),
            ("a request for a channel", Post::new(ping().to_string()).head(&messages)),
            ("a notification for a channel", Post::new(notification.to_string()).head(&messages)),
        ] {
            let refused = post.header("mcp-protocol-version", version).send(server.address).await;
            assert_eq!(refused.status, 400, "{what} in {version}: {}", refused.body);
            let words = refused.json()["error"]["message"].clone();
            assert!(words.as_str().is_some_and(|words| words.contains("2025-11-25")), "{what}: {words}");
        }
        // Whoever introduces itself is about to agree on one, and may come with a later one.
        let hello = initialize_message("2031-01-01").to_string();
        let introduced = Post::new(hello.clone()).header("mcp-protocol-version", version).send(server.address).await;
        assert_eq!(introduced.json()["result"]["protocolVersion"], "2025-11-25", "{}", introduced.body);
        let taken = Post::new(hello).head(&messages).header("mcp-protocol-version", version).send(server.address).await;
        assert_eq!(taken.status, 202, "{}", taken.body);
    }
    assert_eq!(with(&session, &ping()).send(server.address).await.status, 200, "the session was not ended");
}

#[tokio::test]
async fn a_client_ends_its_session_once() {
    let server = shop("http://127.0.0.1:9").await;
    let [session, other] = [server.session("2025-11-25").await, server.session("2025-11-25").await];
    let delete = |id: &str| with(id, &ping()).head("DELETE /mcp HTTP/1.1");
    let stateless = delete(&session).header("mcp-protocol-version", "2026-07-28");
    assert_eq!(stateless.send(server.address).await.status, 405);
    let elsewhere = delete(&session).head("DELETE /mcp/none HTTP/1.1");
    assert_eq!(elsewhere.send(server.address).await.status, 404, "no such path, and nothing ends there");
    let ended = delete(&session).send(server.address).await;
    assert_eq!((ended.status, ended.body.as_str()), (200, ""));
    assert_eq!(delete(&session).send(server.address).await.status, 404);
    assert_eq!(with(&session, &ping()).send(server.address).await.status, 404);
    assert_eq!(with(&other, &ping()).send(server.address).await.status, 200);
    assert_eq!(delete("").send(server.address).await.status, 405, "without a session there is nothing to end");
}

#[tokio::test]
async fn the_level_of_the_log_is_one_of_eight() {
    let server = shop("http://127.0.0.1:9").await;
    let session = server.session("2025-06-18").await;
    for (level, code) in
        [(json!("debug"), None), (json!("emergency"), None), (json!("loud"), Some(-32602)), (json!(7), Some(-32602))]
    {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": level } });
        let answer = with(&session, &message).send(server.address).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, code), "{level}");
    }
}

/// Sends a request and leaves without waiting for the answer.
async fn ask_and_leave(server: &Served, headers: &str, message: &Value) -> TcpStream {
    let body = message.to_string();
    let length = body.len();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    let mut client = TcpStream::connect(server.address).await.expect("the server listens");
    client.write_all(format!("{head}{body}").as_bytes()).await.expect("a request");
    client
}

#[tokio::test]
async fn a_lost_connection_takes_back_stateless_calls_only() {
    for (headers, params, lasts) in [
        ("mcp-protocol-version: 2025-06-18\r\n", json!({ "name": "wait" }), true),
        ("", json!({ "name": "wait" }), true),
        (
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: wait\r\n",
            json!({ "name": "wait", "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            } }),
            false,
        ),
    ] {
        let (api, mut asked) = silent_api().await;
        let server = shop(&api).await;
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let client = ask_and_leave(&server, headers, &message).await;
        let mut upstream = asked.recv().await.expect("a request");
        drop(client);
        if lasts {
            let stopping = spawn(server.stop());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            upstream.write_all(answer).await.expect("the call still listens");
            assert_eq!(stopping.await.expect("no panic"), mcp_bridge::serve::Drained::Whole, "{headers}");
        } else {
            let left = upstream.read_to_end(&mut Vec::new()).await;
            assert_eq!(left.ok(), Some(0), "the call was not taken back");
        }
    }
}

/// An API that takes requests, hands their connections over, and answers nothing.
async fn silent_api() -> (String, tokio::sync::mpsc::Receiver<TcpStream>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = tokio::sync::mpsc::channel(1);
    spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.expect("a request"), 0);
        }
        sender.send(stream).await
    });
    (url, asked)
}

#[tokio::test]
async fn a_batch_that_is_refused_takes_nothing_back_and_one_that_is_not_does() {
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    for (batch, status, answers) in [
        (json!([cancel, { "bad": 1 }]), 400, json!([7, 8])),
        (json!([cancel, ping()]), 200, json!([8])),
        (json!([cancel]), 202, json!([8])),
        (json!([{ "jsonrpc": "2.0", "id": "x", "error": {} }, cancel]), 202, json!([8])),
    ] {
        let (api, mut asked) = silent_api().await;
        let server = shop(&api).await;
        let session = server.session("2025-03-26").await;
        let both = json!([call_message("wait", &json!({})), { "jsonrpc": "2.0", "id": 8, "method": "ping" }]);
        let waiting = spawn(with(&session, &both).send(server.address));
        let mut upstream = asked.recv().await.expect("a request");
        let answer = with(&session, &batch).send(server.address).await;
        assert_eq!(answer.status, status, "{batch}: {}", answer.body);
        if status == 400 {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            upstream.write_all(answer).await.expect("the call still listens");
        }
        let answered = waiting.await.expect("no panic").json();
        let ids: Vec<_> = answered.as_array().into_iter().flatten().map(|answer| answer["id"].clone()).collect();
        assert_eq!(json!(ids), answers, "{batch}");
    }
}

#[tokio::test]
async fn a_write_that_is_taken_back_stops() {
    let (api, mut asked) = silent_api().await;
    let bridge = BRIDGE.replace("rest: { get: /slow/300 }", "rest: { post: /slow/300 }");
    let server = serve(&[("shop.yaml", &bridge)], &[("API", &api)]).await;
    let session = server.session("2025-06-18").await;
    let waiting = spawn(with(&session, &call_message("wait", &json!({}))).send(server.address));
    let mut upstream = asked.recv().await.expect("a request");
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    assert_eq!(with(&session, &cancel).send(server.address).await.status, 202);
    assert_eq!(upstream.read_to_end(&mut Vec::new()).await.ok(), Some(0));
    assert_eq!(waiting.await.expect("no panic").status, 202);
}
