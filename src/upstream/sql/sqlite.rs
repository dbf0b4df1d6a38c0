//! Floor 5. `SQLite`, in this process: reads on connections that cannot write, writes one at a time
//! in a transaction. Reference: `sql.md` §9.8, §9.10, §9.11 and `auth.md` §4.6.

//!
//! A statement runs on a thread that may wait, except for reads that have shown to be quick: those run
//! where they were asked for, because the switch to another thread costs several times what they do.

mod connection;
mod fault;
mod gate;
mod identity;
mod open;
mod pace;
mod prepare;
mod stop;
#[cfg(test)]
mod tests;
mod text;
mod transaction;
mod work;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use futures_util::future::FutureExt as _;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use self::{
    connection::{Connection, Waiting},
    identity::{FileId, Found},
    open::Site,
    pace::{GLANCE, LONG},
    stop::Stopping,
    text::Verb,
    transaction::Planned,
    work::{Change, Work},
};
use super::{
    Answer, Column, Prepared, Repeat, Run, Transact, bind,
    pool::{Lease, Pool, Pooled as _},
    remote::unexpected,
    row::{JsonRows, Written},
    transaction::Which,
};
use crate::{
    heap,
    plan::{self, sql::Access},
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

    /// Of what this program asks outside a call, however short the source's statements are held.
    fn of_a_probe() -> Self {
        Self::new(Instant::now() + PROBE_TIMEOUT, PROBE_TIMEOUT)
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
        // Less than the statement may take: that it waited for a lock says more than that it took too long.
        let busy_timeout = MAX_BUSY.min(source.statement_timeout / 10 * 9);
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
            values: bind::values(&rendered.slots, request.arguments)?,
            sql: rendered.sql,
            access: request.access,
            returns: request.returns,
            limits: request.limits,
            expected: request.expect_rows,
        };
        if request.access == Access::Write {
            // On the heap, so that reads do not carry its state along.
            return self.write(work, request.repeat, patience).boxed().await;
        }
        let mut lease = patience.with(heap::place(|| self.lease(Access::Read, patience))).await?;
        let max_bytes = work.limits.max_bytes;
        let rows = match glance(connection(&mut lease)?, &work, patience) {
            Some(rows) => self.settle(lease, rows, patience)?,
            None => self.apart(lease, patience, move |connection| watch(connection, &work)).boxed().await?,
        };
        let Some(Written { text, count, cut, cells_cut }) = rows.finish() else {
            let public = format!("the row has too many columns for {max_bytes} bytes, even with its texts cut");
            return Err(UpstreamError::new(FailureClass::TooLarge, public));
        };
        Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: None, last_insert_id: None })
    }

    pub(super) async fn transact(&self, request: Transact<'_>) -> Result<Vec<Answer>, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        let parts: Arc<[Planned]> = transaction::plan(&request)?.into();
        loop {
            let lease = patience.with(self.lease(Access::Write, patience)).await?;
            let again = Arc::clone(&parts);
            match self.apart(lease, patience, move |connection| connection.transact(&again)).await {
                Err(error) if is_repeatable(&error, request.repeat, patience) => {}
                Err(error) => return Err(error),
                Ok(changes) => return changes.into_iter().map(answer).collect(),
            }
        }
    }

    async fn write(&self, work: Work, repeat: Repeat, patience: Patience) -> Result<Answer, UpstreamError> {
        let work = Arc::new(work);
        loop {
            let lease = patience.with(self.lease(Access::Write, patience)).await?;
            let again = Arc::clone(&work);
            match self.apart(lease, patience, move |connection| connection.write(&again)).await {
                Err(error) if is_repeatable(&error, repeat, patience) => {}
                Err(error) => return Err(error),
                Ok(change) => return answer(change),
            }
        }
    }

    /// Runs work on a thread that may wait. A call that goes away or runs out of time stops it; the
    /// connection goes back when it has ended, and not before.
    async fn apart<T: Send + 'static>(
        &self,
        mut lease: Lease<Connection>,
        patience: Patience,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, UpstreamError> {
        let turn = connection(&mut lease)?.stop.begin(patience.deadline.into_std());
        let mut task = spawn_blocking(move || {
            let Some(connection) = lease.connection() else { return Err(Failure::Kept(nobody())) };
            let done = work(connection);
            connection.stop.end();
            if done.as_ref().err().is_none_or(Failure::leaves_connection_clean) {
                lease.finish();
            }
            done
        });
        let done = match timeout_at(patience.deadline + GRACE, &mut task).await {
            Ok(done) => done,
            Err(_) if turn.stop() == Stopping::Soon => return Err(fault::timed_out(patience.allowed)),
            // A commit that has begun is waited for: its outcome must be told.
            Err(_) => task.await,
        };
        match done {
            Ok(done) => done.map_err(|failure| self.refusal(failure, patience)),
            Err(_) => Err(nobody()),
        }
    }

    /// Gives the connection back after work that ran where it was asked for.
    fn settle<T>(
        &self,
        lease: Lease<Connection>,
        done: Result<T, Failure>,
        patience: Patience,
    ) -> Result<T, UpstreamError> {
        if done.as_ref().err().is_none_or(Failure::leaves_connection_clean) {
            lease.finish();
        }
        done.map_err(|failure| self.refusal(failure, patience))
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
            stale.retire().boxed().await;
        }
        if lease.connection().is_none() {
            lease.fill(self.site.connect(access, file).boxed().await?);
        }
        Ok(lease)
    }

    /// The file that a call must use. Connections that wait with another one are given up.
    async fn file(&self, access: Access) -> Result<Option<FileId>, UpstreamError> {
        let found = self.site.look(access).await;
        if let Ok(Some(Found::Other(_))) | Err(_) = found {
            tracing::warn!(source = self.source, "the database file was removed or replaced");
            self.reads.retire_idle().boxed().await;
            if let Some(writes) = &self.writes {
                writes.retire_idle().boxed().await;
            }
        }
        Ok(match found? {
            Some(Found::Same(file) | Found::Other(file)) => Some(file),
            Some(Found::Nothing) | None => None,
        })
    }

    #[cold]
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

    #[cold]
    fn refusal(&self, failure: Failure, patience: Patience) -> UpstreamError {
        let source = &self.source;
        match failure {
            Failure::Kept(error) => error,
            Failure::Engine(error) | Failure::Dirty(error) => fault::statement(&error, source, patience.allowed),
            Failure::Value(cause) => {
                UpstreamError::new(FailureClass::Internal, "a value could not be read").caused_by(cause)
            }
            Failure::NotPermitted(Access::Write) => {
                let public = format!("source `{source}` does not run statements of this kind");
                UpstreamError::new(FailureClass::Refused, public)
            }
            Failure::NotPermitted(Access::Read) => UpstreamError::new(FailureClass::Refused, READ_ONLY),
            Failure::Within(which, failure) => which.undone(self.refusal(*failure, patience)),
        }
    }

    pub(super) async fn describe(&self, sql: &str) -> Result<Vec<Column>, UpstreamError> {
        let patience = Patience::of_a_probe();
        let sql: Arc<str> = sql.into();
        // Some statements act as soon as they are prepared.
        if Verb::of(&sql) == Verb::Session {
            return Err(UpstreamError::new(FailureClass::Refused, READ_ONLY));
        }
        let lease = patience.with(self.lease(Access::Read, patience)).await?;
        self.apart(lease, patience, move |connection| Ok(connection.describe(&sql)?)).await
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Prepared, UpstreamError> {
        let patience = Patience::of_a_probe();
        let sql: Arc<str> = sql.into();
        if Verb::of(&sql) == Verb::Session {
            return Err(UpstreamError::new(FailureClass::Refused, READ_ONLY));
        }
        let lease = patience.with(self.lease(Access::Read, patience)).await?;
        self.apart(lease, patience, move |connection| Ok(connection.prepare(&sql)?)).await
    }

    pub(super) async fn ready(&self) -> Result<(), UpstreamError> {
        let patience = Patience::of_a_probe();
        // A connection that is open works on after its file is gone.
        self.site.expire();
        let lease = patience.with(self.lease(Access::Read, patience)).await?;
        let probe = |connection: &mut Connection| Ok(connection.run("SELECT 1 FROM sqlite_schema LIMIT 1")?);
        self.apart(lease, patience, probe).await
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

/// Whether a write is tried once more that others have kept from its locks: nothing of it was done.
fn is_repeatable(error: &UpstreamError, repeat: Repeat, patience: Patience) -> bool {
    error.class() == FailureClass::Busy && repeat == Repeat::AfterCollision && !patience.left().is_zero()
}

/// What a change that is kept gives.
fn answer(change: Change) -> Result<Answer, UpstreamError> {
    let Change { rows, affected, last_insert_id } = change;
    let Some(Written { text, count, cut, cells_cut }) = rows.finish() else {
        let public = "the change was made and is kept, but the row that it gives has too many columns to be shown";
        return Err(UpstreamError::new(FailureClass::TooLarge, public));
    };
    Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: Some(affected), last_insert_id })
}

/// Reads where it was asked for, if the statement has shown to be quick. `None` when it has not, or
/// is not today: then nothing has happened.
fn glance(connection: &mut Connection, work: &Work, patience: Patience) -> Option<Result<JsonRows, Failure>> {
    if !connection.recall(&work.sql).pace.is_quick() {
        return None;
    }
    let began = Instant::now();
    if began >= patience.deadline {
        return None;
    }
    let turn = connection.stop.glance(GLANCE);
    let read = connection.wait_for_locks(Waiting::Never).map_err(Failure::from).and_then(|()| connection.read(work));
    drop(turn);
    connection.stop.end();
    match read {
        Err(Failure::Engine(error)) if fault::is_interrupt(&error) || fault::is_busy(&error) => {
            connection.recall(&work.sql).pace.mistaken();
            None
        }
        read => {
            if began.elapsed() > LONG {
                connection.recall(&work.sql).pace.mistaken();
            }
            Some(read)
        }
    }
}

/// Reads on a thread that may wait, and notes how long it takes.
fn watch(connection: &mut Connection, work: &Work) -> Result<JsonRows, Failure> {
    connection.wait_for_locks(Waiting::Allowed)?;
    let began = Instant::now();
    let rows = connection.read(work)?;
    let (steps, taken) = (connection.steps, began.elapsed());
    connection.recall(&work.sql).pace.note(steps, taken);
    Ok(rows)
}

/// Why a statement on a connection failed.
#[derive(Debug)]
enum Failure {
    /// It was refused without the engine.
    Kept(UpstreamError),
    /// A call of this kind may not do what the statement does.
    NotPermitted(Access),
    /// What the engine or its driver said.
    Engine(rusqlite::Error),
    /// What the engine said, and a transaction may be open.
    Dirty(rusqlite::Error),
    /// A value that the driver could not give.
    Value(super::row::Fault),
    /// The failure of one statement of several.
    Within(Which, Box<Self>),
}

impl Failure {
    fn leaves_connection_clean(&self) -> bool {
        match self {
            Self::Kept(_) | Self::NotPermitted(_) | Self::Value(_) => true,
            Self::Engine(error) => fault::leaves_connection_clean(error),
            Self::Dirty(_) => false,
            Self::Within(_, failure) => failure.leaves_connection_clean(),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self::Kept(error)
    }
}

fn connection(lease: &mut Lease<Connection>) -> Result<&mut Connection, UpstreamError> {
    lease.connection().ok_or_else(nobody)
}

#[cold]
fn nobody() -> UpstreamError {
    UpstreamError::new(FailureClass::Internal, "an internal error occurred").caused_by("a call without a connection")
}
