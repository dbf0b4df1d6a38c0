//! Tokens of an issuer: what is accepted, what is not, and what clients are told. The issuer is a
//! stand-in with keys of its own. Threat model: rows 4, 5, 6 and 28 of auth.md §5.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Key, Response as Told, Served, raw, serve, spawn, upstream, with};

/// What an issuer is and has.
#[derive(Debug, Default)]
struct Facts {
    keys: Vec<Value>,
    /// `false` stands for an issuer that is down.
    up: bool,
    /// Paths that were asked for.
    asked: Vec<String>,
    /// What it says about opaque tokens.
    about: Value,
}

/// A running stand-in.
#[derive(Clone, Debug)]
struct Issuer {
    address: SocketAddr,
    facts: Arc<Mutex<Facts>>,
}

async fn issuer(key: &Key) -> Issuer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let facts = Facts { keys: vec![key.public()], up: true, ..Facts::default() };
    let issuer = Issuer { address, facts: Arc::new(Mutex::new(facts)) };
    let router = Router::new().fallback(answer).with_state(issuer.clone());
    spawn(async move { axum::serve(listener, router).await });
    issuer
}

/// Without the document of RFC 8414, so that the one of OpenID Connect is needed.
async fn answer(State(issuer): State<Issuer>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut facts = issuer.facts.lock().unwrap();
    facts.asked.push(path.clone());
    let (status, document) = match path.as_str() {
        _ if !facts.up => (StatusCode::INTERNAL_SERVER_ERROR, Value::Null),
        "/.well-known/openid-configuration" => {
            (StatusCode::OK, json!({ "issuer": issuer.id(), "jwks_uri": format!("{}/keys", issuer.id()) }))
        }
        "/keys" => (StatusCode::OK, json!({ "keys": facts.keys })),
        "/introspect" if body.starts_with(b"token=") => (StatusCode::OK, facts.about.clone()),
        _ => (StatusCode::NOT_FOUND, Value::Null),
    };
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    response
}

impl Issuer {
    fn id(&self) -> String {
        format!("http://{}", self.address)
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap());
    }

    fn asked(&self, path: &str) -> usize {
        self.facts.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    /// Claims of a good token.
    fn claims(&self) -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({
            "iss": self.id(), "aud": "https://mcp.shop.example/mcp", "sub": "ada", "exp": now + 600, "iat": now,
            "scope": "orders:read", "org": "acme", "azp": "poke",
        })
    }
}

fn bridge(api: &str, issuer: &Issuer, more: &str) -> String {
    let id = issuer.id();
    format!(
        r#"
bridge: desk
sources:
  api: {{ rest: "{api}" }}
tools:
  whoami:
    description: Who is calling.
    rest: {{ get: /echo/me, query: {{ s: "{{{{caller.subject}}}}", w: "{{{{caller.workspace}}}}", c: "{{{{caller.client_id}}}}" }} }}
  change:
    description: Changes an order.
    scopes: ["orders:write"]
    rest: {{ post: /items }}
server:
  public_url: https://mcp.shop.example
  rate_limit: {{ per_ip_unauthenticated: 1000/min }}
  auth:
    api_keys: {{ static: [{{ name: ci, value: "a-key-of-this-test-alone" }}] }}
    oauth:
      mode: resource_server
      scopes_supported: ["orders:read"]
      issuers:
        - issuer: {id}
          audiences: ["https://mcp.shop.example/mcp"]
          workspace: claims.org
{more}
    scopes: {{ "orders:read": {{}}, "orders:write": {{ implies: ["orders:read"] }} }}
"#
    )
}

async fn desk(api: &str, issuer: &Issuer, more: &str) -> Served {
    serve(&[("desk.yaml", &bridge(api, issuer, more))], &[]).await
}

async fn call(server: &Served, tool: &str, token: &str) -> Told {
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {} } });
    server.post(&message).header("authorization", &format!("Bearer {token}")).send(server.address).await
}

const METADATA: &str = "https://mcp.shop.example/.well-known/oauth-protected-resource/mcp";

#[tokio::test]
async fn a_good_token_says_who_where_and_what() {
    let (api, key) = (upstream().await, Key::new("k1"));
    let issuer = issuer(&key).await;
    let server = desk(&api.url(), &issuer, "").await;
    let token = key.token("at+jwt", &issuer.claims());
    for _ in 0..3 {
        let told = call(&server, "whoami", &token).await;
        assert_eq!((told.status, told.json()["result"].get("isError")), (200, None), "{}", told.body);
    }
    assert_eq!(api.last().target, "/echo/me?s=ada&w=acme&c=poke");
    assert_eq!(issuer.asked("/keys"), 1, "keys are kept");
    assert!(api.seen().iter().all(|seen| seen.header("authorization").is_none()), "the token went on");
    assert_eq!(call(&server, "whoami", "a-key-of-this-test-alone").await.status, 200, "keys are another way in");
    for (name, value) in [
        ("aud", json!(["https://other.example", "https://mcp.shop.example/mcp"])),
        ("exp", json!(chrono::Utc::now().timestamp() - 5)),
        ("nbf", json!(chrono::Utc::now().timestamp() + 5)),
    ] {
        let told = call(&server, "whoami", &key.token("at+jwt", &with(&issuer.claims(), name, value))).await;
        assert_eq!(told.status, 200, "{name}: {}", told.body);
    }
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_lets_nobody_in() {
    let (api, key, other) = (upstream().await, Key::new("k1"), Key::new("k1"));
    let issuer = issuer(&key).await;
    let server = desk(&api.url(), &issuer, "").await;
    let (claims, now) = (issuer.claims(), chrono::Utc::now().timestamp());
    let header = |name: &str, value: Value| {
        key.sign(&with(&json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt" }), name, value), &claims)
    };
    let good = key.token("at+jwt", &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for (what, token) in [
        ("another audience", key.token("at+jwt", &with(&claims, "aud", json!("https://other.example/mcp")))),
        ("no audience", key.token("at+jwt", &with(&claims, "aud", Value::Null))),
        ("another issuer", key.token("at+jwt", &with(&claims, "iss", json!("https://idp.example")))),
        ("the issuer with a slash", key.token("at+jwt", &with(&claims, "iss", json!(format!("{}/", issuer.id()))))),
        ("no issuer", key.token("at+jwt", &with(&claims, "iss", Value::Null))),
        ("no end", key.token("at+jwt", &with(&claims, "exp", Value::Null))),
        ("an end long ago", key.token("at+jwt", &with(&claims, "exp", json!(now - 3600)))),
        ("a beginning to come", key.token("at+jwt", &with(&claims, "nbf", json!(now + 3600)))),
        ("no subject", key.token("at+jwt", &with(&claims, "sub", Value::Null))),
        ("an empty subject", key.token("at+jwt", &with(&claims, "sub", json!("")))),
        ("a key of somebody else", other.token("at+jwt", &claims)),
        ("no signature", format!("{signed}.")),
        ("no algorithm", header("alg", json!("none"))),
        ("a shared secret", header("alg", json!("HS256"))),
        ("an algorithm that is not accepted", header("alg", json!("RS512"))),
        ("an unknown key", header("kid", json!("k2"))),
        ("what must be understood", header("crit", json!(["exp"]))),
        ("another type", header("typ", json!("oauth-id-jag+jwt"))),
        ("four parts", format!("{good}.x")),
        ("two parts", signed.to_owned()),
        ("a changed claim", {
            let changed = URL_SAFE_NO_PAD.encode(with(&claims, "sub", json!("eve")).to_string());
            format!("{}.{changed}.{signature}", signed.split('.').next().unwrap())
        }),
        ("the key of another product", "ghp_0123456789abcdefghijABCDEFGHIJ".into()),
    ] {
        let told = call(&server, "whoami", &token).await;
        let challenge = told.header("www-authenticate").unwrap_or_default();
        assert_eq!((told.status, &told.json()["error"]["code"]), (401, &json!(401)), "{what}: {}", told.body);
        let begins = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"orders:read\", error=\"invalid_token\"");
        assert!(challenge.starts_with(&begins), "{what}: {challenge}");
        assert!(!told.body.contains(&token), "{what}");
    }
    assert!(api.seen().is_empty(), "nothing went on");
}

#[tokio::test]
async fn new_keys_are_found_and_made_up_ones_cost_little() {
    let (api, old, new) = (upstream().await, Key::new("old"), Key::new("new"));
    let issuer = issuer(&old).await;
    let server = desk(&api.url(), &issuer, "").await;
    assert_eq!(call(&server, "whoami", &old.token("at+jwt", &issuer.claims())).await.status, 200);
    issuer.change(|facts| facts.keys = vec![new.public()]);
    assert_eq!(call(&server, "whoami", &new.token("at+jwt", &issuer.claims())).await.status, 200);
    let gone = old.token("at+jwt", &with(&issuer.claims(), "sub", json!("bob")));
    assert_eq!(call(&server, "whoami", &gone).await.status, 401, "a key that was taken back");
    for number in 0..20 {
        let made_up = new.sign(&json!({ "alg": "ES256", "kid": format!("x{number}") }), &issuer.claims());
        assert_eq!(call(&server, "whoami", &made_up).await.status, 401);
    }
    assert!(issuer.asked("/keys") <= 3, "{} questions", issuer.asked("/keys"));
}

#[tokio::test]
async fn an_issuer_that_is_down_lets_nobody_in_that_it_has_not_vouched_for() {
    let (api, key) = (upstream().await, Key::new("k1"));
    let issuer = issuer(&key).await;
    issuer.change(|facts| facts.up = false);
    let server = desk(&api.url(), &issuer, "").await;
    let told = call(&server, "whoami", &key.token("at+jwt", &issuer.claims())).await;
    assert_eq!((told.status, told.header("retry-after").is_some()), (503, true), "{}", told.body);
    issuer.change(|facts| facts.up = true);
    assert_eq!(call(&server, "whoami", &key.token("at+jwt", &issuer.claims())).await.status, 200);
    issuer.change(|facts| facts.up = false);
    let later = key.token("at+jwt", &with(&issuer.claims(), "sub", json!("bob")));
    assert_eq!(call(&server, "whoami", &later).await.status, 200, "the keys are still known");
}

#[tokio::test]
async fn more_scopes_can_be_asked_for() {
    let (api, key) = (upstream().await, Key::new("k1"));
    let issuer = issuer(&key).await;
    let server = desk(&api.url(), &issuer, "").await;
    let told = call(&server, "change", &key.token("at+jwt", &issuer.claims())).await;
    let expected =
        format!("Bearer resource_metadata=\"{METADATA}\", error=\"insufficient_scope\", scope=\"orders:write\"");
    assert_eq!((told.status, told.header("www-authenticate")), (403, Some(expected.as_str())), "{}", told.body);
    let more = with(&issuer.claims(), "scope", json!("orders:write"));
    assert_eq!(call(&server, "change", &key.token("at+jwt", &more)).await.status, 200);
    let told = call(&server, "change", "a-key-of-this-test-alone").await;
    assert_eq!((told.status, &told.json()["error"]["code"]), (200, &json!(-32602)), "a key cannot ask for more");
}

#[tokio::test]
async fn an_issuer_is_asked_about_what_only_it_can_read() {
    let (api, key) = (upstream().await, Key::new("k1"));
    let issuer = issuer(&key).await;
    let more =
        format!("          introspection: {{ url: {}/introspect, client_id: me, client_secret: sesame }}", issuer.id());
    let server = desk(&api.url(), &issuer, &more).await;
    let good = with(&issuer.claims(), "active", json!(true));
    for (number, (about, status)) in [
        (good.clone(), 200),
        (with(&good, "active", json!(false)), 401),
        (with(&good, "active", json!("true")), 401),
        (with(&good, "aud", Value::Null), 401),
        (with(&good, "aud", json!("https://other.example")), 401),
        (with(&good, "iss", json!("https://other.example")), 401),
        (with(&good, "exp", Value::Null), 401),
        (with(&good, "sub", Value::Null), 401),
        (with(&good, "token_type", json!("refresh_token")), 401),
        (Value::Null, 401),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.change(|facts| facts.about = about.clone());
        let token = format!("opaque-token-{number}");
        assert_eq!(call(&server, "whoami", &token).await.status, status, "{about}");
        assert_eq!(call(&server, "whoami", &token).await.status, status, "{about} again");
    }
    assert_eq!(issuer.asked("/introspect"), 10, "each token once");
    issuer.change(|facts| facts.up = false);
    assert_eq!(call(&server, "whoami", "opaque-token-new").await.status, 503);
    assert_eq!(call(&server, "whoami", "mcb_pat_never-asked-about").await.status, 401);
    assert_eq!(issuer.asked("/introspect"), 11, "what looks like our key is shown to nobody");
}

#[tokio::test]
async fn clients_read_who_issues_tokens_and_nothing_where_nobody_does() {
    let (api, key) = (upstream().await, Key::new("k1"));
    let issuer = issuer(&key).await;
    let server = desk(&api.url(), &issuer, "").await;
    let get = async |server: &Served, path: &str, origin: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{origin}connection: close\r\n\r\n", server.address);
        raw(server.address, head.as_bytes()).await
    };
    for (path, resource) in [("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/desk", "/mcp/desk")] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let told = get(&server, &path, "origin: https://inspector.example\r\n").await;
        let document = told.json();
        assert_eq!((told.status, told.header("access-control-allow-origin")), (200, Some("*")), "{path}");
        assert_eq!(document["resource"], format!("https://mcp.shop.example{resource}"));
        assert_eq!(document["authorization_servers"], json!([issuer.id()]));
        assert_eq!(document["scopes_supported"], json!(["orders:read"]));
    }
    let rebound = raw(
        server.address,
        b"GET /.well-known/oauth-protected-resource HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(rebound.await.status, 403);
    let without = serve(&[("desk.yaml", &format!("bridge: x\nsources: {{ api: {{ rest: \"{}\" }} }}\ntools: {{ t: {{ description: T., rest: {{ get: / }} }} }}\n", api.url()))], &[]).await;
    for path in [
        "oauth-protected-resource",
        "oauth-protected-resource/mcp",
        "oauth-authorization-server",
        "openid-configuration",
    ] {
        assert_eq!(get(&without, &format!("/.well-known/{path}"), "").await.status, 404, "{path}");
    }
}
