//! Floor 5. What the server remembers between its runs: digests and no secret, in one `SQLite` file
//! that its owner alone can read, or in a PostgreSQL database that several servers share.

mod entries;
mod keys;
pub mod oauth;
mod postgres;
mod records;
mod token;

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use crate::{
    plan::{AuditArguments, StatePlace},
    secret::{Secret, Vault},
    telemetry::Audit,
};

pub use keys::{Key, KeyFault, NewKey, Standing, Which};
pub use postgres::Shared;
pub use records::{Applied, Change, Found, Kept, RecordFault, Shelf};
pub use token::{Kind, Token, TokenText, random};

/// Marks the file as one of ours (`PRAGMA application_id`): "mcbr".
const APPLICATION: i32 = 0x6d63_6272;
/// The tables of this version.
const VERSION: i32 = 3;
/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state of a server.
#[derive(Debug)]
pub enum State {
    /// In a file.
    Local(Box<Local>),
    /// In a database that several servers share.
    Shared(Shared),
}

/// The state of one server, in a file. Looking up and changing have connections of their own, so that a
/// change that waits for the disk keeps nobody out.
#[derive(Debug)]
pub struct Local {
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    /// The file cannot be made or read.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others can read the file.
    #[error("{path} can be read by others: take that away with `chmod 600`", path = .0.display())]
    Shared(PathBuf),
    /// The file is somebody else's database.
    #[error("{path} is a database of another program, or of a later version of this one", path = .0.display())]
    Foreign(PathBuf),
    /// The database refused.
    #[error("the state cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// The same of a database that is shared.
    #[error("the state cannot be used: {0}")]
    Remote(String),
}

impl State {
    /// Opens the state where a plan keeps it.
    ///
    /// # Errors
    /// When it cannot be used or should not be.
    pub async fn open(place: &StatePlace, vault: &Vault) -> Result<Self, StateFault> {
        match place {
            StatePlace::File(path) => Local::open(path).map(|local| Self::Local(Box::new(local))),
            StatePlace::Postgres(url) => {
                let url = vault.get(*url).ok_or_else(|| StateFault::Remote("its address is not known".into()))?;
                Ok(Self::Shared(Shared::open(url).await?))
            }
        }
    }

    /// The part that several servers share, where they do.
    #[must_use]
    pub const fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Shared(shared) => Some(shared),
            Self::Local(_) => None,
        }
    }

    /// Finds a key by the digest of its token, if that takes no time to speak of; `None` where another
    /// machine has to be asked.
    #[must_use]
    pub fn key_at_once(&self, digest: &[u8; 32]) -> Option<Result<Option<Key>, KeyFault>> {
        match self {
            Self::Local(local) => Some(local.key(digest)),
            Self::Shared(_) => None,
        }
    }

    /// Finds a key by the digest of its token. What of it is still valid is the caller's to ask.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn key(&self, digest: &[u8; 32]) -> Result<Option<Key>, KeyFault> {
        match self {
            Self::Local(local) => local.key(digest),
            Self::Shared(shared) => shared.key(digest).await,
        }
    }

    /// Every key, the oldest one first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn keys(&self) -> Result<Vec<Key>, KeyFault> {
        match self {
            Self::Local(local) => local.keys(),
            Self::Shared(shared) => shared.keys().await,
        }
    }

    /// Makes a key. Its token is returned, and kept nowhere.
    ///
    /// # Errors
    /// [`KeyFault::Taken`], or when the database refuses.
    pub async fn create_key(&self, key: &NewKey, now: i64) -> Result<TokenText, KeyFault> {
        match self {
            Self::Local(local) => local.create_key(key, now),
            Self::Shared(shared) => shared.create_key(key, now).await,
        }
    }

    /// Makes a key in the place of another, which stays valid for so many seconds.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`], [`KeyFault::Several`], or when the database refuses.
    pub async fn rotate_key(
        &self,
        which: Which<'_>,
        overlap: i64,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<TokenText, KeyFault> {
        match self {
            Self::Local(local) => local.rotate_key(which, overlap, expires_at, now),
            Self::Shared(shared) => shared.rotate_key(which, overlap, expires_at, now).await,
        }
    }

    /// Takes a key back, with those that it replaced.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`], [`KeyFault::Several`], or when the database refuses.
    pub async fn revoke_key(&self, which: Which<'_>, now: i64) -> Result<Key, KeyFault> {
        match self {
            Self::Local(local) => local.revoke_key(which, now),
            Self::Shared(shared) => shared.revoke_key(which, now).await,
        }
    }

    /// Notes that a key was used. Not for a thread of the runtime: it may wait for the disk.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn touch_key(&self, id: &str, now: i64) -> Result<(), KeyFault> {
        match self {
            Self::Local(local) => local.touch_key(id, now),
            Self::Shared(shared) => shared.touch_key(id, now).await,
        }
    }

    /// The audit in the state.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn audit(self, arguments: AuditArguments, key: Option<&Secret<String>>) -> io::Result<Arc<Audit>> {
        match self {
            Self::Local(local) => Audit::new(local.ledger(), arguments, key),
            Self::Shared(shared) => Audit::new(shared.ledger(), arguments, key),
        }
    }
}

impl Local {
    /// Opens the file, or makes it for its owner alone.
    ///
    /// # Errors
    /// When the file cannot be used or should not be.
    pub fn open(path: &Path) -> Result<Self, StateFault> {
        secure(path)?;
        let writer = connect(path)?;
        prepare(&writer, path)?;
        let reader = connect(path)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(Self { reader: Mutex::new(reader), writer: Mutex::new(writer) })
    }
}

fn connect(path: &Path) -> Result<Connection, StateFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let canonical = fs::canonicalize(path).map_err(|error| StateFault::File { path: path.to_owned(), error })?;
    let connection = Connection::open_with_flags(canonical, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Makes the file before the database does, so that there is no moment in which others could
/// open it; the files beside it get its permissions.
fn secure(path: &Path) -> Result<(), StateFault> {
    let fault = |error| StateFault::File { path: path.to_owned(), error };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(fault(error)),
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).map_err(fault)?.permissions()) & 0o077 != 0 {
        return Err(StateFault::Shared(path.to_owned()));
    }
    Ok(())
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), StateFault> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, version) = (number("application_id")?, number("user_version")?);
    if (tables > 0 && application != APPLICATION) || version > VERSION {
        return Err(StateFault::Foreign(path.to_owned()));
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A revocation that a power failure takes back is none.
    connection.pragma_update(None, "synchronous", "full")?;
    if version < VERSION {
        let tables = [keys::TABLES, entries::TABLES, records::TABLES]
            .get(usize::try_from(version).unwrap_or(0)..)
            .unwrap_or_default();
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;",
            tables.concat()
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file_and_those_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = Local::open(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        drop(state);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Local::open(&path), Err(StateFault::Shared(_))));
    }

    #[test]
    fn a_database_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        secure(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(Local::open(&path), Err(StateFault::Foreign(_))));
        let tables =
            Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        assert_eq!(tables, Ok(1));
    }

    #[test]
    fn a_file_is_opened_again_and_a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        Local::open(&path).unwrap();
        Local::open(&path).unwrap();
        assert!(matches!(Local::open(&folder.path().join("no/state.db")), Err(StateFault::File { .. })));
    }
}
