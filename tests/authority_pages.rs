//! The pages of the authorization server inside, against those who would answer them for somebody else.
//! Threat model: rows 13 to 15 and 18 of auth.md §5.

use serde_json::json;

use crate::support::{
    Served,
    person::{Client, NOTES, PASSWORD, POKE, Person, authorize, bridge, command, guard, in_query},
    serve,
};

async fn desk(more: &str) -> Served {
    let server = serve(&[("desk.yaml", &bridge(more)), NOTES], &[]).await;
    command(server.folder.path(), &["users", "add", "ada", "--password"], PASSWORD);
    command(server.folder.path(), &["users", "add", "bob", "--scope", "notes:read"], "");
    server
}

async fn ada(server: &Served) -> Person<'_> {
    let mut person = Person::new(server);
    assert_eq!(person.sign_in("ada", PASSWORD, "").await.status, 303);
    person
}

#[tokio::test]
async fn only_the_person_who_was_asked_can_answer() {
    let server = desk("").await;
    let client = server.registered(POKE).await;
    let (person, other) = (ada(&server).await, ada(&server).await);
    let (request, page) = person.asked(&client, &[]).await;
    let pairs = |guard| [("request", request.as_str()), ("guard", guard), ("decision", "allow")];
    let others = other.open(&format!("/oauth/consent?request={request}")).await;
    let made_up = "0".repeat(64);
    for guard in [guard(&others), "", &made_up] {
        let response = person.send("/oauth/consent", &pairs(guard)).await;
        assert_eq!((response.status, response.header("location")), (403, None), "{guard}");
    }
    let here = ("origin", "https://mcp.example.com");
    for headers in [
        vec![("sec-fetch-site", "cross-site"), here],
        vec![("sec-fetch-site", "same-site"), here],
        vec![("sec-fetch-site", "none"), here],
        vec![("origin", "null")],
        vec![("origin", "http://127.0.0.1:1")],
        vec![],
    ] {
        let mut all = vec![("cookie", person.cookie.as_str())];
        all.extend(headers);
        let response = server.form("/oauth/consent", &pairs(guard(&page)), &all).await;
        assert_eq!((response.status, response.header("location")), (403, None), "{all:?}");
    }
    // Nobody is signed in here: the page is not even shown.
    let stranger = Person::new(&server).send("/oauth/consent", &pairs(guard(&page))).await;
    assert!(stranger.header("location").is_some_and(|place| place.starts_with("/oauth/sign-in")));
    // Opened twice it is right twice (T22), and answered once.
    let twice = person.open(&format!("/oauth/consent?request={request}")).await;
    assert_eq!(guard(&twice), guard(&page));
    let answer = person.send("/oauth/consent", &pairs(guard(&page))).await;
    let place = answer.header("location").expect("the client's address").to_owned();
    assert!(place.starts_with(POKE), "{place}");
    // Sent twice, or again because the answer was lost, it has the same answer, for the same browser only,
    // until the client has used it.
    for guard in [guard(&others), "", &made_up] {
        assert_eq!(person.send("/oauth/consent", &pairs(guard)).await.status, 400, "{guard}");
    }
    let no = [("request", request.as_str()), ("guard", guard(&page)), ("decision", "deny")];
    assert_eq!(person.send("/oauth/consent", &no).await.status, 400);
    assert_eq!(other.send("/oauth/consent", &pairs(guard(&page))).await.status, 400);
    let foreign = [("cookie", person.cookie.as_str()), ("sec-fetch-site", "same-site"), here];
    assert_eq!(server.form("/oauth/consent", &pairs(guard(&page)), &foreign).await.status, 400);
    for _ in 0..2 {
        let again = person.send("/oauth/consent", &pairs(guard(&page))).await;
        assert_eq!(again.header("location"), Some(&*place));
    }
    server.exchange(&client, &in_query(&place, "code").expect("a code")).await;
    assert_eq!(person.send("/oauth/consent", &pairs(guard(&page))).await.status, 400);
}

#[tokio::test]
async fn pages_are_not_framed_kept_or_told_of() {
    let server = desk("").await;
    let client = server.registered(POKE).await;
    let person = ada(&server).await;
    let (_, consent) = person.asked(&client, &[]).await;
    for page in [consent, person.open("/oauth/sign-in").await, person.open("/oauth/link?token=x").await] {
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "text/html; charset=utf-8"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("form-action"), "{policy} (T17)");
        assert!(!page.body.contains("<script") && !page.body.contains("http://"), "{}", page.body);
    }
}

#[tokio::test]
async fn what_clients_say_of_themselves_is_shown_as_text() {
    let server = desk("").await;
    let name = format!("<script>alert(1)</script>\u{202e}{}\"'", "x".repeat(10_000));
    let told = server.register(&json!({ "client_name": name, "redirect_uris": ["http://localhost:1/cb"], "token_endpoint_auth_method": "none" })).await.json();
    let client = Client {
        id: told["client_id"].as_str().expect("an id").into(),
        secret: None,
        redirect: "http://localhost:1/cb".into(),
    };
    let (_, page) = ada(&server).await.asked(&client, &[]).await;
    assert!(page.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{}", page.body);
    assert!(!page.body.contains("<script>") && !page.body.contains('\u{202e}') && page.body.len() < 10_000);
    assert!(
        page.body.contains("a program on this computer") && page.body.contains("goes to a program"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_person_can_say_no_and_can_give_no_more_than_they_have() {
    let server = desk("").await;
    let made = command(
        server.folder.path(),
        &[
            "clients",
            "create",
            "--name",
            "Desk",
            "--grant",
            "code",
            "--redirect",
            "https://desk.example/cb",
            "--scope",
            "notes:write",
        ],
        "",
    );
    let id = crate::support::person::printed(&made, "client_id").to_owned();
    let secret = crate::support::person::printed(&made, "client_secret").to_owned();
    let client = Client { id, secret: Some(secret), redirect: "https://desk.example/cb".into() };
    let mut bob = Person::new(&server);
    let link = command(server.folder.path(), &["login-link", "--user", "bob"], "");
    let target = link.strip_prefix("https://mcp.example.com").expect("an address of this server");
    let page = bob.open(target).await;
    assert!(page.status == 200 && page.body.contains("bob"), "looking at a link does not use it up");
    let token = target.split_once('=').expect("a token").1;
    for (expected, what) in [(303, "it signs in"), (400, "once")] {
        let response = bob.send("/oauth/link", &[("token", token)]).await;
        assert_eq!(response.status, expected, "{what}");
        bob.keep(&response);
    }
    let question = bob.asked(&client, &[("scope", "notes:write notes:read"), ("state", "s 1")]).await;
    assert!(
        !question.1.body.contains("Write your notes") && question.1.body.contains("Read your notes"),
        "{}",
        question.1.body
    );
    assert!(!question.1.body.contains("unverified"), "an administrator made it");
    let sent = bob.answers(&question, "deny").await;
    let place = sent.header("location").expect("the client's address");
    assert_eq!(in_query(place, "error").as_deref(), Some("access_denied"));
    assert_eq!((in_query(place, "state").as_deref(), in_query(place, "code")), (Some("s 1"), None));
    let code = bob.agrees(&client, &[("scope", "notes:write notes:read")]).await;
    assert_eq!(server.exchange(&client, &code).await["scope"], json!("notes:read"));
}

#[tokio::test]
async fn passwords_are_not_guessed() {
    let server = desk("").await;
    let mut person = Person::new(&server);
    let mut statuses = Vec::new();
    for attempt in 0..6 {
        statuses.push(person.sign_in("ada", &format!("wrong password {attempt}"), "").await.status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
    assert_eq!(person.sign_in("ada", PASSWORD, "").await.status, 429, "not even the right one");
    assert_eq!(
        person.sign_in("nobody", "wrong password", "").await.status,
        403,
        "the words are the same for who is not there"
    );
    let refused = server
        .form("/oauth/sign-in", &[("name", "nobody"), ("password", PASSWORD)], &[("sec-fetch-site", "cross-site")])
        .await;
    assert_eq!((refused.status, refused.header("set-cookie")), (403, None));
}

#[tokio::test]
async fn what_was_agreed_to_is_asked_again_unless_the_files_say_so() {
    for (more, by_oneself, by_a_link) in [("", 200, 200), ("      consent: remember\n", 303, 200)] {
        let server = desk(more).await;
        let client = server.registered(POKE).await;
        let person = ada(&server).await;
        person.agrees(&client, &[]).await;
        let asked = async |site: &str| {
            let response = server.get(&authorize(&client, &[]), &[("sec-fetch-site", site)]).await;
            response.header("location").expect("a page").to_owned()
        };
        for (first, then, expected) in [
            ("none", "none", by_oneself),
            ("none", "same-origin", by_oneself),
            ("none", "cross-site", by_a_link),
            ("cross-site", "cross-site", by_a_link),
            ("same-site", "same-site", by_a_link),
            // After a sign-in in between, which a link led to, the page before is one of this server.
            ("cross-site", "same-origin", by_a_link),
            ("cross-site", "none", by_a_link),
        ] {
            let place = asked(first).await;
            let page = server.get(&place, &[("cookie", &person.cookie), ("sec-fetch-site", then)]).await;
            assert_eq!(page.status, expected, "{more} {first} {then}");
        }
    }
}
