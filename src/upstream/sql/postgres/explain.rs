//! Floor 5. What the plan of a statement says against it: that it changes something, or reads a
//! large table from end to end. Serves `check --connect`. Nothing is run.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{
    Postgres, Stop,
    connection::{Connection, Failure, Known},
    misfit,
};
use crate::{
    catalog::{Prepared, Scan},
    plan::sql::{Rendered, Statement},
};

/// A table with fewer rows may be read from end to end without a word.
const LARGE: u64 = 10_000;

impl Postgres {
    /// The statement as it is prepared, and what its plan says; the columns are left to the caller.
    pub(super) async fn plan_of(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        form: &Rendered,
    ) -> Result<(Arc<Known>, Prepared), Stop> {
        let known = self.prepare(connection, statement, form).await?;
        let plan = match connection.explain(&known).await {
            Ok(Some(text)) => serde_json::from_str::<Value>(&text).unwrap_or_default(),
            // A statement that has no plan, such as a call of a procedure, is no read.
            Ok(None) | Err(Failure::Refused(_)) => Value::Null,
            Err(failure) => return Err(failure.into()),
        };
        let mut seen = Seen::default();
        seen.walk(&plan);
        let scans = sizes(connection, &seen.tables).await?;
        let writes = seen.changes || known.columns.is_none();
        let misfits = misfit::misfits(statement, form, &known);
        Ok((known, Prepared { writes, scans, misfits, ..Prepared::default() }))
    }
}

/// What a plan does.
#[derive(Default)]
struct Seen {
    changes: bool,
    /// Tables that are read from end to end.
    tables: BTreeSet<String>,
}

impl Seen {
    fn walk(&mut self, node: &Value) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(members) => {
                match members.get("Node Type").and_then(Value::as_str) {
                    Some("ModifyTable" | "LockRows") => self.changes = true,
                    Some("Seq Scan") => {
                        let table = members.get("Relation Name").and_then(Value::as_str);
                        self.tables.extend(table.map(str::to_owned));
                    }
                    Some(_) | None => {}
                }
                members.values().for_each(|member| self.walk(member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Those of the tables that are large, by what the server last counted.
async fn sizes(connection: &mut Connection, tables: &BTreeSet<String>) -> Result<Vec<Scan>, Failure> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let literals: Vec<String> = tables.iter().map(|table| format!("'{}'", table.replace('\'', "''"))).collect();
    let sql = format!(
        "SELECT relname, max(reltuples)::bigint FROM pg_catalog.pg_class WHERE relkind IN ('r', 'm') \
         AND relname IN ({}) AND pg_catalog.pg_table_is_visible(oid) GROUP BY relname ORDER BY relname",
        literals.join(", ")
    );
    let found = connection.ask(&sql).await?.into_iter().filter_map(|row| {
        let mut row = row.into_iter();
        let (table, rows) = (row.next()??, row.next()??.parse().ok()?);
        (rows >= LARGE).then_some(Scan { table, rows })
    });
    Ok(found.collect())
}
