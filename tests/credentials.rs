//! Credentials of sources: tokens from token endpoints, the caller's own, and what becomes of one that is refused.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::support::{Response, Scripted, Served, StandIn, call_message, serve, spawn, stand_in};

const BRIDGE: &str = r#"
bridge: credentials
sources:
  own:
    rest:
      base_url: ${API}/api
      auth: { client_credentials: { token_url: "${API}/token", client_id: "bridge 1", client_secret: "${SECRET}", scopes: [read, list], audience: shop } }
  post:
    rest:
      base_url: ${API}/api
      auth: { client_credentials: { token_url: "${API}/token", client_id: bridge, client_secret: "${SECRET}", auth_method: client_secret_post } }
  changed:
    rest:
      base_url: ${API}/api
      auth: { token_exchange: { token_url: "${API}/token", client_id: bridge, client_secret: "${SECRET}", audience: shop } }
  passed: { rest: { base_url: "${API}/api", auth: { passthrough: {} }, retry: { attempts: 2 } } }
  plain: { rest: { base_url: "${API}/api", auth: { passthrough: {} } } }
  other: { rest: { base_url: "${API}/api", auth: { passthrough: { from: x-other } } } }
  fixed: { rest: { base_url: "${API}/api", auth: { bearer: "${SECRET}" } } }
  through: { rest: { base_url: "http://api.invalid/v1", proxy: "${API}" } }
tools:
  own: { description: Own., rest: { source: own, get: /own } }
  own_write: { description: Own., rest: { source: own, post: /own, json: {} } }
  post: { description: Post., rest: { source: post, get: /post } }
  changed: { description: Changed., rest: { source: changed, get: /changed } }
  changed_kept: { description: Changed., rest: { source: changed, get: /changed }, cache: 1h }
  passed: { description: Passed., rest: { source: passed, get: /passed } }
  plain: { description: Passed., rest: { source: plain, get: /plain } }
  stepped: { description: Passed., steps: [{ name: one, rest: { source: plain, get: /stepped } }] }
  other: { description: Other., rest: { source: other, get: /other } }
  fixed: { description: Fixed., rest: { source: fixed, get: /fixed } }
  through: { description: Through., rest: { source: through, get: /items } }
server:
  auth: { api_keys: { header: x-api-key, static: [{ name: tester, value: "${KEY}" }] } }
"#;
const KEY: &str = "a-key-of-this-test-alone";
const SECRET: &str = "secret-of this+test";

async fn bridge(api: &StandIn) -> Served {
    serve(&[("credentials.yaml", BRIDGE)], &[("API", &api.url()), ("SECRET", SECRET), ("KEY", KEY)]).await.with_key(KEY)
}

async fn call_as(server: &Served, tool: &str, token: &str) -> Response {
    let post = server.post(&call_message(tool, &json!({})));
    post.header("authorization", token).send(server.address).await
}

/// A token endpoint whose tokens are numbered, before an API that takes those from a number on.
async fn numbered(valid_from: usize, life: serde_json::Value) -> StandIn {
    let made = Arc::new(AtomicUsize::new(0));
    stand_in(move |seen, _| {
        if seen.target == "/token" {
            let number = made.fetch_add(1, Ordering::Relaxed) + 1;
            let token = json!({ "access_token": format!("t{number}"), "token_type": "bearer", "expires_in": life });
            return Scripted::json(200, &token);
        }
        let number = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer t"));
        let number = number.and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
        Scripted::json(if number >= valid_from { 200 } else { 401 }, &json!({ "token": number }))
    })
    .await
}

fn asked(api: &StandIn) -> usize {
    api.targets().iter().filter(|target| *target == "/token").count()
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let api = numbered(1, json!(3600)).await;
    let server = bridge(&api).await;
    let calls: Vec<_> =
        (0..6).map(|_| spawn(server.post(&call_message("own", &json!({}))).send(server.address))).collect();
    for call in calls {
        assert!(call.await.expect("no panic").body.contains("\\\"token\\\":1"));
    }
    server.text("own_write", &json!({})).await;
    assert_eq!(asked(&api), 1);
    let request = api.seen().into_iter().find(|seen| seen.target == "/token").expect("it was asked");
    assert_eq!(request.body, "grant_type=client_credentials&scope=read+list&audience=shop");
    // The two are encoded before they are joined (RFC 6749 §2.3.1): `bridge+1:secret-of+this%2Btest`.
    assert_eq!(request.header("authorization"), Some("Basic YnJpZGdlKzE6c2VjcmV0LW9mK3RoaXMlMkJ0ZXN0"));
    server.text("post", &json!({})).await;
    let request = api.seen().into_iter().rfind(|seen| seen.target == "/token").expect("it was asked");
    assert_eq!(request.body, "grant_type=client_credentials&client_id=bridge&client_secret=secret-of+this%2Btest");
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_token_that_is_over_or_refused_is_fetched_again() {
    for (valid_from, life, tool, calls, tokens, requests) in [
        (1, json!(0.001), "own", 2, 2, 2),
        (1, json!("3600"), "own", 2, 1, 2),
        (1, json!(null), "own", 2, 1, 2),
        (2, json!(3600), "own", 2, 2, 3),
        (2, json!(3600), "own_write", 1, 2, 2),
    ] {
        let api = numbered(valid_from, life.clone()).await;
        let server = bridge(&api).await;
        for _ in 0..calls {
            server.text(tool, &json!({})).await;
        }
        let sent = api.targets().len() - asked(&api);
        assert_eq!((asked(&api), sent), (tokens, requests), "from {valid_from}, {life}, {tool}");
    }
    // It is renewed once a call, not for ever.
    let api = numbered(1000, json!(3600)).await;
    let server = bridge(&api).await;
    let text = server.error("own", &json!({})).await;
    assert!(text.contains("401") && text.contains("`own`") && text.contains("operator"), "{text}");
    assert_eq!((asked(&api), api.targets().len()), (2, 4));
}

#[tokio::test]
async fn a_token_endpoint_that_gives_none_is_told_of() {
    for (status, body, words) in [
        (401, json!({ "error": "invalid_client", "error_description": SECRET }), "status 401 (invalid_client)"),
        (500, json!("down"), "status 500"),
        (200, json!({ "token": "x" }), "none that can be used"),
        (200, json!({ "access_token": "a\nb" }), "none that can be used"),
        (200, json!({ "access_token": "a", "token_type": "mac" }), "none that can be used"),
    ] {
        let told = body.clone();
        let api = stand_in(move |_, _| Scripted::json(status, &told)).await;
        let server = bridge(&api).await;
        let text = server.error("own", &json!({})).await;
        assert!(text.contains(words) && text.contains("`own`") && !text.contains(SECRET), "{body}: {text}");
        assert_eq!(api.targets(), ["/token"], "nothing is asked without a token");
    }
}

#[tokio::test]
async fn callers_have_tokens_of_their_own_in_exchange() {
    let api = numbered(1, json!(3600)).await;
    let server = bridge(&api).await;
    for (token, number, asked_before) in [("ada", 1, 1), ("bo", 2, 2), ("ada", 1, 2)] {
        let response = call_as(&server, "changed", &format!("Bearer {token}")).await;
        assert!(response.body.contains(&format!("\\\"token\\\":{number}")), "{}", response.body);
        assert_eq!(asked(&api), asked_before, "{token}");
    }
    for (token, number) in [("ada", 1), ("bo", 2), ("bo", 2)] {
        let response = call_as(&server, "changed_kept", &format!("Bearer {token}")).await;
        assert!(response.body.contains(&format!("\\\"token\\\":{number}")), "a result of another caller");
    }
    let form = api.seen().remove(0).body;
    let expected = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=ada\
                    &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&audience=shop";
    assert_eq!(form, expected);
    let response = server.send(&call_message("changed", &json!({}))).await;
    assert_eq!(response.status, 401, "{}", response.body);
    assert!(response.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    let refusing = stand_in(|_, _| Scripted::json(400, &json!({ "error": "invalid_grant" }))).await;
    let server = bridge(&refusing).await;
    let response = call_as(&server, "changed", "Bearer over").await;
    assert_eq!(response.status, 401, "{}", response.body);
    assert_eq!(refusing.targets(), ["/token"]);
}

#[tokio::test]
async fn a_refused_credential_goes_back_to_whose_it_is() {
    let scope = "Bearer realm=\"shop\", error=\"insufficient_scope\", scope=\"orders:write read\"";
    for (status, challenge, tool, http, words) in [
        (401, "Bearer error=\"invalid_token\"", "plain", 401, "error=\"invalid_token\""),
        (401, "", "plain", 401, "error=\"invalid_token\""),
        (401, "", "passed", 401, "error=\"invalid_token\""),
        (401, "", "stepped", 401, "error=\"invalid_token\""),
        (403, scope, "plain", 403, "error=\"insufficient_scope\", scope=\"orders:write read\""),
        (403, scope, "passed", 403, "error=\"insufficient_scope\", scope=\"orders:write read\""),
        (403, "", "plain", 200, "403"),
        (401, "", "other", 200, "`other` did not accept the credential that you sent along"),
        (401, "", "fixed", 200, "`fixed` did not accept the credential that this server has for it"),
        (403, scope, "fixed", 200, "`fixed` did not accept the credential that this server has for it"),
    ] {
        let api = stand_in(move |_, _| {
            let answer = Scripted::json(status, &json!({ "message": "no" }));
            if challenge.is_empty() { answer } else { answer.header("www-authenticate", challenge) }
        })
        .await;
        let server = bridge(&api).await;
        let post = server.post(&call_message(tool, &json!({}))).header("x-other", "mine");
        let response = post.header("authorization", "Bearer mine").send(server.address).await;
        assert_eq!(response.status, http, "{tool} {status} {challenge}: {}", response.body);
        assert_eq!(api.seen().len(), 1, "{tool}");
        if http == 200 {
            let result = response.json()["result"].clone();
            let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            assert!(result["isError"] == json!(true) && text.contains(words), "{tool} {status}: {text}");
        } else {
            let told = response.header("www-authenticate").unwrap_or_default();
            assert!(told.starts_with("Bearer ") && told.contains(words), "{tool} {status}: {told}");
            assert_eq!(response.json()["error"]["code"], json!(http));
            assert_eq!(response.json()["id"], json!(7));
        }
    }
}

#[tokio::test]
async fn a_proxy_is_asked_in_the_place_of_the_source() {
    let proxy = stand_in(|_, _| Scripted::json(200, &json!({ "ok": true }))).await;
    let server = bridge(&proxy).await;
    server.text("through", &json!({})).await;
    let seen = proxy.seen().remove(0);
    assert_eq!((seen.target.as_str(), seen.header("host")), ("/v1/items", Some("api.invalid")));
}
