//! Floor 5. What a write keeps, and what a read cannot do.

use serde_json::json;

use super::*;

#[tokio::test]
async fn writes_tell_what_they_did() {
    let script = format!(
        "{BOOKS} CREATE TABLE log (n INTEGER PRIMARY KEY);
         CREATE TABLE keyed (k TEXT PRIMARY KEY) WITHOUT ROWID;
         CREATE TRIGGER logged AFTER INSERT ON authors BEGIN INSERT INTO log VALUES (new.id + 900); END;"
    );
    let database = Database::new(&script).open();
    let table = [
        ("INSERT INTO authors (name) VALUES ('Dick')", 1, Some(2), "[]"),
        // Of several rows, with rows of a trigger in between, none is sure.
        ("INSERT INTO authors (name) VALUES ('A'), ('B')", 2, None, "[]"),
        ("INSERT INTO books (title) VALUES ('A'), ('B')", 2, Some(4), "[]"),
        ("DELETE FROM books WHERE id > 2", 2, None, "[]"),
        ("UPDATE books SET stock = stock + 1", 2, None, "[]"),
        (
            "INSERT INTO books (id, title) VALUES (7, 'Eden') RETURNING id, title",
            1,
            Some(7),
            r#"[{"id":7,"title":"Eden"}]"#,
        ),
        ("INSERT INTO books (id, title) VALUES (7, 'X') ON CONFLICT DO UPDATE SET title = 'Y'", 1, None, "[]"),
        ("INSERT OR IGNORE INTO books (id, title) VALUES (7, 'X')", 0, None, "[]"),
        ("INSERT INTO keyed VALUES ('a')", 1, None, "[]"),
        ("DELETE FROM books WHERE id = 7 RETURNING title", 1, None, r#"[{"title":"Y"}]"#),
        ("DELETE FROM books WHERE id = 7", 0, None, "[]"),
        ("UPDATE books SET stock = 9", 2, None, "[]"),
        ("CREATE TABLE fresh (a)", 0, None, "[]"),
        ("WITH x AS (SELECT 1) UPDATE books SET stock = 8", 2, None, "[]"),
        ("SELECT title FROM books WHERE id = 1", 0, None, r#"[{"title":"Solaris"}]"#),
    ];
    for (sql, affected, last_insert_id, rows) in table {
        let answer = call(sql, json!({})).write().on(&database).await.unwrap();
        assert_eq!((answer.affected, answer.last_insert_id), (Some(affected), last_insert_id), "{sql}");
        assert_eq!(String::from_utf8(answer.rows).unwrap(), rows, "{sql}");
    }
    // All of a write happens, even if not all of its rows fit.
    let cut = call("UPDATE books SET stock = 5 RETURNING id", json!({})).write().limits(1, 100);
    let answer = cut.on(&database).await.unwrap();
    assert_eq!((answer.row_count, answer.cut, answer.affected), (1, Some(Cut::Rows), Some(2)));
    assert_eq!(rows(&database, "SELECT sum(stock) AS s FROM books").await, r#"[{"s":10}]"#);
}

#[tokio::test]
async fn a_write_that_affects_other_than_expected_is_undone() {
    let database = Database::new(BOOKS).open();
    let update = "UPDATE books SET stock = 77 WHERE id <= :id";
    let table = [
        (5, ExpectedRows::Exactly(1), "nothing was changed: 2 rows would have been affected, and exactly 1 row may be"),
        (0, ExpectedRows::Exactly(1), "nothing was changed: 0 rows would have been affected, and exactly 1 row may be"),
        (5, ExpectedRows::AtMost(0), "nothing was changed: 2 rows would have been affected, and at most 0 rows may be"),
    ];
    for (id, expected, public) in table {
        let call = call(update, json!({"id": id})).write().expects(expected);
        let class = if id == 0 { FailureClass::Missing } else { FailureClass::Refused };
        assert_eq!(failure(&database, call).await, (class, public.to_owned()));
        assert_eq!(rows(&database, "SELECT max(stock) AS s FROM books").await, r#"[{"s":3}]"#);
    }
    let fits = call(update, json!({"id": 5})).write().expects(ExpectedRows::AtMost(2));
    assert_eq!(fits.on(&database).await.unwrap().affected, Some(2));
}

#[tokio::test]
async fn constraints_are_named_and_nothing_is_kept() {
    let database = Database::new(BOOKS).open();
    let table = [
        ("INSERT INTO books (id, isbn, title) VALUES (8, 'a', 'X')", "a unique constraint was violated: books.isbn"),
        ("INSERT INTO books (id, title) VALUES (1, 'X')", "a unique constraint was violated: books.id"),
        ("INSERT INTO books (id) VALUES (9)", "a not null constraint was violated: books.title"),
        (
            "INSERT INTO books (id, title, stock) VALUES (9, 'X', -1)",
            "a check constraint was violated: stock_not_negative",
        ),
        ("INSERT INTO books (id, title, author) VALUES (9, 'X', 99)", "a foreign key constraint was violated"),
        ("INSERT INTO nowhere VALUES (1)", "the database refused the statement"),
        ("COMMIT", "source `db` does not run statements of this kind"),
        ("ATTACH ':memory:' AS other", "source `db` does not run statements of this kind"),
    ];
    for (sql, public) in table {
        let call = call(sql, json!({})).write();
        assert_eq!(failure(&database, call).await, (FailureClass::Refused, public.to_owned()), "{sql}");
    }
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, r#"[{"n":2}]"#);
    let deferred = "PRAGMA foreign_keys";
    assert!(call(deferred, json!({})).on(&database).await.is_err());
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing_behind() {
    let database = Database::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY);
         CREATE TABLE b (a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED);",
    )
    .open();
    for _ in 0..2 {
        let orphan = call("INSERT INTO b VALUES (5)", json!({})).write();
        let expected = "a foreign key constraint was violated".to_owned();
        assert_eq!(failure(&database, orphan).await, (FailureClass::Refused, expected));
    }
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM b").await, r#"[{"n":0}]"#);
    assert!(call("INSERT INTO a VALUES (5)", json!({})).write().on(&database).await.is_ok());
}

#[tokio::test]
async fn reads_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside.db");
    let outside = outside.to_str().unwrap();
    let attach = format!("ATTACH '{outside}' AS other");
    let vacuum = format!("VACUUM INTO '{outside}'");
    let statements = [
        "INSERT INTO books (title) VALUES ('X')",
        "INSERT INTO books (title) VALUES ('X') RETURNING id",
        "UPDATE books SET stock = 1",
        "DELETE FROM books",
        "REPLACE INTO books (id, title) VALUES (1, 'X')",
        "WITH x AS (SELECT 1) INSERT INTO books (title) SELECT 'X' FROM x",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "DROP TABLE books",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 5",
        "REINDEX",
        "VACUUM",
        "BEGIN IMMEDIATE",
        &attach,
        &vacuum,
    ];
    let file = Database::new(BOOKS);
    let memory = Database::new(BOOKS);
    let seed = memory.folder.path().join("seed.sql");
    let memory = memory.at(":memory:".into(), Some(seed));
    let locked = Database::new(BOOKS).read_only();
    for database in [file.open(), memory.open(), locked.open()] {
        for sql in statements {
            let call = call(sql, json!({}));
            let expected = (FailureClass::Refused, "the source is read-only".to_owned());
            assert_eq!(failure(&database, call).await, expected, "{sql}");
        }
        assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, r#"[{"n":2}]"#);
    }
    assert!(!std::path::Path::new(outside).exists());
    let write = call("UPDATE books SET stock = 1", json!({})).write();
    let expected = (FailureClass::Refused, "the source is read-only".to_owned());
    assert_eq!(failure(&locked.open(), write).await, expected);
}

#[tokio::test]
async fn the_engine_asks_before_it_compiles() {
    let database = Database::new(BOOKS).open();
    let kind = "source `db` does not run statements of this kind";
    let table = [
        ("SELECT load_extension('x')", Access::Read, Err("the database refused the statement")),
        ("SELECT load_extension('x')", Access::Write, Err("the database refused the statement")),
        ("SELECT * FROM pragma_query_only", Access::Read, Err(kind)),
        ("SELECT * FROM pragma_query_only", Access::Write, Err(kind)),
        ("SELECT name FROM pragma_table_info('authors')", Access::Read, Ok(r#"[{"name":"id"},{"name":"name"}]"#)),
        ("CREATE VIRTUAL TABLE words USING fts5(word)", Access::Write, Ok("[]")),
    ];
    for (sql, access, expected) in table {
        let mut call = call(sql, json!({}));
        call.access = access;
        let given = call.on(&database).await.map(|answer| String::from_utf8(answer.rows).unwrap());
        let given = given.map_err(|error| error.public().to_owned());
        assert_eq!(given, expected.map(str::to_owned).map_err(str::to_owned), "{sql}");
    }
}

#[tokio::test]
async fn memory_is_one_database_for_reads_and_writes() {
    let database = Database::new(BOOKS);
    let seed = database.folder.path().join("seed.sql");
    let database = database.at(":memory:".into(), Some(seed)).open();
    for count in 3..6 {
        let insert = call("INSERT INTO books (title) VALUES ('X')", json!({})).write();
        assert_eq!(insert.on(&database).await.unwrap().last_insert_id, Some(count));
        let expected = json!([{"n": count}]).to_string();
        assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, expected);
    }
    // Neither a call that goes away nor one that is stopped takes the database with it.
    let endless = call(ENDLESS, json!({})).write();
    assert!(timeout(Duration::from_millis(20), endless.on(&database)).await.is_err());
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, r#"[{"n":5}]"#);
}
