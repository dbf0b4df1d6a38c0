//! Floor 4. Several statements in one transaction: their names, what each takes of those before it,
//! and which keys have a meaning. Serves `check`.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Written, advise_on_text, advise_on_unused, columns,
    compile::{Compiled, Outcome},
    expected, permits_writes, returns, statement,
};
use crate::{
    bridge::{Access as WrittenAccess, SqlOperation, Statement},
    check::{
        context::Context,
        params::Params,
        source::{Kind, Known, Sources},
        templates::{self, Stage},
    },
    diag::{Code, Diagnostic},
    plan::{
        Effect, Gives, Part, Query, Transaction,
        sql::{Access, Dialect},
    },
    yaml::Pointer,
};

/// A transaction of more statements than this is a program and not a tool.
const STATEMENTS_MAX: usize = 20;

/// What MySQL and MariaDB can undo. Anything else they keep at once, with all that was done before it.
const UNDONE: [&str; 8] = ["CALL", "DELETE", "INSERT", "REPLACE", "SELECT", "UPDATE", "VALUES", "WITH"];

/// Builds a transaction. `None` after a fault that leaves nothing to build on.
pub(in crate::check) fn build(
    operation: &SqlOperation,
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Transaction> {
    let source = sources.find(operation.source.as_deref(), Kind::Sql, at, context);
    let written = operation.transaction.as_deref()?;
    if writes(operation, at, context) {
        permits_writes(source, at, context);
    }
    keys_have_a_meaning(operation, at, context);
    if written.is_empty() || written.len() > STATEMENTS_MAX {
        let message = format!("a transaction has 1 to {STATEMENTS_MAX} statements");
        context.fault(Code::TransactionKey, &at.at("transaction"), message);
    }
    let dialect = source.and_then(|source| source.dialect).unwrap_or(Dialect::Sqlite);
    let max_rows = operation.max_rows.map_or(source.map_or(0, |source| source.max_rows), |max| max as usize);
    let builder = Builder { written, params, source, dialect, max_rows };
    let mut outcomes: Vec<(String, Outcome)> = Vec::new();
    let (mut parts, mut texts) = (Vec::new(), Vec::new());
    for (index, statement) in written.iter().enumerate() {
        let at = at.at("transaction").at(index);
        let (part, compiled) = builder.part(index, &outcomes, &at, context);
        if let Some(name) = &statement.name {
            let gives = compiled.as_ref().map_or(Outcome::Rows, |compiled| outcome(gives(compiled)));
            outcomes.push((name.clone(), gives));
        }
        parts.push(part);
        texts.extend(compiled);
    }
    let not_found = operation.not_found.as_deref().and_then(|text| {
        let at = at.at("not_found");
        let needs =
            written.iter().any(|part| part.expect_rows.is_some()) || texts.iter().any(|it| !it.taken.is_empty());
        if !needs && texts.len() == written.len() {
            let message =
                "`not_found` has a meaning where a statement needs a row: by `expect_rows`, or by `:name.column`";
            context.fault(Code::TransactionKey, &at, message);
        }
        templates::text(text, Stage::Request, params, &at, context)
    });
    if texts.len() == written.len() {
        let told = not_found.iter().flat_map(|text| text.variables().iter().filter_map(|it| it.path.first()));
        let used: BTreeSet<&str> = texts.iter().flat_map(|it| &it.used).chain(told).map(String::as_str).collect();
        advise_on_unused(&used, params, &at.above(), context);
    }
    Some(Transaction { source: source?.id, parts: parts.into_iter().collect::<Option<_>>()?, not_found })
}

/// Whether the mode is to write, which a transaction must be.
fn writes(operation: &SqlOperation, at: &Pointer, context: &mut Context<'_>) -> bool {
    match operation.mode {
        Some(WrittenAccess::Write) => true,
        None if context.is_lost(operation.mode.as_ref(), &at.at("mode")) => false,
        Some(WrittenAccess::Read) | None => {
            let span = context.key(&at.at("transaction"));
            let fault = Diagnostic::error(Code::TransactionKey, span, "a transaction needs `mode: write`");
            context.push(fault.help("statements that only read are `steps`, or tools of their own"));
            false
        }
    }
}

fn keys_have_a_meaning(operation: &SqlOperation, at: &Pointer, context: &mut Context<'_>) {
    let keys = [
        ("returns", operation.returns.is_some()),
        ("expect_rows", operation.expect_rows.is_some()),
        ("columns", !operation.columns.is_empty()),
    ];
    for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there) {
        let span = context.key(&at.at(key));
        let fault = Diagnostic::error(Code::TransactionKey, span, format!("`{key}` belongs to one of the statements"));
        context.push(fault.help("write it beside the `query` of the statement that it is about"));
    }
}

/// What the statements are checked against.
struct Builder<'a> {
    written: &'a [Statement],
    params: &'a Params,
    source: Option<&'a Known>,
    dialect: Dialect,
    max_rows: usize,
}

impl Builder<'_> {
    fn part(
        &self,
        index: usize,
        earlier: &[(String, Outcome)],
        at: &Pointer,
        context: &mut Context<'_>,
    ) -> (Option<Part>, Option<Compiled>) {
        let Some((here, later)) = self.written.get(index..).and_then(<[_]>::split_first) else { return (None, None) };
        self.name_is_usable(here, earlier, at, context);
        result_is_named(here, at, context);
        // Names of those that come later are known, to say so.
        let waiting = std::iter::once(here).chain(later).filter_map(|part| part.name.clone());
        let waiting = waiting.map(|name| (name, Outcome::NotYet));
        // The last of two with one name counts in the map: an earlier one is what is meant.
        let known: Vec<_> = waiting.chain(earlier.iter().cloned()).collect();
        let text =
            Written { query: &here.query, access: Some(Access::Write), dialect: self.dialect, earlier: &known, at };
        let compiled = statement(&text, self.params, context);
        let returns = returns(here.returns, Some(Access::Write), compiled.as_ref(), &at.at("returns"), context);
        if let Some(compiled) = &compiled {
            advise_on_text(compiled, self.params, at, context);
            if self.dialect == Dialect::Mysql {
                can_be_undone(compiled, at, context);
            }
        }
        let part = self.source.zip(compiled.as_ref()).map(|(source, compiled)| Part {
            name: here.name.as_deref().map(Arc::from),
            gives: gives(compiled),
            query: Query {
                source: source.id,
                access: Access::Write,
                effect: if compiled.insert_only { Effect::Adds } else { Effect::Changes },
                extent: compiled.extent,
                statement: compiled.statement.clone(),
                returns,
                not_found: None,
                max_rows: self.max_rows,
                expect_rows: here.expect_rows.as_ref().and_then(expected),
                columns: columns(&here.columns),
            },
        });
        (part, compiled)
    }

    fn name_is_usable(&self, here: &Statement, earlier: &[(String, Outcome)], at: &Pointer, context: &mut Context<'_>) {
        let Some(name) = &here.name else { return };
        let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic())
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let at = at.at("as");
        let message = if !is_name {
            let fault = format!("`{name}` cannot be the name of a statement");
            let fault = Diagnostic::error(Code::TransactionName, context.value(&at), fault);
            context.push(fault.help("use up to 64 letters, digits and `_`, beginning with a letter"));
            return;
        } else if self.params.is_known(name) {
            format!("a param is named `{name}` already")
        } else if earlier.iter().any(|(other, _)| other == name) {
            format!("two statements are named `{name}`")
        } else {
            return;
        };
        context.fault(Code::TransactionName, &at, message);
    }
}

/// What says how a result looks has no meaning for one that is not shown.
fn result_is_named(here: &Statement, at: &Pointer, context: &mut Context<'_>) {
    if here.name.is_some() || context.has(&at.at("as")) {
        return;
    }
    for (key, is_there) in [("returns", here.returns.is_some()), ("columns", !here.columns.is_empty())] {
        if is_there {
            let span = context.key(&at.at(key));
            let message = format!("`{key}` has a meaning for a statement with a name only");
            let fault = Diagnostic::error(Code::TransactionKey, span, message);
            context.push(fault.help("name its result with `as`: the answer holds the results that have names"));
        }
    }
}

fn can_be_undone(compiled: &Compiled, at: &Pointer, context: &mut Context<'_>) {
    let Some(verb) = compiled.verb.as_deref().filter(|verb| !UNDONE.contains(verb)) else { return };
    let message = format!("{verb} ends the transaction: MySQL and MariaDB keep it, and all before it, at once");
    let fault = Diagnostic::error(Code::TransactionKey, context.value(&at.at("query")), message);
    context.push(fault.help("make it a tool of its own"));
}

fn gives(compiled: &Compiled) -> Gives {
    if compiled.has_rows == Some(false) { Gives::Count } else { Gives::Rows }
}

const fn outcome(gives: Gives) -> Outcome {
    match gives {
        Gives::Rows => Outcome::Rows,
        Gives::Count => Outcome::Count,
    }
}
