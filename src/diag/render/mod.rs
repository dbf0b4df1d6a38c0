//! Floor 1. Diagnostics in print: one form a file, all from the same data.

mod concise;
mod full;
mod github;
mod json;
mod sarif;

use std::io;

use super::Diagnostics;
use crate::text::FileSet;

/// The forms diagnostics can be printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The line with a marker under the text, for people; with or without colours.
    Full(Colour),
    /// One line each: `file:line:column: error[CODE]: message`.
    Concise,
    /// One JSON document, for programs.
    Json,
    /// Commands of a workflow run, one line each.
    Github,
    /// One SARIF 2.1.0 log.
    Sarif,
}

/// Whether print may hold colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For terminals.
    Styled,
    /// For everything else.
    Plain,
}

/// Prints diagnostics.
///
/// # Errors
/// What writing to `out` returns.
pub fn render(form: Form, diagnostics: &Diagnostics, files: &FileSet, out: &mut dyn io::Write) -> io::Result<()> {
    match form {
        Form::Full(colour) => full::render(colour, diagnostics, files, out),
        Form::Concise => concise::render(diagnostics, files, out),
        Form::Json => json::render(diagnostics, files, out),
        Form::Github => github::render(diagnostics, files, out),
        Form::Sarif => sarif::render(diagnostics, files, out),
    }
}
