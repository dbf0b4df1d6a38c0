//! Floor 3. What live databases say about the statements of the tools. Serves the schemas that are
//! published and `check --connect`, which can keep it in a file for machines without the database.

mod tables;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use tables::{Check, Key, Reference, Table, TableColumn, TableKind, Tables};

/// What was found at the sources, by tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    tools: BTreeMap<String, Entry>,
}

/// What a database says about one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stands for the texts of the statement that were asked about.
    #[serde(default)]
    pub digest: String,
    /// The columns of its rows.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// What speaks against the statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A result column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the result.
    pub name: String,
    /// The name that the statement gives it, where that is another: a second `id` is `id_2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Its declared type, in the words of the database; `None` for an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// The schema of its values, where the database has types for columns and not for values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Map<String, Value>>,
}

/// What speaks against a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Finding {
    /// The database does not accept it.
    Refused {
        /// Why, in the words of the database.
        words: String,
    },
    /// It changes something.
    Writes,
    /// It reads a large table from end to end.
    Scans(Scan),
    /// It takes less for a param than that permits.
    Misfit(Misfit),
    /// The database could not be asked.
    Unreachable {
        /// Why.
        words: String,
    },
}

/// A table that is read from end to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The table, or the name that the statement gives it.
    pub table: String,
    /// It has at least so many rows.
    pub rows: u64,
}

/// A param that the database takes less for than it permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misfit {
    /// The param.
    pub param: String,
    /// What the database takes: "an integer".
    pub takes: String,
}

/// What a database says about one text of a statement, without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The columns of its rows.
    pub columns: Vec<Column>,
    /// Whether it can change something.
    pub writes: bool,
    /// The large tables it reads from end to end.
    pub scans: Vec<Scan>,
    /// The params that it takes less for than they permit.
    pub misfits: Vec<Misfit>,
}

impl Catalog {
    /// Remembers the columns of a tool's statement.
    pub fn insert(&mut self, tool: impl Into<String>, columns: Vec<Column>) {
        self.tools.entry(tool.into()).or_default().columns = columns;
    }

    /// Remembers all that was found about a tool.
    pub fn enter(&mut self, tool: impl Into<String>, entry: Entry) {
        self.tools.insert(tool.into(), entry);
    }

    /// The columns of a tool's statement, if its source could be asked.
    #[must_use]
    pub fn columns(&self, tool: &str) -> Option<&[Column]> {
        self.tools.get(tool).map(|entry| entry.columns.as_slice())
    }

    /// All that was found about a tool.
    #[must_use]
    pub fn entry(&self, tool: &str) -> Option<&Entry> {
        self.tools.get(tool)
    }
}
