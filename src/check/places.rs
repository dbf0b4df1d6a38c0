//! Floor 4. Where the statements of the tools stand in the files, kept for what is found out about
//! them later, when the databases are asked.

use std::collections::BTreeMap;

use super::Document;
use crate::{
    text::Span,
    yaml::{Pointer, key_at, value_at},
};

/// The places of every tool with a statement, by the name of the tool.
#[derive(Debug, Default)]
pub struct Places {
    statements: BTreeMap<String, Statement>,
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
        let prefix = document.file.prefix.as_deref().unwrap_or_default();
        for (name, tool) in &document.file.tools {
            let Some(sql) = &tool.sql else { continue };
            let at = Pointer::root().at("tools").at(name).at("sql");
            let Some(query) = value_at(&document.node, &at.at("query")) else { continue };
            let columns = sql.columns.keys();
            let columns = columns.map(|key| (key.clone(), key_at(&document.node, &at.at("columns").at(key))));
            let statement = Statement { query: query.span, columns: columns.collect() };
            self.statements.insert(format!("{prefix}{name}"), statement);
        }
    }

    pub(super) fn statement(&self, tool: &str) -> Option<&Statement> {
        self.statements.get(tool)
    }
}
