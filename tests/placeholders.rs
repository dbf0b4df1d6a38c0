//! What in a statement is a placeholder and what only looks like one, asked of the real engines: what is
//! one is bound, everything else arrives as it was written, and the value that comes back says so
//! (sql.md §12). What is refused before any engine sees it stands in the tests of `check::sql`.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Program, Server, mariadb, postgres};

/// The engines that a row is for: SQLite, PostgreSQL, MariaDB.
const ALL: &str = "SPM";

/// Engines, a statement, and the value that it gives with these arguments: `id` 7, `id2` 100, `one` 1,
/// `name` "Ada", `odd` a text full of SQL, `ids` [1, 7], `none` [], and `absent`, which is never given.
fn rows() -> Vec<(&'static str, &'static str, Value)> {
    let mut rows = vec![
        (ALL, "SELECT concat(':id', :name)", json!(":idAda")),
        (ALL, "SELECT concat('it''s :id ', :name)", json!("it's :id Ada")),
        (ALL, "SELECT concat('größe 😀', :name)", json!("größe 😀Ada")),
        (ALL, "SELECT concat('12:30:45 12:id', :name)", json!("12:30:45 12:idAda")),
        (ALL, "SELECT concat('? ?1 $1 @p1', :name)", json!("? ?1 $1 @p1Ada")),
        (ALL, "SELECT concat(:odd, '')", json!(ODD)),
        (ALL, "SELECT concat(:name, :odd, :name)", json!(format!("Ada{ODD}Ada"))),
        (ALL, "SELECT :id + :id2 + :id", json!(114)),
        (ALL, "SELECT(:id)", json!(7)),
        (ALL, "SELECT 1 WHERE 7=:id", json!(1)),
        (ALL, "SELECT 7 LIMIT:one", json!(7)),
        (ALL, "SELECT :absent", Value::Null),
        (ALL, "SELECT /* :id ' */ :id", json!(7)),
        (ALL, "SELECT :id -- :name '", json!(7)),
        (ALL, "SELECT :id -- :name '\n + 1", json!(8)),
        (ALL, "SELECT 1 WHERE 7 IN (:ids)", json!(1)),
        (ALL, "SELECT 1 WHERE 7 IN ( :none )", Value::Null),
        (ALL, "SELECT 1 WHERE 7 NOT IN (:none)", json!(1)),
        (ALL, "SELECT concat('[[ :id ]]', :name)", json!("[[ :id ]]Ada")),
        (ALL, "SELECT :id /* [[ AND :name ]] */", json!(7)),
        (ALL, "SELECT 1 [[ + :id /* ]] */ ]]", json!(8)),
        (ALL, "SELECT concat('a'[[ , ']]', :name ]])", json!("a]]Ada")),
        (ALL, "SELECT 1 [[ + :absent ]][[ + :id ]]", json!(8)),
    ];
    rows.extend([
        ("SP", "SELECT concat('\\', :name)", json!("\\Ada")),
        ("SP", "SELECT 5--:id", json!(5)),
        ("SP", "SELECT :id AS \":name\"", json!(7)),
        ("SM", "SELECT :id AS `:name`", json!(7)),
        ("SM", "SELECT /* a /* :name */ :id", json!(7)),
        ("S", "SELECT :id AS [:name]", json!(7)),
        ("S", "SELECT json_extract('{\":id\":7}', '$.:id') + :id", json!(14)),
        ("S", "SELECT '{\"a\":7}' ->> 'a' + :id", json!(14)),
    ]);
    rows.extend([
        ("P", "SELECT concat(E'\\' :id ', :name)", json!("' :id Ada")),
        ("P", "SELECT concat(U&'\\0061:id', :name)", json!("a:idAda")),
        ("P", "SELECT concat($$ :id ' $$, :name)", json!(" :id ' Ada")),
        ("P", "SELECT concat($t$ :id $$ $t$, :name)", json!(" :id $$ Ada")),
        ("P", "SELECT /* a /* :name */ :name */ :id", json!(7)),
        ("P", "SELECT :id::text", json!("7")),
        ("P", "SELECT '7'::int + :id", json!(14)),
        ("P", "SELECT make_interval(hours := :id)", json!("PT7H")),
        ("P", "SELECT (ARRAY[10, 20, 30])[2:3]", json!([20, 30])),
        ("P", "SELECT (ARRAY[10, 20, 30])[:one]", json!(10)),
        ("P", "SELECT (ARRAY[10, 20, 30])[1: :one]", json!([10])),
        ("P", "SELECT n[1:id] FROM (SELECT ARRAY[10, 20, 30] AS n, 2 AS id) AS t", json!([10, 20])),
        ("P", "SELECT ARRAY[[1, 2], [3, :id]]", json!([[1, 2], [3, 7]])),
        ("P", "SELECT (ARRAY[5, 6])[(ARRAY[2])[1]] + :id", json!(13)),
        ("P", "SELECT '{\"a\":1}'::jsonb ? 'a' AND :id = 7", json!(true)),
        ("P", "SELECT '{\"a\":1}'::jsonb ? :name", json!(false)),
        ("P", "SELECT '{\"Ada\":1}'::jsonb ?| ARRAY['b', :name]", json!(true)),
        ("P", "SELECT '{\"Ada\":1}'::jsonb ?& ARRAY['b', :name]", json!(false)),
        ("P", "SELECT '{\"a\":7}'::jsonb @? '$.a'", json!(true)),
        ("P", "SELECT '{\"a\":7}'::jsonb @> jsonb_build_object('a', :id::int)", json!(true)),
        ("P", "SELECT ARRAY[1, 7] @> :ids", json!(true)),
    ]);
    rows.extend([
        ("M", "SELECT concat('\\' :id ', :name)", json!("' :id Ada")),
        ("M", "SELECT concat(\":id \\\" \", :name)", json!(":id \" Ada")),
        ("M", "SELECT concat(_utf8mb4':id', :name)", json!(":idAda")),
        ("M", "SELECT :id # :name '\n + 1", json!(8)),
        ("M", "SELECT 5--:id", json!(12)),
        ("M", "SELECT @x := :id", json!(7)),
        ("M", "SELECT concat(@@sql_auto_is_null, :name)", json!("OFFAda")),
    ]);
    rows
}

const ODD: &str = "'; DROP TABLE x; -- :id ? $1 \\ \" ` %_ [[ ]] {{name}}";

fn bridge(rows: &[(&str, &str, Value)]) -> String {
    let mut text = "bridge: traps\nsources: { db: { sql: \"${DB}\" } }\ntools:\n".to_owned();
    for (at, (_, query, _)) in rows.iter().enumerate() {
        let query = json!(query).to_string().replace("${", "$${");
        let _ = writeln!(
            text,
            "  t{at}:\n    description: Row {at}.\n    params:\n      id: integer\n      id2: integer\n      one: integer\n      \
             name: string\n      odd: string\n      ids: {{ type: array, items: {{ type: integer }} }}\n      \
             none: {{ type: array, items: {{ type: integer }} }}\n      \
             absent: {{ type: string, required: false }}\n    sql: {{ query: {query}, returns: value }}"
        );
    }
    text
}

fn are_told_apart(engine: char, url: &str) {
    let rows: Vec<_> = rows().into_iter().filter(|(engines, ..)| engines.contains(engine)).collect();
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("traps.yaml"), bridge(&rows)).expect("the folder can be written");
    let mut program = Program::start(folder.path(), "traps.yaml", &[("DB", url)]);
    let arguments = json!({ "id": 7, "id2": 100, "one": 1, "name": "Ada", "odd": ODD, "ids": [1, 7], "none": [] });
    let mut wrong = Vec::new();
    for (at, (_, query, expected)) in rows.iter().enumerate() {
        let result = program.call(&format!("t{at}"), &arguments);
        let value = &result["structuredContent"]["result"];
        if value != expected || result["isError"] == true {
            wrong.push(format!("{query:?}: {expected} is wanted, and there is {result}"));
        }
    }
    assert!(wrong.is_empty(), "{engine}\n{}", wrong.join("\n"));
}

fn url(host: &Server) -> String {
    host.database("placeholders", "");
    host.url("app", "placeholders")
}

#[test]
fn placeholders_of_sqlite_are_told_from_what_looks_like_one() {
    are_told_apart('S', "sqlite::memory:");
}

#[test]
fn placeholders_of_postgresql_are_told_from_what_looks_like_one() {
    let Some(host) = postgres() else { return };
    are_told_apart('P', &url(host));
}

#[test]
fn placeholders_of_mariadb_are_told_from_what_looks_like_one() {
    let Some(host) = mariadb() else { return };
    are_told_apart('M', &url(host));
}
