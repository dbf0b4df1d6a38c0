//! Floor 5. The records of the authorization server in PostgreSQL, where several replicas read and change them.

use sqlx::{Row as _, postgres::PgRow};

use super::{PATIENCE, Shared, words};
use crate::state::records::{Applied, Change, RecordFault, Row, Shelf, What};

impl Shared {
    pub(in crate::state) async fn record(&self, place: Shelf, key: &str, now: i64) -> Result<Option<Row>, RecordFault> {
        let found = sqlx::query(
            "SELECT key, body, version, expires_at FROM mcp_bridge_oauth_record
             WHERE shelf = $1 AND key = $2 AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(place.name())
        .bind(key)
        .bind(now)
        .fetch_optional(&self.pool);
        in_time(found).await?.as_ref().map(read).transpose().map_err(refused)
    }

    pub(in crate::state) async fn records(
        &self,
        place: Shelf,
        owner: Option<&str>,
        now: i64,
    ) -> Result<Vec<Row>, RecordFault> {
        let found = sqlx::query(
            "SELECT key, body, version, expires_at FROM mcp_bridge_oauth_record WHERE shelf = $1
             AND ($2::text IS NULL OR owner = $2) AND (expires_at IS NULL OR expires_at > $3) ORDER BY key",
        )
        .bind(place.name())
        .bind(owner)
        .bind(now)
        .fetch_all(&self.pool);
        in_time(found).await?.iter().map(read).collect::<Result<_, _>>().map_err(refused)
    }

    pub(in crate::state) async fn count(&self, place: Shelf, owner: &str, now: i64) -> Result<u64, RecordFault> {
        let counted = sqlx::query(
            "SELECT count(*) AS count FROM mcp_bridge_oauth_record
             WHERE shelf = $1 AND owner = $2 AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(place.name())
        .bind(owner)
        .bind(now)
        .fetch_one(&self.pool);
        let count: i64 = in_time(counted).await?.try_get("count").map_err(refused)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(in crate::state) async fn apply(&self, changes: &[Change], now: i64) -> Result<Applied, RecordFault> {
        let applying = self.apply_whole(changes, now);
        match tokio::time::timeout(PATIENCE, applying).await {
            Ok(applied) => applied,
            Err(_) => Err(late()),
        }
    }

    async fn apply_whole(&self, changes: &[Change], now: i64) -> Result<Applied, RecordFault> {
        let mut transaction = self.pool.begin().await.map_err(refused)?;
        sqlx::query("DELETE FROM mcp_bridge_oauth_record WHERE expires_at <= $1")
            .bind(now)
            .execute(&mut *transaction)
            .await
            .map_err(refused)?;
        for Change { shelf: place, key, what } in changes {
            let change = match what {
                What::Add { owner, body, expires_at } => sqlx::query(
                    "INSERT INTO mcp_bridge_oauth_record (shelf, key, owner, body, version, expires_at)
                     VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT DO NOTHING",
                )
                .bind(place.name())
                .bind(key)
                .bind(owner)
                .bind(body)
                .bind(expires_at),
                What::Replace { owner, body, expires_at, version } => sqlx::query(
                    "UPDATE mcp_bridge_oauth_record SET owner = $3, body = $4, expires_at = $5, version = version + 1
                     WHERE shelf = $1 AND key = $2 AND version = $6",
                )
                .bind(place.name())
                .bind(key)
                .bind(owner)
                .bind(body)
                .bind(expires_at)
                .bind(version),
                // Locked, so that it still holds when the rest is written.
                What::Hold { version } => sqlx::query(
                    "UPDATE mcp_bridge_oauth_record SET version = version WHERE shelf = $1 AND key = $2 AND version = $3",
                )
                .bind(place.name())
                .bind(key)
                .bind(version),
                What::Remove { version } => sqlx::query(
                    "DELETE FROM mcp_bridge_oauth_record WHERE shelf = $1 AND key = $2 AND version = $3",
                )
                .bind(place.name())
                .bind(key)
                .bind(version),
                What::Clear => sqlx::query("DELETE FROM mcp_bridge_oauth_record WHERE shelf = $1 AND owner = $2")
                    .bind(place.name())
                    .bind(key),
            };
            let written = change.execute(&mut *transaction).await.map_err(refused)?.rows_affected();
            if written == 0 && !matches!(what, What::Clear) {
                transaction.rollback().await.map_err(refused)?;
                return Ok(Applied::Overtaken);
            }
        }
        transaction.commit().await.map_err(refused)?;
        Ok(Applied::Done)
    }
}

fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        version: row.try_get("version")?,
        expires_at: row.try_get("expires_at")?,
    })
}

async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, RecordFault> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(refused),
        Err(_) => Err(late()),
    }
}

fn late() -> RecordFault {
    RecordFault("it does not answer in time".into())
}

#[expect(clippy::needless_pass_by_value, reason = "what is mapped over an error")]
fn refused(error: sqlx::Error) -> RecordFault {
    RecordFault(words(&error))
}
