//! Floor 4. Secrets in a file: advice against them, and none of them is shown. A reference such as
//! `${NAME}` is no secret.

use serde_json::Value;

use super::{Walker, is_set};
use crate::{
    diag::{Code, Diagnostic},
    text::Span,
    yaml::{self, Entry, Kind, Node},
};

impl<'a> Walker<'a> {
    /// Definitions carry no secrets: whoever reads the file would have them.
    pub(super) fn guard_secret(&mut self, entry: &Entry, schema: &'a Value) {
        if !is_set(schema, "x-secret") && !is_set(self.resolve(schema), "x-secret") {
            return;
        }
        self.hide(&entry.value);
        let Some(scalar) = entry.value.scalar() else { return };
        let raw = self.files.slice(entry.value.span);
        let is_default =
            |literal: &std::ops::Range<usize>| raw.get(..literal.start).is_some_and(|it| it.ends_with(":-"));
        let literals = yaml::literals(raw);
        if (!scalar.is_interpolated() && !literals.is_empty()) || literals.iter().any(is_default) {
            let message = format!("`{}` is a secret written into the file", entry.key.value);
            let advice = Diagnostic::warning(Code::LiteralSecret, entry.value.span, message);
            self.diagnostics.push(if is_bare_variable(&scalar.text) {
                advice.help("a variable of the environment is written with braces: `${NAME}`")
            } else {
                advice.help("take it from the environment: `${NAME}`, or from a file: `${file:path}`")
            });
        }
    }

    /// An address with a password in it is not shown, wherever it stands.
    pub(super) fn hide_credentials(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(_) | Kind::Faulty => {
                let address =
                    self.files.slice(node.span).split_once("://").and_then(|(_, rest)| rest.split('/').next());
                if address.is_some_and(|authority| authority.contains('@')) {
                    self.hide(node);
                }
            }
            Kind::List(items) => items.iter().for_each(|item| self.hide_credentials(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.hide_credentials(&entry.value)),
        }
    }

    /// Hides what is under a key that the format does not know: beside secrets it most likely is one.
    pub(super) fn hide_misspelt(&mut self, entry: &Entry, within: &Value) {
        if holds_secrets(within) || yaml::names_a_secret(&entry.key.value) {
            self.hide(&entry.value);
        } else {
            self.hide_named(&entry.value);
        }
    }

    /// Hides what is in the place of something that has secrets in it.
    pub(super) fn hide_displaced(&mut self, node: &Node, wanted: &'a Value) {
        let options = wanted.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        if options.chain([wanted]).any(|option| holds_secrets(self.resolve(option))) {
            self.hide(node);
        }
        self.hide_named(node);
    }

    /// Hides what stands under the names of secrets, where no schema says which they are.
    pub(super) fn hide_named(&mut self, node: &Node) {
        match &node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    if yaml::names_a_secret(&entry.key.value) {
                        self.hide(&entry.value);
                    } else {
                        self.hide_named(&entry.value);
                    }
                }
            }
            Kind::List(items) => items.iter().for_each(|item| self.hide_named(item)),
            Kind::Scalar(_) | Kind::Faulty => {}
        }
    }

    fn hide(&mut self, node: &Node) {
        let range = node.span.range();
        for part in yaml::literals(self.files.slice(node.span)) {
            self.diagnostics.hide(Span::new(node.span.file, range.start + part.start, range.start + part.end));
        }
    }
}

fn holds_secrets(schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|all| all.values().any(|schema| is_set(schema, "x-secret")))
}

/// Whether a text is a variable as a shell writes it: `$NAME`, which is sent as it stands.
fn is_bare_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|it: char| it.is_ascii_uppercase())
            && name.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    })
}
