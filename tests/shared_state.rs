//! Two replicas with one state in PostgreSQL: keys, shares and the audit are the same for both, and
//! without the database nobody gets in by a key of it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Response, Served, call_message, postgres, serve, until, upstream};

fn bridge(api: &str) -> String {
    format!(
        r#"
bridge: replicated
sources: {{ api: {{ rest: "{api}" }} }}
tools:
  mine: {{ description: Of the caller's workspace., scopes: [read], rest: {{ get: /echo/mine, query: {{ w: "{{{{caller.workspace}}}}" }} }} }}
  rare: {{ description: Rarely., rate_limit: 2/h, rest: {{ get: /echo/rare }} }}
server:
  auth: {{ api_keys: {{ store: true }}, scopes: {{ read: {{}}, write: {{ implies: [read] }} }} }}
  rate_limit: {{ per_caller: 10/h }}
  state: "${{STATE}}"
  audit: {{ state: true }}
"#
    )
}

fn keys(folder: &Path, state: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .arg("keys")
        .args(arguments)
        .args(["--state", state])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// What a server with this state logs from its start to its end.
fn logged(state: &str) -> String {
    let folder = tempfile::TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("replicated.yaml"), bridge("http://127.0.0.1:9")).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["serve", "--stdio", "replicated.yaml"])
        .current_dir(folder.path())
        .env_clear()
        .envs([("STATE", state), ("MCP_BRIDGE_LOG", "debug")])
        .stdin(Stdio::null())
        .output()
        .expect("the program can be started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn call(server: &Served, tool: &str, token: &str) -> Response {
    let post = server.post(&call_message(tool, &json!({})));
    post.header("authorization", &format!("Bearer {token}")).send(server.address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_keys_shares_and_the_audit() {
    let Some(database) = postgres() else { return };
    database.database("replicas", "GRANT CREATE, USAGE ON SCHEMA public TO app");
    let state = database.url("app", "replicas");
    let api = upstream().await;
    let text = bridge(&api.url());
    let one = serve(&[("replicated.yaml", &text)], &[("STATE", &state)]).await;
    let two = serve(&[("replicated.yaml", &text)], &[("STATE", &state)]).await;
    let made = |arguments: &[&str]| {
        let (exit, token, told) = keys(one.folder.path(), &state, arguments);
        assert_eq!(exit, 0, "{told}");
        token
    };
    let ada = made(&["create", "--name", "ada", "--workspace", "acme", "--scope", "write"]);
    assert_eq!(keys(one.folder.path(), &state, &["create", "--name", "ada", "--workspace", "acme"]).0, 2);
    for server in [&one, &two] {
        let told = call(server, "mine", &ada).await;
        assert!(told.status == 200 && told.body.contains("w=acme"), "{}", told.body);
    }
    // One share for both: of a tool, and of the caller.
    for (server, limited) in [(&one, false), (&two, false), (&one, true), (&two, true)] {
        let told = call(server, "rare", &ada).await;
        assert_eq!(told.body.contains("Try again in"), limited, "{}", told.body);
    }
    let mut statuses = Vec::new();
    for server in [&one, &two, &one, &two, &one, &two] {
        statuses.push(call(server, "mine", &ada).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "ten of both together");
    // Another start finds its tables, which is nothing to tell, and its statements stay out of the log.
    let log = logged(&state);
    assert!(log.contains("serving 1 bridge"), "{log}");
    assert!(!log.contains("already exists") && !log.contains("SELECT") && !log.contains("INSERT"), "{log}");
    // A successor and its predecessor, and the end of both, at once and everywhere.
    let next = made(&["rotate", "ada", "--overlap", "1h"]);
    for token in [&ada, &next] {
        assert_ne!(call(&two, "mine", token).await.status, 401);
    }
    let listed = made(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    made(&["revoke", "ada"]);
    for (server, token) in [(&one, &ada), (&two, &next)] {
        assert_eq!(call(server, "mine", token).await.status, 401);
    }
    let entries = || database.admin("replicas", "SELECT entry FROM mcp_bridge_audit ORDER BY id");
    until("the entries", || entries().lines().filter(|line| line.contains("\"invalid\"")).count() >= 2).await;
    let secret = |token: &str| token.rsplit('_').next().unwrap_or_default().to_owned();
    let kept = format!("{}{}", entries(), database.admin("replicas", "SELECT * FROM mcp_bridge_api_key"));
    assert!(!kept.contains(&secret(&ada)) && !kept.contains(&secret(&next)), "no token is kept");
    database.admin("postgres", "DROP DATABASE replicas WITH (FORCE)");
    let told = call(&one, "mine", &next).await;
    assert_eq!((told.status, told.header("retry-after")), (503, Some("5")), "{}", told.body);
}
