//! Floor 2. Faults of the YAML text in plain words, with the usual reason for them.

use granit_parser::ScanError;

use crate::{
    diag::{Code, Diagnostic},
    text::{FileId, Span},
};

/// What the parser says of the usual faults, and what to say instead.
const WORDS: [(&str, &str); 9] = [
    ("did not find expected key", "this line does not fit the lines above it: its indentation differs"),
    ("mapping values are not allowed", "a `:` with a value behind it cannot stand here"),
    ("did not find expected ',' or '}'", "a `{` is not closed: `,` or `}` is missing here"),
    ("did not find expected ',' or ']'", "a `[` is not closed: `,` or `]` is missing here"),
    ("tabs disallowed", "a tab cannot indent"),
    ("multiline quoted scalar", "a quote above is not closed"),
    ("unclosed quote", "this quote is not closed"),
    ("trailing content after double-quoted scalar", "the quoted text ends before this"),
    ("trailing content after single-quoted scalar", "the quoted text ends before this"),
];

/// A fault that the parser found. `skipped` bytes of the text were not shown to it.
pub(super) fn fault(error: &ScanError, file: FileId, text: &str, skipped: usize) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(0) + skipped;
    let found = text.get(at..).and_then(|rest| rest.chars().next()).filter(|it| *it != '\n');
    let span = Span::new(file, at, at + found.map_or(0, char::len_utf8));
    let printed = error.to_string();
    let known = WORDS.iter().find(|(theirs, _)| printed.contains(theirs));
    let message = match (known, found) {
        (Some((_, ours)), _) => format!("not valid YAML: {ours}"),
        (None, Some(found)) if printed.contains("unexpected character") => {
            format!("not valid YAML: a value without quotes cannot begin with `{found}`")
        }
        (None, _) => format!("not valid YAML: {}", printed.split(" at char ").next().unwrap_or(&printed)),
    };
    let fault = Diagnostic::error(Code::Syntax, span, message);
    match hint(text, at, &printed) {
        Some(hint) => fault.help(hint),
        None => fault,
    }
}

/// The usual reasons for a syntax fault, told by the line it is on.
fn hint(text: &str, at: usize, printed: &str) -> Option<&'static str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim_start();
    if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        Some("indent with spaces, not with tabs")
    } else if value.starts_with("{{") {
        Some("put quotes around a value that begins with `{{`")
    } else if value.starts_with(['@', '`', '%']) {
        Some("put quotes around a value that begins with `@`, `%` or a back-quote")
    } else if printed.contains("mapping values") && value.contains(": ") {
        Some("put quotes around text that holds `: `")
    } else if printed.contains("after double-quoted scalar") {
        Some("write `\\\"` for a quote inside, or put the whole text into single quotes")
    } else if printed.contains("after single-quoted scalar") {
        Some("write `''` for a quote inside, or put the whole text into double quotes")
    } else {
        None
    }
}

/// A key that is a list or a mapping: most likely a `{{name}}` that YAML took for two mappings,
/// of which `span` is the inner one.
pub(super) fn key_not_text(span: Span, text: &str) -> Diagnostic {
    let range = span.range();
    let opens = range.start.checked_sub(1).filter(|at| text.get(*at..).is_some_and(|rest| rest.starts_with("{{")));
    let closes = text.get(range.end..).is_some_and(|rest| rest.starts_with('}'));
    let (Some(start), true) = (opens, closes) else {
        return Diagnostic::error(Code::KeyNotText, span, "a key must be text");
    };
    let whole = Span::new(span.file, start, range.end + 1);
    let fault = Diagnostic::error(Code::KeyNotText, whole, "`{{` begins a mapping in YAML unless it stands in quotes");
    let (line, rest) = (text.get(start..).unwrap_or(""), text.get(range.end + 1..).unwrap_or(""));
    let ends = rest.is_empty() || rest.starts_with(|it: char| it.is_whitespace() || matches!(it, ',' | '}' | ']'));
    match line.get(..range.end + 1 - start).filter(|it| ends && !it.contains(['"', '\\', '\n'])) {
        Some(template) => fault.replace("put quotes around it", whole, format!("\"{template}\"")),
        None => fault.help("put quotes around the whole value"),
    }
}
