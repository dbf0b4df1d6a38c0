//! A person with a browser, and the client that sends it: the two sides of signing in, as text.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Post, Response, Served};

pub(crate) const POKE: &str = "https://poke.com/api/v1/mcp/callback";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

/// A server that issues tokens, with tools of each kind of scope.
pub(crate) fn bridge(more: &str) -> String {
    format!(
        r#"
bridge: desk
sources:
  notes: {{ sql: {{ url: "sqlite:notes.db", read_only: false, init: notes.sql }} }}
tools:
  look:
    title: Look at notes
    description: Looks at the notes.
    scopes: ["notes:read"]
    reply: [{{ text: "{{{{caller.subject}}}} of {{{{caller.client_id}}}} in {{{{caller.workspace}}}}" }}]
  put:
    title: Put a note
    description: Puts a note down.
    scopes: ["notes:write"]
    sql: {{ mode: write, query: "INSERT INTO notes (text) VALUES ('x')" }}
server:
  public_url: https://mcp.example.com
  auth:
    scopes:
      "notes:read": {{ title: Read your notes }}
      "notes:write": {{ title: Write your notes, implies: ["notes:read"] }}
    oauth:
      mode: embedded
      scopes_supported: ["notes:read"]
{more}
"#
    )
}

/// The file beside it.
pub(crate) const NOTES: (&str, &str) = ("notes.sql", "CREATE TABLE notes (text TEXT);");

/// Runs a command of the program beside the server; returns its output, which must be fine.
pub(crate) fn command(folder: &Path, arguments: &[&str], input: &str) -> String {
    let (exit, output, told) = try_command(folder, arguments, input);
    assert_eq!(exit, 0, "{told}");
    output
}

/// The same; returns the exit code, the output and the errors.
pub(crate) fn try_command(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(arguments)
        .args(["--config", "desk.yaml"])
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    // A program that does not read its input has ended.
    let _ = child.stdin.take().expect("an input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The value of a line of what a command printed.
pub(crate) fn printed<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

/// Names and values as a form has them.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The value of a name in the query of an address.
pub(crate) fn in_query(address: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(address).unwrap_or_else(|error| panic!("{error}: {address}"));
    let mut values = url.query_pairs().filter(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} twice in {address}");
    value
}

/// A client that registered itself.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) redirect: String,
}

impl Served {
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        let mut post = Post::new("").head(&format!("GET {target} HTTP/1.1")).header("content-type", "");
        for (name, value) in headers {
            post = post.header(name, value);
        }
        post.send(self.address).await
    }

    /// Sends a form as a program does.
    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Response {
        let mut post = Post::new(form(pairs)).head(&format!("POST {path} HTTP/1.1"));
        post = post.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            post = post.header(name, value);
        }
        post.send(self.address).await
    }

    pub(crate) async fn register(&self, metadata: &Value) -> Response {
        Post::new(metadata.to_string()).head("POST /oauth/register HTTP/1.1").send(self.address).await
    }

    /// A client as the assistant registers one.
    pub(crate) async fn registered(&self, redirect: &str) -> Client {
        let metadata =
            json!({ "client_name": "Poke", "redirect_uris": [redirect], "token_endpoint_auth_method": "none" });
        let response = self.register(&metadata).await;
        assert_eq!(response.status, 201, "{}", response.body);
        let told = response.json();
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        Client { id: text("client_id").expect("an id"), secret: text("client_secret"), redirect: redirect.to_owned() }
    }

    /// Calls a tool with a token; the status, and the text of the result.
    pub(crate) async fn tool(&self, token: &str, tool: &str) -> (u16, String) {
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {} } });
        let response = self.post(&message).header("authorization", &format!("Bearer {token}")).send(self.address).await;
        let text = response.json()["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (response.status, text)
    }

    /// Asks for tokens.
    pub(crate) async fn token(&self, client: &Client, pairs: &[(&str, &str)]) -> Response {
        let mut all = vec![("client_id", client.id.as_str())];
        all.extend(client.secret.as_deref().map(|secret| ("client_secret", secret)));
        all.extend(pairs);
        self.form("/oauth/token", &all, &[]).await
    }

    /// Gives a code for tokens.
    pub(crate) async fn exchange(&self, client: &Client, code: &str) -> Value {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &client.redirect),
            ("code_verifier", VERIFIER),
        ];
        let response = self.token(client, &pairs).await;
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()
    }
}

/// A person in front of a browser.
#[derive(Debug)]
pub(crate) struct Person<'s> {
    server: &'s Served,
    pub(crate) cookie: String,
}

const HERE: &str = "https://mcp.example.com";

impl<'s> Person<'s> {
    pub(crate) fn new(server: &'s Served) -> Self {
        Self { server, cookie: String::new() }
    }

    pub(crate) async fn open(&self, target: &str) -> Response {
        self.server.get(target, &[("cookie", &self.cookie), ("sec-fetch-site", "cross-site")]).await
    }

    pub(crate) async fn send(&self, path: &str, pairs: &[(&str, &str)]) -> Response {
        self.server
            .form(path, pairs, &[("cookie", &self.cookie), ("origin", HERE), ("sec-fetch-site", "same-origin")])
            .await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str, request: &str) -> Response {
        let pairs = [("name", name), ("password", password), ("request", request)];
        let response = self.send("/oauth/sign-in", &pairs).await;
        self.keep(&response);
        response
    }

    pub(crate) fn keep(&mut self, response: &Response) {
        if let Some(cookie) = response.header("set-cookie") {
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
    }

    /// Follows a client's link to the page that asks; returns the question's id and the page.
    pub(crate) async fn asked(&self, client: &Client, more: &[(&str, &str)]) -> (String, Response) {
        let target = authorize(client, more);
        let response = self.open(&target).await;
        assert_eq!(response.status, 303, "{}", response.body);
        let place = response.header("location").expect("a page").to_owned();
        assert!(place.starts_with("/oauth/consent?request="), "{place}");
        let request = place.split_once('=').expect("an id").1.to_owned();
        (request, self.open(&place).await)
    }

    /// Answers a question; returns where the person is sent to.
    pub(crate) async fn answers(&self, (request, page): &(String, Response), decision: &str) -> Response {
        let pairs = [("request", request.as_str()), ("guard", guard(page)), ("decision", decision)];
        self.send("/oauth/consent", &pairs).await
    }

    /// From a client's link to its code, for a person who is signed in.
    pub(crate) async fn agrees(&self, client: &Client, more: &[(&str, &str)]) -> String {
        let question = self.asked(client, more).await;
        let response = self.answers(&question, "allow").await;
        assert_eq!(response.status, 303, "{}", response.body);
        let place = response.header("location").expect("the client's address");
        in_query(place, "code").unwrap_or_else(|| panic!("no code in {place}"))
    }
}

/// What only the page knows.
pub(crate) fn guard(page: &Response) -> &str {
    let rest =
        page.body.split_once("name=\"guard\" value=\"").unwrap_or_else(|| panic!("no question: {}", page.body)).1;
    rest.split('"').next().unwrap_or_default()
}

/// A client's link, with what is added or changed.
pub(crate) fn authorize(client: &Client, more: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let usual = [
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", &client.redirect),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| name != other));
    let all: Vec<_> = kept.chain(more.iter().copied()).filter(|(_, value)| *value != "-").collect();
    format!("/oauth/authorize?{}", form(&all))
}
