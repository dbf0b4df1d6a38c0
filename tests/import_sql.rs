//! `import sql` over the real engines: the file that is made of a database, which checks clean, is served,
//! and answers; and what a second import does to a file that a person has edited. The scripts stand in
//! `tests/import-sql`, with the files that are made of them; `UPDATE=1` writes these anew.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    generated::fresh,
    support::{Program, Server, mariadb, postgres},
};

/// A database of which files are made.
struct Origin {
    engine: &'static str,
    url: String,
    folder: TempDir,
}

impl Origin {
    fn sqlite() -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("import_shop.db");
        let connection = rusqlite::Connection::open(&file).expect("a database");
        connection.execute_batch(include_str!("import-sql/sqlite.sql")).expect("a script");
        Self { engine: "sqlite", url: format!("sqlite:{}", file.display()), folder }
    }

    fn of(engine: &'static str, script: &str, host: &Server) -> Self {
        host.database("import_shop", script);
        if engine == "postgres" {
            host.admin("import_shop", "REVOKE ALL ON hidden FROM app");
        }
        Self { engine, url: host.url("app", "import_shop"), folder: TempDir::new().expect("a folder") }
    }

    /// Runs a command and gives what it printed, which never holds the password.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", &self.url)
            .output()
            .expect("the program runs");
        let told = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        assert!(!told.contains("rd #1") && !told.contains("rd%20%231"), "the password is shown:\n{told}");
        (output.status.success(), told)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.path().join("shop.yaml")).expect("a file")
    }
}

fn names(rows: &Value, column: &str) -> Vec<Value> {
    rows["rows"].as_array().expect("rows").iter().map(|row| row[column].clone()).collect()
}

/// Imports, checks, serves and calls.
fn is_of_use(origin: &Origin) {
    let (fine, told) = origin.run(&["import", "sql", "-o", "shop.yaml"]);
    assert!(fine, "{told}");
    let expected = Path::new("tests/import-sql").join(origin.engine);
    fresh(&expected.with_extension("txt").display().to_string(), &told);
    let text = origin.text();
    assert!(!text.contains("rd #1") && !text.contains("rd%20%231") && text.contains("url: ${DATABASE_URL}"), "{text}");
    fresh(&expected.with_extension("yaml").display().to_string(), &text);
    for arguments in [&["check", "shop.yaml", "--deny-warnings"][..], &["check", "shop.yaml", "--connect"]] {
        let (fine, told) = origin.run(arguments);
        assert!(fine && told.contains(": 0 errors, 0 warnings"), "{arguments:?}: {told}");
    }
    let mut program = Program::start(origin.folder.path(), "shop.yaml", &[("DATABASE_URL", &origin.url)]);
    answers(&mut program, origin.engine);
    for tool in program.tools() {
        let name = tool["name"].as_str().expect("a name");
        let required = tool["inputSchema"]["required"].as_array().cloned().unwrap_or_default();
        let arguments: serde_json::Map<String, Value> = required
            .iter()
            .map(|param| {
                let param = param.as_str().expect("a name");
                let schema = &tool["inputSchema"]["properties"][param];
                (param.to_owned(), value_of(schema))
            })
            .collect();
        let result = program.call(name, &json!(arguments));
        let words = result["content"][0]["text"].as_str().unwrap_or_default();
        let fails = result["isError"] == true && !words.starts_with("There is no ");
        assert_eq!(fails, name.ends_with("_trap"), "{}: {name} {arguments:?}: {result}", origin.engine);
    }
}

/// A value that a param takes.
fn value_of(schema: &Value) -> Value {
    match (schema["format"].as_str(), schema["type"].as_str()) {
        (Some("uuid"), _) => json!("00000000-0000-0000-0000-000000000001"),
        (Some("date"), _) => json!("2024-05-01"),
        (_, Some("string")) => json!("xyz"),
        _ => json!(1),
    }
}

fn answers(program: &mut Program, engine: &str) {
    // MariaDB has no booleans: its flags are numbers, in and out.
    let vip = if engine == "mariadb" { json!(1) } else { json!(true) };
    for (tool, arguments, column, expected) in [
        ("list_customers", json!({}), "id", json!([1, 2, 3])),
        ("list_customers", json!({ "limit": 2, "after_id": 1 }), "id", json!([2, 3])),
        ("list_customers", json!({ "grade": "b" }), "name", json!(["Cy 100%"])),
        ("search_customers", json!({ "text": "AD" }), "name", json!(["Ada"])),
        ("search_customers", json!({ "text": "0%" }), "id", json!([3])),
        ("search_customers", json!({ "text": "%a" }), "id", json!([])),
        ("list_orders", json!({ "customer_id": 1 }), "id", json!([1, 2])),
        ("list_orders", json!({ "state": "open", "channel": "web" }), "note", json!(["gift"])),
        ("list_order_items", json!({ "order_id": 1, "limit": 1, "offset": 1 }), "product", json!(["shade"])),
        ("list_order_details", json!({}), "a\"b:c", json!(["two"])),
        ("search_order_details", json!({ "text": "lei" }), "größe", json!(["klein"])),
        ("list_order", json!({ "limit_value": "x" }), "limit", json!(["x"])),
        ("list_events", json!({ "kind": "visit" }), "at", json!(["2024-05-01"])),
        ("list_open_orders", json!({}), "note", json!(["gift", "fragile"])),
        ("list_log", json!({}), "message", json!([])),
    ] {
        let result = program.call(tool, &arguments);
        let rows = &result["structuredContent"];
        assert_eq!(json!(names(rows, column)), expected, "{engine}: {tool} {arguments}: {result}");
    }
    if engine == "sqlite" {
        let pages = program.call("list_pages", &json!({}))["structuredContent"].clone();
        assert_eq!(names(&pages, "title"), ["Brass lamps"], "an index of full texts: {pages}");
    }
    let one = program.call("get_customer", &json!({ "id": 1 }))["structuredContent"].clone();
    assert_eq!((&one["name"], &one["vip"], &one["password_hash"]), (&json!("Ada"), &vip, &Value::Null), "{one}");
    let item = program.call("get_order_item", &json!({ "order_id": 1, "line_no": 2 }))["structuredContent"].clone();
    assert_eq!(item["product"], "shade", "{item}");
    for (tool, arguments, words) in [
        ("get_customer", json!({ "id": 99 }), "There is no customer with id 99."),
        (
            "get_order_item",
            json!({ "order_id": 1, "line_no": 9 }),
            "There is no order item with order_id 1 and line_no 9.",
        ),
    ] {
        let result = program.call(tool, &arguments);
        assert_eq!((&result["isError"], &result["content"][0]["text"]), (&json!(true), &json!(words)));
    }
    let refused = program.call("list_orders", &json!({ "state": "lost" }));
    assert_eq!(refused["isError"], true, "{refused}");
}

/// Edits the file, changes the tables, and imports again.
fn keeps_what_is_written(origin: &Origin, change: impl Fn(&str)) {
    let edited = origin.text();
    let description =
        "description: One row of orders by its id, with all that is known of it. customer_id leads to get_customer.";
    let (start, end) = (
        edited.find("  # imported: search log").expect("a tool"),
        edited.find("  # imported: list open_orders").expect("a tool"),
    );
    let edited = format!("{}{}", &edited[..start], &edited[end..]);
    let edited = edited.replace(description, "description: An order as the shop sees it, with its note and its total.");
    fs::write(origin.folder.path().join("shop.yaml"), &edited).expect("a file");
    let (fine, told) = origin.run(&["import", "sql", "--out", "shop.yaml"]);
    assert!(fine && told.contains("nothing to change in shop.yaml"), "{told}");
    assert!(told.contains("Taken out by hand, and left out: search log"), "{told}");
    change("ALTER TABLE orders ADD COLUMN paid date");
    change("CREATE TABLE notes (id int PRIMARY KEY)");
    change("DROP TABLE events");
    let (fine, told) = origin.run(&["import", "sql", "--out", "shop.yaml"]);
    for words in [
        "New: list_notes, get_note\n",
        "Updated: list_orders, search_orders\n",
        "Removed, because the database has the table no more: list_events, get_event, search_events\n",
        "Edited and kept, although the database says something else by now: get_order_2\n",
        "Taken out by hand, and left out: search log\n",
        "brought up to date: shop.yaml\n",
    ] {
        assert!(fine && told.contains(words), "{words}\n{told}");
    }
    assert!(origin.text().contains("An order as the shop sees it"), "{}", origin.text());
    let (fine, told) = origin.run(&["check", "shop.yaml", "--connect", "--deny-warnings"]);
    assert!(fine, "{told}");
}

#[test]
fn tables_of_sqlite_become_tools() {
    let origin = Origin::sqlite();
    is_of_use(&origin);
    let file = origin.folder.path().join("import_shop.db");
    let connection = rusqlite::Connection::open(file).expect("a database");
    keeps_what_is_written(&origin, |sql| connection.execute_batch(sql).expect("a change"));
}

#[test]
fn tables_of_postgresql_become_tools() {
    let Some(host) = postgres() else { return };
    let origin = Origin::of("postgres", include_str!("import-sql/postgres.sql"), host);
    is_of_use(&origin);
    let (fine, told) = origin.run(&["import", "sql", "--schema", "sales", "--schema", "public", "-o", "sales.yaml"]);
    let text = fs::read_to_string(origin.folder.path().join("sales.yaml")).expect("a file");
    assert!(
        fine && text.contains("  list_sales_targets:\n") && text.contains("FROM sales.targets\n"),
        "{told}\n{text}"
    );
    assert!(text.contains("the id of a row of customers, from search_customers."), "{text}");
    keeps_what_is_written(&origin, |sql| {
        host.admin("import_shop", sql);
        if sql.contains("notes") {
            host.admin("import_shop", "GRANT SELECT ON notes TO app");
        }
    });
}

#[test]
fn tables_of_mariadb_become_tools() {
    let Some(host) = mariadb() else { return };
    let origin = Origin::of("mariadb", include_str!("import-sql/mariadb.sql"), host);
    is_of_use(&origin);
    // Who may only read finds the same.
    host.admin("import_shop", "CREATE USER import_reader IDENTIFIED BY ''");
    host.admin("import_shop", "GRANT SELECT ON import_shop.* TO import_reader");
    let url = format!("mariadb://import_reader@127.0.0.1:{}/import_shop", host.port);
    let reader = Origin { engine: "mariadb", url, folder: TempDir::new().expect("a folder") };
    let (fine, told) = reader.run(&["import", "sql", "-o", "shop.yaml"]);
    assert!(fine && reader.text() == origin.text(), "{told}\n{}", reader.text());
    keeps_what_is_written(&origin, |sql| {
        host.admin("import_shop", sql);
    });
}

#[test]
fn tables_are_chosen() {
    let origin = Origin::sqlite();
    for (arguments, tools) in [
        (&["--table", "orders"][..], "list_orders get_order search_orders"),
        (&["--table", "main.cust*", "--tool", "get"], "get_customer"),
        (&["--table", "order*", "--tool", "list"], "list_order list_order_items list_orders"),
        (&["--table", "log", "--tool", "list", "--variable", "SHOP_DB", "--source", "shop"], "list_log"),
    ] {
        let (fine, told) = origin.run(&[&["import", "sql", &origin.url][..], arguments].concat());
        let names =
            told.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':'));
        let names: Vec<&str> =
            names.map(|line| line.trim().trim_end_matches(':')).filter(|it| it.contains('_')).collect();
        assert!(fine && names.join(" ") == tools, "{arguments:?}: {told}");
    }
    for (arguments, words) in [
        (&["--table", "order_item"][..], "it has no table `order_item`: did you mean `order_items`?"),
        (&["--table", "x*"], "it has no table `x*`, but "),
        (&["--table", "files"], "no tool can be made of it: files: it has no column that can be shown"),
        (&["--schema", "other"], "it has no tables that the user can see"),
    ] {
        let (fine, told) = origin.run(&[&["import", "sql"][..], arguments].concat());
        assert!(!fine && told.contains(words), "{arguments:?}: {told}");
    }
}
