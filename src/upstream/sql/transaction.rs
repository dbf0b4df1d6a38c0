//! Floor 5. Several statements in one transaction: what the engines share. All texts are made before
//! the first statement runs; later ones may bind values of earlier ones, in the engine's own form.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Limits, Repeat, bind::Given};
use crate::{
    plan::{
        Gives, Part,
        sql::{ExpectedRows, Rendered},
    },
    upstream::error::{FailureClass, UpstreamError},
};

/// Several statements to run, and to keep together or not at all.
#[derive(Debug)]
pub struct Transact<'a> {
    /// The statements, in their order.
    pub parts: &'a [Part],
    /// The values of the params, by name.
    pub arguments: &'a Map<String, Value>,
    /// Whether all of it is tried again when it collided with another transaction.
    pub repeat: Repeat,
    /// Settings of the transaction, by name.
    pub session: &'a [(String, String)],
    /// Bytes of the rows of each statement at most.
    pub max_bytes: usize,
    /// When the call is over. The source's own statement timeout may come first.
    pub deadline: Instant,
}

impl Transact<'_> {
    /// The text of each statement, in their order.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit one of them.
    pub(super) fn render(&self) -> Result<Vec<Rendered>, UpstreamError> {
        let render = |part: &Part| {
            let rendered = part.query.statement.render(&Given(self.arguments));
            rendered.map_err(|error| UpstreamError::new(FailureClass::Arguments, error.to_string()))
        };
        self.parts.iter().map(render).collect()
    }

    /// How much of the statement may come back: of one whose result nobody sees, nothing.
    pub(super) fn limits(&self, part: &Part) -> Limits {
        let max_rows = if part.name.is_some() { part.query.max_rows } else { 0 };
        Limits { max_rows, max_bytes: self.max_bytes }
    }
}

/// A value of one statement that later ones bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As the placeholder names it: `order.id`.
    pub(super) whole: Arc<str>,
    /// What it is of the statement.
    pub(super) what: What,
}

/// What later statements can take of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A column of its first row.
    Column(String),
    /// How many rows it affected.
    Affected,
    /// The id of the row that it added last.
    LastInsertId,
}

/// What the statements behind the one at `at` take of it.
pub(super) fn wanted(parts: &[Part], texts: &[Rendered], at: usize) -> Vec<Wanted> {
    let Some(Part { name: Some(name), gives, .. }) = parts.get(at) else { return Vec::new() };
    let slots = texts.iter().skip(at + 1).flat_map(|text| text.slots.iter());
    let mut found: Vec<Wanted> = Vec::new();
    for slot in slots {
        let Some(column) = slot.param.strip_prefix(&**name).and_then(|rest| rest.strip_prefix('.')) else { continue };
        if found.iter().any(|wanted| wanted.whole == slot.param) {
            continue;
        }
        let what = match (gives, column) {
            (Gives::Rows, column) => What::Column(column.to_owned()),
            (Gives::Count, "last_insert_id") => What::LastInsertId,
            (Gives::Count, _) => What::Affected,
        };
        found.push(Wanted { whole: Arc::clone(&slot.param), what });
    }
    found
}

/// Values of statements that have run, in the engine's own form.
#[derive(Debug)]
pub(super) struct Earlier<V>(BTreeMap<Arc<str>, V>);

impl<V> Default for Earlier<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Earlier<V> {
    /// What a placeholder such as `order.id` stands for.
    pub(super) fn get(&self, whole: &str) -> Option<&V> {
        self.0.get(whole)
    }

    pub(super) fn keep(&mut self, whole: &Arc<str>, value: V) {
        self.0.insert(Arc::clone(whole), value);
    }
}

/// Which statement of a transaction it is, for its errors.
#[derive(Clone, Debug)]
pub(super) struct Which {
    at: usize,
    name: Option<Arc<str>>,
}

impl Which {
    pub(super) fn new(at: usize, part: &Part) -> Self {
        Self { at, name: part.name.clone() }
    }

    /// It affected, or found, another number of rows than it may. All is undone.
    pub(super) fn unexpected(&self, expected: ExpectedRows, rows: u64) -> UpstreamError {
        let counted = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        let expected = match expected {
            ExpectedRows::Exactly(count) => format!("exactly {}", counted(count)),
            ExpectedRows::AtMost(count) => format!("at most {}", counted(count)),
        };
        let public = format!("nothing was changed: {self} came to {}, and {expected} may be", counted(rows));
        let class = if rows == 0 { FailureClass::Missing } else { FailureClass::Refused };
        UpstreamError::new(class, public)
    }

    /// It has not the row that a later one takes a value of. All is undone.
    pub(super) fn no_row(&self) -> UpstreamError {
        let public = format!("nothing was changed: {self} found no row, and a later one needs it");
        UpstreamError::new(FailureClass::Missing, public)
    }

    /// It has not the column that a later one takes. All is undone.
    pub(super) fn no_column(&self, column: &str) -> UpstreamError {
        let public = format!("nothing was changed: {self} has no column `{column}`");
        UpstreamError::new(FailureClass::Refused, public)
    }

    /// Its failure, after which nothing is kept.
    pub(super) fn undone(&self, error: UpstreamError) -> UpstreamError {
        error.retold(|public| format!("{self}: {public}; nothing of the transaction is kept"))
    }
}

impl fmt::Display for Which {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "the statement `{name}`"),
            None => write!(formatter, "statement {}", self.at + 1),
        }
    }
}
