//! Floor 5. The state in PostgreSQL, for several replicas of one server: keys, the audit, and what
//! callers have used of their shares. The tables are made on the first use.
//!
//! The driver is `sqlx`: this is the plain use of a database that it is made for, with a pool, TLS and
//! binary values, while the door of the sources speaks the protocol itself and in text.

mod records;

use std::{
    future::Future,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{
    ConnectOptions as _, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use super::{Key, KeyFault, Kind, NewKey, StateFault, TokenText, Which};
use crate::{secret::Secret, telemetry::Ledger};

/// Connections at once. A look-up is one round trip.
const CONNECTIONS: u32 = 8;
/// How long a look-up may wait for a connection, and for its answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often shares that are whole again are forgotten.
const TIDIED_EVERY: Duration = Duration::from_mins(1);
/// Several replicas start at once: one of them makes the tables.
const MAKING: i64 = 0x6d63_6272;

/// What is there already is nothing to tell at every start.
const TABLES: &str = "
SET LOCAL client_min_messages = warning;
CREATE TABLE IF NOT EXISTS mcp_bridge_api_key (
    id text PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    name text NOT NULL,
    workspace text,
    scopes text NOT NULL,
    asserts_end_user boolean NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    rotated_to text
);
CREATE UNIQUE INDEX IF NOT EXISTS mcp_bridge_api_key_name
    ON mcp_bridge_api_key (coalesce(workspace, ''), name) WHERE revoked_at IS NULL AND rotated_to IS NULL;
CREATE TABLE IF NOT EXISTS mcp_bridge_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    entry jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS mcp_bridge_oauth_record (
    shelf text NOT NULL,
    key text NOT NULL,
    owner text NOT NULL,
    body text NOT NULL,
    version bigint NOT NULL,
    expires_at bigint,
    PRIMARY KEY (shelf, key)
);
CREATE INDEX IF NOT EXISTS mcp_bridge_oauth_record_owner ON mcp_bridge_oauth_record (shelf, owner);
CREATE INDEX IF NOT EXISTS mcp_bridge_oauth_record_end ON mcp_bridge_oauth_record (expires_at)
    WHERE expires_at IS NOT NULL;
CREATE UNLOGGED TABLE IF NOT EXISTS mcp_bridge_share (key bytea PRIMARY KEY, paid_off bigint NOT NULL);
";

/// A state that several servers share.
#[derive(Clone, Debug)]
pub struct Shared {
    pool: PgPool,
    tidied: Arc<Mutex<Instant>>,
}

impl Shared {
    /// Connects, and makes the tables where they are missing.
    ///
    /// # Errors
    /// When the database cannot be reached, or does not let this user make tables.
    pub(super) async fn open(url: &Secret<String>) -> Result<Self, StateFault> {
        // The address may hold a password: what is wrong with it is told without it.
        let options = PgConnectOptions::from_str(url.expose())
            .map_err(|_| StateFault::Remote("the address cannot be read".into()))?
            .application_name("mcp-bridge")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(told)?;
        let mut making = pool.begin().await.map_err(told)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MAKING).execute(&mut *making).await.map_err(told)?;
        sqlx::raw_sql(TABLES).execute(&mut *making).await.map_err(told)?;
        making.commit().await.map_err(told)?;
        Ok(Self { pool, tidied: Arc::new(Mutex::new(Instant::now())) })
    }

    pub(super) async fn key(&self, digest: &[u8; 32]) -> Result<Option<Key>, KeyFault> {
        let found = sqlx::query(KEY_BY_DIGEST).bind(digest.as_slice()).fetch_optional(&self.pool);
        let found = in_time(found).await?;
        found.as_ref().map(read).transpose().map_err(refused)
    }

    pub(super) async fn keys(&self) -> Result<Vec<Key>, KeyFault> {
        let all = in_time(sqlx::query(ALL_KEYS).fetch_all(&self.pool)).await?;
        all.iter().map(read).collect::<Result<_, _>>().map_err(refused)
    }

    pub(super) async fn create_key(&self, key: &NewKey, now: i64) -> Result<TokenText, KeyFault> {
        let token = TokenText::new(Kind::Key)?;
        let mut change = self.pool.begin().await.map_err(refused)?;
        insert(&mut change, key, &token, now).await?;
        change.commit().await.map_err(refused)?;
        Ok(token)
    }

    pub(super) async fn rotate_key(
        &self,
        which: Which<'_>,
        overlap: i64,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<TokenText, KeyFault> {
        let token = TokenText::new(Kind::Key)?;
        let mut change = self.pool.begin().await.map_err(refused)?;
        let old = only(&mut change, which, now).await?;
        let end = old.expires_at.map_or(now + overlap, |end| end.min(now + overlap));
        sqlx::query("UPDATE mcp_bridge_api_key SET rotated_to = $1, expires_at = $2 WHERE id = $3")
            .bind(&token.id)
            .bind(end)
            .bind(&old.id)
            .execute(&mut *change)
            .await
            .map_err(refused)?;
        let (name, workspace) = (old.name, old.workspace);
        let new = NewKey { name, workspace, scopes: old.scopes, asserts_end_user: old.asserts_end_user, expires_at };
        insert(&mut change, &new, &token, now).await?;
        change.commit().await.map_err(refused)?;
        Ok(token)
    }

    pub(super) async fn revoke_key(&self, which: Which<'_>, now: i64) -> Result<Key, KeyFault> {
        let mut change = self.pool.begin().await.map_err(refused)?;
        let key = only(&mut change, which, now).await?;
        // Whoever revokes by name means every token that goes by it.
        sqlx::query(
            "UPDATE mcp_bridge_api_key SET revoked_at = $1 WHERE revoked_at IS NULL AND (id = $2 OR ($3 AND name = $4
                AND name <> $2 AND workspace IS NOT DISTINCT FROM $5 AND rotated_to IS NOT NULL))",
        )
        .bind(now)
        .bind(&key.id)
        .bind(which.name == key.name)
        .bind(&key.name)
        .bind(&key.workspace)
        .execute(&mut *change)
        .await
        .map_err(refused)?;
        change.commit().await.map_err(refused)?;
        Ok(key)
    }

    pub(super) async fn touch_key(&self, id: &str, now: i64) -> Result<(), KeyFault> {
        let touch = sqlx::query("UPDATE mcp_bridge_api_key SET last_used_at = $1 WHERE id = $2").bind(now).bind(id);
        in_time(touch.execute(&self.pool)).await.map(|_| ())
    }

    /// Counts events of a key for all replicas: `every` is between two events, `ahead` how far ahead of
    /// time the last one may be paid off (the generic cell rate algorithm, by the database's clock).
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn take(
        &self,
        key: &[u8],
        (every, ahead): (Duration, Duration),
        events: u32,
    ) -> Result<Result<(), Duration>, StateFault> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let cost = micros(every).saturating_mul(i64::from(events)).min(micros(ahead));
        let taken = sqlx::query(
            "WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now),
                taken AS (
                    INSERT INTO mcp_bridge_share AS share (key, paid_off) SELECT $1, now + $2 FROM clock
                    ON CONFLICT (key) DO UPDATE
                        SET paid_off = greatest(share.paid_off, EXCLUDED.paid_off - $2) + $2
                        WHERE greatest(share.paid_off, EXCLUDED.paid_off - $2) + $4 <= EXCLUDED.paid_off - $2 + $3
                    RETURNING 1)
             SELECT EXISTS (SELECT 1 FROM taken) AS is_taken, coalesce(
                (SELECT paid_off FROM mcp_bridge_share WHERE key = $1) + $4 - (SELECT now FROM clock) - $3, 0) AS wait",
        )
        .bind(key)
        .bind(cost)
        .bind(micros(ahead))
        // To look is to ask for one event.
        .bind(cost.max(micros(every)))
        .fetch_one(&self.pool);
        let row = tokio::time::timeout(PATIENCE, taken).await.map_err(|_| late())?.map_err(told)?;
        self.tidy();
        let (is_taken, wait) =
            (row.try_get::<bool, _>("is_taken").map_err(told)?, row.try_get::<i64, _>("wait").map_err(told)?);
        Ok(if is_taken { Ok(()) } else { Err(Duration::from_micros(u64::try_from(wait).unwrap_or(0))) })
    }

    /// Forgets shares that are whole again, without making anybody wait.
    fn tidy(&self) {
        {
            let mut tidied = self.tidied.lock();
            if tidied.elapsed() < TIDIED_EVERY {
                return;
            }
            *tidied = Instant::now();
        }
        let pool = self.pool.clone();
        crate::telemetry::spawn(async move {
            let whole = "DELETE FROM mcp_bridge_share WHERE paid_off < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
            if let Err(error) = sqlx::query(whole).execute(&pool).await {
                tracing::warn!(error = %told(error), "shares were not forgotten");
            }
        });
    }

    /// The part that keeps entries of the audit.
    #[must_use]
    pub(super) fn ledger(&self) -> SharedEntries {
        SharedEntries { pool: self.pool.clone(), runtime: tokio::runtime::Handle::current() }
    }
}

/// The part of the state that keeps entries.
#[derive(Debug)]
pub struct SharedEntries {
    pool: PgPool,
    runtime: tokio::runtime::Handle,
}

impl Ledger for SharedEntries {
    fn append(&mut self, entries: &[String]) -> Result<(), String> {
        let adding = async {
            let add = sqlx::query(
                "INSERT INTO mcp_bridge_audit (entry) SELECT entry::jsonb FROM unnest($1::text[]) AS entry",
            );
            in_time(add.bind(entries).execute(&self.pool)).await.map(|_| ())
        };
        self.runtime.block_on(adding).map_err(|error| error.to_string())
    }
}

const KEY_BY_DIGEST: &str = "SELECT id, name, workspace, scopes, asserts_end_user, created_at, expires_at, last_used_at, \
    revoked_at, rotated_to FROM mcp_bridge_api_key WHERE digest = $1";
const ALL_KEYS: &str = "SELECT id, name, workspace, scopes, asserts_end_user, created_at, expires_at, last_used_at, \
    revoked_at, rotated_to FROM mcp_bridge_api_key ORDER BY created_at, id";
/// Those that are meant by a name or an id, the newest first, and locked until the change is made.
const MEANT: &str = "SELECT id, name, workspace, scopes, asserts_end_user, created_at, expires_at, last_used_at, \
    revoked_at, rotated_to FROM mcp_bridge_api_key \
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) \
    AND (id = $2 OR (name = $2 AND rotated_to IS NULL AND ($3::text IS NULL OR workspace = $3))) FOR UPDATE";

async fn insert(
    change: &mut Transaction<'_, Postgres>,
    key: &NewKey,
    token: &TokenText,
    now: i64,
) -> Result<(), KeyFault> {
    let inserted = sqlx::query(
        "INSERT INTO mcp_bridge_api_key (id, digest, name, workspace, scopes, asserts_end_user, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&token.id)
    .bind(token.digest.as_slice())
    .bind(&key.name)
    .bind(&key.workspace)
    .bind(key.scopes.join(" "))
    .bind(key.asserts_end_user)
    .bind(now)
    .bind(key.expires_at)
    .execute(&mut **change)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) => {
            Err(KeyFault::Taken(key.name.clone()))
        }
        Err(error) => Err(refused(error)),
    }
}

/// The one key that is meant: by id, or the newest of its name.
async fn only(change: &mut Transaction<'_, Postgres>, which: Which<'_>, now: i64) -> Result<Key, KeyFault> {
    let meant = sqlx::query(MEANT).bind(now).bind(which.name).bind(which.workspace).fetch_all(&mut **change);
    let mut found = meant.await.map_err(refused)?.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    match (found.pop(), found.pop()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(KeyFault::Several(which.name.to_owned())),
        (None, _) => Err(KeyFault::Unknown(which.name.to_owned())),
    }
}

fn read(row: &PgRow) -> Result<Key, sqlx::Error> {
    let scopes: String = row.try_get("scopes")?;
    Ok(Key {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        workspace: row.try_get("workspace")?,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        asserts_end_user: row.try_get("asserts_end_user")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
        rotated_to: row.try_get("rotated_to")?,
    })
}

async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, KeyFault> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(refused),
        Err(_) => Err(KeyFault::Database("it does not answer in time".into())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is mapped over an error")]
fn refused(error: sqlx::Error) -> KeyFault {
    KeyFault::Database(words(&error))
}

#[expect(clippy::needless_pass_by_value, reason = "what is mapped over an error")]
fn told(error: sqlx::Error) -> StateFault {
    StateFault::Remote(words(&error))
}

fn late() -> StateFault {
    StateFault::Remote("it does not answer in time".into())
}

/// What the database says, without the values that its detail could hold.
fn words(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(said) => said.message().to_owned(),
        None => error.to_string(),
    }
}
