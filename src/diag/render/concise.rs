//! Floor 1. One line a diagnostic, as editors and `grep` like them.

use std::io;

use crate::{diag::Diagnostics, text::FileSet};

pub(super) fn render(diagnostics: &Diagnostics, files: &FileSet, out: &mut dyn io::Write) -> io::Result<()> {
    for diagnostic in diagnostics {
        if let Some(label) = &diagnostic.primary {
            let position = files.position(label.span);
            write!(out, "{}:{}:{}: ", files.name(label.span.file), position.line, position.column)?;
        }
        let (word, code) = (diagnostic.severity.word(), diagnostic.code.as_str());
        write!(out, "{word}[{code}]: {}", diagnostic.message)?;
        for help in &diagnostic.help {
            write!(out, "; {}", help.message)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
