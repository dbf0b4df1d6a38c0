//! Floor 3. A SQL statement as a tool runs it: the compiled text and what is made of its rows.

use serde_json::{Map, Value};

use super::{SourceId, sql};
use crate::template::Text;

/// One statement of a tool.
#[derive(Debug)]
pub struct Query {
    /// The database.
    pub source: SourceId,
    /// Whether the statement reads or writes.
    pub access: sql::Access,
    /// What a write does to the rows that are there.
    pub effect: Effect,
    /// Whether the author's text bounds its rows.
    pub extent: Extent,
    /// The compiled text.
    pub statement: sql::Statement,
    /// What comes back.
    pub returns: sql::Returns,
    /// What the model is told when a single row was wanted and none was found.
    pub not_found: Option<Text>,
    /// Rows at most.
    pub max_rows: usize,
    /// How many rows a write must affect.
    pub expect_rows: Option<sql::ExpectedRows>,
    /// What the author knows about result columns.
    pub columns: Vec<ColumnOverride>,
}

/// What a write does to the rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only adds others.
    Adds,
    /// It may change or remove them.
    Changes,
}

/// Whether the text of a statement bounds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It has a LIMIT or FETCH clause.
    Limited,
    /// It has as many rows as fit its conditions, or groups.
    Open,
    /// It has all rows of what it reads: no condition, no group and no total in every call.
    Whole,
}

/// What the author knows about a result column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnOverride {
    /// The column.
    pub name: String,
    /// Schema keywords that take the place of the derived ones.
    pub schema: Map<String, Value>,
}
