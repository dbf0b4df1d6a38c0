//! Floor 5. One `SQLite` connection: what it knows about the statements it has seen, and the switch
//! that stops the one that runs.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
    sqlite::{SqliteArguments, SqliteColumn, SqliteConnection, SqliteOperation},
};

use super::{identity::FileId, text::Facts};
use crate::{
    plan::sql::Access,
    upstream::sql::{
        Column,
        pool::Pooled,
        row::{Layout, Shape},
    },
};

/// Virtual machine steps between two looks at the switch: some ten microseconds.
const STEPS: i32 = 1000;

/// Statements that a connection remembers the columns of. All are forgotten when there are more.
const REMEMBERED: usize = 256;

/// A connection, its stop switch and what it remembers.
pub(super) struct Connection {
    pub(super) sqlite: SqliteConnection,
    pub(super) stop: Arc<StopSwitch>,
    pub(super) inserted: Arc<Inserted>,
    /// The file it was opened with. `None` in memory.
    pub(super) file: Option<FileId>,
    life: Life,
    /// What the engine permits on this connection now.
    protection: Access,
    known: HashMap<Arc<str>, Arc<Known>>,
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
    pub(super) facts: Facts,
    pub(super) layout: Layout,
    /// The author's text, after [`REFRESH`] if the schema decides its columns.
    pub(super) text: Arc<str>,
}

/// Makes the engine look whether the schema has changed. The driver reads the columns of a
/// statement when it prepares it, which looks at nothing, and its thread dies when there are more of
/// them in the end. Its result comes before that of the statement.
const REFRESH: &str = "SELECT 1 FROM sqlite_schema WHERE 0; ";

/// The text of a compiled statement. It was written by the author of the bridge file: values of a
/// call are bound and never part of it, so the assertion holds.
pub(super) fn author_text(sql: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(Arc::clone(sql))
}

impl Connection {
    pub(super) async fn new(mut sqlite: SqliteConnection, life: Life, access: Access) -> Result<Self, sqlx::Error> {
        let stop = Arc::new(StopSwitch::new());
        let inserted = Arc::new(Inserted::default());
        let mut handle = sqlite.lock_handle().await?;
        let switch = Arc::clone(&stop);
        handle.set_progress_handler(STEPS, move || !switch.is_due());
        if access == Access::Write || life == Life::KeptForEver {
            let seen = Arc::clone(&inserted);
            handle.set_update_hook(move |change| {
                if change.operation == SqliteOperation::Insert {
                    seen.note(change.rowid);
                }
            });
        }
        drop(handle);
        let protection = match life {
            Life::ClosedWhenDirty => access,
            Life::KeptForEver => Access::Write,
        };
        Ok(Self { sqlite, stop, inserted, file: None, life, protection, known: HashMap::new() })
    }

    /// Makes the engine refuse what `access` does not permit. Does nothing unless the same
    /// connection serves reads and writes.
    pub(super) async fn protect(&mut self, access: Access) -> Result<(), sqlx::Error> {
        if self.protection != access {
            let pragma = match access {
                Access::Read => "PRAGMA query_only = ON",
                Access::Write => "PRAGMA query_only = OFF",
            };
            self.run(pragma).await?;
            self.protection = access;
        }
        Ok(())
    }

    /// Runs a statement of this program.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        // With arguments, if none: only such a statement stays prepared.
        let query = sqlx::query_with(sql, SqliteArguments::default());
        query.execute(&mut self.sqlite).await.map(drop)
    }

    /// What is known about a statement, learned if it is new here. The caller has made sure that it
    /// may be prepared.
    pub(super) async fn learn(&mut self, sql: &Arc<str>, facts: Facts) -> Result<Arc<Known>, sqlx::Error> {
        let statement = (&mut self.sqlite).prepare(author_text(sql).into_sql_str()).await?;
        let columns = statement.columns();
        let mut shapes = Vec::with_capacity(columns.len());
        for column in columns {
            shapes.push(self.shape(column).await?);
        }
        let text = if facts.has_star { format!("{REFRESH}{sql}").into() } else { Arc::clone(sql) };
        let known = Arc::new(Known { facts, layout: Layout::new(columns, &shapes), text });
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(Arc::clone(sql), Arc::clone(&known));
        Ok(known)
    }

    /// What is known about a statement that was learned before.
    pub(super) fn recall(&self, sql: &str) -> Option<Arc<Known>> {
        self.known.get(sql).map(Arc::clone)
    }

    /// Forgets all statements: the schema is not the one they were learned with.
    pub(super) async fn forget(&mut self) -> Result<(), sqlx::Error> {
        self.known.clear();
        self.sqlite.clear_cached_statements().await
    }

    /// The columns of a statement, with their declared types.
    pub(super) async fn describe(&mut self, sql: &Arc<str>) -> Result<Vec<Column>, sqlx::Error> {
        let statement = (&mut self.sqlite).prepare(author_text(sql).into_sql_str()).await?;
        let mut columns = Vec::with_capacity(statement.columns().len());
        for column in statement.columns() {
            let declared = self.declared(column).await?;
            columns.push(Column { name: column.name().to_owned(), declared });
        }
        Ok(columns)
    }

    async fn shape(&mut self, column: &SqliteColumn) -> Result<Shape, sqlx::Error> {
        if column.type_info().name() == "BOOLEAN" {
            return Ok(Shape::Boolean);
        }
        // The driver knows no type called JSON, so only a column of unknown type can be one.
        if !column.type_info().is_null() {
            return Ok(Shape::Plain);
        }
        Ok(match self.declared(column).await? {
            Some(declared) if declared.eq_ignore_ascii_case("JSON") => Shape::Json,
            _ => Shape::Plain,
        })
    }

    async fn declared(&mut self, column: &SqliteColumn) -> Result<Option<String>, sqlx::Error> {
        let origin = column.origin();
        let Some(origin) = origin.table_column() else { return Ok(None) };
        let sql = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
        let query = sqlx::query(sql).bind(origin.table.as_ref()).bind(origin.name.as_ref());
        let row = query.fetch_optional(&mut self.sqlite).await?;
        let declared = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
        Ok(declared.filter(|declared| !declared.is_empty()))
    }

    /// Waits for the end of a statement whose rows nobody reads any more, and makes it soon.
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        self.stop.now();
        let settled = self.sqlite.ping().await;
        self.stop.never();
        settled
    }
}

impl Pooled for Connection {
    fn interrupt(&self) {
        self.stop.now();
    }

    async fn retire(mut self) -> Option<Self> {
        match self.life {
            Life::ClosedWhenDirty => {
                if let Err(error) = self.sqlite.close().await {
                    tracing::debug!(%error, "a connection was not closed in good order");
                }
                None
            }
            Life::KeptForEver => {
                self.settle().await.ok()?;
                // It fails when no transaction is open, which is as good.
                drop(self.run("ROLLBACK").await);
                Some(self)
            }
        }
    }
}

/// Decides how long a statement may run. Shared with the engine's thread.
#[derive(Debug)]
pub(super) struct StopSwitch {
    base: Instant,
    /// In nanoseconds since `base`.
    due: AtomicU64,
}

impl StopSwitch {
    fn new() -> Self {
        Self { base: Instant::now(), due: AtomicU64::new(u64::MAX) }
    }

    /// Lets statements run until then.
    pub(super) fn at(&self, due: Instant) {
        let due = due.saturating_duration_since(self.base).as_nanos();
        self.due.store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Stops what runs, and whatever follows.
    pub(super) fn now(&self) {
        self.due.store(0, Ordering::Relaxed);
    }

    /// Lets statements run to their end.
    pub(super) fn never(&self) {
        self.due.store(u64::MAX, Ordering::Relaxed);
    }

    fn is_due(&self) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        due != u64::MAX && self.base.elapsed().as_nanos() >= u128::from(due)
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
