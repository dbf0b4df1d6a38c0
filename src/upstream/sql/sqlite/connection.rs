//! Floor 5. One `SQLite` connection: how statements run on it, and what it remembers of them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::{Statement, hooks::Action, limits::Limit};
use tokio::task::spawn_blocking;

use super::{
    gate::{Asker, Gate},
    identity::FileId,
    pace::Pace,
    stop::StopSwitch,
    text::Verb,
};
use crate::{
    plan::sql::Access,
    upstream::sql::{
        Column,
        pool::Pooled,
        row::{Layout, Shape, renamed},
    },
};

/// Virtual machine steps between two looks at the switch: some ten microseconds.
pub(super) const STEPS: i32 = 1000;

/// Statements that a connection remembers. All are forgotten when there are more.
const REMEMBERED: usize = 256;

/// What the engine gives up at, whatever a statement says: bytes of a value or row, so that no
/// expression takes the memory of the machine; other files; threads of its own.
const LIMITS: [(Limit, i32); 3] = [
    (Limit::SQLITE_LIMIT_LENGTH, 64 << 20),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Statements that a connection keeps prepared.
const PREPARED: usize = 128;

/// A connection, its stop switch and what it remembers.
pub(super) struct Connection {
    pub(super) sqlite: rusqlite::Connection,
    pub(super) gate: Gate,
    pub(super) stop: StopSwitch,
    pub(super) inserted: Arc<Inserted>,
    /// The file it was opened with. `None` in memory.
    pub(super) file: Option<FileId>,
    pub(super) known: HashMap<Arc<str>, Known>,
    /// Steps that the last statement of a call took.
    pub(super) steps: u32,
    life: Life,
    /// What the engine permits on this connection now.
    protection: Access,
    busy_timeout: Duration,
}

/// What becomes of a connection that a call did not end cleanly on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Another can take its place.
    ClosedWhenDirty,
    /// It is the database.
    KeptForEver,
}

/// What a connection remembers of a statement.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) verb: Verb,
    /// Of the rows it gave last.
    pub(super) layout: Option<Arc<Layout>>,
    /// Bytes of them.
    pub(super) bytes: usize,
    pub(super) pace: Pace,
}

impl Connection {
    pub(super) fn new(
        mut sqlite: rusqlite::Connection,
        (life, access): (Life, Access),
        busy_timeout: Duration,
    ) -> rusqlite::Result<Self> {
        let (stop, inserted) = (StopSwitch::new(), Arc::new(Inserted::default()));
        let switch = stop.clone();
        sqlite.progress_handler(STEPS, Some(move || switch.is_due()))?;
        if access == Access::Write || life == Life::KeptForEver {
            let seen = Arc::clone(&inserted);
            let note = move |action: Action, _: &str, _: &str, id: i64| {
                if action == Action::SQLITE_INSERT {
                    seen.note(id);
                }
            };
            sqlite.update_hook(Some(note))?;
        }
        for (limit, most) in LIMITS {
            sqlite.set_limit(limit, most)?;
        }
        sqlite.set_prepared_statement_cache_capacity(PREPARED);
        let gate = Gate::install(&mut sqlite)?;
        let protection = match life {
            Life::ClosedWhenDirty => access,
            Life::KeptForEver => Access::Write,
        };
        let known = HashMap::new();
        Ok(Self { sqlite, gate, stop, inserted, file: None, known, steps: 0, life, protection, busy_timeout })
    }

    /// Makes the engine refuse what `access` does not permit. Does nothing unless the same
    /// connection serves reads and writes.
    pub(super) fn protect(&mut self, access: Access) -> rusqlite::Result<()> {
        if self.protection != access {
            self.run(match access {
                Access::Read => "PRAGMA query_only = ON",
                Access::Write => "PRAGMA query_only = OFF",
            })?;
            self.protection = access;
        }
        Ok(())
    }

    /// Runs a statement of this program.
    pub(super) fn run(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.gate.serve(Asker::Program);
        let mut statement = self.sqlite.prepare_cached(sql)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Lets the work wait for the locks of others, or not at all.
    pub(super) fn wait_for_locks(&self, wait: Waiting) -> rusqlite::Result<()> {
        self.sqlite.busy_timeout(match wait {
            Waiting::Allowed => self.busy_timeout,
            Waiting::Never => Duration::ZERO,
        })
    }

    /// What is remembered of a statement, which is looked at if it is new here.
    pub(super) fn recall(&mut self, sql: &Arc<str>) -> &mut Known {
        if self.known.len() >= REMEMBERED && !self.known.contains_key(sql) {
            self.known.clear();
        }
        self.known.entry(Arc::clone(sql)).or_insert_with(|| Known {
            verb: Verb::of(sql),
            layout: None,
            bytes: 0,
            pace: Pace::default(),
        })
    }

    /// The columns of a statement, with their declared types. It is not run.
    pub(super) fn describe(&self, sql: &str) -> rusqlite::Result<Vec<Column>> {
        self.gate.serve(Asker::Writer);
        let statement = self.sqlite.prepare(sql)?;
        let declared = |declared: Option<&str>| declared.filter(|it| !it.is_empty()).map(str::to_owned);
        let names = renamed(statement.column_names());
        let columns = names.into_iter().zip(statement.columns());
        Ok(columns
            .map(|((name, given), column)| Column { name, given, declared: declared(column.decl_type()), schema: None })
            .collect())
    }
}

/// Whether a connection may wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Allowed,
    Never,
}

/// How the rows of a statement are written.
pub(super) fn layout(statement: &Statement<'_>) -> Layout {
    let columns = statement.columns();
    let shape = |declared: Option<&str>| match declared {
        Some(declared) if declared.eq_ignore_ascii_case("JSON") => Shape::Json,
        Some(declared) if ["BOOLEAN", "BOOL"].iter().any(|name| declared.eq_ignore_ascii_case(name)) => Shape::Boolean,
        Some(_) | None => Shape::Plain,
    };
    let columns: Vec<(String, Shape)> =
        columns.map(|column| (column.name().to_owned(), shape(column.decl_type()))).collect();
    let columns: Vec<(&str, Shape)> = columns.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    Layout::new(&columns)
}

impl Pooled for Connection {
    fn interrupt(&self) {
        // Whoever gives a connection up has ended what ran on it: calls are stopped by their turn.
    }

    async fn retire(self) -> Option<Self> {
        // Closing can write the log back into the file, which takes its time.
        let retired = spawn_blocking(move || match self.life {
            Life::ClosedWhenDirty => {
                if let Err((_, error)) = self.sqlite.close() {
                    tracing::debug!(%error, "a connection was not closed in good order");
                }
                None
            }
            Life::KeptForEver => {
                self.stop.end();
                // It fails when no transaction is open, which is as good.
                drop(self.run("ROLLBACK"));
                Some(self)
            }
        });
        retired.await.ok().flatten()
    }
}

/// The rows that a statement added, as far as needed to tell whether the engine's "last insert id"
/// is of this statement. After an update, or on a table without such ids, it is of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Inserted {
    count: AtomicU64,
    first: AtomicI64,
    last: AtomicI64,
}

impl Inserted {
    pub(super) fn forget(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    fn note(&self, id: i64) {
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.first.store(id, Ordering::Relaxed);
        }
        self.last.store(id, Ordering::Relaxed);
    }

    /// Whether the statement added a row with this id. Triggers add rows as well, so that only the
    /// first and the last are sure enough.
    pub(super) fn has(&self, id: i64) -> bool {
        self.count.load(Ordering::Relaxed) > 0
            && [&self.first, &self.last].iter().any(|seen| seen.load(Ordering::Relaxed) == id)
    }
}
