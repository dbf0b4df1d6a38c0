//! Floor 5. What becomes of writes that another process keeps from its locks. That process is a bare
//! connection, so the lock is held exactly as long as a test says.

use std::{path::PathBuf, sync::Arc};

use serde_json::Map;
use tokio::task::JoinSet;

use super::*;
use crate::{
    plan::{
        Effect, Extent, Gives, Part, Query, SourceId,
        sql::{Dialect, Piece, Returns, Statement},
    },
    upstream::sql::Limits,
};

struct Locked {
    sqlite: Arc<Sqlite>,
    path: PathBuf,
    holder: rusqlite::Connection,
    _folder: tempfile::TempDir,
}

/// A database whose lock is held, and a source that waits for locks hardly at all.
fn locked() -> Locked {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("data.db");
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n); BEGIN IMMEDIATE").unwrap();
    Locked { sqlite: Arc::new(source(&path)), path, holder, _folder: folder }
}

fn source(path: &Path) -> Sqlite {
    let pool = plan::Pool { max: 2, idle: Duration::MAX, acquire_timeout: Duration::from_mins(5) };
    let engine = plan::Engine::Sqlite { path: path.to_owned(), init: None };
    let statement_timeout = Duration::from_mins(5);
    let source = plan::SqlSource { engine, read_only: false, pool, statement_timeout, max_rows: 200 };
    let site = Site::new("db", (path, None), Duration::from_millis(1));
    Sqlite { site, ..Sqlite::new("db", &source, (path, None)) }
}

fn statement(sql: &str) -> Statement {
    Statement::new(Dialect::Sqlite, vec![Piece::Text(sql.to_owned())])
}

async fn run(sqlite: &Sqlite, sql: &str, (access, repeat): (Access, Repeat)) -> Result<Answer, UpstreamError> {
    let run = Run {
        statement: &statement(sql),
        access,
        arguments: &Map::new(),
        returns: Returns::Rows,
        expect_rows: None,
        repeat,
        session: &[],
        limits: Limits { max_rows: 10, max_bytes: 1 << 10 },
        deadline: Instant::now() + Duration::from_mins(5),
    };
    sqlite.run(run).await
}

async fn transact(sqlite: &Sqlite, repeat: Repeat) -> Result<Vec<Answer>, UpstreamError> {
    let part = |sql: &str| Part {
        name: None,
        gives: Gives::Count,
        query: Query {
            source: SourceId(0),
            access: Access::Write,
            effect: Effect::Changes,
            extent: Extent::Open,
            statement: statement(sql),
            returns: Returns::Affected,
            not_found: None,
            max_rows: 10,
            expect_rows: None,
            columns: Vec::new(),
        },
    };
    let request = Transact {
        parts: &[part("INSERT INTO t VALUES (1)"), part("INSERT INTO t VALUES (2)")],
        arguments: &Map::new(),
        repeat,
        session: &[],
        max_bytes: 1 << 10,
        deadline: Instant::now() + Duration::from_mins(5),
    };
    sqlite.transact(request).await
}

#[tokio::test]
async fn a_database_that_another_writer_holds_is_busy() {
    let Locked { sqlite, holder, _folder, .. } = locked();
    let write = run(&sqlite, "INSERT INTO t VALUES (1)", (Access::Write, Repeat::Never)).await;
    let both = transact(&sqlite, Repeat::Never).await.map(|_| ());
    for error in [write.map(|_| ()).unwrap_err(), both.unwrap_err()] {
        assert_eq!(error.class(), FailureClass::Busy);
        assert_eq!(error.public(), "source `db` is locked by another writer");
    }
    // Readers do not wait for the writer.
    let count = "SELECT count(*) AS n FROM t";
    assert_eq!(run(&sqlite, count, (Access::Read, Repeat::Never)).await.unwrap().rows, br#"[{"n":0}]"#);
    holder.execute_batch("ROLLBACK").unwrap();
    transact(&sqlite, Repeat::Never).await.unwrap();
    assert_eq!(run(&sqlite, count, (Access::Read, Repeat::Never)).await.unwrap().rows, br#"[{"n":2}]"#);
}

/// Where twice is the same as once, the lock is waited for as long as the call may take.
#[tokio::test]
async fn a_repeatable_write_outlasts_the_lock() {
    let Locked { sqlite, path, holder, _folder } = locked();
    let mut waiting = JoinSet::new();
    for repeat in [Repeat::AfterCollision; 2] {
        let sqlite = Arc::clone(&sqlite);
        waiting.spawn(async move {
            run(&sqlite, "INSERT INTO t VALUES (3)", (Access::Write, repeat)).await?;
            transact(&sqlite, repeat).await
        });
    }
    // Another source with connections of its own has found the lock held since.
    let other = source(&path);
    for _ in 0..3 {
        let error = run(&other, "DELETE FROM t", (Access::Write, Repeat::Never)).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Busy);
    }
    assert!(waiting.try_join_next().is_none());
    holder.execute_batch("ROLLBACK").unwrap();
    for written in waiting.join_all().await {
        written.unwrap();
    }
    let rows = run(&sqlite, "SELECT count(*) AS n FROM t", (Access::Read, Repeat::Never)).await.unwrap().rows;
    assert_eq!(rows, br#"[{"n":6}]"#);
}
