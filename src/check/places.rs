//! Floor 4. Where the statements of tools and resources stand in the files, kept for what is found out about
//! them later, when the databases are asked.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Document, silence::Silences};
use crate::{
    bridge::{Column, SqlOperation},
    plan::{Plan, Transaction},
    text::Span,
    yaml::{Pointer, key_at, value_at},
};

/// The places of every statement, by the names of [`crate::plan::Plan::statements`].
#[derive(Debug, Default)]
pub struct Places {
    statements: BTreeMap<String, Statement>,
    pub(super) silences: Silences,
    tests: BTreeMap<String, Vec<TestPlace>>,
}

/// Where one test of a tool stands.
#[derive(Clone, Debug)]
pub struct TestPlace {
    /// Its text.
    pub span: Span,
    /// The way to it from the top of its file.
    pub pointer: Pointer,
}

/// The places of one statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its SQL text.
    pub(super) query: Span,
    /// The keys of `columns`.
    pub(super) columns: BTreeMap<String, Span>,
}

impl Places {
    /// Adds the statements of a file.
    pub(super) fn add(&mut self, document: &Document) {
        let bridge = document.file.bridge.as_deref().unwrap_or_default();
        let prefix = document.file.prefix.as_deref().unwrap_or_default();
        for (name, tool) in &document.file.tools {
            let (key, at) = (format!("{prefix}{name}"), Pointer::root().at("tools").at(name));
            if let Some(sql) = &tool.sql {
                self.operation(&key, sql, &at.at("sql"), document);
            }
            for (index, step) in tool.steps.iter().flatten().enumerate() {
                let Some(sql) = &step.sql else { continue };
                self.operation(&format!("{key}.{}", step.name), sql, &at.at("steps").at(index).at("sql"), document);
            }
            let tests = (0..tool.tests.len()).map(|index| {
                let pointer = at.at("tests").at(index);
                TestPlace { span: key_at(&document.node, &pointer), pointer }
            });
            self.tests.insert(key, tests.collect());
        }
        for (name, resource) in &document.file.resources {
            let Some(sql) = &resource.sql else { continue };
            let at = Pointer::root().at("resources").at(name).at("sql");
            self.operation(&Plan::key_of_resource(bridge, name), sql, &at, document);
        }
    }

    fn operation(&mut self, key: &str, sql: &SqlOperation, at: &Pointer, document: &Document) {
        self.statement_at((key.to_owned(), &sql.columns), at, document);
        for (index, part) in sql.transaction.iter().flatten().enumerate() {
            let at = at.at("transaction").at(index);
            self.statement_at((Transaction::key(key, index), &part.columns), &at, document);
        }
    }

    fn statement_at(&mut self, (key, columns): (String, &IndexMap<String, Column>), at: &Pointer, document: &Document) {
        let Some(query) = value_at(&document.node, &at.at("query")) else { return };
        let columns = columns.keys().map(|key| (key.clone(), key_at(&document.node, &at.at("columns").at(key))));
        self.statements.insert(key, Statement { query: query.span, columns: columns.collect() });
    }

    /// Where a test stands: by its tool, with the prefix, and its number among the tests of the tool.
    #[must_use]
    pub fn test(&self, tool: &str, index: usize) -> Option<&TestPlace> {
        self.tests.get(tool)?.get(index)
    }

    pub(super) fn statement(&self, key: &str) -> Option<&Statement> {
        self.statements.get(key)
    }
}
