//! Credentials of an upstream as a way in: it vouches for them, they go to it and to nobody else, and
//! no weaker way in is tried after a stronger one. Threat model: rows 4, 26 and 28 of auth.md §5.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use serde_json::{Value, json};

use crate::support::{Response, Scripted, Served, StandIn, call_message, serve, stand_in};

const BRIDGE: &str = r#"
bridge: shop
sources:
  shop: { rest: { base_url: "${API}", auth: { passthrough: {} } } }
  open: { rest: "${OTHER}" }
tools:
  orders:
    description: The caller's orders.
    params: { who: { type: string, from: caller.subject }, org: { type: string, from: caller.workspace } }
    rest: { source: shop, get: /orders, query: { who: "{{who}}", org: "{{org}}", plan: "{{caller.claims.plan}}" } }
  weather: { description: The weather., rest: { source: open, get: /weather } }
  write: { description: Writes., scopes: ["orders:write"], rest: { source: shop, post: /orders, json: {} } }
  admin: { description: For others., scopes: [admin], rest: { source: shop, get: /admin } }
server:
  public_url: https://mcp.shop.example
  auth:
    api_keys: { static: [{ name: ci, value: "${KEY}", workspace: acme }] }
    scopes: { "orders:all": { implies: ["orders:write"] }, "orders:write": {}, admin: {} }
    passthrough:
      authorization_servers: ["https://auth.shop.example"]
      scopes_supported: [orders]
      verify: { source: shop, get: /me, subject: $.id, workspace: $.org.slug, scopes: ["orders:all"], cache: 5m }
"#;
const KEY: &str = "a-key-of-this-server-alone";

/// An API that knows the tokens `t-ada` and `t-bo`, and a status that it can be told to answer with.
async fn shop() -> (StandIn, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let api = stand_in(move |seen, _| {
        let status = told.load(Ordering::SeqCst);
        if status != 200 {
            return Scripted::json(status, &json!({}));
        }
        let who = match seen.header("authorization") {
            Some("Bearer t-ada") => "ada",
            Some("Bearer t-bo") => "bo",
            Some("Bearer t-nameless") => "",
            _ => return Scripted::json(401, &json!({ "error": "who?" })),
        };
        Scripted::json(200, &json!({ "id": who, "org": { "slug": "acme" }, "plan": "gold", "target": seen.target }))
    })
    .await;
    (api, status)
}

async fn desk(api: &StandIn, other: &StandIn) -> Served {
    serve(&[("shop.yaml", BRIDGE)], &[("API", &api.url()), ("OTHER", &other.url()), ("KEY", KEY)]).await
}

async fn call(server: &Served, tool: &str, credential: &str) -> Response {
    server.post(&call_message(tool, &json!({}))).header("authorization", credential).send(server.address).await
}

fn count(api: &StandIn, target: &str) -> usize {
    api.targets().iter().filter(|seen| *seen == target).count()
}

#[tokio::test]
async fn the_upstream_says_whose_a_credential_is_once() {
    let ((api, _), other) = (shop().await, stand_in(|_, _| Scripted::json(200, &json!({}))).await);
    let server = desk(&api, &other).await;
    let all = (0..8).map(|_| call(&server, "orders", "Bearer t-ada"));
    for response in futures_util::future::join_all(all).await {
        let text = response.json()["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains("/orders?who=ada&org=acme&plan=gold"), "{}", response.body);
    }
    assert_eq!(count(&api, "/me"), 1, "one question answers all who wait for it, and those who come later");
    call(&server, "orders", "Bearer t-bo").await;
    assert_eq!(count(&api, "/me"), 2);
    for seen in api.seen() {
        assert!(matches!(seen.header("authorization"), Some("Bearer t-ada" | "Bearer t-bo")), "{seen:?}");
    }
    assert_eq!(call(&server, "weather", "Bearer t-ada").await.status, 200);
    for seen in other.seen() {
        assert_eq!(seen.header("authorization"), None, "the credential goes to one source and to no other");
    }
    assert_eq!(call(&server, "write", "Bearer t-ada").await.status, 200, "scopes with all that they imply");
    let hidden = call(&server, "admin", "Bearer t-ada").await;
    assert_eq!(hidden.json()["error"]["code"], json!(-32602), "what a caller may not see is not there");
}

#[tokio::test]
async fn what_is_refused_stays_outside_and_nobody_else_is_asked() {
    let ((api, _), other) = (shop().await, stand_in(|_, _| Scripted::json(200, &json!({}))).await);
    let server = desk(&api, &other).await;
    for (credential, asked) in [
        ("Bearer t-eve", 1),
        ("Bearer t-eve", 1),
        ("Bearer t-nameless", 2),
        ("Basic t-ada", 2),
        ("Bearer ", 2),
        ("Bearer two words", 2),
        // By their form these are keys of this server: no upstream gets to see them.
        ("Bearer mcb_pat_00000000_00000000000000000000000000000000000000", 2),
        ("Bearer mcb_pat_typo", 2),
    ] {
        let response = call(&server, "weather", credential).await;
        assert_eq!(response.status, 401, "{credential}: {}", response.body);
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("error=\"invalid_token\""), "{credential}: {challenge}");
        assert_eq!(count(&api, "/me"), asked, "{credential}");
    }
    let response = server.send(&call_message("weather", &json!({}))).await;
    let challenge = response.header("www-authenticate").unwrap_or_default().to_owned();
    let metadata = "resource_metadata=\"https://mcp.shop.example/.well-known/oauth-protected-resource/mcp\"";
    assert_eq!((response.status, challenge), (401, format!("Bearer {metadata}, scope=\"orders\"")));
    assert!(other.seen().is_empty() && count(&api, "/weather") == 0, "nothing was called");
    // The key of this server is told apart by what it is, and goes nowhere.
    assert_eq!(call(&server, "weather", &format!("Bearer {KEY}")).await.status, 200);
    let response = call(&server, "orders", &format!("Bearer {KEY}")).await;
    assert!(response.body.contains("this caller has none"), "{}", response.body);
    assert!(api.seen().iter().all(|seen| seen.header("authorization") != Some(&format!("Bearer {KEY}"))));
}

#[tokio::test]
async fn an_upstream_that_cannot_say_lets_nobody_in_and_keeps_nobody_out_for_long() {
    let ((api, status), other) = (shop().await, stand_in(|_, _| Scripted::json(200, &json!({}))).await);
    let server = desk(&api, &other).await;
    for broken in [500, 503, 429, 302] {
        status.store(broken, Ordering::SeqCst);
        let response = call(&server, "weather", "Bearer t-ada").await;
        assert_eq!(response.status, 503, "{broken}: {}", response.body);
        assert_eq!(response.header("retry-after"), Some("5"));
    }
    status.store(200, Ordering::SeqCst);
    assert_eq!(call(&server, "weather", "Bearer t-ada").await.status, 200);
}

#[tokio::test]
async fn a_credential_that_the_upstream_takes_back_is_asked_about_again() {
    let ((api, status), other) = (shop().await, stand_in(|_, _| Scripted::json(200, &json!({}))).await);
    let server = desk(&api, &other).await;
    assert_eq!(call(&server, "orders", "Bearer t-ada").await.status, 200);
    status.store(401, Ordering::SeqCst);
    assert_eq!(call(&server, "weather", "Bearer t-ada").await.status, 200, "nobody has noticed yet");
    let relayed = call(&server, "orders", "Bearer t-ada").await;
    assert_eq!(relayed.status, 401, "{}", relayed.body);
    assert!(relayed.header("www-authenticate").is_some_and(|it| it.contains("resource_metadata")));
    assert_eq!(call(&server, "weather", "Bearer t-ada").await.status, 401, "now the server knows, too");
    assert_eq!(count(&api, "/me"), 2);
}

#[tokio::test]
async fn clients_are_told_to_sign_in_at_the_upstream() {
    let ((api, _), other) = (shop().await, stand_in(|_, _| Scripted::json(200, &json!({}))).await);
    let server = desk(&api, &other).await;
    for place in ["", "/mcp", "/sse", "/mcp/shop"] {
        let head = format!("GET /.well-known/oauth-protected-resource{place} HTTP/1.1");
        let response =
            server.post(&Value::Null).head(&head).header("host", "mcp.shop.example").send(server.address).await;
        assert_eq!(response.status, 200, "{place}: {}", response.body);
        let document = response.json();
        assert_eq!(document["authorization_servers"], json!(["https://auth.shop.example"]));
        assert_eq!(document["scopes_supported"], json!(["orders"]));
        let resource = if place.is_empty() { "/mcp" } else { place };
        assert_eq!(document["resource"], json!(format!("https://mcp.shop.example{resource}")));
    }
}

const UNVERIFIED: &str = r#"
bridge: relay
sources:
  shop: { rest: { base_url: "${API}", auth: { passthrough: { from: x-shop-key, to: authorization } } } }
tools:
  orders: { description: The caller's orders., rest: { source: shop, get: /orders } }
  mine:
    description: Needs to know who is calling.
    params: { who: { type: string, from: caller.subject } }
    rest: { source: shop, get: /mine, query: { who: "{{who}}" } }
server:
  auth: { passthrough: { unsafe_unverified: true } }
  rate_limit: { per_caller: 2/min }
"#;

#[tokio::test]
async fn an_unverified_credential_is_passed_on_and_nothing_is_known_of_its_holder() {
    let (api, _) = shop().await;
    let server = serve(&[("relay.yaml", UNVERIFIED)], &[("API", &api.url())]).await;
    let ask = async |tool: &str, credential: &str| {
        server.post(&call_message(tool, &json!({}))).header("x-shop-key", credential).send(server.address).await
    };
    assert_eq!(ask("orders", "").await.status, 401, "a credential is asked for");
    assert_eq!(ask("orders", "Bearer t-ada").await.status, 200);
    assert_eq!(api.targets(), ["/orders"]);
    let response = ask("mine", "Bearer t-ada").await;
    assert!(response.body.contains("the caller's subject, and this caller has none"), "{}", response.body);
    assert_eq!(ask("orders", "Bearer t-ada").await.status, 429, "each credential has a share of its own");
    assert_eq!(ask("orders", "Bearer t-bo").await.status, 200);
}

#[test]
fn what_the_specification_forbids_is_said_by_check_and_at_each_start() {
    let unverified = BRIDGE.split("      authorization_servers").next().unwrap().to_owned();
    for (file, words) in [
        (BRIDGE.to_owned(), "callers are let in with credentials of an API, which go on to it as they are"),
        (format!("{unverified}      unsafe_unverified: true\n"), "credentials are passed on that nobody has verified"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        // Who verifies nobody must not reach what does not look.
        let file = file.replace("  open: { rest: \"${OTHER}\" }\n", "").replace("  weather: ", "  # ");
        std::fs::write(folder.path().join("shop.yaml"), file).unwrap();
        for command in [&["check", "shop.yaml"][..], &["serve", "--stdio", "shop.yaml"]] {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
                .args(command)
                .current_dir(folder.path())
                .env_clear()
                .env("API", "https://api.shop.example")
                .env("KEY", KEY)
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(told.contains(words), "{command:?}:\n{told}");
        }
    }
}
