//! Floor 3. What live sources really offer: the columns of each tool's statement.

use std::collections::BTreeMap;

/// What was found at the sources, by tool.
#[derive(Debug, Default)]
pub struct Catalog {
    tools: BTreeMap<String, Vec<Column>>,
}

/// A result column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the result.
    pub name: String,
    /// Its declared type, in the words of the database; `None` for an expression.
    pub declared: Option<String>,
}

impl Catalog {
    /// Remembers the columns of a tool's statement.
    pub fn insert(&mut self, tool: impl Into<String>, columns: Vec<Column>) {
        self.tools.insert(tool.into(), columns);
    }

    /// The columns of a tool's statement, if its source could be asked.
    #[must_use]
    pub fn columns(&self, tool: &str) -> Option<&[Column]> {
        self.tools.get(tool).map(Vec::as_slice)
    }
}
