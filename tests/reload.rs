//! Changed files: served as a whole or not at all, told to whoever listens, and harmless to what
//! is under way.

use std::time::Duration;

use mcp_bridge::serve::Drained;
use serde_json::{Value, json};

use crate::support::{
    Events, Post, Served, call_message, initialize_message, postgres, serve, serve_watched, spawn, until, upstream,
};

fn bridge(tools: &str) -> String {
    format!("bridge: shop\nsources: {{ api: {{ rest: {{ base_url: \"${{API}}\" }} }} }}\ntools:\n{tools}")
}

const ITEM: &str = r#"
  item:
    description: One item.
    params: { id: { type: integer, description: Number. } }
    rest: { get: "/items/{id}" }
"#;
const ITEMS: &str = "  items: { description: All items., rest: { get: /items } }\n";
const SLOW: &str = "  slow: { description: Takes its time., rest: { get: /slow/400 } }\n";

async fn shop(api: &str) -> Served {
    serve_watched(&[("shop.yaml", &bridge(&format!("{ITEM}{SLOW}")))], &[("API", api)]).await
}

/// Asks again and again until the answer is the expected one.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = async { while !holds().await {} };
    let end = tokio::time::timeout(Duration::from_secs(20), patience).await;
    assert!(end.is_ok(), "{what} did not happen");
}

async fn tools(server: &Served) -> Vec<String> {
    let listed = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

async fn lists(server: &Served, expected: &[&str]) {
    eventually("the change", async || tools(server).await == expected).await;
}

/// A GET stream of a session.
fn standing(session: &str) -> Post {
    Post::new("")
        .head("GET /mcp HTTP/1.1")
        .header("content-type", "")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
}

fn listening(wants: &Value) -> Post {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "notifications": wants, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": "l-1", "method": "subscriptions/listen", "params": params });
    Post::new(message.to_string())
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "subscriptions/listen")
}

const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

#[tokio::test]
async fn a_change_is_served_and_told_to_every_kind_of_stream() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    let session = server.session("2025-06-18").await;
    let mut standing = Events::open(server.address, &standing(&session)).await;
    assert_eq!((standing.head.status, standing.head.header("content-type")), (200, Some("text/event-stream")));

    let mut listener = Events::open(server.address, &listening(&json!({ "toolsListChanged": true }))).await;
    let acknowledged = listener.message().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], json!({ "toolsListChanged": true }));
    assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l-1");

    let connecting = Post::new("").head("GET /sse/shop HTTP/1.1").header("accept", "text/event-stream");
    let mut channel = Events::open(server.address, &connecting).await;
    let path = channel.next().await.expect("the address").data;
    let introduce = Post::new(initialize_message("2024-11-05").to_string()).head(&format!("POST {path} HTTP/1.1"));
    assert_eq!(introduce.send(server.address).await.status, 202);
    let introduced = channel.message().await;
    assert_eq!(introduced["result"]["capabilities"]["tools"], json!({ "listChanged": true }));

    server.write("shop.yaml", &bridge(&format!("{ITEM}{ITEMS}")));
    for stream in [&mut standing, &mut channel] {
        assert_eq!(stream.message().await, json!({ "jsonrpc": "2.0", "method": TOOLS_CHANGED }));
    }
    let told = listener.message().await;
    assert_eq!(told["method"], TOOLS_CHANGED);
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l-1");
    assert_eq!(tools(&server).await, ["item", "items"], "who is told finds the change");

    // Streams end with the server; who listens gets its result (protocol.md U-06).
    let stopping = spawn(server.stop());
    assert_eq!(standing.rest().await, Vec::<Value>::new());
    assert_eq!(channel.rest().await, Vec::<Value>::new());
    let last = listener.rest().await;
    assert_eq!(last.len(), 1);
    assert_eq!((&last[0]["id"], &last[0]["result"]["resultType"]), (&json!("l-1"), &json!("complete")));
    assert_eq!(last[0]["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "l-1");
    assert_eq!(stopping.await.expect("no panic"), Drained::Whole);
}

#[tokio::test]
async fn faulty_files_change_nothing_until_they_are_mended() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    let readyz = || Post::new("").head("GET /readyz HTTP/1.1").send(server.address);
    server.write("shop.yaml", &bridge("  item: { description: One item., rest: { gett: /items } }\n"));
    eventually("the notice", async || readyz().await.body.contains("is not served")).await;
    assert_eq!(tools(&server).await, ["item", "slow"]);
    assert!(server.text("item", &json!({ "id": 3 })).await.contains("SKU-0003"));
    server.write("shop.yaml", &bridge(ITEMS));
    lists(&server, &["items"]).await;
    eventually("the notice to go", async || !readyz().await.body.contains("is not served")).await;
    // A file that comes is served, and one that goes is not.
    server.write("second.yaml", &bridge(ITEM).replace("bridge: shop", "bridge: second"));
    lists(&server, &["item", "items"]).await;
    std::fs::remove_file(server.folder.path().join("shop.yaml")).expect("it was there");
    lists(&server, &["item"]).await;
}

#[tokio::test]
async fn a_call_under_way_ends_with_what_it_began_with() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    let slow = server.post(&call_message("slow", &json!({})));
    let slow = spawn(slow.send(server.address));
    until("the request", || !api.seen().is_empty()).await;
    server.write("shop.yaml", &bridge(ITEM));
    lists(&server, &["item"]).await;
    let answer = slow.await.expect("no panic").json();
    assert!(answer["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("400")), "{answer}");
}

#[tokio::test]
async fn a_tool_that_went_away_says_so_to_who_still_calls_it() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    server.write("shop.yaml", &bridge(ITEM.replace("item:", "one_item:").as_str()));
    lists(&server, &["one_item"]).await;
    let text = server.error("slow", &json!({})).await;
    assert!(text.contains("`slow`") && text.contains("List the tools again"), "{text}");
    let never = server.send(&call_message("nothing", &json!({}))).await.json();
    assert_eq!(never["error"]["code"], -32602, "{never}");
    server.write("shop.yaml", &bridge(&format!("{ITEM}{SLOW}")));
    lists(&server, &["item", "slow"]).await;
    assert!(server.text("slow", &json!({})).await.contains("400"), "it is back");
}

#[tokio::test]
async fn who_may_call_changes_at_once() {
    let api = upstream().await;
    let keyed = |key: &str| {
        let keys = format!("server:\n  auth:\n    api_keys:\n      static:\n        - {{ name: one, value: {key} }}\n");
        format!("{}{keys}", bridge(ITEM))
    };
    let [first, second] = ["the-first-key-of-the-caller", "the-second-key-of-the-caller"];
    let server = serve_watched(&[("shop.yaml", &keyed(first))], &[("API", &api.url())]).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let status = async |key: &str| {
        server.post(&ping).header("authorization", &format!("Bearer {key}")).send(server.address).await.status
    };
    assert_eq!((status(first).await, status(second).await), (200, 401));
    server.write("shop.yaml", &keyed(second));
    eventually("the change of keys", async || status(second).await == 200).await;
    assert_eq!(status(first).await, 401);
}

#[tokio::test]
async fn only_changes_of_the_lists_are_told() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    let session = server.session("2025-11-25").await;
    let mut stream = Events::open(server.address, &standing(&session)).await;
    // Another path for the same tool: the list stays as it is.
    server.write("shop.yaml", &bridge(&format!("{}{SLOW}", ITEM.replace("/items/{id}", "/echo/{id}"))));
    eventually("the change", async || server.text("item", &json!({ "id": 1 })).await.contains("/echo/1")).await;
    server.write("shop.yaml", &bridge(ITEM));
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
    lists(&server, &["item"]).await;
    let stopping = spawn(server.stop());
    assert_eq!(stream.rest().await, Vec::<Value>::new(), "one change, one notice");
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn streams_are_opened_for_sessions_that_can_be_told_something() {
    let api = upstream().await;
    let server = shop(&api.url()).await;
    let session = server.session("2025-11-25").await;
    let status = async |post: Post| Events::open(server.address, &post).await.head.status;
    for (what, post, expected) in [
        ("a session", standing(&session), 200),
        ("no session", standing(""), 405),
        ("another one's session", standing("x"), 404),
        ("a browser", standing(&session).header("accept", "text/html,*/*"), 405),
        ("a stateless client", standing(&session).header("mcp-protocol-version", "2026-07-28"), 405),
        ("the path of a bridge", standing(&session).head("GET /mcp/shop HTTP/1.1"), 200),
        ("an unknown bridge", standing(&session).head("GET /mcp/nobody HTTP/1.1"), 404),
    ] {
        assert_eq!(status(post).await, expected, "{what}");
    }
    // Ending the session ends its streams.
    let open = Events::open(server.address, &standing(&session)).await;
    let delete = standing(&session).head("DELETE /mcp HTTP/1.1").send(server.address).await;
    assert_eq!((delete.status, open.rest().await), (200, Vec::new()));
    // A listener wants an object of booleans, and a client that takes streams.
    let bad = listening(&json!({ "toolsListChanged": "yes" })).send(server.address).await;
    assert_eq!((bad.status, bad.json()["error"]["code"].as_i64()), (200, Some(-32602)));
    let deaf = listening(&json!({})).header("accept", "application/json").send(server.address).await;
    assert_eq!(deaf.status, 406);
}

#[tokio::test]
async fn a_server_whose_files_are_not_watched_has_nothing_to_tell() {
    let server = serve(&[("shop.yaml", &bridge(ITEM))], &[("API", "http://127.0.0.1:9")]).await;
    let introduced = Post::new(initialize_message("2025-06-18").to_string()).send(server.address).await;
    assert_eq!(introduced.json()["result"]["capabilities"]["tools"], json!({}));
    let session = introduced.header("mcp-session-id").expect("a session");
    assert_eq!(standing(session).send(server.address).await.status, 405);
    let refused = listening(&json!({ "toolsListChanged": true })).send(server.address).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_i64()), (404, Some(-32601)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_are_declared_as_before_keep_their_connections() {
    const PID: &str = "  pid: { description: Pid., sql: { query: SELECT pg_backend_pid(), returns: value } }\n";
    const MORE: &str = "  more: { description: More., sql: { query: SELECT 1 } }\n";
    let Some(host) = postgres() else { return };
    host.database("reloaded", "");
    let bridge = |seconds: u32, tools: &str| {
        let source = format!("{{ url: \"${{DB}}\", statement_timeout: {seconds}s, pool: {{ max: 2 }} }}");
        format!("bridge: shop\nsources: {{ db: {{ sql: {source} }} }}\ntools:\n{tools}")
    };
    let url = host.url("app", "reloaded");
    let server = serve_watched(&[("shop.yaml", &bridge(5, PID))], &[("DB", &url)]).await;
    let pid = async || server.text("pid", &json!({})).await;
    let before = pid().await;
    server.write("shop.yaml", &bridge(5, &format!("{PID}{MORE}")));
    lists(&server, &["pid", "more"]).await;
    assert_eq!(pid().await, before, "the pool is the one from before");
    server.write("shop.yaml", &bridge(6, PID));
    lists(&server, &["pid"]).await;
    assert_ne!(pid().await, before, "another statement timeout is another pool");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'reloaded' AND usename = 'app'";
    until("the end of the pool that nobody uses", || host.admin("postgres", sessions) == "1").await;
}
