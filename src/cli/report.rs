//! Floor 9. From paths to a plan, with everything on the way told to the person at the terminal.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::OnceLock,
};

use super::{Exit, Format, Printing, When, environment::Environment};
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
    yaml::Variables,
};

/// What the command line says about printing: one process prints in one way.
static PRINTING: OnceLock<Printing> = OnceLock::new();

/// Settles how this process prints.
pub(super) fn settle(printing: Printing) {
    // A process has one command line; a second one can only come from a test.
    let _ = PRINTING.set(printing);
}

/// How a stream is printed to, which may be a terminal.
fn colour(terminal: bool) -> Colour {
    let styled = match PRINTING.get().map_or(When::Auto, |printing| printing.color) {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let unwanted = Environment.variable("NO_COLOR").is_some_and(|value| !value.is_empty());
            terminal && !unwanted
        }
    };
    if styled { Colour::Styled } else { Colour::Plain }
}

/// Reads and checks every file of the paths.
pub(super) fn examine(paths: &[PathBuf]) -> Result<(FileSet, Checked), Exit> {
    examine_with(paths, &Environment)
}

/// Reads and checks every file of the paths, with the variables of somebody else than this process.
pub(super) fn examine_with(paths: &[PathBuf], variables: &dyn Variables) -> Result<(FileSet, Checked), Exit> {
    let (files, mut diagnostics) = match load(paths) {
        Ok(loaded) => loaded,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Err(Exit::CouldNotRun);
        }
    };
    let mut checked = check(&files, variables);
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
    told(&files, &checked.diagnostics);
    checked.plan.ok_or_else(|| {
        sum_up(&summary(&checked.diagnostics));
        Exit::Faulty
    })
}

/// Prints diagnostics to the standard error stream.
pub(super) fn told(files: &FileSet, diagnostics: &Diagnostics) {
    let stderr = io::stderr();
    let colour = colour(stderr.is_terminal());
    // A closed stream is the reader's choice, here and below.
    let _ = render(Form::Full(colour), diagnostics, files, &mut stderr.lock());
}

/// Prints diagnostics to the standard output.
pub(super) fn print(format: Format, files: &FileSet, diagnostics: &Diagnostics) {
    let stdout = io::stdout();
    let form = match format {
        Format::Full => Form::Full(colour(stdout.is_terminal())),
        Format::Concise => Form::Concise,
        Format::Json => Form::Json,
        Format::Github => Form::Github,
        Format::Sarif => Form::Sarif,
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

/// Writes a summary to the standard error stream, unless nobody wants any.
pub(super) fn sum_up(line: &str) {
    if !is_quiet() {
        tell(line);
    }
}

/// Whether what goes to the standard output has colours.
pub(super) fn is_coloured() -> bool {
    matches!(colour(io::stdout().is_terminal()), Colour::Styled)
}

/// Whether nobody wants more than results and faults.
pub(super) fn is_quiet() -> bool {
    PRINTING.get().is_some_and(|printing| printing.quiet)
}

/// Writes a document to the standard output, unless there is nothing in it.
pub(super) fn show_some(text: &str) {
    if !text.trim().is_empty() {
        show(text);
    }
}

/// Writes a document to the standard output.
pub(super) fn show(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}
