//! Resources that change: those who asked are told which, on every kind of stream, and nobody is told
//! of what stayed as it was (protocol.md R-05, S-11, U-05).

use serde_json::{Value, json};

use crate::support::{Events, Post, Served, initialize_message, serve_watched};

const UPDATED: &str = "notifications/resources/updated";
const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// A bridge whose policy and orders say these words; a further tool makes every path tell something.
fn bridge(policy: &str, order: &str, tools: &[&str]) -> String {
    let tools: Vec<_> =
        tools.iter().map(|name| format!("  {name}: {{ description: One., reply: {{ text: Hi. }} }}")).collect();
    format!(
        r#"
bridge: shop
tools:
{}
resources:
  policy: {{ uri: "shop://policy", description: The rules., subscribe: true, reply: {{ text: "{policy}" }} }}
  quiet: {{ uri: "shop://quiet", description: Not watched., reply: {{ text: "{policy}" }} }}
  order:
    uri: shop://orders/{{id}}
    description: One order.
    subscribe: true
    params: {{ id: {{ type: integer, description: Which. }} }}
    reply: {{ text: "{order} {{{{id}}}}" }}
"#,
        tools.join("\n")
    )
}

async fn shop() -> Served {
    serve_watched(&[("shop.yaml", &bridge("Be kind.", "Order", &["one"]))], &[]).await
}

fn with(session: &str, message: &Value) -> Post {
    Post::new(message.to_string()).header("mcp-session-id", session)
}

async fn about(server: &Served, session: &str, method: &str, uri: &str) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "uri": uri } });
    with(session, &message).send(server.address).await.json()
}

async fn subscribe(server: &Served, session: &str, uri: &str) {
    assert_eq!(about(server, session, "resources/subscribe", uri).await["result"], json!({}), "{uri}");
}

async fn standing(server: &Served, session: &str) -> Events {
    let get = Post::new("").head("GET /mcp HTTP/1.1").header("content-type", "").header("accept", "text/event-stream");
    Events::open(server.address, &get.header("mcp-session-id", session)).await
}

fn listening(wants: &Value) -> Post {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "notifications": wants, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
    post.header("mcp-method", "subscriptions/listen")
}

fn update(uri: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": UPDATED, "params": { "uri": uri } })
}

#[tokio::test]
async fn who_asked_is_told_which_resource_changed() {
    let server = shop().await;
    let session = server.session("2025-06-18").await;
    let other = server.session("2025-11-25").await;
    for uri in ["shop://policy", "shop://orders/7"] {
        subscribe(&server, &session, uri).await;
    }
    subscribe(&server, &other, "shop://orders/7").await;
    let mut streams = [standing(&server, &session).await, standing(&server, &other).await];

    // Two lists and one text change: the text is told to the one who asked for it.
    server.write("shop.yaml", &bridge("Be kinder.", "Order", &["one", "two"]));
    assert_eq!(streams[0].message().await["method"], TOOLS_CHANGED);
    assert_eq!(streams[0].message().await, update("shop://policy"));
    assert_eq!(streams[1].message().await["method"], TOOLS_CHANGED);

    // A template stands for every address of it. The text of a resource is no part of the list.
    server.write("shop.yaml", &bridge("Be kinder.", "The order", &["one", "two"]));
    for stream in &mut streams {
        assert_eq!(stream.message().await, update("shop://orders/7"));
    }
    assert!(about(&server, &session, "resources/read", "shop://orders/7").await.to_string().contains("The order 7"));

    // A resource that goes is a change, and so is its list.
    server.write("shop.yaml", "bridge: shop\ntools:\n  one: { description: One., reply: { text: Hi. } }\n");
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(streams[0].message().await);
    }
    assert_eq!((&told[0]["method"], &told[1]["method"]), (&json!(TOOLS_CHANGED), &json!(RESOURCES_CHANGED)));
    assert_eq!(told[2..], [update("shop://policy"), update("shop://orders/7")]);
}

#[tokio::test]
async fn who_takes_it_back_or_ends_is_told_no_more() {
    let server = shop().await;
    let session = server.session("2025-06-18").await;
    subscribe(&server, &session, "shop://policy").await;
    for uri in ["shop://policy", "shop://nowhere"] {
        assert_eq!(about(&server, &session, "resources/unsubscribe", uri).await["result"], json!({}));
    }
    let mut stream = standing(&server, &session).await;
    server.write("shop.yaml", &bridge("Be kinder.", "Order", &["one", "two"]));
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
    subscribe(&server, &session, "shop://policy").await;
    let delete = Post::new("").head("DELETE /mcp HTTP/1.1").header("mcp-session-id", &session);
    assert_eq!(delete.send(server.address).await.status, 200);
    assert_eq!(stream.rest().await, Vec::<Value>::new());
}

#[tokio::test]
async fn only_what_offers_it_can_be_asked_for() {
    let server = shop().await;
    let session = server.session("2025-06-18").await;
    for (uri, code) in [("shop://quiet", -32602), ("shop://nowhere", -32002)] {
        assert_eq!(about(&server, &session, "resources/subscribe", uri).await["error"]["code"], code, "{uri}");
    }
    for number in 0..32 {
        subscribe(&server, &session, &format!("shop://orders/{number}")).await;
    }
    subscribe(&server, &session, "shop://orders/0").await;
    let long = format!("shop://orders/{}", "7".repeat(2000));
    for uri in ["shop://orders/32", &long] {
        let refused = about(&server, &session, "resources/subscribe", uri).await;
        assert!(refused["error"]["message"].as_str().is_some_and(|words| words.contains("unsubscribe")), "{refused}");
    }
}

#[tokio::test]
async fn a_stateless_client_names_its_resources_when_it_listens() {
    let server = shop().await;
    let wants = json!({
        "toolsListChanged": true,
        "resourceSubscriptions": ["shop://policy", "shop://quiet", "shop://nowhere", "shop://orders/7", "shop://policy"],
    });
    let mut stream = Events::open(server.address, &listening(&wants)).await;
    let acknowledged = stream.message().await;
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({ "toolsListChanged": true, "resourceSubscriptions": ["shop://policy", "shop://orders/7"] })
    );
    server.write("shop.yaml", &bridge("Be kinder.", "Order", &["one", "two"]));
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
    let told = stream.message().await;
    assert_eq!((&told["method"], &told["params"]["uri"]), (&json!(UPDATED), &json!("shop://policy")));
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    for odd in [json!("shop://policy"), json!([7]), json!({ "uri": "shop://policy" })] {
        let refused = listening(&json!({ "resourceSubscriptions": odd })).send(server.address).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (200, &json!(-32602)), "{odd}");
    }
}

#[tokio::test]
async fn a_channel_is_told_what_its_session_asked_for() {
    let server = shop().await;
    let connecting = Post::new("").head("GET /sse HTTP/1.1").header("accept", "text/event-stream");
    let mut channel = Events::open(server.address, &connecting).await;
    let path = channel.next().await.expect("the address").data;
    let subscribe =
        json!({ "jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": { "uri": "shop://policy" } });
    for message in [initialize_message("2024-11-05"), subscribe] {
        let post = Post::new(message.to_string()).head(&format!("POST {path} HTTP/1.1"));
        assert_eq!(post.send(server.address).await.status, 202);
        assert!(channel.message().await["result"].is_object());
    }
    server.write("shop.yaml", &bridge("Be kinder.", "Order", &["one"]));
    assert_eq!(channel.message().await, update("shop://policy"));
}

#[tokio::test]
async fn what_stays_as_it_is_is_not_told() {
    let server = shop().await;
    let session = server.session("2025-06-18").await;
    for uri in ["shop://policy", "shop://orders/7"] {
        subscribe(&server, &session, uri).await;
    }
    let mut stream = standing(&server, &session).await;
    // The same words in another layout, with a tool more.
    let moved = bridge("Be kind.", "Order", &["one", "two"])
        .replace("subscribe: true, ", "")
        .replace("description: The rules.,", "\n    subscribe: true,\n    description: The rules.,");
    server.write("shop.yaml", &moved);
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED);
    server.write("shop.yaml", &bridge("Be kind.", "Order", &["one"]));
    assert_eq!(stream.message().await["method"], TOOLS_CHANGED, "nothing between the two");
}
