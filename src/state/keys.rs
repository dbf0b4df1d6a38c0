//! Floor 5. API keys that were made by `mcp-bridge keys create`: found by digest, with a life of
//! their own. Times are seconds since 1970.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, named_params, params};

use super::{Kind, Local, TokenText};

/// Keys are found by their digest; a name is free again when its key is revoked or replaced.
pub(super) const TABLES: &str = "
CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    workspace TEXT,
    scopes TEXT NOT NULL,
    asserts_end_user INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    rotated_to TEXT
) STRICT;
CREATE UNIQUE INDEX api_key_name ON api_key (ifnull(workspace, ''), name) WHERE revoked_at IS NULL AND rotated_to IS NULL;
";

const COLUMNS: &str =
    "id, name, workspace, scopes, asserts_end_user, created_at, expires_at, last_used_at, revoked_at, rotated_to";

/// A key, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The part of the token that may be shown.
    pub id: String,
    /// Whose key it is.
    pub name: String,
    /// The caller's workspace.
    pub workspace: Option<String>,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// Whether the caller is believed when it names the person behind it.
    pub asserts_end_user: bool,
    /// When it was made.
    pub created_at: i64,
    /// From when on it is not valid.
    pub expires_at: Option<i64>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// The key that takes its place.
    pub rotated_to: Option<String>,
}

/// Whether a key is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Valid,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Key {
    /// Whether the key is valid at a time.
    #[must_use]
    pub fn standing(&self, now: i64) -> Standing {
        if self.revoked_at.is_some() {
            Standing::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Standing::Expired
        } else {
            Standing::Valid
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let scopes: String = row.get("scopes")?;
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            workspace: row.get("workspace")?,
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            asserts_end_user: row.get("asserts_end_user")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("last_used_at")?,
            revoked_at: row.get("revoked_at")?,
            rotated_to: row.get("rotated_to")?,
        })
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose key it is.
    pub name: String,
    /// The caller's workspace.
    pub workspace: Option<String>,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// Whether the caller is believed when it names the person behind it.
    pub asserts_end_user: bool,
    /// From when on it is not valid.
    pub expires_at: Option<i64>,
}

/// Which key is meant.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    /// Its name or its id.
    pub name: &'a str,
    /// Its workspace, where several have a key of this name.
    pub workspace: Option<&'a str>,
}

/// Why keys were not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// There is a key of this name.
    #[error("there is a key named `{0}` already: revoke or rotate it, or choose another name")]
    Taken(String),
    /// There is no such key.
    #[error("no valid key is named `{0}` or has this id")]
    Unknown(String),
    /// The name stands for several keys.
    #[error("several workspaces have a key named `{0}`: say which is meant with --workspace, or by its id")]
    Several(String),
    /// The system has no random numbers.
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The database refused.
    #[error("the state cannot be used: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for KeyFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl Local {
    /// Finds a key by the digest of its token. What of it is still valid is the caller's to ask.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) fn key(&self, digest: &[u8; 32]) -> Result<Option<Key>, KeyFault> {
        let reader = self.reader.lock();
        let mut found = reader.prepare_cached(&format!("SELECT {COLUMNS} FROM api_key WHERE digest = ?1"))?;
        Ok(found.query_row(params![digest.as_slice()], Key::read).optional()?)
    }

    /// Every key, the oldest one first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) fn keys(&self) -> Result<Vec<Key>, KeyFault> {
        let reader = self.reader.lock();
        let mut all = reader.prepare(&format!("SELECT {COLUMNS} FROM api_key ORDER BY created_at, rowid"))?;
        let keys = all.query_map([], Key::read)?.collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// Makes a key. Its token is returned, and kept nowhere.
    ///
    /// # Errors
    /// [`KeyFault::Taken`], or when the database refuses.
    pub(super) fn create_key(&self, key: &NewKey, now: i64) -> Result<TokenText, KeyFault> {
        let token = TokenText::new(Kind::Key)?;
        insert(&self.writer.lock(), key, &token, now)?;
        Ok(token)
    }

    /// Makes a key in the place of another, which stays valid for so many seconds.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`], [`KeyFault::Several`], or when the database refuses.
    pub(super) fn rotate_key(
        &self,
        which: Which<'_>,
        overlap: i64,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<TokenText, KeyFault> {
        let token = TokenText::new(Kind::Key)?;
        let mut writer = self.writer.lock();
        let change = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = only(&change, which, now)?;
        let end = old.expires_at.map_or(now + overlap, |end| end.min(now + overlap));
        change.execute(
            "UPDATE api_key SET rotated_to = ?1, expires_at = ?2 WHERE id = ?3",
            params![token.id, end, old.id],
        )?;
        let (name, workspace) = (old.name, old.workspace);
        let new = NewKey { name, workspace, scopes: old.scopes, asserts_end_user: old.asserts_end_user, expires_at };
        insert(&change, &new, &token, now)?;
        change.commit()?;
        Ok(token)
    }

    /// Takes a key back, with those that it replaced.
    ///
    /// # Errors
    /// [`KeyFault::Unknown`], [`KeyFault::Several`], or when the database refuses.
    pub(super) fn revoke_key(&self, which: Which<'_>, now: i64) -> Result<Key, KeyFault> {
        let mut writer = self.writer.lock();
        let change = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let key = only(&change, which, now)?;
        // Whoever revokes by name means every token that goes by it.
        change.execute(
            "UPDATE api_key SET revoked_at = :now WHERE revoked_at IS NULL AND (id = :id
                OR (:name = name AND name <> :id AND workspace IS :workspace AND rotated_to IS NOT NULL AND :by_name))",
            named_params! {
                ":now": now, ":id": key.id, ":name": key.name, ":workspace": key.workspace,
                ":by_name": which.name == key.name,
            },
        )?;
        change.commit()?;
        Ok(key)
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// When the database refuses.
    pub(super) fn touch_key(&self, id: &str, now: i64) -> Result<(), KeyFault> {
        self.writer.lock().execute("UPDATE api_key SET last_used_at = ?1 WHERE id = ?2", params![now, id])?;
        Ok(())
    }
}

fn insert(connection: &Connection, key: &NewKey, token: &TokenText, now: i64) -> Result<(), KeyFault> {
    let inserted = connection.execute(
        "INSERT INTO api_key (id, digest, name, workspace, scopes, asserts_end_user, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            token.id,
            token.digest.as_slice(),
            key.name,
            key.workspace,
            key.scopes.join(" "),
            key.asserts_end_user,
            now,
            key.expires_at
        ],
    );
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Err(KeyFault::Taken(key.name.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The one key that is meant: by id, or the newest of its name.
fn only(connection: &Connection, which: Which<'_>, now: i64) -> Result<Key, KeyFault> {
    let mut all = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM api_key WHERE revoked_at IS NULL AND (id = ?1 OR (name = ?1 AND rotated_to IS NULL
            AND (?2 IS NULL OR workspace = ?2)))"
    ))?;
    let mut found = all.query_map(params![which.name, which.workspace], Key::read)?;
    let first = found.next().transpose()?;
    let first = first.filter(|key| key.standing(now) == Standing::Valid);
    let first = first.ok_or_else(|| KeyFault::Unknown(which.name.to_owned()))?;
    match found.next() {
        None => Ok(first),
        Some(_) => Err(KeyFault::Several(which.name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Token;

    fn state() -> (tempfile::TempDir, Local) {
        let folder = tempfile::tempdir().unwrap();
        let state = Local::open(&folder.path().join("state.db")).unwrap();
        (folder, state)
    }

    fn key(name: &str, workspace: Option<&str>) -> NewKey {
        NewKey {
            name: name.into(),
            workspace: workspace.map(str::to_owned),
            scopes: vec!["a".into(), "b:c".into()],
            asserts_end_user: true,
            expires_at: Some(1000),
        }
    }

    fn which(name: &str) -> Which<'_> {
        Which { name, workspace: None }
    }

    #[test]
    fn a_change_waits_for_another_process_that_writes() {
        let (folder, server) = state();
        let command = Local::open(&folder.path().join("state.db")).unwrap();
        let token = command.create_key(&key("ci", None), 10).unwrap();
        std::thread::scope(|scope| {
            let touching = scope.spawn(|| (0..40).try_for_each(|now| server.touch_key(&token.id, now)));
            let rotating = (0..40).try_for_each(|now| command.rotate_key(which("ci"), 0, Some(1000), now).map(|_| ()));
            rotating.unwrap();
            touching.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_key_is_found_by_its_token_and_has_a_life() {
        let (_folder, state) = state();
        let token = state.create_key(&key("ci", Some("acme")), 10).unwrap();
        let found = state.key(&Token::parse(token.text.expose()).unwrap().digest).unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.workspace.as_deref(), found.scopes.len()), ("ci", Some("acme"), 2));
        assert_eq!(found.standing(999), Standing::Valid);
        assert_eq!(found.standing(1000), Standing::Expired);
        assert_eq!(state.key(&[7; 32]).unwrap(), None);
        assert!(matches!(state.create_key(&key("ci", Some("acme")), 11), Err(KeyFault::Taken(_))));
        state.create_key(&key("ci", None), 12).unwrap();
        assert!(matches!(state.revoke_key(which("ci"), 13), Err(KeyFault::Several(_))));
        state.revoke_key(Which { name: "ci", workspace: Some("acme") }, 13).unwrap();
        assert_eq!(state.key(&token.digest).unwrap().unwrap().standing(14), Standing::Revoked);
        state.create_key(&key("ci", Some("acme")), 15).unwrap();
        assert!(matches!(state.revoke_key(which("nobody"), 13), Err(KeyFault::Unknown(_))));
    }

    #[test]
    fn a_key_and_its_successor_are_both_valid_for_a_while() {
        let (_folder, state) = state();
        let old = state.create_key(&key("ci", None), 10).unwrap();
        let new = state.rotate_key(which("ci"), 60, Some(5000), 100).unwrap();
        let standing = |digest: &[u8; 32], now| state.key(digest).unwrap().unwrap().standing(now);
        assert_eq!((standing(&old.digest, 159), standing(&new.digest, 159)), (Standing::Valid, Standing::Valid));
        assert_eq!((standing(&old.digest, 160), standing(&new.digest, 160)), (Standing::Expired, Standing::Valid));
        assert_eq!(state.key(&old.digest).unwrap().unwrap().rotated_to.as_deref(), Some(new.id.as_str()));
        state.revoke_key(which("ci"), 120).unwrap();
        assert_eq!((standing(&old.digest, 121), standing(&new.digest, 121)), (Standing::Revoked, Standing::Revoked));
    }

    #[test]
    fn nothing_in_the_file_is_a_token() {
        let (folder, state) = state();
        let token = state.create_key(&key("ci", None), 10).unwrap();
        let secret = token.text.expose().rsplit('_').next().unwrap().to_owned();
        drop(state);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
}
