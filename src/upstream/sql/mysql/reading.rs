//! Floor 5. The rows of one statement on their way from a MySQL or MariaDB server to the answer,
//! within the limits of the call.

use std::sync::Arc;

use sqlx::{
    Decode, MySql, Row as _,
    mysql::{MySqlQueryResult, MySqlRow},
};

use super::{
    super::{
        Limits,
        remote::{Cells, Rows, wanted},
    },
    bind::Bound,
    connection::{Columns, Known},
    text,
};
use crate::plan::sql::Returns;

/// How many bytes of rows that nobody wants are read before the server is told to stop. Telling
/// takes a connection of its own, which costs more than reading these.
const MAX_UNWANTED: usize = 128 << 10;

/// What the values of a row cost beside their bytes.
const ROW: usize = 32;

/// Rows on their way.
pub(super) struct Reading {
    known: Arc<Known>,
    /// The columns, once a row was seen.
    columns: Option<Arc<Columns>>,
    returns: Returns,
    pub(super) rows: Rows,
    /// Whether a read stops where a limit is reached. A write goes on to its end.
    stops: Stops,
    unwanted: usize,
    /// How many rows there were in the first result.
    given: u64,
    /// How many results are at their end. A procedure can have several; the first one counts.
    ended: usize,
    affected: u64,
    last_insert_id: u64,
    /// The columns whose values in the first row later statements of the transaction take.
    taken: Vec<String>,
    /// These values, `None` for a column that is not there; `None` before the first row.
    pub(super) first: Option<Vec<Option<Bound>>>,
}

/// Whether the server may be told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stops {
    AtLimits,
    AtTheEnd,
}

impl Reading {
    pub(super) fn new(known: Arc<Known>, (returns, limits): (Returns, Limits), stops: Stops) -> Self {
        Self {
            known,
            columns: None,
            returns,
            rows: Rows::new(Limits { max_rows: wanted(returns, limits), ..limits }),
            stops,
            unwanted: 0,
            given: 0,
            ended: 0,
            affected: 0,
            last_insert_id: 0,
            taken: Vec::new(),
            first: None,
        }
    }

    /// Keeps the values of these columns of the first row as they are.
    pub(super) fn taking(mut self, columns: Vec<String>) -> Self {
        self.taken = columns;
        self
    }

    /// A row. One that nobody wants is counted.
    pub(super) fn row(&mut self, row: &MySqlRow) {
        if !self.taken.is_empty() && self.first.is_none() && self.ended == 0 {
            let columns = self.columns.get_or_insert_with(|| self.known.columns_of(row.columns()));
            self.first = Some(self.taken.iter().map(|name| take(name, row, columns)).collect());
        }
        if self.ended > 0 || self.rows.cut().is_some() || self.returns == Returns::Affected {
            self.given += u64::from(self.ended == 0);
            let bytes: usize = (0..row.len()).map(|at| cell(row, at).map_or(0, <[u8]>::len)).sum();
            self.unwanted = self.unwanted.saturating_add(bytes + ROW);
            return;
        }
        self.given += 1;
        let columns = self.columns.get_or_insert_with(|| self.known.columns_of(row.columns()));
        let take = if self.returns == Returns::Value { 1 } else { columns.leads.len() };
        let _ = self.rows.push((&columns.leads, take), &Values { row, columns });
    }

    /// A result is at its end.
    pub(super) fn end(&mut self, done: &MySqlQueryResult) {
        self.ended += 1;
        self.affected = self.affected.saturating_add(done.rows_affected());
        if done.last_insert_id() > 0 {
            self.last_insert_id = done.last_insert_id();
        }
    }

    /// Whether more comes than is worth reading to the end.
    pub(super) fn is_flooded(&self) -> bool {
        self.stops == Stops::AtLimits && self.unwanted > MAX_UNWANTED
    }

    /// How many rows a change affected. One with RETURNING gives each of them in its one result; a
    /// procedure has a result of its own behind those of its statements.
    pub(super) fn affected(&self) -> u64 {
        if self.known.reads {
            0
        } else if self.ended == 1 {
            self.affected.max(self.given)
        } else {
            self.affected
        }
    }

    /// How many rows a statement affected, or found where it only reads.
    pub(super) fn came_to(&self) -> u64 {
        if self.known.reads { self.given } else { self.affected() }
    }

    /// The id of the row that was added last.
    pub(super) fn last_insert_id(&self) -> Option<i64> {
        i64::try_from(self.last_insert_id).ok().filter(|id| *id > 0)
    }
}

/// The bytes of a value; `None` for NULL. What the driver takes for NULL may be a date of zeros.
fn cell(row: &MySqlRow, at: usize) -> Option<&[u8]> {
    let value = row.try_get_raw(at).ok()?;
    <&[u8] as Decode<MySql>>::decode(value).ok()
}

/// The value of a column, as a later statement binds it. A name is the same in any case, and exact first.
fn take(name: &str, row: &MySqlRow, columns: &Columns) -> Option<Bound> {
    let at = |fits: &dyn Fn(&str) -> bool| columns.fields.iter().position(|field| fits(&field.name));
    let at = at(&|other| other == name).or_else(|| at(&|other| other.eq_ignore_ascii_case(name)))?;
    Some(text::taken(cell(row, at), columns.fields.get(at)?.shape))
}

struct Values<'a> {
    row: &'a MySqlRow,
    columns: &'a Columns,
}

impl Cells for Values<'_> {
    fn write(&self, at: usize, out: &mut Vec<u8>) {
        if let Some(field) = self.columns.fields.get(at) {
            text::write(out, cell(self.row, at), field.shape);
        }
    }

    fn size(&self, at: usize) -> usize {
        let is_long = self.columns.fields.get(at).is_some_and(|field| field.shape.is_long());
        if is_long { cell(self.row, at).map_or(0, <[u8]>::len) } else { 0 }
    }
}
