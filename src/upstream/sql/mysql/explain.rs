//! Floor 5. What the plan of a statement says against it: that it reads a large table from end to
//! end. Serves `check --connect`. The statement is not run.

use sqlx::Row as _;

use super::{bind::Bound, connection::Connection, fault::Failure};
use crate::{
    catalog::Scan,
    plan::sql::{Form, ParamType, Rendered, Statement},
};

/// A table with fewer rows may be read from end to end without a word.
const LARGE: u64 = 10_000;

/// The large tables that a statement reads from end to end, by the names that it has for them.
pub(super) async fn scans(
    connection: &mut Connection,
    (statement, form): (&Statement, &Rendered),
) -> Result<Vec<Scan>, Failure> {
    // A NULL would be seen to match nothing, and nothing would be planned.
    let values: Vec<Bound> = form
        .slots
        .iter()
        .map(|slot| match (slot.form, statement.type_of(&slot.param).map(ParamType::item)) {
            (Form::Whole | Form::Item(_), Some(ParamType::Integer | ParamType::Number | ParamType::Boolean)) => {
                Bound::Signed(1)
            }
            (Form::Whole | Form::Item(_), Some(ParamType::DateTime)) => Bound::Text("2001-01-01 00:00:00".to_owned()),
            (Form::Whole | Form::Item(_), _) => Bound::Text("1".to_owned()),
            (Form::Like(kind), _) => Bound::Text(kind.pattern("1")),
        })
        .collect();
    let rows = match connection.ask(format!("EXPLAIN {}", form.sql), &values).await {
        Ok(rows) => rows,
        // What has no plan.
        Err(Failure::Refused(_)) => return Ok(Vec::new()),
        Err(failure) => return Err(failure),
    };
    let mut scans: Vec<Scan> = Vec::new();
    for row in rows {
        let text = |name: &str| row.try_get_unchecked::<Option<String>, _>(name).ok().flatten();
        let (Some(table), Some(kind)) = (text("table"), text("type")) else { continue };
        // MariaDB has a sign in front of its estimates, MySQL has none; the bytes are the same.
        let rows = row.try_get_unchecked::<Option<u64>, _>("rows").ok().flatten().unwrap_or(0);
        let is_derived = table.starts_with('<');
        if kind.eq_ignore_ascii_case("ALL") && rows >= LARGE && !is_derived {
            scans.push(Scan { table, rows });
        }
    }
    scans.sort_by(|a, b| a.table.cmp(&b.table));
    scans.dedup_by(|a, b| a.table == b.table);
    Ok(scans)
}
