//! Floor 5. `SQLite`, in this process: reads on connections that cannot write, writes one at a time
//! in a transaction. Reference: `sql.md` §9.8, §9.10, §9.11 and `auth.md` §4.6.

mod connection;
mod fault;
mod identity;
mod open;
mod reading;
mod text;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use sqlx::sqlite::SqliteQueryResult;
use tokio::time::{Instant, timeout_at};

use self::{
    connection::Connection,
    identity::{FileId, Found},
    open::Site,
    reading::{End, Outcome, Work, collect},
    text::{Facts, Verb},
};
use super::{
    Answer, Column, Run, bind,
    pool::{Lease, Pool, Pooled as _},
    row::Written,
};
use crate::{
    plan::{
        self,
        sql::{Access, ExpectedRows},
    },
    upstream::error::{FailureClass, UpstreamError},
};

/// How long a statement waits for the lock of another process at most.
const MAX_BUSY: Duration = Duration::from_secs(5);

/// How much later than the engine the caller gives up: one that stops by itself keeps its
/// connection.
const GRACE: Duration = Duration::from_millis(100);

/// For statements of this program outside a call.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A `SQLite` database and the connections to it.
#[derive(Debug)]
pub(super) struct Sqlite {
    source: String,
    site: Site,
    reads: Pool<Connection>,
    /// `None` for a source that is read-only.
    writes: Option<Pool<Connection>>,
    statement_timeout: Duration,
}

/// As many connections as can be of use: each has a thread that computes, and more of them than
/// cores only take turns.
fn useful_connections() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().saturating_mul(2)).max(2)
}

/// Until when the work may go on, and how long that was at its start.
#[derive(Clone, Copy, Debug)]
struct Patience {
    deadline: Instant,
    allowed: Duration,
}

impl Patience {
    fn new(deadline: Instant, timeout: Duration) -> Self {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let allowed = left.min(timeout);
        Self { deadline: now + allowed, allowed }
    }

    fn left(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The work, unless it takes too long. What it holds is dropped then.
    async fn with<T>(self, work: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
        match timeout_at(self.deadline + GRACE, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(fault::timed_out(self.allowed)),
        }
    }
}

impl Sqlite {
    pub(super) fn new(name: &str, source: &plan::SqlSource, (path, init): (&Path, Option<&Path>)) -> Self {
        let access = if source.read_only { Access::Read } else { Access::Write };
        let busy_timeout = MAX_BUSY.min(source.statement_timeout);
        let site = Site::new(name, (path, init), busy_timeout);
        // A database in memory is its one connection, and that is never given up.
        let single = plan::Pool { max: 1, ..source.pool };
        let several = plan::Pool { max: source.pool.max.min(useful_connections()), ..source.pool };
        let reads = Pool::new(if site.is_memory() { plan::Pool { idle: Duration::MAX, ..single } } else { several });
        let writes = match access {
            Access::Read => None,
            Access::Write if site.is_memory() => Some(reads.clone()),
            Access::Write => Some(Pool::new(single)),
        };
        let statement_timeout = source.statement_timeout;
        Self { source: name.to_owned(), site, reads, writes, statement_timeout }
    }

    pub(super) async fn run(&self, request: Run<'_>) -> Result<Answer, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        let rendered = request
            .statement
            .render(&bind::Given(request.arguments))
            .map_err(|error| UpstreamError::new(FailureClass::Arguments, error.to_string()))?;
        let work = Work {
            arguments: bind::sqlite(&rendered.slots, request.arguments)?,
            sql: rendered.sql,
            access: request.access,
            returns: request.returns,
            limits: request.limits,
        };
        match request.access {
            Access::Read => patience.with(self.read(work, patience)).await,
            Access::Write => self.write(work, request.expect_rows, patience).await,
        }
    }

    async fn read(&self, work: Work, patience: Patience) -> Result<Answer, UpstreamError> {
        let mut lease = self.lease(Access::Read, patience).await?;
        let max_bytes = work.limits.max_bytes;
        let outcome = match self.execute(&mut lease, work, patience).await {
            Ok(outcome) => outcome,
            Err(failure) => return Err(self.failed(failure, lease, patience)),
        };
        lease.finish();
        let Some(rows) = outcome.rows.finish() else {
            let public = format!("the row has too many columns for {max_bytes} bytes, even with its texts cut");
            return Err(UpstreamError::new(FailureClass::TooLarge, public));
        };
        let Written { text, count, cut, cells_cut } = rows;
        Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: None, last_insert_id: None })
    }

    async fn write(
        &self,
        work: Work,
        expected: Option<ExpectedRows>,
        patience: Patience,
    ) -> Result<Answer, UpstreamError> {
        let begin = async {
            let mut lease = self.lease(Access::Write, patience).await?;
            match connection(&mut lease)?.run("BEGIN IMMEDIATE").await {
                Ok(()) => Ok(lease),
                Err(error) => Err(self.failed(error.into(), lease, patience)),
            }
        };
        let mut lease = patience.with(begin).await?;
        let verb = Facts::of(&work.sql).verb;
        let executed = patience.with(async { Ok(self.execute(&mut lease, work, patience).await) }).await?;
        let failure = match executed {
            Err(failure) => self.refusal(failure, patience),
            Ok(outcome) => {
                let counted = outcome.end.result().filter(|_| verb == Verb::Change);
                let affected = counted.map_or(0, SqliteQueryResult::rows_affected);
                match expected {
                    Some(expected) if !expected.allows(affected) => unexpected(expected, affected),
                    _ => return self.commit(lease, outcome, affected).await,
                }
            }
        };
        let connection = connection(&mut lease)?;
        connection.stop.never();
        // The engine ends a transaction by itself after some errors. Then this fails, and the
        // connection is given up: too rare to look further.
        if connection.run("ROLLBACK").await.is_ok() {
            lease.finish();
        }
        Err(failure)
    }

    /// Keeps what was written. From here on nothing stops it: a commit that is cut off may have
    /// happened or not.
    async fn commit(
        &self,
        mut lease: Lease<Connection>,
        outcome: Outcome,
        affected: u64,
    ) -> Result<Answer, UpstreamError> {
        let connection = connection(&mut lease)?;
        connection.stop.never();
        let inserted =
            outcome.end.result().map(SqliteQueryResult::last_insert_rowid).filter(|id| connection.inserted.has(*id));
        if let Err(error) = connection.run("COMMIT").await {
            let failure = fault::statement(&error, &self.source, self.statement_timeout);
            if connection.run("ROLLBACK").await.is_ok() {
                lease.finish();
            }
            return Err(failure);
        }
        lease.finish();
        let Some(rows) = outcome.rows.finish() else {
            let public = "the change was made and is kept, but the row that it gives has too many columns to be shown";
            return Err(UpstreamError::new(FailureClass::TooLarge, public));
        };
        let Written { text, count, cut, cells_cut } = rows;
        Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: Some(affected), last_insert_id: inserted })
    }

    /// Runs the statement of a call and reads its rows. The connection is clean afterwards unless
    /// the failure says otherwise.
    async fn execute(&self, lease: &mut Lease<Connection>, work: Work, patience: Patience) -> Result<Outcome, Failure> {
        let connection = connection(lease)?;
        let known = if let Some(known) = connection.recall(&work.sql) {
            self.permitted(known.facts, work.access)?;
            known
        } else {
            let facts = Facts::of(&work.sql);
            self.permitted(facts, work.access)?;
            connection.learn(&work.sql, facts).await?
        };
        let outcome = collect(connection, &known, work).await?;
        if matches!(outcome.end, End::Cut) {
            connection.settle().await?;
            connection.stop.at(patience.deadline.into_std());
        }
        if outcome.relaid.is_some() {
            connection.forget().await?;
        }
        Ok(outcome)
    }

    fn permitted(&self, facts: Facts, access: Access) -> Result<(), Failure> {
        if facts.is_permitted(access) {
            return Ok(());
        }
        let public = match (facts.verb, access) {
            (Verb::Session, Access::Write) => {
                format!("source `{}` does not run statements of this kind", self.source)
            }
            (_, _) => READ_ONLY.to_owned(),
        };
        Err(Failure::Kept(UpstreamError::new(FailureClass::Refused, public)))
    }

    /// A connection that permits what `access` says and nothing more.
    async fn lease(&self, access: Access, patience: Patience) -> Result<Lease<Connection>, UpstreamError> {
        let pool = match access {
            Access::Read => &self.reads,
            Access::Write => {
                self.writes.as_ref().ok_or_else(|| UpstreamError::new(FailureClass::Refused, READ_ONLY))?
            }
        };
        let Some(mut lease) = pool.acquire(patience.left()).await else {
            return Err(self.busy(access, pool.max()));
        };
        // Only now: waiting for a connection can take long.
        let file = self.file(access).await?;
        if lease.connection().is_some_and(|connection| connection.file != file)
            && let Some(stale) = lease.empty()
        {
            stale.retire().await;
        }
        let deadline = patience.deadline.into_std();
        let connection = match lease.connection() {
            Some(connection) => connection,
            None => lease.fill(self.site.connect(access, file).await?),
        };
        connection.stop.at(deadline);
        match connection.protect(access).await {
            Ok(()) => Ok(lease),
            Err(error) => Err(fault::statement(&error, &self.source, patience.allowed)),
        }
    }

    /// The file that a call must use. Connections that wait with another one are given up.
    async fn file(&self, access: Access) -> Result<Option<FileId>, UpstreamError> {
        let found = self.site.look(access).await;
        if let Ok(Some(Found::Other(_))) | Err(_) = found {
            tracing::warn!(source = self.source, "the database file was removed or replaced");
            self.reads.retire_idle().await;
            if let Some(writes) = &self.writes {
                writes.retire_idle().await;
            }
        }
        Ok(match found? {
            Some(Found::Same(file) | Found::Other(file)) => Some(file),
            Some(Found::Nothing) | None => None,
        })
    }

    fn busy(&self, access: Access, connections: usize) -> UpstreamError {
        let source = &self.source;
        let public = match access {
            _ if connections == 1 => format!("the connection of source `{source}` is in use"),
            Access::Read => {
                format!("all {connections} connections of source `{source}` are in use")
            }
            Access::Write => format!("the connections for writes of source `{source}` are in use"),
        };
        UpstreamError::new(FailureClass::Busy, public)
    }

    /// The error of a failure. The connection goes back if it is as good as before.
    fn failed(&self, failure: Failure, lease: Lease<Connection>, patience: Patience) -> UpstreamError {
        if failure.leaves_connection_clean() {
            lease.finish();
        }
        self.refusal(failure, patience)
    }

    fn refusal(&self, failure: Failure, patience: Patience) -> UpstreamError {
        match failure {
            Failure::Kept(error) => error,
            Failure::Engine(error) => fault::statement(&error, &self.source, patience.allowed),
        }
    }

    pub(super) async fn describe(&self, sql: &str) -> Result<Vec<Column>, UpstreamError> {
        let patience = Patience::new(Instant::now() + PROBE_TIMEOUT, self.statement_timeout);
        let sql: Arc<str> = sql.into();
        // Some statements act as soon as they are prepared.
        if Facts::of(&sql).verb == Verb::Session {
            return Err(UpstreamError::new(FailureClass::Refused, READ_ONLY));
        }
        let describe = async {
            let mut lease = self.lease(Access::Read, patience).await?;
            match connection(&mut lease)?.describe(&sql).await {
                Ok(columns) => {
                    lease.finish();
                    Ok(columns)
                }
                Err(error) => Err(self.failed(error.into(), lease, patience)),
            }
        };
        patience.with(describe).await
    }

    pub(super) async fn ready(&self) -> Result<(), UpstreamError> {
        let patience = Patience::new(Instant::now() + PROBE_TIMEOUT, self.statement_timeout);
        let probe = async {
            // A connection that is open works on after its file is gone.
            self.site.expire();
            let mut lease = self.lease(Access::Read, patience).await?;
            match connection(&mut lease)?.run("SELECT 1 FROM sqlite_schema LIMIT 1").await {
                Ok(()) => {
                    lease.finish();
                    Ok(())
                }
                Err(error) => Err(self.failed(error.into(), lease, patience)),
            }
        };
        patience.with(probe).await
    }

    pub(super) async fn close(&self) {
        self.reads.close().await;
        if let Some(writes) = &self.writes {
            writes.close().await;
        }
        self.site.close().await;
    }
}

const READ_ONLY: &str = "the source is read-only";

/// Why a statement on a connection failed.
#[derive(Debug)]
enum Failure {
    /// Nothing was sent to the engine.
    Kept(UpstreamError),
    /// What the engine or its driver said.
    Engine(sqlx::Error),
}

impl Failure {
    fn leaves_connection_clean(&self) -> bool {
        match self {
            Self::Kept(_) => true,
            Self::Engine(error) => fault::leaves_connection_clean(error),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self::Kept(error)
    }
}

fn connection(lease: &mut Lease<Connection>) -> Result<&mut Connection, UpstreamError> {
    lease.connection().ok_or_else(|| {
        UpstreamError::new(FailureClass::Internal, "an internal error occurred")
            .caused_by("a lease without a connection")
    })
}

fn unexpected(expected: ExpectedRows, affected: u64) -> UpstreamError {
    let rows = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    let expected = match expected {
        ExpectedRows::Exactly(count) => format!("exactly {}", rows(count)),
        ExpectedRows::AtMost(count) => format!("at most {}", rows(count)),
    };
    let public = format!("nothing was changed: {} would have been affected, and {expected} may be", rows(affected));
    let class = if affected == 0 { FailureClass::Missing } else { FailureClass::Refused };
    UpstreamError::new(class, public)
}
