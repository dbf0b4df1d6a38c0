//! Floor 5. How a `SQLite` database is opened, and filled by its script when it is not there yet.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connection, Life},
    fault,
};
use crate::{plan::sql::Access, upstream::error::UpstreamError};

/// Rows that the engine's thread computes ahead of the reader.
const ROWS_AHEAD: usize = 64;

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 128;

/// Where a database is, and how to make a connection to it.
#[derive(Debug)]
pub(super) struct Site {
    source: String,
    place: Place,
    busy_timeout: Duration,
    filling: TaskTracker,
}

#[derive(Debug)]
enum Place {
    Memory { init: Option<PathBuf> },
    File(Arc<DatabaseFile>),
}

#[derive(Debug)]
struct DatabaseFile {
    path: PathBuf,
    init: Option<PathBuf>,
    /// Held by the one that fills the database.
    filling: Mutex<()>,
}

impl Site {
    pub(super) fn new(source: &str, (path, init): (&Path, Option<&Path>), busy_timeout: Duration) -> Self {
        let init = init.map(Path::to_owned);
        let place = if path.as_os_str() == ":memory:" {
            Place::Memory { init }
        } else {
            // The engine would take `file:…` for a URI, with parameters.
            let path =
                if path.to_string_lossy().starts_with("file:") { Path::new(".").join(path) } else { path.to_owned() };
            Place::File(Arc::new(DatabaseFile { path, init, filling: Mutex::new(()) }))
        };
        Self { source: source.to_owned(), place, busy_timeout, filling: TaskTracker::new() }
    }

    /// Whether the database lives in its only connection.
    pub(super) fn is_memory(&self) -> bool {
        matches!(self.place, Place::Memory { .. })
    }

    /// Fails when the database file is not there. It is made if there is a script for it.
    pub(super) async fn ensure_exists(&self) -> Result<(), UpstreamError> {
        let Place::File(file) = &self.place else { return Ok(()) };
        if self.is_there(&file.path).await? {
            return Ok(());
        }
        let folder = file.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder
            && !self.is_there(folder).await?
        {
            let what = "the folder of the database file does not exist";
            return Err(fault::unavailable(&self.source, what));
        }
        if file.init.is_none() {
            return Err(fault::unavailable(&self.source, "the database file does not exist"));
        }
        // In a task of its own: the caller may go away, and the next one must not begin again.
        let file = Arc::clone(file);
        let filled = self.filling.spawn(async move { file.fill().await }).await;
        match filled {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into_upstream(&self.source)),
            Err(error) => Err(fault::unavailable(&self.source, "it could not be filled").caused_by(error)),
        }
    }

    async fn is_there(&self, path: &Path) -> Result<bool, UpstreamError> {
        tokio::fs::try_exists(path).await.map_err(|error| {
            fault::unavailable(&self.source, "the database file cannot be read").caused_by(error.kind())
        })
    }

    /// A new connection, known to work.
    pub(super) async fn connect(&self, access: Access) -> Result<Connection, UpstreamError> {
        self.ensure_exists().await?;
        let options = self.options(access);
        let refused = |error: sqlx::Error| fault::opening(&error, &self.source);
        let mut sqlite = options.connect().await.map_err(refused)?;
        let life = match &self.place {
            Place::Memory { .. } => Life::KeptForEver,
            Place::File(_) => Life::ClosedWhenDirty,
        };
        if let Place::Memory { init: Some(script) } = &self.place {
            run_script(&mut sqlite, script).await.map_err(|error| error.into_upstream(&self.source))?;
        }
        // Opening reads nothing yet: only this finds out that the file is no database.
        sqlite.execute("PRAGMA schema_version").await.map_err(refused)?;
        if access == Access::Write && !self.is_memory() {
            // It fails while others read the file. Everything works without, with more waiting.
            if let Err(error) = sqlite.execute("PRAGMA journal_mode = WAL").await {
                tracing::debug!(source = self.source, %error, "no write-ahead log");
            }
        }
        Connection::new(sqlite, life, access).await.map_err(refused)
    }

    fn options(&self, access: Access) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout)
            .statement_cache_capacity(STATEMENTS)
            .row_buffer_size(ROWS_AHEAD)
            .command_buffer_size(8)
            .pragma("cell_size_check", "ON")
            .disable_statement_logging();
        let Place::File(file) = &self.place else {
            // One connection for reads and writes; see `Connection::protect`.
            return options.filename(":memory:").in_memory(true);
        };
        let options = options.filename(&file.path);
        match access {
            Access::Read => options.read_only(true).pragma("query_only", "ON").pragma("trusted_schema", "OFF"),
            Access::Write => options,
        }
    }

    /// Waits until no script runs.
    pub(super) async fn close(&self) {
        self.filling.close();
        self.filling.wait().await;
    }
}

const UNCREATED: &str = "the database file cannot be created";

/// Why a database could not be filled.
enum FillError {
    Script(io::Error),
    Create(sqlx::Error),
    Statement(sqlx::Error),
    File(io::Error),
}

impl FillError {
    fn into_upstream(self, source: &str) -> UpstreamError {
        match self {
            Self::Script(error) => {
                fault::unavailable(source, "its `init` script cannot be read").caused_by(error.kind())
            }
            Self::Statement(error) => fault::unavailable(source, "its `init` script failed").caused_by(error),
            Self::Create(error) => fault::unavailable(source, UNCREATED).caused_by(error),
            Self::File(error) => fault::unavailable(source, UNCREATED).caused_by(error.kind()),
        }
    }
}

/// Runs the operator's own script. Its text is the file's, as it stands: no argument of a call and
/// nothing from a bridge file is ever part of it, so the assertion holds.
async fn run_script(sqlite: &mut SqliteConnection, script: &Path) -> Result<(), FillError> {
    let text = tokio::fs::read_to_string(script).await.map_err(FillError::Script)?;
    let script = sqlx::raw_sql(AssertSqlSafe(text));
    script.execute(sqlite).await.map(drop).map_err(FillError::Statement)
}

impl DatabaseFile {
    /// Makes the database under another name first: there is never a half-filled one, whatever
    /// happens, and of two processes that do this at once one is simply not needed.
    async fn fill(&self) -> Result<(), FillError> {
        let Some(script) = &self.init else { return Ok(()) };
        let _filling = self.filling.lock().await;
        if tokio::fs::try_exists(&self.path).await.map_err(FillError::File)? {
            return Ok(());
        }
        let draft = Draft::beside(&self.path);
        self.make(&draft.path, script).await?;
        draft.publish(&self.path).await.map_err(FillError::File)
    }

    async fn make(&self, draft: &Path, script: &Path) -> Result<(), FillError> {
        // Nobody sees the draft before it is complete and on disk: no journal on disk is needed.
        let options = SqliteConnectOptions::new()
            .filename(draft)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        let mut sqlite = options.connect().await.map_err(FillError::Create)?;
        run_script(&mut sqlite, script).await?;
        // Readers and a writer do not wait for each other, and a read takes a third less time.
        let log = sqlite.execute("PRAGMA journal_mode = WAL").await;
        log.map_err(FillError::Statement)?;
        sqlite.close().await.map_err(FillError::Statement)?;
        let file = tokio::fs::File::open(draft).await.map_err(FillError::File)?;
        file.sync_all().await.map_err(FillError::File)
    }
}

/// A database under its first name. Removed when dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(path: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{name}.{}.{count}.new", std::process::id());
        Self { path: path.with_file_name(name) }
    }

    /// Gives the file its own name, unless that is taken: then the other one stays, as it may have
    /// been written to since.
    async fn publish(&self, path: &Path) -> io::Result<()> {
        match tokio::fs::hard_link(&self.path, path).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some file systems have no links.
            Err(_) => tokio::fs::rename(&self.path, path).await,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            // Most of them do not exist; one that stays behind is only litter.
            drop(std::fs::remove_file(name));
        }
    }
}
