//! Floor 5. MySQL and MariaDB, by `sqlx` over bare connections of ours. A read runs in a transaction
//! that cannot write, in a session that cannot either, and is undone. The driver's futures are never
//! dropped while they run: each call has a task, which stops the statement on the server when nobody
//! waits any more. Reference: `sql.md` §9, `auth.md` §4.6, `crates.md` §6.5.

mod bind;
mod change;
mod connection;
mod explain;
mod fault;
mod leading;
mod reading;
mod rights;
mod shape;
mod site;
mod text;

use std::{borrow::Cow, future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    bind::Bound,
    change::Change,
    connection::{Connection, Known},
    fault::Failure,
    reading::{Reading, Stops},
    site::Site,
};
use super::{
    Answer, Column, Run, Transact,
    bind::Given,
    pool::{Lease, Pool},
    remote::{CONNECT_TIMEOUT, Gate, PROBE_TIMEOUT, Patience, READ_ONLY, all_in_use, timed_out, too_wide},
    row::{Written, renamed},
    transaction::Which,
};
use crate::{
    catalog,
    plan::{
        self,
        sql::{Access, Rendered, Returns, Statement},
    },
    secret::Vault,
    upstream::{
        error::{FailureClass, UpstreamError},
        sql::Limits,
    },
};

/// A MySQL or MariaDB database and the connections to it.
#[derive(Debug)]
pub(super) struct Mysql {
    inner: Arc<Inner>,
    statement_timeout: Duration,
    session: Vec<plan::Setting>,
    /// What runs, and what ends transactions behind answers.
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Inner {
    site: Arc<Site>,
    gate: Gate,
    reads: Pool<Connection>,
    /// `None` for a source that is read-only.
    writes: Option<Pool<Connection>>,
}

/// A call that reads, on its way: all that it wants, owned.
struct Job {
    rendered: Rendered,
    values: Vec<Bound>,
    variables: Vec<(String, String)>,
    returns: Returns,
    limits: Limits,
}

/// When work comes to its end early: nobody waits, or the time is up.
#[derive(Clone)]
struct Stop {
    left: CancellationToken,
    patience: Patience,
}

/// Where the outcome of a task goes. What the task does after telling it keeps nobody waiting.
type Tell<T> = oneshot::Sender<Result<T, UpstreamError>>;

impl Stop {
    async fn reached(&self) {
        tokio::select! {
            () = self.left.cancelled() => {}
            () = sleep_until(self.patience.end()) => {}
        }
    }

    fn is_reached(&self) -> bool {
        self.left.is_cancelled() || Instant::now() >= self.patience.end()
    }

    fn error(&self) -> UpstreamError {
        timed_out(self.patience.allowed)
    }
}

impl Mysql {
    pub(super) fn new(name: &str, source: &plan::SqlSource, remote: &plan::Remote, vault: &Vault) -> Self {
        let inner = Inner {
            site: Arc::new(Site::new(name, source, remote, vault)),
            gate: Gate::default(),
            reads: Pool::new(source.pool),
            writes: (!source.read_only).then(|| Pool::new(source.pool)),
        };
        Self {
            inner: Arc::new(inner),
            statement_timeout: source.statement_timeout,
            session: remote.session.clone(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) async fn run(&self, request: Run<'_>) -> Result<Answer, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        let rendered = request
            .statement
            .render(&Given(request.arguments))
            .map_err(|error| UpstreamError::new(FailureClass::Arguments, error.to_string()))?;
        self.session_is_known(request.session)?;
        let inner = Arc::clone(&self.inner);
        match request.access {
            Access::Read => {
                let job = Job {
                    values: bind::values(request.statement, &rendered.slots, request.arguments)?,
                    rendered,
                    variables: request.session.to_vec(),
                    returns: request.returns,
                    limits: request.limits,
                };
                self.apart(patience, async move |stop, tell| inner.read(job, stop, tell).await).await
            }
            Access::Write => {
                let answers = self.change(Change::one(&request, &rendered)?, patience).await?;
                let none = || UpstreamError::new(FailureClass::Internal, "the call came to no end");
                answers.into_iter().next().ok_or_else(none)
            }
        }
    }

    pub(super) async fn transact(&self, request: Transact<'_>) -> Result<Vec<Answer>, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        self.session_is_known(request.session)?;
        self.change(Change::several(&request)?, patience).await
    }

    async fn change(&self, change: Change, patience: Patience) -> Result<Vec<Answer>, UpstreamError> {
        let inner = Arc::clone(&self.inner);
        self.apart(patience, async move |stop, tell| tell_it(tell, inner.change(&change, &stop).await)).await
    }

    fn session_is_known(&self, session: &[(String, String)]) -> Result<(), UpstreamError> {
        if session.len() == self.session.len() {
            return Ok(());
        }
        Err(UpstreamError::new(FailureClass::Credential, "the settings of the session are not known"))
    }

    /// Runs work in a task of its own, and tells it when nobody waits for it any more.
    async fn apart<T, W, F>(&self, patience: Patience, work: W) -> Result<T, UpstreamError>
    where
        W: FnOnce(Stop, Tell<T>) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let left = CancellationToken::new();
        let _guard = left.clone().drop_guard();
        let (tell, told) = oneshot::channel();
        self.tasks.spawn(work(Stop { left, patience }, tell));
        told.await.unwrap_or_else(|_| Err(UpstreamError::new(FailureClass::Internal, "the call came to no end")))
    }

    fn probe() -> Patience {
        Patience::new(Instant::now() + PROBE_TIMEOUT, PROBE_TIMEOUT)
    }

    pub(super) async fn describe(&self, form: &Rendered) -> Result<Vec<Column>, UpstreamError> {
        let (inner, sql) = (Arc::clone(&self.inner), Arc::clone(&form.sql));
        let describe = async move |stop: Stop, tell| {
            tell_it(tell, inner.prepared(&stop, &sql).await.map(|(known, _)| described(&known)));
        };
        self.apart(Self::probe(), describe).await
    }

    pub(super) async fn inspect(
        &self,
        statement: &Statement,
        form: &Rendered,
    ) -> Result<catalog::Prepared, UpstreamError> {
        let (inner, statement, form) = (Arc::clone(&self.inner), statement.clone(), form.clone());
        let inspect = async move |stop: Stop, tell| {
            let inspected = async {
                let (known, access) = inner.prepared(&stop, &form.sql).await?;
                let writes = access == Access::Write || known.columns.is_none() || !leading::is_read(&form.sql);
                let scans = if writes { Vec::new() } else { inner.scans(&stop, (&statement, &form)).await? };
                Ok(catalog::Prepared { columns: described(&known), writes, scans, misfits: Vec::new() })
            };
            tell_it(tell, inspected.await);
        };
        self.apart(Self::probe(), inspect).await
    }

    pub(super) async fn ready(&self) -> Result<(), UpstreamError> {
        let inner = Arc::clone(&self.inner);
        let probe = async move |stop: Stop, tell| {
            let ping = async |connection: &mut Connection| connection.ping().await;
            let answered = inner.ask(Access::Read, &stop, ping).await;
            tell_it(tell, answered.map_err(|wrong| inner.error(wrong, &stop)));
        };
        self.apart(Self::probe(), probe).await
    }

    pub(super) async fn close(&self) {
        self.inner.reads.close().await;
        if let Some(writes) = &self.inner.writes {
            writes.close().await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Inner {
    /// A connection with a transaction begun that permits what `access` says. One that turns out to be
    /// lost is replaced: nothing was sent over it yet.
    async fn begun(&self, access: Access, stop: &Stop, rows: u64) -> Result<Lease<Connection>, UpstreamError> {
        let pool = match access {
            Access::Read => &self.reads,
            Access::Write => self.writes.as_ref().ok_or_else(|| refused(READ_ONLY))?,
        };
        let lease = tokio::select! {
            () = stop.left.cancelled() => return Err(stop.error()),
            lease = pool.acquire(stop.patience.left()) => lease,
        };
        let Some(mut lease) = lease else { return Err(all_in_use(&self.site.source, pool.max())) };
        loop {
            let is_fresh = lease.connection().is_none();
            if is_fresh {
                let connected = tokio::select! {
                    connected = self.gate.pass(self.connect(access)) => connected,
                    () = stop.reached() => Err(stop.error()),
                };
                lease.fill(connected?);
            }
            let connection = connection(&mut lease)?;
            let allowed = stop.patience.left().max(Duration::from_millis(1));
            let begun = timeout(CONNECT_TIMEOUT, connection.begin(access, allowed, rows)).await;
            let failure = match begun {
                Ok(Ok(())) => return Ok(lease),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Lost("the server did not answer in time".to_owned()),
            };
            let is_gone = match &failure {
                Failure::Lost(_) => true,
                Failure::Refused(refusal) => refusal.is_farewell(),
            };
            if is_fresh || !is_gone {
                return Err(self.failed(failure, stop));
            }
            drop(lease.empty());
        }
    }

    async fn connect(&self, access: Access) -> Result<Connection, UpstreamError> {
        Ok(Connection::new(self.site.connect(access).await?, Arc::clone(&self.site)))
    }

    /// Runs work on a connection to its end, which the server is told to bring about when it is time.
    async fn within<T>(
        &self,
        (id, stop): (u64, &Stop),
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            () = stop.reached() => {}
        }
        self.site.stop(id).await;
        let silent = || Failure::Lost("the statement did not stop in time".to_owned());
        timeout(CONNECT_TIMEOUT, work).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn read(self: Arc<Self>, job: Job, stop: Stop, tell: Tell<Answer>) {
        let rows = match job.returns {
            Returns::Rows => job.limits.max_rows.saturating_add(1),
            Returns::Row | Returns::Value | Returns::Affected => 1,
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut lease = match self.begun(Access::Read, &stop, rows as u64).await {
                Ok(lease) => lease,
                Err(error) => return tell_it(tell, Err(error)),
            };
            let outcome = self.read_on(&mut lease, &job, &stop).await;
            if let Err(Wrong::Failed(failure)) = &outcome
                && attempt == 1
                && is_worth_another(failure)
                && !stop.is_reached()
            {
                finish(lease).await;
                continue;
            }
            tell_it(tell, outcome.map_err(|wrong| self.error(wrong, &stop)));
            return finish(lease).await;
        }
    }

    async fn read_on(&self, lease: &mut Lease<Connection>, job: &Job, stop: &Stop) -> Result<Answer, Wrong> {
        if !leading::is_read(&job.rendered.sql) {
            return Err(refused(READ_ONLY).into());
        }
        let connection = connection(lease)?;
        let id = connection.id();
        let work = async {
            connection.set(&job.variables).await?;
            let known = connection.prepare(&job.rendered.sql).await?;
            // What has no columns acts: `SELECT … INTO OUTFILE`. Not all of that is stopped by a
            // transaction that only reads, so none runs at all.
            if known.columns.is_none() {
                return Ok(None);
            }
            let mut reading = Reading::new(known, (job.returns, job.limits), Stops::AtLimits);
            connection.fetch(&job.rendered.sql, &job.values, &mut reading).await?;
            Ok(Some(reading))
        };
        let Some(reading) = self.within((id, stop), work).await? else { return Err(refused(READ_ONLY).into()) };
        let Some(Written { text, count, cut, cells_cut }) = reading.rows.finish() else {
            return Err(too_wide(job.limits.max_bytes).into());
        };
        let cut = cut.filter(|_| job.returns == Returns::Rows);
        Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: None, last_insert_id: None })
    }

    /// A statement as the server knows it, and what it takes to run it: the server does not even prepare
    /// what would write where nothing may be written.
    async fn prepared(&self, stop: &Stop, sql: &Arc<str>) -> Result<(Arc<Known>, Access), UpstreamError> {
        let prepare = async |connection: &mut Connection| connection.prepare(sql).await;
        let access = match self.ask(Access::Read, stop, prepare).await {
            Ok(known) => return Ok((known, Access::Read)),
            Err(Wrong::Failed(Failure::Refused(refusal))) if refusal.is_of_a_write() => Access::Write,
            Err(wrong) => return Err(self.error(wrong, stop)),
        };
        if self.writes.is_none() {
            return Ok((Arc::default(), access));
        }
        let known = self.ask(access, stop, prepare).await.map_err(|wrong| self.error(wrong, stop))?;
        Ok((known, access))
    }

    async fn scans(&self, stop: &Stop, text: (&Statement, &Rendered)) -> Result<Vec<catalog::Scan>, UpstreamError> {
        let explain = async |connection: &mut Connection| explain::scans(connection, text).await;
        self.ask(Access::Read, stop, explain).await.map_err(|wrong| self.error(wrong, stop))
    }

    /// Asks something of the server. Nothing of it is kept.
    async fn ask<T>(
        &self,
        access: Access,
        stop: &Stop,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Wrong> {
        let mut lease = self.begun(access, stop, u64::MAX).await?;
        let connection = connection(&mut lease)?;
        let id = connection.id();
        let outcome = self.within((id, stop), work(connection)).await;
        finish(lease).await;
        Ok(outcome?)
    }

    fn error(&self, wrong: Wrong, stop: &Stop) -> UpstreamError {
        match wrong {
            Wrong::Told(error) => error,
            Wrong::Failed(failure) => self.failed(failure, stop),
            Wrong::Within(which, wrong) => which.undone(self.error(*wrong, stop)),
        }
    }

    fn failed(&self, failure: Failure, stop: &Stop) -> UpstreamError {
        match failure {
            Failure::Refused(refusal) => refusal.of_statement(&self.site.source, stop.patience.allowed),
            Failure::Lost(cause) if stop.is_reached() => stop.error().caused_by(cause),
            Failure::Lost(cause) => fault::lost(&cause, &self.site.source),
        }
    }
}

/// Why a call has no answer.
enum Wrong {
    /// What is to be told.
    Told(UpstreamError),
    /// The exchange failed.
    Failed(Failure),
    /// Something failed in one of several statements.
    Within(Which, Box<Wrong>),
}

impl Wrong {
    /// Another transaction wanted the same.
    fn is_collision(&self) -> bool {
        match self {
            Self::Told(_) | Self::Failed(Failure::Lost(_)) => false,
            Self::Failed(Failure::Refused(refusal)) => refusal.is_collision(),
            Self::Within(_, wrong) => wrong.is_collision(),
        }
    }
}

impl From<UpstreamError> for Wrong {
    fn from(error: UpstreamError) -> Self {
        Self::Told(error)
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Whether a read may succeed when it is tried once more, on a connection that is as good as new.
fn is_worth_another(failure: &Failure) -> bool {
    match failure {
        Failure::Lost(_) => false,
        Failure::Refused(refusal) => refusal.is_farewell() || refusal.is_collision(),
    }
}

/// Ends what is open and gives the connection back; one that does not answer is retired.
async fn finish(mut lease: Lease<Connection>) {
    if let Some(connection) = lease.connection() {
        let undone = timeout(CONNECT_TIMEOUT, connection.undo()).await;
        if matches!(undone, Ok(Ok(()))) && connection.is_clean() {
            lease.finish();
        }
    }
}

/// Nobody may wait any more; then the outcome is of no use.
fn tell_it<T>(tell: Tell<T>, outcome: Result<T, UpstreamError>) {
    let _ = tell.send(outcome);
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
    let described = names.into_iter().zip(&columns.fields);
    let column = |((name, given), field): ((String, Option<String>), &connection::Field)| {
        let schema = Some(field.shape.schema(&field.told));
        Column { name, given, declared: None, schema }
    };
    described.map(column).collect()
}
