//! Floor 1. One SARIF 2.1.0 log, for the services that collect findings: lines and columns count
//! from 1, columns in characters, and replacements are fixes.

use std::{fmt::Write as _, io};

use serde_json::{Value, json};

use crate::{
    diag::{Code, Diagnostic, Diagnostics, Help, Label, Severity},
    text::{FileId, FileSet, Span},
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn render(diagnostics: &Diagnostics, files: &FileSet, out: &mut dyn io::Write) -> io::Result<()> {
    let mut codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort();
    codes.dedup();
    let results: Vec<Value> =
        diagnostics.iter().map(|diagnostic| result(diagnostic, &codes, diagnostics, files)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mcp-bridge",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn rule(code: Code) -> Value {
    let it = code.explanation();
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": format!("{} {}", it.what, it.why) },
        "help": { "text": it.instead.words },
    })
}

fn result(diagnostic: &Diagnostic, codes: &[Code], all: &Diagnostics, files: &FileSet) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let help = diagnostic.help.iter().map(|help| format!("\nHelp: {}.", help.message.trim_end_matches(['.', '?'])));
    let text: String = std::iter::once(diagnostic.message.clone()).chain(help).collect();
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": codes.binary_search(&diagnostic.code).unwrap_or_default(),
        "level": level,
        "message": { "text": text },
        "locations": diagnostic.primary.iter().map(|label| location(files, label)).collect::<Vec<_>>(),
    });
    let related: Vec<Value> = diagnostic.context.iter().map(|label| location(files, label)).collect();
    let shown = |help: &&Help| help.replacement.as_ref().is_some_and(|(span, _)| !all.is_hidden(*span));
    let replacements: Vec<Value> = diagnostic.help.iter().filter(shown).filter_map(|help| fix(files, help)).collect();
    if let Some(object) = result.as_object_mut() {
        for (name, members) in [("relatedLocations", related), ("fixes", replacements)] {
            if !members.is_empty() {
                object.insert(name.into(), members.into());
            }
        }
    }
    result
}

fn location(files: &FileSet, label: &Label) -> Value {
    let mut location = json!({ "physicalLocation": {
        "artifactLocation": artifact(files, label.span.file),
        "region": region(files, label.span),
    } });
    if let Some(object) = location.as_object_mut().filter(|_| !label.message.is_empty()) {
        object.insert("message".into(), json!({ "text": label.message }));
    }
    location
}

fn fix(files: &FileSet, help: &Help) -> Option<Value> {
    let (span, text) = help.replacement.as_ref()?;
    Some(json!({
        "description": { "text": help.message },
        "artifactChanges": [{
            "artifactLocation": artifact(files, span.file),
            "replacements": [{ "deletedRegion": region(files, *span), "insertedContent": { "text": text } }],
        }],
    }))
}

fn region(files: &FileSet, span: Span) -> Value {
    let (start, end) = (files.position(span), files.end_position(span));
    json!({ "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column })
}

fn artifact(files: &FileSet, file: FileId) -> Value {
    json!({ "uri": address(files.name(file)) })
}

/// A path as the address of a file: relative to where the program ran, or absolute.
fn address(path: &str) -> String {
    let path = path.replace('\\', "/");
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    path.bytes().fold(scheme.to_owned(), |mut address, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                address.push(char::from(byte));
            }
            other => {
                // Writing to a String cannot fail.
                let _ = write!(address, "%{other:02X}");
            }
        }
        address
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn paths_become_addresses() {
        for (path, expected) in [
            ("bridges/shop.yaml", "bridges/shop.yaml"),
            ("a b/ü:1.yaml", "a%20b/%C3%BC%3A1.yaml"),
            ("/srv/shop.yaml", "file:///srv/shop.yaml"),
        ] {
            assert_eq!(address(path), expected);
        }
    }
}
