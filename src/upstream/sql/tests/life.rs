//! Floor 5. Connections and files: what happens when calls, time or the database go away.

use tokio::{task::JoinSet, time::timeout};

use super::*;

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped() {
    let files = Database::new(BOOKS).pool(1, SOON);
    let (patient, database) = (files.open(), files.statement_timeout(Duration::from_millis(50)).open());
    let endless_write = format!("INSERT INTO books (title) {ENDLESS}");
    for call in [call(ENDLESS, json!({})), call(&endless_write, json!({})).write()] {
        let expected = "the query took longer than 50 ms and was stopped".to_owned();
        let failure = timeout(SOON, failure(&database, call)).await.unwrap();
        assert_eq!(failure, (FailureClass::Timeout, expected));
    }
    timeout(SOON, database.ready()).await.unwrap().unwrap();
    assert_eq!(rows(&patient, "SELECT count(*) AS n FROM books").await, r#"[{"n":2}]"#);
}

/// The slot of a call comes back only when the engine's thread has ended: that a next call gets it
/// shows that nothing runs any more.
#[tokio::test]
async fn a_call_that_goes_away_stops_its_statement() {
    let database = Database::new(BOOKS).pool(1, SOON).open();
    database.ready().await.unwrap();
    let slow_write = "INSERT INTO books (title) WITH RECURSIVE c(n) AS \
                      (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c";
    for call in [call(ENDLESS, json!({})), call(slow_write, json!({})).write()] {
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(10), call.on(&database)).await.is_err());
            timeout(SOON, database.ready()).await.unwrap().unwrap();
        }
    }
    let write = call("UPDATE books SET stock = 1", json!({})).write();
    let answer = timeout(SOON, write.on(&database)).await.unwrap().unwrap();
    assert_eq!(answer.affected, Some(2));
    timeout(SOON, database.close()).await.unwrap();
}

#[tokio::test]
async fn more_calls_than_connections_wait_their_turn() {
    let database = Arc::new(Database::new(BOOKS).open());
    let mut calls = JoinSet::new();
    for number in 0..50 {
        let database = Arc::clone(&database);
        calls.spawn(async move {
            let given = json!({"n": number});
            if number % 10 == 0 {
                let insert = call("INSERT INTO authors (name) VALUES (:n)", given).write();
                return insert.on(&database).await.unwrap().affected == Some(1);
            }
            call("SELECT :n AS n", given).rows(&database).await == format!(r#"[{{"n":{number}}}]"#)
        });
    }
    assert_eq!(timeout(SOON, calls.join_all()).await.unwrap(), [true; 50]);
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM authors").await, r#"[{"n":6}]"#);
}

#[tokio::test]
async fn a_call_that_gets_no_connection_says_so() {
    let database = Arc::new(Database::new(BOOKS).pool(2, Duration::from_millis(5)).open());
    database.ready().await.unwrap();
    let mut holders = JoinSet::new();
    for _ in 0..2 {
        let database = Arc::clone(&database);
        // One that comes while the other calls have both connections asks again.
        holders.spawn(async move { while call(ENDLESS, json!({})).on(&database).await.is_err() {} });
    }
    let busy = async {
        loop {
            if let Err(error) = call("SELECT 1", json!({})).on(&database).await {
                return (error.class(), error.public().to_owned());
            }
            tokio::task::yield_now().await;
        }
    };
    let expected = "all 2 connections of source `db` are in use".to_owned();
    assert_eq!(timeout(SOON, busy).await.unwrap(), (FailureClass::Busy, expected));
    holders.abort_all();
}

#[tokio::test]
async fn a_database_that_is_not_usable_is_told_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("text.db"), "this is certainly not a database file, but text ".repeat(99)).unwrap();
    std::fs::write(place("bad.sql"), "CREATE TABLE t (a); INSERT INTO nowhere VALUES (1);").unwrap();
    std::fs::create_dir(place("folder.db")).unwrap();
    let table = [
        ("none.db", None, "the database file does not exist"),
        ("no/such/none.db", None, "the folder of the database file does not exist"),
        ("no/such/none.db", Some("bad.sql"), "the folder of the database file does not exist"),
        ("text.db", None, "the file is not a database"),
        ("folder.db", None, "the database file cannot be opened"),
        ("new.db", Some("none.sql"), "its `init` script cannot be read"),
        ("new.db", Some("bad.sql"), "its `init` script failed"),
    ];
    for (path, init, what) in table {
        let database = Database::new("").at(place(path), init.map(place)).open();
        let (class, public) = failure(&database, call("SELECT 1", json!({}))).await;
        assert_eq!(class, FailureClass::Unreachable);
        assert_eq!(public, format!("source `db` is not available: {what}"));
        assert_eq!(database.ready().await.unwrap_err().public(), public);
    }
    assert!(!place("new.db").exists(), "a script that fails leaves no database");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "and no draft");
}

#[tokio::test]
async fn a_database_that_appears_is_used_and_one_that_goes_is_missed() {
    let database = Database::new(BOOKS);
    let path = database.folder.path().join("data.db");
    let late = Database::new("").at(path.clone(), None).open();
    assert!(late.ready().await.is_err());
    database.open().ready().await.unwrap();
    late.ready().await.unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(late.ready().await.is_err());
}

#[tokio::test]
async fn of_many_that_fill_a_database_one_is_enough() {
    let database = Database::new(BOOKS);
    let upstreams: Vec<_> = (0..2).map(|_| Arc::new(database.open())).collect();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let upstream = Arc::clone(&upstreams[number % 2]);
        calls.spawn(async move { rows(&upstream, "SELECT count(*) AS n FROM books").await });
    }
    assert_eq!(timeout(SOON, calls.join_all()).await.unwrap(), [r#"[{"n":2}]"#; 20]);
    assert_eq!(database.files(), ["data.db", "seed.sql"]);
}

/// The old log must not reach the new file either: it holds whole pages.
#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_replaced_is_opened_anew() {
    let (files, other) =
        (Database::new(BOOKS), Database::new("CREATE TABLE books (id INTEGER PRIMARY KEY, title, stock);"));
    let database = files.open();
    let path = files.folder.path().join("data.db");
    let add = || call("INSERT INTO books (title, stock) VALUES ('New', 1)", json!({})).write();
    add().on(&database).await.unwrap();
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, r#"[{"n":3}]"#);
    other.open().ready().await.unwrap();
    std::fs::rename(other.folder.path().join("data.db"), &path).unwrap();
    add().on(&database).await.unwrap();
    // Another program sees what was written.
    let reader = Database::new("").at(path.clone(), None).open();
    for upstream in [&database, &reader] {
        assert_eq!(rows(upstream, "SELECT title FROM books").await, r#"[{"title":"New"}]"#);
    }
    // One that is removed is made anew by its script.
    std::fs::remove_file(&path).unwrap();
    add().on(&database).await.unwrap();
    assert_eq!(rows(&database, "SELECT count(*) AS n FROM books").await, r#"[{"n":3}]"#);
}

#[tokio::test]
async fn a_database_that_is_gone_takes_no_write() {
    let files = Database::new(BOOKS);
    files.open().ready().await.unwrap();
    let path = files.folder.path().join("data.db");
    let database = files.at(path.clone(), None).open();
    let write = || call("UPDATE books SET stock = 1", json!({})).write();
    write().on(&database).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let expected = "source `db` is not available: the database file does not exist".to_owned();
    assert_eq!(failure(&database, write()).await, (FailureClass::Unreachable, expected.clone()));
    assert_eq!(database.ready().await.unwrap_err().public(), expected);
}

/// For a user that may write everywhere the folder is no hindrance, and this shows nothing new.
#[cfg(unix)]
#[tokio::test]
async fn a_database_in_a_folder_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let files = Database::new(BOOKS);
    let maker = files.open();
    maker.ready().await.unwrap();
    maker.close().await;
    let allow = |mode| std::fs::set_permissions(files.folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    let read = |name: &str| {
        let open = Database::new("").at(files.folder.path().join(name), None).read_only().open();
        async move { call("SELECT count(*) AS n FROM books", json!({})).on(&open).await }
    };
    std::fs::copy(files.folder.path().join("data.db"), files.folder.path().join("logged.db")).unwrap();
    std::fs::write(files.folder.path().join("logged.db-wal"), "a log").unwrap();
    allow(0o555);
    let is_bound = std::fs::write(files.folder.path().join("probe"), "").is_err();
    let (alone, logged) = (read("data.db").await, read("logged.db").await);
    allow(0o755);
    assert_eq!(alone.unwrap().rows, br#"[{"n":2}]"#);
    if is_bound {
        let public = "source `db` is not available: the database file cannot be opened: its folder cannot be written";
        assert_eq!(logged.unwrap_err().public(), public);
    } else {
        println!("skipped: this user may write everywhere");
    }
}

/// A statement that was quick runs where it was asked for; one that turns out not to be begins again
/// on a thread that may wait, and nobody sees a difference.
#[tokio::test]
async fn a_quick_statement_may_be_slow_the_next_time() {
    let database = Database::new(BOOKS).pool(1, SOON).open();
    let count = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :n) \
                 SELECT count(*) AS n FROM c";
    for n in [1, 2, 3, 2_000_000, 4, 2_000_000, 5] {
        let rows = call(count, json!({ "n": n })).rows(&database).await;
        assert_eq!(rows, format!(r#"[{{"n":{n}}}]"#));
    }
}

#[tokio::test]
async fn no_expression_takes_the_memory_of_the_machine() {
    let database = Database::new(BOOKS).open();
    let expected = (FailureClass::TooLarge, "a value is larger than the database takes".to_owned());
    for sql in ["SELECT length(zeroblob(100000000))", "SELECT length(printf('%.*c', 500000000, 'x'))"] {
        assert_eq!(failure(&database, call(sql, json!({}))).await, expected, "{sql}");
    }
    assert_eq!(rows(&database, "SELECT length(zeroblob(60000000)) AS n").await, r#"[{"n":60000000}]"#);
}
