//! Floor 3. A tool of several calls: each step with what it takes, what it needs and what is kept.

use serde_json::Value;

use super::{Output, Query, SourceId, Transaction, rest, sql};
use crate::{
    select::Path,
    template::{Text, Tree},
};

/// The most items that a step runs for.
pub const ITEMS_MAX: usize = 1000;
/// The most items that a step runs for unless it says how many it takes.
pub const ITEMS_UNASKED: usize = 100;

/// The calls of one tool, in their order.
#[derive(Debug)]
pub struct Steps {
    /// The calls. Each names only results of those before it.
    pub all: Vec<Step>,
}

/// One call of several.
#[derive(Debug)]
pub struct Step {
    /// The name of its result.
    pub name: String,
    /// What it does.
    pub call: Call,
    /// Values under names of their own, for this step alone.
    pub with: Vec<(String, Tree)>,
    /// Skips the step unless it is true.
    pub condition: Option<Tree>,
    /// The list whose items it runs for.
    pub each: Option<Each>,
    /// What its result must hold.
    pub require: Option<Require>,
    /// What of its result is kept. Only what concerns values counts: a step has no text.
    pub output: Output,
    /// Every name that stands for a value in it: params, `with` and the item.
    pub declared: Vec<String>,
}

/// What a step does.
#[derive(Debug)]
pub enum Call {
    /// One REST request.
    Rest(Box<rest::Request>),
    /// One SQL statement.
    Sql(Box<Query>),
    /// Several SQL statements, kept together or not at all.
    Transaction(Box<Transaction>),
}

impl Call {
    /// The source it works on.
    #[must_use]
    pub fn source(&self) -> SourceId {
        match self {
            Self::Rest(request) => request.source,
            Self::Sql(query) => query.source,
            Self::Transaction(transaction) => transaction.source,
        }
    }

    /// Whether it may change something.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Rest(request) => !request.reads(),
            Self::Sql(query) => query.access == sql::Access::Write,
            Self::Transaction(_) => true,
        }
    }
}

/// The list whose items a step runs for.
#[derive(Debug)]
pub struct Each {
    /// The list.
    pub list: Tree,
    /// The name of the item.
    pub item: String,
    /// How many items are taken at most.
    pub take: Option<Tree>,
    /// How many run at once.
    pub concurrency: usize,
}

/// What a step's result must hold for the tool to go on.
#[derive(Debug)]
pub struct Require {
    /// Where to look.
    pub path: Path,
    /// What must stand there.
    pub test: Test,
    /// What the model is told otherwise.
    pub otherwise: Text,
}

/// What must stand somewhere.
#[derive(Debug)]
pub enum Test {
    /// Anything but null.
    Exists,
    /// This value.
    Equals(Value),
}

impl Require {
    /// Whether a result holds what it must.
    #[must_use]
    pub fn holds(&self, result: &Value) -> bool {
        let found = self.path.find(result);
        match &self.test {
            Test::Exists => found.iter().any(|value| !value.is_null()),
            Test::Equals(wanted) => found.first().is_some_and(|value| *value == wanted),
        }
    }
}
