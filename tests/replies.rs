//! Fixed answers: every kind of content in the words of every revision.

use serde_json::{Value, json};

use crate::support::{Served, serve};

const BRIDGE: &str = r##"
bridge: help
tools:
  greet:
    description: Greets.
    params: { name: { type: string, description: Whom., default: world } }
    reply: { text: "Hello {{name}}, from {{caller.kind}}" }
  logo:
    description: The logo.
    reply: { image: { data: aGVsbG8=, mime_type: image/png } }
  wide_logo:
    description: The logo from a file.
    reply: { image: { file: logo.txt, mime_type: image/png } }
  bell:
    description: A bell.
    reply: { audio: { data: "aGVs bG8=", mime_type: audio/wav } }
  policy:
    description: The policy, whole.
    params: { lang: { type: string, description: Language., enum: [en, de] } }
    reply:
      resource: { uri: "shop://policy/{{lang}}", mime_type: text/markdown, text: "# Be kind ({{lang}})" }
  manual:
    description: Where to read on.
    reply:
      - text: Read on.
      - resource_link: { uri: "shop://manual", name: manual, title: Manual, description: All of it., mime_type: text/html, size: 12 }
      - resource: { uri: "shop://seal", mime_type: application/octet-stream, data: aGVsbG8= }
  closed:
    description: Says that the shop is closed.
    reply: { text: "The shop is closed today.", error: true }
"##;

async fn help() -> Served {
    serve(&[("help.yaml", BRIDGE), ("logo.txt", "hello")], &[]).await
}

/// The result of a tool for a client of a revision.
async fn result(served: &Served, revision: &str, tool: &str, arguments: Value) -> Value {
    let mut message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments },
    });
    let mut post = served.post(&message).header("mcp-protocol-version", revision);
    if revision == "2026-07-28" {
        message["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": revision, "io.modelcontextprotocol/clientCapabilities": {},
        });
        post = served.post(&message).header("mcp-protocol-version", revision);
        post = post.header("mcp-method", "tools/call").header("mcp-name", tool);
    }
    let response = post.send(served.address).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()["result"].clone()
}

#[tokio::test]
async fn text_is_a_template_of_the_arguments() {
    let served = help().await;
    assert_eq!(served.text("greet", &json!({})).await, "Hello world, from anonymous");
    assert_eq!(served.text("greet", &json!({ "name": "<Bo>" })).await, "Hello <Bo>, from anonymous");
    let words = served.error("policy", &json!({ "lang": "fr" })).await;
    assert!(words.contains("`lang`"), "{words}");
}

#[tokio::test]
async fn an_error_is_an_error() {
    let served = help().await;
    let words = served.error("closed", &json!({})).await;
    assert!(words.starts_with("The shop is closed today"), "{words}");
}

#[tokio::test]
async fn every_revision_is_sent_what_it_knows() {
    let served = help().await;
    let image = json!([{ "type": "image", "data": "aGVsbG8=", "mimeType": "image/png" }]);
    let sound = json!([{ "type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav" }]);
    let sound_in_words = json!([{
        "type": "text", "text": "[A sound of type audio/wav, which this client cannot be sent]",
    }]);
    let policy = json!([{
        "type": "resource",
        "resource": { "uri": "shop://policy/de", "mimeType": "text/markdown", "text": "# Be kind (de)" },
    }]);
    let seal = json!({
        "type": "resource",
        "resource": { "uri": "shop://seal", "mimeType": "application/octet-stream", "blob": "aGVsbG8=" },
    });
    let words = json!({ "type": "text", "text": "Read on." });
    let link = json!({
        "type": "resource_link", "uri": "shop://manual", "name": "manual", "title": "Manual",
        "description": "All of it.", "mimeType": "text/html", "size": 12,
    });
    let link_in_words = json!({ "type": "text", "text": "Manual: shop://manual (All of it.)" });
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
        let sound = if revision == "2024-11-05" { &sound_in_words } else { &sound };
        let link = if revision < "2025-06-18" { &link_in_words } else { &link };
        for (tool, arguments, content) in [
            ("logo", json!({}), &image),
            ("wide_logo", json!({}), &image),
            ("bell", json!({}), sound),
            ("policy", json!({ "lang": "de" }), &policy),
            ("manual", json!({}), &json!([words, link, seal])),
        ] {
            let result = result(&served, revision, tool, arguments).await;
            assert_eq!(&result["content"], content, "{tool} for {revision}");
            assert_eq!(result.get("isError"), None, "{tool} for {revision}");
            assert_eq!(result.get("structuredContent"), None, "{tool} for {revision}");
        }
    }
}

#[tokio::test]
async fn a_fixed_answer_says_that_it_changes_nothing() {
    let served = help().await;
    let list = served.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = list["result"]["tools"].as_array().expect("tools").clone();
    for tool in tools {
        assert_eq!(tool["annotations"], json!({ "readOnlyHint": true, "openWorldHint": false }), "{tool}");
        assert_eq!(tool.get("outputSchema"), None, "{tool}");
    }
}
