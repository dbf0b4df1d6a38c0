//! What crosses the line between clients and sources: nothing of a client's request goes out that
//! its author did not pass on, and no credential of a source comes in (rest.md §9.4, auth.md §4.7).

use serde_json::{Value, json};

use crate::support::{Scripted, Served, StandIn, call_message, serve, stand_in};

const BRIDGE: &str = r#"
bridge: boundary
sources:
  open: { rest: { base_url: "${API}" } }
  bearer: { rest: { base_url: "${API}", auth: { bearer: "${SECRET}" } } }
  basic: { rest: { base_url: "${API}", auth: { basic: { username: svc, password: "${SECRET}" } } } }
  header: { rest: { base_url: "${API}", auth: { api_key: { header: X-Api-Key, value: "${SECRET}" } } } }
  query: { rest: { base_url: "${API}", auth: { api_key: { query: api_key, value: "${SECRET}" } } } }
  client: { rest: { base_url: "${API}", auth: { client_credentials: { token_url: "${API}/token", client_id: c, client_secret: "${SECRET}" } } } }
  passed: { rest: { base_url: "${API}", auth: { passthrough: { from: x-upstream-key, to: authorization } } } }
  exchanged: { rest: { base_url: "${API}", auth: { token_exchange: { token_url: "${API}/token", client_id: c, client_secret: "${SECRET}" } } } }
tools:
  open: { description: Asks., rest: { source: open, get: /echo } }
  bearer: { description: Asks., rest: { source: bearer, get: /echo } }
  basic: { description: Asks., rest: { source: basic, get: /echo } }
  header: { description: Asks., rest: { source: header, get: /echo } }
  query: { description: Asks., rest: { source: query, get: /echo } }
  client: { description: Asks., rest: { source: client, get: /echo } }
  passed: { description: Asks., rest: { source: passed, get: /echo } }
  exchanged: { description: Asks., rest: { source: exchanged, get: /echo } }
  refused: { description: Refused., rest: { source: header, get: /refused } }
  told: { description: Refused., rest: { source: query, get: /refused, errors: { 4xx: "It said: {{body.message}}" } } }
  disguised: { description: Refused., rest: { source: query, get: /disguised, error_when: { select: $.ok, equals: false } } }
  shaped: { description: Shaped., rest: { source: query, get: /echo }, output: { fields: { target: $.target } } }
  text: { description: Text., rest: { source: bearer, get: /text } }
  pages:
    description: Pages.
    rest: { source: query, get: /pages, paginate: { next: $.next, items: $.items } }
    output: { select: "$['items', 'next', 'self']" }
  turned:
    description: Pages.
    rest: { source: query, get: /pages, paginate: { next: $.next, items: $.items, expose: true } }
server:
  auth: { api_keys: { header: x-api-key, static: [{ name: tester, value: "${KEY}" }] } }
"#;
/// What the client is known by here, and nowhere else.
const KEY: &str = "a-key-of-the-client-of-this-test";
const SECRET: &str = "key/of+this test";
const TOKEN: &str = "token-of-this-test";

/// An API that repeats whatever it is asked with.
async fn echo() -> StandIn {
    stand_in(|seen, _| {
        let headers: Value =
            seen.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().ok()))).collect();
        let said = json!({ "target": seen.target, "headers": headers });
        let path = seen.target.split('?').next().unwrap_or_default();
        let page = |items: Value, next: &str| {
            let next = seen.target.replace(path, next);
            Scripted::json(200, &json!({ "items": items, "next": next, "self": seen.target }))
        };
        match path {
            "/token" => Scripted::json(200, &json!({ "access_token": TOKEN, "token_type": "bearer" })),
            "/refused" => Scripted::json(403, &json!({ "message": format!("The key {SECRET} is over: {said}") })),
            "/disguised" => Scripted::json(200, &json!({ "ok": false, "error": format!("{} is over", seen.target) })),
            "/text" => Scripted::json(200, &said).header("content-type", "text/plain"),
            "/pages" => page(json!([1]), "/pages/2"),
            "/pages/2" => Scripted::json(200, &json!({ "items": [2] })),
            _ => Scripted::json(200, &said),
        }
    })
    .await
}

async fn bridge() -> (StandIn, Served) {
    let api = echo().await;
    let server = serve(&[("boundary.yaml", BRIDGE)], &[("API", &api.url()), ("SECRET", SECRET), ("KEY", KEY)]).await;
    (api, server.with_key(KEY))
}

/// What a client, or somebody on the way from it, may put into its request.
const SENT: [(&str, &str); 16] = [
    ("authorization", "Bearer of-the-client"),
    ("cookie", "sid=of-the-client"),
    ("x-shop-key", "of-the-client"),
    ("x-upstream-key", "Bearer handed-on-by-the-client"),
    ("proxy-authorization", "Basic of-the-client"),
    ("forwarded", "for=192.0.2.1"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-http-method-override", "DELETE"),
    ("x-real-ip", "192.0.2.1"),
    ("x-poke-user-id", "of-the-client"),
    ("accept-language", "de"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("user-agent", "of-the-client"),
    ("referer", "https://of-the-client.example"),
    ("idempotency-key", "of-the-client"),
];

#[tokio::test]
async fn nothing_of_a_client_goes_out_but_what_its_author_passes_on() {
    let (api, server) = bridge().await;
    for (tool, credential, own) in [
        ("open", None, None),
        ("bearer", Some("authorization"), None),
        ("basic", Some("authorization"), None),
        ("header", Some("x-api-key"), None),
        ("query", None, None),
        ("client", Some("authorization"), None),
        ("passed", Some("authorization"), Some("Bearer handed-on-by-the-client")),
        ("exchanged", Some("authorization"), None),
    ] {
        let mut post = server.post(&call_message(tool, &json!({})));
        for (name, value) in SENT {
            post = post.header(name, value);
        }
        let response = post.send(server.address).await;
        assert_eq!(response.json()["result"].get("isError"), None, "{tool}: {}", response.body);
        let seen = api.seen().pop().expect("a request");
        let mut names: Vec<_> = seen.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let mut expected = vec!["accept", "host", "user-agent"];
        expected.extend(credential);
        expected.sort_unstable();
        assert_eq!(names, expected, "{tool}");
        assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("mcp-bridge/")), "{tool}");
        let handed_on =
            seen.headers.values().find(|value| String::from_utf8_lossy(value.as_bytes()).contains("client"));
        assert_eq!(handed_on.and_then(|value| value.to_str().ok()), own, "{tool}");
    }
    // What is exchanged goes to the token endpoint alone.
    let exchange = api.seen().into_iter().rfind(|seen| seen.target == "/token").expect("it was asked");
    assert!(exchange.body.contains("subject_token=of-the-client"), "{}", exchange.body);
    assert!(
        SENT.iter()
            .filter(|(name, _)| *name != "authorization")
            .all(|(name, _)| { exchange.header(name).is_none_or(|value| !value.contains("of-the-client")) })
    );
}

#[tokio::test]
async fn no_credential_of_a_source_is_shown_whatever_the_source_repeats() {
    let (api, server) = bridge().await;
    for (tool, arguments) in [
        ("bearer", json!({})),
        ("basic", json!({})),
        ("header", json!({})),
        ("query", json!({})),
        ("client", json!({})),
        ("passed", json!({})),
        ("refused", json!({})),
        ("told", json!({})),
        ("disguised", json!({})),
        ("shaped", json!({})),
        ("text", json!({})),
        ("pages", json!({})),
        ("turned", json!({})),
    ] {
        let post =
            server.post(&call_message(tool, &arguments)).header("x-upstream-key", "Bearer mine-and-nobody-elses");
        let body = post.send(server.address).await.body;
        assert!(body.contains("[redacted]"), "{tool}: {body}");
        let encoded = ["key%2Fof%2Bthis%20test", "c3ZjOmtleS9vZit0aGlzIHRlc3Q=", "mine-and-nobody-elses"];
        for secret in [SECRET, TOKEN].into_iter().chain(encoded) {
            assert!(!body.contains(secret), "{tool} shows {secret}: {body}");
        }
    }
    // The page that is named with a key is asked for with it all the same.
    let pages: Vec<_> = api.targets().into_iter().filter(|target| target.starts_with("/pages/2")).collect();
    assert_eq!(pages, ["/pages/2?api_key=key%2Fof%2Bthis%20test"]);
}
