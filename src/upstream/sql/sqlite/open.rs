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
    identity::{FileId, Found, Sighting, beside},
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
    sighting: Sighting,
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
            Place::File(Arc::new(DatabaseFile { path, init, filling: Mutex::new(()), sighting: Sighting::default() }))
        };
        Self { source: source.to_owned(), place, busy_timeout, filling: TaskTracker::new() }
    }

    /// Whether the database lives in its only connection.
    pub(super) fn is_memory(&self) -> bool {
        matches!(self.place, Place::Memory { .. })
    }

    /// The database file that a call with this access uses. `None` for a database in memory.
    ///
    /// # Errors
    ///
    /// When there is no such file and no script to make it.
    pub(super) async fn look(&self, access: Access) -> Result<Option<Found>, UpstreamError> {
        let Place::File(file) = &self.place else { return Ok(None) };
        match self.found(file, access)? {
            Found::Nothing => self.ensure_exists(file).await?,
            found @ (Found::Same(_) | Found::Other(_)) => return Ok(Some(found)),
        }
        match self.found(file, access)? {
            Found::Nothing => Err(fault::unavailable(&self.source, MISSING)),
            found @ (Found::Same(_) | Found::Other(_)) => Ok(Some(found)),
        }
    }

    fn found(&self, file: &DatabaseFile, access: Access) -> Result<Found, UpstreamError> {
        file.sighting.look(&file.path, access).or_else(|error| {
            // Its folder may not even be one; what is missing is told by `ensure_exists`.
            if error.kind() == io::ErrorKind::NotADirectory {
                return Ok(Found::Nothing);
            }
            Err(fault::unavailable(&self.source, "the database file cannot be read").caused_by(error.kind()))
        })
    }

    /// Makes the next call look whether the file is still there.
    pub(super) fn expire(&self) {
        if let Place::File(file) = &self.place {
            file.sighting.expire();
        }
    }

    /// Fails when the database file is not there. It is made if there is a script for it.
    async fn ensure_exists(&self, file: &Arc<DatabaseFile>) -> Result<(), UpstreamError> {
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
            return Err(fault::unavailable(&self.source, MISSING));
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

    /// A new connection to the file that was found, known to work. If that is replaced meanwhile, the
    /// next call sees a connection to another file than it found, and makes a new one.
    pub(super) async fn connect(&self, access: Access, found: Option<FileId>) -> Result<Connection, UpstreamError> {
        let options = self.options(access);
        let refused = |error: sqlx::Error| fault::opening(&error, &self.source);
        let mut sqlite = match (opened(options.clone()).await, &self.place) {
            (Ok(sqlite), _) => sqlite,
            (Err(error), Place::File(file)) if access == Access::Read && fault::is_unwritable(&error) => {
                if !is_at_rest(&file.path) {
                    return Err(fault::unavailable(&self.source, UNWRITABLE).caused_by(error));
                }
                opened(options.immutable(true)).await.map_err(refused)?
            }
            (Err(error), _) => return Err(refused(error)),
        };
        let life = match &self.place {
            Place::Memory { .. } => Life::KeptForEver,
            Place::File(_) => Life::ClosedWhenDirty,
        };
        if let Place::Memory { init: Some(script) } = &self.place {
            run_script(&mut sqlite, script).await.map_err(|error| error.into_upstream(&self.source))?;
        }
        if access == Access::Write && !self.is_memory() {
            // It fails while others read the file. Everything works without, with more waiting.
            if let Err(error) = sqlite.execute("PRAGMA journal_mode = WAL").await {
                tracing::debug!(source = self.source, %error, "no write-ahead log");
            }
        }
        if let Place::File(file) = &self.place {
            file.sighting.note_log(&file.path);
        }
        let mut connection = Connection::new(sqlite, life, access).await.map_err(refused)?;
        connection.file = found;
        Ok(connection)
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

/// A connection to what is a database.
async fn opened(options: SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut sqlite = options.connect().await?;
    // Opening reads nothing yet: only this finds out that the file is no database.
    sqlite.execute("PRAGMA schema_version").await?;
    Ok(sqlite)
}

/// Whether nobody has the database open for writing, as far as its neighbours tell. A database with a
/// write-ahead log cannot be read where the log's index cannot be made, unless it is declared to
/// be one that never changes; with a log or a journal beside it, it is not.
fn is_at_rest(path: &Path) -> bool {
    ["-wal", "-shm", "-journal"].iter().all(|suffix| matches!(FileId::of(&beside(path, suffix)), Ok(None)))
}

const MISSING: &str = "the database file does not exist";
const UNWRITABLE: &str = "the database file cannot be opened: its folder cannot be written";
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
            // Most of them do not exist; one that stays behind is only litter.
            drop(std::fs::remove_file(beside(&self.path, suffix)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_without_a_log_is_taken_as_one_that_never_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.db");
        std::fs::write(&path, "").unwrap();
        assert!(is_at_rest(&path));
        for suffix in ["-wal", "-shm", "-journal"] {
            std::fs::write(beside(&path, suffix), "").unwrap();
            assert!(!is_at_rest(&path), "{suffix}");
            std::fs::remove_file(beside(&path, suffix)).unwrap();
        }
        assert!(is_at_rest(&path));
    }
}
