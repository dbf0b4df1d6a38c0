//! Clients whose id is the address of a document about them: which documents are fetched, from where, how
//! often, and what of them is believed. The site is a stand-in on this machine, which the files name.
//! Threat model: rows 14, 19 and 24 of auth.md §5.

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
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Served,
    person::{Client, NOTES, PASSWORD, POKE, Person, authorize, bridge, command, in_query, try_command},
    serve, spawn,
};

/// What the site answers, whatever it is asked for.
#[derive(Clone, Debug)]
struct Facts {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    asked: usize,
}

/// A site with a document.
#[derive(Clone, Debug)]
struct Site {
    address: SocketAddr,
    facts: Arc<Mutex<Facts>>,
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn site() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let facts = Facts { status: 200, headers: vec![JSON], body: String::new(), asked: 0 };
    let site = Site { address, facts: Arc::new(Mutex::new(facts)) };
    let router = Router::new().fallback(answer).with_state(site.clone());
    spawn(async move { axum::serve(listener, router).await });
    site.says(&site.document());
    site
}

async fn answer(State(site): State<Site>, _: Request) -> Response<Body> {
    let mut facts = site.facts.lock().unwrap();
    facts.asked += 1;
    let mut response = Response::builder().status(StatusCode::from_u16(facts.status).unwrap());
    for (name, value) in &facts.headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(facts.body.clone())).unwrap()
}

impl Site {
    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The client that the document is about.
    fn client(&self) -> Client {
        Client { id: format!("{}/client.json", self.origin()), secret: None, redirect: POKE.into() }
    }

    fn document(&self) -> Value {
        json!({
            "client_id": self.client().id,
            "client_name": "Poke",
            "redirect_uris": [POKE],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        })
    }

    fn says(&self, document: &Value) {
        self.change(|facts| facts.body = document.to_string());
    }

    fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.facts.lock().unwrap().asked
    }
}

async fn desk(registration: &str) -> Served {
    let text = bridge(&format!("      registration: {{ {registration} }}\n"));
    serve(&[("desk.yaml", &text), NOTES], &[]).await
}

/// A server that believes documents of a site.
async fn desk_of(site: &Site, policy: &str) -> Served {
    desk(&format!("metadata_documents: {policy}, document_origins: [\"{}\"]", site.origin())).await
}

async fn ada(server: &Served) -> Person<'_> {
    command(server.folder.path(), &["users", "add", "ada", "--password", "--workspace", "acme"], PASSWORD);
    let mut person = Person::new(server);
    assert_eq!(person.sign_in("ada", PASSWORD, "").await.status, 303);
    person
}

#[tokio::test]
async fn a_client_comes_by_its_document_and_goes_on_without_it() {
    let site = site().await;
    let server = desk_of(&site, "allowlist").await;
    let (client, person) = (site.client(), ada(&server).await);
    let told = server.get("/.well-known/oauth-authorization-server", &[]).await.json();
    assert_eq!(told["client_id_metadata_document_supported"], json!(true));
    let question = person.asked(&client, &[]).await;
    for shown in ["poke.com", "described by 127.0.0.1", "Poke"] {
        assert!(question.1.body.contains(shown), "{shown} in {}", question.1.body);
    }
    let place = person.answers(&question, "allow").await.header("location").expect("the client's address").to_owned();
    assert!(place.starts_with(POKE), "{place}");
    let tokens = server.exchange(&client, &in_query(&place, "code").expect("a code")).await;
    let token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(server.tool(token, "look").await, (200, format!("ada of {} in acme", client.id)));
    // A client that names a secret is not one that has none.
    let renewal = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let with_secret = Client { secret: Some("a-secret".into()), ..client.clone() };
    assert_eq!(server.token(&with_secret, &renewal).await.status, 401);
    site.change(|facts| facts.status = 500);
    assert_eq!(server.token(&client, &renewal).await.status, 200, "tokens need no document");
    let (_, page) = person.asked(&client, &[]).await;
    assert_eq!((page.status, site.asked()), (200, 1), "it is believed for a while");

    command(server.folder.path(), &["clients", "revoke", &client.id], "");
    assert_eq!(server.tool(token, "look").await.0, 401);
    let page = person.open(&authorize(&client, &[])).await;
    assert!(page.status == 400 && page.body.contains("not known here"), "{}", page.body);
    assert_eq!(site.asked(), 1, "who was taken back is not asked about");
}

#[tokio::test]
async fn a_document_that_is_not_right_sends_nobody_anywhere() {
    let of = |site: &Site, name: &str, value: Value| {
        let mut document = site.document();
        match value {
            Value::Null => document.as_object_mut().unwrap().remove(name),
            value => document.as_object_mut().unwrap().insert(name.into(), value),
        };
        document.to_string()
    };
    let plain = |site: &Site| site.document().to_string();
    let site = site().await;
    for (what, status, headers, body) in [
        ("another id", 200, vec![JSON], of(&site, "client_id", json!("https://poke.com/client.json"))),
        ("its id with a slash", 200, vec![JSON], of(&site, "client_id", json!(format!("{}/", site.client().id)))),
        ("no id", 200, vec![JSON], of(&site, "client_id", Value::Null)),
        ("no name", 200, vec![JSON], of(&site, "client_name", Value::Null)),
        ("no address", 200, vec![JSON], of(&site, "redirect_uris", Value::Null)),
        ("no address that is one", 200, vec![JSON], of(&site, "redirect_uris", json!(["javascript:alert(1)"]))),
        ("another address", 200, vec![JSON], of(&site, "redirect_uris", json!(["https://poke.com/"]))),
        ("a secret", 200, vec![JSON], of(&site, "client_secret", json!("x"))),
        ("the end of one", 200, vec![JSON], of(&site, "client_secret_expires_at", json!(0))),
        (
            "a method with a secret",
            200,
            vec![JSON],
            of(&site, "token_endpoint_auth_method", json!("client_secret_basic")),
        ),
        ("a method with a key", 200, vec![JSON], of(&site, "token_endpoint_auth_method", json!("private_key_jwt"))),
        ("no codes", 200, vec![JSON], of(&site, "grant_types", json!(["implicit"]))),
        ("no answers with codes", 200, vec![JSON], of(&site, "response_types", json!(["token"]))),
        ("a list", 200, vec![JSON], json!([site.document()]).to_string()),
        ("no JSON", 200, vec![JSON], "<html>".into()),
        ("a type that is none", 200, vec![("content-type", "text/html")], plain(&site)),
        ("no type", 200, vec![], plain(&site)),
        ("nothing", 404, vec![JSON], plain(&site)),
        ("too little", 204, vec![JSON], String::new()),
        ("another place", 302, vec![JSON, ("location", "http://169.254.169.254/latest/meta-data/")], plain(&site)),
        ("too much", 200, vec![JSON], of(&site, "client_uri", json!("x".repeat(6000)))),
    ] {
        // Each has a server of its own, because the documents of one host are not asked for often.
        let server = desk_of(&site, "allowlist").await;
        site.change(|facts| (facts.status, facts.headers, facts.body) = (status, headers, body));
        let before = site.asked();
        let page = Person::new(&server).open(&authorize(&site.client(), &[])).await;
        assert_eq!((page.status, page.header("location")), (400, None), "{what}: {}", page.body);
        assert_eq!(site.asked(), before + 1, "{what}");
        if what != "another address" {
            let listed = command(server.folder.path(), &["clients", "list", "--json"], "");
            assert_eq!(listed, "[]", "{what} is not kept");
        }
    }
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_on_the_open_internet() {
    let (site, inside) = (site().await, site().await);
    let server = desk_of(&site, "open").await;
    let (port, named) = (inside.address.port(), site.address.port());
    for id in [
        inside.client().id,
        format!("https://127.0.0.1:{port}/client.json"),
        format!("https://localhost:{port}/client.json"),
        "https://localhost/client.json".to_owned(),
        "https://127.0.0.1/client.json".to_owned(),
        "https://10.0.0.7/client.json".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::1]/client.json".to_owned(),
        "https://[::ffff:127.0.0.1]/client.json".to_owned(),
        "https://[64:ff9b::7f00:1]/client.json".to_owned(),
        format!("http://localhost:{port}/client.json"),
        format!("http://localhost:{named}/client.json"),
        format!("http://127.0.0.1:{named}/a/../client.json"),
        format!("http://127.0.0.1:{named}/"),
        format!("http://127.0.0.1:{named}/client.json#top"),
        format!("http://ada@127.0.0.1:{named}/client.json"),
        format!("http://2130706433:{named}/client.json"),
        format!("ftp://127.0.0.1:{named}/client.json"),
        "file:///etc/passwd".to_owned(),
    ] {
        // Registrations of one address are counted, so each has a server of its own.
        let server = desk_of(&site, "open").await;
        let client = Client { id: id.clone(), ..site.client() };
        let page = Person::new(&server).open(&authorize(&client, &[])).await;
        assert_eq!((page.status, page.header("location")), (400, None), "{id}: {}", page.body);
        let refused = server.token(&client, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")), "{id}");
    }
    assert_eq!((site.asked(), inside.asked()), (0, 0));
    assert_eq!(Person::new(&server).open(&authorize(&site.client(), &[])).await.status, 303, "that one is named");
}

#[tokio::test]
async fn a_document_is_asked_for_again_when_it_is_over_and_a_host_not_too_often() {
    let site = site().await;
    let server = desk_of(&site, "allowlist").await;
    let person = Person::new(&server);
    let mut statuses = Vec::new();
    for number in 0..7 {
        let client = Client { id: format!("{}/{number}.json", site.origin()), ..site.client() };
        let mut document = site.document();
        document["client_id"] = json!(client.id);
        site.says(&document);
        for _ in 0..2 {
            statuses.push(person.open(&authorize(&client, &[])).await.status);
        }
    }
    assert_eq!(statuses, [303, 303, 303, 303, 303, 303, 303, 303, 303, 303, 429, 429, 429, 429]);
    assert_eq!(site.asked(), 5, "each once, and five of a host in a minute");
}

/// Lets the time of every document run out.
fn forget(server: &Served) {
    let state = rusqlite::Connection::open(server.folder.path().join("mcp-bridge-state.db")).unwrap();
    let over = "UPDATE oauth_record SET body = json_set(body, '$.believed_until', 1), version = version + 1 WHERE shelf = 'client'";
    assert_eq!(state.execute(over, []).unwrap(), 1);
}

#[tokio::test]
async fn a_document_that_changed_counts_as_it_is_now() {
    let site = site().await;
    let server = desk("metadata_documents: approval").await;
    assert_eq!(Person::new(&server).open(&authorize(&site.client(), &[])).await.status, 400, "it is not named");
    let server = desk_of(&site, "approval").await;
    let (client, person) = (site.client(), Person::new(&server));
    assert_eq!(person.open(&authorize(&client, &[])).await.status, 403);
    command(server.folder.path(), &["clients", "approve", &client.id], "");
    assert_eq!(person.open(&authorize(&client, &[])).await.status, 303);
    let other = Client { redirect: "https://new.example/cb".into(), ..client.clone() };
    let with = |redirects: Value| {
        let mut document = site.document();
        document["redirect_uris"] = redirects;
        site.says(&document);
        forget(&server);
    };
    with(json!([]));
    assert_eq!(person.open(&authorize(&client, &[])).await.status, 400, "what is wrong now is not believed as it was");
    with(json!([POKE]));
    assert_eq!(person.open(&authorize(&client, &[])).await.status, 303, "an administrator let it come");
    assert_eq!(person.open(&authorize(&other, &[])).await.status, 400);
    with(json!([POKE, other.redirect]));
    for client in [&client, &other] {
        assert_eq!(person.open(&authorize(client, &[])).await.status, 403, "it leads elsewhere, and waits again");
    }
}

#[tokio::test]
async fn the_files_say_who_comes_by_a_document() {
    const ELSEWHERE: &str = "https://new.example/cb";
    let approve = "mcp-bridge clients approve http://127.0.0.1";
    for (policy, redirect, named, expected) in [
        ("off", POKE, false, 400),
        ("approval", POKE, true, 403),
        ("allowlist", POKE, true, 303),
        ("allowlist", ELSEWHERE, true, 303),
        ("open", ELSEWHERE, true, 303),
    ] {
        let site = site().await;
        let server =
            if named { desk_of(&site, policy).await } else { desk(&format!("metadata_documents: {policy}")).await };
        let mut document = site.document();
        document["redirect_uris"] = json!([redirect]);
        site.says(&document);
        let client = Client { redirect: redirect.into(), ..site.client() };
        let page = Person::new(&server).open(&authorize(&client, &[])).await;
        assert_eq!(page.status, expected, "{policy} {redirect}: {}", page.body);
        let told = server.get("/.well-known/oauth-authorization-server", &[]).await.json();
        let announced = told.get("client_id_metadata_document_supported");
        assert_eq!(announced.is_some(), policy != "off");
        if expected == 403 {
            assert!(page.body.contains(approve), "{}", page.body);
            command(server.folder.path(), &["clients", "approve", &client.id], "");
            let person = ada(&server).await;
            let tokens = server.exchange(&client, &person.agrees(&client, &[]).await).await;
            assert_eq!(server.tool(tokens["access_token"].as_str().unwrap(), "look").await.0, 200);
            let (exit, _, _) = try_command(server.folder.path(), &["clients", "approve", "https://a.example/x"], "");
            assert_eq!(exit, 2, "what nobody asked for is not known");
        }
    }
}
