//! People sign in at another provider: where they are sent, what of its word is believed, and who may not come
//! in. The provider is a stand-in with keys of its own. Threat model: rows 5, 15 and 16 of auth.md §5.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response as Reply, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Key, Response, Served,
    person::{Client, NOTES, PASSWORD, POKE, Person, bridge, challenge, command, form, in_query},
    serve, spawn, with,
};

/// What a provider has and says.
#[derive(Debug, Default)]
struct Facts {
    keys: Vec<Value>,
    /// Members of its document besides the usual ones.
    about: Value,
    /// Status and answer of the token endpoint.
    token: (u16, Value),
    userinfo: Value,
    /// What was sent to the token endpoint, and with which credential.
    sent: Vec<(String, BTreeMap<String, String>)>,
    /// Credentials that were shown for more claims.
    shown: Vec<String>,
}

/// A running stand-in.
#[derive(Clone, Debug)]
struct Provider {
    address: SocketAddr,
    facts: Arc<Mutex<Facts>>,
}

const ACCESS: &str = "an-access-token-of-the-provider";

async fn provider(key: &Key) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let facts = Facts { keys: vec![key.public()], about: json!({}), ..Facts::default() };
    let provider = Provider { address, facts: Arc::new(Mutex::new(facts)) };
    let router = Router::new().fallback(answer).with_state(provider.clone());
    spawn(async move { axum::serve(listener, router).await });
    provider
}

async fn answer(State(provider): State<Provider>, request: Request) -> Reply<Body> {
    let (path, id) = (request.uri().path().to_owned(), provider.id());
    let credential =
        request.headers().get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut facts = provider.facts.lock().unwrap();
    let (status, document) = match path.as_str() {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": id, "authorization_endpoint": format!("{id}/authorize"), "token_endpoint": format!("{id}/token"),
                "userinfo_endpoint": format!("{id}/userinfo"), "jwks_uri": format!("{id}/keys"),
            });
            for (name, value) in facts.about.as_object().unwrap() {
                document[name] = value.clone();
            }
            (200, document)
        }
        "/keys" => (200, json!({ "keys": facts.keys })),
        "/token" => {
            let pairs = url::form_urlencoded::parse(&body).into_owned().collect();
            facts.sent.push((credential, pairs));
            facts.token.clone()
        }
        "/userinfo" => {
            facts.shown.push(credential);
            (200, facts.userinfo.clone())
        }
        _ => (404, Value::Null),
    };
    let mut reply = Reply::new(Body::from(document.to_string()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}

impl Provider {
    fn id(&self) -> String {
        format!("http://{}", self.address)
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap());
    }

    fn exchanges(&self) -> usize {
        self.facts.lock().unwrap().sent.len()
    }

    /// Claims of a good ID token, for the way that led to an address.
    fn claims(&self, place: &str) -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({
            "iss": self.id(), "aud": "bridge", "sub": "u-7", "exp": now + 60, "iat": now,
            "nonce": in_query(place, "nonce").expect("a nonce"),
            "email": "ada@example.com", "email_verified": true, "org": "acme",
        })
    }

    /// From now on codes are exchanged for this.
    fn says(&self, id_token: &str) {
        let token = json!({ "token_type": "Bearer", "access_token": ACCESS, "id_token": id_token, "expires_in": 60 });
        self.change(|facts| facts.token = (200, token));
    }
}

/// A server whose people sign in at a provider.
async fn desk(provider: &Provider, allow: &str, more: &str) -> Served {
    let id = provider.id();
    let text = bridge(&format!(
        r#"      login: upstream_oidc
      upstream_oidc:
        issuer: {id}
        client_id: bridge
        client_secret: "a secret: of this test"
        extra_authorize: {{ prompt: select_account }}
        workspace: claims.org
        allow: {{ {allow} }}
{more}
"#
    ));
    serve(&[("desk.yaml", &text), NOTES], &[]).await
}

const OURS: &str = "email_domains: [example.com]";

/// Somebody on the way: the cookie of the browser, and the address at the provider.
struct Away {
    cookie: String,
    place: String,
}

/// Sends a person from a client's question to the provider.
async fn leave(server: &Served, request: &str) -> Away {
    let mut person = Person::new(server);
    let response = person.send("/oauth/sign-in", &[("request", request)]).await;
    assert_eq!(response.status, 303, "{}", response.body);
    person.keep(&response);
    let place = response.header("location").expect("the provider's address").to_owned();
    Away { cookie: person.cookie, place }
}

impl Away {
    fn state(&self) -> String {
        in_query(&self.place, "state").expect("a state")
    }

    /// What the browser asks for when the provider sends it back.
    fn back(&self, pairs: &[(&str, &str)]) -> String {
        let state = self.state();
        let usual = [("code", "the-code"), ("state", state.as_str())];
        let kept = usual.into_iter().filter(|(name, _)| pairs.iter().all(|(other, _)| name != other));
        let all: Vec<_> = kept.chain(pairs.iter().copied()).filter(|(_, value)| *value != "-").collect();
        format!("/oauth/callback?{}", form(&all))
    }

    /// Comes back with the browser that left.
    async fn returns(&self, server: &Served, pairs: &[(&str, &str)]) -> Response {
        server.get(&self.back(pairs), &[("cookie", &self.cookie), ("sec-fetch-site", "cross-site")]).await
    }
}

fn is_signed_in(response: &Response) -> bool {
    response.header("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-mcb_session="))
}

/// The question of a client, and a person who is not signed in.
async fn question(server: &Served) -> (Client, String) {
    let client = server.registered(POKE).await;
    let (request, page) = Person::new(server).asked(&client, &[("state", "s")]).await;
    assert_eq!(page.header("location"), Some(&*format!("/oauth/sign-in?request={request}")));
    (client, request)
}

#[tokio::test]
async fn a_person_signs_in_elsewhere_and_agrees_here() {
    let key = Key::new("k1");
    let provider = provider(&key).await;
    let server = desk(&provider, OURS, "").await;
    let (client, request) = question(&server).await;
    let mut person = Person::new(&server);
    let page = person.open(&format!("/oauth/sign-in?request={request}")).await;
    for shown in ["127.0.0.1", "Poke", "poke.com"] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
    assert!(!page.body.contains("password"), "{}", page.body);
    let away = leave(&server, &request).await;
    assert!(away.place.starts_with(&format!("{}/authorize?", provider.id())), "{}", away.place);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "bridge"),
        ("redirect_uri", "https://mcp.example.com/oauth/callback"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
        ("prompt", "select_account"),
    ] {
        assert_eq!(in_query(&away.place, name).as_deref(), Some(value), "{name}");
    }
    for absent in ["resource", "client_secret"] {
        assert_eq!(in_query(&away.place, absent), None, "{absent}");
    }
    provider.says(&key.token("JWT", &provider.claims(&away.place)));
    let response = away.returns(&server, &[]).await;
    assert!(is_signed_in(&response), "{}", response.body);
    assert_eq!(response.header("location"), Some(&*format!("/oauth/consent?request={request}")));
    person.keep(&response);
    let asked = person.open(&format!("/oauth/consent?request={request}")).await;
    assert!(asked.body.contains("u-7") && asked.body.contains("acme"), "{}", asked.body);
    let place = person.answers(&(request, asked), "allow").await.header("location").expect("the client").to_owned();
    let tokens = server.exchange(&client, &in_query(&place, "code").expect("a code")).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.tool(token, "look").await, (200, format!("u-7 of {} in acme", client.id)));

    let facts = provider.facts.lock().unwrap();
    let (credential, sent) = &facts.sent[0];
    let basic = STANDARD.decode(credential.strip_prefix("Basic ").expect("a credential")).unwrap();
    assert_eq!(basic, b"bridge:a+secret%3A+of+this+test");
    assert_eq!(sent["code"], "the-code");
    assert_eq!(sent["redirect_uri"], "https://mcp.example.com/oauth/callback");
    assert_eq!(Some(challenge(&sent["code_verifier"])), in_query(&away.place, "code_challenge"));
    assert!(facts.shown.is_empty(), "everything stood in the ID token");
    for file in std::fs::read_dir(server.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [ACCESS, &away.state(), &sent["code_verifier"]] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is kept");
        }
    }
}

#[tokio::test]
async fn who_comes_back_is_who_left_and_once() {
    let key = Key::new("k1");
    let provider = provider(&key).await;
    let server = desk(&provider, OURS, "").await;
    let (_, request) = question(&server).await;
    let (away, other) = (leave(&server, &request).await, leave(&server, &request).await);
    provider.says(&key.token("JWT", &provider.claims(&away.place)));
    let strange = format!("{}x", away.state());
    for (what, cookie, pairs) in [
        ("no cookie", "", vec![]),
        ("the cookie of another way", other.cookie.as_str(), vec![]),
        ("no state", &away.cookie, vec![("state", "-")]),
        ("another state", &away.cookie, vec![("state", strange.as_str())]),
        ("two states", &away.cookie, vec![("state", "a"), ("state", "b")]),
        ("another provider (RFC 9207)", &away.cookie, vec![("iss", "https://evil.example")]),
        ("two providers", &away.cookie, vec![("iss", "a"), ("iss", "b")]),
    ] {
        let response = server.get(&away.back(&pairs), &[("cookie", cookie)]).await;
        assert!((400..500).contains(&response.status), "{what}: {} {}", response.status, response.body);
        assert!(!is_signed_in(&response) && response.header("location").is_none(), "{what}");
    }
    assert_eq!(provider.exchanges(), 0, "nothing was exchanged for them");
    // None of these used it up: who left comes back.
    let id = provider.id();
    let mixed = format!("{}; {}", other.cookie, away.cookie);
    let response = server.get(&away.back(&[("iss", &id)]), &[("cookie", &mixed)]).await;
    assert!(is_signed_in(&response), "{}", response.body);
    let again = away.returns(&server, &[]).await;
    assert!(again.status == 400 && !is_signed_in(&again), "{}", again.body);
    let response = other.returns(&server, &[]).await;
    assert!(response.status == 403 && !is_signed_in(&response), "its nonce is another one");
    assert_eq!(provider.exchanges(), 2);
    let forged = server.form("/oauth/sign-in", &[("request", &request)], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!((forged.status, forged.header("location")), (403, None), "nobody is sent by a page elsewhere");
}

#[tokio::test]
async fn a_word_that_is_wrong_in_any_way_signs_nobody_in() {
    let (key, other) = (Key::new("k1"), Key::new("k1"));
    let provider = provider(&key).await;
    let server = desk(&provider, OURS, "").await;
    let now = chrono::Utc::now().timestamp();
    let away = async || leave(&server, "").await;
    let changes = [
        ("another way", "nonce", json!("x")),
        ("no way", "nonce", Value::Null),
        ("another client", "aud", json!("other")),
        ("no client", "aud", Value::Null),
        ("two clients and nobody's", "aud", json!(["bridge", "other"])),
        ("another party", "azp", json!("other")),
        ("another issuer", "iss", json!("https://idp.example")),
        ("an end long ago", "exp", json!(now - 3600)),
        ("no end", "exp", Value::Null),
        ("no beginning", "iat", Value::Null),
        ("a beginning to come", "nbf", json!(now + 3600)),
        ("no subject", "sub", Value::Null),
    ];
    let mut tokens = Vec::new();
    for (what, name, value) in changes {
        let away = away().await;
        let claims = with(&provider.claims(&away.place), name, value);
        tokens.push((what, away, key.token("JWT", &claims)));
    }
    for (what, header, signer) in [
        ("a key of somebody else", json!({ "alg": "ES256", "kid": "k1" }), &other),
        ("no algorithm", json!({ "alg": "none" }), &key),
        ("a shared secret", json!({ "alg": "HS256", "kid": "k1" }), &key),
        ("an access token", json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt" }), &key),
        ("what must be understood", json!({ "alg": "ES256", "kid": "k1", "crit": ["exp"] }), &key),
    ] {
        let away = away().await;
        let token = signer.sign(&header, &provider.claims(&away.place));
        tokens.push((what, away, token));
    }
    tokens.push(("no token", away().await, "x".into()));
    for (what, away, token) in tokens {
        provider.says(&token);
        let response = away.returns(&server, &[]).await;
        assert_eq!((response.status, is_signed_in(&response)), (403, false), "{what}: {}", response.body);
    }
    for (answer, expected) in [
        ((400, json!({ "error": "invalid_grant" })), 403),
        ((401, json!({ "error": "invalid_client" })), 403),
        ((200, json!({ "access_token": ACCESS })), 403),
        ((500, json!({})), 503),
        ((302, json!({})), 503),
    ] {
        let away = away().await;
        provider.change(|facts| facts.token = answer.clone());
        let response = away.returns(&server, &[]).await;
        assert_eq!((response.status, is_signed_in(&response)), (expected, false), "{answer:?}: {}", response.body);
    }
}

#[tokio::test]
async fn a_provider_that_signs_nobody_in_is_told_to_the_client() {
    let key = Key::new("k1");
    let provider = provider(&key).await;
    let server = desk(&provider, OURS, "").await;
    for (error, told) in [
        ("access_denied", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("login_required", "server_error"),
        ("<script>", "server_error"),
    ] {
        let (_, request) = question(&server).await;
        let away = leave(&server, &request).await;
        let response = away.returns(&server, &[("code", "-"), ("error", error), ("error_description", "<b>")]).await;
        let place = response.header("location").unwrap_or_else(|| panic!("{error}: {}", response.body));
        assert!(place.starts_with(POKE) && !is_signed_in(&response), "{place}");
        assert_eq!(in_query(place, "error").as_deref(), Some(told), "{error}");
        assert_eq!(in_query(place, "state").as_deref(), Some("s"));
        assert_eq!(in_query(place, "iss").as_deref(), Some("https://mcp.example.com"), "it is ours");
        assert!(!place.contains("%3Cb%3E"), "{place}");
    }
    let away = leave(&server, "").await;
    let response = away.returns(&server, &[("code", "-"), ("error", "access_denied")]).await;
    assert_eq!((response.status, response.header("location")), (403, None), "nobody asked for it");
    assert_eq!(provider.exchanges(), 0);
}

#[tokio::test]
async fn only_those_come_in_whom_the_file_and_the_administrator_let() {
    let key = Key::new("k1");
    let provider = provider(&key).await;
    let server = desk(&provider, "email_domains: [example.com], groups: [eng]", "        scopes_from: [roles]").await;
    command(server.folder.path(), &["users", "add", "bob", "--password"], PASSWORD);
    let signs_in = async |changes: &[(&str, Value)]| {
        let away = leave(&server, "").await;
        let mut claims = provider.claims(&away.place);
        for (name, value) in changes {
            claims = with(&claims, name, value.clone());
        }
        // What the ID token does not say is asked for, and there is no more.
        provider.change(|facts| facts.userinfo = json!({ "sub": claims["sub"] }));
        provider.says(&key.token("JWT", &claims));
        away.returns(&server, &[]).await
    };
    for (what, changes, status) in [
        ("she is one of them", vec![], 303),
        ("another domain", vec![("email", json!("ada@evil.example"))], 403),
        ("a mailbox that may be anybody's", vec![("email_verified", json!(false))], 403),
        ("no mailbox, and a group", vec![("email", Value::Null), ("groups", json!(["eng"]))], 303),
        ("the name of an account here", vec![("sub", json!("bob"))], 403),
        ("a name in capitals", vec![("sub", json!("Eve"))], 303),
    ] {
        let response = signs_in(&changes).await;
        assert_eq!((response.status, is_signed_in(&response)), (status, status == 303), "{what}: {}", response.body);
    }
    let listed: Value = serde_json::from_str(&command(server.folder.path(), &["users", "list", "--json"], "")).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Eve", "bob", "u-7"]);
    assert_eq!(listed[2]["issuer"], json!(provider.id()));

    // What the provider says now is what counts, and no scopes are none.
    let (client, request) = question(&server).await;
    let away = leave(&server, &request).await;
    let claims = with(&provider.claims(&away.place), "org", json!("other"));
    provider.change(|facts| facts.userinfo = json!({ "sub": "u-7" }));
    provider.says(&key.token("JWT", &with(&claims, "roles", json!(["notes:read"]))));
    let mut person = Person::new(&server);
    person.keep(&away.returns(&server, &[]).await);
    let tokens = server.exchange(&client, &person.agrees(&client, &[]).await).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.tool(token, "look").await, (200, format!("u-7 of {} in other", client.id)));

    command(server.folder.path(), &["users", "disable", "u-7"], "");
    assert_eq!(server.tool(token, "look").await.0, 401);
    let response = signs_in(&[]).await;
    assert_eq!((response.status, is_signed_in(&response)), (403, false), "who is kept out stays out");
    command(server.folder.path(), &["users", "disable", "Eve"], "");
    assert_eq!(signs_in(&[("sub", json!("Eve"))]).await.status, 403);
    // A password of this server opens nothing.
    let response = Person::new(&server).sign_in("bob", PASSWORD, "").await;
    assert!(!is_signed_in(&response) && response.header("location").is_some_and(|it| it.starts_with(&provider.id())));
}

#[tokio::test]
async fn providers_differ_in_what_they_say_and_how_they_are_asked() {
    let key = Key::new("k1");
    let provider = provider(&key).await;
    provider.change(|facts| {
        facts.about = json!({
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        });
    });
    let server = desk(&provider, OURS, "").await;
    let (mail, verified) = (json!("ada@example.com"), json!(true));
    let theirs = |sub: &str, mail: &str, verified: bool| json!({ "sub": sub, "email": mail, "email_verified": verified, "aud": "x" });
    for (what, (own_mail, own_verified), more, expected) in [
        ("all of it", (Value::Null, Value::Null), theirs("u-7", "ada@example.com", true), 303),
        ("of somebody else", (Value::Null, Value::Null), theirs("u-8", "ada@example.com", true), 403),
        ("of another mailbox", (mail, Value::Null), theirs("u-7", "ada@evil.example", true), 403),
        ("of one that is nobody's", (Value::Null, verified), theirs("u-7", "ada@example.com", false), 403),
    ] {
        let away = leave(&server, "").await;
        assert_eq!(away.returns(&server, &[]).await.status, 403, "it always says who answers, and here it does not");
        let claims = with(&provider.claims(&away.place), "email", own_mail);
        provider.says(&key.token("JWT", &with(&claims, "email_verified", own_verified)));
        provider.change(|facts| facts.userinfo = more);
        let response = away.returns(&server, &[("iss", &provider.id())]).await;
        assert_eq!(
            (response.status, is_signed_in(&response)),
            (expected, expected == 303),
            "{what}: {}",
            response.body
        );
    }
    let facts = provider.facts.lock().unwrap();
    assert_eq!(facts.shown, vec![format!("Bearer {ACCESS}"); 4]);
    let (credential, sent) = &facts.sent[0];
    assert_eq!((credential.as_str(), sent["client_secret"].as_str()), ("", "a secret: of this test"));
}

#[tokio::test]
async fn a_secret_is_not_sent_where_only_a_document_says() {
    let key = Key::new("k1");
    let (provider, other) = (provider(&key).await, provider(&key).await);
    provider.change(|facts| facts.about = json!({ "token_endpoint": format!("{}/token", other.id()) }));
    for (more, status, exchanges) in
        [(String::new(), 503, 0), (format!("        token_endpoint: {}/token", other.id()), 303, 1)]
    {
        let server = desk(&provider, OURS, &more).await;
        let away = leave(&server, "").await;
        other.says(&key.token("JWT", &provider.claims(&away.place)));
        let response = away.returns(&server, &[]).await;
        assert_eq!((response.status, other.exchanges()), (status, exchanges), "{}", response.body);
    }
    let local = serve(&[("desk.yaml", &bridge("")), NOTES], &[]).await;
    assert_eq!(local.get("/oauth/callback?code=x&state=y", &[]).await.status, 400, "nobody was sent away from here");
}
