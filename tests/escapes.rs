//! What a tool that reads must not be able to do, whatever its text says: statements that got
//! through the guards of others (`sql.md` §6, `auth.md` §4.6). Each runs on the engine itself, past
//! `check`, and afterwards nothing is changed and nothing outside was read or written.

use std::{fs, path::Path, time::Duration};

use mcp_bridge::{
    plan::{
        Operation, SourceId,
        sql::{Access, Dialect, Piece, Returns, Statement},
    },
    upstream::{
        Upstream, Upstreams,
        sql::{Limits, Repeat, Run},
    },
};
use serde_json::Map;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::{Fixed, Server, plan_of, postgres};

/// One tool, so that there is a source to take.
const TOOL: &str = "tools:\n  one: { description: One., sql: { query: SELECT 1 } }\n";

/// A database to attack, as a reading call has it.
struct Target {
    upstreams: Upstreams,
    source: SourceId,
    dialect: Dialect,
    folder: TempDir,
}

impl Target {
    fn new(url: &str, settings: &str, dialect: Dialect) -> Self {
        let folder = TempDir::new().expect("a folder");
        let text = format!("bridge: target\nsources:\n  db: {{ sql: {{ url: \"${{DB}}\"{settings} }} }}\n{TOOL}");
        fs::write(folder.path().join("seed.sql"), "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1);")
            .expect("a file");
        let (plan, vault) = plan_of(folder.path(), &[("target.yaml", &text)], &Fixed::new(&[("DB", url)]));
        let Operation::Sql(query) = &plan.tools[0].operation else { panic!("a statement") };
        let source = query.source;
        let upstreams = Upstreams::connect(&plan, &vault).expect("clients can be made");
        Self { upstreams, source, dialect, folder }
    }

    /// What came back, or the sentence of the error.
    async fn read(&self, sql: &str) -> Result<String, String> {
        let Some(Upstream::Sql(sql_upstream)) = self.upstreams.get(self.source) else { panic!("a database") };
        let statement = Statement::new(self.dialect, vec![Piece::Text(sql.to_owned())]);
        let run = Run {
            statement: &statement,
            access: Access::Read,
            arguments: &Map::new(),
            returns: Returns::Rows,
            expect_rows: None,
            repeat: Repeat::Never,
            session: &[],
            limits: Limits { max_rows: 100, max_bytes: 64 << 10 },
            deadline: Instant::now() + Duration::from_secs(20),
        };
        let answer = sql_upstream.run(run).await.map_err(|error| error.public().to_owned())?;
        Ok(String::from_utf8_lossy(&answer.rows).into_owned())
    }
}

const POSTGRES_SEED: &str = "
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
CREATE SEQUENCE s;
CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (99); RETURN 1; END $$;
CREATE FUNCTION unlock() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); INSERT INTO t VALUES (98); RETURN 1; END $$;
CREATE PROCEDURE proc() LANGUAGE plpgsql AS $$ BEGIN COMMIT; INSERT INTO t VALUES (97); COMMIT; END $$;
GRANT CREATE ON SCHEMA public TO app;
GRANT INSERT, DELETE, UPDATE, TRUNCATE ON t TO app;
GRANT ALL ON SEQUENCE s TO app;
";

/// What an ordinary user and even the administrator are kept from.
const POSTGRES: &[&str] = &[
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (2) RETURNING id",
    "UPDATE t SET id = 3 RETURNING id",
    "DELETE FROM t",
    "TRUNCATE t",
    "MERGE INTO t USING (SELECT 5 AS id) n ON t.id = n.id WHEN NOT MATCHED THEN INSERT VALUES (n.id)",
    "WITH w AS (INSERT INTO t VALUES (2) RETURNING id) SELECT * FROM w",
    "WITH w AS (DELETE FROM t RETURNING id) SELECT * FROM w",
    "SELECT * INTO u FROM t",
    "CREATE TABLE u (id int)",
    "CREATE TEMP TABLE u (id int)",
    "CREATE TABLE u AS SELECT 1 AS id",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMN x int",
    "CREATE VIEW v AS SELECT 1 AS id",
    "COMMENT ON TABLE t IS 'x'",
    "SET TRANSACTION READ WRITE",
    "SET transaction_read_only = off",
    "SET default_transaction_read_only = off",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "RESET default_transaction_read_only",
    "BEGIN READ WRITE",
    "COMMIT",
    "ROLLBACK",
    "COMMIT; INSERT INTO t VALUES (2)",
    "SELECT 1; INSERT INTO t VALUES (2)",
    "SELECT nextval('s')",
    "SELECT setval('s', 50)",
    "SELECT sneak()",
    "SELECT unlock()",
    "CALL proc()",
    "DO $$ BEGIN INSERT INTO t VALUES (2); END $$",
    "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO t VALUES (2); END $$",
    "PREPARE p AS INSERT INTO t VALUES (2)",
    "COPY t TO PROGRAM 'cat > {out}'",
    "COPY (SELECT 1) TO PROGRAM 'touch {out}'",
    "COPY (SELECT 1) TO '{out}'",
    "COPY t FROM '/etc/passwd'",
    "COPY t FROM STDIN",
    "COPY t TO STDOUT",
    "EXPLAIN ANALYZE INSERT INTO t VALUES (2)",
    "EXPLAIN ANALYZE WITH w AS (DELETE FROM t RETURNING id) SELECT * FROM w",
    "LOCK TABLE t",
    "VACUUM t",
    "LISTEN x",
    "NOTIFY x",
    "DISCARD ALL",
    "SELECT set_config('transaction_read_only', 'off', false), sneak()",
    "SELECT * FROM t FOR UPDATE",
];

/// What only the rights of the user keep from; nobody above them reads without saying so.
const POSTGRES_RIGHTS: &[&str] = &[
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_ls_dir('/etc')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, '{out}')",
    "SELECT pg_reload_conf()",
    "SELECT pg_file_write('{out}', 'x', false)",
];

/// What runs, and leaves nothing behind.
const POSTGRES_UNDONE: &[&str] = &[
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT set_config('role', 'none', false)",
    "SELECT pg_notify('x', 'y')",
];

fn state(server: &Server, database: &str) -> String {
    let sql = "SELECT (SELECT string_agg(id::text, ',') FROM t), (SELECT count(*) FROM pg_class WHERE relnamespace = \
               'public'::regnamespace), (SELECT last_value || is_called::text FROM s), \
               (SELECT count(*) FROM pg_largeobject_metadata), obj_description('t'::regclass)";
    server.admin(database, sql)
}

#[tokio::test]
async fn postgresql_keeps_reads_from_writing() {
    let Some(server) = postgres() else { return };
    server.database("escapes", POSTGRES_SEED);
    let before = state(server, "escapes");
    let target = Target::new(&server.url("app", "escapes"), ", pool: { max: 1 }", Dialect::Postgres);
    // The administrator, accepted by the author: the transaction alone holds.
    let admin =
        Target::new(&server.url("admin", "escapes"), ", pool: { max: 1 }, allow_superuser: true", Dialect::Postgres);
    let out = server.folder.join("escaped");
    let fill = |sql: &str| sql.replace("{out}", &out.display().to_string());
    for sql in POSTGRES {
        for target in [&target, &admin] {
            let result = target.read(&fill(sql)).await;
            assert!(result.is_err(), "{sql}: {result:?}");
        }
    }
    for sql in POSTGRES_RIGHTS {
        let result = target.read(&fill(sql)).await;
        assert!(result.is_err(), "{sql}: {result:?}");
    }
    for sql in POSTGRES_UNDONE {
        assert!(target.read(sql).await.is_ok(), "{sql}");
        // The next call finds the session as it was.
        let sql = "SELECT current_setting('transaction_read_only') || current_setting('default_transaction_read_only') \
                   || current_setting('statement_timeout') AS x";
        assert_eq!(target.read(sql).await.as_deref(), Ok("[{\"x\":\"onon15s\"}]"), "{sql}");
    }
    assert_eq!(state(server, "escapes"), before);
    assert!(!out.exists(), "a file was written");
}

#[tokio::test]
async fn the_administrator_does_not_read_unless_the_author_says_so() {
    let Some(server) = postgres() else { return };
    server.database(
        "powers",
        "CREATE TABLE t (id int); CREATE ROLE filer LOGIN PASSWORD 'p@ss:w/rd #1' IN ROLE pg_read_server_files",
    );
    for user in ["admin", "filer"] {
        let target = Target::new(&server.url(user, "powers"), "", Dialect::Postgres);
        let error = target.read("SELECT 1 AS one").await.expect_err(user);
        assert!(error.contains("can do more than read and write its tables"), "{error}");
        let target = Target::new(&server.url(user, "powers"), ", allow_superuser: true", Dialect::Postgres);
        assert_eq!(target.read("SELECT 1 AS one").await.as_deref(), Ok("[{\"one\":1}]"));
    }
}

const SQLITE: &[&str] = &[
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (2) RETURNING id",
    "UPDATE t SET id = 3",
    "DELETE FROM t",
    "REPLACE INTO t VALUES (4)",
    "WITH w AS (SELECT 1) INSERT INTO t SELECT 1 FROM w",
    "CREATE TABLE u (id)",
    "CREATE TEMP TABLE u (id)",
    "DROP TABLE t",
    "ATTACH '{out}' AS other",
    "ATTACH ':memory:' AS other",
    "VACUUM INTO '{out}'",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = 1",
    "SELECT load_extension('x')",
    "SELECT writefile('{out}', 'x')",
    "SELECT readfile('/etc/hostname')",
    "BEGIN",
    "COMMIT",
    "SELECT 1; DELETE FROM t",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN QUERY PLAN SELECT 1; DELETE FROM t",
];

#[tokio::test]
async fn sqlite_keeps_reads_from_writing() {
    let target = Target::new("sqlite:target.db", ", init: seed.sql", Dialect::Sqlite);
    assert_eq!(target.read("SELECT id FROM t").await.as_deref(), Ok("[{\"id\":1}]"));
    let out = target.folder.path().join("escaped");
    for sql in SQLITE {
        let sql = sql.replace("{out}", &out.display().to_string());
        // Some shells have the functions that read and write files; this engine has none.
        let result = target.read(&sql).await;
        assert!(result.is_err(), "{sql}: {result:?}");
    }
    assert_eq!(target.read("SELECT id FROM t").await.as_deref(), Ok("[{\"id\":1}]"));
    let tables = "SELECT count(*) AS n FROM sqlite_schema";
    assert_eq!(target.read(tables).await.as_deref(), Ok("[{\"n\":1}]"));
    assert!(!out.exists() && !Path::new("other").exists(), "a file was written");
}
