//! SQL tools on a real MariaDB server: arguments, bounds, writes, who may see what, and what is left
//! behind when nobody waits any more.

use std::time::Duration;

use mcp_bridge::{
    catalog::{Finding, Scan},
    upstream::Upstreams,
};
use serde_json::{Value, json};

use crate::support::{Fixed, Post, Response, Served, Server, mariadb, plan_of, serve, spawn, until};

const SHOP: &str = "
CREATE TABLE books (
    id int PRIMARY KEY, title varchar(50) NOT NULL, price decimal(8,2), pages int, tags json,
    made timestamp NOT NULL DEFAULT '2026-01-02 08:04:05',
    CONSTRAINT titles UNIQUE (title), CONSTRAINT page_count CHECK (pages > 0)
) COLLATE utf8mb4_general_ci;
INSERT INTO books (id, title, price, pages) VALUES
    (1, 'Dune', 9.50, 600), (2, '100% Wool', 4, 90), (3, 'Snow_Drop', NULL, 30), (4, 'Emma', 7.25, 400);
CREATE TABLE notes (id bigint AUTO_INCREMENT PRIMARY KEY, text varchar(50));
CREATE TABLE signed (id int PRIMARY KEY, book int NOT NULL, CONSTRAINT of_book FOREIGN KEY (book) REFERENCES books (id));
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
        SELECT `id` FROM books WHERE true # a comment with :words in it
        [[ AND title LIKE :words ]] [[ AND price < :below ]] [[ AND id IN (:ids) ]] [[ AND id NOT IN ( :not ) ]]
        [[ AND made >= :since ]] AND '\' :no' <> "it's" ORDER BY :sort LIMIT :most
  echo:
    description: Echoes.
    params:
      n: { type: integer, nullable: true, required: false, description: N. }
      x: { type: number, default: 1.5, description: X. }
      b: { type: boolean, default: true, description: B. }
      t: { type: string, default: hello, description: T. }
    sql: { query: "SELECT :n AS n, :x AS x, :b AS b, :t AS t", returns: row }
  either:
    description: By id or all.
    params: { id: { type: integer, required: false, description: Id. } }
    sql: { query: "SELECT count(*) FROM books WHERE (:id IS NULL OR id = :id)", returns: value }
  get: { description: One., params: { id: { type: integer, description: Id. } }, sql: { query: "SELECT * FROM books WHERE id = :id", returns: row, not_found: "There is no book {{id}}." } }
  many: { description: Many., sql: { query: "SELECT seq AS i, repeat('x', 100) AS x FROM seq_1_to_1000000", max_rows: 5 } }
  wide: { description: Wide., sql: { query: "SELECT repeat('x', 1000) AS x FROM seq_1_to_1000000", max_rows: 100000 }, output: { max_bytes: 3KiB } }
  nested: { description: Nested., sql: { query: "WITH n AS (SELECT seq FROM seq_1_to_1000) SELECT count(*) FROM (SELECT seq FROM n UNION ALL SELECT seq FROM n) AS x", max_rows: 1, returns: value } }
  huge: { description: Huge., sql: { query: "SELECT 7 AS id, repeat('x', 5000) AS text" }, output: { max_bytes: 1KiB } }
  nap: { description: Sleeps., sql: { query: "SELECT SLEEP(60) AS nap" } }
  short: { description: Short., timeout: 300ms, sql: { query: "SELECT SLEEP(60) AS nap, 'short'" } }
  twice: { description: Twice., sql: { query: "SELECT 1 AS a, 2 AS a, '' AS ``" } }
  session: { description: Session., sql: { query: "SELECT @@time_zone AS zone, @@sql_mode AS modes, @@character_set_results AS charset, @@max_statement_time AS seconds, @@tx_read_only AS is_reading", returns: row } }
  wrong: { description: Wrong., params: { id: { type: string, description: Id. } }, sql: { mode: write, query: "INSERT INTO signed VALUES (:id, 1)" } }
  missing: { description: Missing., sql: { query: "SELECT secret FROM nowhere WHERE 'hunter2' = 'x'" } }
  add: { description: Adds., params: { text: { type: string, nullable: true, description: Text. } }, sql: { mode: write, query: "INSERT INTO notes (text) VALUES (:text) RETURNING id, text", returns: row } }
  append: { description: Adds., params: { text: { type: string, description: Text. } }, sql: { mode: write, query: "INSERT INTO notes (text) VALUES (:text)" } }
  clear: { description: Clears., sql: { mode: write, query: "DELETE FROM notes RETURNING id", expect_rows: 1 } }
  reprice: { description: Prices., params: { most: { type: number, description: Price. } }, sql: { mode: write, query: "UPDATE books SET price = price + 1 WHERE price < :most", expect_rows: "<=1" } }
  same: { description: Changes nothing., sql: { mode: write, query: "UPDATE books SET price = price WHERE id = 1", expect_rows: 1 } }
  copy: { description: Copies., sql: { mode: write, query: "INSERT INTO books (id, title) VALUES (9, 'Dune')" } }
  thin: { description: Thin., sql: { mode: write, query: "INSERT INTO books (id, title, pages) VALUES (9, 'hunter2', 0)" } }
  stray: { description: Stray., sql: { mode: write, query: "INSERT INTO signed VALUES (1, 77)" } }
  doze: { description: Sleeps., sql: { mode: write, query: "UPDATE books SET price = price + SLEEP(60) + 1 WHERE id = 4" } }
  peek: { description: Reads a file., sql: { query: "SELECT * FROM mysql.user" } }
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
async fn arguments_are_what_they_are_declared_to_be() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "arguments").await;
    for (arguments, expected) in [
        (json!({}), &[2, 1, 4, 3][..]),
        (json!({ "sort": "newest", "most": 2 }), &[4, 3]),
        (json!({ "words": "0%" }), &[2]),
        (json!({ "words": "W_D" }), &[3]),
        (json!({ "below": 8 }), &[2, 4]),
        (json!({ "below": 7.26 }), &[2, 4]),
        (json!({ "below": 7.25 }), &[2]),
        (json!({ "ids": [1, 4, 99] }), &[1, 4]),
        (json!({ "ids": [] }), &[]),
        (json!({ "not": [] }), &[2, 1, 4, 3]),
        (json!({ "not": [1, 2] }), &[4, 3]),
        (json!({ "ids": [1, 2, 3], "not": [2] }), &[1, 3]),
        (json!({ "since": "2026-01-02T04:04:05+01:00" }), &[2, 1, 4, 3]),
        (json!({ "since": "2026-01-02T03:04:06Z" }), &[]),
        (json!({ "words": "x' OR true -- \\' OR 1 #" }), &[]),
    ] {
        assert_eq!(ids(&served.call("find", &arguments).await), expected, "{arguments}");
    }
    let echo = served.call("echo", &json!({ "n": 7, "t": "ü😀\\" })).await["structuredContent"].clone();
    assert_eq!(echo, json!({ "n": 7, "x": "1.5", "b": 1, "t": "ü😀\\" }));
    let echo = served.call("echo", &json!({})).await["structuredContent"].clone();
    assert_eq!(echo["n"], Value::Null);
    assert_eq!(served.call("either", &json!({})).await["structuredContent"], json!({ "result": 4 }));
    assert_eq!(served.call("either", &json!({ "id": 3 })).await["structuredContent"], json!({ "result": 1 }));
}

#[tokio::test]
async fn a_session_is_the_same_on_every_server() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "session").await;
    let session = served.call("session", &json!({})).await["structuredContent"].clone();
    assert_eq!((&session["zone"], &session["charset"]), (&json!("+00:00"), &json!("utf8mb4")));
    let seconds = session["seconds"].as_f64().unwrap_or_default();
    assert!(seconds > 10.0 && seconds <= 40.0 && session["is_reading"] == 1, "{session}");
    // What the server has by default would read texts otherwise.
    assert_eq!(session["modes"], "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_bytes_and_time_are_bounded() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "bounds").await;
    for _ in 0..2 {
        let result = served.call("many", &json!({})).await["structuredContent"].clone();
        assert_eq!(
            (&result["row_count"], &result["truncated"], &result["rows"][4]["i"]),
            (&json!(5), &json!(true), &json!(5))
        );
        let result = served.call("wide", &json!({})).await["structuredContent"].clone();
        assert_eq!((&result["row_count"], &result["truncated"]), (&json!(3), &json!(true)));
    }
    // The limit is for what comes back, and for nothing within the statement.
    assert_eq!(served.call("nested", &json!({})).await["structuredContent"], json!({ "result": 2000 }));
    let result = served.call("huge", &json!({})).await["structuredContent"].clone();
    assert_eq!(result["rows"][0]["id"], 7);
    assert!(result["rows"][0]["text"].as_str().is_some_and(|text| text.ends_with("… (cut)")), "{result}");
    let twice = served.call("twice", &json!({})).await["structuredContent"]["rows"][0].clone();
    assert_eq!(twice, json!({ "a": 1, "a_2": 2, "column_3": "" }));
    let error = served.error("short", &json!({})).await;
    assert!(error.contains("longer than 300 ms"), "{error}");
    gone(host, "bounds", "SLEEP").await;
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
        "SELECT count(*) FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND ID <> CONNECTION_ID() \
         AND INFO LIKE '%{what}%'"
    );
    host.admin("mysql", &sql).parse().expect("a number")
}

/// The sessions that are open, whatever they do.
fn sessions(host: &Server, database: &str) -> Vec<String> {
    let sql =
        format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND USER = 'app' ORDER BY ID");
    host.admin("mysql", &sql).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_stops_its_statement() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "leaving").await;
    let mut clients = Vec::new();
    // As many as there are connections, so that none is left if one is lost.
    for _ in 0..3 {
        clients.push(spawn(leaving(&served, "nap")));
    }
    until("three naps", || running(host, "leaving", "SLEEP") == 3).await;
    let before = sessions(host, "leaving");
    for client in &clients {
        client.abort();
    }
    gone(host, "leaving", "SLEEP").await;
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["title"], "Dune");
    // A statement that was stopped costs no connection, and what told the server to stop it goes.
    until("the sessions that were there, and no other", || sessions(host, "leaving") == before).await;
}

#[tokio::test]
async fn failures_are_told_without_values_and_statements() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "failures").await;
    for (tool, arguments, expected) in [
        ("wrong", json!({ "id": "hunter2" }), "error 1366"),
        ("missing", json!({}), "a table does not exist (error 1146, SQLSTATE 42S02)"),
        ("copy", json!({}), "unique constraint was violated: titles"),
        ("thin", json!({}), "check constraint was violated: page_count"),
        ("stray", json!({}), "foreign key constraint was violated: of_book"),
        ("peek", json!({}), "user of source `db` may not do this"),
    ] {
        let text = served.error(tool, &arguments).await;
        assert!(text.contains(expected), "{tool}: {text}");
        for secret in ["hunter2", "SELECT", "p@ss", "127.0.0.1", "nowhere"] {
            assert!(!text.contains(secret), "{tool}: {text}");
        }
    }
    assert_eq!(host.admin("failures", "SELECT count(*) FROM books"), "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_whole_or_not_at_all() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "writes").await;
    let added = served.call("add", &json!({ "text": "it's" })).await["structuredContent"].clone();
    assert_eq!(added, json!({ "id": 1, "text": "it's" }));
    let added = served.call("append", &json!({ "text": "more" })).await["structuredContent"].clone();
    assert_eq!(added, json!({ "affected": 1, "last_insert_id": 2 }));
    let error = served.error("clear", &json!({})).await;
    assert!(error.contains("2 rows would have been affected"), "{error}");
    assert_eq!(host.admin("writes", "SELECT count(*) FROM notes"), "2");
    let changed = served.call("reprice", &json!({ "most": 5 })).await["structuredContent"].clone();
    assert_eq!(changed, json!({ "affected": 1 }));
    let error = served.error("reprice", &json!({ "most": 9 })).await;
    assert!(error.contains("2 rows would have been affected"), "{error}");
    assert_eq!(host.admin("writes", "SELECT price FROM books WHERE id = 4"), "7.25");
    // A row that is found counts, also if it is as it was.
    assert_eq!(served.call("same", &json!({})).await["structuredContent"], json!({ "affected": 1 }));
    let client = spawn(leaving(&served, "doze"));
    until("the doze", || running(host, "writes", "SLEEP") == 1).await;
    client.abort();
    gone(host, "writes", "SLEEP").await;
    // Whoever wants to lock the row waits for the end of the transaction that had it; the server, which
    // shares this test's thread, must not wait with them.
    let locked = move || host.admin("writes", "SELECT price FROM books WHERE id = 4 FOR UPDATE");
    assert_eq!(tokio::task::spawn_blocking(locked).await.expect("an answer"), "7.25");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_the_server_closed_are_replaced() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "restart").await;
    for _ in 0..3 {
        assert_eq!(served.call("either", &json!({})).await["structuredContent"], json!({ "result": 4 }));
        assert_eq!(served.call("reprice", &json!({ "most": 0 })).await["structuredContent"], json!({ "affected": 0 }));
        for session in sessions(host, "restart") {
            host.admin("mysql", &format!("KILL {session}"));
        }
        until("the end of the sessions", || sessions(host, "restart").is_empty()).await;
    }
    // A statement that means something else now is prepared anew.
    assert_eq!(served.call("get", &json!({ "id": 1 })).await["structuredContent"]["pages"], 600);
    let alter = "ALTER TABLE books ADD COLUMN weight float, DROP CONSTRAINT page_count, MODIFY pages varchar(9)";
    host.admin("restart", alter);
    let row = served.call("get", &json!({ "id": 1 })).await["structuredContent"].clone();
    assert_eq!((&row["pages"], &row["weight"]), (&json!("600"), &Value::Null));
}

const ONE: &str = "  one: { description: One., sql: { query: SELECT 1 AS one } }\n";

#[tokio::test]
async fn what_keeps_a_server_from_being_reached_is_told() {
    let Some(host) = mariadb() else { return };
    host.database("reach", "");
    let url = host.url("app", "reach");
    let port = format!(":{}/", host.port);
    let ca = host.folder.join("ca.pem").display().to_string();
    let socket = host.folder.join("socket").display().to_string();
    for (url, expected) in [
        (url.clone(), Ok(())),
        (url.replace("mariadb:", "mysql:"), Ok(())),
        (format!("{url}?ssl-mode=DISABLED"), Ok(())),
        (format!("{url}?ssl-mode=REQUIRED"), Ok(())),
        (url.replace("127.0.0.1", "localhost") + "?ssl-mode=VERIFY_IDENTITY&ssl-ca=" + &ca, Ok(())),
        (format!("{url}?socket={socket}"), Ok(())),
        (format!("{url}?ssl-mode=VERIFY_IDENTITY"), Err("the certificate is not trusted")),
        (url.replace(&port, ":1/"), Err("the connection was refused")),
        (url.replace("p%40ss", "pass"), Err("the password was not accepted")),
        (url.replace("/reach", "/mysql"), Err("the user may not connect to this database")),
        (url.replace("127.0.0.1", "nowhere.invalid"), Err("its host name is not known")),
        (format!("{url}?socket=/nowhere/socket"), Err("there is no such socket")),
        (host.url("admin", "reach"), Err("can do more than read and write its tables")),
        (host.url("admin", "nowhere"), Err("the database does not exist")),
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
CREATE TABLE all_orders (id int PRIMARY KEY, tenant varchar(20) NOT NULL);
INSERT INTO all_orders VALUES (1, 'acme'), (2, 'acme'), (3, 'globex');
CREATE FUNCTION workspace() RETURNS varchar(20) CHARACTER SET utf8mb4 NO SQL RETURN @`app.workspace`;
CREATE SQL SECURITY DEFINER VIEW orders AS SELECT id, tenant FROM all_orders WHERE tenant = workspace();
CREATE USER tenants IDENTIFIED BY 'p@ss:w/rd #1';
GRANT SELECT ON tenants.orders TO tenants;
";

#[tokio::test]
async fn a_view_sees_the_caller() {
    let Some(host) = mariadb() else { return };
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
        - { name: a, value: "${A}", workspace: "acme" }
        - { name: g, value: "${G}", workspace: "globex" }
        - { name: o, value: "${O}", workspace: "' OR 1=1 #" }
        - { name: n, value: "${N}" }
"#;
    let keys = [
        ("A", "a-key-of-acme-0123456789abcdef"),
        ("G", "a-key-of-globex-0123456789abcdef"),
        ("O", "a-key-of-another-0123456789abcdef"),
        ("N", "a-key-of-nobody-0123456789abcdef"),
    ];
    let url = host.url("tenants", "tenants");
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
        assert!(ids(&call(keys[2].1, json!({})).await).is_empty());
        let refused = call(keys[3].1, json!({})).await;
        assert!(refused["content"][0]["text"].as_str().is_some_and(|text| text.contains("workspace")), "{refused}");
    }
}

#[tokio::test]
async fn schemas_come_from_the_server() {
    let Some(host) = mariadb() else { return };
    let served = shop(host, "described").await;
    let listed = served.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().cloned().unwrap_or_default();
    let get = tools.iter().find(|tool| tool["name"] == "get").cloned().unwrap_or_default();
    let properties = &get["outputSchema"]["properties"];
    for (column, expected) in [
        ("id", json!({ "type": ["integer", "null"] })),
        ("title", json!({ "type": ["string", "null"] })),
        ("price", json!({ "type": ["string", "null"] })),
        ("tags", json!({})),
    ] {
        assert_eq!(properties[column], expected, "{column}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_free_connection_says_so() {
    let Some(host) = mariadb() else { return };
    host.database("busy", "");
    let tools = "  nap: { description: Naps., sql: { query: \"SELECT SLEEP(60) AS nap\" } }\n".to_owned() + ONE;
    let served = bridge(&host.url("app", "busy"), ", pool: { max: 1, acquire_timeout: 10ms }", &tools).await;
    let client = spawn(leaving(&served, "nap"));
    until("the nap", || running(host, "busy", "SLEEP") == 1).await;
    let error = served.error("one", &json!({})).await;
    assert!(error.contains("connection of source `db` is in use"), "{error}");
    client.abort();
    gone(host, "busy", "SLEEP").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while served.call("one", &json!({})).await["isError"] == true {
            tokio::task::yield_now().await;
        }
    });
    assert!(ended.await.is_ok(), "the connection came back");
}

#[tokio::test]
async fn statements_are_asked_about_without_running() {
    let Some(host) = mariadb() else { return };
    let seed = "CREATE TABLE big (id int PRIMARY KEY, word varchar(20)); \
                INSERT INTO big SELECT seq, seq FROM seq_1_to_20000; ANALYZE TABLE big";
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
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let url = host.url("app", "asked");
    let (plan, vault) = plan_of(folder.path(), &[("asked.yaml", text)], &Fixed::new(&[("DB", &url)]));
    let catalog = Upstreams::connect(&plan, &vault).expect("clients").inspect(&plan).await;
    let findings = |tool: &str| catalog.entry(tool).expect("asked").findings.clone();
    assert_eq!(findings("one"), []);
    let scans = findings("all");
    assert!(
        matches!(&scans[..], [Finding::Scans(Scan { table, rows })] if table == "big" && *rows > 15_000),
        "{scans:?}"
    );
    let words = "1146 (42S02): Table 'asked.bigger' doesn't exist".to_owned();
    assert_eq!(findings("gone"), [Finding::Refused { words }]);
    assert_eq!(findings("drop"), []);
    assert_eq!(host.admin("asked", "SELECT count(*) FROM big"), "20000");
}

const COLLIDING: &str = "
CREATE TABLE t (id int);
-- Without transactions, so that it counts on when one is undone.
CREATE TABLE tries (n int) ENGINE=MyISAM;
INSERT INTO tries VALUES (0);
DELIMITER //
CREATE FUNCTION collide(most int) RETURNS int MODIFIES SQL DATA BEGIN
    UPDATE tries SET n = n + 1;
    IF (SELECT n FROM tries) <= most THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF;
    RETURN 1;
END //
DELIMITER ;
GRANT EXECUTE ON colliding.* TO app;
";

#[tokio::test]
async fn collisions_are_repeated_where_twice_is_once() {
    let Some(host) = mariadb() else { return };
    host.database("colliding", COLLIDING);
    let tools = r#"
  once: { description: Once., params: { most: { type: integer, description: N. } }, sql: { mode: write, query: "INSERT INTO t SELECT collide(:most)" } }
  again: { description: Again., params: { most: { type: integer, description: N. } }, annotations: { idempotent: true }, sql: { mode: write, query: "INSERT INTO t SELECT collide(:most)" } }
"#;
    let served = bridge(&host.url("app", "colliding"), ", read_only: false, pool: { max: 1 }", tools).await;
    let tries = || host.admin("colliding", "SELECT CONCAT(count(*), '/', (SELECT n FROM tries)) FROM t");
    let error = served.error("once", &json!({ "most": 2 })).await;
    assert!(error.contains("nother transaction changed the same"), "{error}");
    assert_eq!(tries(), "0/1");
    assert_eq!(served.call("again", &json!({ "most": 3 })).await["structuredContent"], json!({ "affected": 1 }));
    assert_eq!(tries(), "1/4");
    let error = served.error("again", &json!({ "most": 100 })).await;
    assert!(error.contains("nother transaction changed the same"), "{error}");
    assert_eq!(tries(), "1/8");
}
