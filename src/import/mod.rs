//! Floor 7. From what others have described to a bridge file: an API document or the tables of a database
//! become sources and tools, printed as a person would write them and checked before anybody sees them. Pure.

mod advised;
mod draft;
mod layout;
mod merge;
mod names;
mod openapi;
mod sql;
mod words;
mod write;

use serde_json::{Map, Value};
use url::Url;

pub use advised::Silenced;
pub use draft::{Draft, StandIns, draft, served};
pub use merge::{Fate, Merged, merge};
pub use sql::{ToolKind, WantedTables, sql};

/// What is wanted of a document.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Operations with one of these tags; all where none is named, here and below.
    pub tags: Vec<String>,
    /// Operations with one of these ids, in which `*` stands for anything.
    pub operations: Vec<String>,
    /// Operations with one of these paths: `*` is one segment, `**` several.
    pub paths: Vec<String>,
    /// Operations with one of these methods.
    pub methods: Vec<String>,
    /// Whether deprecated operations are wanted too.
    pub deprecated: bool,
    /// The name of the bridge, in the place of one made of the title.
    pub name: Option<String>,
    /// The name of the source.
    pub source: Option<String>,
    /// The base of the API, in the place of the document's servers.
    pub base_url: Option<String>,
}

/// What a document came to.
#[derive(Debug)]
pub struct Imported {
    /// The bridge without its tools.
    pub head: Map<String, Value>,
    /// The tools, in the order of what they are made of.
    pub tools: Vec<Drafted>,
    /// All that a tool could be made of, wanted or not.
    pub known: Vec<String>,
    /// What is not among the tools, and why.
    pub skipped: Vec<Skipped>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What must be in the environment.
    pub variables: Vec<Variable>,
    /// The options that choose fewer.
    pub choosing: &'static str,
}

/// A tool of an operation, or of a table.
#[derive(Clone, Debug)]
pub struct Drafted {
    /// What it is known by: method and path of its operation, or what it does with which table.
    pub key: String,
    /// The tool's name.
    pub name: String,
    /// The tool as it is written.
    pub tool: Map<String, Value>,
    /// How it differs from the document.
    pub notes: Vec<String>,
}

/// Something that did not become a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it is known by.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl Skipped {
    fn new(key: &str, reason: &str) -> Self {
        Self { key: key.to_owned(), reason: reason.to_owned() }
    }
}

/// A variable of the environment that a bridge needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub meaning: String,
}

/// Reads an OpenAPI document. `found_at` is the address it was fetched from, for relative servers.
///
/// # Errors
/// A sentence without a full stop: what the document is not, or what is wanted and not in it.
pub fn openapi(document: &Value, wanted: &Wanted, found_at: Option<&Url>) -> Result<Imported, String> {
    if holds_marks(document) {
        return Err("it holds characters of the private use area, which no bridge file has".into());
    }
    openapi::read(document, wanted, found_at)
}

/// Whether a document holds what variables are marked with until they are printed.
fn holds_marks(document: &Value) -> bool {
    let mut waiting = vec![document];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) if text.contains(write::MARK) => return true,
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) if members.keys().any(|key| key.contains(write::MARK)) => return true,
            Value::Object(members) => waiting.extend(members.values()),
            _ => {}
        }
    }
    false
}
