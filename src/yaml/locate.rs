//! Floor 2. From a JSON pointer to the place in the file.

use std::fmt;

use super::{Kind, Node};
use crate::text::Span;

/// A path of keys and list positions from the top of a file, extended on the way down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The top of the file.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The pointer of a member or item.
    #[must_use]
    pub fn at(&self, step: impl fmt::Display) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_string());
        Self(steps)
    }

    /// The pointer that an RFC 6901 text below this one leads to.
    #[must_use]
    pub fn below(&self, pointer: &str) -> Self {
        let mut steps = self.0.clone();
        steps.extend(pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")));
        Self(steps)
    }

    /// The pointer of what this one stands in; the top stands in itself.
    #[must_use]
    pub fn above(&self) -> Self {
        let kept = self.0.len().saturating_sub(1);
        Self(self.0.iter().take(kept).cloned().collect())
    }

    /// The keys and positions, from the top.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.0
    }
}

/// The value at a pointer.
#[must_use]
pub fn value_at<'a>(root: &'a Node, pointer: &Pointer) -> Option<&'a Node> {
    pointer.steps().iter().try_fold(root, |node, step| match &node.kind {
        Kind::Map(_) => node.entry(step).map(|entry| &entry.value),
        Kind::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
        Kind::Scalar(_) | Kind::Faulty => None,
    })
}

/// The place of the key that leads to a pointer; of a list item, its value. The nearest
/// place above stands in for what is not in the file.
#[must_use]
pub fn key_at(root: &Node, pointer: &Pointer) -> Span {
    let mut node = root;
    let mut span = first_key(root);
    for step in pointer.steps() {
        match &node.kind {
            Kind::Map(_) => match node.entry(step) {
                Some(entry) => (node, span) = (&entry.value, entry.key.span),
                None => return span,
            },
            Kind::List(items) => match step.parse::<usize>().ok().and_then(|at| items.get(at)) {
                Some(item) => (node, span) = (item, item.span),
                None => return span,
            },
            Kind::Scalar(_) | Kind::Faulty => return span,
        }
    }
    span
}

fn first_key(root: &Node) -> Span {
    root.entries().first().map_or(root.span, |entry| entry.key.span)
}
