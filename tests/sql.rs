//! SQL tools on a real `SQLite` file: parameters, shapes, bounds, writes.

use serde_json::{Value, json};

use crate::support::{Served, serve};

const SEED: &str = "
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, price REAL, genre TEXT, isbn TEXT, cover BLOB, big INTEGER);
INSERT INTO books VALUES
  (1, 'Dune', 9.5, 'sf', '12345678901234567890', x'00ff', 9007199254740993),
  (2, '100% Wool', 4, 'craft', 'true', NULL, 5),
  (3, 'Snow_Drop', NULL, 'fairy', '[1,2]', NULL, NULL),
  (4, 'Emma', 7.25, 'novel', '7', NULL, 1);
";

const BRIDGE: &str = r#"
bridge: books
sources:
  db: { sql: { url: "sqlite:books.db", read_only: false, init: seed.sql, max_rows: 3 } }
tools:
  find:
    description: Finds.
    params:
      words: { type: string, like: contains, required: false, description: Words. }
      below: { type: number, required: false, description: Price. }
      ids: { type: array, items: { type: integer }, required: false, description: Ids. }
      sort: { choices: { title: "title, id", newest: "id DESC" }, default: title, description: Order. }
    sql:
      query: |
        SELECT id, title FROM books WHERE 1 = 1
        [[ AND title LIKE :words ]] [[ AND price < :below ]] [[ AND id IN (:ids) ]]
        ORDER BY :sort
  get:
    description: One.
    params: { id: { type: integer, description: Id. } }
    sql: { query: "SELECT * FROM books WHERE id = :id", returns: row, not_found: "There is no book {{id}}.", columns: { price: { description: In EUR } } }
  count: { description: How many., sql: { query: "SELECT count(*) FROM books", returns: value } }
  many: { description: Many., sql: { query: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n", max_rows: 5 } }
  wide: { description: Wide., sql: { query: "SELECT printf('%.*c', 1000, 'x') AS text FROM books" , max_rows: 100 }, output: { max_bytes: 2KiB } }
  huge: { description: Huge., sql: { query: "SELECT 7 AS id, printf('%.*c', 5000, 'x') AS text" }, output: { max_bytes: 1KiB } }
  huge_row: { description: Huge., sql: { query: "SELECT 7 AS id, printf('%.*c', 5000, 'x') AS text", returns: row, not_found: "Nothing." }, output: { max_bytes: 1KiB } }
  huge_value: { description: Huge., sql: { query: "SELECT printf('%.*c', 5000, 'x')", returns: value, not_found: "Nothing." }, output: { max_bytes: 1KiB } }
  huge_told: { description: Huge., sql: { query: "SELECT 7 AS id, printf('%.*c', 5000, 'x') AS text", returns: row }, output: { max_bytes: 1KiB, fields: { number: $.id, words: $.text } } }
  huge_write: { description: Huge., sql: { mode: write, query: "UPDATE books SET genre = printf('%.*c', 5000, 'x') WHERE id = 1 RETURNING id, genre AS text", returns: row }, output: { max_bytes: 1KiB } }
  endless: { description: Endless., timeout: 300ms, sql: { query: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n" } }
  twice: { description: Twice., sql: { query: "SELECT 1 AS a, 2 AS a, 3" } }
  csv: { description: CSV., sql: { query: "SELECT id, title FROM books ORDER BY id LIMIT 2" }, output: { format: csv } }
  columnar: { description: C., sql: { query: "SELECT id, title FROM books ORDER BY id LIMIT 2" }, output: { format: columnar } }
  told: { description: Told., sql: { query: "SELECT title FROM books ORDER BY id LIMIT 2" }, output: { template: "{{#each rows}}<{{title}}>{{/each}} first {{row.title}}" } }
  only: { description: Only., sql: { query: "SELECT id, title FROM books ORDER BY id" }, output: { fields: { name: $.title }, max_items: 1 } }
  add:
    description: Adds.
    params: { title: { type: string, description: Title. }, price: { type: number, nullable: true, required: false, description: Price. } }
    sql: { mode: write, query: "INSERT INTO books (title, price) VALUES (:title, :price)" }
  reprice:
    description: Prices.
    params: { genre: { type: string, description: Genre. }, price: { type: number, description: Price. } }
    sql: { mode: write, query: "UPDATE books SET price = :price WHERE genre = :genre", expect_rows: 1 }
  rename:
    description: Renames.
    params: { id: { type: integer, description: Id. }, title: { type: string, description: Title. } }
    sql: { mode: write, query: "UPDATE books SET title = :title WHERE id = :id RETURNING id, title", returns: row, expect_rows: 1, not_found: "There is no book {{id}}." }
  clear: { description: Clears., sql: { mode: write, query: "DELETE FROM books", expect_rows: "<=2" } }
"#;

async fn books() -> Served {
    serve(&[("books.yaml", BRIDGE), ("seed.sql", SEED)], &[]).await
}

async fn titles(server: &Served, arguments: Value) -> Vec<String> {
    let result = server.call("find", &arguments).await;
    let rows = result["structuredContent"]["rows"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["title"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn fragments_choices_lists_and_like_make_one_statement() {
    let server = books().await;
    for (arguments, expected) in [
        (json!({}), &["100% Wool", "Dune", "Emma"][..]),
        (json!({ "sort": "newest" }), &["Emma", "Snow_Drop", "100% Wool"]),
        (json!({ "words": "0%" }), &["100% Wool"]),
        (json!({ "words": "w_d" }), &["Snow_Drop"]),
        (json!({ "words": "%" }), &["100% Wool"]),
        (json!({ "below": 8 }), &["100% Wool", "Emma"]),
        (json!({ "below": "8", "words": "m" }), &["Emma"]),
        (json!({ "ids": [1, 4, 99] }), &["Dune", "Emma"]),
        (json!({ "ids": [] }), &[]),
        (json!({ "ids": null, "words": null, "below": 5 }), &["100% Wool"]),
        (json!({ "words": "x' OR 1=1 --" }), &[]),
    ] {
        assert_eq!(titles(&server, arguments.clone()).await, expected, "{arguments}");
    }
    let text = server.error("find", &json!({ "sort": "id; DROP TABLE books" })).await;
    assert!(text.contains("`sort`") && text.contains("newest"), "{text}");
}

#[tokio::test]
async fn values_come_back_as_they_are_stored() {
    let server = books().await;
    let row = server.call("get", &json!({ "id": 1 })).await["structuredContent"].clone();
    let expected = json!({
        "id": 1, "title": "Dune", "price": 9.5, "genre": "sf", "isbn": "12345678901234567890",
        "cover": "AP8=", "big": "9007199254740993",
    });
    assert_eq!(row, expected);
    let row = server.call("get", &json!({ "id": 3 })).await["structuredContent"].clone();
    assert_eq!((&row["isbn"], &row["price"], &row["cover"]), (&json!("[1,2]"), &Value::Null, &Value::Null));
    assert_eq!(server.error("get", &json!({ "id": 77 })).await, "There is no book 77.");
    assert_eq!(server.call("count", &json!({})).await["structuredContent"], json!({ "result": 4 }));
    let twice = server.call("twice", &json!({})).await["structuredContent"]["rows"][0].clone();
    assert_eq!(twice, json!({ "a": 1, "a_2": 2, "3": 3 }));
}

#[tokio::test]
async fn rows_bytes_and_time_are_bounded() {
    let server = books().await;
    let result = server.call("many", &json!({})).await["structuredContent"].clone();
    assert_eq!((result["row_count"].as_u64(), &result["truncated"]), (Some(5), &json!(true)));
    assert!(result["hint"].as_str().is_some_and(|hint| hint.contains("Narrow")));
    let result = server.call("wide", &json!({})).await["structuredContent"].clone();
    assert_eq!((result["row_count"].as_u64(), &result["truncated"]), (Some(2), &json!(true)));
    let text = server.error("endless", &json!({})).await;
    assert!(text.contains("longer than"), "{text}");
    assert_eq!(server.call("count", &json!({})).await["structuredContent"], json!({ "result": 4 }));
}

#[tokio::test]
async fn a_row_that_is_too_large_is_shown_cut() {
    let server = books().await;
    let result = server.call("huge", &json!({})).await["structuredContent"].clone();
    assert_eq!(
        (&result["row_count"], &result["truncated"], &result["rows"][0]["id"]),
        (&json!(1), &json!(true), &json!(7))
    );
    assert!(
        result["hint"].as_str().is_some_and(|hint| hint.contains("(cut)") && !hint.contains("more rows")),
        "{result}"
    );
    for (tool, id, text) in [
        ("huge", "/rows/0/id", "/rows/0/text"),
        ("huge_row", "/id", "/text"),
        ("huge_told", "/number", "/words"),
        ("huge_write", "/id", "/text"),
        ("huge_value", "", "/result"),
    ] {
        let result = server.call(tool, &json!({})).await["structuredContent"].clone();
        let text = result.pointer(text).and_then(Value::as_str).unwrap_or_default();
        assert!(text.starts_with("xxxx") && text.ends_with("… (cut)"), "{tool}: {result}");
        assert!(id.is_empty() || result.pointer(id).is_some_and(Value::is_number), "{tool}: {result}");
    }
}

#[tokio::test]
async fn rows_take_other_forms() {
    let server = books().await;
    let result = server.call("csv", &json!({})).await;
    assert_eq!(result["content"][0]["text"], "id,title\n1,Dune\n2,100% Wool");
    assert_eq!(result["structuredContent"]["row_count"], 2);
    let columnar = server.call("columnar", &json!({})).await;
    let text = r#"{"columns":["id","title"],"rows":[[1,"Dune"],[2,"100% Wool"]]}"#;
    assert_eq!(columnar["content"][0]["text"], text);
    assert_eq!(columnar["structuredContent"], result["structuredContent"]);
    assert_eq!(server.text("told", &json!({})).await, "<Dune><100% Wool> first Dune");
    let result = server.call("only", &json!({})).await["structuredContent"].clone();
    assert_eq!(result["items"], json!([{ "name": "Dune" }]));
}

#[tokio::test]
async fn writes_tell_what_they_changed_and_nothing_more_than_expected_is() {
    let server = books().await;
    let added = server.call("add", &json!({ "title": "New" })).await["structuredContent"].clone();
    assert_eq!(added, json!({ "affected": 1, "last_insert_id": 5 }));
    let text = server.error("add", &json!({ "title": "New" })).await;
    assert!(text.contains("unique") && !text.contains("INSERT"), "{text}");
    let renamed = server.call("rename", &json!({ "id": 5, "title": "Newer" })).await["structuredContent"].clone();
    assert_eq!(renamed, json!({ "id": 5, "title": "Newer" }));
    assert_eq!(server.error("rename", &json!({ "id": 99, "title": "x" })).await, "There is no book 99.");
    let text = server.error("reprice", &json!({ "genre": "none", "price": 1 })).await;
    assert!(text.contains("0 rows") || text.contains("othing was changed"), "{text}");
    let text = server.error("clear", &json!({})).await;
    assert!(text.contains("5 rows"), "{text}");
    assert_eq!(server.call("count", &json!({})).await["structuredContent"], json!({ "result": 5 }));
}

#[tokio::test]
async fn schemas_tell_what_comes_back() {
    let server = books().await;
    let listed = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    let tool = |name: &str| tools.iter().find(|tool| tool["name"] == name).cloned().unwrap_or_default();
    let find = tool("find");
    assert_eq!(
        find["inputSchema"]["properties"]["sort"],
        json!({ "type": "string", "description": "Order.", "enum": ["title", "newest"], "default": "title" })
    );
    assert_eq!(find["inputSchema"]["additionalProperties"], json!(false));
    let get = tool("get");
    assert_eq!(get["outputSchema"]["properties"]["price"]["description"], "In EUR");
    assert_eq!(get["outputSchema"]["properties"]["title"]["type"], json!(["string", "null"]));
    for (name, hints) in [
        ("find", json!({ "readOnlyHint": true, "openWorldHint": false })),
        ("add", json!({ "readOnlyHint": false, "destructiveHint": false, "openWorldHint": false })),
        ("clear", json!({ "readOnlyHint": false, "destructiveHint": true, "openWorldHint": false })),
    ] {
        assert_eq!(tool(name)["annotations"], hints, "{name}");
    }
}
