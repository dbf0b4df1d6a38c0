//! Floor 5. One statement of a call on a connection, from its values to its rows or its commit. Runs
//! on whatever thread it is called on, until its end or until the switch stops it.

use std::{ops::ControlFlow, sync::Arc};

use rusqlite::{CachedStatement, Row, StatementStatus, types::ValueRef};

use super::{
    Failure,
    connection::{Connection, layout},
    fault,
    text::Verb,
};
use crate::{
    plan::sql::{Access, ExpectedRows, Returns},
    upstream::sql::{
        Limits,
        bind::Bindable,
        row::{Cell, EngineRow, Fault, JsonRows, Layout, Take},
    },
};

/// What is left of a request when it comes to a connection.
pub(super) struct Work {
    pub(super) sql: Arc<str>,
    pub(super) values: Vec<Bindable>,
    pub(super) access: Access,
    pub(super) returns: Returns,
    pub(super) limits: Limits,
    pub(super) expected: Option<ExpectedRows>,
}

/// What a write did.
pub(super) struct Change {
    pub(super) rows: JsonRows,
    pub(super) affected: u64,
    pub(super) last_insert_id: Option<i64>,
}

impl EngineRow for Row<'_> {
    fn cell(&self, at: usize) -> Result<Cell<'_>, Fault> {
        Ok(match self.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(text) => Cell::Text(text),
            ValueRef::Blob(bytes) => Cell::Blob(bytes),
        })
    }
}

impl Connection {
    /// Runs a statement that reads.
    pub(super) fn read(&mut self, work: &Work) -> Result<JsonRows, Failure> {
        self.protect(Access::Read)?;
        self.execute(work)
    }

    /// Runs a statement in a transaction of its own, and keeps what it did. Until the commit begins
    /// the call can still be stopped, and then nothing is kept.
    pub(super) fn write(&mut self, work: &Work) -> Result<Change, Failure> {
        self.kept(|connection| connection.change(work))
    }

    /// Does work in a transaction, and keeps what it did unless it fails.
    pub(super) fn kept<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.protect(Access::Write)?;
        self.run("BEGIN IMMEDIATE")?;
        let changed = work(self).and_then(|change| {
            if !self.stop.keep() {
                return Err(fault::interrupted().into());
            }
            self.run("COMMIT")?;
            Ok(change)
        });
        if changed.is_err() && !self.sqlite.is_autocommit() {
            self.stop.end();
            self.run("ROLLBACK").map_err(Failure::Dirty)?;
        }
        changed
    }

    fn change(&mut self, work: &Work) -> Result<Change, Failure> {
        self.inserted.forget();
        let rows = self.execute(work)?;
        let affected = if Verb::of(&work.sql) == Verb::Change { self.sqlite.changes() } else { 0 };
        if let Some(expected) = work.expected
            && !expected.allows(affected)
        {
            return Err(Failure::Kept(super::unexpected(expected, affected)));
        }
        let id = self.sqlite.last_insert_rowid();
        Ok(Change { rows, affected, last_insert_id: self.inserted.has(id).then_some(id) })
    }

    /// Runs the statement and reads its rows. A read ends when no further row would be taken; a
    /// write goes on to its end all the same.
    fn execute(&mut self, work: &Work) -> Result<JsonRows, Failure> {
        let known = self.recall(&work.sql);
        if !known.verb.is_permitted(work.access) {
            return Err(Failure::NotPermitted(work.access));
        }
        let (mut remembered, expected) = (known.layout.clone(), known.bytes);
        self.gate.serve(work.access.into());
        let mut statement = self.sqlite.prepare_cached(&work.sql)?;
        if work.access == Access::Read && !statement.readonly() {
            return Err(Failure::NotPermitted(work.access));
        }
        for (at, value) in work.values.iter().enumerate() {
            bind(&mut statement, at, value)?;
        }
        let (take, max_rows) = match work.returns {
            Returns::Rows => (Some(Take::All), work.limits.max_rows),
            Returns::Row => (Some(Take::All), 1),
            Returns::Value => (Some(Take::First), 1),
            Returns::Affected => (None, 0),
        };
        let is_single = work.access == Access::Read && matches!(work.returns, Returns::Row | Returns::Value);
        let mut written = JsonRows::new(expected, Limits { max_rows, ..work.limits });
        let mut current: Option<Arc<Layout>> = None;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let Some(take) = take else { continue };
            let laid = current.get_or_insert_with(|| laid(row, &mut remembered));
            let full = written.push(row, laid, take).map_err(Failure::Value)? == ControlFlow::Break(());
            if is_single || (full && work.access == Access::Read) {
                break;
            }
        }
        drop(rows);
        let steps = statement.reset_status(StatementStatus::VmStep);
        drop(statement);
        self.steps = u32::try_from(steps).unwrap_or(u32::MAX);
        if let Some(current) = current {
            let known = self.recall(&work.sql);
            (known.layout, known.bytes) = (Some(current), written.bytes());
        }
        Ok(written)
    }
}

/// The layout that was remembered, or a new one when the schema has changed since.
pub(super) fn laid(row: &Row<'_>, remembered: &mut Option<Arc<Layout>>) -> Arc<Layout> {
    let statement: &rusqlite::Statement<'_> = row.as_ref();
    remembered
        .take()
        .filter(|layout| layout.fits(statement.column_names()))
        .unwrap_or_else(|| Arc::new(layout(statement)))
}

pub(super) fn bind(statement: &mut CachedStatement<'_>, at: usize, value: &Bindable) -> rusqlite::Result<()> {
    match value {
        Bindable::Null => statement.raw_bind_parameter(at + 1, rusqlite::types::Null),
        Bindable::Integer(number) => statement.raw_bind_parameter(at + 1, number),
        Bindable::Real(number) => statement.raw_bind_parameter(at + 1, number),
        Bindable::Text(text) => statement.raw_bind_parameter(at + 1, text.as_str()),
    }
}
