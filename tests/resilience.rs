//! Sources that fail, are slow, or permit only so much: what is sent again, what is not, and what the model is told.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Scripted, Served, StandIn, call_message, serve, spawn, stand_in, until};

const BRIDGE: &str = r#"
bridge: resilience
sources:
  patient: { rest: { base_url: "${API}", retry: { attempts: 3 } } }
  eager: { rest: { base_url: "${API}", retry: { attempts: 2, on: [500, connect], methods: [PUT] } } }
  plain: { rest: { base_url: "${API}" } }
  down: { rest: { base_url: "${DOWN}", retry: { attempts: 2 }, breaker: { failures: 3, pause: 1h } } }
  faulty: { rest: { base_url: "${API}", breaker: { failures: 2, pause: 1h } } }
  brittle: { rest: { base_url: "${API}", retry: { attempts: 3 }, breaker: { failures: 1, pause: 1h } } }
  narrow: { rest: { base_url: "${API}", concurrency: 1 } }
  paced: { rest: { base_url: "${API}", rate_limit: 2/h } }
tools:
  get: { description: Reads., rest: { source: patient, get: /get } }
  post: { description: Writes., rest: { source: patient, post: /post, json: {} } }
  keyed: { description: Writes once., rest: { source: patient, post: /keyed, json: {}, idempotency_key: Idempotency-Key } }
  put: { description: Replaces., rest: { source: eager, put: /put, json: {} } }
  eager_get: { description: Reads., rest: { source: eager, get: /get } }
  once: { description: Reads once., rest: { source: plain, get: /get } }
  down: { description: Is down., rest: { source: down, get: /get } }
  down_post: { description: Is down., rest: { source: down, post: /post, json: {} } }
  down_keyed: { description: Is down., rest: { source: down, post: /post, json: {}, idempotency_key: Idempotency-Key } }
  brittle: { description: Fails once., rest: { source: brittle, post: /post, json: {}, idempotency_key: Idempotency-Key } }
  faulty: { description: Fails., rest: { source: faulty, get: /get } }
  narrow: { description: One at a time., timeout: 300ms, rest: { source: narrow, get: /narrow } }
  holds_narrow: { description: One at a time., rest: { source: narrow, get: /narrow } }
  single: { description: One at a time., timeout: 2s, concurrency: 1, rest: { source: plain, get: /single } }
  paced: { description: Two an hour., rest: { source: paced, get: /paced } }
"#;

async fn bridge(api: &StandIn) -> Served {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let down = format!("http://{}", port.local_addr().expect("an address"));
    // Nobody listens there any more.
    drop(port);
    serve(&[("resilience.yaml", BRIDGE)], &[("API", &api.url()), ("DOWN", &down)]).await
}

/// A stand-in that answers with one status after the other, and with 200 from then on.
async fn answering(statuses: &[u16], retry_after: &'static str) -> StandIn {
    let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
    stand_in(move |_, before| match statuses.pop_front() {
        Some(status) => {
            let answer = Scripted::json(status, &json!({ "message": "not now" }));
            if retry_after.is_empty() { answer } else { answer.header("retry-after", retry_after) }
        }
        None => Scripted::json(200, &json!({ "before": before })),
    })
    .await
}

#[tokio::test]
async fn what_is_safe_is_sent_again_and_nothing_else() {
    for (tool, statuses, sent, fine) in [
        ("get", &[503][..], 2, true),
        ("get", &[429, 502], 3, true),
        ("get", &[503, 503, 503], 3, false),
        ("get", &[500], 1, false),
        ("get", &[404], 1, false),
        ("post", &[503], 1, false),
        ("post", &[429], 1, false),
        ("keyed", &[503, 504], 3, true),
        ("put", &[500], 2, true),
        ("put", &[503], 1, false),
        ("eager_get", &[500], 1, false),
        ("once", &[503], 1, false),
    ] {
        let api = answering(statuses, "0").await;
        let server = bridge(&api).await;
        let result = server.call(tool, &json!({})).await;
        assert_eq!(result.get("isError").is_none(), fine, "{tool} {statuses:?}: {result}");
        assert_eq!(api.seen().len(), sent, "{tool} {statuses:?}");
    }
}

#[tokio::test]
async fn all_attempts_of_a_call_have_one_key_and_other_calls_another() {
    let api = answering(&[503, 502], "").await;
    let server = bridge(&api).await;
    server.text("keyed", &json!({})).await;
    server.text("keyed", &json!({})).await;
    let keys: Vec<_> = api.seen().iter().map(|seen| seen.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0].as_ref().is_some_and(|key| key.len() == 32), "{keys:?}");
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
}

#[tokio::test]
async fn what_became_of_a_change_is_told_also_when_the_next_attempt_is_not_sent() {
    // The source is left alone after the first attempt.
    let api = answering(&[503], "").await;
    let server = bridge(&api).await;
    let told = server.error("brittle", &json!({})).await;
    assert!(told.contains("503") && !told.contains("left alone"), "{told}");
    assert_eq!(api.targets(), ["/post"]);
    // The first attempt is cut off, and nobody is there for the second.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let down = format!("http://{}", listener.local_addr().expect("an address"));
    let server = serve(&[("resilience.yaml", BRIDGE)], &[("API", &api.url()), ("DOWN", &down)]).await;
    let cut = spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        drop(listener);
        tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await.expect("a request")
    });
    let told = server.error("down_keyed", &json!({})).await;
    assert!(told.contains("may have been made"), "{told}");
    assert!(cut.await.expect("the task ends") > 0);
}

#[tokio::test]
async fn a_wait_that_does_not_fit_into_the_time_is_told_and_not_waited() {
    for (wait, sent, words) in [
        ("3600", 1, Some("asks to wait 3600 s")),
        ("Wed, 21 Oct 2065 07:28:00 GMT", 1, Some("asks to wait")),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 2, None),
    ] {
        let api = answering(&[429], wait).await;
        let server = bridge(&api).await;
        let result = server.call("get", &json!({})).await;
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(api.seen().len(), sent, "{wait}: {text}");
        if let Some(words) = words {
            assert!(text.contains(words), "{wait}: {text}");
        }
    }
}

#[tokio::test]
async fn a_source_that_keeps_failing_is_left_alone() {
    let api = answering(&[503, 503, 503, 503], "").await;
    let server = bridge(&api).await;
    for tool in ["down", "down_post", "down"] {
        let text = server.error(tool, &json!({})).await;
        assert!(text.contains("refused") || text.contains("left alone"), "{tool}: {text}");
    }
    let text = server.error("down", &json!({})).await;
    assert!(text.contains("`down` failed 3 times in a row") && text.contains("3600 s"), "{text}");
    // Its neighbour on the same address is another source.
    for _ in 0..2 {
        server.error("faulty", &json!({})).await;
    }
    let text = server.error("faulty", &json!({})).await;
    assert!(text.contains("left alone"), "{text}");
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn caps_of_a_source_and_of_a_tool_have_words_of_their_own() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let api = stand_in(move |_, _| Scripted::json(200, &json!({ "ok": true })).behind(&held)).await;
    let server = bridge(&api).await;
    for (holder, tool, words) in [
        ("holds_narrow", "narrow", "`narrow` has too many calls under way"),
        ("single", "single", "`single` has 1 call under way"),
    ] {
        gate.add_permits(1);
        server.text(tool, &json!({})).await;
        let before = api.seen().len();
        let first = server.post(&call_message(holder, &json!({}))).send(server.address);
        let first = spawn(first);
        until("the first call", || api.seen().len() > before).await;
        let text = server.error(tool, &json!({})).await;
        assert!(text.contains(words), "{tool}: {text}");
        assert_eq!(api.seen().len(), before + 1, "the second was not sent");
        gate.add_permits(1);
        first.await.expect("the first ends");
    }
}

#[tokio::test]
async fn a_pace_is_kept() {
    let api = answering(&[], "").await;
    let server = bridge(&api).await;
    server.text("paced", &json!({})).await;
    server.text("paced", &json!({})).await;
    let text = server.error("paced", &json!({})).await;
    assert!(text.contains("`paced` may be asked 2 times in 3600 s"), "{text}");
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn a_call_that_is_taken_back_gives_its_place_back() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let answers = Arc::new(Mutex::new(0));
    let api = stand_in(move |_, before| {
        *answers.lock().expect("no panic holds it") += 1;
        let answer = Scripted::json(200, &json!({ "before": before }));
        if before == 0 { answer.behind(&held) } else { answer }
    })
    .await;
    let server = bridge(&api).await;
    let start = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let session = server.send(&start).await.header("mcp-session-id").unwrap_or_default().to_owned();
    let first = server.post(&call_message("narrow", &json!({}))).header("mcp-session-id", &session);
    let first = spawn(first.send(server.address));
    until("the first call", || api.seen().len() == 1).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    server.post(&cancel).header("mcp-session-id", &session).send(server.address).await;
    first.await.expect("the first ends");
    let text = server.text("narrow", &json!({})).await;
    assert!(text.contains("\"before\":1"), "{text}");
}
