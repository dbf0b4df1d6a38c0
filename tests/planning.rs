//! `plan --against` a running server: what a reload would change of what its callers are told.

use std::{fs, path::Path, process::Command};

use regex::Regex;

use crate::support::serve;

const KEY: &str = "the-key-of-the-one-who-plans";

fn bridge(tools: &str) -> String {
    format!(
        "bridge: desk\ninstructions: Ask for the hours first.\ntools:\n{tools}\
         server: {{ auth: {{ api_keys: {{ static: [{{ name: plan, value: {KEY} }}] }} }} }}\n"
    )
}

const BEFORE: &str = r#"
  hours:
    description: When the desk is open, on every day of the week.
    params: { day: { type: string, description: A day of the week. } }
    reply: { text: "From 9 to 18 on {{day}}." }
  address:
    description: Where the desk is, with the way from the station.
    reply: { text: Beside the station. }
"#;

const AFTER: &str = r#"
  hours:
    description: When the desk is open, on every day of the week and on holidays.
    params:
      day: { type: string, enum: [monday, tuesday], description: A day of the week. }
      zone: { type: string, required: false, description: The time zone of the answer. }
    reply: { text: "From 9 to 18 on {{day}} {{zone}}." }
  people:
    description: Who is at the desk today, with what they know best.
    reply: { text: Ada and Grace. }
"#;

/// What `plan` prints, with `N` for every number, its errors, and its exit code.
fn plan(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["plan", "desk.yaml"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PLAN_KEY", KEY)
        .env("OTHER_KEY", "a-key-that-nobody-knows-here")
        .output()
        .expect("the program can be started");
    let numbers = Regex::new("[0-9]+").expect("a pattern");
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(!text.contains(KEY), "{text}");
        numbers.replace_all(text.trim(), "N").into_owned()
    };
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_compared_with_what_a_server_serves() {
    let server = serve(&[("desk.yaml", &bridge(BEFORE))], &[]).await;
    let url = format!("http://{}/mcp", server.address);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |tools: &str| fs::write(folder.path().join("desk.yaml"), bridge(tools)).expect("a file");

    write(BEFORE);
    let same = plan(folder.path(), &["--against", &url, "--key", "PLAN_KEY"]);
    assert_eq!((same.0, same.1.as_str()), (0, "nothing would change"), "{}", same.2);
    let of_one = plan(folder.path(), &["--against", &format!("{url}/desk"), "--key", "PLAN_KEY"]);
    assert_eq!((of_one.0, of_one.1.as_str()), (0, "nothing would change"), "{}", of_one.2);

    write(AFTER);
    let (exit, told, errors) = plan(folder.path(), &["--against", &url, "--key", "PLAN_KEY"]);
    assert_eq!(exit, 0, "{errors}");
    assert_eq!(
        told,
        "~ tool hours: description, arguments (~day +zone), N → N tokens\n\
         + tool people: N tokens\n\
         - tool address: N tokens\n\
         ~ instructions: N other lines in the place of N, N → N tokens\n\
         N added, N changed, N removed; tools and instructions cost N → N tokens"
    );

    for (arguments, words) in [
        (&["--against", &url][..], "it wants a key, or another one"),
        (&["--against", &url, "--key", "OTHER_KEY"], "it wants a key, or another one"),
        (&["--against", &url, "--key", "NO_KEY"], "the variable `NO_KEY` is not set"),
        (&["--against", &format!("{url}/other"), "--key", "PLAN_KEY"], "error: "),
    ] {
        let (exit, told, errors) = plan(folder.path(), arguments);
        assert_eq!((exit, told.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}
