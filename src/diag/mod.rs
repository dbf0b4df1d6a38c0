//! Floor 1. What is wrong with a file, as data: a code, a sentence, the places, and what to do.

mod code;
mod explain;
mod fix;
mod mask;
pub mod render;
mod suggest;

use std::borrow::Cow;

use crate::{
    secret::Secret,
    text::{FileId, FileSet, Span},
};

pub use code::Code;
pub use explain::{Advice, Explanation, Language, Sample};
pub use fix::{Edit, apply, edits};
pub use suggest::{closest, near};

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The bridge cannot be served as it is written.
    Error,
    /// The bridge can be served, and would be better otherwise.
    Warning,
}

impl Severity {
    /// The word that starts a printed diagnostic.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place that a diagnostic points at, with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The exact text that is meant.
    pub span: Span,
    /// A few words next to the marker; may be empty.
    pub message: String,
}

/// What the author can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// A sentence without a full stop, beginning in lower case.
    pub message: String,
    /// Text that, put in the place of the span, does what the sentence says.
    pub replacement: Option<(Span, String)>,
    /// Whether the replacement is what must have been meant.
    pub certainty: Certainty,
}

/// How far a replacement can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// There is no other way to mend the fault, or no other known name is near.
    Sure,
    /// It is the likeliest of several.
    Guessed,
}

/// One fault or piece of advice. Made by [`Diagnostic::error`] and [`Diagnostic::warning`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of fault; a contract that is never reused for another.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; a diagnostic about a file that cannot be read has no place in it.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub context: Vec<Label>,
    /// What to do.
    pub help: Vec<Help>,
}

impl Diagnostic {
    /// A fault at an exact place.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, Some(span), message.into())
    }

    /// Advice about an exact place.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, Some(span), message.into())
    }

    /// A fault of a whole path, such as a file that cannot be read.
    #[must_use]
    pub fn unplaced(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, None, message.into())
    }

    fn new(code: Code, severity: Severity, span: Option<Span>, message: String) -> Self {
        let primary = span.map(|span| Label { span, message: String::new() });
        Self { code, severity, message, primary, context: Vec::new(), help: Vec::new() }
    }

    /// Writes words beside the marker under the main place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.message = message.into();
        }
        self
    }

    /// Points at one more place.
    #[must_use]
    pub fn context(mut self, span: Span, message: impl Into<String>) -> Self {
        self.context.push(Label { span, message: message.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, message: impl Into<String>) -> Self {
        self.help.push(Help { message: message.into(), replacement: None, certainty: Certainty::Guessed });
        self
    }

    /// Says what to write instead, word for word.
    #[must_use]
    pub fn replace(mut self, message: impl Into<String>, span: Span, with: impl Into<String>) -> Self {
        let replacement = Some((span, with.into()));
        self.help.push(Help { message: message.into(), replacement, certainty: Certainty::Sure });
        self
    }

    /// Says which known name is nearest, and what to write then.
    #[must_use]
    pub fn guess(self, near: &str, span: Span, with: impl Into<String>) -> Self {
        self.propose(format!("did you mean `{near}`?"), span, with)
    }

    /// Says what to write if the author meant that.
    #[must_use]
    pub fn propose(mut self, message: impl Into<String>, span: Span, with: impl Into<String>) -> Self {
        let replacement = Some((span, with.into()));
        self.help.push(Help { message: message.into(), replacement, certainty: Certainty::Guessed });
        self
    }

    /// Says which known name was probably meant, if one is near enough to `given`.
    #[must_use]
    pub fn did_you_mean<'a>(self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let Some(meant) = closest(given, known.iter().copied()) else { return self };
        let meant = meant.to_owned();
        let alone = near(given, known).count() == 1;
        match self.primary.as_ref().map(|label| label.span) {
            Some(span) if alone => self.replace(format!("did you mean `{meant}`?"), span, meant),
            Some(span) => self.guess(&meant, span, meant.clone()),
            None => self.help(format!("did you mean `{meant}`?")),
        }
    }
}

/// The bag that every stage puts its diagnostics into.
#[derive(Debug, Default)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    hidden: Vec<Span>,
    inserted: Vec<mask::Inserted>,
}

impl Diagnostics {
    /// An empty bag.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The values of variables say `…` in it.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        mask::mask(&mut diagnostic, &self.inserted);
        self.all.push(diagnostic);
    }

    /// Adds all of another stage.
    pub fn append(&mut self, mut other: Self) {
        self.hidden.append(&mut other.hidden);
        self.inserted.append(&mut other.inserted);
        other.all.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Drops those that do not fit.
    pub fn retain(&mut self, fits: impl FnMut(&Diagnostic) -> bool) {
        self.all.retain(fits);
    }

    /// Keeps the values of variables that the text at a place holds out of every diagnostic that
    /// is added from here on: any of them may be a secret.
    pub fn conceal(&mut self, span: Span, values: impl Iterator<Item = String>) {
        self.inserted.push(mask::Inserted { span, values: values.map(Secret::new).collect() });
    }

    /// Keeps a stretch of a file from being shown: a secret that somebody wrote into it.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// The text of a file with asterisks in the place of what is hidden; every character that is
    /// shown keeps its offset.
    #[must_use]
    pub fn shown<'a>(&self, files: &'a FileSet, file: FileId) -> Cow<'a, str> {
        let text = files.text(file);
        let hidden: Vec<_> = self.hidden.iter().filter(|span| span.file == file).map(|span| span.range()).collect();
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        for (at, character) in text.char_indices() {
            if hidden.iter().any(|range| range.contains(&at)) && !character.is_whitespace() {
                shown.extend(std::iter::repeat_n('*', character.len_utf8()));
            } else {
                shown.push(character);
            }
        }
        Cow::Owned(shown)
    }

    /// Whether a stretch of a file is hidden, or a part of it.
    #[must_use]
    pub fn is_hidden(&self, span: Span) -> bool {
        let overlaps = |it: &Span| it.file == span.file && it.start < span.end && span.start < it.end;
        self.hidden.iter().any(overlaps)
    }

    /// How many of this severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.all.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether one of them keeps the bridges from being served.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Puts them into the order of the files and of the places in them, and drops repeats.
    pub fn sort(&mut self, files: &FileSet) {
        let place = |diagnostic: &Diagnostic| {
            diagnostic.primary.as_ref().map(|label| (files.name(label.span.file).to_owned(), label.span.start))
        };
        self.all.sort_by_cached_key(|diagnostic| (place(diagnostic), diagnostic.code));
        // An alias stands for one text in several places, and one word about it is enough.
        let place = |it: &Diagnostic| it.primary.as_ref().map(|label| label.span);
        self.all.dedup_by(|a, b| a.code == b.code && a.message == b.message && place(a) == place(b));
    }

    /// Every diagnostic, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
