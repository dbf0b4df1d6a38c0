//! Every file that ships checks clean, and the shop answers offline.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mcp_bridge::{
    check::check,
    diag::render::{Form, render},
    text::FileSet,
};
use serde_json::json;

use crate::support::{Fixed, serve};

/// Files that `check` has something to say about, and what.
const LOUD: &[(&str, &str)] = &[("conformance.yaml", "MB0305"), ("whole-json-schema.yaml", "MB0408")];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_file_checks_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("bridges"), &mut found);
    files(&root.join("examples"), &mut found);
    assert!(found.len() >= 6, "{found:?}");
    let variables = Fixed::new(&[
        ("COMPANY_API_TOKEN", "token-for-this-test"),
        ("COMPANY_BRIDGE_KEY_HASH", &format!("sha256:{}", "0123456789abcdef".repeat(4))),
    ]);
    for path in found {
        let text = fs::read_to_string(&path).expect("a file");
        let first = text.lines().next().unwrap_or_default();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_default();
        let folder = path.parent().unwrap_or(root);
        assert!(folder.join(schema).is_file(), "{}: the first line names no schema: {first}", path.display());
        let mut set = FileSet::new();
        set.add(path.display().to_string(), text);
        let checked = check(&set, &variables);
        let mut report = Vec::new();
        render(Form::Concise, &checked.diagnostics, &set, &mut report).expect("memory");
        let report = String::from_utf8_lossy(&report);
        let expected = LOUD.iter().find(|(name, _)| path.ends_with(name)).map_or("none", |(_, code)| code);
        let (expected, others): (Vec<_>, Vec<_>) = report.lines().partition(|line| line.contains(expected));
        assert_eq!(others, Vec::<&str>::new());
        assert_eq!(expected.is_empty(), !LOUD.iter().any(|(name, _)| path.ends_with(name)), "{}", path.display());
    }
}

#[tokio::test]
async fn the_bookstore_answers_offline() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges");
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("a shipped file");
    let (bridge, seed) = (read("bookstore.yaml"), read("bookstore.sql"));
    let shop = serve(&[("bookstore.yaml", &bridge), ("bookstore.sql", &seed)], &[]).await;
    let found = shop.call("find_books", &json!({ "text": "the", "limit": 3 })).await["structuredContent"].clone();
    let id = found["rows"][0]["book_id"].clone();
    assert!(id.is_u64(), "{found}");
    let book = shop.call("get_book", &json!({ "book_id": id })).await["structuredContent"].clone();
    assert_eq!(book["book_id"], id);
    let report = shop.call("sales_report", &json!({})).await["structuredContent"].clone();
    assert!(report["row_count"].as_u64().is_some_and(|rows| rows > 1), "{report}");
    let listed = shop.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    assert!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 8));
    for tool in listed["result"]["tools"].as_array().into_iter().flatten() {
        assert!(tool["outputSchema"].is_object(), "{tool}");
    }
}
