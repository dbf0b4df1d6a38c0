//! Floor 1. Commands of a workflow run: the service shows each beside its line of the change.

use std::io;

use crate::{diag::Diagnostics, text::FileSet};

pub(super) fn render(diagnostics: &Diagnostics, files: &FileSet, out: &mut dyn io::Write) -> io::Result<()> {
    for diagnostic in diagnostics {
        write!(out, "::{} ", diagnostic.severity.word())?;
        if let Some(label) = &diagnostic.primary {
            let (start, end) = (files.position(label.span), files.end_position(label.span));
            write!(out, "file={},line={},col={},", property(files.name(label.span.file)), start.line, start.column)?;
            write!(out, "endLine={},endColumn={},", end.line, end.column)?;
        }
        let mut message = diagnostic.message.clone();
        for help in &diagnostic.help {
            message.push_str("\nhelp: ");
            message.push_str(&help.message);
        }
        writeln!(out, "title={}::{}", diagnostic.code.as_str(), data(&message))?;
    }
    Ok(())
}

/// A message in one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value that commas and colons do not end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::{Code, Diagnostic},
        text::Span,
    };

    #[test]
    fn what_has_a_meaning_in_commands_is_escaped() {
        let mut files = FileSet::new();
        let file = files.add("a,b:c.yaml", "bridge: 100%\n");
        let mut diagnostics = Diagnostics::new();
        let fault = Diagnostic::error(Code::WrongType, Span::new(file, 8, 12), "100% of\nit");
        diagnostics.push(fault.help("write 1"));
        diagnostics.push(Diagnostic::unplaced(Code::NotUtf8, "no place"));
        let mut out = Vec::new();
        render(&diagnostics, &files, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=a%2Cb%3Ac.yaml,line=1,col=9,endLine=1,endColumn=13,title=MB0202::100%25 of%0Ait%0Ahelp: write 1\n\
             ::error title=MB0002::no place\n"
        );
    }
}
