//! The way to a source: connections that are used again, answers that are packed, and a source that
//! comes back after it was left alone.

use serde_json::json;

use crate::support::{Authority, Scripted, Served, Validity, serve, stand_in, tls_api, upstream};

const BRIDGE: &str = r#"
bridge: lanes
sources:
  api: { rest: { base_url: "${API}" } }
  shaky: { rest: { base_url: "${API}", breaker: { failures: 1, pause: 20ms } } }
tools:
  get: { description: Asks., rest: { source: api, get: /thing } }
  shaky: { description: Asks., rest: { source: shaky, get: /shaky } }
"#;

async fn bridge(url: &str) -> Served {
    serve(&[("lanes.yaml", BRIDGE)], &[("API", url)]).await
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let api = stand_in(|_, _| Scripted::json(200, &json!({ "ok": true }))).await;
    let server = bridge(&api.url()).await;
    for _ in 0..20 {
        server.text("get", &json!({})).await;
    }
    assert_eq!((api.seen().len(), api.connections()), (20, 1));
    assert_eq!(api.seen()[0].version, "HTTP/1.1");
}

#[tokio::test]
async fn many_calls_share_one_connection_where_the_source_speaks_a_newer_protocol() {
    let own = Authority::new("Own");
    let api = tls_api(&own.issue("localhost", Validity::Now), None).await;
    let bridge = format!(
        "bridge: lanes\nsources:\n  api: {{ rest: {{ base_url: \"https://localhost:{}\", tls: {{ ca: ca.pem }} }} }}\n\
         tools:\n  get: {{ description: Asks., rest: {{ get: /thing }} }}\n",
        api.address.port()
    );
    let server = serve(&[("lanes.yaml", &bridge), ("ca.pem", &own.pem)], &[]).await;
    // The first call finds out what the source speaks.
    server.text("get", &json!({})).await;
    let (one, other) = (json!({}), json!({}));
    let calls = (0..10).map(|_| server.text("get", &one)).chain([server.text("get", &other)]);
    futures_util::future::join_all(calls).await;
    assert_eq!((api.seen().len(), api.connections()), (12, 1));
    assert!(api.seen().iter().all(|seen| seen.version == "HTTP/2.0"), "{:?}", api.seen());
}

#[tokio::test]
async fn a_source_that_is_well_again_is_asked_again() {
    let api = stand_in(|_, before| {
        let status = if before < 2 { 503 } else { 200 };
        Scripted::json(status, &json!({ "before": before }))
    })
    .await;
    let server = bridge(&api.url()).await;
    let mut texts = Vec::new();
    for _ in 0..10_000 {
        let result = server.call("shaky", &json!({})).await;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        let is_fine = result.get("isError").is_none();
        texts.push(text);
        if is_fine {
            break;
        }
    }
    assert_eq!(texts.last().map(String::as_str), Some(r#"{"before":2}"#));
    // Twice it failed; whatever else was asked for meanwhile did not reach it.
    assert_eq!(api.seen().len(), 3);
    let told = texts.iter().filter(|text| text.contains("status 503")).count();
    let alone = texts.iter().filter(|text| text.contains("failed once and is left alone")).count();
    assert_eq!((told, told + alone + 1), (2, texts.len()), "{texts:?}");
}

#[tokio::test]
async fn what_an_error_says_is_read_however_it_is_packed() {
    let api = upstream().await;
    let server = bridge_of_errors(&api.url()).await;
    for name in ["gzip-problem", "br-problem", "deflate-problem", "problem"] {
        let text = server.error("get", &json!({ "name": name })).await;
        let expected = "GET /{name} was answered with status 409: Out of stock: None of SKU-7 is left.";
        assert_eq!(text, expected, "{name}");
    }
    for (name, expected) in [
        ("quota", "GET /{name} was answered with status 403: API rate limit exceeded. The API asks to wait "),
        ("quota-left", "GET /{name} was answered with status 403: Not yours. `api` did not accept the credential"),
    ] {
        let text = server.error("get", &json!({ "name": name })).await;
        assert!(text.starts_with(expected), "{name}: {text}");
    }
}

async fn bridge_of_errors(url: &str) -> Served {
    let bridge = "bridge: errors\nsources:\n  api: { rest: \"${API}/bin\" }\ntools:\n  get:\n    description: Asks.\n    \
                  params: { name: { type: string, description: Name. } }\n    rest: { get: \"/{name}\" }\n";
    serve(&[("errors.yaml", bridge)], &[("API", url)]).await
}
