//! Floor 5. Several statements of one call in one transaction on a connection. Values that later ones
//! take of earlier ones keep their storage class: nothing passes through JSON.

use std::sync::Arc;

use rusqlite::{CachedStatement, Row, types::Value};

use super::{
    Failure,
    connection::Connection,
    text::Verb,
    work::{Change, bind, laid},
};
use crate::{
    plan::sql::{Access, ExpectedRows, Returns},
    upstream::{
        error::UpstreamError,
        sql::{
            Limits, Transact,
            bind::{Bindable, bindable},
            row::{JsonRows, Layout, Take},
            transaction::{Earlier, Wanted, What, Which, wanted},
        },
    },
};

/// One statement of a transaction, with all that can be known before it runs.
pub(super) struct Planned {
    sql: Arc<str>,
    values: Vec<Slotted>,
    returns: Returns,
    limits: Limits,
    expected: Option<ExpectedRows>,
    /// What later statements take of it.
    wanted: Vec<Wanted>,
    which: Which,
}

/// What is bound to a placeholder.
enum Slotted {
    Given(Bindable),
    /// A value of an earlier statement, such as `order.id`.
    Earlier(Arc<str>),
}

/// What a statement came to.
struct Done {
    change: Change,
    /// How many rows it affected, or found where it only reads.
    came_to: u64,
}

/// The statements with their texts and the arguments of the call.
///
/// # Errors
///
/// When the arguments do not fit.
pub(super) fn plan(request: &Transact<'_>) -> Result<Vec<Planned>, UpstreamError> {
    let texts = request.render()?;
    let parts = request.parts.iter().zip(&texts).enumerate().map(|(at, (part, text))| {
        let values = text.slots.iter().map(|slot| {
            if slot.param.contains('.') {
                return Ok(Slotted::Earlier(Arc::clone(&slot.param)));
            }
            bindable(slot, request.arguments.get(slot.param.as_ref())).map(Slotted::Given)
        });
        Ok(Planned {
            sql: Arc::clone(&text.sql),
            values: values.collect::<Result<_, UpstreamError>>()?,
            returns: part.query.returns,
            limits: request.limits(part),
            expected: part.query.expect_rows,
            wanted: wanted(request.parts, &texts, at),
            which: Which::new(at, part),
        })
    });
    parts.collect()
}

impl Connection {
    /// Runs the statements in a transaction of their own, and keeps all they did, or nothing. Until the
    /// commit begins the call can still be stopped.
    pub(super) fn transact(&mut self, parts: &[Planned]) -> Result<Vec<Change>, Failure> {
        self.kept(|connection| {
            let mut earlier = Earlier::default();
            parts.iter().map(|part| connection.part(part, &mut earlier)).collect()
        })
    }

    fn part(&mut self, part: &Planned, earlier: &mut Earlier<Value>) -> Result<Change, Failure> {
        self.inserted.forget();
        let within = |failure| Failure::Within(part.which.clone(), Box::new(failure));
        let (mut done, columns) = self.step(part, earlier).map_err(within)?;
        if let Some(expected) = part.expected
            && !expected.allows(done.came_to)
        {
            return Err(Failure::Kept(part.which.unexpected(expected, done.came_to)));
        }
        let id = self.sqlite.last_insert_rowid();
        done.change.last_insert_id = self.inserted.has(id).then_some(id);
        for wanted in &part.wanted {
            let value = match &wanted.what {
                What::Column(column) => columns.take(column, &part.which)?,
                What::Affected => Value::Integer(i64::try_from(done.change.affected).unwrap_or(i64::MAX)),
                What::LastInsertId => done.change.last_insert_id.map_or(Value::Null, Value::Integer),
            };
            earlier.keep(&wanted.whole, value);
        }
        Ok(done.change)
    }

    /// Runs one statement to its end, whatever of its rows is shown.
    fn step(&mut self, part: &Planned, earlier: &Earlier<Value>) -> Result<(Done, First), Failure> {
        let known = self.recall(&part.sql);
        let (verb, mut remembered) = (known.verb, known.layout.clone());
        if !verb.is_permitted(Access::Write) {
            return Err(Failure::NotPermitted(Access::Write));
        }
        self.gate.serve(Access::Write.into());
        let mut statement = self.sqlite.prepare_cached(&part.sql)?;
        for (at, value) in part.values.iter().enumerate() {
            match value {
                Slotted::Given(value) => bind(&mut statement, at, value)?,
                Slotted::Earlier(whole) => bind_earlier(&mut statement, at, earlier.get(whole))?,
            }
        }
        let (take, max_rows) = match part.returns {
            Returns::Rows => (Some(Take::All), part.limits.max_rows),
            Returns::Row => (Some(Take::All), part.limits.max_rows.min(1)),
            Returns::Value => (Some(Take::First), part.limits.max_rows.min(1)),
            Returns::Affected => (None, 0),
        };
        let mut written = JsonRows::new(0, Limits { max_rows, ..part.limits });
        let (mut found, mut first) = (0_u64, First::default());
        let mut current: Option<Arc<Layout>> = None;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if found == 0 && !part.wanted.is_empty() {
                first = First::of(row)?;
            }
            found += 1;
            let Some(take) = take else { continue };
            let laid = current.get_or_insert_with(|| laid(row, &mut remembered));
            // Reading on costs nothing here: the statement must come to its end all the same.
            let _ = written.push(row, laid, take).map_err(Failure::Value)?;
        }
        drop(rows);
        drop(statement);
        if let Some(current) = current {
            self.recall(&part.sql).layout = Some(current);
        }
        let affected = if verb == Verb::Change { self.sqlite.changes() } else { 0 };
        let came_to = if verb == Verb::Change { affected } else { found };
        Ok((Done { change: Change { rows: written, affected, last_insert_id: None }, came_to }, first))
    }
}

fn bind_earlier(statement: &mut CachedStatement<'_>, at: usize, value: Option<&Value>) -> rusqlite::Result<()> {
    match value {
        Some(value) => statement.raw_bind_parameter(at + 1, value),
        None => statement.raw_bind_parameter(at + 1, rusqlite::types::Null),
    }
}

/// The first row of a statement, with the names of its columns; `None` where there was none.
#[derive(Default)]
struct First(Option<Vec<(String, Value)>>);

impl First {
    fn of(row: &Row<'_>) -> Result<Self, Failure> {
        let statement: &rusqlite::Statement<'_> = row.as_ref();
        let columns = statement
            .column_names()
            .map(str::to_owned)
            .enumerate()
            .map(|(at, name)| Ok((name, row.get::<_, Value>(at)?)));
        Ok(Self(Some(columns.collect::<rusqlite::Result<_>>()?)))
    }

    fn take(&self, column: &str, which: &Which) -> Result<Value, Failure> {
        let Some(columns) = &self.0 else { return Err(Failure::Kept(which.no_row())) };
        // As SQL does it: a name is the same in any case, and exact first.
        let exact = columns.iter().find(|(name, _)| name == column);
        let found = exact.or_else(|| columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)));
        found.map(|(_, value)| value.clone()).ok_or_else(|| Failure::Kept(which.no_column(column)))
    }
}
