//! Floor 5. What a database source does, on real files.

mod life;
mod values;
mod writes;

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};

use super::{Answer, Column, Cut, Limits, Repeat, Run, SqlUpstream};
use crate::{
    plan::{
        self,
        sql::{Access, Dialect, ExpectedRows, Piece, Returns, Statement},
    },
    secret::Vault,
    upstream::error::{FailureClass, UpstreamError},
};

/// How long a test waits for what must happen soon.
const SOON: Duration = Duration::from_secs(20);

/// Runs until it is stopped.
const ENDLESS: &str = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) \
                       SELECT count(*) FROM c";

struct Database {
    folder: Arc<tempfile::TempDir>,
    source: plan::SqlSource,
}

impl Database {
    /// A source that permits writes, with a script.
    fn new(script: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("seed.sql"), script).unwrap();
        let engine =
            plan::Engine::Sqlite { path: folder.path().join("data.db"), init: Some(folder.path().join("seed.sql")) };
        let pool = plan::Pool { max: 4, idle: Duration::from_mins(10), acquire_timeout: Duration::from_secs(20) };
        let statement_timeout = Duration::from_secs(15);
        let source = plan::SqlSource { engine, read_only: false, pool, statement_timeout, max_rows: 200 };
        Self { folder, source }
    }

    fn at(mut self, path: PathBuf, init: Option<PathBuf>) -> Self {
        self.source.engine = plan::Engine::Sqlite { path, init };
        self
    }

    fn read_only(mut self) -> Self {
        self.source.read_only = true;
        self
    }

    fn pool(mut self, max: usize, acquire_timeout: Duration) -> Self {
        self.source.pool = plan::Pool { max, acquire_timeout, ..self.source.pool };
        self
    }

    fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.source.statement_timeout = timeout;
        self
    }

    fn open(&self) -> Open {
        Open { upstream: SqlUpstream::new("db", &self.source, &Vault::default()), _folder: Arc::clone(&self.folder) }
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
        names.sort();
        names
    }
}

/// A source whose files stay as long as it is used.
struct Open {
    upstream: SqlUpstream,
    _folder: Arc<tempfile::TempDir>,
}

impl std::ops::Deref for Open {
    type Target = SqlUpstream;

    fn deref(&self) -> &SqlUpstream {
        &self.upstream
    }
}

/// One call, with everything that most tests do not care about.
struct Call {
    statement: Statement,
    arguments: Map<String, Value>,
    access: Access,
    returns: Returns,
    expect_rows: Option<ExpectedRows>,
    limits: Limits,
}

/// A call of a statement in which `:name` is a param.
fn call(sql: &str, arguments: Value) -> Call {
    let mut pieces = Vec::new();
    let mut rest = sql;
    while let Some((text, after)) = rest.split_once(':') {
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(Piece::Bind(after[..end].into()));
        rest = &after[end..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    call_of(pieces, arguments)
}

fn call_of(pieces: Vec<Piece>, arguments: Value) -> Call {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    Call {
        statement: Statement::new(Dialect::Sqlite, pieces),
        arguments,
        access: Access::Read,
        returns: Returns::Rows,
        expect_rows: None,
        limits: Limits { max_rows: 200, max_bytes: 1 << 20 },
    }
}

impl Call {
    fn write(mut self) -> Self {
        self.access = Access::Write;
        self
    }

    fn returns(mut self, returns: Returns) -> Self {
        self.returns = returns;
        self
    }

    fn expects(mut self, rows: ExpectedRows) -> Self {
        self.expect_rows = Some(rows);
        self
    }

    fn limits(mut self, max_rows: usize, max_bytes: usize) -> Self {
        self.limits = Limits { max_rows, max_bytes };
        self
    }

    async fn on(&self, database: &SqlUpstream) -> Result<Answer, UpstreamError> {
        let run = Run {
            statement: &self.statement,
            access: self.access,
            arguments: &self.arguments,
            returns: self.returns,
            expect_rows: self.expect_rows,
            repeat: Repeat::Never,
            session: &[],
            limits: self.limits,
            deadline: Instant::now() + 3 * SOON,
        };
        database.run(run).await
    }

    async fn rows(&self, database: &SqlUpstream) -> String {
        String::from_utf8(self.on(database).await.unwrap().rows).unwrap()
    }
}

async fn rows(database: &SqlUpstream, sql: &str) -> String {
    call(sql, json!({})).rows(database).await
}

async fn described(database: &SqlUpstream, sql: &str) -> Result<Vec<Column>, UpstreamError> {
    let statement = Statement::new(Dialect::Sqlite, vec![Piece::Text(sql.to_owned())]);
    database.describe(&statement, &statement.variants(&|_| true)[0]).await
}

async fn failure(database: &SqlUpstream, call: Call) -> (FailureClass, String) {
    let error = call.on(database).await.unwrap_err();
    (error.class(), error.public().to_owned())
}

const BOOKS: &str = "
    CREATE TABLE books (
        id INTEGER PRIMARY KEY, isbn TEXT UNIQUE, title TEXT NOT NULL,
        stock INTEGER CONSTRAINT stock_not_negative CHECK (stock >= 0), author INTEGER REFERENCES authors
    );
    CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO authors VALUES (1, 'Lem');
    INSERT INTO books VALUES (1, 'a', 'Solaris', 3, 1), (2, 'b', 'Fiasko', 0, 1);
";
