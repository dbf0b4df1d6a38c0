//! Floor 4. Advice that the author does not want to hear: codes after `allow`, for a file or a tool.

use super::{Document, context::Context};
use crate::{
    diag::{Code, Diagnostic, Severity},
    text::{FileId, Span},
    yaml::{Pointer, key_at, value_at},
};

/// What is not told.
#[derive(Debug, Default)]
pub(super) struct Silences {
    files: Vec<(FileId, Code)>,
    tools: Vec<(Span, Code)>,
}

impl Silences {
    /// Adds what a file wants not to hear.
    pub(super) fn add(&mut self, document: &Document, context: &mut Context<'_>) {
        let root = Pointer::root();
        let file = document.node.span.file;
        self.files.extend(codes(&document.file.allow, &root.at("allow"), context).map(|code| (file, code)));
        for (name, tool) in &document.file.tools {
            let at = root.at("tools").at(name);
            let Some(node) = value_at(&document.node, &at) else { continue };
            let whole = key_at(&document.node, &at).to(node.span);
            self.tools.extend(codes(&tool.allow, &at.at("allow"), context).map(|code| (whole, code)));
        }
    }

    /// Whether a diagnostic is one of those.
    pub(super) fn hold(&self, diagnostic: &Diagnostic) -> bool {
        let Some(at) = diagnostic.primary.as_ref().map(|label| label.span) else { return false };
        let inside = |whole: &Span| whole.file == at.file && whole.start <= at.start && at.end <= whole.end;
        diagnostic.severity == Severity::Warning
            && (self.files.iter().any(|(file, code)| *file == at.file && *code == diagnostic.code)
                || self.tools.iter().any(|(whole, code)| inside(whole) && *code == diagnostic.code))
    }
}

/// The codes of a list; what is none, or no advice, is told.
fn codes<'a>(written: &'a [String], at: &Pointer, context: &mut Context<'_>) -> impl Iterator<Item = Code> + use<'a> {
    let mut known = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let span = context.value(&at.at(index));
        match Code::named(text) {
            Some(code) if code.is_advice() => known.push(code),
            Some(_) => {
                let message = format!("{text} is an error, which cannot be allowed");
                context.push(Diagnostic::error(Code::Allow, span, message));
            }
            None => {
                let fault = Diagnostic::error(Code::Allow, span, format!("`{text}` is no code"));
                context.push(fault.help("take the code from behind `warning` in what `check` prints"));
            }
        }
    }
    known.into_iter()
}
