//! Floor 7. From the tables of a database to the parts of a bridge file: for each a tool that lists, one
//! that gets a row by its key, and one that searches its texts.

mod clause;
mod kind;
mod quote;
mod shown;
mod tools;

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value, json};

use super::{
    Drafted, Imported, Skipped, Variable, names,
    words::spoken,
    write::{MARK, variable},
};
use crate::{
    catalog::{Table, Tables},
    diag::closest,
    plan::sql::Dialect,
};
use shown::Shown;
use tools::Maker;

/// What is wanted of a database.
#[derive(Clone, Debug)]
pub struct WantedTables {
    /// Tables with one of these names, with or without their schema, in which `*` stands for anything; all
    /// where none is named.
    pub tables: Vec<String>,
    /// The tools that are wanted of each; all where none is named.
    pub kinds: Vec<ToolKind>,
    /// The name of the bridge, in the place of one made of the database's.
    pub name: Option<String>,
    /// The name of the source.
    pub source: String,
    /// The variable of the environment that holds the URL.
    pub variable: String,
    /// Whether a user that reaches more than tables is accepted.
    pub allow_superuser: bool,
}

/// What a tool does with its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolKind {
    /// Gives its rows in order, page by page.
    List,
    /// Gives one row, by its key.
    Get,
    /// Gives the rows that hold a text.
    Search,
}

impl ToolKind {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 3] = [Self::List, Self::Get, Self::Search];

    /// The word that its name begins with.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Search => "search",
        }
    }
}

/// Rows of one result at most.
const MAX_ROWS: usize = 100;
/// Names that are told at most.
const TOLD: usize = 20;

/// Makes the parts of a bridge of the tables of a database.
///
/// # Errors
/// A sentence without a full stop: what is wanted and not there.
pub fn sql((tables, dialect): (&Tables, Dialect), wanted: &WantedTables) -> Result<Imported, String> {
    let mut skipped = Vec::new();
    let chosen = chosen(tables, wanted, &mut skipped)?;
    let mut names = names::Names::default();
    let mut all = Vec::new();
    for table in chosen {
        match Shown::of(table, (tables, dialect), &mut names) {
            Ok(shown) => all.push(shown),
            Err(reason) => skipped.push(Skipped::new(&full_name(table, tables), &reason)),
        }
    }
    let maker = Maker::new(&all, dialect, &wanted.source);
    let kinds: Vec<ToolKind> =
        ToolKind::ALL.into_iter().filter(|kind| wanted.kinds.is_empty() || wanted.kinds.contains(kind)).collect();
    let mut made: Vec<Drafted> = Vec::new();
    for shown in &all {
        let mut notes = shown.notes.clone();
        for kind in &kinds {
            let Some((name, tool)) = maker.tool(shown, *kind) else { continue };
            let key = key(*kind, shown.table, tables);
            if is_marked(&Value::Object(tool.clone())) {
                skipped.push(Skipped::new(&key, "it has characters of the private use area, as no bridge file has"));
                continue;
            }
            made.push(Drafted { key, name, tool, notes: std::mem::take(&mut notes) });
        }
    }
    let known = tables.tables.iter().flat_map(|table| ToolKind::ALL.map(|kind| key(kind, table, tables)));
    Ok(Imported {
        head: head((tables, dialect), wanted),
        tools: made,
        known: known.collect(),
        skipped,
        notes: Vec::new(),
        variables: vec![url(dialect, wanted)],
        choosing: "--table, --schema or --tool",
    })
}

/// What a tool is known by: `list orders`.
fn key(kind: ToolKind, table: &Table, tables: &Tables) -> String {
    format!("{} {}", kind.verb(), full_name(table, tables))
}

/// The table with its schema, if that has to be said, on one line.
fn full_name(table: &Table, tables: &Tables) -> String {
    let name = table.name.escape_debug();
    if table.schema == tables.home { name.to_string() } else { format!("{}.{name}", table.schema.escape_debug()) }
}

/// The tables that are wanted and can be read.
fn chosen<'t>(tables: &'t Tables, wanted: &WantedTables, skipped: &mut Vec<Skipped>) -> Result<Vec<&'t Table>, String> {
    let fits = |table: &Table, pattern: &str| {
        let full = format!("{}.{}", table.schema, table.name);
        is_like(&table.name, pattern) || is_like(&full, pattern)
    };
    for pattern in &wanted.tables {
        if !tables.tables.iter().any(|table| fits(table, pattern)) {
            return Err(nothing(tables, pattern));
        }
    }
    let mut chosen = Vec::new();
    for table in &tables.tables {
        if !wanted.tables.is_empty() && !wanted.tables.iter().any(|pattern| fits(table, pattern)) {
            continue;
        }
        match &table.obstacle {
            Some(reason) => skipped.push(Skipped::new(&full_name(table, tables), reason)),
            None => chosen.push(table),
        }
    }
    if tables.tables.is_empty() {
        return Err("it has no tables that the user can see".into());
    }
    Ok(chosen)
}

fn nothing(tables: &Tables, pattern: &str) -> String {
    let names = || tables.tables.iter().map(|table| table.name.as_str());
    if let Some(near) = closest(pattern, names()) {
        return format!("it has no table `{pattern}`: did you mean `{near}`?");
    }
    let mut all: Vec<&str> = names().take(TOLD).collect();
    let more = tables.tables.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    all.sort_unstable();
    format!("it has no table `{pattern}`, but {}{more}", all.join(", "))
}

/// Whether a name is like a pattern, in which `*` stands for anything.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a value holds what variables are marked with until they are printed.
fn is_marked(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARK),
        Value::Array(items) => items.iter().any(is_marked),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains(MARK) || is_marked(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// All of the file but its tools.
fn head((tables, dialect): (&Tables, Dialect), wanted: &WantedTables) -> Map<String, Value> {
    let title = match dialect {
        Dialect::Sqlite => Path::new(&tables.database).file_stem().map(|stem| stem.to_string_lossy().into_owned()),
        Dialect::Postgres | Dialect::Mysql => Some(tables.database.clone()),
    };
    let title = title.map(|title| title.replace(MARK, "")).filter(|title| !title.is_empty());
    let title = title.unwrap_or_else(|| "database".into());
    let mut source = Map::from_iter([
        ("url".to_owned(), json!(variable(&wanted.variable))),
        ("read_only".to_owned(), json!(true)),
        ("max_rows".to_owned(), json!(MAX_ROWS)),
    ]);
    if wanted.allow_superuser && dialect != Dialect::Sqlite {
        source.insert("allow_superuser".into(), json!(true));
    }
    let name = wanted.name.clone().unwrap_or_else(|| names::bridge(&title));
    Map::from_iter([
        ("bridge".to_owned(), json!(name)),
        ("title".to_owned(), json!(spoken(&title))),
        ("description".to_owned(), json!("Rows of a database, to be read.")),
        ("sources".to_owned(), json!({ wanted.source.clone(): { "sql": source } })),
    ])
}

fn url(dialect: Dialect, wanted: &WantedTables) -> Variable {
    let meaning = match dialect {
        Dialect::Sqlite => "the database: `sqlite:` and its path, whole or from the folder of the file on",
        Dialect::Postgres => "the database: `postgres://USER:PASSWORD@HOST/DATABASE`",
        Dialect::Mysql => "the database: `mysql://USER:PASSWORD@HOST/DATABASE`",
    };
    Variable { name: wanted.variable.clone(), meaning: meaning.into() }
}

/// The tables by schema and name, as references name them.
type Places<'s> = BTreeMap<(&'s str, String), &'s Shown<'s>>;
