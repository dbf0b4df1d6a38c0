//! What a client is told while a source makes its call wait.

use serde_json::{Value, json};

use crate::support::{Events, Post, Scripted, Served, call_message, serve, stand_in};

const BRIDGE: &str = r#"
bridge: waiting
sources:
  api: { rest: { base_url: "${API}", retry: { attempts: 3 } } }
tools:
  again: { description: Again., rest: { get: /again } }
  pages: { description: Pages., rest: { get: /pages, paginate: { next: $.next, items: $.items } } }
  steps:
    description: Steps.
    steps:
      - { name: first, rest: { get: /first } }
      - { name: second, for_each: "{{steps.first.items}}", as: id, rest: { get: "/second/{id}" } }
  once: { description: Once., rest: { get: /first } }
"#;

async fn bridge() -> Served {
    let api = stand_in(|seen, before| match seen.target.as_str() {
        "/again" if before == 0 => Scripted::json(503, &json!({})).header("retry-after", "1"),
        "/pages" => Scripted::json(200, &json!({ "items": [1], "next": "/pages/2" })),
        "/pages/2" => Scripted::json(200, &json!({ "items": [2], "next": "/pages/3" })),
        _ => Scripted::json(200, &json!({ "items": [3] })),
    })
    .await;
    serve(&[("waiting.yaml", BRIDGE)], &[("API", &api.url())]).await
}

/// What the client is told before the result, and the result.
async fn told(server: &Served, tool: &str) -> (Vec<Value>, Value) {
    let session = server.session("2025-06-18").await;
    let mut message = call_message(tool, &json!({}));
    message["params"]["_meta"] = json!({ "progressToken": "mine" });
    let post = Post::new(message.to_string()).header("mcp-session-id", &session);
    let stream = Events::open(server.address, &post).await;
    if stream.head.header("content-type") == Some("application/json") {
        return (Vec::new(), post.send(server.address).await.json());
    }
    let mut messages = stream.rest().await;
    let result = messages.pop().unwrap_or_default();
    for message in &messages {
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(message["params"]["progressToken"], "mine");
    }
    (messages.into_iter().map(|message| message["params"].clone()).collect(), result)
}

#[tokio::test]
async fn a_client_that_asks_for_progress_is_told_what_is_waited_for() {
    let server = bridge().await;
    for (tool, words) in [
        ("again", &["`api` is asked again in 1.0 s"][..]),
        ("pages", &["page 2", "page 3"]),
        ("steps", &["first", "second"]),
        ("once", &[]),
    ] {
        let (progress, result) = told(&server, tool).await;
        assert_eq!(result["result"].get("isError"), None, "{tool}: {result}");
        for (index, expected) in words.iter().enumerate() {
            assert!(progress.iter().any(|it| it["message"] == *expected), "{tool} {index}: {progress:?}");
        }
        assert_eq!(progress.is_empty(), words.is_empty(), "{tool}: {progress:?}");
        let values: Vec<_> = progress.iter().map(|it| it["progress"].as_f64().unwrap_or(-1.0)).collect();
        assert!(values.is_sorted_by(|one, next| one < next), "{tool}: progress only grows (protocol.md): {values:?}");
    }
}
