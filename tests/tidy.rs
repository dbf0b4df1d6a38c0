//! What a reader may rely on in every file: sizes, heads, no leftovers, no blanks that cannot be
//! seen, and nothing that belongs to one machine.

use crate::{
    floors,
    tree::{FILES, File, Keep, paths, strip},
};

/// Lines of a file that people write by hand.
const FILE_LINES: usize = 600;
/// Lines of a function, from its first to its closing brace.
const FUNCTION_LINES: usize = 70;
/// Bytes of any file.
const FILE_BYTES: usize = 1024 * 1024;

/// Files that people write by hand and machines run.
const PROGRAMS: &[&str] = &["rs", "js", "mjs", "ts", "py", "sh", "css", "html"];
/// Files in which blanks are looked at.
const PLAIN: &[&str] = &["rs", "md", "yaml", "yml", "toml"];

/// Words that say that something is unfinished. In pieces, or this file would be found.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Macros that say the same.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Paths of one machine, and hosts and settings of package registries.
const MACHINE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "bash_jobs"),
    concat!("/tmp/", "h/"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("pythonhosted", ".org"),
    concat!("pypi.org/", "simple"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("proxy.", "golang.org"),
    concat!("--index", "-url"),
    concat!("--extra-index", "-url"),
    concat!("registry=", "http"),
    concat!("\"resolved\": ", "\"http"),
];
/// The only place that a locked crate may come from.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

type Check = fn(&File) -> Vec<String>;

/// Every check with a name for its test.
const CHECKS: &[(&str, Check)] = &[
    ("file length", file_length),
    ("function length", function_length),
    ("file size", file_size),
    ("head", head),
    ("unfinished", unfinished),
    ("blanks", blanks),
    ("ignored", ignored),
    ("unsafe", no_unsafe),
    ("machine", machine),
    ("locked", locked),
];

fn at(file: &File, line: usize, fault: &str) -> String {
    format!("{}:{line}: {fault}", file.path)
}

fn file_length(file: &File) -> Vec<String> {
    let lines = file.text().lines().count();
    let long = file.ends_in(PROGRAMS) && lines > FILE_LINES;
    if long { vec![at(file, lines, "the file is too long: split it by responsibility")] } else { Vec::new() }
}

fn function_length(file: &File) -> Vec<String> {
    if !file.ends_in(&["rs"]) {
        return Vec::new();
    }
    let code = strip(file.text(), Keep::Code);
    let lines: Vec<&str> = code.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| starts_function(line));
    let lengths = starts.map(|(start, _)| (start + 1, function_lines(&lines[start..])));
    let long = lengths.filter(|(_, length)| *length > FUNCTION_LINES);
    long.map(|(line, length)| at(file, line, &format!("a function of {length} lines"))).collect()
}

/// Whether a line starts with `fn`, or with words and brackets that may stand before it.
fn starts_function(line: &str) -> bool {
    let line = line.trim_start();
    let visible = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(')').map_or("", |(_, rest)| rest),
        None => line,
    };
    visible
        .split_whitespace()
        .find(|word| !["pub", "default", "const", "async", "unsafe", "extern"].contains(word))
        .is_some_and(|word| word == "fn")
}

/// Lines up to the brace that closes the body; none for a function without one.
fn function_lines(lines: &[&str]) -> usize {
    let (mut braces, mut brackets) = (0_i32, 0_i32);
    for (line, text) in lines.iter().enumerate() {
        for char in text.chars() {
            match char {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                '{' => braces += 1,
                '}' => braces -= 1,
                ';' if braces == 0 && brackets == 0 => return 0,
                _ => continue,
            }
            if char == '}' && braces == 0 && brackets == 0 {
                return line + 1;
            }
        }
    }
    lines.len()
}

fn file_size(file: &File) -> Vec<String> {
    let large = file.bytes.len() >= FILE_BYTES;
    if large { vec![at(file, 1, "the file is 1 MiB or more")] } else { Vec::new() }
}

fn head(file: &File) -> Vec<String> {
    let Some(path) = file.in_src() else { return Vec::new() };
    let wanted = match floors::module(path) {
        Some(module) => floors::floor(module).map_or_else(String::new, |floor| format!("//! Floor {floor}. ")),
        None => "//! ".to_owned(),
    };
    if file.text().starts_with(&wanted) {
        return Vec::new();
    }
    vec![at(file, 1, &format!("the head does not start with `{}`", wanted.trim_end()))]
}

fn unfinished(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    if file.ends_in(PROGRAMS) {
        for (line, text) in file.lines() {
            let mut words = text.split(|char: char| !char.is_alphanumeric());
            if words.any(|word| MARKERS.contains(&word)) {
                found.push(at(file, line, "something is marked as unfinished"));
            }
        }
    }
    if file.ends_in(&["rs"]) {
        for (line, text) in strip(file.text(), Keep::Code).lines().enumerate() {
            let calls = |name: &&str| text.contains(&format!("{name}!"));
            if UNFINISHED.iter().any(calls) {
                found.push(at(file, line + 1, "a macro of unfinished code"));
            }
        }
    }
    found
}

fn blanks(file: &File) -> Vec<String> {
    // The inputs of diagnostics are faulty on purpose.
    if !file.ends_in(PLAIN) || file.path.starts_with("tests/check/") {
        return Vec::new();
    }
    let bad = file.lines().filter(|(_, line)| line.contains('\t') || line.ends_with([' ', '\r']));
    bad.map(|(line, _)| at(file, line, "a tab or a blank at the end")).collect()
}

fn ignored(file: &File) -> Vec<String> {
    code_lines(file, |line| line.replace(' ', "").contains("#[ignore"), "a test that does not run")
}

fn no_unsafe(file: &File) -> Vec<String> {
    code_lines(file, |line| paths(line).iter().any(|path| path.has(&["unsafe"])), "the project has no `unsafe`")
}

fn code_lines(file: &File, bad: fn(&str) -> bool, fault: &str) -> Vec<String> {
    if !file.ends_in(&["rs"]) {
        return Vec::new();
    }
    let code = strip(file.text(), Keep::Code);
    let lines = code.lines().enumerate().filter(|(_, line)| bad(line));
    lines.map(|(line, _)| at(file, line + 1, fault)).collect()
}

fn machine(file: &File) -> Vec<String> {
    let named =
        file.lines().filter_map(|(line, text)| Some((line, MACHINE.iter().find(|name| text.contains(**name))?)));
    named.map(|(line, name)| at(file, line, &format!("`{name}` belongs to one machine or registry"))).collect()
}

fn locked(file: &File) -> Vec<String> {
    if !file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let sources =
        file.lines().filter_map(|(line, text)| Some((line, text.strip_prefix("source = ")?.trim_matches('"'))));
    let foreign = sources.filter(|(_, source)| *source != CRATES);
    foreign.map(|(line, source)| at(file, line, &format!("a crate from `{source}`"))).collect()
}

#[test]
fn every_file_is_tidy() {
    let found: Vec<_> = CHECKS.iter().flat_map(|(_, check)| FILES.iter().flat_map(check)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What every check finds, as (check, path, text, line of the fault).
fn samples() -> Vec<(&'static str, &'static str, String, Option<usize>)> {
    let body = |lines: usize| {
        format!("trait A {{\n    fn f(a: [u8; 2]);\n    pub(crate) async fn g() {{\n{}}}\n}}\n", "x;\n".repeat(lines))
    };
    let text = |pieces: &[&str]| pieces.concat();
    vec![
        ("file length", "src/a.rs", "\n".repeat(601), Some(601)),
        ("file length", "src/a.rs", "\n".repeat(600), None),
        ("file length", "tests/package-lock.json", "\n".repeat(601), None),
        ("function length", "tests/a.rs", body(69), Some(3)),
        ("function length", "tests/a.rs", body(68), None),
        ("file size", "data/a.sql", "x".repeat(FILE_BYTES), Some(1)),
        ("file size", "data/a.sql", "x".repeat(FILE_BYTES - 1), None),
        ("head", "src/plan/mod.rs", text(&["//! Floor 2. What is planned."]), Some(1)),
        ("head", "src/plan/mod.rs", text(&["//! Floor 3. What is planned."]), None),
        ("head", "src/main.rs", text(&["fn main() {}"]), Some(1)),
        ("head", "src/main.rs", text(&["//! The program."]), None),
        ("unfinished", "src/a.rs", text(&["\n// ", MARKERS[0], ": more"]), Some(2)),
        ("unfinished", "tests/a.py", text(&["# ", MARKERS[1]]), Some(1)),
        ("unfinished", "src/a.rs", text(&["fn a() { ", UNFINISHED[0], "!() }"]), Some(1)),
        ("unfinished", "src/a.rs", text(&["const A: &str = \"", UNFINISHED[0], "!\";"]), None),
        ("blanks", "src/a.rs", text(&["a\n\tb\n"]), Some(2)),
        ("blanks", "docs/a.md", text(&["a \n"]), Some(1)),
        ("blanks", "bridges/a.yaml", text(&["a: 1\r\n"]), Some(1)),
        ("blanks", "docs/a.txt", text(&["a \n"]), None),
        ("ignored", "tests/a.rs", text(&["#[test]\n#[ignore = \"slow\"]\nfn a() {}"]), Some(2)),
        ("ignored", "tests/a.rs", text(&["// #[ignore]"]), None),
        ("unsafe", "src/a.rs", text(&["fn a() { unsafe { b() } }"]), Some(1)),
        ("unsafe", "src/a.rs", text(&["#![forbid(unsafe_code)] // unsafe"]), None),
        ("machine", "docs/a.md", text(&["run ", MACHINE[0], "a"]), Some(1)),
        ("machine", "package-lock.json", text(&["\n", MACHINE[MACHINE.len() - 1], "s://x\""]), Some(2)),
        ("machine", "docs/a.md", text(&["https://crates.io/crates/a works/ /tmp/a"]), None),
        ("locked", "Cargo.lock", text(&["[[package]]\nsource = \"git+https://example.com/a\""]), Some(2)),
        ("locked", "Cargo.lock", text(&["source = \"", CRATES, "\""]), None),
    ]
}

#[test]
fn each_check_can_fail() {
    let samples = samples();
    for (name, path, text, line) in &samples {
        let check = CHECKS.iter().find(|(check, _)| check == name).unwrap().1;
        let found = check(&File::sample(path, text));
        let place = line.map(|line| format!("{path}:{line}: "));
        let as_expected = match &place {
            Some(place) => found.len() == 1 && found[0].starts_with(place.as_str()),
            None => found.is_empty(),
        };
        assert!(as_expected, "{name}, {path}: expected {place:?}, found {found:?}");
    }
    for (name, _) in CHECKS {
        assert!(samples.iter().any(|sample| sample.0 == *name && sample.3.is_some()), "{name} has no bad sample");
    }
}
