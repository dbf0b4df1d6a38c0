//! Floor 7. The tools of a table: what they ask the database, and what they tell a model about it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    super::words::{sentences, spoken},
    MAX_ROWS, Places, ToolKind,
    shown::{Shape, Shown, ascii},
};
use crate::{
    catalog::{Reference, TableKind},
    plan::sql::Dialect,
};

/// Rows of a page where nobody says how many.
const PAGE: usize = 20;
/// Columns by which a list can be narrowed at most: every one is paid for.
const FILTERS: usize = 12;
/// Columns that are searched at most.
const SEARCHED: usize = 8;
/// Columns that a description names at most.
const NAMED: usize = 8;
/// Names that templates use for something else, and those of the params that every tool can have.
const TAKEN: [&str; 9] = ["answers", "args", "caller", "steps", "now", "request", "limit", "offset", "text"];

/// Makes tools.
pub(super) struct Maker<'s> {
    dialect: Dialect,
    source: &'s str,
    places: Places<'s>,
}

/// The params of a tool in the making.
#[derive(Default)]
struct Params {
    all: Map<String, Value>,
    names: BTreeSet<String>,
}

/// How the rows of a table are put in order, so that pages follow each other.
enum Pages<'s> {
    /// The next page begins behind a value.
    Behind(&'s Shape<'s>),
    /// The next page begins after so many rows.
    After(String),
    /// There is no order.
    None,
}

impl Params {
    /// Declares a param under a name like that of a column, and gives the name.
    fn add(&mut self, column: &str, spec: Map<String, Value>) -> String {
        let is_plain = column.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && column.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
            && column.len() <= 56;
        let mut name = if is_plain { column.to_owned() } else { ascii(column).join("_").chars().take(56).collect() };
        if !name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') {
            name.insert_str(0, "column_");
        }
        if TAKEN.contains(&name.as_str()) {
            name.push_str("_value");
        }
        let (base, mut number) = (name.clone(), 2);
        while !self.names.insert(name.to_ascii_lowercase()) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.all.insert(name.clone(), Value::Object(spec));
        name
    }

    fn limit(&mut self) {
        let limit = json!({
            "type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": PAGE, "description": "Rows at most.",
        });
        self.all.insert("limit".into(), limit);
    }
}

/// A param for a column, with its words.
fn spec(shape: &Shape<'_>, required: bool, words: String) -> Map<String, Value> {
    let mut spec = shape.kind.schema();
    if !required {
        spec.insert("required".into(), json!(false));
    }
    let mut said = sentences(&[shape.said.clone(), words, shape.kind.words()]);
    if !said.ends_with(['.', '!', '?', '…']) {
        said.push('.');
    }
    spec.insert("description".into(), json!(said));
    spec
}

impl<'s> Maker<'s> {
    pub(super) fn new(all: &'s [Shown<'s>], dialect: Dialect, source: &'s str) -> Self {
        let place = |shown: &'s Shown<'s>| ((shown.table.schema.as_str(), shown.table.name.to_lowercase()), shown);
        Self { dialect, source, places: all.iter().map(place).collect() }
    }

    /// A tool of a table with its name. `None` where the table has not what it needs.
    pub(super) fn tool(&self, shown: &'s Shown<'s>, kind: ToolKind) -> Option<(String, Map<String, Value>)> {
        let made = match kind {
            ToolKind::List => Some(self.list(shown)),
            ToolKind::Get => shown.has_get().then(|| self.get(shown)),
            ToolKind::Search => (!shown.texts().is_empty()).then(|| self.search(shown)),
        };
        let (description, params, mut sql) = made?;
        // Told once: whoever reads a list has the other tools before them, too.
        let tells = if shown.has_get() { ToolKind::Get } else { ToolKind::List };
        let said = shown.columns.iter().filter(|shape| !shape.said.is_empty());
        let columns: Map<String, Value> =
            said.map(|shape| (shape.column.name.clone(), json!({ "description": shape.said }))).collect();
        if kind == tells && !columns.is_empty() {
            sql.insert("columns".into(), Value::Object(columns));
        }
        let mut all = Map::from_iter([("source".to_owned(), json!(self.source))]);
        all.extend(sql);
        let name = shown.name(kind).to_owned();
        let mut tool = Map::from_iter([
            ("title".to_owned(), json!(spoken(&name))),
            ("description".to_owned(), json!(description)),
            ("tags".to_owned(), json!([shown.words.0])),
        ]);
        if !params.all.is_empty() {
            tool.insert("params".into(), Value::Object(params.all));
        }
        tool.insert("sql".into(), Value::Object(all));
        Some((name, tool))
    }

    fn list(&self, shown: &'s Shown<'s>) -> (String, Params, Map<String, Value>) {
        let mut params = Params::default();
        let mut conditions = Vec::new();
        for shape in filters(shown) {
            let words = format!("Only rows with this {}{}", one_line(shape), self.leads_to(shown, shape));
            let name = params.add(&shape.column.name, spec(shape, false, words));
            conditions.push(format!("{} = :{name}", shape.sql));
        }
        let pages = self.pages(shown);
        let mut end = String::new();
        let order = match &pages {
            Pages::Behind(shape) => {
                let column = &shape.column.name;
                let words = format!("For the next page: the {} of the last row of this one", one_line(shape));
                let mut after = shape.kind.schema();
                after.insert("required".into(), json!(false));
                after.insert("description".into(), json!(format!("{words}.")));
                let name = params.add(&format!("after_{column}"), after);
                conditions.push(format!("{} > :{name}", shape.sql));
                end.push_str(&format_order(&shape.sql));
                format!("in the order of {}", one_line(shape))
            }
            Pages::After(order) => {
                end.push_str(&format_order(order));
                match shown.keys().map(one_line).collect::<Vec<_>>() {
                    keys if keys.is_empty() => "in the order of their numbers".to_owned(),
                    keys => format!("in the order of {}", keys.join(", ")),
                }
            }
            Pages::None => "in no particular order".to_owned(),
        };
        params.limit();
        end.push_str("\nLIMIT :limit");
        if matches!(pages, Pages::After(_)) {
            let offset = json!({
                "type": "integer", "minimum": 0, "default": 0,
                "description": "For the next page: how many rows came before it.",
            });
            params.all.insert("offset".into(), offset);
            end.push_str(" OFFSET :offset");
        }
        let mut query = select(shown);
        if !conditions.is_empty() {
            query.push_str("\nWHERE 1 = 1");
            for condition in conditions {
                query.push_str(&format_optional(&condition));
            }
        }
        query.push_str(&end);
        let description =
            sentences(&[shown.said.clone(), format!("Rows of {}, {order}: {}", noun(shown), columns(shown))]);
        (ended(description), params, Map::from_iter([("query".to_owned(), json!(query))]))
    }

    fn get(&self, shown: &'s Shown<'s>) -> (String, Params, Map<String, Value>) {
        let mut params = Params::default();
        let (mut conditions, mut missing, mut by) = (Vec::new(), Vec::new(), Vec::new());
        for shape in shown.keys() {
            let words = format!("The {} of the row{}", one_line(shape), self.leads_to(shown, shape));
            let name = params.add(&shape.column.name, spec(shape, true, words));
            conditions.push(format!("{} = :{name}", shape.sql));
            missing.push(format!("{name} {{{{{name}}}}}"));
            by.push(one_line(shape));
        }
        let mut leads: Vec<String> = Vec::new();
        for reference in &shown.table.references {
            if let (Some(parent), [(here, _)]) = (self.parent(reference), reference.columns.as_slice())
                && parent.has_get()
                && !shown.keys().any(|key| key.column.name == *here)
            {
                let here = here.chars().filter(|char| !char.is_control()).collect::<String>();
                leads.push(format!("{here} leads to {}", parent.name(ToolKind::Get)));
            }
        }
        let query = format!("{}\nWHERE {}", select(shown), conditions.join(" AND "));
        let (_, one) = &shown.words;
        let description = sentences(&[
            shown.said.clone(),
            format!("One row of {} by its {}, with all that is known of it", noun(shown), by.join(" and ")),
            leads.join(", "),
        ]);
        let sql = Map::from_iter([
            ("query".to_owned(), json!(query)),
            ("returns".to_owned(), json!("row")),
            ("not_found".to_owned(), json!(format!("There is no {one} with {}.", missing.join(" and ")))),
        ]);
        (ended(description), params, sql)
    }

    fn search(&self, shown: &'s Shown<'s>) -> (String, Params, Map<String, Value>) {
        let texts: Vec<&Shape<'_>> = shown.texts().into_iter().take(SEARCHED).collect();
        let mut params = Params::default();
        let all: Vec<String> = texts.iter().map(|shape| one_line(shape)).collect();
        let (last, before) = all.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
        let named = if before.is_empty() { last.to_owned() } else { format!("{} or {last}", before.join(", ")) };
        let text = json!({
            "type": "string", "like": "contains", "minLength": 2, "maxLength": 200,
            "description": format!("What to look for: a part of {named}."),
        });
        params.all.insert("text".into(), text);
        params.limit();
        let like = if self.dialect == Dialect::Postgres { "ILIKE" } else { "LIKE" };
        let conditions: Vec<String> = texts.iter().map(|shape| format!("{} {like} :text", shape.sql)).collect();
        let order = match self.pages(shown) {
            Pages::Behind(shape) => format_order(&shape.sql),
            Pages::After(order) => format_order(&order),
            Pages::None => String::new(),
        };
        let query = format!("{}\nWHERE {}{order}\nLIMIT :limit", select(shown), conditions.join("\n  OR "));
        let description =
            sentences(&[shown.said.clone(), format!("Finds rows of {} by a part of {named}", noun(shown))]);
        (ended(description), params, Map::from_iter([("query".to_owned(), json!(query))]))
    }

    fn pages(&self, shown: &'s Shown<'s>) -> Pages<'s> {
        let keys: Vec<&Shape<'_>> = shown.keys().collect();
        match keys.as_slice() {
            [] if shown.table.kind == TableKind::Numbered && shown.position("rowid").is_none() => {
                Pages::After("rowid".to_owned())
            }
            [] => Pages::None,
            // The values of an undeclared column of SQLite can be of several types at once.
            [only] if only.kind.is_ordered() && (only.column.not_null || self.dialect == Dialect::Sqlite) => {
                Pages::Behind(only)
            }
            all => Pages::After(all.iter().map(|shape| shape.sql.as_str()).collect::<Vec<_>>().join(", ")),
        }
    }

    fn parent(&self, reference: &Reference) -> Option<&'s Shown<'s>> {
        self.places.get(&(reference.schema.as_str(), reference.table.to_lowercase())).copied()
    }

    /// Where the value of a column comes from: ": the id of a row of customers, from
    /// `search_customers`".
    fn leads_to(&self, shown: &Shown<'_>, shape: &Shape<'_>) -> String {
        let here = &shape.column.name;
        let reference = shown.table.references.iter().find_map(|reference| {
            reference.columns.iter().find(|(name, _)| name == here).map(|(_, there)| (reference, there))
        });
        let Some((reference, there)) = reference else { return String::new() };
        let plain = |name: &str| name.chars().filter(|char| !char.is_control()).take(60).collect::<String>();
        let what = format!(": the {} of a row of {}", plain(there), plain(&reference.table));
        match self.parent(reference) {
            Some(parent) if parent.table.name != shown.table.name => {
                let kind = if parent.texts().is_empty() { ToolKind::List } else { ToolKind::Search };
                format!("{what}, from {}", parent.name(kind))
            }
            _ => what,
        }
    }
}

/// The columns by which a list is narrowed: references to others, and those with few values. Of a key of
/// several columns those before the last.
fn filters<'s>(shown: &'s Shown<'s>) -> Vec<&'s Shape<'s>> {
    let refers = |shape: &Shape<'_>| {
        let mut columns = shown.table.references.iter().flat_map(|reference| &reference.columns);
        columns.any(|(here, _)| *here == shape.column.name)
    };
    let leading = shown.key.split_last().map_or(&[][..], |(_, leading)| leading);
    let all = shown.columns.iter().enumerate().filter(|(at, shape)| {
        let is_key = shown.key.as_slice() == [*at];
        !is_key && (refers(shape) || shape.kind.is_narrow() || leading.contains(at))
    });
    all.map(|(_, shape)| shape).take(FILTERS).collect()
}

fn select(shown: &Shown<'_>) -> String {
    let mut text = String::from("SELECT");
    let mut width = text.len();
    for (at, shape) in shown.columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        if width + shape.sql.len() > 100 {
            text.push_str("\n ");
            width = 2;
        }
        text.push(' ');
        text.push_str(&shape.sql);
        width += shape.sql.len() + 2;
    }
    format!("{text}\nFROM {}", shown.from)
}

fn format_order(columns: &str) -> String {
    format!("\nORDER BY {columns}")
}

fn format_optional(condition: &str) -> String {
    format!("\n  [[ AND {condition} ]]")
}

/// What the rows are of: the name of the table as it is, on one line.
fn noun(shown: &Shown<'_>) -> String {
    let name: String = shown.table.name.chars().filter(|char| !char.is_control()).take(60).collect();
    if shown.table.kind == TableKind::View { format!("the view {name}") } else { name }
}

/// The name of a column, on one line.
fn one_line(shape: &Shape<'_>) -> String {
    shape.column.name.chars().filter(|char| !char.is_control()).take(60).collect()
}

/// The names of the first columns.
fn columns(shown: &Shown<'_>) -> String {
    let named = if shown.columns.len() <= NAMED + 1 { shown.columns.len() } else { NAMED };
    let first: Vec<String> = shown.columns.iter().take(named).map(one_line).collect();
    match shown.columns.len() - named {
        0 => first.join(", "),
        more => format!("{} and {more} more columns", first.join(", ")),
    }
}

fn ended(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?', '…']) {
        text.push('.');
    }
    text
}
