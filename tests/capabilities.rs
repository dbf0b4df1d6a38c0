//! A capability is declared where it is there, and nowhere else (protocol.md T-01, R-01, U-02).

use serde_json::{Value, json};

use crate::support::{Post, serve};

/// What clients of both eras are told that a bridge with these offers can do.
async fn declared(offers: &str) -> [Value; 2] {
    let served = serve(&[("able.yaml", &format!("bridge: able\n{offers}\n"))], &[]).await;
    let hello =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18" } });
    let hello = served.send(&hello).await.json();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let probe = json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": { "_meta": meta } });
    let probe = Post::new(probe.to_string()).header("mcp-protocol-version", "2026-07-28");
    let probe = probe.header("mcp-method", "server/discover").send(served.address).await.json();
    [hello, probe].map(|answer| answer["result"]["capabilities"].clone())
}

#[tokio::test]
async fn what_is_declared_is_there() {
    for (tool, logging) in [
        ("{ text: Hello. }", Value::Null),
        ("[{ progress: { value: 1 } }, { text: Hello. }]", Value::Null),
        ("[{ log: { message: Said. } }, { text: Hello. }]", json!({})),
    ] {
        let tool = format!("tools:\n  only:\n    description: The only tool.\n    reply: {tool}");
        for capabilities in declared(&tool).await {
            assert!(capabilities["tools"].is_object(), "{capabilities}");
            assert_eq!(capabilities["logging"], logging, "{tool}: {capabilities}");
        }
    }
}

#[tokio::test]
async fn whatever_writes_to_the_log_declares_it() {
    for offer in [
        "resources: { only: { uri: \"able://a\", description: One., reply: [{ log: { message: Read. } }, { text: Hi. }] } }",
        "resources: { only: { uri: \"able://{a}\", params: { a: { type: string, description: A. } }, description: One., reply: [{ log: { message: Read. } }, { text: Hi. }] } }",
    ] {
        for capabilities in declared(offer).await {
            assert_eq!(capabilities["logging"], json!({}), "{offer}: {capabilities}");
        }
        for capabilities in declared(&offer.replace("log: { message", "progress: { value: 1, message")).await {
            assert_eq!(capabilities.get("logging"), None, "{offer}: {capabilities}");
        }
    }
}
