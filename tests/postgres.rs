//! SQL tools on a real PostgreSQL server: arguments, bounds, writes, who may see what, and what is
//! left behind when nobody waits any more.

use std::{process::Command, time::Duration};

use mcp_bridge::{
    catalog::{Finding, Misfit, Scan},
    upstream::Upstreams,
};
use serde_json::{Value, json};

use crate::support::{Fixed, Post, Response, Served, Server, plan_of, postgres, serve, spawn, until};

const SHOP: &str = "
CREATE TABLE books (
    id int PRIMARY KEY, title text NOT NULL UNIQUE, price numeric(8,2), pages int CHECK (pages > 0),
    tags text[] NOT NULL DEFAULT '{}', made timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05Z'
);
INSERT INTO books (id, title, price, pages, tags) VALUES
    (1, 'Dune', 9.50, 600, '{sf}'), (2, '100% Wool', 4, 90, '{craft,home}'),
    (3, 'Snow_Drop', NULL, 30, '{}'), (4, 'Emma', 7.25, 400, '{novel}');
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);
";

const TOOLS: &str = r#"
  find:
    description: Finds.
    params:
      words: { type: string, like: contains, required: false, description: Words. }
      below: { type: number, required: false, description: Price. }
      ids: { type: array, items: { type: integer }, required: false, description: Ids. }
      not: { type: array, items: { type: integer }, required: false, description: Ids. }
      since: { type: string, format: date-time, required: false, description: Time. }
      sort: { choices: { title: "title, id", newest: "id DESC" }, default: title, description: Order. }
      most: { type: integer, default: 10, description: Rows. }
    sql:
      query: |
        SELECT id FROM books WHERE true
        [[ AND title ILIKE :words ]] [[ AND price < :below ]] [[ AND id IN (:ids) ]] [[ AND id NOT IN ( :not ) ]]
        [[ AND made >= :since ]] ORDER BY :sort LIMIT :most
  echo:
    description: Echoes.
    params:
      n: { type: integer, nullable: true, required: false, description: N. }
      x: { type: number, default: 1.5, description: X. }
      b: { type: boolean, default: true, description: B. }
      t: { type: string, default: hello, description: T. }
      l: { type: array, items: { type: integer }, default: [1, 2], description: L. }
    sql: { query: "SELECT :n AS n, :x AS x, :b AS b, :t AS t, :l AS l", returns: row }
  either:
    description: By id or all.
    params: { id: { type: integer, required: false, description: Id. } }
    sql: { query: "SELECT count(*) FROM books WHERE (:id IS NULL OR id = :id)", returns: value }
  titled:
    description: A number as a text.
    params: { title: { type: integer, description: T. } }
    sql: { query: "SELECT count(*) FROM books WHERE title = :title", returns: value }
  get: { description: One., params: { id: { type: integer, description: Id. } }, sql: { query: "SELECT * FROM books WHERE id = :id", returns: row, not_found: "There is no book {{id}}." } }
  many: { description: Many., sql: { query: "SELECT i, repeat('x', 100) AS x FROM generate_series(1, 1000000) AS i", max_rows: 5 } }
  wide: { description: Wide., sql: { query: "SELECT repeat('x', 1000) AS x FROM generate_series(1, 100000)", max_rows: 100000 }, output: { max_bytes: 3KiB } }
  huge: { description: Huge., sql: { query: "SELECT 7 AS id, repeat('x', 5000) AS text" }, output: { max_bytes: 1KiB } }
  nap: { description: Sleeps., sql: { query: "SELECT 'nap' AS nap FROM pg_sleep(60)" } }
  short: { description: Short., timeout: 300ms, sql: { query: "SELECT 'short' AS nap FROM pg_sleep(60)" } }
  twice: { description: Twice., sql: { query: "SELECT 1 AS a, 2 AS a, 3" } }
  nothing: { description: Nothing., sql: { query: "SELECT FROM books" } }
  wrong: { description: Wrong., params: { id: { type: string, description: Id. } }, sql: { query: "SELECT 1 / (:id::int - 1) AS x" } }
  missing: { description: Missing., sql: { query: "SELECT secret FROM nowhere WHERE 'hunter2' = 'x'" } }
  add: { description: Adds., params: { text: { type: string, nullable: true, description: Text. } }, sql: { mode: write, query: "INSERT INTO notes (text) VALUES (:text) RETURNING id, text", returns: row } }
  reprice: { description: Prices., params: { most: { type: number, description: Price. } }, sql: { mode: write, query: "UPDATE books SET price = price + 1 WHERE price < :most", expect_rows: "<=1" } }
  copy: { description: Copies., sql: { mode: write, query: "INSERT INTO books (id, title) VALUES (9, 'Dune')" } }
  doze: { description: Sleeps., sql: { mode: write, query: "UPDATE notes SET text = 'doze' FROM pg_sleep(60)" } }
  peek: { description: Reads a file., sql: { query: "SELECT pg_read_file('/etc/hostname')" } }
  slip: { description: Writes., sql: { query: "SELECT nextval('notes_id_seq')" } }
"#;

/// A served bridge with one source `db` on a database.
async fn bridge(url: &str, source: &str, tools: &str) -> Served {
    let text = format!("bridge: shop\nsources:\n  db: {{ sql: {{ url: \"${{DB}}\"{source} }} }}\ntools:\n{tools}");
    serve(&[("shop.yaml", &text)], &[("DB", url)]).await
}

async fn shop(host: &Server, database: &str) -> Served {
    host.database(database, SHOP);
    bridge(&host.url("app", database), ", read_only: false, pool: { max: 3 }, statement_timeout: 40s", TOOLS).await
}

fn ids(result: &Value) -> Vec<i64> {
    let rows = result["structuredContent"]["rows"].as_array().unwrap_or_else(|| panic!("{result}"));
    rows.iter().filter_map(|row| row["id"].as_i64()).collect()
}

#[tokio::test]
async fn arguments_are_typed_by_the_statement_or_as_declared() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "arguments").await;
    for (arguments, expected) in [
        (json!({}), &[2, 1, 4, 3][..]),
        (json!({ "sort": "newest", "most": 2 }), &[4, 3]),
        (json!({ "words": "0%" }), &[2]),
        (json!({ "words": "W_D" }), &[3]),
        (json!({ "below": 8 }), &[2, 4]),
        (json!({ "below": "7.26" }), &[2, 4]),
        (json!({ "ids": [1, 4, 99] }), &[1, 4]),
        (json!({ "ids": [] }), &[]),
        (json!({ "not": [] }), &[2, 1, 4, 3]),
        (json!({ "not": [1, 2] }), &[4, 3]),
        (json!({ "ids": [1, 2, 3], "not": [2] }), &[1, 3]),
        (json!({ "since": "2026-01-02T04:04:05+01:00" }), &[2, 1, 4, 3]),
        (json!({ "since": "2026-01-02T03:04:06Z" }), &[]),
        (json!({ "words": "x' OR true --" }), &[]),
    ] {
        assert_eq!(ids(&served.call("find", &arguments).await), expected, "{arguments}");
    }
    let echo = served.call("echo", &json!({ "n": 7 })).await["structuredContent"].clone();
    assert_eq!(echo, json!({ "n": 7, "x": "1.5", "b": true, "t": "hello", "l": [1, 2] }));
    let echo = served.call("echo", &json!({})).await["structuredContent"].clone();
    assert_eq!(echo["n"], Value::Null);
    assert_eq!(served.call("either", &json!({})).await["structuredContent"], json!({ "result": 4 }));
    assert_eq!(served.call("either", &json!({ "id": 3 })).await["structuredContent"], json!({ "result": 1 }));
    assert_eq!(served.call("titled", &json!({ "title": 5 })).await["structuredContent"], json!({ "result": 0 }));
    let error = served.error("find", &json!({ "since": "soon" })).await;
    assert!(error.contains("since"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_bytes_and_time_are_bounded() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "bounds").await;
    // The second time the server is told how many rows are wanted.
    for _ in 0..2 {
        let result = served.call("many", &json!({})).await["structuredContent"].clone();
        assert_eq!(
            (&result["row_count"], &result["truncated"], &result["rows"][4]["i"]),
            (&json!(5), &json!(true), &json!(5))
        );
        let result = served.call("wide", &json!({})).await["structuredContent"].clone();
        assert_eq!((&result["row_count"], &result["truncated"]), (&json!(3), &json!(true)));
    }
    let result = served.call("huge", &json!({})).await["structuredContent"].clone();
    assert_eq!(result["rows"][0]["id"], 7);
    assert!(result["rows"][0]["text"].as_str().is_some_and(|text| text.ends_with("… (cut)")), "{result}");
    let twice = served.call("twice", &json!({})).await["structuredContent"]["rows"][0].clone();
    assert_eq!(twice, json!({ "a": 1, "a_2": 2, "?column?": 3 }));
    let nothing = served.call("nothing", &json!({})).await["structuredContent"].clone();
    assert_eq!((&nothing["row_count"], &nothing["rows"][3]), (&json!(4), &json!({})));
    let error = served.error("short", &json!({})).await;
    assert!(error.contains("longer than 300 ms"), "{error}");
    gone(host, "bounds", "pg_sleep").await;
    assert_eq!(served.error("get", &json!({ "id": 77 })).await, "There is no book 77.");
}

/// A call of the stateless revision, in which to leave is to cancel.
fn leaving(served: &Served, tool: &str) -> impl Future<Output = Response> + use<> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": {}, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
    let (post, address) = (post.header("mcp-method", "tools/call").header("mcp-name", tool), served.address);
    async move { post.send(address).await }
}

/// Waits until no session of a database runs a statement with this in it.
async fn gone(host: &Server, database: &str, what: &str) {
    until(&format!("the end of {what}"), || running(host, database, what) == 0).await;
}

fn running(host: &Server, database: &str, what: &str) -> usize {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' \
         AND pid <> pg_backend_pid() AND query LIKE '%{what}%'"
    );
    host.admin("postgres", &sql).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_stops_its_statement() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "leaving").await;
    let mut clients = Vec::new();
    // As many as there are connections, so that none is left if one is lost.
    for _ in 0..3 {
        clients.push(spawn(leaving(&served, "nap")));
    }
    until("three naps", || running(host, "leaving", "pg_sleep") == 3).await;
    for client in &clients {
        client.abort();
    }
    gone(host, "leaving", "pg_sleep").await;
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["title"], "Dune");
}

#[tokio::test]
async fn failures_are_told_without_values_and_statements() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "failures").await;
    for (tool, arguments, expected) in [
        ("wrong", json!({ "id": "1" }), "division by zero (SQLSTATE 22012)"),
        ("wrong", json!({ "id": "hunter2" }), "SQLSTATE 22P02"),
        ("missing", json!({}), "a table does not exist (SQLSTATE 42P01)"),
        ("copy", json!({}), "unique constraint was violated: books_title_key"),
        ("peek", json!({}), "user of source `db` may not do this"),
    ] {
        let text = served.error(tool, &arguments).await;
        assert!(text.contains(expected), "{tool}: {text}");
        for secret in ["hunter2", "SELECT", "p@ss", "127.0.0.1", "nowhere"] {
            assert!(!text.contains(secret), "{tool}: {text}");
        }
    }
    assert!(served.error("slip", &json!({})).await.contains("source is read-only"));
    assert_eq!(host.admin("failures", "SELECT last_value, is_called FROM notes_id_seq"), "1|f");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_whole_or_not_at_all() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "writes").await;
    let added = served.call("add", &json!({ "text": "it's" })).await["structuredContent"].clone();
    assert_eq!(added, json!({ "id": 1, "text": "it's" }));
    let added = served.call("add", &json!({ "text": null })).await["structuredContent"].clone();
    assert_eq!(added, json!({ "id": 2, "text": null }));
    let changed = served.call("reprice", &json!({ "most": 5 })).await["structuredContent"].clone();
    assert_eq!(changed, json!({ "affected": 1 }));
    let error = served.error("reprice", &json!({ "most": 9 })).await;
    assert!(error.contains("2 rows would have been affected"), "{error}");
    assert_eq!(host.admin("writes", "SELECT price FROM books WHERE id = 4"), "7.25");
    let sleeper = served.post(&json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "doze", "arguments": {} },
    }));
    let address = served.address;
    let sleeper = spawn(async move { sleeper.send(address).await });
    until("the doze", || running(host, "writes", "doze") == 1).await;
    host.admin("writes", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'UPDATE notes%'");
    let response = sleeper.await.expect("no panic").json();
    assert_eq!(response["result"]["isError"], true, "{response}");
    assert_eq!(host.admin("writes", "SELECT count(*) FROM notes WHERE text = 'doze'"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_the_server_closed_are_replaced() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "restart").await;
    let sessions = "FROM pg_stat_activity WHERE datname = 'restart' AND usename = 'app'";
    for _ in 0..3 {
        assert_eq!(served.call("either", &json!({})).await["structuredContent"], json!({ "result": 4 }));
        served.call("reprice", &json!({ "most": 0 })).await;
        host.admin("postgres", &format!("SELECT pg_terminate_backend(pid) {sessions}"));
        until("the end of the sessions", || host.admin("postgres", &format!("SELECT count(*) {sessions}")) == "0")
            .await;
    }
    // A statement that means something else now is prepared anew.
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["pages"], 600);
    host.admin(
        "restart",
        "ALTER TABLE books ADD COLUMN weight real, DROP CONSTRAINT books_pages_check, ALTER pages TYPE text",
    );
    let row = served.call("get", &json!({ "id": 1 })).await["structuredContent"].clone();
    assert_eq!((&row["pages"], &row["weight"]), (&json!("600"), &Value::Null));
}

#[tokio::test]
async fn a_pooler_needs_no_names() {
    let Some(host) = postgres() else { return };
    host.database("pooler", SHOP);
    let served = bridge(&host.url("app", "pooler"), ", prepared: unnamed, read_only: false", TOOLS).await;
    for _ in 0..2 {
        assert_eq!(ids(&served.call("find", &json!({ "ids": [1, 4] })).await), [1, 4]);
        let value = served.call("echo", &json!({ "n": 5 })).await["structuredContent"].clone();
        assert_eq!((&value["n"], &value["l"]), (&json!(5), &json!([1, 2])));
        served.call("add", &json!({ "text": "x" })).await;
    }
    assert_eq!(host.admin("pooler", "SELECT count(*) FROM notes"), "2");
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["pages"], 600);
    host.admin("pooler", "ALTER TABLE books DROP CONSTRAINT books_pages_check, ALTER pages TYPE text");
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["pages"], "600");
}

const ONE: &str = "  one: { description: One., sql: { query: SELECT 1 AS one } }\n";

const PACKED: &str = r"
  values:
    description: Values of the types that come in a binary form over all their ranges, and in lists, which are texts.
    sql:
      max_rows: 4000
      query: |
        SELECT t, tz, none, n, l, ARRAY[t] AS t_text, ARRAY[tz] AS tz_text, ARRAY[none] AS none_text,
          ARRAY[n] AS n_text, ARRAY[l] AS l_text FROM (
        SELECT t, t AT TIME ZONE 'UTC' AS tz, NULL::timestamptz AS none, (i * 1073741)::int AS n,
          (i * 4611686018427387)::bigint AS l
        FROM generate_series(-1000, 2000) AS i, LATERAL (SELECT
          timestamp '2000-01-01' + i * interval '53 days 7 hours 11 minutes 13.100001 seconds' + (i % 7) * interval '4 ms' AS t
          ) AS made
        UNION ALL SELECT t, t AT TIME ZONE 'UTC', 'infinity', n, l FROM (VALUES
          (timestamp 'infinity', 2147483647, 9223372036854775807), ('-infinity', -2147483648, -9223372036854775808),
          ('4713-01-01 00:00:00 BC', 0, 9007199254740991), ('294276-12-31 23:59:59.999999', -1, 9007199254740992),
          ('0001-12-31 23:59:59.999999 BC', 1, -9007199254740991), ('0001-01-01', 9, -9007199254740992),
          ('1900-02-28 23:59:59', 10, 0), ('1900-03-01', 99, -1), ('2000-02-29 12:00:00.5', 100, 1),
          (NULL, NULL, NULL), ('9999-12-31', 7, 7), ('10000-01-01', 8, 8)) AS ends (t, n, l)) AS all_values
    output: { max_bytes: 4MiB }
";

#[tokio::test]
async fn values_are_the_same_in_their_binary_form_and_as_text() {
    let Some(host) = postgres() else { return };
    host.database("packed", "");
    let url = host.url("app", "packed");
    for source in ["", ", prepared: unnamed"] {
        let result = bridge(&url, source, PACKED).await.call("values", &json!({})).await;
        let rows = result["structuredContent"]["rows"].as_array().unwrap_or_else(|| panic!("{result}"));
        assert_eq!(rows.len(), 3013);
        for (row, column) in rows.iter().flat_map(|row| ["t", "tz", "none", "n", "l"].map(|column| (row, column))) {
            assert_eq!(row[column], row[format!("{column}_text")][0], "{row}");
        }
    }
}

#[tokio::test]
async fn columns_that_change_are_read_as_they_are_now() {
    let Some(host) = postgres() else { return };
    for (database, source) in [("named", ""), ("unnamed", ", prepared: unnamed")] {
        host.database(database, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
        let tools = "  all: { description: All., sql: { query: SELECT * FROM t, returns: row } }\n";
        let served = bridge(&host.url("app", database), source, tools).await;
        for (change, expected) in [
            ("SELECT 1", json!({ "a": 1 })),
            ("ALTER TABLE t ADD b bigint DEFAULT 2", json!({ "a": 1, "b": 2 })),
            ("ALTER TABLE t ALTER a TYPE text", json!({ "a": "1", "b": 2 })),
            (
                "ALTER TABLE t ALTER a TYPE timestamptz USING '2026-01-02Z'",
                json!({ "a": "2026-01-02T00:00:00Z", "b": 2 }),
            ),
            ("ALTER TABLE t DROP b", json!({ "a": "2026-01-02T00:00:00Z" })),
        ] {
            host.admin(database, change);
            let result = served.call("all", &json!({})).await;
            assert_eq!(result["structuredContent"], expected, "{database}: {change}: {result}");
        }
    }
}

#[tokio::test]
async fn what_keeps_a_server_from_being_reached_is_told() {
    let Some(host) = postgres() else { return };
    host.database("reach", "");
    let url = host.url("app", "reach");
    let port = format!(":{}/", host.port);
    let ca = host.folder.join("ca.pem").display().to_string();
    for (url, expected) in [
        (url.clone(), Ok(())),
        (format!("{url}?sslmode=require"), Ok(())),
        (url.replace("127.0.0.1", "localhost") + "?sslmode=verify-full&sslrootcert=" + &ca, Ok(())),
        (
            format!(
                "postgres://app:p%40ss%3Aw%2Frd%20%231@localhost:{}/reach?host={}",
                host.port,
                host.folder.display()
            ),
            Ok(()),
        ),
        (format!("{url}?sslmode=verify-full"), Err("the certificate is not trusted")),
        (url.replace(&port, ":1/"), Err("the connection was refused")),
        (url.replace("p%40ss", "pass"), Err("the password was not accepted")),
        (url.replace("/reach", "/nowhere"), Err("the database does not exist")),
        (url.replace("127.0.0.1", "nowhere.invalid"), Err("its host name is not known")),
        (host.url("admin", "reach"), Err("can do more than read and write its tables")),
    ] {
        let served = bridge(&url, "", ONE).await;
        match expected {
            Ok(()) => assert!(served.text("one", &json!({})).await.contains("{\"one\":1}"), "{url}"),
            Err(expected) => {
                let error = served.error("one", &json!({})).await;
                assert!(
                    error.contains(expected) && !error.contains("ss%3A") && !error.contains(&port),
                    "{url}: {error}"
                );
            }
        }
    }
    let served = bridge(&host.url("admin", "reach"), ", allow_superuser: true", ONE).await;
    assert!(served.text("one", &json!({})).await.contains("{\"one\":1}"));
}

const TENANTS: &str = "
CREATE TABLE orders (id int PRIMARY KEY, tenant text NOT NULL);
INSERT INTO orders VALUES (1, 'acme'), (2, 'acme'), (3, 'globex');
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (tenant = current_setting('app.workspace', true));
";

#[tokio::test]
async fn row_level_security_sees_the_caller() {
    let Some(host) = postgres() else { return };
    host.database("tenants", TENANTS);
    let text = r#"
bridge: shop
sources:
  db: { sql: { url: "${DB}", pool: { max: 1 }, session: { app.workspace: "{{caller.workspace}}" } } }
tools:
  orders:
    description: Orders.
    params: { tenant: { type: string, required: false, description: Of no use. } }
    sql: { query: "SELECT id FROM orders WHERE true [[ AND tenant = :tenant ]] ORDER BY id" }
server:
  auth:
    api_keys:
      static:
        - { name: a, value: "${A}", workspace: acme }
        - { name: g, value: "${G}", workspace: globex }
        - { name: n, value: "${N}" }
"#;
    let keys = [
        ("A", "a-key-of-acme-0123456789abcdef"),
        ("G", "a-key-of-globex-0123456789abcdef"),
        ("N", "a-key-of-nobody-0123456789abcdef"),
    ];
    let url = host.url("app", "tenants");
    let served = serve(&[("shop.yaml", text)], &[&keys[..], &[("DB", url.as_str())]].concat()).await;
    let call = async |key: &str, arguments: Value| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "orders", "arguments": arguments } });
        let response =
            served.post(&message).header("authorization", &format!("Bearer {key}")).send(served.address).await;
        response.json()["result"].clone()
    };
    for _ in 0..2 {
        assert_eq!(ids(&call(keys[0].1, json!({})).await), [1, 2]);
        assert_eq!(ids(&call(keys[1].1, json!({})).await), [3]);
        assert!(ids(&call(keys[1].1, json!({ "tenant": "acme" })).await).is_empty());
        let refused = call(keys[2].1, json!({})).await;
        assert!(refused["content"][0]["text"].as_str().is_some_and(|text| text.contains("workspace")), "{refused}");
    }
    // The owner of a table and users above the policies are not held by them.
    let url = host.url("admin", "tenants");
    let served = serve(&[("shop.yaml", text)], &[&keys[..], &[("DB", url.as_str())]].concat()).await;
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "orders", "arguments": {} } });
    let response =
        served.post(&message).header("authorization", &format!("Bearer {}", keys[0].1)).send(served.address).await;
    assert_eq!(response.json()["result"]["isError"], true);
}

#[tokio::test]
async fn schemas_come_from_the_server() {
    let Some(host) = postgres() else { return };
    let served = shop(host, "schemas").await;
    let listed = served.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    let get = tools.iter().find(|tool| tool["name"] == "get").cloned().unwrap_or_default();
    let properties = &get["outputSchema"]["properties"];
    for (column, expected) in [
        ("id", json!({ "type": ["integer", "null"] })),
        ("title", json!({ "type": ["string", "null"] })),
        ("price", json!({ "type": ["string", "null"] })),
        ("tags", json!({ "type": ["array", "null"] })),
    ] {
        assert_eq!(properties[column], expected, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_free_connection_says_so() {
    let Some(host) = postgres() else { return };
    host.database("busy", "");
    let tools =
        "  nap: { description: Naps., sql: { query: \"SELECT 1 AS one FROM pg_sleep(60)\" } }\n".to_owned() + ONE;
    let served = bridge(&host.url("app", "busy"), ", pool: { max: 1, acquire_timeout: 10ms }", &tools).await;
    let client = spawn(leaving(&served, "nap"));
    until("the nap", || running(host, "busy", "pg_sleep") == 1).await;
    let error = served.error("one", &json!({})).await;
    assert!(error.contains("connection of source `db` is in use"), "{error}");
    client.abort();
    gone(host, "busy", "pg_sleep").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while served.call("one", &json!({})).await["isError"] == true {
            tokio::task::yield_now().await;
        }
    });
    assert!(ended.await.is_ok(), "the connection came back");
}

#[tokio::test]
async fn statements_are_asked_about_without_running() {
    let Some(host) = postgres() else { return };
    let seed = "CREATE TABLE big (id int PRIMARY KEY, word text); \
                INSERT INTO big SELECT i, i::text FROM generate_series(1, 20000) AS i; ANALYZE big";
    host.database("asked", seed);
    let text = r#"
bridge: asked
sources:
  db: { sql: { url: "${DB}", read_only: false } }
tools:
  one: { description: One., params: { id: { type: integer, description: Id. } }, sql: { query: "SELECT word FROM big WHERE id = :id" } }
  all: { description: All., params: { word: { type: string, required: false, description: Word. } }, sql: { query: "SELECT id FROM big WHERE true [[ AND word = :word ]]" } }
  gone: { description: Gone., sql: { query: "SELECT id FROM bigger" } }
  drop: { description: Drops., sql: { mode: write, query: "DELETE FROM big" } }
  loose: { description: Loose., params: { ids: { type: array, items: { type: string }, description: Ids. }, least: { type: number, description: Least. } }, sql: { query: "SELECT word, id FROM big WHERE id IN (:ids) AND id > :least" } }
  twins: { description: Twins., sql: { query: "SELECT a.id, b.id FROM big a JOIN big b USING (id) WHERE a.id = 1" } }
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let url = host.url("app", "asked");
    let (plan, vault) = plan_of(folder.path(), &[("asked.yaml", text)], &Fixed::new(&[("DB", &url)]));
    let catalog = Upstreams::connect(&plan, &vault).expect("clients").inspect(&plan).await;
    let findings = |tool: &str| catalog.entry(tool).expect("asked").findings.clone();
    assert_eq!(findings("one"), []);
    assert_eq!(findings("all"), [Finding::Scans(Scan { table: "big".into(), rows: 20_000 })]);
    let words = "42P01: relation \"bigger\" does not exist".to_owned();
    assert_eq!(findings("gone"), [Finding::Refused { words }]);
    assert_eq!(findings("drop"), [Finding::Scans(Scan { table: "big".into(), rows: 20_000 })]);
    let misfit = |param: &str| Finding::Misfit(Misfit { param: param.into(), takes: "an integer".into() });
    assert_eq!(findings("loose"), [misfit("ids"), misfit("least")]);
    let columns = catalog.columns("twins").expect("asked");
    let names: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.given.as_deref())).collect();
    assert_eq!(names, [("id", None), ("id_2", Some("id"))]);
    assert_eq!(host.admin("asked", "SELECT count(*) FROM big"), "20000");
    let told = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["check", "--connect", "--format", "concise", "asked.yaml"])
        .current_dir(folder.path())
        .env("DB", &url)
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    for expected in [
        "asked.yaml:10:210: warning[MB0546]: the database takes an integer for `ids`, and the param permits more",
        "warning[MB0546]: the database takes an integer for `least`, and the param permits more",
        "warning[MB0547]: another column `id` of the result is called `id_2`",
    ] {
        assert!(told.contains(expected), "{told}");
    }
}

const COLLIDING: &str = "
CREATE TABLE t (id int);
CREATE SEQUENCE tries;
CREATE FUNCTION collide(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        -- A sequence counts on although the transaction is undone.
        IF nextval('tries') <= most THEN RAISE EXCEPTION USING errcode = '40001'; END IF;
        RETURN 1;
    END $$;
";

#[tokio::test]
async fn collisions_are_repeated_where_twice_is_once() {
    let Some(host) = postgres() else { return };
    host.database("colliding", COLLIDING);
    let tools = r#"
  once: { description: Once., params: { most: { type: integer, description: N. } }, sql: { mode: write, query: "INSERT INTO t SELECT collide(:most)" } }
  again: { description: Again., params: { most: { type: integer, description: N. } }, annotations: { idempotent: true }, sql: { mode: write, query: "INSERT INTO t SELECT collide(:most)" } }
"#;
    let served = bridge(&host.url("app", "colliding"), ", read_only: false, pool: { max: 1 }", tools).await;
    let tries = || host.admin("colliding", "SELECT count(*) || '/' || (SELECT last_value FROM tries) FROM t");
    let error = served.error("once", &json!({ "most": 2 })).await;
    assert!(error.contains("nother transaction changed the same"), "{error}");
    assert_eq!(tries(), "0/1");
    assert_eq!(served.call("again", &json!({ "most": 3 })).await["structuredContent"], json!({ "affected": 1 }));
    assert_eq!(tries(), "1/4");
    let error = served.error("again", &json!({ "most": 100 })).await;
    assert!(error.contains("nother transaction changed the same"), "{error}");
    assert_eq!(tries(), "1/8");
}
