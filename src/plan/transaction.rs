//! Floor 3. Several SQL statements in one transaction, and every statement of a plan by the name under
//! which a catalog keeps it.

use std::sync::Arc;

use super::{Effect, Operation, Plan, Query, SourceId, steps::Call};
use crate::template::Text;

/// Several statements that are kept together or not at all.
#[derive(Debug)]
pub struct Transaction {
    /// The database.
    pub source: SourceId,
    /// The statements, in their order. Each names only results of those before it.
    pub parts: Vec<Part>,
    /// What the model is told when a row is missing that a statement needs.
    pub not_found: Option<Text>,
}

/// One statement of a transaction.
#[derive(Debug)]
pub struct Part {
    /// The name of its result.
    pub name: Option<Arc<str>>,
    /// Whether it has rows, or only counts them.
    pub gives: Gives,
    /// The statement. It has no `not_found` of its own.
    pub query: Query,
}

/// What a statement of a transaction gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Rows, which it reads or returns.
    Rows,
    /// How many rows it affected.
    Count,
}

impl Transaction {
    /// Whether all it can do is add rows.
    #[must_use]
    pub fn effect(&self) -> Effect {
        let adds = self.parts.iter().all(|part| part.query.effect == Effect::Adds);
        if adds { Effect::Adds } else { Effect::Changes }
    }

    /// Under which name the statement at a position of a transaction of this tool is kept in a catalog.
    #[must_use]
    pub fn key(tool: &str, at: usize) -> String {
        format!("{tool}.{}", at + 1)
    }

    /// The statements with names, whose results are the answer.
    pub fn named(&self) -> impl Iterator<Item = (usize, &Arc<str>, &Query)> {
        let parts = self.parts.iter().enumerate();
        parts.filter_map(|(at, part)| part.name.as_ref().map(|name| (at, name, &part.query)))
    }
}

impl Plan {
    /// Under which name the statement of a resource is kept in a catalog: none that a tool can have.
    #[must_use]
    pub fn key_of_resource(bridge: &str, name: &str) -> String {
        format!("resource {bridge}/{name}")
    }

    /// Every statement of every tool and resource, by the name under which a catalog keeps it: that of the
    /// tool, with the step or the position in the transaction behind it.
    #[must_use]
    pub fn statements(&self) -> Vec<(String, &Query)> {
        let mut all = Vec::new();
        let tools = self.tools.iter().map(|tool| (tool.name.clone(), &tool.operation));
        let resources = self.resources.iter().map(|resource| {
            let bridge = self.bridges.get(resource.tool.bridge.0).map_or("", |bridge| bridge.name.as_str());
            (Self::key_of_resource(bridge, &resource.name), &resource.tool.operation)
        });
        for (key, operation) in tools.chain(resources) {
            match operation {
                Operation::Sql(query) => all.push((key, &**query)),
                Operation::Transaction(transaction) => add(&mut all, &key, transaction),
                Operation::Steps(steps) => {
                    for step in &steps.all {
                        let name = format!("{key}.{}", step.name);
                        match &step.call {
                            Call::Sql(query) => all.push((name, &**query)),
                            Call::Transaction(transaction) => add(&mut all, &name, transaction),
                            Call::Rest(_) => {}
                        }
                    }
                }
                Operation::Rest(_) | Operation::Reply(_) => {}
            }
        }
        all
    }
}

fn add<'a>(all: &mut Vec<(String, &'a Query)>, name: &str, transaction: &'a Transaction) {
    let parts = transaction.parts.iter().enumerate();
    all.extend(parts.map(|(at, part)| (Transaction::key(name, at), &part.query)));
}
