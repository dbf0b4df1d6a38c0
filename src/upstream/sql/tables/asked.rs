//! Floor 5. The rows in which the engines tell of their tables.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::is_true;
use crate::catalog::{Table, TableKind};

/// Where one is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Place {
    pub(super) database: Option<String>,
    pub(super) home: Option<String>,
    /// Of the two that speak alike.
    #[serde(default, deserialize_with = "flag")]
    pub(super) is_mariadb: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct TableRow {
    pub(super) table_name: String,
    /// `table`, `numbered` or `view`.
    kind: String,
    comment: Option<String>,
    obstacle: Option<String>,
}

impl TableRow {
    pub(super) fn table(self, schema: &str) -> Table {
        let kind = match self.kind.as_str() {
            "view" => TableKind::View,
            "numbered" => TableKind::Numbered,
            _ => TableKind::Table,
        };
        Table {
            schema: schema.to_owned(),
            name: self.table_name,
            kind,
            comment: self.comment.filter(|comment| !comment.trim().is_empty()),
            obstacle: self.obstacle,
            columns: Vec::new(),
            keys: Vec::new(),
            references: Vec::new(),
            checks: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ColumnRow {
    pub(super) table_name: String,
    pub(super) column_name: String,
    pub(super) declared: Option<String>,
    pub(super) base: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(super) not_null: bool,
    pub(super) comment: Option<String>,
    pub(super) labels: Option<Vec<String>>,
    #[serde(deserialize_with = "flag")]
    pub(super) readable: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyRow {
    pub(super) table_name: String,
    pub(super) key_name: String,
    #[serde(deserialize_with = "flag")]
    pub(super) is_primary: bool,
    pub(super) column_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReferenceRow {
    pub(super) table_name: String,
    pub(super) reference_name: String,
    pub(super) column_name: String,
    pub(super) to_schema: Option<String>,
    pub(super) to_table: String,
    pub(super) to_column: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRow {
    pub(super) table_name: String,
    pub(super) column_name: Option<String>,
    pub(super) clause: String,
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Value::deserialize(deserializer).map(|value| is_true(&value))
}
