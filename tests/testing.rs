//! Tests in the files: those that ship pass, none touches what is the author's, answers are recorded
//! without credentials, results are told to build servers, and changed files are tried again.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Scripted, stand_in};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"));
    command.current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

/// Exit code, output and errors.
fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let output = program(folder).args(arguments).envs(variables.iter().copied()).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("files can be written");
    }
    folder
}

#[test]
fn shipped_files_pass_their_tests_without_any_variable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["bridges", "examples/company-api", "examples/first-bridge"] {
        let (exit, stdout, stderr) = run(root, &[], &["test", path]);
        assert_eq!(exit, 0, "{path}\n{stdout}\n{stderr}");
        assert!(stderr.contains("0 failed") && !stderr.starts_with("0 tests"), "{path}: {stderr}");
    }
}

#[test]
fn the_database_of_the_author_is_neither_made_nor_changed() {
    const BRIDGE: &str = "bridge: notes
sources: { db: { sql: { url: \"sqlite:notes.db\", init: notes.sql, read_only: false } } }
tools:
  add_note:
    description: Adds a note of one line.
    params: { text: { type: string, description: The note. } }
    sql: { mode: write, query: INSERT INTO notes (text) VALUES (:text) }
    tests:
      - { name: the first, args: { text: a }, expect: { json: { $.last_insert_id: 1 } } }
      - { name: the first again, args: { text: b }, expect: { json: { $.last_insert_id: 1 } } }
";
    let script = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)";
    let files = folder(&[("notes.yaml", BRIDGE), ("notes.sql", script)]);
    let (exit, stdout, stderr) = run(files.path(), &[], &["test", "notes.yaml"]);
    assert_eq!(exit, 0, "{stdout}\n{stderr}");
    let names: Vec<_> = fs::read_dir(files.path()).expect("a folder").flatten().map(|it| it.file_name()).collect();
    assert_eq!(names.len(), 2, "nothing was left behind: {names:?}");
    fs::write(files.path().join("notes.db"), "no database").expect("files can be written");
    assert_eq!(run(files.path(), &[], &["test", "notes.yaml"]).0, 0, "the file is not even opened");
    fs::write(files.path().join("notes.sql"), "CREATE TABEL notes").expect("files can be written");
    let (exit, stdout, _) = run(files.path(), &[], &["test", "notes.yaml"]);
    assert_eq!(exit, 1);
    assert!(stdout.contains("its `init` script failed"), "{stdout}");
}

const RECORDED: &str = r#"bridge: shop # a shop
sources:
  api: { rest: { base_url: "${SHOP_URL:-http://127.0.0.1:9}", auth: { bearer: "${SHOP_TOKEN}" } } }
tools:
  get_order:
    description: One order by its number.
    params: { id: { type: integer, description: From nowhere. } }
    rest: { get: "/orders/{id}" }
    tests:
      # Answers come here:
      - name: shown
        args: { id: 7 }   # seven

        expect: { contains: Emma }
      - { name: gone, args: { id: 9 }, expect: { error: true } }
  drop_order:
    description: Removes one order by its number.
    params: { id: { type: integer, description: From nowhere. } }
    rest: { delete: "/orders/{id}" }
    tests: [{ name: dropped, args: { id: 7 } }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn live_answers_are_recorded_without_credentials_and_with_the_layout_kept() {
    let api = stand_in(|seen, _| match seen.target.as_str() {
        "/orders/7" => {
            let seven = json!({ "id": 7, "title": "Emma ${x}", "access_token": "sesame-1", "note": "say sesame-2" });
            Scripted::json(200, &seven).header("set-cookie", "sesame-3")
        }
        _ => Scripted::json(404, &json!({ "message": "gone" })),
    })
    .await;
    let files = folder(&[("shop.yaml", RECORDED)]);
    let url = api.url();
    let live: &[(&str, &str)] = &[("SHOP_URL", &url), ("SHOP_TOKEN", "sesame-2")];
    let (exit, stdout, stderr) = run(files.path(), live, &["test", "shop.yaml", "--record"]);
    assert_eq!(api.targets(), ["/orders/7", "/orders/9"], "what changes something is not called\n{stderr}");
    assert!(stderr.contains("drop_order: dropped: not recorded"), "{stderr}");
    assert!(exit == 1 && stdout.contains("no answer is left for DELETE"), "{stdout}\n{stderr}");
    let written = fs::read_to_string(files.path().join("shop.yaml")).expect("a file");
    assert!(!written.contains("sesame"), "{written}");
    let kept = written.replace(
        r"        upstream:
          status: 200
          body:
            id: 7
            title: Emma $${x}
            access_token: '***'
            note: say [redacted]
",
        "",
    );
    let kept = kept.replace(r#", upstream: { "status": 404, "body": { "message": "gone" } }"#, "");
    assert_eq!(kept, RECORDED, "{written}");
    let (_, stdout, _) = run(files.path(), &[], &["test", "shop.yaml", "--filter", "get_order"]);
    assert!(stdout.contains("ok      get_order: shown") && stdout.contains("ok      get_order: gone"), "{stdout}");
    let (_, _, stderr) = run(files.path(), live, &["test", "shop.yaml", "--record", "--writes"]);
    assert_eq!(api.targets().last().map(String::as_str), Some("/orders/7"), "{stderr}");
    assert_eq!(api.seen().len(), 3, "what is recorded is not asked for again");
}

#[test]
fn build_servers_are_told_in_their_own_words() {
    let bridge = "bridge: shop
tools:
  about:
    description: What the shop sells.
    reply: { text: \"Books & <pens>\" }
    tests:
      - { name: books, expect: { contains: Books } }
      - { name: \"pens & \\\"ink\\\"\", expect: { text: \"<ink>\" } }
";
    let files = folder(&[("shop.yaml", bridge)]);
    let (exit, ..) = run(files.path(), &[], &["test", "shop.yaml", "--junit", "out.xml"]);
    assert_eq!(exit, 1);
    let xml = fs::read_to_string(files.path().join("out.xml")).expect("a report");
    let mut without_times = String::new();
    for (at, part) in xml.split(" time=\"").enumerate() {
        without_times.push_str(if at == 0 { part } else { part.split_once('"').expect("an end").1 });
    }
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"mcp-bridge\" tests=\"2\" failures=\"1\" errors=\"0\">
  <testsuite name=\"shop.yaml\" tests=\"2\" failures=\"1\" errors=\"0\">
    <testcase classname=\"about\" name=\"books\" file=\"shop.yaml\" line=\"7\"/>
    <testcase classname=\"about\" name=\"pens &amp; &quot;ink&quot;\" file=\"shop.yaml\" line=\"8\">
      <failure message=\"the text is another\">the text is another
- &lt;ink&gt;
+ Books &amp; &lt;pens&gt;</failure>
    </testcase>
  </testsuite>
</testsuites>
";
    assert_eq!(without_times, expected);
}

#[test]
fn changed_files_are_tried_again_until_somebody_ends_it() {
    let bridge = |word: &str| {
        format!(
            "bridge: shop\ntools:\n  about:\n    description: What the shop sells.\n    reply: {{ text: {word} }}\n    \
             tests: [{{ name: books, expect: {{ text: Books }} }}]\n"
        )
    };
    let files = folder(&[("shop.yaml", &bridge("Pens"))]);
    let mut child = program(files.path())
        .args(["test", "--watch", "shop.yaml"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let child = child.as_mut().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut summary = || lines.by_ref().map(|line| line.expect("a line")).find(|line| line.contains("passed"));
    assert_eq!(summary().as_deref(), Some("1 test in 1 file: 0 passed, 1 failed"));
    fs::write(files.path().join("shop.yaml"), bridge("Books")).expect("files can be written");
    assert_eq!(summary().as_deref(), Some("1 test in 1 file: 1 passed, 0 failed"));
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
}
