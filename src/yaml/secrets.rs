//! Floor 2. Secrets that somebody wrote into a file, found by the text alone: what is printed of the
//! file must not show them, also where the file cannot be read.

use std::ops::Range;

use crate::text::{FileId, FileSet, Span};

/// Keys whose values are secrets, or hold them.
const KEYS: [&str; 8] = ["api_key", "bearer", "client_secret", "key", "password", "secret", "token", "value"];

/// Whether a value under this key most likely is a secret.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    KEYS.contains(&key.to_ascii_lowercase().as_str())
}

/// The parts of a scalar, as it is written, that stand in the file for everybody to read: all but
/// its quotes and the `${NAME}` in it. The default of a variable is such a part.
#[must_use]
pub fn literals(raw: &str) -> Vec<Range<usize>> {
    let quoted = ['"', '\''].iter().any(|quote| raw.len() > 1 && raw.starts_with(*quote) && raw.ends_with(*quote));
    let (mut at, end) = if quoted { (1, raw.len() - 1) } else { (0, raw.len()) };
    let find = |from: usize, what: &str| raw.get(from..end).and_then(|rest| rest.find(what)).map(|found| from + found);
    let mut found = Vec::new();
    while let Some(start) = find(at, "${") {
        if raw.get(at..start).is_some_and(|before| before.ends_with('$')) {
            found.push(at..start + 2);
            at = start + 2;
            continue;
        }
        let Some(close) = find(start, "}") else { break };
        found.push(at..start);
        found.extend(find(start, ":-").filter(|default| *default < close).map(|default| default + 2..close));
        at = close + 1;
    }
    found.push(at..end);
    found.retain(|part| !part.is_empty());
    found
}

/// What looks like a secret in a file that cannot be read: what stands behind a key that names one,
/// to the end of the line or of the lines indented below it, and addresses that hold a password.
pub(super) fn likely(files: &FileSet, file: FileId) -> Vec<Span> {
    let mut found = Vec::new();
    let (mut offset, mut below) = (0, None);
    for line in files.text(file).split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let goes_on = below.is_some_and(|key: usize| indent > key || line.trim().is_empty());
        let start = if goes_on { Some(0) } else { behind_key(line).or_else(|| credentials(line)) };
        if !goes_on {
            // A value may also begin, or go on, in the lines below its key.
            below = behind_key(line).map(|_| indent);
        }
        found.extend(start.map(|start| Span::new(file, offset + start, offset + line.len())));
        offset += line.len();
    }
    found
}

/// Where the value of the first key that names a secret begins.
fn behind_key(line: &str) -> Option<usize> {
    line.match_indices(':').map(|(at, _)| at).find_map(|at| {
        let before = line.get(..at)?.trim_end().trim_end_matches(['"', '\'']);
        let start = before.rfind(|it: char| !it.is_alphanumeric() && it != '_').map_or(0, |found| found + 1);
        names_a_secret(before.get(start..)?).then_some(at + 1)
    })
}

fn credentials(line: &str) -> Option<usize> {
    let (before, rest) = line.split_once("://")?;
    rest.split(['/', ' ']).next()?.contains('@').then_some(before.len() + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_reference_is_literal() {
        for (raw, expected) in [
            ("sesame", vec!["sesame"]),
            ("'sesame'", vec!["sesame"]),
            ("\"${TOKEN}\"", vec![]),
            ("Bearer ${TOKEN}", vec!["Bearer "]),
            ("${TOKEN:-sesame}", vec!["sesame"]),
            ("${TOKEN:-}", vec![]),
            ("a$${b}", vec!["a$${", "b}"]),
            ("${sesame", vec!["${sesame"]),
            ("", vec![]),
        ] {
            let found: Vec<_> = literals(raw).into_iter().map(|part| &raw[part]).collect();
            assert_eq!(found, expected, "{raw}");
        }
    }

    #[test]
    fn secrets_are_found_in_text_that_is_no_yaml() {
        let text = "a: [\npassword: one\n  \"token\" : two\nvalue: >-\n  three\n\n  four\nb: 5\nurl: x://u:six@h/p\n";
        let mut files = FileSet::new();
        let file = files.add("x.yaml", text);
        let found: Vec<_> = likely(&files, file).into_iter().map(|span| files.slice(span).trim()).collect();
        assert_eq!(found, ["one", "\"token\" : two", ">-", "three", "", "four", "u:six@h/p"]);
    }
}
