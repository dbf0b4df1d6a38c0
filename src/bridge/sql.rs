//! Floor 3. SQL operations: one statement, or several in one transaction.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Type;

/// One statement on a database, or several in one transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SqlOperation")]
#[schemars(extend("x-exactly-one-of" = ["query", "transaction"]))]
pub struct Operation {
    /// The source. May be left out when the file has exactly one database.
    pub source: Option<String>,
    /// Whether the statement reads or writes. Default: `read`.
    pub mode: Option<Access>,
    /// One statement. `:name` binds a param; `[[ … ]]` is kept only when every param in it is given.
    pub query: Option<String>,
    /// What comes back. Default: `rows`, and `affected` for a write without `RETURNING`.
    pub returns: Option<Returns>,
    /// What the model is told when `row` or `value` finds nothing, as a template. With `transaction`: when a statement
    /// affects or finds no row where another one, or its `expect_rows`, needs one.
    pub not_found: Option<String>,
    /// How many rows come back at most, in the place of the source's `max_rows`.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_rows: Option<u32>,
    /// Writes only: roll back unless so many rows were affected: a number, or text such as `"<=5"`.
    pub expect_rows: Option<ExpectRows>,
    /// What is known about result columns, by name.
    #[serde(default)]
    pub columns: IndexMap<String, Column>,
    /// Several statements in one transaction, in the place of `query`: they run in their order, and are kept together
    /// or not at all. Needs `mode: write`. The result is an object with the result of each statement that has a name;
    /// where none has one, it is `affected`: the rows that all of them affected. The source's `statement_timeout` is
    /// the time for all of them together.
    #[schemars(length(min = 1, max = 20))]
    pub transaction: Option<Vec<Statement>>,
}

/// Whether a statement reads or writes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Access {
    /// It reads, and the engine refuses anything else.
    Read,
    /// It writes, in a transaction.
    Write,
}

/// What comes back from a statement.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Returns {
    /// All rows.
    Rows,
    /// The first row.
    Row,
    /// The first column of the first row.
    Value,
    /// How many rows were affected.
    Affected,
}

/// How many rows a write must affect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExpectRows {
    /// Exactly so many.
    Exactly(u64),
    /// At most so many: `"<=5"`.
    AtMost(
        #[schemars(regex(pattern = r"^<=\s*[0-9]{1,9}$"))]
        #[schemars(extend("x-expected" = "a number, or text such as `\"<=5\"`"))]
        String,
    ),
}

/// What is known about a result column.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The kind of its values.
    #[serde(rename = "type")]
    pub kind: Option<Type>,
    /// The form of its values.
    pub format: Option<String>,
    /// What it means, and its unit.
    pub description: Option<String>,
    /// The name people are shown.
    pub title: Option<String>,
}

/// One statement of a transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The statement. `:order.id` binds what the column `id` is in the first row of the earlier statement `order`,
    /// exactly as the database gave it; if there is no row, nothing is kept. Of a statement without rows there are
    /// `:order.affected` and, on SQLite and MySQL, `:order.last_insert_id`. None of these stands in a `[[ … ]]`.
    pub query: String,
    /// The name of its result, for the answer and for later statements.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// What of it comes back, if it has a name. Default: `rows`, and `affected` for a write without `RETURNING`.
    pub returns: Option<Returns>,
    /// How many rows it must affect, or find if it only reads: a number, or text such as `"<=5"`. Otherwise the whole
    /// transaction is rolled back.
    pub expect_rows: Option<ExpectRows>,
    /// What is known about result columns, by name.
    #[serde(default)]
    pub columns: IndexMap<String, Column>,
}
