//! Floor 9. Results of tests as a person reads them: a line each, and what differs under those that failed.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::{
    super::report::{is_coloured, is_quiet},
    bench::Verdict,
    compare::Fault,
};
use crate::{
    plan::{Tool, test::Test},
    text::Position,
};

/// Lines around a difference.
const AROUND: usize = 2;
/// Lines of one difference at most.
const LINES_MAX: usize = 60;
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// A test with what became of it.
pub(super) struct Told<'a> {
    /// The file it stands in.
    pub(super) file: &'a str,
    /// Where it stands there.
    pub(super) place: Position,
    pub(super) tool: &'a Tool,
    pub(super) test: &'a Test,
    pub(super) verdict: &'a Verdict,
}

/// All tests, by their files.
pub(super) fn list(told: &[Told<'_>]) -> String {
    let mut text = String::new();
    let mut file = "";
    for it in told {
        let failed = !it.verdict.faults.is_empty();
        if is_quiet() && !failed {
            continue;
        }
        // Writing to a String cannot fail, here and below.
        if it.file != file {
            file = it.file;
            let _ = writeln!(text, "{file}");
        }
        let mark = if failed { painted("FAILED", RED) } else { painted("ok    ", GREEN) };
        let _ = writeln!(text, "  {mark}  {}: {}", it.tool.name, it.test.name);
        if failed {
            let _ = writeln!(text, "          at {}:{}:{}", it.file, it.place.line, it.place.column);
        }
        for fault in &it.verdict.faults {
            for line in in_words(fault).lines() {
                let _ = writeln!(text, "          {}", coloured(line));
            }
        }
    }
    text
}

/// How many there were, and how many failed.
pub(super) fn summary(told: &[Told<'_>], files: usize) -> String {
    let failed = told.iter().filter(|it| !it.verdict.faults.is_empty()).count();
    let noun = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let (tests, files) = (noun(told.len(), "test"), noun(files, "file"));
    format!("{tests} in {files}: {} passed, {failed} failed", told.len() - failed)
}

/// A fault with what differs: `-` before what was expected, `+` before what was found.
pub(super) fn in_words(fault: &Fault) -> String {
    let Some((expected, found)) = &fault.texts else { return fault.what.clone() };
    let mut lines = vec![fault.what.clone()];
    let diff = TextDiff::from_lines(expected.as_str(), found.as_str());
    for (at, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if at > 0 {
            lines.push("  …".into());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("  … and {more} more lines"));
    }
    lines.join("\n")
}

fn painted(text: &str, colour: &str) -> String {
    if is_coloured() { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
}

fn coloured(line: &str) -> String {
    match line.get(..2) {
        Some("- ") => painted(line, RED),
        Some("+ ") => painted(line, GREEN),
        _ => line.to_owned(),
    }
}
