//! The building's plan as a test: a module sees itself and lower floors, every foreign crate has
//! one door, the wire is known at the edge only, and the lower floors touch no outside world.
//! `ARCHITECTURE.md` says why.

use crate::tree::{FILES, File, Keep, Named, paths, strip};

/// The modules of every floor, from the ground up. Those of one floor do not see each other.
const FLOORS: &[&[&str]] = &[
    &["text", "secret", "heap"],
    &["diag"],
    &["yaml", "schema", "template", "select", "document"],
    &["bridge", "plan", "catalog"],
    &["check", "telemetry", "alarm"],
    &["load", "upstream", "state"],
    &["engine", "issuer"],
    &["mcp", "import", "access", "authority"],
    &["serve"],
    &["cli"],
];

/// A foreign name, and the places below `src` that may say it. One word is a crate; more are
/// neighbours in a path, with or without what stands before them.
const DOORS: &[(&[&str], &[&str])] = &[
    (&["serde_yaml"], &["yaml"]),
    (&["granit_parser"], &["yaml"]),
    (&["jsonschema"], &["schema"]),
    (&["handlebars"], &["template"]),
    (&["jsonpath_rust"], &["select"]),
    (&["rusqlite"], &["upstream/sql/sqlite", "state"]),
    (&["quick_xml"], &["document"]),
    (&["csv"], &["document"]),
    (&["encoding_rs"], &["document"]),
    (&["flate2"], &["upstream/rest"]),
    (&["brotli_decompressor"], &["upstream/rest"]),
    (&["sqlx"], &["upstream/sql/mysql", "state"]),
    (&["postgres_protocol"], &["upstream/sql/postgres"]),
    (&["reqwest"], &["upstream/rest"]),
    (&["memchr"], &["upstream/rest"]),
    (&["jsonwebtoken"], &["issuer"]),
    (&["argon2"], &["authority/password.rs"]),
    (&["askama"], &["authority/pages.rs"]),
    (&["axum"], &["serve"]),
    (&["hyper"], &["serve", "upstream/rest"]),
    (&["hyper_util"], &["serve", "upstream/rest"]),
    (&["clap"], &["cli", "main.rs"]),
    (&["clap_complete"], &["cli"]),
    (&["clap_mangen"], &["cli"]),
    (&["rustix"], &["cli"]),
    (&["socket2"], &["upstream/rest"]),
    (&["annotate_snippets"], &["diag"]),
    (&["env", "var"], &["cli", "main.rs"]),
    (&["env", "var_os"], &["cli", "main.rs"]),
    (&["env", "vars"], &["cli", "main.rs"]),
    (&["env", "vars_os"], &["cli", "main.rs"]),
    (&["process", "exit"], &["cli", "main.rs"]),
];

/// Where JSON-RPC codes stand.
const CODES: &[&str] = &["mcp/error.rs", "serve"];

/// Where no HTTP status type is seen, but for the second list.
const NO_STATUS: (&[&str], &[&str]) = (&["engine", "upstream", "plan", "check", "mcp"], &["upstream/rest"]);

/// What would tie a pure module to files, clock, environment, sockets or a runtime.
const WORLD: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["tokio"],
    &["tokio_util"],
    &["TcpListener"],
    &["TcpStream"],
    &["UdpSocket"],
    &["UnixStream"],
    &["ToSocketAddrs"],
    &["Instant"],
    &["SystemTime"],
    &["async"],
    &["await"],
];

/// The floor of a top module; `None` where the plan does not know it.
pub(crate) fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top module that a file below `src` belongs to; `None` for `lib.rs` and `main.rs`.
pub(crate) fn module(path: &str) -> Option<&str> {
    let top = path.split('/').next().unwrap_or(path);
    Some(top.strip_suffix(".rs").unwrap_or(top)).filter(|module| !["lib", "main"].contains(module))
}

/// Whether a file below `src` is the place, or stands in it.
fn stands_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| {
        path == *place || path.strip_prefix(place).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// Runs a check on the code of every Rust file below `src`.
fn faults(files: &[File], check: Check) -> Vec<String> {
    files.iter().filter_map(|file| Some(check(file.in_src()?, file))).flatten().collect()
}

/// Runs a check on the paths that one file names.
fn on_paths(path: &str, file: &File, check: impl Fn(&Named<'_>) -> Option<String>) -> Vec<String> {
    let code = strip(file.text(), Keep::Code);
    let faults = paths(&code).into_iter().filter_map(|named| Some((named.line, check(&named)?)));
    faults.map(|(line, fault)| format!("{path}:{line}: {fault}")).collect()
}

fn imports(path: &str, file: &File) -> Vec<String> {
    let Some(own) = module(path) else { return Vec::new() };
    let Some(own_floor) = floor(own) else { return vec![format!("{path}:1: `{own}` has no floor")] };
    on_paths(path, file, |named| {
        let other = top(named, path)?;
        match floor(other) {
            _ if other == own => None,
            Some(other_floor) if other_floor < own_floor => None,
            Some(_) => Some(format!("`{own}` (floor {own_floor}) may not import `{other}`")),
            None => Some(format!("`{other}` has no floor")),
        }
    })
}

/// The top module that a path leads to, from the root or up from the file.
fn top<'a>(named: &Named<'a>, path: &str) -> Option<&'a str> {
    let ups = named.segments.iter().take_while(|segment| **segment == "super").count();
    let folders = path.trim_end_matches("/mod.rs").split('/').count();
    let from_root = match named.segments.first() {
        Some(&"crate") => 1,
        Some(_) if ups > 0 && ups == folders + named.depth => ups,
        _ => return None,
    };
    named.segments.get(from_root).copied().filter(|segment| *segment != "self")
}

fn doors(path: &str, file: &File) -> Vec<String> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        // A stand-in is no part of the program.
        return Vec::new();
    }
    on_paths(path, file, |named| {
        let said = DOORS.iter().find(|(name, places)| {
            let matches = match name {
                [_] => named.segments.starts_with(name) && (named.imported || named.segments.len() > 1),
                _ => named.has(name),
            };
            matches && !stands_in(path, places)
        })?;
        Some(format!("`{}` belongs in {}", said.0.join("::"), said.1.join(", ")))
    })
}

fn codes(path: &str, file: &File) -> Vec<String> {
    if stands_in(path, CODES) {
        return Vec::new();
    }
    let code = strip(file.text(), Keep::CodeAndStrings);
    let lines = code.lines().enumerate().filter(|(_, line)| has_code(line));
    lines.map(|(at, _)| format!("{path}:{}: a JSON-RPC code belongs in {}", at + 1, CODES.join(", "))).collect()
}

/// Whether a line holds a code of JSON-RPC or of MCP. The ones that are also ordinary numbers
/// count with a minus sign only.
fn has_code(line: &str) -> bool {
    let line = line.replace('_', "");
    line.match_indices("32").any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let digits = rest.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default();
        let negative = before.ends_with(['-', '−']);
        match digits.parse::<u32>() {
            Ok(32600..=32603 | 32700) => !before.ends_with(|char: char| char.is_ascii_alphanumeric()),
            Ok(32000..=32099 | 32500..=32799) => negative,
            _ => false,
        }
    })
}

fn statuses(path: &str, file: &File) -> Vec<String> {
    if !stands_in(path, NO_STATUS.0) || stands_in(path, NO_STATUS.1) {
        return Vec::new();
    }
    on_paths(path, file, |named| named.has(&["StatusCode"]).then(|| "an HTTP status belongs in `serve`".to_owned()))
}

fn pure(path: &str, file: &File) -> Vec<String> {
    let pure = module(path).is_some_and(|own| own == "check" || floor(own).is_some_and(|floor| floor <= 3));
    if !pure {
        return Vec::new();
    }
    on_paths(path, file, |named| {
        let world = WORLD.iter().find(|world| named.has(world))?;
        Some(format!("`{}` in a module that is pure", world.join("::")))
    })
}

fn library(path: &str, file: &File) -> Vec<String> {
    if path != "lib.rs" {
        return Vec::new();
    }
    let code = strip(file.text(), Keep::Code);
    let lines = code.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let allowed = |line: &str| line.is_empty() || line.starts_with('#') || is_module_line(line);
    lines.filter(|(_, line)| !allowed(line)).map(|(at, _)| format!("lib.rs:{at}: `pub mod` lines only")).collect()
}

fn is_module_line(line: &str) -> bool {
    line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')).is_some_and(|name| !name.contains(' '))
}

/// A check of one file, given its path below `src`.
type Check = fn(&str, &File) -> Vec<String>;

/// Every check with a name for its test.
const CHECKS: &[(&str, Check)] = &[
    ("imports", imports),
    ("doors", doors),
    ("codes", codes),
    ("statuses", statuses),
    ("pure", pure),
    ("library", library),
];

#[test]
fn the_plan_is_kept() {
    assert!(FILES.iter().any(|file| file.path == "src/lib.rs"), "the sources were not found");
    let found: Vec<_> = CHECKS.iter().flat_map(|(_, check)| faults(&FILES, *check)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What every check finds, as (check, file below `src`, text, faults).
const SAMPLES: &[(&str, &str, &str, &[&str])] = &[
    (
        "imports",
        "plan/tool.rs",
        "use crate::bridge::Tool;",
        &["plan/tool.rs:1: `plan` (floor 3) may not import `bridge`"],
    ),
    ("imports", "plan/tool.rs", "use crate::{text::Span, plan::Plan, yaml};", &[]),
    (
        "imports",
        "yaml/mod.rs",
        "use crate::{\n    diag::{Code, render::{full}},\n    template::{self},\n};\nfn f() { crate::engine::g() }",
        &[
            "yaml/mod.rs:3: `yaml` (floor 2) may not import `template`",
            "yaml/mod.rs:5: `yaml` (floor 2) may not import `engine`",
        ],
    ),
    ("imports", "plan/mod.rs", "// crate::bridge\nconst A: &str = \"crate::bridge\"; // crate::cli::x", &[]),
    (
        "imports",
        "plan/mod.rs",
        "pub(crate) fn f() { super::cli::run() }",
        &["plan/mod.rs:1: `plan` (floor 3) may not import `cli`"],
    ),
    ("imports", "plan/a.rs", "mod tests { use super::super::b; use super::*; }", &[]),
    (
        "imports",
        "secret.rs",
        "mod tests { use super::super::diag; }",
        &["secret.rs:1: `secret` (floor 0) may not import `diag`"],
    ),
    ("imports", "misc/mod.rs", "", &["misc/mod.rs:1: `misc` has no floor"]),
    ("imports", "cli/mod.rs", "use crate::Thing;", &["cli/mod.rs:1: `Thing` has no floor"]),
    ("doors", "bridge/file.rs", "use serde_yaml::Value;", &["bridge/file.rs:1: `serde_yaml` belongs in yaml"]),
    ("doors", "yaml/parse.rs", "use granit_parser::Parser;", &[]),
    ("doors", "engine/call.rs", "let axum = 1; let a = axum + 1;", &[]),
    (
        "doors",
        "engine/call.rs",
        "\n#[derive(clap::Parser)]\nstruct A;",
        &["engine/call.rs:2: `clap` belongs in cli, main.rs"],
    ),
    (
        "doors",
        "upstream/rest/mod.rs",
        "use sqlx as db;",
        &["upstream/rest/mod.rs:1: `sqlx` belongs in upstream/sql/mysql, state"],
    ),
    ("doors", "upstream/sql/mysql.rs", "use sqlx as db;", &[]),
    (
        "doors",
        "load/mod.rs",
        "use std::{env::{self, var}, fs};",
        &["load/mod.rs:1: `env::var` belongs in cli, main.rs"],
    ),
    ("doors", "serve/mod.rs", "std::process::exit(1)", &["serve/mod.rs:1: `process::exit` belongs in cli, main.rs"]),
    ("doors", "main.rs", "std::process::exit(1)", &[]),
    (
        "codes",
        "engine/error.rs",
        "const A: i32 = -32_602;",
        &["engine/error.rs:1: a JSON-RPC code belongs in mcp/error.rs, serve"],
    ),
    (
        "codes",
        "mcp/tools.rs",
        "r#\"{\"code\":-32020}\"#",
        &["mcp/tools.rs:1: a JSON-RPC code belongs in mcp/error.rs, serve"],
    ),
    ("codes", "mcp/tools.rs", "// An unknown tool is -32602.\nconst A: u32 = 32_768; const B: u32 = 32_000;", &[]),
    ("codes", "mcp/error.rs", "const A: i32 = -32602;", &[]),
    (
        "statuses",
        "mcp/mod.rs",
        "use http::{HeaderMap, StatusCode};",
        &["mcp/mod.rs:1: an HTTP status belongs in `serve`"],
    ),
    ("statuses", "upstream/rest/retry.rs", "use http::StatusCode;", &[]),
    ("pure", "plan/mod.rs", "use std::{fs, path::Path};", &["plan/mod.rs:1: `std::fs` in a module that is pure"]),
    ("pure", "check/live.rs", "async fn f() {}", &["check/live.rs:1: `async` in a module that is pure"]),
    ("pure", "load/mod.rs", "use std::{fs, path::Path};", &[]),
    ("pure", "plan/server.rs", "use std::net::SocketAddr;", &[]),
    (
        "library",
        "lib.rs",
        "//! Head.\n#![warn(x)]\n/// What it is for.\npub mod plan;\nuse plan::Plan;",
        &["lib.rs:5: `pub mod` lines only"],
    ),
];

#[test]
fn each_check_can_fail() {
    for (name, path, text, expected) in SAMPLES {
        let check = CHECKS.iter().find(|(check, _)| check == name).unwrap().1;
        let found = faults(&[File::sample(&format!("src/{path}"), text)], check);
        assert_eq!(&found, expected, "{name}: {text}");
    }
    for (name, _) in CHECKS {
        assert!(SAMPLES.iter().any(|sample| sample.0 == *name && !sample.3.is_empty()), "{name} has no bad sample");
    }
}
