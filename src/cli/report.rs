//! Floor 9. From paths to a plan, with everything on the way told to the person at the terminal.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use super::{Exit, Format, environment::Environment};
use crate::{
    check::{Checked, check},
    diag::{
        Diagnostics, Severity,
        render::{Colour, Form, render},
    },
    load::load,
    plan::Plan,
    secret::Vault,
    text::FileSet,
};

/// Reads and checks every file of the paths.
pub(super) fn examine(paths: &[PathBuf]) -> Result<(FileSet, Checked), Exit> {
    let (files, mut diagnostics) = match load(paths) {
        Ok(loaded) => loaded,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Err(Exit::CouldNotRun);
        }
    };
    let mut checked = check(&files, &Environment);
    diagnostics.append(std::mem::take(&mut checked.diagnostics));
    checked.diagnostics = diagnostics;
    if checked.diagnostics.has_errors() {
        checked.plan = None;
    }
    Ok((files, checked))
}

/// The plan of the paths; faults go to the standard error stream.
pub(super) fn plan(paths: &[PathBuf]) -> Result<(Plan, Vault), Exit> {
    let (files, checked) = examine(paths)?;
    let stderr = io::stderr();
    let colour = if stderr.is_terminal() { Colour::Styled } else { Colour::Plain };
    // A closed stream is the reader's choice, here and below.
    let _ = render(Form::Full(colour), &checked.diagnostics, &files, &mut stderr.lock());
    checked.plan.ok_or_else(|| {
        tell(&summary(&checked.diagnostics));
        Exit::Faulty
    })
}

/// Prints diagnostics to the standard output.
pub(super) fn print(format: Format, files: &FileSet, diagnostics: &Diagnostics) {
    let stdout = io::stdout();
    let form = match format {
        Format::Full if stdout.is_terminal() => Form::Full(Colour::Styled),
        Format::Full => Form::Full(Colour::Plain),
        Format::Concise => Form::Concise,
        Format::Json => Form::Json,
    };
    let _ = render(form, diagnostics, files, &mut stdout.lock());
}

/// How many faults there are, in words.
pub(super) fn summary(diagnostics: &Diagnostics) -> String {
    let count = |severity: Severity| {
        let number = diagnostics.count(severity);
        format!("{number} {}{}", severity.word(), if number == 1 { "" } else { "s" })
    };
    format!("{}, {}", count(Severity::Error), count(Severity::Warning))
}

/// Writes a line to the standard error stream.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a document to the standard output.
pub(super) fn show(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}
