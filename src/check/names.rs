//! Floor 4. Names over all files: bridges, tools, and the one `server:`.

use std::collections::HashMap;

use super::Document;
use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::Span,
    yaml::{Pointer, key_at, value_at},
};

/// Hosts put their own prefix before a tool's name and cut at 64 (protocol.md §6).
const COMFORTABLE_NAME: usize = 40;
const LONGEST_NAME: usize = 64;

/// Checks the names that must be unique, and those that clients see.
pub(super) fn check(documents: &[Document], diagnostics: &mut Diagnostics) {
    let mut bridges: HashMap<&str, Span> = HashMap::new();
    let mut tools: HashMap<String, Span> = HashMap::new();
    let mut server: Option<Span> = None;
    for document in documents {
        let root = Pointer::root();
        let (node, file) = (&document.node, &document.file);
        match &file.bridge {
            Some(name) => {
                let span = value_at(node, &root.at("bridge")).map_or(node.span, |node| node.span);
                if let Some(first) = bridges.insert(name, span) {
                    let message = format!("there are two bridges named `{name}`");
                    diagnostics.push(Diagnostic::error(Code::BridgeTwice, span, message).context(first, "the other"));
                }
            }
            None if value_at(node, &root.at("bridge")).is_none() && holds_more_than_server(document) => {
                let fault =
                    Diagnostic::error(Code::BridgeMissing, key_at(node, &root), "`bridge` is missing in the file");
                diagnostics.push(fault.help("name the bridge in the first line: `bridge: shop`"));
            }
            None => {}
        }
        for name in file.tools.keys() {
            let span = key_at(node, &root.at("tools").at(name));
            let full = format!("{}{name}", file.prefix.as_deref().unwrap_or(""));
            tool_name(&full, span, diagnostics);
            if let Some(first) = tools.insert(full.clone(), span) {
                let message = format!("there are two tools named `{full}`");
                let fault = Diagnostic::error(Code::ToolTwice, span, message).context(first, "the other");
                diagnostics.push(fault.help("give one of the two bridges a `prefix:`"));
            }
        }
        if file.server.is_some() {
            let span = key_at(node, &root.at("server"));
            if let Some(first) = server.replace(span) {
                let fault = Diagnostic::error(Code::ServerTwice, span, "`server` stands in two files");
                diagnostics.push(fault.context(first, "the other"));
            }
        }
    }
}

fn holds_more_than_server(document: &Document) -> bool {
    document.file.server.is_none() || document.node.entries().len() > 1
}

/// `^[A-Za-z0-9_-]{1,64}$`: one name that is not takes a whole connector down in some hosts.
fn tool_name(name: &str, span: Span, diagnostics: &mut Diagnostics) {
    let odd = name.chars().find(|it| !it.is_ascii_alphanumeric() && *it != '_' && *it != '-');
    if let Some(odd) = odd {
        let odd = if odd.is_whitespace() { "a blank".to_owned() } else { format!("`{odd}`") };
        let message = format!("`{name}` cannot be a tool's name: it holds {odd}");
        let fault = Diagnostic::error(Code::ToolName, span, message);
        let parts = name.split(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '-');
        let plain = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
        diagnostics.push(if plain.is_empty() {
            fault.help("use letters, digits, `_` and `-`")
        } else {
            fault.propose("use letters, digits, `_` and `-`", span, plain)
        });
    } else if name.is_empty() || name.len() > LONGEST_NAME {
        let message = format!("a tool's name has 1 to {LONGEST_NAME} characters; this one has {}", name.len());
        diagnostics.push(Diagnostic::error(Code::ToolName, span, message));
    } else if name.len() > COMFORTABLE_NAME {
        let message = format!("`{name}` has {} characters; hosts put a prefix before it and cut at 64", name.len());
        let advice = Diagnostic::warning(Code::ToolNameLong, span, message);
        diagnostics.push(advice.help(format!("keep names within {COMFORTABLE_NAME} characters")));
    }
}
