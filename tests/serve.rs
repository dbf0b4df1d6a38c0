//! The server as an operator meets it: keys, probes, dead sources, cancellation, shutdown.

use std::time::Duration;

use mcp_bridge::serve::Drained;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{Post, Served, raw, serve, spawn, until, upstream};

const KEY: &str = "a-key-that-only-this-test-knows";

fn guarded(extra: &str) -> String {
    format!(
        r#"
bridge: guarded
sources:
  api: {{ rest: {{ base_url: "${{API}}" }} }}
  relay: {{ rest: {{ base_url: "${{API}}/echo", auth: {{ passthrough: {{ from: x-upstream-token, to: authorization }} }} }} }}
tools:
  item:
    description: One item.
    params: {{ id: {{ type: integer, description: Number. }} }}
    rest: {{ source: api, get: "/items/{{id}}" }}
  whoami:
    description: Who the upstream thinks is calling.
    rest: {{ source: relay, get: /me }}
  tenant:
    description: Rows of the caller's own tenant.
    params: {{ tenant: {{ type: string, from: caller.workspace }} }}
    rest: {{ source: api, get: /echo/tenant, query: {{ tenant: "{{{{tenant}}}}" }} }}
server:
  auth:
    api_keys:
      static:
        - {{ name: tester, value: "${{KEY}}", workspace: acme }}
        - {{ name: loner, hash: "sha256:2a2a8dd1dc5aa81b3a9fa5bcbf4a0ed0b47de4d8aa0f9e2b2b3f0ed5f4d9f3a1" }}
{extra}"#
    )
}

async fn guarded_server(api: &str, extra: &str) -> Served {
    serve(&[("guarded.yaml", &guarded(extra))], &[("API", api), ("KEY", KEY)]).await
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

#[tokio::test]
async fn a_key_is_needed_and_every_refusal_says_so() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let message = call("item", &json!({ "id": 3 }));
    for (header, status, challenge) in [
        ("", 401, Some("Bearer")),
        (
            "Bearer wrong",
            401,
            Some("Bearer error=\"invalid_token\", error_description=\"The credential is not valid\""),
        ),
        (
            "Basic dGVzdGVyOmtleQ==",
            401,
            Some("Bearer error=\"invalid_token\", error_description=\"The credential is not valid\""),
        ),
        (&format!("Bearer {KEY}"), 200, None),
        (&format!("bearer {KEY}"), 200, None),
    ] {
        let response = server.post(&message).header("authorization", header).send(server.address).await;
        assert_eq!((response.status, response.header("www-authenticate")), (status, challenge), "{header}");
        if status == 401 {
            assert_eq!(response.json()["error"]["code"], 401);
        }
    }
    assert_eq!(api.seen().len(), 2, "only the calls with a key went on");
    let probe = raw(
        server.address,
        format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.address).as_bytes(),
    )
    .await;
    assert_eq!((probe.status, probe.body.trim()), (200, "ok"));
}

#[tokio::test]
async fn a_body_is_not_read_before_the_key() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n",
        server.address
    );
    let response = raw(server.address, head.as_bytes()).await;
    assert_eq!(response.status, 401);
}

#[tokio::test]
async fn the_callers_credential_reaches_its_source_and_no_other() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let post = |message: &Value| {
        server.post(message).header("authorization", &format!("Bearer {KEY}")).header("x-upstream-token", "Bearer mine")
    };
    let response = post(&call("whoami", &json!({}))).send(server.address).await;
    assert_eq!(response.json()["result"].get("isError"), None, "{}", response.body);
    assert_eq!(api.last().header("authorization"), Some("Bearer mine"));
    post(&call("item", &json!({ "id": 1 }))).send(server.address).await;
    let seen = api.last();
    assert_eq!((seen.header("authorization"), seen.header("x-upstream-token")), (None, None));
    for seen in api.seen() {
        let all = format!("{:?} {}", seen.headers, seen.body);
        assert!(!all.contains(KEY), "the key of this server went upstream");
    }
    let without = server.post(&call("whoami", &json!({}))).header("authorization", &format!("Bearer {KEY}"));
    let answer = without.send(server.address).await.json();
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(answer["result"]["isError"] == true && text.contains("x-upstream-token"), "{text}");
}

#[tokio::test]
async fn a_key_in_its_own_header_leaves_authorization_to_the_caller() {
    let api = upstream().await;
    let bridge = guarded("      header: x-api-key\n").replace("from: x-upstream-token", "from: authorization");
    let server = serve(&[("guarded.yaml", &bridge)], &[("API", &api.url()), ("KEY", KEY)]).await;
    let post = server.post(&call("whoami", &json!({}))).header("x-api-key", KEY).header("authorization", "Bearer mine");
    assert_eq!(post.send(server.address).await.json()["result"].get("isError"), None);
    assert_eq!(api.last().header("authorization"), Some("Bearer mine"));
    // A key of ours is not passed on, whichever header it stands in.
    let post = server.post(&call("whoami", &json!({}))).header("x-api-key", KEY);
    let post = post.header("authorization", &format!("Bearer {KEY}"));
    assert_eq!(post.send(server.address).await.json()["result"]["isError"], true);
    let post = server.post(&call("whoami", &json!({}))).header("authorization", &format!("Bearer {KEY}"));
    let answer = post.send(server.address).await.json();
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn what_the_server_binds_cannot_be_set_by_the_model() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let key = format!("Bearer {KEY}");
    let post = |arguments: &Value| server.post(&call("tenant", arguments)).header("authorization", &key);
    assert_eq!(post(&json!({})).send(server.address).await.json()["result"].get("isError"), None);
    assert_eq!(api.last().target, "/echo/tenant?tenant=acme");
    let answer = post(&json!({ "tenant": "other" })).send(server.address).await.json();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(api.seen().len(), 1);
    let listed = server.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let listed = listed.header("authorization", &key).send(server.address).await.body;
    assert!(!listed.contains("\"tenant\":{"), "{listed}");
}

#[tokio::test]
async fn a_dead_source_does_not_stop_the_start_and_is_named() {
    let bridge = r#"
bridge: half
sources:
  gone: { sql: "sqlite:nowhere/gone.db" }
  closed: { rest: "http://127.0.0.1:9" }
tools:
  read: { description: Reads., sql: { query: "SELECT 1 AS one" } }
  fetch: { description: Fetches., rest: { get: /x } }
"#;
    let server = serve(&[("half.yaml", bridge)], &[]).await;
    let ready = server.post(&json!({})).head("GET /readyz HTTP/1.1").send(server.address).await;
    assert_eq!(ready.status, 503);
    let sources = ready.json()["sources"].clone();
    assert_eq!(sources[0]["name"], "gone");
    assert_eq!((&sources[0]["ready"], &sources[1]["ready"]), (&json!(false), &json!(true)));
    let folder = server.folder.path().display().to_string();
    for (tool, source) in [("read", "gone"), ("fetch", "closed")] {
        let text = server.error(tool, &json!({})).await;
        assert!(
            text.contains(&format!("`{source}`")) && !text.contains(&folder) && !text.contains("127.0.0.1"),
            "{text}"
        );
    }
    assert_eq!(server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await.status, 200);
}

const SLOW: &str = r#"
bridge: slow
sources:
  api: { rest: { base_url: "${API}" } }
tools:
  wait:
    description: Waits.
    params: { millis: { type: integer, description: How long. } }
    rest: { get: "/slow/{millis}" }
  short: { description: Waits less., timeout: 200ms, rest: { get: /slow/60000 } }
"#;

#[tokio::test]
async fn a_call_that_is_taken_back_ends_at_once() {
    let api = upstream().await;
    let server = serve(&[("slow.yaml", SLOW)], &[("API", &api.url())]).await;
    let [session, other] = [server.session("2025-06-18").await, server.session("2025-06-18").await];
    let waiting = server.post(&call("wait", &json!({ "millis": 60_000 }))).header("mcp-session-id", &session);
    let waiting = spawn(waiting.send(server.address));
    until("the request", || !api.seen().is_empty()).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    // Another client's cancellation of the same id changes nothing.
    let other = server.post(&cancel).header("mcp-session-id", &other);
    assert_eq!(other.send(server.address).await.status, 202);
    assert!(!waiting.is_finished());
    assert_eq!(server.post(&cancel).header("mcp-session-id", &session).send(server.address).await.status, 202);
    let ended = waiting.await.expect("no panic");
    assert_eq!((ended.status, ended.body.as_str()), (202, ""));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let api = upstream().await;
    let server = serve(&[("slow.yaml", SLOW)], &[("API", &api.url())]).await;
    let text = server.error("short", &json!({})).await;
    assert!(text.contains("did not answer") || text.contains("took longer"), "{text}");
}

#[tokio::test]
async fn calls_under_way_end_before_the_server_does() {
    let api = upstream().await;
    let server = serve(&[("slow.yaml", SLOW)], &[("API", &api.url())]).await;
    let waiting = spawn(server.post(&call("wait", &json!({ "millis": 300 }))).send(server.address));
    until("the request", || !api.seen().is_empty()).await;
    server.ask_to_stop();
    assert_eq!(waiting.await.expect("no panic").status, 200);
    assert_eq!(server.stop().await, Drained::Whole);
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off_after_the_grace_period() {
    let api = upstream().await;
    let bridge = format!("{SLOW}\nserver: {{ shutdown_grace: 100ms }}\n");
    let server = serve(&[("slow.yaml", &bridge)], &[("API", &api.url())]).await;
    let waiting = spawn(server.post(&call("wait", &json!({ "millis": 60_000 }))).send(server.address));
    until("the request", || !api.seen().is_empty()).await;
    let end = tokio::time::timeout(Duration::from_secs(10), server.stop()).await;
    assert_eq!(end.ok(), Some(Drained::CutOff));
    waiting.abort();
}

#[tokio::test]
async fn clients_with_equal_ids_never_see_each_others_answers() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let key = format!("Bearer {KEY}");
    let calls = (1..=64).map(|id| {
        let post = server.post(&call("item", &json!({ "id": id }))).header("authorization", &key);
        let address = server.address;
        async move { (id, post.send(address).await.json()) }
    });
    for (id, answer) in futures_util::future::join_all(calls).await {
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(&format!("\"sku\":\"SKU-{id:04}\"")), "{id}: {text}");
    }
}

#[tokio::test]
async fn the_example_key_hash_belongs_to_nobody() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let response = server.post(&json!({})).header("authorization", "Bearer loner").send(server.address).await;
    assert_eq!(response.status, 401);
}

/// An API that takes one request and says when it came; it answers when it is told to.
async fn patient_api() -> (String, tokio::task::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.expect("a request"), 0);
        }
        stream
    });
    (url, asked)
}

const WRITING: &str = r#"
bridge: writing
sources: { api: { rest: { base_url: "${API}" } } }
tools:
  add: { description: Adds., rest: { post: /items } }
server: { shutdown_grace: "${GRACE}" }
"#;

#[tokio::test]
async fn a_write_whose_client_has_gone_is_waited_for() {
    for (grace, expected) in [("100ms", Drained::CutOff), ("20s", Drained::Whole)] {
        let (url, asked) = patient_api().await;
        let server = serve(&[("writing.yaml", WRITING)], &[("API", &url), ("GRACE", grace)]).await;
        let body = call("add", &json!({})).to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut client = TcpStream::connect(server.address).await.expect("the server listens");
        client.write_all(format!("{head}{body}").as_bytes()).await.expect("a request");
        let mut api = asked.await.expect("no panic");
        client.shutdown().await.expect("a client may go");
        let left = client.read_to_end(&mut Vec::new()).await;
        assert_eq!(left.ok(), Some(0), "the server let the client go without an answer");
        server.ask_to_stop();
        if expected == Drained::Whole {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            api.write_all(answer).await.expect("the call still listens");
        }
        let end = tokio::time::timeout(Duration::from_secs(20), server.stop()).await;
        assert_eq!(end.ok(), Some(expected), "{grace}");
    }
}

#[tokio::test]
async fn headers_that_say_two_things_are_refused() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (name, first, second, status, code) in [
        ("mcp-protocol-version", "2025-06-18", "2025-06-18", 400, -32_020),
        ("mcp-method", "ping", "tools/call", 400, -32_020),
        ("mcp-name", "item", "item", 400, -32_020),
        ("mcp-session-id", "one", "two", 400, -32_020),
        ("content-type", "application/json", "text/plain", 400, -32_600),
        ("authorization", &format!("Bearer {KEY}"), &format!("Bearer {KEY}"), 401, 401),
    ] {
        // A line more in the value of another header is a second header.
        let twice = format!("1\r\n{name}: {first}\r\n{name}: {second}");
        let post = server.post(&ping).header("authorization", &format!("Bearer {KEY}"));
        let response = post.header(name, "").header("x-first", &twice).send(server.address).await;
        assert_eq!((response.status, &response.json()["error"]["code"]), (status, &json!(code)), "{name}");
        if status == 401 {
            let challenge = response.header("www-authenticate").unwrap_or_default();
            assert!(challenge.contains("invalid_token"), "{challenge}");
        }
    }
    let twice = format!("1\r\nauthorization: Bearer {KEY}\r\naccept: text/event-stream\r\naccept: application/json");
    let post = server.post(&ping).header("accept", "").header("x-first", &twice);
    assert_eq!(post.send(server.address).await.status, 200, "the second line of Accept counts");
}

#[tokio::test]
async fn two_keys_in_the_header_of_the_key_are_none() {
    let api = upstream().await;
    let bridge = guarded("      header: x-shop-key\n");
    let server = serve(&[("guarded.yaml", &bridge)], &[("API", &api.url()), ("KEY", KEY)]).await;
    let twice = format!("{KEY}\r\nx-shop-key: {KEY}");
    let response = server.post(&json!({})).header("x-shop-key", &twice).send(server.address).await;
    let challenge = response.header("www-authenticate").unwrap_or_default();
    assert!(response.status == 401 && challenge.contains("invalid_token"), "{challenge}");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let body = "x".repeat(6 << 20);
    let key = format!("Bearer {KEY}");
    for (header, value, status) in [
        ("authorization", "Bearer wrong", 401),
        ("content-type", "text/plain", 415),
        ("host", "evil.example", 403),
        ("x-nothing", "1", 413),
    ] {
        let post = Post::new(body.as_str()).header("authorization", &key).header(header, value);
        assert_eq!(post.send(server.address).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_text_is_no_bridge() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    for path in ["/mcp/%ff", "/mcp/nobody", "/mcp/%2e%2e"] {
        let post = server.post(&call("item", &json!({ "id": 1 }))).head(&format!("POST {path} HTTP/1.1"));
        assert_eq!(post.clone().send(server.address).await.status, 401, "{path}");
        let response = post.header("authorization", &format!("Bearer {KEY}")).send(server.address).await;
        let code = response.json()["error"]["code"].clone();
        assert_eq!((response.status, code), (404, json!(-32_600)), "{path}: {}", response.body);
    }
    let post = server.post(&call("item", &json!({ "id": 1 }))).head("POST /mcp/%67uarded HTTP/1.1");
    assert_eq!(post.header("authorization", &format!("Bearer {KEY}")).send(server.address).await.status, 200);
}

#[tokio::test]
async fn a_page_that_may_call_may_send_the_headers_it_asks_for() {
    let api = upstream().await;
    let server = guarded_server(&api.url(), "").await;
    let asking = server
        .post(&json!({}))
        .head("OPTIONS /mcp HTTP/1.1")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,X-Shop-Key, no header,");
    let response = asking.clone().header("origin", "http://localhost:6274").send(server.address).await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-headers"), Some("content-type, x-shop-key"));
    let response = asking.header("origin", "https://evil.example").send(server.address).await;
    assert_eq!((response.status, response.header("access-control-allow-headers")), (403, None));
}
