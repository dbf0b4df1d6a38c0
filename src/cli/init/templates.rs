//! Floor 9. What `init` writes: a bridge with a tool or two and their tests, to be changed to what the API
//! or the database has, and the schema that editors complete it by.

use std::path::Path;

use super::{super::schema, Auth, Kind, Wanted};
use crate::bridge::Holds;

/// The file that editors read.
const SCHEMA: &str = "bridge.schema.json";

/// One file to be written.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
    /// Whether one that is there already does as well.
    pub(super) shared: bool,
}

/// The files.
pub(super) fn files(wanted: &Wanted, folder: &Path) -> Vec<File> {
    let (name, own) = (&wanted.name, |name: String, text: String| File { name, text, shared: false });
    let mut all = match (wanted.kind, sqlite_file(&wanted.url)) {
        (Kind::Rest, _) => vec![own(format!("{name}.yaml"), rest(wanted))],
        (Kind::Sql, Some(file)) if !folder.join(file).exists() => {
            vec![own(format!("{name}.yaml"), new_database(wanted)), own(format!("{name}.sql"), SCRIPT.to_owned())]
        }
        (Kind::Sql, _) => vec![own(format!("{name}.yaml"), database(wanted))],
    };
    all.push(File { name: SCHEMA.to_owned(), text: schema::print(Holds::Bridge) + "\n", shared: true });
    all
}

/// What to do with the files.
pub(super) fn next(wanted: &Wanted, folder: &str) -> String {
    let path = format!("{}/{}.yaml", folder.trim_end_matches('/'), wanted.name);
    let variables = variables(wanted).iter().fold(String::new(), |text, name| text + "  export " + name + "=…\n");
    format!(
        "\nnext:\n  change the tools in {path} to what there is\n{variables}  mcp-bridge check {path}\n  \
         mcp-bridge test {path}\n  mcp-bridge serve {path}\n  mcp-bridge connect {path}"
    )
}

/// The file of a `SQLite` URL.
fn sqlite_file(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite:").map(|rest| rest.split('?').next().unwrap_or(rest)).filter(|file| *file != ":memory:")
}

/// The variables that the file asks for.
fn variables(wanted: &Wanted) -> Vec<String> {
    let name = wanted.name.to_ascii_uppercase().replace('-', "_");
    let parts: &[&str] = match wanted.auth {
        Auth::None => &[],
        Auth::Bearer => &["TOKEN"],
        Auth::Basic => &["USER", "PASSWORD"],
        Auth::ApiKey => &["KEY"],
    };
    parts.iter().map(|part| format!("{name}_{part}")).collect()
}

/// The tools of a template with names of their own: several bridges are often served together.
fn tools(template: &str, wanted: &Wanted) -> String {
    template.replace("NAME", &wanted.name.replace('-', "_"))
}

/// A text as YAML takes it in any place.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn head(wanted: &Wanted) -> String {
    let title = wanted.name.replace(['-', '_'], " ");
    let mut letters = title.chars();
    let title: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    format!(
        "# yaml-language-server: $schema={SCHEMA}\nbridge: {}\ntitle: {}\ninstructions: |\n  Say here what an agent has to know \
         before it uses the tools: what there is, what to look up first.\n",
        quoted(&wanted.name),
        quoted(&title)
    )
}

fn rest(wanted: &Wanted) -> String {
    let names = variables(wanted);
    let name = |at: usize| names.get(at).map_or("", String::as_str);
    let auth = match wanted.auth {
        Auth::None => String::new(),
        Auth::Bearer => format!("      auth: {{ bearer: \"${{{}}}\" }}\n", name(0)),
        Auth::Basic => {
            format!("      auth: {{ basic: {{ username: \"${{{}}}\", password: \"${{{}}}\" }} }}\n", name(0), name(1))
        }
        Auth::ApiKey => format!("      auth: {{ api_key: {{ header: X-Api-Key, value: \"${{{}}}\" }} }}\n", name(0)),
    };
    let base = url::Url::parse(&wanted.url).map_or(String::new(), |url| url.path().trim_end_matches('/').to_owned());
    let path = quoted(&format!("{base}/items/7"));
    format!(
        "{}sources:\n  api:\n    rest:\n      base_url: {}\n{auth}{}",
        head(wanted),
        quoted(&wanted.url),
        tools(REST, wanted).replace("PATH", &path)
    )
}

const REST: &str = r#"tools:
  find_NAME_items:
    title: Find items
    description: Items by words of their name, best match first. Gives the ids for get_NAME_item.
    params:
      words: { type: string, description: Words that must occur. }
      limit: { type: integer, minimum: 1, maximum: 100, default: 20, description: How many at most. }
    rest: { get: /items, query: { q: "{{words}}", limit: "{{limit}}" } }
    output: { select: "$.items[*]", fields: { id: $.id, name: $.name } }
    tests:
      - name: items become a list
        args: { words: blue pen }
        upstream: { body: { items: [{ id: 7, name: Blue pen, weight: 12 }] } }
        expect_request: { method: GET, query: { q: blue pen, limit: 20 } }
        expect: { json: { "$.items[*].name": [Blue pen] } }
  get_NAME_item:
    title: Get an item
    description: One item with all its details. Use find_NAME_items first to learn its id.
    params:
      id: { type: integer, minimum: 1, description: From find_NAME_items. }
    rest:
      get: /items/{id}
      errors: { 404: "There is no item {{id}}. Take ids from find_NAME_items." }
    tests:
      - name: one item
        args: { id: 7 }
        upstream: { body: { id: 7, name: Blue pen } }
        expect_request: { method: GET, url: PATH }
        expect: { contains: Blue pen }
      - name: an unknown id is explained
        args: { id: 8 }
        upstream: { status: 404, body: { message: not found } }
        expect: { error: true, contains: no item 8 }
"#;

fn new_database(wanted: &Wanted) -> String {
    let source = format!(
        "sources:\n  db: {{ sql: {{ url: {}, init: {} }} }}\n",
        quoted(&wanted.url),
        quoted(&format!("{}.sql", wanted.name))
    );
    format!("{}{source}{}", head(wanted), tools(NEW_DATABASE, wanted))
}

const NEW_DATABASE: &str = r#"tools:
  find_NAME_items:
    title: Find items
    description: Items by a part of their name, in alphabetical order, with how many are in stock.
    params:
      name: { type: string, like: contains, required: false, description: A part of the name; all where it is left out. }
      limit: { type: integer, minimum: 1, maximum: 100, default: 20, description: How many at most. }
    sql:
      query: |
        SELECT id, name, stock FROM items
        WHERE true [[ AND name LIKE :name ]]
        ORDER BY name LIMIT :limit
    tests:
      - name: a part of the name is enough
        args: { name: pen }
        expect: { json: { "$.rows[*].name": [Blue pen, Pencil] } }
      - name: nothing found is an empty list
        args: { name: car }
        expect: { json: { $.row_count: 0 } }
"#;

const SCRIPT: &str = "\
-- Run once, when the database is not there yet.
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL DEFAULT 0);
INSERT INTO items (name, stock) VALUES ('Blue pen', 12), ('Notebook', 3), ('Pencil', 40);
";

/// Of a database that is there, nobody has said yet what it holds: the first tool lists it.
fn database(wanted: &Wanted) -> String {
    let query = if wanted.url.starts_with("sqlite:") {
        "SELECT name AS table_name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
    } else if wanted.url.starts_with("postgres") {
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    } else {
        "SELECT table_name AS table_name FROM information_schema.tables WHERE table_schema = database()"
    };
    let tools = tools(DATABASE, wanted).replace("QUERY", &quoted(&format!("{query} ORDER BY 1 LIMIT 200")));
    format!("{}sources:\n  db: {{ sql: {} }}\n{tools}", head(wanted), quoted(&wanted.url))
}

const DATABASE: &str = r"tools:
  list_NAME_tables:
    title: List the tables
    description: Names of the tables and views of the database. Replace this by tools about what they hold.
    sql: { query: QUERY }
    tests:
      - name: names become rows
        upstream: { rows: [{ table_name: items }] }
        expect: { json: { $.row_count: 1 } }
";
