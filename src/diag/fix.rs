//! Floor 1. The replacements that can be made without asking, and the text after they are made.
//! Everything outside of them stays as it is, so comments and layout do.

use super::{Certainty, Code, Diagnostic, Diagnostics, Severity};
use crate::{
    secret::REDACTED,
    text::{FileId, FileSet, Span},
};

/// A text to put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The fault that it mends.
    pub code: Code,
    /// The words of that fault.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write there.
    pub text: String,
}

/// The replacements of every error that has exactly one and is sure of it, in the order of the
/// text. Of two that overlap the first is taken; what is hidden, or has a masked value, is not.
#[must_use]
pub fn edits(diagnostics: &Diagnostics) -> Vec<Edit> {
    let of = |diagnostic: &Diagnostic| {
        let mut all = diagnostic.help.iter().filter(|help| help.replacement.is_some());
        let (Some(help), None) = (all.next(), all.next()) else { return None };
        let (span, text) = help.replacement.clone()?;
        let sure = help.certainty == Certainty::Sure && diagnostic.severity == Severity::Error;
        let shown = !diagnostics.is_hidden(span) && !text.contains(REDACTED);
        (sure && shown).then(|| Edit { code: diagnostic.code, message: diagnostic.message.clone(), span, text })
    };
    let mut all: Vec<Edit> = diagnostics.iter().filter_map(of).collect();
    all.sort_by_key(|edit| (edit.span.file, edit.span.start));
    all.dedup_by(|later, first| {
        later.span.file == first.span.file && later.span.start < first.span.end.max(first.span.start + 1)
    });
    all
}

/// The text of a file after the edits that lie in it, which do not overlap.
#[must_use]
pub fn apply(files: &FileSet, file: FileId, edits: &[Edit]) -> String {
    let text = files.text(file);
    let mut changed = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits.iter().filter(|edit| edit.span.file == file) {
        let range = edit.span.range();
        changed.push_str(text.get(at..range.start).unwrap_or(""));
        changed.push_str(&edit.text);
        at = range.end;
    }
    changed.push_str(text.get(at..).unwrap_or(""));
    changed
}
