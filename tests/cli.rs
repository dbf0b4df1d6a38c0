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
