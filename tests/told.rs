//! Who is told of a change of the files, and what they learn by it: every path has lists of its own, and so has
//! every caller (protocol.md S-11, T-17, T-18).

use serde_json::{Value, json};

use crate::support::{Events, Post, Served, call_message, serve_watched, spawn, until_async};

const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// A bridge of tools, each a name and what it says of who may see it.
fn bridge(name: &str, tools: &[(&str, &str)]) -> String {
    let tools = tools.iter().map(|(tool, who)| {
        let who = if who.is_empty() { String::new() } else { format!("scopes: [{who}], ") };
        format!("  {tool}: {{ description: One., {who}reply: {{ text: Hi. }} }}\n")
    });
    format!("bridge: {name}\ntools:\n{}", tools.collect::<String>())
}

fn keyed(name: &str, tools: &[(&str, &str)]) -> String {
    let keys = r"
server:
  auth:
    api_keys:
      static:
        - { name: plain, value: plain-key-of-this-test, scopes: [read] }
        - { name: admin, value: admin-key-of-this-test, scopes: [read, admin] }
    scopes: { read: {}, admin: {} }
";
    format!("{}{keys}", bridge(name, tools))
}

fn standing(session: &str, path: &str) -> Post {
    let get = Post::new("").head(&format!("GET {path} HTTP/1.1")).header("content-type", "");
    get.header("accept", "text/event-stream").header("mcp-session-id", session)
}

fn by(post: Post, who: &str) -> Post {
    post.header("authorization", &format!("Bearer {who}-key-of-this-test"))
}

async fn ask(server: &Served, who: &str, path: &str, message: &Value) -> Value {
    let post = server.post(message).head(&format!("POST {path} HTTP/1.1"));
    by(post, who).send(server.address).await.json()
}

async fn tools(server: &Served, who: &str) -> Vec<String> {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let listed = ask(server, who, "/mcp", &message).await;
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_session_is_told_of_every_path_that_it_listens_at() {
    let files = [("zed.yaml", bridge("zed", &[("z", "")])), ("ares.yaml", bridge("ares", &[("a", "")]))];
    let server = serve_watched(&[("zed.yaml", &files[0].1), ("ares.yaml", &files[1].1)], &[]).await;
    let session = server.session("2025-11-25").await;
    let mut zed = Events::open(server.address, &standing(&session, "/mcp/zed")).await;
    let mut ares = Events::open(server.address, &standing(&session, "/mcp/ares")).await;
    server.write("zed.yaml", &bridge("zed", &[("z", ""), ("zz", "")]));
    assert_eq!(zed.message().await["method"], TOOLS_CHANGED);
    server.write("ares.yaml", &bridge("ares", &[("a", ""), ("aa", "")]));
    assert_eq!(ares.message().await["method"], TOOLS_CHANGED);
    // A bridge that goes takes its list along, and its streams end with their session.
    std::fs::remove_file(server.folder.path().join("ares.yaml")).expect("it was there");
    assert_eq!(ares.message().await["method"], TOOLS_CHANGED);
    let gone = server.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    assert_eq!(gone.head("POST /mcp/ares HTTP/1.1").send(server.address).await.status, 404);
    let stopping = spawn(server.stop());
    assert_eq!((zed.rest().await, ares.rest().await), (vec![], vec![]), "each change was told once");
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn a_session_is_told_of_the_lists_that_its_handshake_declared() {
    let prompt = "prompts:\n  p: { description: One., messages: [{ text: Hi. }] }\n";
    let tools = |tools: &[(&str, &str)]| bridge("shop", tools);
    let server = serve_watched(&[("shop.yaml", &tools(&[("a", "")]))], &[]).await;
    let before = server.session("2025-11-25").await;
    let mut before = Events::open(server.address, &standing(&before, "/mcp")).await;
    // The first prompt: a list that the session was never told of.
    server.write("shop.yaml", &format!("{}{prompt}", tools(&[("a", ""), ("b", "")])));
    assert_eq!(before.message().await["method"], TOOLS_CHANGED);
    let after = server.session("2025-11-25").await;
    let mut after = Events::open(server.address, &standing(&after, "/mcp")).await;
    server.write("shop.yaml", &tools(&[("a", "")]));
    assert_eq!(after.message().await["method"], TOOLS_CHANGED);
    assert_eq!(after.message().await["method"], "notifications/prompts/list_changed");
    let stopping = spawn(server.stop());
    let rest: Vec<_> = before.rest().await.into_iter().map(|message| message["method"].clone()).collect();
    assert_eq!(rest, [TOOLS_CHANGED], "and never of prompts");
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn a_listener_is_named_by_its_id_as_it_came() {
    let server = serve_watched(&[("shop.yaml", &bridge("shop", &[("a", "")]))], &[]).await;
    for (round, id) in ["123456789012345678901234567890", r#""\ud800""#, "-0"].into_iter().enumerate() {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta });
        let message = json!({ "jsonrpc": "2.0", "id": "ID", "method": "subscriptions/listen", "params": params });
        let post = Post::new(message.to_string().replace("\"ID\"", id)).header("mcp-protocol-version", "2026-07-28");
        let post = post.header("mcp-method", "subscriptions/listen");
        let mut stream = Events::open(server.address, &post).await;
        let tagged = format!("\"io.modelcontextprotocol/subscriptionId\":{id}");
        let acknowledged = stream.next().await.expect("the acknowledgement").data;
        assert!(acknowledged.contains("acknowledged") && acknowledged.contains(&tagged), "{acknowledged}");
        server.write("shop.yaml", &bridge("shop", &[("a", ""), (&format!("b{round}"), "")]));
        let told = stream.next().await.expect("the notice").data;
        assert!(told.contains(TOOLS_CHANGED) && told.contains(&tagged), "{told}");
    }
}

#[tokio::test]
async fn who_may_see_a_tool_is_part_of_the_list() {
    let server = serve_watched(&[("shop.yaml", &keyed("shop", &[("a", ""), ("b", "")]))], &[]).await;
    let hello = crate::support::initialize_message("2025-11-25");
    let introduced = by(Post::new(hello.to_string()), "plain").send(server.address).await;
    let session = introduced.header("mcp-session-id").expect("a session").to_owned();
    let mut stream = Events::open(server.address, &by(standing(&session, "/mcp"), "plain")).await;
    for (who, seen) in [("admin", vec!["a"]), ("", vec!["a", "b"])] {
        server.write("shop.yaml", &keyed("shop", &[("a", ""), ("b", who)]));
        assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
        assert_eq!(
            (tools(&server, "plain").await, tools(&server, "admin").await.len()),
            (seen.into_iter().map(str::to_owned).collect(), 2)
        );
    }
    // How often it may be called is no part of it.
    let rated = keyed("shop", &[("a", ""), ("b", ""), ("c", "")]).replace("c: {", "c: { rate_limit: 5/min,");
    server.write("shop.yaml", &rated);
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
    let stopping = spawn(server.stop());
    assert_eq!(stream.rest().await, Vec::<Value>::new());
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn only_who_saw_a_tool_learns_that_it_went() {
    let files = [("a", ""), ("open", ""), ("secret", "admin")];
    let other = bridge("other", &[("o", "")]);
    let server = serve_watched(&[("shop.yaml", &keyed("shop", &files)), ("other.yaml", &other)], &[]).await;
    // What a caller is told, in a word.
    let told = async |who: &str, path: &str, tool: &str| {
        let answer = ask(&server, who, path, &call_message(tool, &json!({}))).await;
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        match (&answer["error"]["code"], text.contains("any more") && text.contains("List the tools again")) {
            (Value::Null, true) => "gone",
            (code, false) if *code == json!(-32602) => "unknown",
            _ => "called",
        }
    };
    assert_eq!((told("admin", "/mcp", "secret").await, told("plain", "/mcp", "secret").await), ("called", "unknown"));
    // One tool is closed, the other one goes.
    server.write("shop.yaml", &keyed("shop", &[("a", ""), ("open", "admin")]));
    until_async("the change", async || tools(&server, "plain").await == ["o", "a"]).await;
    for (who, path, tool, expected) in [
        ("admin", "/mcp", "secret", "gone"),
        ("admin", "/mcp/shop", "secret", "gone"),
        ("plain", "/mcp", "secret", "unknown"),
        ("admin", "/mcp/other", "secret", "unknown"),
        ("plain", "/mcp", "open", "gone"),
        ("admin", "/mcp", "open", "called"),
        ("plain", "/mcp", "never", "unknown"),
    ] {
        assert_eq!(told(who, path, tool).await, expected, "{who} {path} {tool}");
    }
    // Whoever saw it before another change learns it all the same, and nobody does when it is back.
    server.write("shop.yaml", &keyed("shop", &[("a", "")]));
    until_async("the change", async || tools(&server, "admin").await == ["o", "a"]).await;
    assert_eq!((told("plain", "/mcp", "open").await, told("admin", "/mcp", "open").await), ("gone", "gone"));
    server.write("shop.yaml", &keyed("shop", &files));
    until_async("the change", async || tools(&server, "plain").await == ["o", "a", "open"]).await;
    assert_eq!((told("plain", "/mcp", "open").await, told("plain", "/mcp", "secret").await), ("called", "unknown"));
}
