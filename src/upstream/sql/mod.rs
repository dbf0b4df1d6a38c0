//! Floor 5. Databases: one statement in, its rows out as JSON text. The only place that names
//! `sqlx`, and `rusqlite`. Serves the calls of tools, `check --connect` and readiness.

mod asking;
mod bind;
mod mysql;
mod played;
mod pool;
mod postgres;
mod preview;
mod remote;
mod row;
mod sqlite;
mod tables;
#[cfg(test)]
mod tests;
mod transaction;

use std::{path::Path, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::{Map, Value};
use tokio::time::Instant;

use self::{asking::Asking, mysql::Mysql, played::Played, postgres::Postgres, sqlite::Sqlite};
use super::{
    error::UpstreamError,
    tape::{Asked, Tape},
};
use crate::{
    catalog::{Column, Prepared},
    heap,
    plan::{
        self,
        sql::{Access, ExpectedRows, Rendered, Returns, Statement},
    },
    secret::Vault,
};

pub use preview::{BoundValue, Preview, preview, preview_all};
pub use transaction::Transact;

/// One database and the connections to it.
#[derive(Debug)]
pub struct SqlUpstream {
    engine: Engine,
    tape: Option<Arc<Tape>>,
}

/// The engines. Each has its own connections, values and errors; all share pool and row text.
#[derive(Debug)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
    Mysql(Box<Mysql>),
    /// None: the stubs of a test.
    Played(Played),
}

/// One statement to run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The compiled statement.
    pub statement: &'a Statement,
    /// Whether it may change data. A read cannot, whatever its text says.
    pub access: Access,
    /// The values of the params, by name.
    pub arguments: &'a Map<String, Value>,
    /// Which rows come back.
    pub returns: Returns,
    /// How many rows a write must affect to be kept.
    pub expect_rows: Option<ExpectedRows>,
    /// Whether a write is tried again when its transaction collided with another.
    pub repeat: Repeat,
    /// Settings of the transaction, by name: what row-level security goes by.
    pub session: &'a [(String, String)],
    /// How much may come back.
    pub limits: Limits,
    /// When the call is over. The source's own statement timeout may come first.
    pub deadline: Instant,
}

/// Whether a write is tried again when its transaction collided with another and was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Never: nobody said that twice is the same as once.
    Never,
    /// A few times.
    AfterCollision,
}

/// How much may come back. Both are reached on whole rows; only of a first row that is larger than
/// all that may come back the longest texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows at most.
    pub max_rows: usize,
    /// Bytes of [`Answer::rows`] at most.
    pub max_bytes: usize,
}

/// What a statement gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rows as JSON text, `[{"id":1},…]`. One row at most for [`Returns::Row`], one row with one
    /// column for [`Returns::Value`], none for [`Returns::Affected`].
    pub rows: Vec<u8>,
    /// How many rows [`Answer::rows`] has.
    pub row_count: usize,
    /// The limit that kept further rows out.
    pub cut: Option<Cut>,
    /// Whether the first row was larger than [`Limits::max_bytes`], so that its longest texts end
    /// with `… (cut)`.
    pub cells_cut: bool,
    /// Writes only: how many rows were affected.
    pub affected: Option<u64>,
    /// Writes only: the id of the row that was added last, where the engine has one.
    pub last_insert_id: Option<i64>,
}

/// The limit at which reading stopped while there were more rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// [`Limits::max_rows`].
    Rows,
    /// [`Limits::max_bytes`].
    Bytes,
}

impl SqlUpstream {
    /// A database that connections are made to on demand: one that is not there never stops the
    /// start. Does no I/O. `name` is the source's name in public sentences.
    #[must_use]
    pub fn new(name: &str, source: &plan::SqlSource, vault: &Vault) -> Self {
        let engine = match &source.engine {
            plan::Engine::Sqlite { path, init } => Engine::Sqlite(Sqlite::new(name, source, (path, init.as_deref()))),
            plan::Engine::Postgres(remote) => Engine::Postgres(Box::new(Postgres::new(name, source, remote, vault))),
            plan::Engine::Mysql(remote) => Engine::Mysql(Box::new(Mysql::new(name, source, remote, vault))),
        };
        Self { engine, tape: None }
    }

    /// Takes down what is asked and answered from here on.
    pub(super) fn record(&mut self, tape: &Arc<Tape>) {
        self.tape = Some(Arc::clone(tape));
    }

    /// A database whose answers come from a tape, or one of `SQLite` that is made at a place of its own.
    pub(super) fn played((name, source): (&str, &plan::SqlSource), own: Option<&Path>, tape: &Arc<Tape>) -> Self {
        let engine = match (own, &source.engine) {
            (Some(path), plan::Engine::Sqlite { init, .. }) => {
                Engine::Sqlite(Sqlite::new(name, source, (path, init.as_deref())))
            }
            _ => Engine::Played(Played::new(Arc::clone(tape))),
        };
        Self { engine, tape: Some(Arc::clone(tape)) }
    }

    /// Runs one statement. A call that is dropped interrupts it.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit the statement, no connection is free in time, the database is
    /// not available or refuses, or the time is up. Nothing of a write is kept then; only when
    /// the connection is lost during the commit itself the outcome is unknown, and when the row that
    /// a write gives is too large the change was made, as the error says.
    pub async fn run(&self, request: Run<'_>) -> Result<Answer, UpstreamError> {
        match &self.tape {
            None => self.execute(request).await,
            Some(tape) => {
                take_down(tape, &request)?;
                let answer = self.execute(request).await?;
                let rows = serde_json::from_slice(&answer.rows).unwrap_or_default();
                tape.rows(rows, (answer.affected, answer.last_insert_id));
                Ok(answer)
            }
        }
    }

    async fn execute(&self, request: Run<'_>) -> Result<Answer, UpstreamError> {
        // On the heap: every future above would be larger by as much.
        let run: BoxFuture<'_, _> = match &self.engine {
            Engine::Sqlite(sqlite) => heap::place(|| sqlite.run(request)),
            Engine::Postgres(postgres) => heap::place(|| postgres.run(request)),
            Engine::Mysql(mysql) => heap::place(|| mysql.run(request)),
            Engine::Played(played) => return played.run(&request),
        };
        run.await
    }

    /// Runs several statements in one transaction, and keeps them together or not at all. A call that is
    /// dropped stops what runs, and nothing is kept. The answers are in the order of the statements.
    ///
    /// # Errors
    ///
    /// As for [`SqlUpstream::run`], for all statements together; and when a statement affects or finds
    /// another number of rows than it may, or not the row that a later one takes a value of.
    pub async fn transact(&self, request: Transact<'_>) -> Result<Vec<Answer>, UpstreamError> {
        let taped = match &self.tape {
            Some(tape) => Some((tape, Asking::of(&request)?)),
            None => None,
        };
        let answers = match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.transact(request).boxed().await,
            Engine::Postgres(postgres) => postgres.transact(request).boxed().await,
            Engine::Mysql(mysql) => mysql.transact(request).boxed().await,
            // It takes down by itself what is asked, statement by statement.
            Engine::Played(played) => return played.transact(&request),
        };
        if let Some((tape, asking)) = taped {
            asking.take_down(tape, answers.as_deref().unwrap_or_default());
        }
        answers
    }

    /// The columns of a statement in one of its forms, which is prepared and not run.
    ///
    /// # Errors
    ///
    /// When the database is not available or does not accept the statement.
    pub async fn describe(&self, statement: &Statement, form: &Rendered) -> Result<Vec<Column>, UpstreamError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.describe(&form.sql).await,
            Engine::Postgres(postgres) => postgres.describe(statement, form).await,
            Engine::Mysql(mysql) => mysql.describe(form).await,
            Engine::Played(_) => Err(Played::absent()),
        }
    }

    /// What the database says about a statement in one of its forms, which is prepared and not run.
    ///
    /// # Errors
    ///
    /// When the database is not available or does not accept the statement.
    pub async fn prepare(&self, statement: &Statement, form: &Rendered) -> Result<Prepared, UpstreamError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.prepare(&form.sql).await,
            Engine::Postgres(postgres) => postgres.inspect(statement, form).await,
            Engine::Mysql(mysql) => mysql.inspect(statement, form).await,
            Engine::Played(_) => Err(Played::absent()),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn ready(&self) -> Result<(), UpstreamError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.ready().await,
            Engine::Postgres(postgres) => postgres.ready().await,
            Engine::Mysql(mysql) => mysql.ready().await,
            Engine::Played(_) => Ok(()),
        }
    }

    /// Refuses further calls and closes the connections that are not in use.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
            Engine::Mysql(mysql) => mysql.close().await,
            Engine::Played(_) => {}
        }
    }
}

/// Takes down the statement of a call with what is bound in it.
fn take_down(tape: &Tape, request: &Run<'_>) -> Result<(), UpstreamError> {
    let looked = preview::of(request.statement, request.arguments)?;
    let values = looked.values.into_iter().map(|bound| bound.value).collect();
    tape.ask(Asked::Statement { sql: looked.sql.to_string(), values });
    Ok(())
}
