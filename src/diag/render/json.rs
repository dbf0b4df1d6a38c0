//! Floor 1. One JSON document: lines and columns count from 1, columns in characters.

use std::io;

use serde_json::{Value, json};

use crate::{
    diag::{Diagnostics, Label, Severity},
    text::{FileSet, Span},
};

pub(super) fn render(diagnostics: &Diagnostics, files: &FileSet, out: &mut dyn io::Write) -> io::Result<()> {
    let all: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let help = diagnostic.help.iter().map(|help| {
                let replacement = help
                    .replacement
                    .as_ref()
                    .filter(|(span, _)| !diagnostics.is_hidden(*span))
                    .map(|(span, text)| json!({ "at": place(files, *span), "text": text }));
                json!({ "message": help.message, "replacement": replacement })
            });
            json!({
                "code": diagnostic.code.as_str(),
                "severity": diagnostic.severity.word(),
                "message": diagnostic.message,
                "at": diagnostic.primary.as_ref().map(|it| labelled(files, it)),
                "context": diagnostic.context.iter().map(|it| labelled(files, it)).collect::<Vec<_>>(),
                "help": help.collect::<Vec<_>>(),
            })
        })
        .collect();
    let document = json!({
        "diagnostics": all,
        "errors": diagnostics.count(Severity::Error),
        "warnings": diagnostics.count(Severity::Warning),
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn labelled(files: &FileSet, label: &Label) -> Value {
    let mut value = place(files, label.span);
    if let Some(object) = value.as_object_mut().filter(|_| !label.message.is_empty()) {
        object.insert("message".into(), json!(label.message));
    }
    value
}

fn place(files: &FileSet, span: Span) -> Value {
    let (start, end) = (files.position(span), files.end_position(span));
    json!({
        "file": files.name(span.file),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    })
}
