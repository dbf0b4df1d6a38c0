//! Floor 5. One session on a PostgreSQL server. A call is one message exchange: the transaction, its
//! settings, the statement and the end go out together, so a read costs one round trip. Values
//! travel as text both ways, and the server's own functions read and write each type, but for the rows
//! of a read, whose columns come in the form that `Columns` says.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{BufMut as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    IsNull,
    message::{
        backend::{Message, RowDescriptionBody},
        frontend::{self, BindError},
    },
};
use tokio::time::timeout;

use super::{
    super::{
        pool::Pooled,
        remote::{CONNECT_TIMEOUT, Leads},
    },
    binary::Packed,
    fault::Refusal,
    pipeline::Taken,
    reading::{Form, Reading},
    shape::{Oid, Shape},
    site::{Key, Site},
    wire::Wire,
};
use crate::plan::{
    Prepared,
    sql::{Access, Rendered, Slot},
};

/// Statements that a session keeps prepared at most.
const MAX_PREPARED: usize = 256;

/// Statements of ours, by the names they are prepared under.
const BEGIN_READ: (&str, &str) = ("mb_read", "BEGIN READ ONLY");
const BEGIN_WRITE: (&str, &str) = ("mb_write", "BEGIN READ WRITE");
const ROLLBACK: (&str, &str) = ("mb_undo", "ROLLBACK");
const COMMIT: (&str, &str) = ("mb_keep", "COMMIT");

/// A session on the server.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    key: Key,
    site: Arc<Site>,
    mode: Prepared,
    /// What the next exchange finds.
    state: State,
    known: HashMap<Arc<str>, Arc<Known>>,
    /// The statements in `known`, the oldest first.
    order: VecDeque<Arc<str>>,
    /// How many statements were prepared, for their names.
    count: u64,
    /// How the transaction of the last of several reads ended.
    ended: u8,
}

/// What runs in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, and no transaction is open.
    Idle,
    /// A statement, or a transaction is open.
    Busy,
    /// A commit: to stop it would leave open whether it happened.
    Committing,
}

/// A statement that the server has parsed.
#[derive(Debug)]
pub(super) struct Known {
    /// Empty where statements have no names.
    name: String,
    sql: Arc<str>,
    /// Whose placeholders these are: the same text may be that of two tools.
    slots: Arc<[Slot]>,
    types: Vec<Oid>,
    /// The declared types, where they had a say.
    fallbacks: Vec<Oid>,
    /// How the values of the placeholders are written.
    pub(super) params: Vec<Arc<Shape>>,
    /// `None` for a statement without rows.
    pub(super) columns: Option<Columns>,
    /// It gave more rows than were wanted before, so the server is told how many are.
    pub(super) overflows: AtomicBool,
    /// It took little time when it ran last.
    pub(super) quick: AtomicBool,
}

impl Known {
    /// Its text, with the placeholders of the server.
    pub(super) const fn sql(&self) -> &Arc<str> {
        &self.sql
    }

    /// Whether it was prepared for the same statement of the same tool.
    pub(super) fn is_of(&self, rendered: &Rendered) -> bool {
        Arc::ptr_eq(&self.slots, &rendered.slots)
    }

    /// Whether it serves a statement with the same text whose placeholders are declared so.
    pub(super) fn fits(&self, fallbacks: &[Oid]) -> bool {
        self.fallbacks.is_empty() || self.fallbacks == fallbacks
    }
}

/// The columns of a statement, made ready once for all its rows.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) leads: Leads,
    pub(super) shapes: Vec<Arc<Shape>>,
    pub(super) fields: Vec<Field>,
    /// Their binary forms, for those that have one; empty where none does.
    pub(super) packed: Vec<Option<Packed>>,
}

impl Columns {
    /// Columns with these shapes, in the same order.
    pub(super) fn new(fields: Vec<Field>, shapes: Vec<Arc<Shape>>) -> Self {
        let leads = Leads::new(fields.iter().map(|field| field.name.as_str()));
        let mut packed: Vec<_> = fields.iter().map(|field| Packed::of(field.oid)).collect();
        if packed.iter().all(Option::is_none) {
            packed.clear();
        }
        Self { leads, shapes, fields, packed }
    }
}

/// A column as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) oid: Oid,
}

/// What the server says about a statement.
#[derive(Debug)]
pub(super) struct Described {
    name: String,
    pub(super) types: Vec<Oid>,
    pub(super) fields: Option<Vec<Field>>,
}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no. The session is as good as before.
    Refused(Refusal),
    /// The columns are not those that the statement had when it was prepared. The session is fine.
    Changed,
    /// The session is lost. Nothing was answered, so that nothing may have arrived either.
    Mute(io::Error),
    /// The session is lost in the middle of an answer.
    Lost(io::Error),
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading; undone at once.
    Read,
    /// Writing; stays open to be kept or undone.
    Write,
    /// Writing in the transaction that is open.
    Further,
}

/// One statement with its values, and the settings of its transaction.
pub(super) struct Work<'a> {
    pub(super) known: &'a Known,
    pub(super) values: &'a [Option<String>],
    /// Names and values, alternating.
    pub(super) settings: &'a [String],
    /// Rows that the server sends at most; 0 for all.
    pub(super) max_rows: usize,
}

impl Connection {
    pub(super) fn new((wire, key): (Wire, Key), site: Arc<Site>, mode: Prepared) -> Self {
        let (known, order) = (HashMap::new(), VecDeque::new());
        Self { wire, key, site, mode, state: State::Idle, known, order, count: 0, ended: b'I' }
    }

    /// Whether the connection can be given back.
    pub(super) fn is_clean(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the server is still there, as far as can be seen without asking.
    pub(super) fn is_quiet(&self) -> bool {
        self.wire.is_quiet()
    }

    /// Prepares the statements of ours and asks one question of one row, all in one exchange.
    pub(super) async fn set_up(&mut self, access: Access, question: &str) -> Result<Vec<Option<String>>, Failure> {
        self.begin_exchange(State::Busy);
        if self.mode == Prepared::Named {
            let own = match access {
                Access::Read => [BEGIN_READ, ROLLBACK, ROLLBACK],
                Access::Write => [BEGIN_WRITE, ROLLBACK, COMMIT],
            };
            for (at, (name, sql)) in own.into_iter().enumerate() {
                if at == 0 || own.get(at - 1).is_some_and(|before| before.0 != name) {
                    frontend::parse(name, sql, [], &mut self.wire.output).map_err(Failure::Mute)?;
                }
            }
        }
        frontend::parse("", question, [], &mut self.wire.output).map_err(Failure::Mute)?;
        let out = &mut self.wire.output;
        bind("", &[], &[], out).and_then(|()| frontend::execute("", 0, out)).map_err(Failure::Mute)?;
        let mut answer = Vec::new();
        self.finish_exchange(&mut |message| {
            if let Message::DataRow(row) = message {
                let buffer = row.buffer();
                let texts = row.ranges().map(|range| {
                    Ok(range.and_then(|range| buffer.get(range)).map(|text| String::from_utf8_lossy(text).into_owned()))
                });
                answer = texts.collect().unwrap_or_default();
            }
        })
        .await?;
        Ok(answer)
    }

    /// Asks a question of the server's own tables. `sql` holds nothing but constants of this program
    /// and numbers.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        self.begin_exchange(State::Busy);
        frontend::parse("", sql, [], &mut self.wire.output).map_err(Failure::Mute)?;
        let out = &mut self.wire.output;
        bind("", &[], &[], out).and_then(|()| frontend::execute("", 0, out)).map_err(Failure::Mute)?;
        let mut rows = Vec::new();
        self.finish_exchange(&mut |message| {
            if let Message::DataRow(row) = message {
                let buffer = row.buffer();
                let texts = row.ranges().map(|range| {
                    Ok(range.and_then(|range| buffer.get(range)).map(|text| String::from_utf8_lossy(text).into_owned()))
                });
                rows.push(texts.collect().unwrap_or_default());
            }
        })
        .await?;
        Ok(rows)
    }

    /// What is known of a statement that this session has prepared.
    pub(super) fn recall(&self, rendered: &Rendered) -> Option<Arc<Known>> {
        self.known.get(&rendered.sql).cloned()
    }

    /// The plan of a prepared statement with no values, as JSON. Nothing is run. `None` where statements
    /// have no names.
    pub(super) async fn explain(&mut self, known: &Known) -> Result<Option<String>, Failure> {
        if known.name.is_empty() {
            return Ok(None);
        }
        let values = match known.params.len() {
            0 => String::new(),
            count => format!("({})", vec!["NULL"; count].join(", ")),
        };
        // Without values there is nothing that a plan could be made for but the text itself.
        let sql = format!("EXPLAIN (FORMAT JSON) EXECUTE {}{values}", known.name);
        self.ask("SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false)").await?;
        let plan = self.ask(&sql).await;
        self.ask("SELECT pg_catalog.set_config('plan_cache_mode', 'auto', false)").await?;
        Ok(plan?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// Has the server parse a statement. It is not run.
    pub(super) async fn describe(&mut self, sql: &str, types: &[Oid]) -> Result<Described, Failure> {
        self.begin_exchange(State::Busy);
        let name = match self.mode {
            Prepared::Named => {
                self.count += 1;
                format!("mb_{}", self.count)
            }
            Prepared::Unnamed => String::new(),
        };
        let out = &mut self.wire.output;
        frontend::parse(&name, sql, types.iter().copied(), out)
            .and_then(|()| frontend::describe(b'S', &name, out))
            .map_err(Failure::Mute)?;
        let mut described = Described { name, types: Vec::new(), fields: None };
        self.finish_exchange(&mut |message| match message {
            Message::ParameterDescription(body) => {
                described.types = body.parameters().collect().unwrap_or_default();
            }
            Message::RowDescription(body) => described.fields = Some(fields(body)),
            _ => {}
        })
        .await?;
        Ok(described)
    }

    /// Keeps a statement that was described, with the shapes of its values. A statement that was
    /// not used for the longest time is given up for it.
    pub(super) fn keep(
        &mut self,
        rendered: &Rendered,
        described: Described,
        (params, columns, fallbacks): (Vec<Arc<Shape>>, Option<Columns>, Vec<Oid>),
    ) -> Result<Arc<Known>, Failure> {
        let Described { name, types, .. } = described;
        let (sql, slots) = (Arc::clone(&rendered.sql), Arc::clone(&rendered.slots));
        let (overflows, quick) = (AtomicBool::new(false), AtomicBool::new(false));
        let known = Known { name, sql: Arc::clone(&sql), slots, types, fallbacks, params, columns, overflows, quick };
        let known = Arc::new(known);
        if self.known.insert(Arc::clone(&sql), Arc::clone(&known)).is_none() {
            self.order.push_back(sql);
        }
        if self.order.len() > MAX_PREPARED
            && let Some(oldest) = self.order.pop_front()
        {
            self.close(&oldest)?;
        }
        Ok(known)
    }

    /// Gives a prepared statement up. The server is told with the next exchange.
    pub(super) fn close(&mut self, sql: &Arc<str>) -> Result<(), Failure> {
        self.order.retain(|other| other != sql);
        match self.known.remove(sql) {
            Some(known) if !known.name.is_empty() => {
                frontend::close(b'S', &known.name, &mut self.wire.output).map_err(Failure::Mute)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives a statement that the server was asked about up, since another form of it is used.
    pub(super) fn drop_described(&mut self, described: &Described) -> Result<(), Failure> {
        if described.name.is_empty() {
            return Ok(());
        }
        frontend::close(b'S', &described.name, &mut self.wire.output).map_err(Failure::Mute)
    }

    /// Runs a statement in a transaction of its own, which is undone at once when it only reads.
    pub(super) async fn run(
        &mut self,
        purpose: Purpose,
        work: &Work<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<(), Failure> {
        self.begin_exchange(State::Busy);
        let begin = match purpose {
            Purpose::Read => Some(BEGIN_READ),
            Purpose::Write => Some(BEGIN_WRITE),
            Purpose::Further => None,
        };
        if let Some(begin) = begin {
            self.put_own(begin).and_then(|()| self.put_settings(work.settings)).map_err(Failure::Mute)?;
            reading.expect(1 + usize::from(!work.settings.is_empty()));
        }
        // Statements of a transaction take the values of those before them, as texts. Of what has no name the
        // columns are known only when it runs, and forms that are asked for must be as many as they.
        let is_known = purpose == Purpose::Read && self.mode == Prepared::Named;
        let form = if is_known { Form::Packed } else { Form::Text };
        reading.comes(form);
        self.put_statement(work, form)
            .and_then(|()| if purpose == Purpose::Read { self.put_own(ROLLBACK) } else { Ok(()) })
            .map_err(Failure::Mute)?;
        self.exchange(work.known, reading).await
    }

    /// Keeps what was written. From here on nothing stops it.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.begin_exchange(State::Committing);
        self.put_own(COMMIT).map_err(Failure::Mute)?;
        let mut tag = String::new();
        self.finish_exchange(&mut |message| {
            if let Message::CommandComplete(body) = message {
                body.tag().unwrap_or_default().clone_into(&mut tag);
            }
        })
        .await?;
        if tag == "COMMIT" { Ok(()) } else { Err(Failure::Refused(Refusal::default())) }
    }

    /// Undoes what was written.
    pub(super) async fn undo(&mut self) -> Result<(), Failure> {
        self.put_own(ROLLBACK).map_err(Failure::Mute)?;
        self.finish_exchange(&mut |_| {}).await
    }

    fn begin_exchange(&mut self, state: State) {
        self.state = state;
    }

    /// Adds a statement of ours.
    fn put_own(&mut self, (name, sql): (&str, &str)) -> io::Result<()> {
        let out = &mut self.wire.output;
        let name = match self.mode {
            Prepared::Named => name,
            Prepared::Unnamed => {
                frontend::parse("", sql, [], out)?;
                ""
            }
        };
        bind(name, &[], &[], out)?;
        frontend::execute("", 0, out)
    }

    /// Adds the statement that makes settings for the transaction.
    fn put_settings(&mut self, settings: &[String]) -> io::Result<()> {
        if settings.is_empty() {
            return Ok(());
        }
        let calls =
            (0..settings.len() / 2).map(|at| format!("pg_catalog.set_config(${}, ${}, true)", 2 * at + 1, 2 * at + 2));
        let sql = format!("SELECT {}", calls.collect::<Vec<_>>().join(", "));
        let out = &mut self.wire.output;
        frontend::parse("", &sql, [], out)?;
        let values: Vec<_> = settings.iter().cloned().map(Some).collect();
        bind("", &values, &[], out)?;
        frontend::execute("", 0, out)
    }

    /// Adds a statement whose rows come in a form.
    fn put_statement(&mut self, work: &Work<'_>, form: Form) -> io::Result<()> {
        let out = &mut self.wire.output;
        if self.mode == Prepared::Unnamed {
            frontend::parse("", &work.known.sql, work.known.types.iter().copied(), out)?;
        }
        let packed = work.known.columns.as_ref().filter(|_| form == Form::Packed).map(|columns| &*columns.packed);
        bind(&work.known.name, work.values, packed.unwrap_or_default(), out)?;
        if self.mode == Prepared::Unnamed {
            frontend::describe(b'P', "", out)?;
        }
        frontend::execute("", i32::try_from(work.max_rows).unwrap_or(0), out)
    }

    /// Sends several reads with one write, each in a transaction of its own. Statements have names here.
    pub(super) async fn send_reads(&mut self, works: &[Work<'_>]) -> Result<(), Failure> {
        self.begin_exchange(State::Busy);
        for work in works {
            self.put_own(BEGIN_READ)
                .and_then(|()| self.put_statement(work, Form::Packed))
                .and_then(|()| self.put_own(ROLLBACK))
                .map_err(Failure::Mute)?;
            frontend::sync(&mut self.wire.output);
        }
        self.wire.send().await.map_err(Failure::Mute)
    }

    /// Reads the answer to the next of them.
    pub(super) async fn take_read(&mut self, known: &Known, reading: &mut Reading<'_>) -> Result<Taken, Failure> {
        reading.expect(1);
        reading.comes(Form::Packed);
        let (status, refusal) = self.answered(known, reading).await?;
        self.ended = status;
        Ok(if refusal.is_some() || reading.is_changed() { Taken::Not } else { Taken::Whole })
    }

    /// Ends them, when the answer to each was read: what one of them left open is undone.
    pub(super) async fn end_reads(&mut self) -> Result<(), Failure> {
        self.settle(self.ended).await
    }

    /// Sends what was put, and hands rows on until all is answered.
    async fn exchange(&mut self, known: &Known, reading: &mut Reading<'_>) -> Result<(), Failure> {
        frontend::sync(&mut self.wire.output);
        self.wire.send().await.map_err(Failure::Mute)?;
        let (status, refusal) = self.answered(known, reading).await?;
        self.settle(status).await?;
        match refusal {
            // What was cancelled because nobody wanted more of it has failed nobody.
            Some(refusal) if !reading.is_flooded() => Err(Failure::Refused(refusal)),
            Some(_) | None if reading.is_changed() => Err(Failure::Changed),
            Some(_) | None => Ok(()),
        }
    }

    /// Hands rows on until all is answered, and says how the transaction stands and what was refused.
    async fn answered(&mut self, known: &Known, reading: &mut Reading<'_>) -> Result<(u8, Option<Refusal>), Failure> {
        let (mut refusal, mut is_answered, mut is_cancelled) = (None, false, false);
        let status = loop {
            let lost = if is_answered { Failure::Lost } else { Failure::Mute };
            let message = self.wire.receive().await.map_err(lost)?;
            is_answered = true;
            match message {
                Message::DataRow(row) => reading.row(&row).map_err(Failure::Lost)?,
                Message::CommandComplete(body) => reading.step(body.tag().unwrap_or_default()),
                Message::PortalSuspended | Message::EmptyQueryResponse => reading.step(""),
                Message::RowDescription(body) => reading.describe(&fields(&body)),
                Message::ErrorResponse(body) => refusal = Some(Refusal::read(&body)),
                Message::ReadyForQuery(body) => break body.status(),
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Failure::Lost(io::ErrorKind::Unsupported.into()));
                }
                _ => {}
            }
            if reading.is_flooded() && !is_cancelled {
                is_cancelled = true;
                self.site.cancel(self.key).await;
            }
        };
        if reading.is_over() {
            known.overflows.store(true, Ordering::Relaxed);
        }
        Ok((status, refusal))
    }

    /// After a failure the transaction is undone, so that the session is as good as before.
    async fn settle(&mut self, status: u8) -> Result<(), Failure> {
        match status {
            b'I' => {
                self.state = State::Idle;
                Ok(())
            }
            b'E' => Box::pin(self.undo()).await,
            // A transaction that is open on purpose.
            _ => Ok(()),
        }
    }

    /// Sends what was put and reads all answers to it.
    async fn finish_exchange(&mut self, on: &mut (dyn FnMut(&Message) + Send)) -> Result<(), Failure> {
        frontend::sync(&mut self.wire.output);
        self.wire.send().await.map_err(Failure::Mute)?;
        let (mut refusal, mut is_answered) = (None, false);
        let status = loop {
            let lost = if is_answered { Failure::Lost } else { Failure::Mute };
            let message = self.wire.receive().await.map_err(lost)?;
            is_answered = true;
            match &message {
                Message::ErrorResponse(body) => refusal = Some(Refusal::read(body)),
                Message::ReadyForQuery(body) => break body.status(),
                message => on(message),
            }
        };
        self.settle(status).await?;
        match refusal {
            Some(refusal) => Err(Failure::Refused(refusal)),
            None => Ok(()),
        }
    }
}

impl Pooled for Connection {
    /// Stopping takes a connection of its own, so it is a part of retiring.
    fn interrupt(&self) {}

    async fn retire(mut self) -> Option<Self> {
        match self.state {
            State::Idle => {
                frontend::terminate(&mut self.wire.output);
                let _ = timeout(CONNECT_TIMEOUT, self.wire.send()).await;
            }
            State::Busy => self.site.cancel(self.key).await,
            State::Committing => {
                let _ = timeout(CONNECT_TIMEOUT, self.wire.receive()).await;
            }
        }
        None
    }
}

/// Adds the values of a statement, all of them as text, and says which columns come packed.
fn bind(statement: &str, values: &[Option<String>], packed: &[Option<Packed>], out: &mut BytesMut) -> io::Result<()> {
    let write = |value: &Option<String>, out: &mut BytesMut| {
        Ok(match value {
            Some(text) => {
                out.put_slice(text.as_bytes());
                IsNull::No
            }
            None => IsNull::Yes,
        })
    };
    let formats = packed.iter().map(|packed| i16::from(packed.is_some()));
    frontend::bind("", statement, [], values, write, formats, out).map_err(|error| match error {
        BindError::Conversion(error) => io::Error::other(error),
        BindError::Serialization(error) => error,
    })
}

fn fields(body: &RowDescriptionBody) -> Vec<Field> {
    let fields = body.fields().map(|field| Ok(Field { name: field.name().to_owned(), oid: field.type_oid() }));
    fields.collect().unwrap_or_default()
}
