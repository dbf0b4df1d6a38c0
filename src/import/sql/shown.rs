//! Floor 7. What of a table is shown: its columns, the key by which a row is found, and the words for it.

use super::{
    super::{
        names,
        words::{self, clean, words_of},
    },
    ToolKind,
    kind::{self, Kind},
    quote,
};
use crate::{
    catalog::{Table, TableColumn, TableKind, Tables},
    plan::sql::Dialect,
};

/// A table with all that its tools are made of.
#[derive(Debug)]
pub(super) struct Shown<'t> {
    pub(super) table: &'t Table,
    pub(super) columns: Vec<Shape<'t>>,
    /// Positions of the columns by which a row is found; none where there are no such.
    pub(super) key: Vec<usize>,
    /// What the tools are called, in the order of [`ToolKind::ALL`].
    names: [String; 3],
    /// The table in SQL text.
    pub(super) from: String,
    /// Its name in words, as of several rows and as of one.
    pub(super) words: (String, String),
    /// What its owner says of it.
    pub(super) said: String,
    pub(super) notes: Vec<String>,
}

/// A column that is shown.
#[derive(Debug)]
pub(super) struct Shape<'t> {
    pub(super) column: &'t TableColumn,
    pub(super) kind: Kind,
    /// The column in SQL text.
    pub(super) sql: String,
    /// What its owner says of it.
    pub(super) said: String,
}

impl<'t> Shown<'t> {
    /// # Errors
    /// Why there is nothing to show, without a full stop.
    pub(super) fn of(
        table: &'t Table,
        (tables, dialect): (&Tables, Dialect),
        taken: &mut names::Names,
    ) -> Result<Self, String> {
        let mut notes = Vec::new();
        let mut columns = Vec::new();
        for column in &table.columns {
            match kind::of(table, column, dialect) {
                Kind::Useless(why) => notes.push(format!("without the column `{}`: {why}", column.name)),
                kind => columns.push(Shape {
                    column,
                    kind,
                    sql: quote::name(&column.name, dialect),
                    said: column.comment.as_deref().map(|text| clean(text, words::PARAM)).unwrap_or_default(),
                }),
            }
        }
        if columns.is_empty() {
            return Err("it has no column that can be shown".into());
        }
        let key = key(table, &columns);
        if key.is_empty() && table.kind != TableKind::View {
            notes.push("without a tool that gets one row: it has no key of columns that are shown".into());
        }
        let is_home = table.schema == tables.home;
        let mut from = quote::name(&table.name, dialect);
        if !is_home && dialect != Dialect::Sqlite {
            from = format!("{}.{from}", quote::name(&table.schema, dialect));
        }
        let mut words = ascii(&table.name);
        if words.is_empty() {
            words.push("table".into());
        }
        let schema = if is_home { Vec::new() } else { ascii(&table.schema) };
        let one = singular(&words);
        let name = |kind: ToolKind| {
            let noun = if kind == ToolKind::Get { &one } else { &words };
            let all = [&[kind.verb().to_owned()][..], &schema, noun].concat().join("_");
            names::tool(Some(&all), kind.verb(), "/")
        };
        Ok(Self {
            table,
            key,
            names: ToolKind::ALL.map(|kind| taken.tool(&name(kind))),
            from,
            words: (words.join(" "), one.join(" ")),
            said: table.comment.as_deref().map(|text| clean(text, words::PARAM)).unwrap_or_default(),
            columns,
            notes,
        })
    }

    pub(super) fn name(&self, kind: ToolKind) -> &str {
        let [list, get, search] = &self.names;
        match kind {
            ToolKind::List => list,
            ToolKind::Get => get,
            ToolKind::Search => search,
        }
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let is = |fits: &dyn Fn(&str) -> bool| self.columns.iter().position(|shape| fits(&shape.column.name));
        is(&|it| it == name).or_else(|| is(&|it| it.eq_ignore_ascii_case(name)))
    }

    /// The columns of the key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Shape<'t>> {
        self.key.iter().filter_map(|at| self.columns.get(*at))
    }

    /// Whether it can be asked for a row.
    pub(super) fn has_get(&self) -> bool {
        !self.key.is_empty()
    }

    /// Text that people write, which is searched.
    pub(super) fn texts(&self) -> Vec<&Shape<'t>> {
        let is_reference = |shape: &Shape<'_>| {
            let refers = |name: &str| name == shape.column.name;
            self.table.references.iter().any(|reference| reference.columns.iter().any(|(here, _)| refers(here)))
        };
        self.columns.iter().filter(|shape| shape.kind == Kind::Text && !is_reference(shape)).collect()
    }
}

/// The primary key, or the first other one whose columns are never NULL. All of it must be shown.
fn key(table: &Table, columns: &[Shape<'_>]) -> Vec<usize> {
    let shown = |name: &String| {
        let at = columns.iter().position(|shape| shape.column.name == *name)?;
        let shape = columns.get(at)?;
        shape.kind.is_found_again().then_some((at, shape.column.not_null))
    };
    let found = table.keys.iter().find_map(|key| {
        let all: Vec<(usize, bool)> = key.columns.iter().map(shown).collect::<Option<_>>()?;
        let is_certain = key.primary || all.iter().all(|(_, not_null)| *not_null);
        is_certain.then(|| all.into_iter().map(|(at, _)| at).collect())
    });
    found.unwrap_or_default()
}

/// The words of a name, as far as they are of letters and digits that every host permits.
pub(super) fn ascii(name: &str) -> Vec<String> {
    let plain = |word: String| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    words_of(name).into_iter().map(plain).filter(|word| !word.is_empty()).collect()
}

/// The words of one of them: `order items` are each an `order item`.
fn singular(words: &[String]) -> Vec<String> {
    const SAME: [&str; 6] = ["series", "news", "species", "status", "data", "address"];
    const ODD: [(&str, &str); 6] = [
        ("people", "person"),
        ("children", "child"),
        ("movies", "movie"),
        ("cookies", "cookie"),
        ("houses", "house"),
        ("indices", "index"),
    ];
    let mut words = words.to_vec();
    if let Some(last) = words.last_mut() {
        let odd = ODD.iter().find(|(many, _)| last == many).map(|(_, one)| (*one).to_owned());
        let without = |end: &str, put: &str| last.strip_suffix(end).map(|stem| format!("{stem}{put}"));
        let is_same = SAME.contains(&last.as_str()) || ["ss", "us", "is"].iter().any(|end| last.ends_with(end));
        let one = odd.or_else(|| if is_same || last.len() < 4 { Some(last.clone()) } else { None });
        let one = one.or_else(|| without("ies", "y"));
        let one = one.or_else(|| {
            ["sses", "shes", "ches", "xes", "uses"].iter().find_map(|end| without(end, end.trim_end_matches("es")))
        });
        if let Some(one) = one.or_else(|| without("s", "")) {
            *last = one;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_has_a_name() {
        for (many, one) in [
            ("orders", "order"),
            ("order_items", "order item"),
            ("categories", "category"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("statuses", "status"),
            ("status", "status"),
            ("people", "person"),
            ("customer", "customer"),
            ("bus", "bus"),
        ] {
            assert_eq!(singular(&ascii(many)).join(" "), one, "{many}");
        }
    }
}
