//! Floor 4. What every check of one file shares: places, the bag of diagnostics, the vault.

use std::ops::Range;

use crate::{
    diag::{Code, Diagnostic, Diagnostics, Severity, closest},
    plan::CallerPart,
    secret::{Secret, SecretId, Vault},
    text::{FileSet, Span},
    yaml::{self, Kind, Node, Pointer, Variables},
};

/// The file under check.
pub(super) struct Context<'a> {
    files: &'a FileSet,
    variables: &'a dyn Variables,
    root: &'a Node,
    diagnostics: &'a mut Diagnostics,
    vault: &'a mut Vault,
    needs: Vec<CallerPart>,
    names_caller: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        files: &'a FileSet,
        variables: &'a dyn Variables,
        root: &'a Node,
        (diagnostics, vault): (&'a mut Diagnostics, &'a mut Vault),
    ) -> Self {
        Self { files, variables, root, diagnostics, vault, needs: Vec::new(), names_caller: false }
    }

    /// The content of a file beside the bridge file.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.variables.bytes(self.folder(), path)
    }

    /// Whether there is a file beside the bridge file.
    pub(super) fn find(&self, path: &str) -> Result<(), String> {
        self.variables.find(self.folder(), path)
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

    /// The place of a part of the text at a pointer; of the whole value where there is no text.
    pub(super) fn part(&self, pointer: &Pointer, part: Range<usize>) -> Span {
        let node = yaml::value_at(self.root, pointer);
        match node.and_then(|node| Some((node, node.scalar()?))) {
            Some((node, scalar)) if !scalar.text.is_empty() => {
                scalar.place(part, node.span, self.files.slice(node.span))
            }
            Some(_) | None => self.value(pointer),
        }
    }

    /// The text of the file at a place.
    pub(super) fn written(&self, span: Span) -> &'a str {
        self.files.slice(span)
    }

    /// The parts of the text at a pointer that are values of variables, in bytes.
    pub(super) fn inserted(&self, pointer: &Pointer) -> &'a [Range<usize>] {
        let scalar = yaml::value_at(self.root, pointer).and_then(Node::scalar);
        scalar.map_or(&[], |scalar| scalar.inserted.as_slice())
    }

    /// Whether the file has anything at a pointer.
    pub(super) fn has(&self, pointer: &Pointer) -> bool {
        yaml::value_at(self.root, pointer).is_some()
    }

    /// Whether a mapping stands at a pointer.
    pub(super) fn is_mapping(&self, pointer: &Pointer) -> bool {
        yaml::value_at(self.root, pointer).is_some_and(|node| matches!(node.kind, Kind::Map(_)))
    }

    /// Whether a value that is not there was written all the same, and could not be used: it had a
    /// fault, or its key is misspelt. That is told, and what follows from it is not worth a word.
    pub(super) fn is_lost<T: ?Sized>(&self, value: Option<&T>, pointer: &Pointer) -> bool {
        let Some(name) = pointer.steps().last().filter(|_| value.is_none()) else { return false };
        self.has(pointer) || self.names(&pointer.above()).iter().any(|key| closest(key, [name.as_str()]).is_some())
    }

    /// Whether an error was found in what stands at a pointer, its key included.
    pub(super) fn is_faulty(&self, pointer: &Pointer) -> bool {
        let Some(node) = yaml::value_at(self.root, pointer) else { return false };
        let whole = self.key(pointer).to(node.span);
        let inside = |at: Span| at.file == whole.file && whole.start <= at.start && at.end <= whole.end;
        self.diagnostics.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Error && diagnostic.primary.as_ref().is_some_and(|it| inside(it.span))
        })
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

    /// Notes that what is being built is made of a part of the caller's identity.
    pub(super) fn need(&mut self, part: CallerPart) {
        if !self.needs.contains(&part) {
            self.needs.push(part);
        }
    }

    /// Notes that something of the caller reaches a source or the result.
    pub(super) const fn name_caller(&mut self) {
        self.names_caller = true;
    }

    /// Whether that was noted since it was asked last.
    pub(super) fn takes_caller(&mut self) -> bool {
        std::mem::take(&mut self.names_caller)
    }

    /// What was noted since the last time.
    pub(super) fn take_needs(&mut self) -> Vec<CallerPart> {
        std::mem::take(&mut self.needs)
    }

    /// Whether two secrets have the same value.
    pub(super) fn is_same(&self, one: SecretId, other: SecretId) -> bool {
        let values = self.vault.get(one).zip(self.vault.get(other));
        values.is_some_and(|(one, other)| one.matches(other.expose()))
    }

    /// Puts a secret away.
    pub(super) fn store(&mut self, secret: &Secret<String>) -> SecretId {
        self.vault.store(secret.clone())
    }
}
