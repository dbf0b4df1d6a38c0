//! Floor 2. YAML with the place of every value; the only door to the YAML crates.
//!
//! A file is read into a tree of [`Node`]s that know where they stand, because diagnostics
//! must point at the exact text. `serde_yaml` prints values; it never reads bridge files. What was
//! written for others, such as an API document, is read into plain values.

mod foreign;
mod interpolate;
mod locate;
mod parse;
mod scalar;
mod secrets;
mod syntax;

pub use foreign::read_foreign;
pub use interpolate::{Variables, interpolate};
pub use locate::{Pointer, key_at, value_at};
pub use parse::parse;
pub use scalar::{Core, Scalar, Style};
pub use secrets::{literals, names_a_secret};

use crate::text::{Span, Spanned};

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The text it was read from. Of a block mapping: from its first key to its last value.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, a number, a boolean or nothing: YAML decides late, see [`Scalar::core`].
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file. Keys come once.
    Map(Vec<Entry>),
    /// A scalar with a fault of its own, which is told: nobody can know what it was to be.
    Faulty,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The entries of a mapping; nothing for any other value.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::List(_) | Kind::Faulty => &[],
        }
    }

    /// The entry of a mapping with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.value == key)
    }

    /// The scalar, if the value is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) | Kind::Faulty => None,
        }
    }
}

/// Prints a value as YAML.
///
/// # Errors
/// Only what the printer itself refuses, which no JSON value makes it do.
pub fn print(value: &serde_json::Value) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(value)
}
