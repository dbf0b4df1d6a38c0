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

use crate::support::{Fixed, Server, mariadb, plan_of, postgres};

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

const MARIADB_SEED: &str = "
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
CREATE TABLE loose (id int) ENGINE=MyISAM;
CREATE SEQUENCE s;
DELIMITER //
CREATE FUNCTION sneak() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (99); RETURN 1; END //
CREATE FUNCTION slip() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO loose VALUES (99); RETURN 1; END //
CREATE FUNCTION unbar() RETURNS int BEGIN SET SESSION TRANSACTION READ WRITE; RETURN 1; END //
CREATE FUNCTION calm() RETURNS int BEGIN
    SET @@max_statement_time = 0, @@sql_mode = '', @@time_zone = '+05:00', @@sql_select_limit = 1;
    RETURN 1;
END //
CREATE PROCEDURE proc() BEGIN COMMIT; INSERT INTO t VALUES (97); COMMIT; END //
CREATE PROCEDURE rows_and_more() BEGIN SELECT 1; COMMIT; INSERT INTO t VALUES (96); END //
DELIMITER ;
GRANT CREATE, DROP, ALTER, INDEX, EXECUTE, LOCK TABLES, CREATE VIEW, CREATE ROUTINE, TRIGGER, \
    CREATE TEMPORARY TABLES ON escapes.* TO app;
";

/// What an ordinary user and even the administrator are kept from.
const MARIADB: &[&str] = &[
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (2) RETURNING id",
    "INSERT INTO loose VALUES (2)",
    "REPLACE INTO t VALUES (1) RETURNING id",
    "UPDATE t SET id = 3",
    "DELETE FROM t",
    "DELETE FROM t RETURNING id",
    "TRUNCATE t",
    "CREATE TABLE u (id int)",
    "CREATE TABLE u AS SELECT 1 AS id",
    "CREATE TEMPORARY TABLE u (id int)",
    "CREATE VIEW v AS SELECT 1 AS id",
    "CREATE SEQUENCE s2",
    "CREATE INDEX i ON t (id)",
    "CREATE OR REPLACE TABLE t (id int)",
    "CREATE USER escaped",
    "GRANT ALL ON escapes.* TO app",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMN x int",
    "RENAME TABLE t TO u",
    "OPTIMIZE TABLE t",
    "ANALYZE TABLE t",
    "REPAIR TABLE loose",
    "CHECK TABLE t",
    "SET SESSION TRANSACTION READ WRITE",
    "SET TRANSACTION READ WRITE",
    "SET @@session.tx_read_only = 0",
    "SET GLOBAL max_connections = 5",
    "SET STATEMENT tx_read_only = 0 FOR INSERT INTO t VALUES (2)",
    "SET STATEMENT tx_read_only = 0 FOR SELECT sneak()",
    "START TRANSACTION READ WRITE",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "COMMIT; INSERT INTO t VALUES (2)",
    "SELECT 1; INSERT INTO t VALUES (2)",
    "SELECT sneak()",
    "SELECT slip()",
    "SELECT unbar(), sneak()",
    "DO sneak()",
    "CALL proc()",
    "CALL rows_and_more()",
    "PREPARE p FROM 'INSERT INTO t VALUES (2)'",
    "EXECUTE IMMEDIATE 'INSERT INTO t VALUES (2)'",
    "ANALYZE INSERT INTO t VALUES (2)",
    "ANALYZE FORMAT=JSON DELETE FROM t",
    "SELECT NEXT VALUE FOR s",
    "SELECT setval(s, 50)",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO DUMPFILE '{out}'",
    "SELECT 1 AS x FROM t INTO OUTFILE '{out}' LINES TERMINATED BY 'x'",
    "SELECT 1 /*! INTO OUTFILE '{out}' */",
    "/*M!100100 INSERT INTO t VALUES (2) */",
    "SELECT 1 INTO @x",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE t",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
    "LOCK TABLES t WRITE",
    "FLUSH TABLES WITH READ LOCK",
    "HANDLER t OPEN",
    "SELECT * FROM t FOR UPDATE",
    "KILL CONNECTION_ID()",
    "INSTALL SONAME 'ha_escape'",
    "BINLOG 'x'",
    "RESET QUERY CACHE",
];

/// What runs, and leaves nothing behind.
const MARIADB_UNDONE: &[&str] = &[
    "SELECT unbar()",
    "SELECT calm()",
    "SELECT GET_LOCK('escaped', 0)",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SELECT @sql_mode := 'ANSI_QUOTES'",
];

fn mariadb_state(server: &Server) -> String {
    // Not the position of the sequence by its function, which would move it.
    let sql = "SELECT (SELECT GROUP_CONCAT(id) FROM t), (SELECT count(*) FROM loose), \
               (SELECT next_not_cached_value FROM s), IS_FREE_LOCK('escaped'), @@global.max_connections, \
               (SELECT count(*) FROM mysql.user WHERE user = 'escaped'), (SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM \
               information_schema.TABLES WHERE TABLE_SCHEMA = 'escapes'), (SELECT GROUP_CONCAT(COLUMN_NAME) FROM \
               information_schema.COLUMNS WHERE TABLE_SCHEMA = 'escapes' AND TABLE_NAME = 't')";
    server.admin("escapes", sql)
}

#[tokio::test]
async fn mariadb_keeps_reads_from_writing() {
    let Some(server) = mariadb() else { return };
    server.database("escapes", MARIADB_SEED);
    server.admin("mysql", "SET GLOBAL innodb_stats_auto_recalc = 0");
    let before = mariadb_state(server);
    let target = Target::new(&server.url("app", "escapes"), ", pool: { max: 1 }", Dialect::Mysql);
    // The administrator, accepted by the author: session, transaction and the kind of statement alone hold.
    let admin =
        Target::new(&server.url("admin", "escapes"), ", pool: { max: 1 }, allow_superuser: true", Dialect::Mysql);
    let out = server.folder.join("data").join("escaped");
    let mut through = Vec::new();
    for sql in MARIADB {
        for target in [&target, &admin] {
            let sql = sql.replace("{out}", &out.display().to_string());
            if let Ok(rows) = target.read(&sql).await {
                through.push(format!("{sql}: {rows}"));
            }
        }
    }
    assert!(through.is_empty(), "{}", through.join("\n"));
    let session = "SELECT CONCAT(@@tx_read_only, @@sql_mode, @@time_zone, @@max_statement_time > 0) AS x, 2 AS y FROM t \
                   UNION ALL SELECT 1, 2";
    let as_it_was = target.read(session).await;
    assert!(as_it_was.is_ok(), "{as_it_was:?}");
    for sql in MARIADB_UNDONE {
        let result = target.read(sql).await;
        assert!(result.is_ok(), "{sql}: {result:?}");
        // The next call finds the session as it was.
        assert_eq!(target.read(session).await, as_it_was, "{sql}");
        assert!(target.read("SELECT sneak()").await.is_err(), "{sql}");
    }
    // No right to read files: the function gives nothing.
    let file = "SELECT LOAD_FILE('/etc/hostname') AS x";
    assert_eq!(target.read(file).await.as_deref(), Ok("[{\"x\":null}]"));
    assert_eq!(mariadb_state(server), before);
    // The server's own user could not read what the server wrote; the folder tells.
    let written = fs::read_dir(&server.folder).expect("the folder").flatten().any(|it| it.file_name() == "escaped");
    assert!(!written && !out.exists(), "a file was written");
}

#[tokio::test]
async fn the_administrator_of_mariadb_does_not_read_unless_the_author_says_so() {
    let Some(server) = mariadb() else { return };
    server.database(
        "powers",
        "CREATE ROLE filers; GRANT FILE ON *.* TO filers; CREATE USER filer IDENTIFIED BY 'p@ss:w/rd #1'; \
         GRANT filers TO filer; SET DEFAULT ROLE filers FOR filer; GRANT SELECT ON powers.* TO filer",
    );
    for user in ["admin", "filer"] {
        let target = Target::new(&server.url(user, "powers"), "", Dialect::Mysql);
        let error = target.read("SELECT 1 AS one").await.expect_err(user);
        assert!(error.contains("can do more than read and write its tables"), "{error}");
        let target = Target::new(&server.url(user, "powers"), ", allow_superuser: true", Dialect::Mysql);
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
