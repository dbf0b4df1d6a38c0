//! What a large result costs the server: of a million rows those that are wanted are kept, and the
//! others are left at the database or read and forgotten. The program runs by itself, so that its
//! memory is its own; the kernel tells the most it ever had.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Program, Server, mariadb, postgres};

/// A million rows of more than a hundred bytes.
const SQLITE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) \
                      SELECT i, printf('%0120d', i) AS x FROM n";
const POSTGRES: &str = "SELECT i, repeat('x', 120) AS x FROM generate_series(1, 1000000) AS i";
const MARIADB: &str = "SELECT seq AS i, repeat('x', 120) AS x FROM seq_1_to_1000000";

/// How much more memory the server may have had after a call than before any, in KiB: a quarter of what
/// the rows would take.
const MORE: u64 = 32 << 10;

/// How a tool leaves most of a million rows, and how many of them it gives.
const TOOLS: [(&str, &str, std::ops::RangeInclusive<u64>); 5] = [
    ("by_rows", "sql: { query: \"$QUERY\", max_rows: 100 }", 100..=100),
    ("by_bytes", "sql: { query: \"$QUERY\", max_rows: 100000 }, output: { max_bytes: 64KiB }", 300..=600),
    ("as_csv", "sql: { query: \"$QUERY\", max_rows: 100000 }, output: { max_bytes: 64KiB, format: csv }", 300..=600),
    ("one", "sql: { query: \"$QUERY\", returns: row }", 1..=1),
    // What may write is read to its end, although nobody wants the rows.
    ("to_the_end", "sql: { mode: write, query: \"$QUERY\", max_rows: 3 }", 3..=3),
];

fn bridge(query: &str) -> String {
    let mut text =
        "bridge: large\nsources:\n  db: { sql: { url: \"${DB}\", read_only: false, statement_timeout: 50s } }\n\
                    tools:\n  small: { description: S., sql: { query: SELECT 1 AS i } }\n  \
                    touch: { description: T., sql: { mode: write, query: SELECT 1 AS i } }\n"
            .to_owned();
    for (name, rest, _) in TOOLS {
        let rest = rest.replace("$QUERY", query);
        let _ = writeln!(text, "  {name}: {{ description: D., timeout: 55s, {rest} }}");
    }
    text
}

fn is_flat(url: &str, query: &str) {
    if !Path::new("/proc/self/status").exists() {
        println!("skipped: this system does not tell how much memory a process had");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("large.yaml"), bridge(query)).expect("the folder can be written");
    let mut program = Program::start(folder.path(), "large.yaml", &[("DB", url)]);
    let call = |program: &mut Program, tool: &str| -> Value {
        let result = program.call(tool, &json!({}));
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["structuredContent"].clone()
    };
    call(&mut program, "small");
    call(&mut program, "touch");
    let before = program.most();
    for (tool, _, rows) in TOOLS {
        let result = call(&mut program, tool);
        if tool != "one" {
            assert_eq!(result["truncated"], true, "{tool}: {result}");
            assert!(result["row_count"].as_u64().is_some_and(|count| rows.contains(&count)), "{tool}: {result}");
        }
        let after = program.most();
        assert!(after < before + MORE, "{tool}: {before} KiB before, {after} KiB after");
        // The connection is as good as before: the rows that were left do not come now.
        assert_eq!(call(&mut program, "small")["rows"], json!([{ "i": 1 }]), "{tool}");
    }
}

fn url(host: &Server) -> String {
    host.database("large", "");
    host.url("app", "large")
}

#[test]
fn a_million_rows_of_sqlite_are_not_kept() {
    is_flat("sqlite::memory:", SQLITE);
}

#[test]
fn a_million_rows_of_postgresql_are_not_kept() {
    let Some(host) = postgres() else { return };
    is_flat(&url(host), POSTGRES);
}

#[test]
fn a_million_rows_of_mariadb_are_not_kept() {
    let Some(host) = mariadb() else { return };
    is_flat(&url(host), MARIADB);
}
