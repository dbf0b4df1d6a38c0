//! Keys that are made on the command line, beside a server that runs. Threat model: rows 4, 20
//! and 21 of auth.md §5.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Served, serve, upstream};

fn bridge(api: &str) -> String {
    format!(
        r#"
bridge: desk
sources:
  api: {{ rest: "{api}" }}
tools:
  mine:
    description: Of the caller's workspace.
    scopes: [read]
    rest: {{ get: /echo/mine, query: {{ w: "{{{{caller.workspace}}}}", n: "{{{{caller.name}}}}" }} }}
server:
  auth:
    api_keys: {{ store: true }}
    scopes: {{ read: {{}}, write: {{ implies: [read] }} }}
"#
    )
}

/// Runs `mcp-bridge keys`; returns the exit code, the output and the errors.
fn keys(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .arg("keys")
        .args(arguments)
        .args(["--config", "desk.yaml"])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn made(folder: &Path, arguments: &[&str]) -> String {
    let (exit, token, told) = keys(folder, arguments);
    assert_eq!(exit, 0, "{told}");
    token
}

async fn status(server: &Served, token: &str) -> (u16, Value) {
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "mine", "arguments": {} } });
    let response = server.post(&message).header("authorization", &format!("Bearer {token}")).send(server.address).await;
    (response.status, response.json())
}

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_revocation() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", &bridge(&api.url()))], &[]).await;
    let folder = server.folder.path();
    let arguments = ["create", "--name", "CI of acme", "--workspace", "acme", "--scope", "write"];
    let token = made(folder, &arguments);
    assert_eq!(status(&server, &token).await.0, 200);
    assert_eq!(api.last().target, "/echo/mine?w=acme&n=CI%20of%20acme");

    let (exit, _, told) = keys(folder, &arguments);
    assert!(exit == 2 && told.contains("already"), "{told}");
    let (exit, _, told) = keys(folder, &["create", "--name", "x", "--scope", "wirte"]);
    assert!(exit == 2 && told.contains("did you mean `write`"), "{told}");

    let successor = made(folder, &["rotate", "CI of acme", "--overlap", "1h"]);
    assert_ne!(token, successor);
    assert_eq!((status(&server, &token).await.0, status(&server, &successor).await.0), (200, 200));
    let third = made(folder, &["rotate", "CI of acme", "--overlap", "0s"]);
    assert_eq!((status(&server, &successor).await.0, status(&server, &third).await.0), (401, 200));

    let (exit, _, told) = keys(folder, &["revoke", "CI of acme"]);
    assert_eq!(exit, 0, "{told}");
    for token in [&token, &successor, &third] {
        let (status, answer) = status(&server, token).await;
        assert_eq!((status, &answer["error"]["code"]), (401, &json!(401)), "{answer}");
    }
    assert!(!api.seen().iter().any(|seen| format!("{seen:?}").contains("mcb_")), "no token went upstream");
}

#[tokio::test]
async fn no_token_is_kept_or_shown_again() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", &bridge(&api.url()))], &[]).await;
    let folder = server.folder.path();
    let token = made(folder, &["create", "--name", "poke", "--scope", "read", "--expires", "never"]);
    status(&server, &token).await;
    let secret = token.rsplit('_').next().expect("a secret").to_owned();
    let (_, words, _) = keys(folder, &["list"]);
    let (_, listed, _) = keys(folder, &["list", "--json"]);
    let id = token.split('_').nth(2).expect("an id");
    assert!(words.contains("poke") && words.contains(id), "{words}");
    assert!(!words.contains(&secret) && !listed.contains(&secret));
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((&listed[0]["standing"], &listed[0]["expires_at"]), (&json!("valid"), &Value::Null));
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = fs::read(&path).expect("it can be read");
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn a_state_that_is_gone_lets_nobody_in() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", &bridge(&api.url()))], &[]).await;
    let folder = server.folder.path();
    let token = made(folder, &["create", "--name", "poke", "--scope", "read"]);
    assert_eq!(status(&server, &token).await.0, 200);
    // A table that is missing stands for every way in which a database can fail.
    let broken = rusqlite::Connection::open(folder.join("mcp-bridge-state.db")).expect("it opens");
    broken.execute_batch("ALTER TABLE api_key RENAME TO gone").expect("a change");
    let (status, answer) = status(&server, &token).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!(503)), "{answer}");
}

#[test]
fn files_that_take_no_such_keys_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("desk.yaml"), "bridge: x\nserver: { state: \"sqlite:x.db\" }\n").unwrap();
    let (exit, _, told) = keys(folder.path(), &["list"]);
    assert!(exit == 2 && told.contains("store: true"), "{told}");
}

#[tokio::test]
async fn a_change_of_a_key_is_in_the_record() {
    let api = upstream().await;
    let file = bridge(&api.url()).replace("server:\n", "server:\n  audit: { file: audit.jsonl }\n");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("desk.yaml"), &file).expect("a folder that can be written");
    let token = made(folder.path(), &["create", "--name", "ci", "--workspace", "acme"]);
    let next = made(folder.path(), &["rotate", "ci", "--overlap", "0s"]);
    made(folder.path(), &["revoke", "ci"]);
    let text = fs::read_to_string(folder.path().join("audit.jsonl")).expect("a record");
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = all.iter().map(|it| [&it["event"], &it["decision"], &it["key"], &it["caller"]]).collect();
    let id = |token: &str| json!(token["mcb_pat_".len()..][..8]);
    let (first, second) = (id(&token), id(&next));
    let key = json!("key");
    let ci = json!("ci");
    assert_eq!(
        told,
        [
            [&key, &json!("created"), &first, &ci],
            [&key, &json!("rotated"), &second, &ci],
            [&key, &json!("revoked"), &second, &ci],
        ]
    );
    assert_eq!(all[0]["workspace"], json!("acme"));
    assert!(!text.contains(&token) && !text.contains(&next));
    // What cannot be recorded is not begun.
    fs::write(folder.path().join("desk.yaml"), file.replace("audit.jsonl", "no/such/folder.jsonl")).expect("a file");
    let (exit, token, told) = keys(folder.path(), &["create", "--name", "other"]);
    assert_eq!((exit, token.as_str()), (2, ""), "{told}");
    assert!(!keys(folder.path(), &["list", "--state", "mcp-bridge-state.db"]).1.contains("other"));
}
