//! Floor 4. What every check of one file shares: places, the bag of diagnostics, the vault.

use std::ops::Range;

use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    secret::{Secret, SecretId, Vault},
    text::{FileSet, Span},
    yaml::{self, Node, Pointer},
};

/// The file under check.
pub(super) struct Context<'a> {
    files: &'a FileSet,
    root: &'a Node,
    diagnostics: &'a mut Diagnostics,
    vault: &'a mut Vault,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        files: &'a FileSet,
        root: &'a Node,
        diagnostics: &'a mut Diagnostics,
        vault: &'a mut Vault,
    ) -> Self {
        Self { files, root, diagnostics, vault }
    }

    /// The place of the key at a pointer.
    pub(super) fn key(&self, pointer: &Pointer) -> Span {
        yaml::key_at(self.root, pointer)
    }

    /// The place of the value at a pointer; of its key when the value is empty or not there.
    pub(super) fn value(&self, pointer: &Pointer) -> Span {
        match yaml::value_at(self.root, pointer) {
            Some(node) if !node.span.range().is_empty() => node.span,
            _ => self.key(pointer),
        }
    }

    /// The place of a part of the text at a pointer.
    pub(super) fn part(&self, pointer: &Pointer, part: Range<usize>) -> Span {
        let Some(node) = yaml::value_at(self.root, pointer) else { return self.key(pointer) };
        match node.scalar() {
            Some(scalar) => scalar.place(part, node.span, self.files.slice(node.span)),
            None => node.span,
        }
    }

    /// Whether the text at a pointer holds the value of a variable.
    pub(super) fn is_interpolated(&self, pointer: &Pointer) -> bool {
        let node = yaml::value_at(self.root, pointer);
        node.and_then(Node::scalar).is_some_and(|scalar| scalar.interpolated)
    }

    /// Whether the file has anything at a pointer.
    pub(super) fn has(&self, pointer: &Pointer) -> bool {
        yaml::value_at(self.root, pointer).is_some()
    }

    /// The folder that relative paths in the file start from.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.files.folder(self.root.span.file)
    }

    /// Names in the mapping at a pointer, also of entries that could not be used.
    pub(super) fn names(&self, pointer: &Pointer) -> Vec<&'a str> {
        let entries = yaml::value_at(self.root, pointer).map_or(&[][..], Node::entries);
        entries.iter().map(|entry| entry.key.value.as_str()).collect()
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a fault of the value at a pointer.
    pub(super) fn fault(&mut self, code: Code, pointer: &Pointer, message: impl Into<String>) {
        let span = self.value(pointer);
        self.push(Diagnostic::error(code, span, message));
    }

    /// Puts a secret away.
    pub(super) fn store(&mut self, secret: &Secret<String>) -> SecretId {
        self.vault.store(secret.clone())
    }
}
