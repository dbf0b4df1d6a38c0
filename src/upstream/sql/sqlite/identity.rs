//! Floor 5. Which file a path leads to. A connection works on after its file was removed or
//! replaced, and what it writes then is lost: every call asks here before it uses one.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::plan::sql::Access;

/// How old what a read goes by may be. Writes always look.
const FRESH: Duration = Duration::from_secs(1);

/// What tells a file from another one that takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that a path leads to, or `None` when there is none. All files are the same where
    /// the system does not number them.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::new(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn new(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(not(unix))]
    fn new(_: &fs::Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// The database file as it was found last.
#[derive(Debug, Default)]
pub(super) struct Sighting(Mutex<Option<Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    file: FileId,
    /// Its write-ahead log, if there was one.
    log: Option<FileId>,
    at: Instant,
}

/// What a look at the path found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The file that was there before, or the first one.
    Same(FileId),
    /// Another file than before: connections to that one are of no use.
    Other(FileId),
    /// None.
    Nothing,
}

impl Sighting {
    /// The file that a call with this access can go by.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(super) fn look(&self, path: &Path, access: Access) -> io::Result<Found> {
        let mut last = self.0.lock();
        let now = Instant::now();
        if let (Some(seen), Access::Read) = (*last, access)
            && now.duration_since(seen.at) < FRESH
        {
            return Ok(Found::Same(seen.file));
        }
        // One look takes a microsecond: less than a task that would wait for it.
        let Some(file) = FileId::of(path)? else {
            return Ok(Found::Nothing);
        };
        let before = last.filter(|seen| seen.file != file);
        if let Some(Seen { log: Some(log), .. }) = before {
            set_aside(path, log);
        }
        *last = Some(Seen { file, log: FileId::of(&beside(path, "-wal"))?, at: now });
        Ok(if before.is_some() { Found::Other(file) } else { Found::Same(file) })
    }

    /// Makes the next call look, whatever it does.
    pub(super) fn expire(&self) {
        if let Some(seen) = &mut *self.0.lock() {
            seen.at = seen.at.checked_sub(FRESH).unwrap_or(seen.at);
        }
    }

    /// Notes which log a connection that was just made uses.
    pub(super) fn note_log(&self, path: &Path) {
        if let Some(seen) = &mut *self.0.lock() {
            seen.log = FileId::of(&beside(path, "-wal")).unwrap_or(seen.log);
        }
    }
}

/// Takes the log of a database that is not there any more away from the one that took its name: the
/// engine would bring pages of the old one into the new one. Nothing is removed that could be wanted.
fn set_aside(path: &Path, log: FileId) {
    let name = beside(path, "-wal");
    if !matches!(FileId::of(&name), Ok(Some(found)) if found == log) {
        return;
    }
    // The index of the log can be made anew, and often is not there.
    drop(fs::remove_file(beside(path, "-shm")));
    match fs::rename(&name, beside(path, "-wal.orphan")) {
        Ok(()) => tracing::warn!(path = %path.display(), "the database was replaced; its old log is now `-wal.orphan`"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "the log of a replaced database stays"),
    }
}

/// The name of a file that belongs to a database: `data.db-wal`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_takes_the_name_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("data.db"), folder.path().join("other.db"));
        let (sighting, look) =
            (Sighting::default(), |sighting: &Sighting| sighting.look(&path, Access::Write).unwrap());
        assert_eq!(look(&sighting), Found::Nothing);
        fs::write(&path, "one").unwrap();
        fs::write(beside(&path, "-wal"), "log of one").unwrap();
        let Found::Same(first) = look(&sighting) else { panic!("the first file is no other") };
        fs::write(&path, "one, changed").unwrap();
        assert_eq!(look(&sighting), Found::Same(first));
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(sighting.look(&path, Access::Read).unwrap(), Found::Same(first), "reads look now and then");
        sighting.expire();
        let Found::Other(second) = sighting.look(&path, Access::Read).unwrap() else { panic!("it was replaced") };
        assert_ne!(first, second);
        assert_eq!(look(&sighting), Found::Same(second));
        assert!(!beside(&path, "-wal").exists(), "a log of the old file");
        assert_eq!(fs::read_to_string(beside(&path, "-wal.orphan")).unwrap(), "log of one");
        fs::write(beside(&path, "-wal"), "log of three").unwrap();
        fs::write(&other, "three").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(matches!(look(&sighting), Found::Other(_)));
        assert!(beside(&path, "-wal").exists(), "a log that came with the new file");
    }
}
