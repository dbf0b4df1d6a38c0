//! The command line as a person meets it: output, exit codes, faults before anything starts.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

const GOOD: &str = "bridge: good\ntools:\n  hello:\n    description: Says hello.\n    rest: { get: /hello }\nsources: { api: { rest: \"http://127.0.0.1:9\" } }\n";

/// Runs the program in a folder and returns its exit code, output and errors.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder.path())).expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    }
    folder
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let files = folder(&[
        ("bridges/good.yaml", GOOD),
        ("bad.yaml", "bridge: 7\n"),
        ("warned.yaml", &GOOD.replace("    description: Says hello.\n", "")),
    ]);
    for (arguments, exit) in [
        (&["check"][..], 0),
        (&["check", "bridges/good.yaml"], 0),
        (&["check", "warned.yaml"], 0),
        (&["check", "--deny-warnings", "warned.yaml"], 1),
        (&["check", "bad.yaml"], 1),
        (&["serve", "bad.yaml"], 1),
        (&["tools", "bad.yaml"], 1),
        (&["check", "nowhere"], 2),
        (&["serve", "--listen", "nonsense"], 2),
        (&["serve", "--listen", "0.0.0.0:0"], 2),
        (&["tools", "--bridge", "none"], 2),
        (&["no-such-command"], 2),
        (&["check", "--format", "odd"], 2),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["schema"], 0),
        (&["explain"], 0),
        (&["explain", "mb0201"], 0),
        (&["explain", "MB9999"], 2),
    ] {
        let (found, stdout, stderr) = run(files.path(), arguments);
        assert_eq!(found, exit, "{arguments:?}\n{stdout}\n{stderr}");
    }
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let files = folder(&[("bridges/good.yaml", GOOD)]);
    let (exit, _, stderr) = run(files.path(), &["serve", "--listen", &address]);
    assert_eq!(exit, 3);
    assert!(stderr.contains(&address) && stderr.contains("--listen"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_has_as_many_open_files_as_it_may_have() {
    use std::io::BufRead as _;
    let files = folder(&[("good.yaml", GOOD)]);
    let start = "ulimit -S -n 128 && exec \"$0\" serve good.yaml --no-reload --listen 127.0.0.1:0";
    let mut server = Command::new("sh")
        .args(["-c", start, env!("CARGO_BIN_EXE_mcp-bridge")])
        .current_dir(files.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let told = std::io::BufReader::new(server.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let is_up = told.into_iter().any(|line| line.contains("serving"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id()));
    server.kill().expect("the server can be ended");
    server.wait().expect("the server ends");
    let limits = limits.expect("the limits of the process");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let numbers: Vec<u64> = line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(is_up && matches!(numbers[..], [now, most] if now == most.min(65_536) && now > 128), "{line}");
}

#[test]
fn a_log_with_a_misspelt_level_is_not_silent() {
    let files = folder(&[("good.yaml", GOOD)]);
    for (level, serving, told) in
        [("warning", true, true), ("", true, false), ("info", true, false), ("error", false, false)]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
            .args(["serve", "--stdio", "good.yaml"])
            .current_dir(files.path())
            .env_clear()
            .env("MCP_BRIDGE_LOG", level)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the program can be started");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (log.contains("serving 1 bridge"), log.contains("MCP_BRIDGE_LOG")),
            (serving, told),
            "{level}: {log}"
        );
    }
}

#[test]
fn faults_have_their_place_in_every_form() {
    let files = folder(&[("shop.yaml", "bridge: shop\nsorces:\n  api: 1\n")]);
    let (_, full, summary) = run(files.path(), &["check", "shop.yaml"]);
    assert!(full.contains("error[MB0201]") && full.contains("--> shop.yaml:2:1") && full.contains("^^^^^^"), "{full}");
    assert!(full.contains("did you mean `sources`?"), "{full}");
    assert!(summary.contains("1 error"), "{summary}");
    let (_, concise, _) = run(files.path(), &["check", "--format", "concise", "shop.yaml"]);
    assert!(concise.starts_with("shop.yaml:2:1: error[MB0201]: "), "{concise}");
    let (_, json, _) = run(files.path(), &["check", "--format", "json", "shop.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((json["errors"].as_u64(), json["diagnostics"][0]["at"]["line"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn a_code_is_explained_with_a_file_that_has_its_fault() {
    let files = folder(&[]);
    let (_, told, _) = run(files.path(), &["explain", "MB0201"]);
    let parts =
        ["MB0201: A key that the format does not know.", "\nWhy\n", "\nExample\n", "error[MB0201]", "\nInstead\n"];
    let found: Vec<_> = parts.iter().map(|part| told.find(part)).collect();
    assert!(found.is_sorted() && found.iter().all(Option::is_some), "{found:?}\n{told}");
    let (_, _, refused) = run(files.path(), &["explain", "MB0210"]);
    assert!(refused.contains("there is no code `MB0210`") && refused.contains("did you mean MB0"), "{refused}");
    let (_, all, _) = run(files.path(), &["explain"]);
    assert!(all.lines().count() > 80 && all.starts_with("MB0002  A file is not UTF-8."), "{all}");
}

#[test]
fn files_are_walked_in_byte_order_and_hidden_ones_left_out() {
    let bad = "bridge: 1\n";
    let files = folder(&[
        ("b/z.yaml", bad),
        ("b/a/x.yml", bad),
        ("b/B.yaml", bad),
        ("b/.hidden.yaml", bad),
        ("b/.git/x.yaml", bad),
        ("b/notes.txt", bad),
    ]);
    let (_, stdout, _) = run(files.path(), &["check", "--format", "concise", "b"]);
    let names: Vec<&str> = stdout.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["b/B.yaml", "b/a/x.yml", "b/z.yaml"]);
}

#[test]
fn a_client_sees_what_tools_and_instructions_print() {
    let files = folder(&[("bridges/good.yaml", GOOD)]);
    let (_, words, _) = run(files.path(), &["tools"]);
    assert!(words.starts_with("hello\n    Says hello."), "{words}");
    let (_, json, _) = run(files.path(), &["tools", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["tools"][0]["name"], "hello");
    let (_, instructions, _) = run(files.path(), &["instructions"]);
    assert!(instructions.contains("- `hello`: Says hello."), "{instructions}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_bridge_file() {
    let files = TempDir::new().expect("a folder");
    let made = Command::new("mkfifo").arg(files.path().join("pipe.yaml")).status().expect("mkfifo");
    assert!(made.success());
    let (exit, _, stderr) = run(files.path(), &["check", "."]);
    assert!(exit == 2 && stderr.contains("not a file"), "{exit} {stderr}");
}

#[test]
fn odd_files_are_faults_and_never_more() {
    let files = TempDir::new().expect("a folder");
    let deep = "[".repeat(100_000);
    let huge = "x: y\n".repeat(1 << 20);
    for (name, bytes) in [
        ("bytes.yaml", &b"bridge: \xff\n"[..]),
        ("nul.yaml", b"bridge: \0\n"),
        ("empty.yaml", b""),
        ("list.yaml", b"- 1\n"),
        ("tab.yaml", b"bridge: x\n\ttools: {}\n"),
        ("deep.yaml", deep.as_bytes()),
        ("huge.yaml", huge.as_bytes()),
    ] {
        fs::write(files.path().join(name), bytes).expect("files can be written");
        let (exit, stdout, stderr) = run(files.path(), &["check", name]);
        assert_eq!(exit, 1, "{name}\n{stdout}\n{stderr}");
        assert!(stdout.contains("error[MB") && !stderr.contains("panic"), "{name}\n{stdout}\n{stderr}");
    }
}

const STATEMENTS: &str = "\
bridge: shop
sources: { db: { sql: { url: \"sqlite:shop.db\", init: seed.sql } } }
tools:
  good:
    description: Good.
    params: { id: { type: integer, description: Id. } }
    sql: { query: SELECT id FROM orders WHERE id = :id }
  misspelt:
    description: Misspelt.
    params: { words: { type: string, required: false, description: Words. } }
    sql:
      query: |
        SELECT id, note FROM orders
        WHERE id > 5 [[ AND nope = :words ]]
  renamed: { description: Renamed., sql: { query: SELECT count(*) AS number FROM orders LIMIT 5, columns: { numbr: { type: integer } } } }
  slow:
    description: Slow.
    params: { note: { type: string, description: Note. } }
    sql: { query: SELECT o.id FROM orders AS o WHERE o.note = :note }
allow: [MB0331]
";

const SHOP: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
    INSERT INTO orders (note) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) SELECT 'x' FROM n;";

/// Every text of every statement is prepared, and none is run; what was found can be kept for a
/// machine without the database.
#[test]
fn check_asks_the_databases_when_it_is_told_to() {
    let told = [
        "shop.yaml:14:29: error[MB0650]: the database does not accept this: no such column: nope",
        "shop.yaml:15:82: warning[MB0652]: `orders` can be read from end to end, and has at least 10001 rows",
        "shop.yaml:15:109: error[MB0651]: the statement has no column `numbr`; did you mean `number`?",
        "shop.yaml:19:26: warning[MB0652]: `o` can be read from end to end, and has at least 10001 rows",
    ];
    let files = folder(&[("shop.yaml", STATEMENTS), ("seed.sql", SHOP)]);
    let check = |more: &[&str]| {
        let arguments = [&["check", "--format", "concise"], more, &["shop.yaml"]].concat();
        let (exit, stdout, _) = run(files.path(), &arguments);
        (exit, stdout)
    };
    let assert_told = |(exit, stdout): (i32, String)| {
        assert_eq!((exit, stdout.lines().count()), (1, told.len()), "{stdout}");
        for (line, begin) in stdout.lines().zip(told) {
            assert!(line.starts_with(begin), "{line}\n{begin}");
        }
    };
    assert_eq!(check(&[]).0, 0, "without a database there is nothing wrong");
    assert_told(check(&["--connect", "--catalog", "catalog.json"]));
    fs::remove_file(files.path().join("shop.db")).expect("the database was made");
    assert_told(check(&["--catalog", "catalog.json"]));
    assert!(!files.path().join("shop.db").exists(), "no database is asked");
    let changed = STATEMENTS.replace("nope = :words", "note = :words");
    fs::write(files.path().join("shop.yaml"), changed).expect("files can be written");
    let (_, stale) = check(&["--catalog", "catalog.json"]);
    assert!(stale.starts_with("shop.yaml:13:9: warning[MB0654]"), "{stale}");
    fs::write(files.path().join("seed.sql"), "CREATE TABLE").expect("files can be written");
    let (exit, unreachable) = check(&["--connect"]);
    assert_eq!((exit, unreachable.matches("MB0653").count()), (1, 4), "{unreachable}");
    assert_eq!(check(&["--catalog", "nowhere.json"]).0, 2);
}

#[test]
fn shells_and_manuals_are_told_of_every_command() {
    let files = folder(&[]);
    let (_, help, _) = run(files.path(), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|it| !it.is_empty()).collect();
    assert!(commands.contains(&"serve") && commands.contains(&"man"), "{commands:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (exit, script, _) = run(files.path(), &["completions", shell]);
        assert_eq!(exit, 0, "{shell}");
        for command in &commands {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    assert_eq!(run(files.path(), &["man", "--dir", "man"]).0, 0);
    // Manuals write a hyphen that is not to be broken at with a stroke before it.
    let page =
        |name: &str| fs::read_to_string(files.path().join("man").join(name)).expect("a page").replace(r"\-", "-");
    let whole = page("mcp-bridge.1");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(whole.contains(command), "{command}");
        assert!(page(&format!("mcp-bridge-{command}.1")).contains(".SH OPTIONS"), "{command}");
    }
    let (_, printed, _) = run(files.path(), &["man"]);
    let printed = printed.replace(r"\-", "-");
    assert!(commands.iter().all(|command| printed.contains(command)), "{printed}");
    fs::write(files.path().join("file"), "").expect("files can be written");
    let (exit, _, stderr) = run(files.path(), &["man", "--dir", "file"]);
    assert!(exit == 2 && stderr.starts_with("error: the pages cannot be written: "), "{stderr}");
}
