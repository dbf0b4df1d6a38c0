//! Floor 5. Running one statement on a connection and reading what comes, as far as it is wanted.

use std::{ops::ControlFlow, sync::Arc};

use futures_util::TryStreamExt as _;
use sqlx::{
    Connection as _, Either, Executor as _, Row as _,
    sqlite::{SqliteArguments, SqliteConnection, SqliteQueryResult, SqliteRow},
};

use super::connection::{Connection, Known, author_text};
use crate::{
    plan::sql::{Access, Returns},
    upstream::sql::{
        Limits,
        row::{JsonRows, Layout, Take},
    },
};

/// What is left of a request when it comes to a connection.
pub(super) struct Work {
    pub(super) sql: Arc<str>,
    pub(super) arguments: SqliteArguments,
    pub(super) access: Access,
    pub(super) returns: Returns,
    pub(super) limits: Limits,
}

/// What came out of a statement.
pub(super) struct Outcome {
    pub(super) rows: JsonRows,
    pub(super) end: End,
    /// The layout of the rows, where it was not the known one.
    pub(super) relaid: Option<Layout>,
}

/// How reading came to its end.
pub(super) enum End {
    /// The statement ran to its end, and this is what the engine counted.
    Whole(SqliteQueryResult),
    /// The engine was asked for the first row only.
    First,
    /// A limit was reached, and the statement still runs.
    Cut,
}

impl End {
    pub(super) fn result(&self) -> Option<&SqliteQueryResult> {
        match self {
            Self::Whole(result) => Some(result),
            Self::First | Self::Cut => None,
        }
    }
}

/// Runs a statement and reads its rows.
pub(super) async fn collect(connection: &mut Connection, known: &Known, work: Work) -> Result<Outcome, sqlx::Error> {
    let (take, max_rows) = match work.returns {
        Returns::Rows => (Some(Take::All), work.limits.max_rows),
        Returns::Row => (Some(Take::All), 1),
        Returns::Value => (Some(Take::First), 1),
        Returns::Affected => (None, 0),
    };
    connection.inserted.forget();
    let mut reading = Reading { known, relaid: None, rows: JsonRows::new(Limits { max_rows, ..work.limits }), take };
    let query = sqlx::query_with(author_text(&known.text), work.arguments).persistent(!known.facts.has_star);
    let end = match (work.access, work.returns) {
        (Access::Read, Returns::Row | Returns::Value) => reading.first(query, &mut connection.sqlite).await?,
        (Access::Read, Returns::Rows | Returns::Affected) | (Access::Write, _) => {
            reading.all(query, &mut connection.sqlite, work.access).await?
        }
    };
    Ok(Outcome { rows: reading.rows, end, relaid: reading.relaid })
}

type AuthorQuery = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// Rows on their way from the engine to the answer.
struct Reading<'a> {
    known: &'a Known,
    relaid: Option<Layout>,
    rows: JsonRows,
    /// `None` when no row is wanted.
    take: Option<Take>,
}

impl Reading<'_> {
    /// Reads the first row. The engine's thread has nothing left to do then, and says less.
    async fn first(&mut self, query: AuthorQuery, sqlite: &mut SqliteConnection) -> Result<End, sqlx::Error> {
        if let Some(row) = query.fetch_optional(&mut *sqlite).await? {
            // One row never goes over the number of rows, and a cut is noted.
            let _: ControlFlow<()> = self.push(&row)?;
        } else {
            // "No row" is also what a thread that is gone looks like.
            sqlite.ping().await?;
        }
        Ok(End::First)
    }

    /// Reads until the end or, for a read, until a limit. A write goes on to its end all the same.
    async fn all(
        &mut self,
        query: AuthorQuery,
        sqlite: &mut SqliteConnection,
        access: Access,
    ) -> Result<End, sqlx::Error> {
        let mut steps = sqlite.fetch_many(query);
        let mut refreshes = usize::from(self.known.facts.has_star);
        while let Some(step) = steps.try_next().await? {
            match step {
                Either::Left(_) if refreshes > 0 => refreshes -= 1,
                Either::Left(result) => return Ok(End::Whole(result)),
                Either::Right(row) => {
                    if self.push(&row)?.is_break() && access == Access::Read {
                        return Ok(End::Cut);
                    }
                }
            }
        }
        // Only a thread that is gone ends without a result.
        Err(sqlx::Error::WorkerCrashed)
    }

    fn push(&mut self, row: &SqliteRow) -> Result<ControlFlow<()>, sqlx::Error> {
        let Some(take) = self.take else { return Ok(ControlFlow::Continue(())) };
        let layout = match &self.relaid {
            Some(layout) => layout,
            None if self.known.layout.fits(row) => &self.known.layout,
            None => self.relaid.insert(Layout::new(row.columns(), &[])),
        };
        self.rows.push(row, layout, take).map_err(sqlx::Error::Decode)
    }
}
