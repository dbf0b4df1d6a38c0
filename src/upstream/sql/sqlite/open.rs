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

use rusqlite::OpenFlags;
use tokio::{sync::Mutex, task::spawn_blocking};
use tokio_util::task::TaskTracker;
use url::Url;

use super::{
    connection::{Connection, Life},
    fault,
    identity::{FileId, Found, Sighting, beside},
};
use crate::{plan::sql::Access, upstream::error::UpstreamError};

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
        let (source, busy_timeout) = (self.source.clone(), self.busy_timeout);
        let opened = match &self.place {
            Place::Memory { init } => {
                let init = init.clone();
                spawn_blocking(move || open_memory(&source, init.as_deref(), busy_timeout)).await
            }
            Place::File(file) => {
                let file = Arc::clone(file);
                spawn_blocking(move || open_file(&source, &file, (access, busy_timeout))).await
            }
        };
        let mut connection = opened
            .unwrap_or_else(|error| Err(fault::unavailable(&self.source, "it could not be opened").caused_by(error)))?;
        connection.file = found;
        Ok(connection)
    }

    /// Waits until no script runs.
    pub(super) async fn close(&self) {
        self.filling.close();
        self.filling.wait().await;
    }
}

/// The database that lives in this connection, for reads and writes; see `Connection::protect`.
fn open_memory(source: &str, init: Option<&Path>, busy_timeout: Duration) -> Result<Connection, UpstreamError> {
    let refused = |error: rusqlite::Error| fault::opening(&error, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = rusqlite::Connection::open_with_flags(":memory:", flags).map_err(refused)?;
    sqlite.execute_batch(FOR_WRITES).map_err(refused)?;
    if let Some(script) = init {
        run_script(&sqlite, script).map_err(|error| error.into_upstream(source))?;
    }
    Connection::new(sqlite, (Life::KeptForEver, Access::Write), busy_timeout).map_err(refused)
}

fn open_file(
    source: &str,
    file: &DatabaseFile,
    (access, busy_timeout): (Access, Duration),
) -> Result<Connection, UpstreamError> {
    let refused = |error: rusqlite::Error| fault::opening(&error, source);
    let sqlite = match opened(&file.path, access, busy_timeout) {
        Ok(sqlite) => sqlite,
        Err(error) if access == Access::Read && fault::is_unwritable(&error) => {
            if !is_at_rest(&file.path) {
                return Err(fault::unavailable(source, UNWRITABLE).caused_by(error));
            }
            opened_at_rest(&file.path).map_err(refused)?
        }
        Err(error) => return Err(refused(error)),
    };
    if access == Access::Write {
        // It fails while others read the file. Everything works without, with more waiting.
        if let Err(error) = sqlite.execute_batch("PRAGMA journal_mode = WAL") {
            tracing::debug!(source, %error, "no write-ahead log");
        }
    }
    file.sighting.note_log(&file.path);
    Connection::new(sqlite, (Life::ClosedWhenDirty, access), busy_timeout).map_err(refused)
}

const FOR_READS: &str = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON";
const FOR_WRITES: &str = "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON";

/// Opening reads nothing yet: only this finds out that the file is no database.
const PROBE: &str = "PRAGMA schema_version";

/// A connection to what is a database.
fn opened(path: &Path, access: Access, busy_timeout: Duration) -> rusqlite::Result<rusqlite::Connection> {
    let (mode, settings) = match access {
        Access::Read => (OpenFlags::SQLITE_OPEN_READ_ONLY, FOR_READS),
        Access::Write => (OpenFlags::SQLITE_OPEN_READ_WRITE, FOR_WRITES),
    };
    let sqlite = rusqlite::Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    sqlite.busy_timeout(busy_timeout)?;
    sqlite.execute_batch(settings)?;
    sqlite.execute_batch(PROBE)?;
    Ok(sqlite)
}

/// A connection that takes the file for one that never changes.
fn opened_at_rest(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let invalid = || rusqlite::Error::InvalidPath(path.to_owned());
    let absolute = std::path::absolute(path).map_err(|_| invalid())?;
    let mut uri = Url::from_file_path(absolute).map_err(|()| invalid())?;
    uri.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let sqlite = rusqlite::Connection::open_with_flags(uri.as_str(), flags)?;
    sqlite.execute_batch(FOR_READS)?;
    sqlite.execute_batch(PROBE)?;
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
    Create(rusqlite::Error),
    Statement(rusqlite::Error),
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
/// nothing from a bridge file is ever part of it.
fn run_script(sqlite: &rusqlite::Connection, script: &Path) -> Result<(), FillError> {
    let text = std::fs::read_to_string(script).map_err(FillError::Script)?;
    sqlite.execute_batch(&text).map_err(FillError::Statement)
}

impl DatabaseFile {
    /// Makes the database under another name first: there is never a half-filled one, whatever
    /// happens, and of two processes that do this at once one is simply not needed.
    async fn fill(&self) -> Result<(), FillError> {
        let Some(script) = self.init.clone() else { return Ok(()) };
        let _filling = self.filling.lock().await;
        let path = self.path.clone();
        let made = spawn_blocking(move || {
            if path.try_exists().map_err(FillError::File)? {
                return Ok(());
            }
            let draft = Draft::beside(&path);
            make(&draft.path, &script)?;
            draft.publish(&path).map_err(FillError::File)
        });
        made.await.unwrap_or_else(|error| Err(FillError::File(io::Error::other(error))))
    }
}

fn make(draft: &Path, script: &Path) -> Result<(), FillError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = rusqlite::Connection::open_with_flags(draft, flags).map_err(FillError::Create)?;
    // Nobody sees the draft before it is complete and on disk: no journal on disk is needed.
    let settings = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON";
    sqlite.execute_batch(settings).map_err(FillError::Create)?;
    run_script(&sqlite, script)?;
    // Readers and a writer do not wait for each other, and a read takes a third less time.
    sqlite.execute_batch("PRAGMA journal_mode = WAL").map_err(FillError::Statement)?;
    sqlite.close().map_err(|(_, error)| FillError::Statement(error))?;
    let file = std::fs::File::open(draft).map_err(FillError::File)?;
    file.sync_all().map_err(FillError::File)
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
    fn publish(&self, path: &Path) -> io::Result<()> {
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some file systems have no links.
            Err(_) => std::fs::rename(&self.path, path),
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
