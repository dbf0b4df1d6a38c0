//! The authorization server inside, from a client's registration to the end of its tokens. Threat model: rows
//! 10 to 12, 17 to 21 of auth.md §5; interop traps T1 to T20 of §2.6.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    Served,
    person::{
        Client, NOTES, PASSWORD, POKE, Person, VERIFIER, authorize, bridge, command, in_query, printed, try_command,
    },
    serve,
};

async fn desk(more: &str) -> Served {
    let server = serve(&[("desk.yaml", &bridge(more)), NOTES], &[]).await;
    command(server.folder.path(), &["users", "add", "Ada", "--password", "--workspace", "acme"], PASSWORD);
    server
}

async fn ada(server: &Served) -> Person<'_> {
    let mut person = Person::new(server);
    let response = person.sign_in("ada", PASSWORD, "").await;
    assert_eq!(response.status, 303, "{}", response.body);
    person
}

fn text<'v>(tokens: &'v Value, name: &str) -> &'v str {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name} in {tokens}"))
}

async fn renew(server: &Served, client: &Client, token: &str) -> (u16, Value) {
    let response = server.token(client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
    (response.status, response.json())
}

#[tokio::test]
async fn a_client_comes_unknown_and_goes_on_for_a_person() {
    let server = desk("").await;
    let refused = server.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).send(server.address).await;
    let challenge = refused.header("www-authenticate").expect("a challenge").to_owned();
    assert_eq!(refused.status, 401);
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    assert_eq!(challenge, format!("Bearer resource_metadata=\"{metadata}\", scope=\"notes:read\""));
    let resource = server.get("/.well-known/oauth-protected-resource/mcp", &[]).await.json();
    assert_eq!(resource["authorization_servers"], json!(["https://mcp.example.com"]));

    let client = server.registered(POKE).await;
    let mut person = Person::new(&server);
    // Without state, scope and resource, as the assistant comes (T19).
    let (request, page) = person.asked(&client, &[]).await;
    assert_eq!((page.status, page.header("location")), (303, Some(&*format!("/oauth/sign-in?request={request}"))));
    let wrong = person.sign_in("ada", "not the password", &request).await;
    assert!(wrong.status == 403 && wrong.body.contains("do not fit"), "{}", wrong.body);
    let right = person.sign_in("ada", PASSWORD, &request).await;
    assert_eq!(right.header("location"), Some(&*format!("/oauth/consent?request={request}")));
    let page = person.open(&format!("/oauth/consent?request={request}")).await;
    for shown in ["poke.com", "Read your notes", "Look at notes", "ada", "acme", "unverified"] {
        assert!(page.body.contains(shown), "{shown} in {}", page.body);
    }
    assert!(!page.body.contains("Put a note"), "{}", page.body);
    let sent = person.answers(&(request.clone(), page), "allow").await;
    let place = sent.header("location").expect("the client's address").to_owned();
    assert!(place.starts_with(POKE), "{place}");
    assert_eq!(in_query(&place, "iss").as_deref(), Some("https://mcp.example.com"));
    assert_eq!(in_query(&place, "state"), None);

    let tokens = server.exchange(&client, &in_query(&place, "code").expect("a code")).await;
    assert_eq!((text(&tokens, "token_type"), text(&tokens, "scope")), ("Bearer", "notes:read"));
    assert_eq!(tokens["expires_in"], json!(3600));
    let (status, said) = server.tool(text(&tokens, "access_token"), "look").await;
    assert_eq!((status, said), (200, format!("ada of {} in acme", client.id)));
    // What was not agreed to is asked for, and not taken for an unknown caller (T15).
    assert_eq!(server.tool(text(&tokens, "access_token"), "put").await.0, 403);
    assert_eq!(
        person.open(&format!("/oauth/consent?request={request}")).await.status,
        400,
        "a question is answered once"
    );
}

#[tokio::test]
async fn a_refresh_token_leads_to_one_other_and_its_theft_is_noticed() {
    let server = desk("").await;
    let client = server.registered(POKE).await;
    let code = ada(&server).await.agrees(&client, &[]).await;
    let first = server.exchange(&client, &code).await;
    let (status, second) = renew(&server, &client, text(&first, "refresh_token")).await;
    assert_eq!(status, 200, "{second}");
    // The answer was lost: it is given again, and stays the one that follows.
    let (status, again) = renew(&server, &client, text(&first, "refresh_token")).await;
    assert_eq!((status, text(&again, "refresh_token")), (200, text(&second, "refresh_token")));
    assert_ne!(text(&again, "access_token"), text(&second, "access_token"));
    let both = tokio::join!(
        renew(&server, &client, text(&second, "refresh_token")),
        renew(&server, &client, text(&second, "refresh_token"))
    );
    assert_eq!((both.0.0, both.1.0), (200, 200), "{both:?}");
    let third = both.0.1;
    assert_eq!(text(&third, "refresh_token"), text(&both.1.1, "refresh_token"));
    assert_eq!(server.tool(text(&third, "access_token"), "look").await.0, 200);
    let (status, fault) = renew(&server, &client, text(&first, "refresh_token")).await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_grant")));
    for tokens in [&first, &second, &third] {
        assert_eq!(server.tool(text(tokens, "access_token"), "look").await.0, 401);
        assert_eq!(renew(&server, &client, text(tokens, "refresh_token")).await.0, 400);
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_the_client_that_has_its_secret() {
    let server = desk("").await;
    let (client, other) = (server.registered(POKE).await, server.registered(POKE).await);
    let person = ada(&server).await;
    let code = person.agrees(&client, &[]).await;
    let grant = ("grant_type", "authorization_code");
    for (who, pairs, error) in [
        (&other, vec![grant, ("code", &code), ("code_verifier", VERIFIER)], "invalid_grant"),
        (
            &client,
            vec![grant, ("code", &code), ("code_verifier", "another-verifier-of-forty-three-characters-x")],
            "invalid_grant",
        ),
        (&client, vec![grant, ("code", &code)], "invalid_grant"),
        (
            &client,
            vec![grant, ("code", &code), ("code_verifier", VERIFIER), ("redirect_uri", "https://poke.com/")],
            "invalid_grant",
        ),
        (
            &client,
            vec![grant, ("code", &code), ("code_verifier", VERIFIER), ("resource", "https://a.example/mcp")],
            "invalid_target",
        ),
        (&client, vec![grant, ("code", &code), ("code", &code), ("code_verifier", VERIFIER)], "invalid_request"),
        (&client, vec![grant, ("code_verifier", VERIFIER)], "invalid_request"),
        (&client, vec![("grant_type", "password")], "unsupported_grant_type"),
        (&client, vec![("code", &code)], "invalid_request"),
        (&client, vec![("grant_type", "client_credentials")], "unauthorized_client"),
    ] {
        let response = server.token(who, &pairs).await;
        assert_eq!((response.status, &response.json()["error"]), (400, &json!(error)), "{pairs:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
    // None of these used it up: the one who may has it.
    let tokens = server.exchange(&client, &code).await;
    assert_eq!(server.tool(text(&tokens, "access_token"), "look").await.0, 200);
    let again = server.token(&client, &[grant, ("code", &code), ("code_verifier", VERIFIER)]).await;
    assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(server.tool(text(&tokens, "access_token"), "look").await.0, 401, "two had the code");

    let code = person.agrees(&client, &[]).await;
    let pairs = [grant, ("code", code.as_str()), ("code_verifier", VERIFIER)];
    let all = futures_util::future::join_all((0..20).map(|_| server.token(&client, &pairs))).await;
    let fine: Vec<_> = all.iter().filter(|response| response.status == 200).collect();
    assert_eq!(fine.len(), 1, "one of twenty at once");
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let server = desk("").await;
    let client = server.registered("https://claude.ai/api/mcp/auth_callback").await;
    let program = server.registered("http://127.0.0.1:8787/callback").await;
    let mut asked = 0;
    for redirect in [
        "https://claude.ai/api/mcp/auth_callback/",
        "https://claude.ai/api/mcp/auth_callback?",
        "https://claude.ai/api/mcp/auth_callback#x",
        "https://claude.ai/api/mcp/auth_callback%2f",
        "https://claude.ai/api/mcp/%61uth_callback",
        "https://claude.ai/api/mcp/./auth_callback",
        "https://claude.ai/api/mcp/../mcp/auth_callback",
        "https://claude.ai//api/mcp/auth_callback",
        "https://CLAUDE.ai/api/mcp/auth_callback",
        "https://claude.ai./api/mcp/auth_callback",
        "https://claude.ai:443/api/mcp/auth_callback",
        "https://claude.ai@evil.example/api/mcp/auth_callback",
        "https://evil.example/https://claude.ai/api/mcp/auth_callback",
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "https://сlaude.ai/api/mcp/auth_callback",
        "http://claude.ai/api/mcp/auth_callback",
        "HTTPS://claude.ai/api/mcp/auth_callback",
        "//claude.ai/api/mcp/auth_callback",
        "https:claude.ai/api/mcp/auth_callback",
        "https:\\\\claude.ai\\api\\mcp\\auth_callback",
        " https://claude.ai/api/mcp/auth_callback",
        "https://claude.ai/api/mcp/auth_callback\t",
        "https://claude.ai/api/mcp/auth_callback\r\nlocation: https://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.example/",
        "http://127.0.0.1:8787/callback",
    ] {
        let response = Person::new(&server).open(&authorize(&client, &[("redirect_uri", redirect)])).await;
        assert_eq!((response.status, response.header("location")), (400, None), "{redirect}");
        asked += 1;
    }
    for redirect in [
        "http://localhost:8787/callback",
        "http://127.0.0.1:8787/callback/x",
        "http://127.0.0.1:8787/",
        "https://127.0.0.1:8787/callback",
        "http://127.0.0.1.evil.example:8787/callback",
        "http://127.0.0.1:8787@evil.example/callback",
        "http://[::1]:8787/callback",
        "http://0x7f.1:8787/callback",
        "http://127.1:8787/callback",
        "http://127.0.0.1:8787/callback?x",
    ] {
        let response = Person::new(&server).open(&authorize(&program, &[("redirect_uri", redirect)])).await;
        assert_eq!((response.status, response.header("location")), (400, None), "{redirect}");
        asked += 1;
    }
    assert!(asked < 60, "the limit of one address was not what refused them");
    let other_port = [("redirect_uri", "http://127.0.0.1:50123/callback")];
    let response = Person::new(&server).open(&authorize(&program, &other_port)).await;
    assert_eq!(response.status, 303, "programs choose their port late (T9)");
}

#[tokio::test]
async fn a_request_that_is_not_right_goes_back_with_its_fault() {
    let server = desk("").await;
    let client = server.registered(POKE).await;
    let long = "x".repeat(3000);
    for (more, error) in [
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "-")], "unsupported_response_type"),
        (vec![("code_challenge", "-")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "-")], "invalid_request"),
        (vec![("scope", "admin")], "invalid_scope"),
        (vec![("resource", "https://other.example/mcp")], "invalid_target"),
        (vec![("scope", "notes:read"), ("scope", "notes:write")], "invalid_request"),
        (vec![("state", &long)], "invalid_request"),
    ] {
        let response = Person::new(&server).open(&authorize(&client, &more)).await;
        let place = response.header("location").unwrap_or_else(|| panic!("{more:?}: {}", response.body));
        assert!(place.starts_with(POKE), "{place}");
        assert_eq!(in_query(place, "error").as_deref(), Some(error), "{more:?}");
        assert_eq!(in_query(place, "iss").as_deref(), Some("https://mcp.example.com"));
    }
    let person = ada(&server).await;
    for resource in [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/mcp",
    ] {
        let (_, page) = person
            .asked(&client, &[("resource", resource), ("scope", "notes:read offline_access"), ("prompt", "consent")])
            .await;
        assert_eq!(page.status, 200, "{resource} (T2)");
    }
    for unknown in ["c_unknown", ""] {
        let gone = Client { id: unknown.into(), ..client.clone() };
        let response = person.open(&authorize(&gone, &[])).await;
        assert_eq!((response.status, response.header("location")), (400, None), "it is told and not sent (T7)");
        let response = server.token(&gone, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        assert_eq!((response.status, &response.json()["error"]), (401, &json!("invalid_client")));
    }
}

#[tokio::test]
async fn a_token_is_for_the_address_that_it_was_asked_for() {
    let server = serve(
        &[
            ("desk.yaml", &bridge("")),
            NOTES,
            ("other.yaml", "bridge: other\ntools:\n  hi: { description: Says hi., reply: [{ text: hi }] }\n"),
        ],
        &[],
    )
    .await;
    command(server.folder.path(), &["users", "add", "ada", "--password"], PASSWORD);
    let client = server.registered(POKE).await;
    let code = ada(&server).await.agrees(&client, &[("resource", "https://mcp.example.com/mcp/desk")]).await;
    let tokens = server.exchange(&client, &code).await;
    for (path, expected) in [("/mcp/desk", 200), ("/mcp/other", 401), ("/mcp", 401)] {
        let ping =
            server.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).head(&format!("POST {path} HTTP/1.1"));
        let response = ping
            .header("authorization", &format!("Bearer {}", text(&tokens, "access_token")))
            .send(server.address)
            .await;
        assert_eq!(response.status, expected, "{path}");
    }
}

#[tokio::test]
async fn clients_register_within_what_the_files_allow() {
    let server = desk("      registration: { extra_redirects: [\"https://app.example.com/cb\"] }\n").await;
    let one = |redirect: &str| json!({ "redirect_uris": [redirect] });
    for (metadata, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (one("http://app.example.com/cb"), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [POKE, "javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": "x" }), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!({ "redirect_uris": [POKE], "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": [POKE], "software_statement": "x" }), "invalid_software_statement"),
    ] {
        let response = server.register(&metadata).await;
        assert_eq!((response.status, &response.json()["error"]), (400, &json!(error)), "{metadata}");
    }
    // All of a set, as the editor sends them (T10); null is nobody's (T13).
    let cursor = json!({ "client_name": "Cursor", "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"], "scope": "notes:read notes:write" });
    let response = server.register(&cursor).await;
    let told = response.json();
    assert_eq!((response.status, told["redirect_uris"].as_array().map(Vec::len)), (201, Some(3)));
    assert_eq!((&told["scope"], &told["client_secret_expires_at"]), (&json!("notes:read"), &json!(0)));
    assert!(!response.body.contains("null"), "{}", response.body);
    assert_eq!(server.register(&one("https://app.example.com/cb")).await.status, 201);
    let limited = server.register(&one(POKE)).await;
    assert_eq!(limited.status, 429, "{}", limited.body);
    assert!(limited.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
}

#[tokio::test]
async fn a_client_may_ask_for_more_than_it_registered_with() {
    let server = desk("      registration: { dcr_scopes: [\"notes:read\", \"notes:write\"] }\n").await;
    let metadata = json!({ "redirect_uris": [POKE], "scope": "notes:read", "token_endpoint_auth_method": "none" });
    let told = server.register(&metadata).await.json();
    assert_eq!(told["scope"], json!("notes:read notes:write"));
    let client = Client { id: text(&told, "client_id").to_owned(), secret: None, redirect: POKE.into() };
    let person = ada(&server).await;
    for (asked, can_put) in [("notes:read", 403), ("notes:read notes:write", 200)] {
        let code = person.agrees(&client, &[("scope", asked)]).await;
        let tokens = server.exchange(&client, &code).await;
        assert_eq!(text(&tokens, "scope"), asked);
        assert_eq!(server.tool(text(&tokens, "access_token"), "put").await.0, can_put, "{asked}");
    }
}

#[tokio::test]
async fn a_client_from_elsewhere_waits_for_an_administrator() {
    let server = desk("").await;
    let client = server.registered("https://new.example/cb").await;
    let person = ada(&server).await;
    let page = person.open(&authorize(&client, &[])).await;
    assert!(
        page.status == 403 && page.body.contains(&format!("mcp-bridge clients approve {}", client.id)),
        "{}",
        page.body
    );
    command(server.folder.path(), &["clients", "approve", &client.id], "");
    let tokens = server.exchange(&client, &person.agrees(&client, &[]).await).await;
    assert_eq!(server.tool(text(&tokens, "access_token"), "look").await.0, 200);
    command(server.folder.path(), &["clients", "revoke", &client.id], "");
    assert_eq!(server.tool(text(&tokens, "access_token"), "look").await.0, 401);
    assert_eq!(renew(&server, &client, text(&tokens, "refresh_token")).await.0, 401);
    assert_eq!(person.open(&authorize(&client, &[])).await.status, 400);
}

#[tokio::test]
async fn a_client_acts_for_itself_with_its_own_secret() {
    let server = desk("").await;
    let folder = server.folder.path();
    let made = command(
        folder,
        &[
            "clients",
            "create",
            "--name",
            "Nightly",
            "--grant",
            "client-credentials",
            "--workspace",
            "acme",
            "--scope",
            "notes:write",
            "--introspect",
        ],
        "",
    );
    let (id, secret) = (printed(&made, "client_id"), printed(&made, "client_secret"));
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let grant = ("grant_type", "client_credentials");
    let post = server.form("/oauth/token", &[grant, ("client_id", id), ("client_secret", secret)], &[]).await;
    let header = server
        .form("/oauth/token", &[grant, ("client_id", id), ("scope", "notes:read")], &[("authorization", &basic)])
        .await;
    for (response, scope, writes) in [(&post, "notes:write", 200), (&header, "notes:read", 403)] {
        let tokens = response.json();
        assert_eq!((response.status, text(&tokens, "scope"), tokens.get("refresh_token")), (200, scope, None));
        assert_eq!(server.tool(text(&tokens, "access_token"), "look").await, (200, format!("{id} of {id} in acme")));
        assert_eq!(server.tool(text(&tokens, "access_token"), "put").await.0, writes);
    }
    let token = text(&post.json(), "access_token").to_owned();
    let worth = server.form("/oauth/introspect", &[("token", &token)], &[("authorization", &basic)]).await.json();
    assert_eq!(
        (&worth["active"], &worth["client_id"], &worth["aud"]),
        (&json!(true), &json!(id), &json!("https://mcp.example.com/mcp"))
    );
    let wrong = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}x")));
    let response = server.form("/oauth/token", &[grant], &[("authorization", &wrong)]).await;
    assert_eq!((response.status, &response.json()["error"]), (401, &json!("invalid_client")));
    assert!(response.header("www-authenticate").is_some_and(|it| it.starts_with("Basic ")));

    let rotated = command(folder, &["clients", "rotate", id, "--overlap", "1h"], "");
    let next = printed(&rotated, "client_secret");
    for secret in [secret, next] {
        let response = server.form("/oauth/token", &[grant, ("client_id", id), ("client_secret", secret)], &[]).await;
        assert_eq!(response.status, 200, "{}", response.body);
    }
    let given_back =
        server.form("/oauth/revoke", &[("token", &token), ("client_id", id), ("client_secret", next)], &[]).await;
    assert_eq!((given_back.status, server.tool(&token, "look").await.0), (200, 401));
    command(folder, &["clients", "revoke", id], "");
    let response = server.form("/oauth/token", &[grant, ("client_id", id), ("client_secret", next)], &[]).await;
    assert_eq!(response.status, 401);
}

#[tokio::test]
async fn what_was_given_outlives_the_server_and_ends_with_the_person() {
    let text_of_file = bridge("");
    let files = [("desk.yaml", text_of_file.as_str()), NOTES];
    let server = desk("").await;
    let client = server.registered(POKE).await;
    let code = ada(&server).await.agrees(&client, &[]).await;
    let server = server.again(&files).await;
    let tokens = server.exchange(&client, &code).await;
    let server = server.again(&files).await;
    assert_eq!(server.tool(text(&tokens, "access_token"), "look").await.0, 200);
    let (status, second) = renew(&server, &client, text(&tokens, "refresh_token")).await;
    assert_eq!(status, 200, "{second}");
    let server = server.again(&files).await;
    let (status, again) = renew(&server, &client, text(&tokens, "refresh_token")).await;
    assert_eq!(
        (status, text(&again, "refresh_token")),
        (200, text(&second, "refresh_token")),
        "the same after a new start"
    );
    let person = ada(&server).await;
    command(server.folder.path(), &["users", "disable", "ada"], "");
    assert_eq!(server.tool(text(&second, "access_token"), "look").await.0, 401);
    assert_eq!(renew(&server, &client, text(&second, "refresh_token")).await.0, 400);
    let (_, page) = person.asked(&client, &[]).await;
    assert!(page.header("location").is_some_and(|place| place.starts_with("/oauth/sign-in")));
    let (exit, _, told) = try_command(server.folder.path(), &["login-link", "--user", "ada"], "");
    assert!(exit == 2 && told.contains("may not sign in"), "{told}");
}

#[tokio::test]
async fn nothing_that_is_kept_opens_anything() {
    let server = desk("").await;
    let folder = server.folder.path();
    let client = server.registered(POKE).await;
    let made = command(folder, &["clients", "create", "--name", "n", "--grant", "client-credentials"], "");
    let link = command(folder, &["login-link", "--user", "ada"], "");
    let person = ada(&server).await;
    let code = person.agrees(&client, &[]).await;
    let tokens = server.exchange(&client, &code).await;
    let session = person.cookie.split_once('=').expect("a cookie").1;
    let secrets = [
        printed(&made, "client_secret"),
        link.split_once("token=").expect("a token").1,
        session,
        &code,
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
        PASSWORD,
    ];
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = fs::read(&path).expect("a file");
        for secret in secrets {
            let secret = secret.rsplit('_').next().expect("a part").as_bytes();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn programs_on_any_page_may_ask_where_no_cookie_counts() {
    let server = desk("").await;
    let foreign = [("origin", "https://app.example.net")];
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/oauth-authorization-server/mcp/desk",
    ] {
        let response = server.get(path, &foreign).await;
        assert_eq!((response.status, response.header("access-control-allow-origin")), (200, Some("*")), "{path}");
        let told = response.json();
        assert_eq!(told["issuer"], json!("https://mcp.example.com"), "letter for letter (T1)");
        assert_eq!(told["authorization_response_iss_parameter_supported"], json!(true));
        assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    }
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke"] {
        let preflight = crate::support::Post::new("").head(&format!("OPTIONS {path} HTTP/1.1"));
        let response = preflight.header("origin", "https://app.example.net").send(server.address).await;
        assert_eq!((response.status, response.header("access-control-allow-origin")), (204, Some("*")), "{path} (T8)");
        assert_eq!(server.get(path, &[]).await.status, 405, "{path}");
    }
    let response = server.get("/oauth/authorize?client_id=x", &foreign).await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (403, None));
}
