//! Floor 1. The form for people: the line with a marker under the exact text, and what to
//! write instead.

use std::io;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet, normalize_untrusted_str};

use super::Colour;
use crate::{
    diag::{Diagnostic, Diagnostics, Help, Label, Severity},
    text::{FileId, FileSet},
};

pub(super) fn render(
    colour: Colour,
    diagnostics: &Diagnostics,
    files: &FileSet,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let renderer = match colour {
        Colour::Styled => Renderer::styled(),
        Colour::Plain => Renderer::plain(),
    };
    for diagnostic in diagnostics {
        let report = report(diagnostic, diagnostics, files);
        writeln!(out, "{}\n", renderer.render(&report))?;
    }
    Ok(())
}

fn report<'a>(diagnostic: &'a Diagnostic, all: &Diagnostics, files: &'a FileSet) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = normalize_untrusted_str(&diagnostic.message);
    let mut main = Group::with_title(level.primary_title(message).id(diagnostic.code.as_str()));
    let labels = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let labels: Vec<_> =
        labels.chain(diagnostic.context.iter().map(|label| (AnnotationKind::Context, label))).collect();
    let mut seen: Vec<FileId> = Vec::new();
    for (_, label) in &labels {
        let file = label.span.file;
        if seen.contains(&file) {
            continue;
        }
        seen.push(file);
        let here = labels.iter().filter(|(_, label)| label.span.file == file);
        let mut snippet = Snippet::source(all.shown(files, file)).path(files.name(file)).fold(true);
        for (kind, label) in here {
            snippet = snippet.annotation(kind.span(marked(files, label)).label(words(&label.message)));
        }
        main = main.element(snippet);
    }
    let mut groups = Vec::new();
    let mut patches = Vec::new();
    for help in &diagnostic.help {
        match patch(help, all, files) {
            Some(group) => patches.push(group),
            None => main = main.element(Level::HELP.message(normalize_untrusted_str(&help.message))),
        }
    }
    groups.push(main);
    groups.append(&mut patches);
    groups
}

fn patch<'a>(help: &'a Help, all: &Diagnostics, files: &'a FileSet) -> Option<Group<'a>> {
    let (span, text) = help.replacement.as_ref().filter(|(span, _)| !all.is_hidden(*span))?;
    let snippet = Snippet::source(all.shown(files, span.file)).path(files.name(span.file)).fold(true);
    let patch = snippet.patch(Patch::new(span.range(), normalize_untrusted_str(text)));
    Some(Level::HELP.secondary_title(normalize_untrusted_str(&help.message)).element(patch))
}

/// A marker needs something to stand under, and one line is enough of a long value.
fn marked(files: &FileSet, label: &Label) -> std::ops::Range<usize> {
    let range = label.span.range();
    let text = files.slice(label.span);
    let first_line = text.lines().next().unwrap_or("").len();
    range.start..range.start + first_line.min(range.len())
}

fn words(message: &str) -> Option<String> {
    (!message.is_empty()).then(|| normalize_untrusted_str(message))
}
