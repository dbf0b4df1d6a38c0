//! Floor 5. What goes in and what comes out.

use serde_json::{Value, json};

use super::*;
use crate::plan::sql::LikeKind;

#[tokio::test]
async fn values_come_out_by_what_they_are() {
    let database = Database::new(
        "CREATE TABLE t (flag BOOLEAN, doc JSON, note TEXT, price DECIMAL(10,2));
         INSERT INTO t VALUES (1, '{\"b\": 1,\"a\":[1.50]}', '{\"b\":1}', 1.5), (0, '{oops', NULL, NULL),
             (2, '1e999', '', 3), (NULL, '\"\\ud800\"', 'x', 'free');",
    )
    .open();
    let table = [
        ("SELECT 1 AS a, -7 AS b, NULL AS c", r#"[{"a":1,"b":-7,"c":null}]"#),
        ("SELECT 9007199254740991 AS a, -9007199254740991 AS b", r#"[{"a":9007199254740991,"b":-9007199254740991}]"#),
        (
            "SELECT 9007199254740992 AS a, -9223372036854775808 AS b",
            r#"[{"a":"9007199254740992","b":"-9223372036854775808"}]"#,
        ),
        (
            "SELECT 1.0 AS a, 0.1 AS b, 1e300 AS c, 25.666666666666668 AS d",
            r#"[{"a":1.0,"b":0.1,"c":1e+300,"d":25.666666666666668}]"#,
        ),
        ("SELECT 9e999 AS a, -9e999 AS b, 9e999 - 9e999 AS c", r#"[{"a":"Infinity","b":"-Infinity","c":null}]"#),
        ("SELECT 'true' AS a, '[1]' AS b, '12' AS c, 'é\"\\' AS d", r#"[{"a":"true","b":"[1]","c":"12","d":"é\"\\"}]"#),
        ("SELECT 'a' || char(0) || 'b' AS a, char(10) AS b", r#"[{"a":"a\u0000b","b":"\n"}]"#),
        ("SELECT CAST(x'61ff62' AS TEXT) AS a", "[{\"a\":\"a\u{fffd}b\"}]"),
        ("SELECT x'00ff10' AS a, x'' AS b", r#"[{"a":"AP8Q","b":""}]"#),
        (
            "SELECT 1 AS a, 2 AS a, 3 AS \"\", 4 AS a_2, 5 AS \"q\"\"\"",
            r#"[{"a":1,"a_3":2,"column_3":3,"a_2":4,"q\"":5}]"#,
        ),
        ("SELECT flag FROM t", r#"[{"flag":true},{"flag":false},{"flag":2},{"flag":null}]"#),
        (
            "SELECT doc FROM t",
            "[{\"doc\":{\"b\": 1,\"a\":[1.50]}},{\"doc\":\"{oops\"},{\"doc\":\"Infinity\"},{\"doc\":\"\\\"\\\\ud800\\\"\"}]",
        ),
        ("SELECT note FROM t", r#"[{"note":"{\"b\":1}"},{"note":null},{"note":""},{"note":"x"}]"#),
        ("SELECT price FROM t", r#"[{"price":1.5},{"price":null},{"price":3},{"price":"free"}]"#),
        ("SELECT flag FROM t WHERE 0", "[]"),
        ("SELECT * FROM t LIMIT 1", r#"[{"flag":true,"doc":{"b": 1,"a":[1.50]},"note":"{\"b\":1}","price":1.5}]"#),
    ];
    for (sql, expected) in table {
        // Twice: what was learned about a statement gives the same.
        for _ in 0..2 {
            assert_eq!(rows(&database, sql).await, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn json_that_no_reader_takes_stays_text() {
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let database = Database::new(&format!("CREATE TABLE t (doc JSON); INSERT INTO t VALUES ('{deep}');")).open();
    let text = rows(&database, "SELECT doc FROM t").await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[0]["doc"], json!(deep));
}

#[tokio::test]
async fn arguments_go_in_by_what_they_are() {
    let database = Database::new("").open();
    let table = [
        (json!({"a": null}), r#"["null",null]"#),
        (json!({}), r#"["null",null]"#),
        (json!({"a": true}), r#"["integer",1]"#),
        (json!({"a": 5}), r#"["integer",5]"#),
        (json!({"a": i64::MIN}), r#"["integer","-9223372036854775808"]"#),
        (json!({"a": i64::MAX}), r#"["integer","9223372036854775807"]"#),
        (json!({"a": 2.0}), r#"["real",2.0]"#),
        (json!({"a": "5"}), r#"["text","5"]"#),
        (json!({"a": "a\0b'; DROP TABLE x; --"}), r#"["text","a\u0000b'; DROP TABLE x; --"]"#),
        (json!({"a": [1, "x"]}), r#"["text","[1,\"x\"]"]"#),
        (json!({"a": {"b": null}}), r#"["text","{\"b\":null}"]"#),
    ];
    for (arguments, expected) in table {
        let text = call("SELECT typeof(:a) AS t, :a AS v", arguments.clone()).rows(&database).await;
        let row: Value = serde_json::from_str(&text).unwrap();
        let given = json!([row[0]["t"], row[0]["v"]]);
        assert_eq!(given.to_string(), expected, "{arguments}");
    }
    let too_large = call("SELECT :a", json!({"a": u64::MAX}));
    let expected = "`a` is larger than the database can hold".to_owned();
    assert_eq!(failure(&database, too_large).await, (FailureClass::Arguments, expected));
}

#[tokio::test]
async fn lists_and_patterns_are_bound() {
    let database =
        Database::new("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('50%'), ('500'), ('5_0'), ('a!b'), ('x50%y');")
            .open();
    let like = |kind| {
        vec![Piece::Text("SELECT group_concat(a, ' ') AS a FROM t WHERE a LIKE ".into()), Piece::Like("q".into(), kind)]
    };
    let table = [
        (LikeKind::Contains, "50%", "50% x50%y"),
        (LikeKind::Prefix, "50", "50% 500"),
        (LikeKind::Suffix, "0%", "50%"),
        (LikeKind::Contains, "_", "5_0"),
        (LikeKind::Contains, "!", "a!b"),
    ];
    for (kind, given, expected) in table {
        let text = call_of(like(kind), json!({"q": given})).rows(&database).await;
        assert_eq!(text, json!([{"a": expected}]).to_string(), "{kind:?} {given}");
    }
    let list = |given| {
        let pieces = vec![Piece::Text("SELECT count(*) AS n FROM t WHERE a IN (".into()), Piece::List("l".into())];
        call_of(pieces, json!({"l": given}))
    };
    assert_eq!(list(json!(["500", "5_0", "none"])).rows(&database).await, r#"[{"n":2}]"#);
    assert_eq!(list(json!([])).rows(&database).await, r#"[{"n":0}]"#);
}

#[tokio::test]
async fn limits_are_reached_on_whole_rows() {
    let database = Database::new("").open();
    let million = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) \
                   SELECT n FROM c";
    // (statement, rows and bytes at most, rows given, cut)
    let table = [
        (million, (10, 10_000), 10, Some(Cut::Rows)),
        (million, (1_000_000, 34), 4, Some(Cut::Bytes)),
        (million, (1_000_000, 33), 4, Some(Cut::Bytes)),
        (million, (1_000_000, 32), 3, Some(Cut::Bytes)),
        ("SELECT 1 AS n UNION ALL SELECT 2", (2, 100), 2, None),
        ("SELECT 1 AS n UNION ALL SELECT 2", (1, 100), 1, Some(Cut::Rows)),
        ("SELECT 1 AS n UNION ALL SELECT 2", (0, 100), 0, Some(Cut::Rows)),
        ("SELECT 1 AS n UNION ALL SELECT 2", (2, 17), 2, None),
        ("SELECT 1 AS n UNION ALL SELECT 2", (2, 16), 1, Some(Cut::Bytes)),
        ("SELECT zeroblob(100000) AS b", (2, 1000), 1, None),
        ("SELECT printf('%.*c', 1000, 'x') AS b", (2, 1000), 1, None),
        (
            "SELECT printf('%.*c', 1000, 'x') AS b UNION ALL SELECT printf('%.*c', 1000, 'y')",
            (2, 1000),
            1,
            Some(Cut::Bytes),
        ),
    ];
    for (sql, (max_rows, max_bytes), row_count, cut) in table {
        let answer = call(sql, json!({})).limits(max_rows, max_bytes).on(&database).await.unwrap();
        assert_eq!((answer.row_count, answer.cut), (row_count, cut), "{sql} {max_rows} {max_bytes}");
        assert!(answer.rows.len() <= max_bytes);
        let parsed: Vec<Value> = serde_json::from_slice(&answer.rows).unwrap();
        assert_eq!(parsed.len(), row_count);
    }
}

#[tokio::test]
async fn a_row_that_is_too_large_is_cut_and_never_missing() {
    let database = Database::new(
        "CREATE TABLE t (id INTEGER, short TEXT, doc JSON, long TEXT, file BLOB);
         INSERT INTO t VALUES (1, 'kept', '[1,2]', replace(printf('%.*c', 5000, 'x'), 'x', 'é\"'), zeroblob(900000));",
    )
    .open();
    for returns in [Returns::Rows, Returns::Row] {
        for access in [Access::Read, Access::Write] {
            let mut call = call("SELECT * FROM t", json!({})).returns(returns).limits(10, 1024);
            call.access = access;
            let answer = call.on(&database).await.unwrap();
            assert_eq!((answer.row_count, answer.cut, answer.cells_cut), (1, None, true));
            assert!(answer.rows.len() <= 1024 && answer.rows.len() > 800);
            let row = serde_json::from_slice::<Value>(&answer.rows).unwrap()[0].take();
            assert_eq!((&row["id"], &row["short"], &row["doc"]), (&json!(1), &json!("kept"), &json!([1, 2])));
            let long = row["long"].as_str().unwrap();
            assert!(long.starts_with("é\"é") && long.ends_with("… (cut)"), "{long}");
            let file = row["file"].as_str().unwrap();
            assert!(file.starts_with("AAAA") && file.ends_with("A… (cut)"), "{file}");
        }
    }
    let value = call("SELECT long FROM t", json!({})).returns(Returns::Value).limits(10, 256);
    let answer = value.on(&database).await.unwrap();
    assert_eq!((answer.row_count, answer.cells_cut), (1, true));
}

#[tokio::test]
async fn a_row_with_too_many_columns_is_an_error() {
    let columns: Vec<_> = (0..60).map(|at| format!("c{at} TEXT")).collect();
    let script = format!("CREATE TABLE t ({}); INSERT INTO t (c0) VALUES ('a');", columns.join(", "));
    let database = Database::new(&script).open();
    for returns in [Returns::Rows, Returns::Row] {
        let read = call("SELECT * FROM t", json!({})).returns(returns).limits(10, 256);
        let expected = "the row has too many columns for 256 bytes, even with its texts cut".to_owned();
        assert_eq!(failure(&database, read).await, (FailureClass::TooLarge, expected));
    }
    let write = call("UPDATE t SET c0 = 'b' RETURNING *", json!({})).write().returns(Returns::Row).limits(10, 256);
    let (class, public) = failure(&database, write).await;
    assert_eq!(class, FailureClass::TooLarge);
    assert!(public.starts_with("the change was made and is kept"), "{public}");
    assert_eq!(rows(&database, "SELECT c0 FROM t").await, r#"[{"c0":"b"}]"#);
}

#[tokio::test]
async fn a_row_a_value_or_a_count_comes_back() {
    let database = Database::new(BOOKS).open();
    let table = [
        (
            Returns::Rows,
            "SELECT id, title FROM books ORDER BY id",
            r#"[{"id":1,"title":"Solaris"},{"id":2,"title":"Fiasko"}]"#,
        ),
        (Returns::Row, "SELECT id, title FROM books ORDER BY id", r#"[{"id":1,"title":"Solaris"}]"#),
        (Returns::Value, "SELECT title, id FROM books ORDER BY id", r#"[{"title":"Solaris"}]"#),
        (Returns::Row, "SELECT id FROM books WHERE 0", "[]"),
        (Returns::Affected, "SELECT id FROM books", "[]"),
    ];
    for (returns, sql, expected) in table {
        let answer = call(sql, json!({})).returns(returns).on(&database).await.unwrap();
        assert_eq!(String::from_utf8(answer.rows).unwrap(), expected);
        assert_eq!((answer.affected, answer.last_insert_id), (None, None));
    }
}

#[tokio::test]
async fn a_schema_that_changes_is_noticed() {
    let database = Database::new("CREATE TABLE t (a, b BOOLEAN, c); INSERT INTO t VALUES (1, 1, 3);").open();
    let select = "SELECT * FROM t";
    assert_eq!(rows(&database, select).await, r#"[{"a":1,"b":true,"c":3}]"#);
    let table = [
        ("ALTER TABLE t ADD COLUMN d DEFAULT 4", r#"[{"a":1,"b":true,"c":3,"d":4}]"#),
        ("ALTER TABLE t RENAME COLUMN c TO e", r#"[{"a":1,"b":true,"e":3,"d":4}]"#),
        ("ALTER TABLE t DROP COLUMN a", r#"[{"b":true,"e":3,"d":4}]"#),
    ];
    for (change, expected) in table {
        call(change, json!({})).write().on(&database).await.unwrap();
        // The first call that meets the change does not know the declared types.
        let first = rows(&database, select).await;
        assert_eq!(first.replace(r#""b":1"#, r#""b":true"#), expected);
        assert_eq!(rows(&database, select).await, expected);
    }
    call("ALTER TABLE t DROP COLUMN e", json!({})).write().on(&database).await.unwrap();
    assert_eq!(rows(&database, "SELECT b FROM t").await, r#"[{"b":true}]"#);
    assert!(call("SELECT e FROM t", json!({})).on(&database).await.is_err());
}

#[tokio::test]
async fn a_statement_is_described_without_being_run() {
    let database = Database::new("CREATE TABLE t (a INTEGER, b DECIMAL(10,2), c, d JSON);").open();
    let column = |name: &str, declared: Option<&str>| Column {
        name: name.to_owned(),
        given: None,
        declared: declared.map(str::to_owned),
        schema: None,
    };
    let columns = described(&database, "SELECT a AS x, b, c, d, a + 1 AS e FROM t WHERE a = ?1").await;
    let expected = vec![
        column("x", Some("INTEGER")),
        column("b", Some("DECIMAL(10,2)")),
        column("c", None),
        column("d", Some("JSON")),
        column("e", None),
    ];
    assert_eq!(columns.unwrap(), expected);
    assert_eq!(described(&database, "DELETE FROM t").await.unwrap(), vec![]);
    assert!(described(&database, "PRAGMA user_version = 5").await.is_err());
    let error = described(&database, "SELECT nope FROM t").await.unwrap_err();
    assert_eq!(error.public(), "the database refused the statement");
    assert!(error.cause().unwrap().contains("nope"));
}
