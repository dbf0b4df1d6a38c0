//! Every secret that this program is given or gives out is a canary: none is found in its files, its
//! logs at the finest level, or its answers, however a call ends. Threat model: rows 20 and 34 of auth.md §5.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Post, Scripted, StandIn, call_message, initialize_message, stand_in, until};

/// What the environment holds: names and canaries.
const SECRETS: [(&str, &str); 6] = [
    ("STATIC_KEY", "canary-static-key-0123456789"),
    ("BEARER", "canary-bearer-0123456789"),
    ("QUERY_KEY", "canary-query-key-0123456789"),
    ("PASSWORD", "canary-password-0123456789"),
    ("CLIENT_SECRET", "canary-client-secret-0123456789"),
    ("SIGNING_KEY", "canary-signing-key-0123456789-0123456789"),
];
/// What an issuer gives this server, what a caller lends it, and what was made up.
const OTHERS: [&str; 3] = ["canary-fetched-token", "canary-lent-credential", "canary-wrong-credential"];
/// A value of an argument: callers may see it again, files and logs may not.
const VALUE: &str = "canary-value-of-an-argument";
const FORGED: &str = "FORGED";

const BRIDGE: &str = r#"
bridge: mine
sources:
  bearer: { rest: { base_url: "${API}/a", auth: { bearer: "${BEARER}" } } }
  query: { rest: { base_url: "${API}/b", auth: { api_key: { query: key, value: "${QUERY_KEY}" } } } }
  basic: { rest: { base_url: "${API}/c", auth: { basic: { username: svc, password: "${PASSWORD}" } } } }
  fetched: { rest: { base_url: "${API}/d", auth: { client_credentials: { token_url: "${API}/token", client_id: me, client_secret: "${CLIENT_SECRET}" } } } }
  lent: { rest: { base_url: "${API}/e", auth: { passthrough: { from: x-upstream, to: authorization } } } }
  nowhere: { rest: { base_url: "http://127.0.0.1:9/f", auth: { api_key: { header: x-key, value: "${QUERY_KEY}-f" } } } }
  db: { sql: { url: "sqlite:mine.db", read_only: false, init: mine.sql } }
tools:
  bearer: { description: A., params: &q { q: { type: string, description: Text. } }, rest: { source: bearer, get: /x, query: { q: "{{q}}" } } }
  query: { description: B., params: *q, rest: { source: query, get: /x, query: { q: "{{q}}" } } }
  basic: { description: C., params: *q, rest: { source: basic, post: /x, json: { q: "{{q}}" } } }
  fetched: { description: D., params: *q, rest: { source: fetched, get: /x, query: { q: "{{q}}" } } }
  lent: { description: E., params: *q, rest: { source: lent, get: /x, query: { q: "{{q}}" } } }
  nowhere: { description: F., params: *q, rest: { source: nowhere, get: /x, query: { q: "{{q}}" } } }
  insert: { description: G., params: *q, sql: { source: db, mode: write, query: "INSERT INTO t (q) VALUES (:q)" } }
  find: { description: H., params: *q, sql: { source: db, query: "SELECT n FROM t WHERE q = :q" } }
server:
  signing_key: "${SIGNING_KEY}"
  end_user_header: x-poke-user-id
  audit: { file: audit.jsonl }
  rate_limit: { per_ip_unauthenticated: 20/min }
  auth: { api_keys: { store: true, header: x-api-key, static: [{ name: ci, value: "${STATIC_KEY}", asserts_end_user: true }] } }
"#;

/// The program itself, with its log in a file.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, api: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(SECRETS)
        .env("API", api)
        .env("MCP_BRIDGE_LOG", "trace");
    command
}

async fn start(folder: &Path, api: &str) -> Program {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut start = command(folder, api, &["serve", "mine.yaml", "--listen", "127.0.0.1:0"]);
    let child = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let address = || {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        log.split("at http://").nth(1)?.split("/mcp").next()?.parse().ok()
    };
    until("the start", || address().is_some()).await;
    Program { child, address: address().unwrap() }
}

/// An API that fails in many ways and says back what it was sent.
async fn api() -> StandIn {
    stand_in(|seen, number| {
        if seen.target == "/token" {
            return Scripted::json(
                200,
                &json!({ "access_token": OTHERS[0], "token_type": "Bearer", "expires_in": 60 }),
            );
        }
        match number % 6 {
            0 => Scripted::json(200, &json!({ "fine": true })),
            1 => Scripted::json(500, &json!({ "message": "it broke" })),
            2 => Scripted::json(401, &json!({ "message": "who?" }))
                .header("www-authenticate", "Bearer error=\"invalid_token\""),
            3 => Scripted::json(302, &json!({})).header("location", "http://127.0.0.1:9/elsewhere"),
            4 => Scripted::written("{ no JSON"),
            _ => Scripted::json(429, &json!({ "message": "later" })).header("retry-after", "1"),
        }
    })
    .await
}

fn made(folder: &Path, api: &str, arguments: &[&str]) -> String {
    let output = command(folder, api, arguments).env_remove("MCP_BRIDGE_LOG").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Everything a client can read: heads and bodies.
async fn converse(address: SocketAddr, keys: &[&str]) -> String {
    let mut told = String::new();
    let tools = ["bearer", "query", "basic", "fetched", "lent", "nowhere", "insert", "find", "no-such-tool"];
    let mut messages: Vec<Value> =
        vec![initialize_message("2025-06-18"), json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })];
    for _ in 0..3 {
        messages.extend(tools.iter().map(|tool| call_message(tool, &json!({ "q": VALUE }))));
    }
    messages.push(call_message("bearer", &json!({ "other": 1 })));
    messages.push(call_message(&format!("x\r\n{FORGED} line\u{1b}[31m"), &json!({})));
    for key in keys.iter().chain([&OTHERS[2], &""]) {
        for message in &messages {
            let post = Post::new(message.to_string()).header("authorization", &format!("Bearer {key}"));
            let post = post.header("x-upstream", &format!("Bearer {}", OTHERS[1]));
            let answer = post.header("x-poke-user-id", "0b5e1a52-7c1f-4c1e-9d7f-000000000001").send(address).await;
            writeln!(told, "{} {:?} {}", answer.status, answer.headers, answer.body).expect("memory");
        }
    }
    for path in ["/readyz", "/healthz", "/?key=canary-wrong-credential"] {
        let answer = Post::new("").head(&format!("GET {path} HTTP/1.1")).send(address).await;
        writeln!(told, "{:?} {}", answer.headers, answer.body).expect("memory");
    }
    told
}

#[tokio::test]
async fn no_secret_is_in_files_logs_or_answers() {
    let api = api().await;
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mine.yaml"), BRIDGE).unwrap();
    fs::write(folder.path().join("mine.sql"), "CREATE TABLE t (n INTEGER PRIMARY KEY, q TEXT UNIQUE);").unwrap();
    let token = made(folder.path(), &api.url(), &["keys", "create", "--name", "poke", "mine.yaml"]);
    let program = start(folder.path(), &api.url()).await;
    let next = made(folder.path(), &api.url(), &["keys", "rotate", "poke", "mine.yaml"]);
    let answers = converse(program.address, &[SECRETS[0].1, &token, &next]).await;
    assert!(
        answers.matches("\"result\"").count() > 50 && answers.matches("\"isError\":true").count() > 10,
        "calls ran"
    );
    assert!(
        api.seen().iter().any(|seen| seen.header("authorization") == Some(&format!("Bearer {}", OTHERS[1]))),
        "it was lent"
    );
    drop(program);
    let secrets: Vec<&str> =
        SECRETS.iter().map(|(_, secret)| *secret).chain(OTHERS).chain([token.as_str(), &next]).collect();
    for secret in &secrets {
        assert!(!answers.contains(secret), "{secret} is in an answer");
    }
    let mut looked_at = Vec::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        let (path, name) = {
            let file = file.unwrap();
            (file.path(), file.file_name().to_string_lossy().into_owned())
        };
        let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        // What callers store is theirs.
        let value = (!name.starts_with("mine.db")).then_some(VALUE);
        for secret in secrets.iter().copied().chain(value).filter(|_| name != "mine.yaml") {
            let line = content.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in {name}");
        }
        // Nobody writes lines of a log but the server.
        assert!(!content.lines().any(|line| line.starts_with(FORGED)), "{name}");
        looked_at.push(name);
    }
    for name in ["log", "audit.jsonl", "mcp-bridge-state.db"] {
        assert!(looked_at.iter().any(|it| it == name), "{name} was looked at: {looked_at:?}");
    }
}
