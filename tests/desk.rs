//! What commands print, word for word but for tokens, ids and times: every folder of `tests/desk` holds files and a transcript,
//! whose commands are run again in a copy of the folder. `UPDATE=1` writes the transcripts anew.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use regex::Regex;
use tempfile::TempDir;

const TRANSCRIPT: &str = "transcript.txt";

fn scenes() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/desk");
    let mut all: Vec<_> = fs::read_dir(root).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// A copy of the files of a scene.
fn copy(scene: &Path) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for entry in fs::read_dir(scene).expect("a folder").flatten().filter(|it| it.file_name() != TRANSCRIPT) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("files can be copied");
    }
    folder
}

/// The words of a command: blanks part them, and single quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut quoted) = (vec![None::<String>], false);
    for char in line.chars() {
        match char {
            '\'' => {
                quoted = !quoted;
                all.last_mut().expect("a word").get_or_insert_default();
            }
            ' ' if !quoted => all.push(None),
            other => all.last_mut().expect("a word").get_or_insert_default().push(other),
        }
    }
    all.into_iter().flatten().collect()
}

/// What differs from run to run: tokens, ids and times. An id is known by the token or the client that it came with.
#[derive(Default)]
struct Masks {
    keys: Vec<String>,
}

impl Masks {
    fn apply(&mut self, text: &str) -> String {
        let pattern = |text: &str| Regex::new(text).expect("a pattern");
        let token = pattern("(mcb_[a-z]+)_([A-Za-z0-9]{8})_[A-Za-z0-9]+");
        for found in token.captures_iter(text).filter(|found| &found[1] == "mcb_pat") {
            self.keys.push(found[2].to_owned());
        }
        let mut text = token.replace_all(text, "${1}_…").into_owned();
        for (at, id) in self.keys.iter().enumerate() {
            text = text.replace(id, &format!("KEY-{:04}", at + 1));
        }
        let text = pattern(r"\bc_[A-Za-z0-9]{24}\b").replace_all(&text, "c_CLIENT-CLIENT-CLIENT-CLI");
        let text = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z").replace_all(&text, "yyyy-mm-ddThh:mm:ssZ");
        pattern("  20[0-9]{2}-[0-9]{2}-[0-9]{2}  ").replace_all(&text, "  yyyy-mm-dd  ").into_owned()
    }
}

/// What a command prints, its errors marked, with its exit code when it is not 0.
fn run(line: &str, folder: &Path) -> String {
    let words = words(line);
    let (name, arguments) = words.split_first().expect("a command");
    let program = if name == "mcp-bridge" { env!("CARGO_BIN_EXE_mcp-bridge") } else { "cat" };
    assert!(name == "mcp-bridge" || name == "cat", "{line}");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("SHOP_TOKEN", "sesame-of-the-environment")
        .env("SHOP_KEY", "sesame-of-another-shop")
        .stdin(Stdio::null())
        .output()
        .expect("the program can be started");
    let here = folder.canonicalize().expect("a folder").display().to_string();
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace('\u{1b}', "␛");
        let text = text.replace(env!("CARGO_BIN_EXE_mcp-bridge"), "/usr/bin/mcp-bridge");
        text.replace(&here, "/home/dev").replace(&folder.display().to_string(), "/home/dev")
    };
    let mut told = text(&output.stdout);
    for line in text(&output.stderr).lines() {
        writeln!(told, "! {line}").expect("memory");
    }
    if !output.status.success() {
        writeln!(told, "[exit code {}]", output.status.code().unwrap_or(-1)).expect("memory");
    }
    assert!(!told.contains("sesame-"), "{line} shows a secret:\n{told}");
    told
}

#[expect(clippy::disallowed_methods, reason = "says whether to rewrite what is expected")]
fn updates() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

#[test]
fn every_command_prints_what_its_transcript_says() {
    let mut odd = Vec::new();
    for scene in scenes() {
        let path = scene.join(TRANSCRIPT);
        let expected = fs::read_to_string(&path).expect("a transcript");
        let folder = copy(&scene);
        let (mut found, mut masks) = (String::new(), Masks::default());
        for command in expected.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let told = masks.apply(&run(command, folder.path()));
            let told: Vec<_> = told.lines().map(str::trim_end).chain([""]).collect();
            writeln!(found, "$ {command}\n{}", told.join("\n")).expect("memory");
        }
        if updates() {
            fs::write(&path, &found).expect("files can be written");
        } else if found != expected {
            let line = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
            let at = |text: &str| text.lines().skip(line.saturating_sub(2)).take(8).collect::<Vec<_>>().join("\n");
            odd.push(format!("== {}, line {}\n{}\n-- found\n{}", path.display(), line + 1, at(&expected), at(&found)));
        }
    }
    assert!(odd.is_empty(), "\n{}\nif that is how it should be: run UPDATE=1 cargo test desk", odd.join("\n"));
}
