//! Results that are kept for a time: who shares them, and what is never kept.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Scripted, call_message, serve, spawn, stand_in, until};

const BRIDGE: &str = r#"
bridge: caching
sources:
  api: { rest: "${API}" }
  own: { rest: { base_url: "${API}", auth: { passthrough: { from: x-own, to: authorization } } } }
tools:
  kept:
    description: Kept.
    params: { id: { type: integer, description: Number. }, flag: { type: boolean, default: true, description: Flag. } }
    rest: { source: api, get: "/items/{id}", query: { flag: "{{flag}}" } }
    cache: 1h
  brief: { description: Kept briefly., rest: { source: api, get: /brief }, cache: 1ms }
  fresh: { description: Not kept., rest: { source: api, get: /fresh } }
  failing: { description: Fails at first., rest: { source: api, get: /failing }, cache: 1h }
  mine: { description: Mine., rest: { source: own, get: /mine }, cache: 1h }
  named:
    description: Named.
    steps:
      - { name: one, rest: { source: api, get: /named, headers: { X-Name: "{{caller.name}}" } } }
    cache: 1h
"#;
/// Callers have a key in a header of its own, so that a credential for the source can stand beside it.
const ONE: &str = "
server:
  auth: { api_keys: { header: x-api-key, static: [{ name: tester, value: \"${KEY}\" }] } }
";
const KEY: &str = "a-key-of-this-test-alone";

#[tokio::test]
async fn calls_with_the_same_arguments_share_a_result() {
    let api = stand_in(|seen, before| Scripted::json(200, &json!({ "before": before, "target": seen.target }))).await;
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", ONE)], &[("API", &api.url()), ("KEY", KEY)])
        .await
        .with_key(KEY);
    let first = server.text("kept", &json!({ "id": 1 })).await;
    for arguments in [json!({ "id": 1 }), json!({ "flag": true, "id": "1" }), json!({ "id": 1, "flag": true })] {
        assert_eq!(server.text("kept", &arguments).await, first, "{arguments}");
    }
    assert_eq!(api.seen().len(), 1);
    server.text("kept", &json!({ "id": 1, "flag": false })).await;
    server.text("kept", &json!({ "id": 2 })).await;
    assert_eq!(api.seen().len(), 3);
    for _ in 0..2 {
        server.text("fresh", &json!({})).await;
    }
    assert_eq!(api.seen().len(), 5);
    // What was kept long enough is fetched again.
    while api.seen().len() < 7 {
        server.text("brief", &json!({})).await;
    }
}

#[tokio::test]
async fn errors_are_never_kept() {
    let api =
        stand_in(|_, before| Scripted::json(if before < 2 { 500 } else { 200 }, &json!({ "before": before }))).await;
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", ONE)], &[("API", &api.url()), ("KEY", KEY)])
        .await
        .with_key(KEY);
    server.error("failing", &json!({})).await;
    server.error("failing", &json!({})).await;
    for _ in 0..2 {
        assert_eq!(server.text("failing", &json!({})).await, r#"{"before":2}"#);
    }
    assert_eq!(api.seen().len(), 3);
}

#[tokio::test]
async fn callers_whose_credential_reaches_the_source_share_nothing() {
    let api = stand_in(|seen, _| Scripted::json(200, &json!({ "who": seen.header("authorization") }))).await;
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", ONE)], &[("API", &api.url()), ("KEY", KEY)])
        .await
        .with_key(KEY);
    for (who, sent) in [("one", 1), ("other", 2), ("one", 2), ("other", 2)] {
        let response = server.post(&call_message("mine", &json!({}))).header("x-own", who).send(server.address).await;
        let text = response.json()["result"]["content"][0]["text"].clone();
        assert_eq!(text, json!({ "who": who }).to_string());
        assert_eq!(api.seen().len(), sent, "{who}");
    }
    let response = server.error("mine", &json!({})).await;
    assert!(response.contains("x-own"), "{response}");
}

const KEYED: &str = "
server:
  auth: { api_keys: { static: [{ name: ada, value: \"${ADA}\" }, { name: bo, value: \"${BO}\" }] } }
";

#[tokio::test]
async fn callers_that_a_request_names_share_nothing() {
    let api = stand_in(|seen, _| Scripted::json(200, &json!({ "name": seen.header("x-name") }))).await;
    let keys = ["ada-key-of-this-test-0123456789", "bo-key-of-this-test-0123456789"];
    let variables = [("API", api.url()), ("ADA", keys[0].to_owned()), ("BO", keys[1].to_owned())];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", KEYED)], &variables).await;
    for (key, name) in [(keys[0], "ada"), (keys[1], "bo"), (keys[0], "ada")] {
        let post = server.post(&call_message("named", &json!({}))).header("authorization", &format!("Bearer {key}"));
        let text = post.send(server.address).await.json()["result"]["content"][0]["text"].clone();
        assert_eq!(text, json!({ "one": { "name": name } }).to_string());
    }
    assert_eq!(api.seen().len(), 2);
    for key in keys {
        let post = server.post(&call_message("kept", &json!({ "id": 1 })));
        post.header("authorization", &format!("Bearer {key}")).send(server.address).await;
    }
    assert_eq!(api.seen().len(), 3, "what says nothing of the caller is shared");
}

#[tokio::test]
async fn calls_at_the_same_time_ask_once() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let api = stand_in(move |_, before| Scripted::json(200, &json!({ "before": before })).behind(&held)).await;
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", ONE)], &[("API", &api.url()), ("KEY", KEY)])
        .await
        .with_key(KEY);
    let calls: Vec<_> =
        (0..8).map(|_| spawn(server.post(&call_message("kept", &json!({ "id": 1 }))).send(server.address))).collect();
    until("a request", || !api.seen().is_empty()).await;
    // One answer for all of them: a second request would wait for ever.
    gate.add_permits(1);
    for call in calls {
        let text = call.await.expect("no panic").json()["result"]["content"][0]["text"].clone();
        assert_eq!(text, r#"{"before":0}"#);
    }
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn who_waits_for_a_call_that_is_taken_back_asks_itself() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let api = stand_in(move |_, before| {
        let answer = Scripted::json(200, &json!({ "before": before }));
        if before == 0 { answer.behind(&held) } else { answer }
    })
    .await;
    let server = serve(&[("caching.yaml", BRIDGE), ("server.yaml", ONE)], &[("API", &api.url()), ("KEY", KEY)])
        .await
        .with_key(KEY);
    let start = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let session = server.send(&start).await.header("mcp-session-id").unwrap_or_default().to_owned();
    let message = call_message("kept", &json!({ "id": 1 }));
    let first = spawn(server.post(&message).header("mcp-session-id", &session).send(server.address));
    until("a request", || api.seen().len() == 1).await;
    let second = spawn(server.post(&message).send(server.address));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    server.post(&cancel).header("mcp-session-id", &session).send(server.address).await;
    first.await.expect("no panic");
    let text = second.await.expect("no panic").json()["result"]["content"][0]["text"].clone();
    assert_eq!(text, r#"{"before":1}"#);
}
