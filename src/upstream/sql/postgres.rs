//! Floor 5. PostgreSQL, by its own protocol over connections of ours. A read is one exchange of
//! messages in a transaction that cannot write and is undone; values travel as text, so that the
//! server decides what each type looks like; of a read, the few types of `binary` do not. Reference: `sql.md` §9, `auth.md` §4.6.
//!
//! `sqlx` drives MySQL and MariaDB, and not this engine: it takes a round trip for each of BEGIN, the
//! statement and ROLLBACK, asks for binary values only, of which every type needs a reader of its
//! own, and keeps the key to itself with which the server is asked to cancel (crates.md §6).

mod binary;
mod bind;
mod connection;
mod explain;
mod fault;
mod misfit;
mod pipeline;
mod prepare;
mod reading;
mod shape;
mod site;
mod text;
mod tls;
mod transaction;
mod wire;

use std::{
    borrow::Cow,
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::{Instant, timeout};

use self::{
    connection::{Connection, Failure, Known, Purpose, Work},
    fault::Refusal,
    pipeline::{Pipeline, Together},
    reading::{Reading, Stops},
    shape::Shapes,
    site::{Site, session_settings},
};
use super::{
    Answer, Column, Limits, Repeat, Run,
    bind::Given,
    pool::{Lease, Pool, Pooled as _},
    remote::{
        COMMIT_TIMEOUT, Gate, MAX_ATTEMPTS, PROBE_TIMEOUT, Patience, READ_ONLY, all_in_use, timed_out, too_wide,
        too_wide_but_kept, unavailable, unexpected, unsure, wanted,
    },
    row::{Written, renamed},
    transaction::Which,
};
use crate::{
    alarm::Alarms,
    catalog, heap,
    plan::{
        self, Powers, Prepared,
        sql::{Access, Rendered, Returns, Statement},
    },
    secret::Vault,
    upstream::error::{FailureClass, UpstreamError},
};

/// What a user can do beyond tables: everything, or files and programs of the server; and whether
/// row-level security does not hold for it.
const POWERS: &str = "SELECT bool_or(r.rolsuper OR pg_catalog.pg_has_role(current_user, g.oid, 'member')), \
    bool_or(r.rolsuper OR r.rolbypassrls) \
    FROM pg_catalog.pg_roles r, pg_catalog.pg_roles g WHERE r.rolname = current_user AND g.rolname IN \
    ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')";

/// A PostgreSQL database and the connections to it.
#[derive(Debug)]
pub(super) struct Postgres {
    source: String,
    site: Arc<Site>,
    gate: Gate,
    alarms: Alarms,
    reads: Pool<Connection>,
    /// Where quick reads wait for one of them.
    pipeline: Pipeline,
    /// `None` for a source that is read-only.
    writes: Option<Pool<Connection>>,
    shapes: Shapes,
    statement_timeout: std::time::Duration,
    prepared: Prepared,
    powers: Powers,
    session: Vec<plan::Setting>,
    /// Settings of each transaction that are the same for all: names and values, alternating.
    fixed: Vec<String>,
}

/// A call on its way: its text and what it wants.
struct Task<'a> {
    request: &'a Run<'a>,
    rendered: Rendered,
    settings: Vec<String>,
}

impl Postgres {
    pub(super) fn new(name: &str, source: &plan::SqlSource, remote: &plan::Remote, vault: &Vault) -> Self {
        let reads = Pool::new(source.pool);
        let fixed = match remote.prepared {
            Prepared::Named => Vec::new(),
            Prepared::Unnamed => {
                session_settings(source).flat_map(|(name, value)| [name.to_owned(), value.into_owned()]).collect()
            }
        };
        Self {
            source: name.to_owned(),
            site: Arc::new(Site::new(name, source, remote, vault)),
            gate: Gate::default(),
            alarms: Alarms::default(),
            pipeline: Pipeline::new(&reads),
            reads,
            writes: (!source.read_only).then(|| Pool::new(source.pool)),
            shapes: Shapes::default(),
            statement_timeout: source.statement_timeout,
            prepared: remote.prepared,
            powers: remote.powers,
            session: remote.session.clone(),
            fixed,
        }
    }

    pub(super) async fn run(&self, request: Run<'_>) -> Result<Answer, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        let rendered = request
            .statement
            .render(&Given(request.arguments))
            .map_err(|error| UpstreamError::new(FailureClass::Arguments, error.to_string()))?;
        let settings = self.settings(request.session)?;
        let task = Task { request: &request, rendered, settings };
        match request.access {
            Access::Read => {
                let read = self.alarms.until(patience.end(), pin!(self.read(&task, patience))).await;
                read.unwrap_or_else(|_| Err(timed_out(patience.allowed)))
            }
            Access::Write => self.write(&task, patience).boxed().await,
        }
    }

    /// The settings of the transaction of a call: names and values, alternating.
    fn settings(&self, session: &[(String, String)]) -> Result<Vec<String>, UpstreamError> {
        if session.len() != self.session.len() {
            return Err(UpstreamError::new(FailureClass::Credential, "the settings of the session are not known"));
        }
        let own = session.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
        Ok(self.fixed.iter().cloned().chain(own).collect())
    }

    async fn read(&self, task: &Task<'_>, patience: Patience) -> Result<Answer, UpstreamError> {
        // Settings belong to one call, and what has no name is prepared for one.
        if task.settings.is_empty() && self.prepared == Prepared::Named {
            match self.pipeline.take(task.request, &task.rendered, patience.left()).await {
                Together::Answered(answer) => return Ok(answer),
                Together::Late => return Err(all_in_use(&self.source, self.reads.max())),
                Together::Alone => {}
            }
        }
        // On the heap: what goes with others does not carry its state along.
        let alone: BoxFuture<'_, _> = heap::place(|| self.read_alone(task, patience));
        alone.await
    }

    async fn read_alone(&self, task: &Task<'_>, patience: Patience) -> Result<Answer, UpstreamError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut lease = self.lease(Access::Read, patience).await?;
            match self.read_on(&mut lease, task).await {
                Ok(answer) => {
                    finish(lease);
                    return answer;
                }
                Err(failure) if attempt == 1 && is_worth_another(&failure) => {
                    self.recover(lease, &[&task.rendered], &failure);
                }
                Err(failure) => return Err(self.failed(failure, lease, patience)),
            }
        }
    }

    async fn read_on(
        &self,
        lease: &mut Lease<Connection>,
        task: &Task<'_>,
    ) -> Result<Result<Answer, UpstreamError>, Stop> {
        let connection = connection(lease)?;
        let request = task.request;
        let known = self.prepare(connection, request.statement, &task.rendered).await?;
        // What has no columns acts: `SET`, `DO`, `COPY`, `LOCK`. None of them is stopped for sure by a
        // transaction that only reads, so none runs at all.
        let Some(columns) = &known.columns else { return Err(Stop::Kept(refused(READ_ONLY))) };
        let values = bind::texts(&task.rendered.slots, request.arguments, &known.params)?;
        let wants = (request.returns, request.limits);
        let work = Work { known: &known, values: &values, settings: &task.settings, max_rows: most(&known, wants) };
        let mut reading = Reading::new(Some(columns), wants, Stops::AtLimits);
        let since = Instant::now();
        connection.run(Purpose::Read, &work, &mut reading).await?;
        self.pipeline.note(&known, since.elapsed());
        Ok(gives(reading, wants))
    }

    async fn write(&self, task: &Task<'_>, patience: Patience) -> Result<Answer, UpstreamError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut lease = patience.with(self.lease(Access::Write, patience)).await?;
            let stop = match self.write_once(&mut lease, task, patience).await {
                Ok(answer) => {
                    finish(lease);
                    return answer;
                }
                Err(stop) => stop,
            };
            if !is_repeatable(&stop, task.request.repeat, attempt) || patience.left().is_zero() {
                return Err(self.failed(stop, lease, patience));
            }
            self.recover(lease, &[&task.rendered], &stop);
        }
    }

    /// Runs a write to its end. An answer may be an error: the transaction is at its end all the same.
    async fn write_once(
        &self,
        lease: &mut Lease<Connection>,
        task: &Task<'_>,
        patience: Patience,
    ) -> Result<Result<Answer, UpstreamError>, Stop> {
        let written = patience.with(async { Ok(self.write_on(lease, task).await) }).await?;
        let (written, affected) = written?;
        let connection = connection(lease)?;
        if let Some(expected) = task.request.expect_rows.filter(|expected| !expected.allows(affected)) {
            connection.undo().await?;
            return Ok(Err(unexpected(expected, affected)));
        }
        self.commit(connection).await?;
        Ok(changed(written, (task.request.returns, affected)))
    }

    /// Keeps what was written. Where no answer comes, nobody knows whether it is kept, and that is said.
    async fn commit(&self, connection: &mut Connection) -> Result<(), Stop> {
        let lost = |cause: &dyn std::fmt::Display| Stop::Kept(unsure(&self.source).caused_by(cause));
        match timeout(COMMIT_TIMEOUT, connection.commit()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Failure::Mute(error) | Failure::Lost(error))) => Err(lost(&error)),
            Ok(Err(failure)) => Err(failure.into()),
            Err(_) => Err(lost(&"the server did not answer in time")),
        }
    }

    async fn write_on(&self, lease: &mut Lease<Connection>, task: &Task<'_>) -> Result<(Option<Written>, u64), Stop> {
        let connection = connection(lease)?;
        let request = task.request;
        let known = self.prepare(connection, request.statement, &task.rendered).await?;
        let values = bind::texts(&task.rendered.slots, request.arguments, &known.params)?;
        let work = Work { known: &known, values: &values, settings: &task.settings, max_rows: 0 };
        let limits = (request.returns, request.limits);
        let mut reading = Reading::new(known.columns.as_ref(), limits, Stops::AtTheEnd);
        connection.run(Purpose::Write, &work, &mut reading).await?;
        let affected = reading.affected();
        Ok((reading.rows.finish(), affected))
    }

    /// A connection that permits what `access` says.
    async fn lease(&self, access: Access, patience: Patience) -> Result<Lease<Connection>, UpstreamError> {
        let pool = match access {
            Access::Read => &self.reads,
            Access::Write => self.writes.as_ref().ok_or_else(|| refused(READ_ONLY))?,
        };
        let Some(mut lease) = pool.acquire(patience.left()).await else {
            return Err(all_in_use(&self.source, pool.max()));
        };
        if lease.connection().is_some_and(|connection| !connection.is_quiet()) {
            // The server has closed it since, most likely with all others.
            drop(lease.empty());
        }
        if lease.connection().is_none() {
            // On the heap: it is rare, and large beside a call that finds a connection.
            lease.fill(self.gate.pass(self.connect(access)).boxed().await?);
        }
        Ok(lease)
    }

    async fn connect(&self, access: Access) -> Result<Connection, UpstreamError> {
        let session = self.site.connect(access).await?;
        let mut connection = Connection::new(session, Arc::clone(&self.site), self.prepared);
        let answer = match connection.set_up(access, POWERS).await {
            Ok(answer) => answer,
            Err(Failure::Refused(refusal)) => return Err(refusal.of_connection(&self.source)),
            Err(Failure::Mute(error) | Failure::Lost(error)) => return Err(fault::unreachable(&error, &self.source)),
            Err(Failure::Changed) => return Err(unavailable(&self.source, "the server answers oddly")),
        };
        let is = |at: usize| answer.get(at).and_then(Option::as_deref) == Some("t");
        let is_exempt = is(1) && !self.session.is_empty();
        if self.powers == Powers::Refused && ((is(0) && access == Access::Read) || is_exempt) {
            connection.retire().await;
            let public = if is_exempt && !is(0) {
                format!("the user of source `{}` is exempt from row-level security", self.source)
            } else {
                format!("the user of source `{}` can do more than read and write its tables", self.source)
            };
            let cause = "give the source a user of its own, or say `allow_superuser: true`";
            return Err(UpstreamError::new(FailureClass::Unreachable, public).caused_by(cause));
        }
        Ok(connection)
    }

    /// After a failure that another attempt may get around.
    fn recover(&self, mut lease: Lease<Connection>, texts: &[&Rendered], failure: &Stop) {
        if failure.is_stale() {
            self.shapes.forget();
            let close = |connection: &mut Connection| texts.iter().all(|text| connection.close(&text.sql).is_ok());
            if lease.connection().is_some_and(close) {
                finish(lease);
            }
        } else {
            finish(lease);
        }
    }

    /// The error of a failure. The connection goes back if it is as good as before.
    #[cold]
    fn failed(&self, failure: Stop, lease: Lease<Connection>, patience: Patience) -> UpstreamError {
        finish(lease);
        self.told(failure, patience)
    }

    #[cold]
    fn told(&self, failure: Stop, patience: Patience) -> UpstreamError {
        match failure {
            Stop::Kept(error) => error,
            Stop::Within(which, failure) => which.undone(self.told(*failure, patience)),
            Stop::Failed(Failure::Refused(refusal)) => self.refusal(&refusal, patience),
            Stop::Failed(Failure::Changed) => refused("the tables of the statement are being changed"),
            Stop::Failed(Failure::Mute(error) | Failure::Lost(error)) => match error.kind() {
                std::io::ErrorKind::FileTooLarge => {
                    UpstreamError::new(FailureClass::TooLarge, "a row is larger than 64 MiB")
                }
                std::io::ErrorKind::Unsupported => refused("statements of this kind do not run here"),
                _ => fault::unreachable(&error, &self.source),
            },
        }
    }

    #[cold]
    fn refusal(&self, refusal: &Refusal, patience: Patience) -> UpstreamError {
        refusal.of_statement(&self.source, patience.allowed)
    }

    pub(super) async fn describe(&self, statement: &Statement, form: &Rendered) -> Result<Vec<Column>, UpstreamError> {
        let patience = Patience::new(Instant::now() + PROBE_TIMEOUT, PROBE_TIMEOUT);
        let describe = async {
            let mut lease = self.lease(Access::Read, patience).await?;
            let known = match connection(&mut lease) {
                Ok(connection) => self.prepare(connection, statement, form).await,
                Err(error) => return Err(error),
            };
            match known {
                Ok(known) => {
                    finish(lease);
                    Ok(described(&known))
                }
                Err(failure) => Err(self.failed(failure, lease, patience)),
            }
        };
        patience.with(describe).await
    }

    pub(super) async fn inspect(
        &self,
        statement: &Statement,
        form: &Rendered,
    ) -> Result<catalog::Prepared, UpstreamError> {
        let patience = Patience::new(Instant::now() + PROBE_TIMEOUT, PROBE_TIMEOUT);
        let inspect = async {
            let mut lease = self.lease(Access::Read, patience).await?;
            let found = match connection(&mut lease) {
                Ok(connection) => self.plan_of(connection, statement, form).await,
                Err(error) => return Err(error),
            };
            match found {
                Ok((known, plan)) => {
                    finish(lease);
                    Ok(catalog::Prepared { columns: described(&known), ..plan })
                }
                Err(failure) => Err(self.failed(failure, lease, patience)),
            }
        };
        patience.with(inspect).await
    }

    pub(super) async fn ready(&self) -> Result<(), UpstreamError> {
        let patience = Patience::new(Instant::now() + PROBE_TIMEOUT, PROBE_TIMEOUT);
        let probe = async {
            let mut lease = self.lease(Access::Read, patience).await?;
            match connection(&mut lease)?.ask("SELECT 1").await {
                Ok(_) => {
                    finish(lease);
                    Ok(())
                }
                Err(failure) => Err(self.failed(failure.into(), lease, patience)),
            }
        };
        patience.with(probe).await
    }

    pub(super) async fn close(&self) {
        self.reads.close().await;
        if let Some(writes) = &self.writes {
            writes.close().await;
        }
    }
}

/// Why a call came to its end early.
#[derive(Debug)]
enum Stop {
    /// Nothing was sent to the server.
    Kept(UpstreamError),
    /// The exchange failed.
    Failed(Failure),
    /// One statement of several came to its end early.
    Within(Which, Box<Self>),
}

impl Stop {
    /// Whether the statement is to be prepared anew.
    fn is_stale(&self) -> bool {
        match self {
            Self::Failed(failure) => is_stale(failure),
            Self::Within(_, failure) => failure.is_stale(),
            Self::Kept(_) => false,
        }
    }
}

impl From<UpstreamError> for Stop {
    fn from(error: UpstreamError) -> Self {
        Self::Kept(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Whether a write is tried once more. What it did before is undone, with its connection if need be.
fn is_repeatable(stop: &Stop, repeat: Repeat, attempt: usize) -> bool {
    match stop {
        Stop::Failed(failure) if is_stale(failure) => attempt == 1,
        Stop::Failed(Failure::Refused(refusal)) if refusal.is_collision() => {
            repeat == Repeat::AfterCollision && attempt < MAX_ATTEMPTS
        }
        Stop::Within(_, failure) => is_repeatable(failure, repeat, attempt),
        Stop::Kept(_) | Stop::Failed(_) => false,
    }
}

/// How many rows the server sends of a read at most; 0 for all.
fn most(known: &Known, (returns, limits): (Returns, Limits)) -> usize {
    let most = wanted(returns, limits);
    // A portal that is run in parts is run without parallel workers, so a limit is told only where one
    // was reached before.
    match (known.overflows.load(Ordering::Relaxed), returns) {
        (false, _) => 0,
        (true, Returns::Rows) => most.saturating_add(1),
        (true, Returns::Row | Returns::Value | Returns::Affected) => most.max(1),
    }
}

/// What a read gives.
fn gives(reading: Reading<'_>, (returns, limits): (Returns, Limits)) -> Result<Answer, UpstreamError> {
    let Some(Written { text, count, cut, cells_cut }) = reading.rows.finish() else {
        return Err(too_wide(limits.max_bytes));
    };
    let cut = cut.filter(|_| returns == Returns::Rows);
    Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: None, last_insert_id: None })
}

/// What a change that is kept gives.
fn changed(written: Option<Written>, (returns, affected): (Returns, u64)) -> Result<Answer, UpstreamError> {
    let Some(Written { text, count, cut, cells_cut }) = written else { return Err(too_wide_but_kept()) };
    let cut = cut.filter(|_| returns == Returns::Rows);
    Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: Some(affected), last_insert_id: None })
}

/// Whether a read may succeed when it is tried once more: on a fresh connection, with the statement
/// prepared anew, or because the transaction that it collided with is over.
fn is_worth_another(failure: &Stop) -> bool {
    match failure {
        Stop::Kept(_) | Stop::Within(..) | Stop::Failed(Failure::Lost(_)) => false,
        Stop::Failed(Failure::Mute(_) | Failure::Changed) => true,
        Stop::Failed(Failure::Refused(refusal)) => {
            refusal.is_stale() || refusal.is_farewell() || refusal.is_collision()
        }
    }
}

fn is_stale(failure: &Failure) -> bool {
    match failure {
        Failure::Changed => true,
        Failure::Refused(refusal) => refusal.is_stale(),
        Failure::Mute(_) | Failure::Lost(_) => false,
    }
}

/// Gives a connection back if it is clean; any other is retired.
fn finish(mut lease: Lease<Connection>) {
    if lease.connection().is_some_and(|connection| connection.is_clean()) {
        lease.finish();
    }
}

fn connection(lease: &mut Lease<Connection>) -> Result<&mut Connection, UpstreamError> {
    let missing = || UpstreamError::new(FailureClass::Internal, "there is no connection");
    lease.connection().ok_or_else(missing)
}

fn refused(public: impl Into<Cow<'static, str>>) -> UpstreamError {
    UpstreamError::new(FailureClass::Refused, public)
}

fn described(known: &Known) -> Vec<Column> {
    let Some(columns) = &known.columns else { return Vec::new() };
    let names = renamed(columns.fields.iter().map(|field| field.name.as_str()));
    let columns = names.into_iter().zip(&columns.shapes);
    columns.map(|((name, given), shape)| Column { name, given, declared: None, schema: Some(shape.schema()) }).collect()
}
