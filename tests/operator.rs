//! What an operator changes on the command line stands in the record: clients and people, each change with what was
//! done, by whom and to whom, and never with a secret. Threat model: row 21 of auth.md §5.

use std::fs;

use serde_json::{Value, json};

use crate::support::person::{PASSWORD, bridge, command, printed, try_command};

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);\n";

#[test]
fn changes_of_clients_and_people_are_in_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let file = bridge("  audit: { file: audit.jsonl }");
    fs::write(path.join("desk.yaml"), &file).expect("a folder that can be written");
    fs::write(path.join("notes.sql"), NOTES).expect("a folder that can be written");

    let grant = ["--grant", "client-credentials", "--scope", "notes:read", "--workspace", "acme"];
    let made = command(path, &[&["clients", "create", "--name", "Nightly"][..], &grant].concat(), "");
    let id = printed(&made, "client_id");
    let rotated = command(path, &["clients", "rotate", id, "--overlap", "0s"], "");
    command(path, &["clients", "revoke", id], "");
    command(path, &["users", "add", "Ada", "--password", "--workspace", "acme"], PASSWORD);
    let other = "another password of hers";
    command(path, &["users", "password", "ada"], other);
    let link = command(path, &["login-link", "--user", "ada"], "");
    command(path, &["users", "disable", "ada"], "");
    command(path, &["users", "enable", "ada"], "");

    let text = fs::read_to_string(path.join("audit.jsonl")).expect("a record");
    let mut all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for entry in &mut all {
        let time = entry.as_object_mut().expect("an entry").remove("time");
        assert!(time.is_some_and(|time| time.is_string()), "{entry}");
    }
    let user = |decision: &str| json!({ "event": "user", "decision": decision, "id": "ada", "by": "operator" });
    let client = |decision: &str| {
        json!({ "event": "client", "decision": decision, "id": id, "name": "Nightly", "workspace": "acme",
            "scopes": ["notes:read"], "by": "operator" })
    };
    let mut added = user("created");
    added["workspace"] = json!("acme");
    let renewed = json!({ "event": "client", "decision": "rotated", "id": id, "by": "operator" });
    assert_eq!(
        Value::from(all),
        json!([
            client("created"),
            renewed,
            client("revoked"),
            added,
            user("password_changed"),
            user("login_link_made"),
            user("disabled"),
            user("enabled"),
        ])
    );
    let (_, token) = link.split_once("token=").expect("a link");
    for secret in [printed(&made, "client_secret"), printed(&rotated, "client_secret"), PASSWORD, other, token] {
        assert!(!secret.is_empty() && !text.contains(secret), "{secret}");
    }

    // What cannot be recorded is not begun.
    fs::write(path.join("desk.yaml"), file.replace("audit.jsonl", "no/such/folder.jsonl")).expect("a file");
    let (exit, _, told) = try_command(path, &["users", "add", "Grace"], "");
    assert_eq!(exit, 2, "{told}");
    fs::write(path.join("desk.yaml"), bridge("")).expect("a file");
    assert!(!command(path, &["users", "list"], "").contains("grace"));
}
