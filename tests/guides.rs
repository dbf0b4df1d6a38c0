//! The guides hold what they show: every bridge file in them checks clean, and every link leads somewhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use mcp_bridge::{
    check::check,
    diag::render::{Form, render},
    text::FileSet,
    yaml::Variables,
};

/// What `check` has to say about a file that a guide shows, where the guide says so itself: a key in a
/// query, and certificates of another machine.
const LOUD: &[(&str, &str)] = &[("rest.md", "MB0658"), ("security.md", "MB0543"), ("sql.md", "MB0543")];

/// An environment in which every variable has a value of its own, and no file is there.
struct Every;

impl Variables for Every {
    fn variable(&self, name: &str) -> Option<String> {
        Some(match name {
            "API_PROXY" => String::new(),
            _ if name.ends_with("_URL") => "https://api.example.com/v1".into(),
            _ => format!("a-value-of-a-test-for-{name}"),
        })
    }

    fn file(&self, _: &Path, _: &str) -> Result<String, String> {
        Err("no such file".into())
    }

    fn find(&self, _: &Path, path: &str) -> Result<(), String> {
        // A script that the guide shows beside the bridge file.
        let is_script = Path::new(path).extension().is_some_and(|it| it == "sql");
        if is_script { Ok(()) } else { Err("no such file".into()) }
    }
}

fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md")];
    for folder in ["docs", "docs/guides"] {
        let entries = fs::read_dir(root.join(folder)).expect("a folder").flatten().map(|entry| entry.path());
        all.extend(entries.filter(|path| path.extension().is_some_and(|it| it == "md")));
    }
    all.sort();
    let read = |path: PathBuf| fs::read_to_string(&path).map(|text| (path, text)).expect("a page");
    all.into_iter().map(read).collect()
}

/// The blocks of a page in this language, each with its line.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let (mut all, mut open) = (Vec::new(), None::<(usize, String, bool)>);
    for (at, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(named), None) => open = Some((at + 2, String::new(), named == language)),
            (Some(_), Some((from, text, true))) => all.push((from, text)),
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some((from, text, wanted))) => open = Some((from, text + line + "\n", wanted)),
        }
    }
    all
}

#[test]
fn every_bridge_file_in_the_guides_checks_clean() {
    let (mut odd, mut seen) = (Vec::new(), 0);
    let mut loud: BTreeSet<_> = LOUD.iter().collect();
    for (path, page) in pages() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "diagnostics.md" || name == "bridge-reference.md" {
            // Made of the program: they show faults and single keys.
            continue;
        }
        for (line, text) in blocks(&page, "yaml") {
            seen += 1;
            let mut set = FileSet::new();
            set.add(format!("{name}, the block of line {line}"), text);
            let checked = check(&set, &Every);
            let mut report = Vec::new();
            render(Form::Concise, &checked.diagnostics, &set, &mut report).expect("memory");
            for told in String::from_utf8_lossy(&report).lines() {
                match LOUD.iter().find(|(guide, code)| *guide == name && told.contains(code)) {
                    Some(expected) => drop(loud.remove(expected)),
                    None => odd.push(told.to_owned()),
                }
            }
        }
    }
    assert!(seen > 40, "{seen} blocks were found");
    assert_eq!(odd, Vec::<String>::new());
    assert!(loud.is_empty(), "nothing is told any more: {loud:?}");
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

fn anchors(page: &str) -> Vec<String> {
    page.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let (mut odd, mut seen) = (Vec::new(), 0);
    for (path, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            seen += 1;
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(file) };
            if !target.exists() {
                odd.push(format!("{}: {link}: there is no such file", path.display()));
            } else if !part.is_empty() {
                let there = fs::read_to_string(&target).map(|page| anchors(&page)).unwrap_or_default();
                if !there.iter().any(|it| it == part) {
                    odd.push(format!("{}: {link}: there is no such heading", path.display()));
                }
            }
        }
    }
    assert!(seen > 40, "{seen} links were found");
    assert_eq!(odd, Vec::<String>::new());
}
