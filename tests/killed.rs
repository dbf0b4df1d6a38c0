//! The server is killed at each step of signing in, and everything goes on: after an answer, before there is
//! one, and after what was asked for has been done and before anybody learns it. The process is the program
//! itself; SIGKILL gives it no time for anything.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    Post, Response, call_message,
    person::{Client, NOTES, PASSWORD, POKE, VERIFIER, authorize, bridge, command, form, guard, in_query},
    until,
};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Register,
    Authorize,
    SignIn,
    Consent,
    Exchange,
    Refresh,
    Revoke,
}

const STEPS: [Step; 7] =
    [Step::Register, Step::Authorize, Step::SignIn, Step::Consent, Step::Exchange, Step::Refresh, Step::Revoke];

/// When the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The answer was read.
    Answered,
    /// It was done, and nobody has read the answer.
    Done,
    /// The request was sent; how far it came nobody knows.
    Asked,
}

/// The program, which starts anew when it was killed.
struct Program {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    /// Where it is killed next.
    kill: Option<(Step, Moment)>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn started(folder: &Path) -> (Child, SocketAddr) {
    let path = folder.join("log");
    let log = fs::File::create(&path).expect("the folder can be written");
    let child = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["serve", "desk.yaml", "--listen", "127.0.0.1:0"])
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program can be started");
    let address = || {
        let log = fs::read_to_string(&path).unwrap_or_default();
        log.split("at http://").nth(1)?.split("/mcp").next()?.parse().ok()
    };
    until("the start", || address().is_some()).await;
    (child, address().expect("an address"))
}

impl Program {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        for (name, text) in [("desk.yaml", bridge("").as_str()), NOTES] {
            fs::write(folder.path().join(name), text).expect("the folder can be written");
        }
        command(folder.path(), &["users", "add", "ada", "--password", "--workspace", "acme"], PASSWORD);
        let (child, address) = started(folder.path()).await;
        Self { child, address, folder, kill: None }
    }

    async fn killed(&mut self) {
        self.kill = None;
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        (self.child, self.address) = started(self.folder.path()).await;
    }

    /// Asks for a step; `None` when the server was killed before its answer could be read.
    async fn try_once(&mut self, step: Step, post: &Post) -> Option<Response> {
        let moment = self.kill.filter(|(at, _)| *at == step).map(|(_, moment)| moment);
        match moment {
            None => Some(post.clone().send(self.address).await),
            Some(Moment::Answered) => {
                let response = post.clone().send(self.address).await;
                self.killed().await;
                Some(response)
            }
            Some(moment) => {
                let bytes = post.clone().header("connection", "close").bytes(self.address);
                let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
                stream.write_all(&bytes).await.expect("it is sent");
                if moment == Moment::Done {
                    stream.read_u8().await.expect("the beginning of an answer");
                }
                self.killed().await;
                None
            }
        }
    }

    /// Asks again where the answer was lost, as clients and people do.
    async fn ask(&mut self, step: Step, post: &Post) -> Response {
        match self.try_once(step, post).await {
            Some(response) => response,
            None => self.try_once(step, post).await.expect("it is killed once"),
        }
    }

    async fn tool(&self, token: &str) -> (u16, String) {
        let post = Post::new(call_message("look", &json!({})).to_string()).header("mcp-protocol-version", "2025-06-18");
        let response = post.header("authorization", &format!("Bearer {token}")).send(self.address).await;
        let text = response.json()["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (response.status, text)
    }
}

fn get(target: &str, cookie: &str) -> Post {
    Post::new("").head(&format!("GET {target} HTTP/1.1")).header("content-type", "").header("cookie", cookie)
}

/// A form, as a page of the server sends it, or as a program does.
fn post(path: &str, pairs: &[(&str, &str)], cookie: &str) -> Post {
    let post = Post::new(form(pairs)).head(&format!("POST {path} HTTP/1.1")).header("cookie", cookie);
    post.header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin")
}

async fn registered(program: &mut Program) -> Client {
    let metadata = json!({ "client_name": "Poke", "redirect_uris": [POKE], "token_endpoint_auth_method": "none" });
    let asked = Post::new(metadata.to_string()).head("POST /oauth/register HTTP/1.1");
    let response = program.ask(Step::Register, &asked).await;
    assert_eq!(response.status, 201, "{}", response.body);
    let id = response.json()["client_id"].as_str().expect("an id").to_owned();
    Client { id, secret: None, redirect: POKE.into() }
}

/// The person signs in, unless the browser remembers; then agrees, and the client has its code.
async fn code(program: &mut Program, client: &Client, cookie: &mut String) -> String {
    let response = program.ask(Step::Authorize, &get(&authorize(client, &[]), cookie)).await;
    assert_eq!(response.status, 303, "{}", response.body);
    let place = response.header("location").expect("a page").to_owned();
    let request = place.split_once('=').expect("an id").1;
    if cookie.is_empty() {
        let pairs = [("name", "ada"), ("password", PASSWORD), ("request", request)];
        let response = program.ask(Step::SignIn, &post("/oauth/sign-in", &pairs, "")).await;
        assert_eq!(response.status, 303, "{}", response.body);
        *cookie = response.header("set-cookie").and_then(|it| it.split(';').next()).expect("a session").to_owned();
    }
    let page = get(&place, cookie).send(program.address).await;
    let pairs = [("request", request), ("guard", guard(&page)), ("decision", "allow")];
    // Who lost the answer gets the same one.
    let response = program.ask(Step::Consent, &post("/oauth/consent", &pairs, cookie)).await;
    assert_eq!(response.status, 303, "{}", response.body);
    in_query(response.header("location").expect("the client"), "code").expect("a code")
}

/// The client has its tokens.
async fn tokens(program: &mut Program, client: &Client, cookie: &mut String) -> Value {
    loop {
        let code = code(program, client, cookie).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", &client.id),
            ("code", &code),
            ("redirect_uri", &client.redirect),
            ("code_verifier", VERIFIER),
        ];
        let kill = program.kill;
        let response = program.ask(Step::Exchange, &post("/oauth/token", &pairs, "")).await;
        match (response.status, kill) {
            (200, kill) => {
                assert_ne!(kill, Some((Step::Exchange, Moment::Done)), "a code is good once");
                return response.json();
            }
            // Two came with the code, and who has the tokens is not known: the client begins anew.
            (400, Some((Step::Exchange, Moment::Done | Moment::Asked))) => {
                assert_eq!(response.json()["error"], json!("invalid_grant"));
            }
            other => panic!("{other:?}: {}", response.body),
        }
    }
}

fn text<'v>(tokens: &'v Value, name: &str) -> &'v str {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name} in {tokens}"))
}

/// The whole way, with one kill in it.
async fn walk(program: &mut Program, cookie: &mut String, what: &str) {
    let client = registered(program).await;
    let first = tokens(program, &client, cookie).await;
    let known = (200, format!("ada of {} in acme", client.id));
    assert_eq!(program.tool(text(&first, "access_token")).await, known, "{what}");
    let renewal = |token: &str| {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client.id.as_str()), ("refresh_token", token)];
        post("/oauth/token", &pairs, "")
    };
    let response = program.ask(Step::Refresh, &renewal(text(&first, "refresh_token"))).await;
    assert_eq!(response.status, 200, "{what}: {}", response.body);
    let second = response.json();
    // The answer may be asked for once more, also after the kill, and is the same.
    let again = renewal(text(&first, "refresh_token")).send(program.address).await.json();
    assert_eq!(text(&again, "refresh_token"), text(&second, "refresh_token"), "{what}");
    for tokens in [&first, &second, &again] {
        assert_eq!(program.tool(text(tokens, "access_token")).await, known, "{what}");
    }
    let pairs = [("client_id", client.id.as_str()), ("token", text(&second, "refresh_token"))];
    let response = program.ask(Step::Revoke, &post("/oauth/revoke", &pairs, "")).await;
    assert_eq!(response.status, 200, "{what}: {}", response.body);
    for tokens in [&first, &second, &again] {
        assert_eq!(program.tool(text(tokens, "access_token")).await.0, 401, "{what}");
        let response = renewal(text(tokens, "refresh_token")).send(program.address).await;
        assert_eq!(response.status, 400, "{what}: what was given back stays so");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_at_any_step_goes_on_where_it_was() {
    let mut program = Program::new().await;
    let mut cookie = String::new();
    for step in STEPS {
        for moment in [Moment::Answered, Moment::Done, Moment::Asked] {
            if step == Step::SignIn {
                cookie.clear();
            }
            program.kill = Some((step, moment));
            walk(&mut program, &mut cookie, &format!("{step:?}, {moment:?}")).await;
            assert_eq!(program.kill, None, "{step:?}, {moment:?}: it was killed");
        }
    }
    let state = rusqlite::Connection::open(program.folder.path().join("mcp-bridge-state.db")).expect("the state");
    let whole: String = state.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
    assert_eq!(whole, "ok");
}
