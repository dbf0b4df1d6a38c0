//! Floor 5. What the authorization server inside remembers: records on shelves, found by their key.
//! Several are changed at once or not at all, and only as long as each is as it was when it was read:
//! so a crash leaves no half of a change, and of two who change the same, one begins again.

use std::{fmt::Debug, sync::Arc};

use rusqlite::{OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{Local, State};

/// Keys are names, ids, or digests of what may not be kept.
pub(super) const TABLES: &str = "
CREATE TABLE oauth_record (
    shelf TEXT NOT NULL,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (shelf, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_record_owner ON oauth_record (shelf, owner);
CREATE INDEX oauth_record_end ON oauth_record (expires_at) WHERE expires_at IS NOT NULL;
";

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// People.
    User,
    /// Links that sign a person in.
    Link,
    /// Programs that act for people, or for themselves.
    Client,
    /// What clients ask people for, while they look at it.
    Request,
    /// People who were sent to sign in elsewhere.
    Away,
    /// Browsers in which a person is signed in.
    Session,
    /// What people agreed to.
    Consent,
    /// What a client may do for a person.
    Grant,
    /// Codes between a consent and the first token.
    Code,
    /// Access tokens.
    Access,
    /// What tokens are derived with.
    Key,
}

impl Shelf {
    /// The word that the table has.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Link => "link",
            Self::Client => "client",
            Self::Request => "request",
            Self::Away => "away",
            Self::Session => "session",
            Self::Consent => "consent",
            Self::Grant => "grant",
            Self::Code => "code",
            Self::Access => "access",
            Self::Key => "key",
        }
    }
}

/// A record as it is in memory.
pub trait Kept: Serialize + DeserializeOwned + Debug + Send + 'static {
    /// Where it is kept.
    const SHELF: Shelf;
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// Its key.
    pub key: String,
    /// What it says.
    pub value: T,
    /// How often it was changed.
    version: i64,
    /// From when on it is not there any more.
    pub expires_at: Option<i64>,
}

/// A record as the database has it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) body: String,
    pub(super) version: i64,
    pub(super) expires_at: Option<i64>,
}

/// One of the changes that are made together.
#[derive(Clone, Debug)]
pub struct Change {
    pub(super) shelf: Shelf,
    pub(super) key: String,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A record that must not be there yet.
    Add { owner: String, body: String, expires_at: Option<i64> },
    /// A record that must be as it was.
    Replace { owner: String, body: String, expires_at: Option<i64>, version: i64 },
    /// The same, and it stays.
    Hold { version: i64 },
    /// The same, and it goes.
    Remove { version: i64 },
    /// All that belongs to an owner, however many there are. The key names the owner.
    Clear,
}

impl Change {
    /// Adds a record. Whoever adds one with the same key meanwhile was first.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn add<T: Kept>(
        key: impl Into<String>,
        owner: &str,
        value: &T,
        expires_at: Option<i64>,
    ) -> Result<Self, RecordFault> {
        let what = What::Add { owner: owner.to_owned(), body: body(value)?, expires_at };
        Ok(Self { shelf: T::SHELF, key: key.into(), what })
    }

    /// Puts a record in the place of the one that was found.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn replace<T: Kept>(
        found: &Found<T>,
        owner: &str,
        value: &T,
        expires_at: Option<i64>,
    ) -> Result<Self, RecordFault> {
        let what = What::Replace { owner: owner.to_owned(), body: body(value)?, expires_at, version: found.version };
        Ok(Self { shelf: T::SHELF, key: found.key.clone(), what })
    }

    /// Nothing is changed unless the record is as it was found.
    #[must_use]
    pub fn hold<T: Kept>(found: &Found<T>) -> Self {
        Self { shelf: T::SHELF, key: found.key.clone(), what: What::Hold { version: found.version } }
    }

    /// Takes the record away that was found.
    #[must_use]
    pub fn remove<T: Kept>(found: &Found<T>) -> Self {
        Self { shelf: T::SHELF, key: found.key.clone(), what: What::Remove { version: found.version } }
    }

    /// Takes away all that belongs to an owner.
    #[must_use]
    pub fn clear(shelf: Shelf, owner: &str) -> Self {
        Self { shelf, key: owner.to_owned(), what: What::Clear }
    }
}

fn body(value: &impl Serialize) -> Result<String, RecordFault> {
    serde_json::to_string(value).map_err(|error| RecordFault(error.to_string()))
}

/// Whether changes were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// All of them.
    Done,
    /// None of them: somebody else was first.
    Overtaken,
}

/// Why the records cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the state cannot be used: {0}")]
pub struct RecordFault(pub(super) String);

impl From<getrandom::Error> for RecordFault {
    fn from(error: getrandom::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<rusqlite::Error> for RecordFault {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl<T: Kept> TryFrom<Row> for Found<T> {
    type Error = RecordFault;

    fn try_from(row: Row) -> Result<Self, RecordFault> {
        let value = serde_json::from_str(&row.body).map_err(|error| RecordFault(error.to_string()))?;
        Ok(Self { key: row.key, value, version: row.version, expires_at: row.expires_at })
    }
}

impl State {
    /// Finds a record. One whose time is over is not there.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn find<T: Kept>(&self, key: &str, now: i64) -> Result<Option<Found<T>>, RecordFault> {
        let row = match self {
            Self::Local(local) => local.record(T::SHELF, key, now)?,
            Self::Shared(shared) => shared.record(T::SHELF, key, now).await?,
        };
        row.map(Found::try_from).transpose()
    }

    /// The same, if that takes no time to speak of; `None` where another machine has to be asked.
    #[must_use]
    pub fn find_at_once<T: Kept>(&self, key: &str, now: i64) -> Option<Result<Option<Found<T>>, RecordFault>> {
        match self {
            Self::Local(local) => {
                Some(local.record(T::SHELF, key, now).and_then(|row| row.map(Found::try_from).transpose()))
            }
            Self::Shared(_) => None,
        }
    }

    /// All records of a shelf, or those of one owner, by key.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn all<T: Kept>(&self, owner: Option<&str>, now: i64) -> Result<Vec<Found<T>>, RecordFault> {
        let rows = match self {
            Self::Local(local) => local.records(T::SHELF, owner, now)?,
            Self::Shared(shared) => shared.records(T::SHELF, owner, now).await?,
        };
        rows.into_iter().map(Found::try_from).collect()
    }

    /// How many records an owner has on a shelf.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn count(&self, place: Shelf, owner: &str, now: i64) -> Result<u64, RecordFault> {
        match self {
            Self::Local(local) => local.count(place, owner, now),
            Self::Shared(shared) => shared.count(place, owner, now).await,
        }
    }

    /// Makes changes, all of them or none.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn apply(self: &Arc<Self>, changes: Vec<Change>, now: i64) -> Result<Applied, RecordFault> {
        match &**self {
            Self::Local(_) => {
                let state = Arc::clone(self);
                // It waits for the disk.
                let applying = tokio::task::spawn_blocking(move || match &*state {
                    Self::Local(local) => local.apply(&changes, now),
                    Self::Shared(_) => Ok(Applied::Overtaken),
                });
                applying.await.map_err(|error| RecordFault(error.to_string()))?
            }
            Self::Shared(shared) => shared.apply(&changes, now).await,
        }
    }
}

impl Local {
    fn record(&self, place: Shelf, key: &str, now: i64) -> Result<Option<Row>, RecordFault> {
        let reader = self.reader.lock();
        let mut found = reader.prepare_cached(
            "SELECT key, body, version, expires_at FROM oauth_record
             WHERE shelf = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        )?;
        Ok(found.query_row(params![place.name(), key, now], row).optional()?)
    }

    fn records(&self, place: Shelf, owner: Option<&str>, now: i64) -> Result<Vec<Row>, RecordFault> {
        let reader = self.reader.lock();
        let mut all = reader.prepare_cached(
            "SELECT key, body, version, expires_at FROM oauth_record
             WHERE shelf = ?1 AND (?2 IS NULL OR owner = ?2) AND (expires_at IS NULL OR expires_at > ?3) ORDER BY key",
        )?;
        let rows = all.query_map(params![place.name(), owner, now], row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    fn count(&self, place: Shelf, owner: &str, now: i64) -> Result<u64, RecordFault> {
        let reader = self.reader.lock();
        let mut counted = reader.prepare_cached(
            "SELECT count(*) FROM oauth_record
             WHERE shelf = ?1 AND owner = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        )?;
        let count: i64 = counted.query_row(params![place.name(), owner, now], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn apply(&self, changes: &[Change], now: i64) -> Result<Applied, RecordFault> {
        let mut writer = self.writer.lock();
        let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.prepare_cached("DELETE FROM oauth_record WHERE expires_at <= ?1")?.execute(params![now])?;
        for Change { shelf: place, key, what } in changes {
            let place = place.name();
            let written = match what {
                What::Add { owner, body, expires_at } => transaction
                    .prepare_cached(
                        "INSERT INTO oauth_record (shelf, key, owner, body, version, expires_at)
                         VALUES (?1, ?2, ?3, ?4, 1, ?5) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![place, key, owner, body, expires_at])?,
                What::Replace { owner, body, expires_at, version } => transaction
                    .prepare_cached(
                        "UPDATE oauth_record SET owner = ?3, body = ?4, expires_at = ?5, version = version + 1
                         WHERE shelf = ?1 AND key = ?2 AND version = ?6",
                    )?
                    .execute(params![place, key, owner, body, expires_at, version])?,
                What::Hold { version } => transaction
                    .prepare_cached("SELECT 1 FROM oauth_record WHERE shelf = ?1 AND key = ?2 AND version = ?3")?
                    .exists(params![place, key, version])?
                    .into(),
                What::Remove { version } => transaction
                    .prepare_cached("DELETE FROM oauth_record WHERE shelf = ?1 AND key = ?2 AND version = ?3")?
                    .execute(params![place, key, version])?,
                What::Clear => {
                    transaction
                        .prepare_cached("DELETE FROM oauth_record WHERE shelf = ?1 AND owner = ?2")?
                        .execute(params![place, key])?;
                    1
                }
            };
            if written == 0 {
                // What was done so far is taken back with the transaction.
                return Ok(Applied::Overtaken);
            }
        }
        transaction.commit()?;
        Ok(Applied::Done)
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        key: row.get("key")?,
        body: row.get("body")?,
        version: row.get("version")?,
        expires_at: row.get("expires_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::oauth::Session;

    fn state() -> (tempfile::TempDir, Arc<State>) {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(&folder.path().join("state.db")).unwrap();
        (folder, Arc::new(State::Local(Box::new(local))))
    }

    fn session(user: &str) -> Session {
        Session { user: user.into(), created_at: 1 }
    }

    async fn user(state: &State, key: &str) -> Option<String> {
        state.find::<Session>(key, 5).await.unwrap().map(|found| found.value.user)
    }

    #[tokio::test]
    async fn changes_are_made_together_or_not_at_all() {
        let (_folder, state) = state();
        let add = |key: &str, owner: &str| Change::add(key, owner, &session(owner), Some(100)).unwrap();
        assert_eq!(state.apply(vec![add("a", "ada"), add("b", "bob")], 5).await.unwrap(), Applied::Done);
        let found = state.find::<Session>("a", 5).await.unwrap().unwrap();
        let change = || Change::replace(&found, "ada", &session("eve"), None).unwrap();
        let taken = vec![add("c", "cy"), change(), add("b", "again")];
        assert_eq!(state.apply(taken, 5).await.unwrap(), Applied::Overtaken);
        assert_eq!((user(&state, "c").await, user(&state, "a").await), (None, Some("ada".into())));
        assert_eq!(state.apply(vec![change()], 5).await.unwrap(), Applied::Done);
        for stale in [change(), Change::hold(&found), Change::remove(&found)] {
            assert_eq!(state.apply(vec![add("c", "cy"), stale], 5).await.unwrap(), Applied::Overtaken);
        }
        assert_eq!(user(&state, "c").await, None);
        assert_eq!(state.apply(vec![Change::clear(Shelf::Session, "bob")], 5).await.unwrap(), Applied::Done);
        assert_eq!((user(&state, "a").await, user(&state, "b").await), (Some("eve".into()), None));
    }

    #[tokio::test]
    async fn what_is_over_is_not_there_and_goes_with_the_next_change() {
        let (_folder, state) = state();
        let add = |key: &str, end| Change::add(key, "o", &session("ada"), end).unwrap();
        assert_eq!(state.apply(vec![add("a", Some(6)), add("b", None)], 5).await.unwrap(), Applied::Done);
        assert!(state.find::<Session>("a", 6).await.unwrap().is_none());
        assert_eq!(state.count(Shelf::Session, "o", 6).await.unwrap(), 1);
        assert_eq!(state.apply(vec![add("a", Some(9))], 6).await.unwrap(), Applied::Done);
        assert_eq!(state.all::<Session>(Some("o"), 6).await.unwrap().len(), 2);
        assert_eq!(state.all::<Session>(None, 9).await.unwrap().len(), 1);
    }
}
