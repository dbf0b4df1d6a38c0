//! Floor 4. SQL operations: the statements compiled, every fault in them told at its place.

mod compile;
mod fault;
mod keyword;
mod lexer;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{
    context::Context,
    params::{Params, Presence, Role},
    source::{Kind, Known, Sources},
    templates::{self, Stage},
};
use crate::{
    bridge::{
        Access as WrittenAccess, Column as WrittenColumn, ExpectRows, Like, Returns as WrittenReturns, SqlOperation,
    },
    diag::{Code, Diagnostic},
    plan::{
        ColumnOverride, Effect, Query,
        sql::{Access, Dialect, ExpectedRows, LikeKind, ParamType, Returns},
    },
    yaml::Pointer,
};

use compile::{Compiled, Outcome, ParamKind};
use fault::{Fault, FaultKind, Place};
pub(super) use transaction::build as build_transaction;

/// Builds a statement. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    operation: &SqlOperation,
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Query> {
    let source = sources.find(operation.source.as_deref(), Kind::Sql, at, context);
    let access = match operation.mode {
        Some(WrittenAccess::Write) => Some(Access::Write),
        // Nobody can tell what a mode with a fault was to be.
        None if context.is_lost(operation.mode.as_ref(), &at.at("mode")) => None,
        Some(WrittenAccess::Read) | None => Some(Access::Read),
    };
    if access == Some(Access::Write) {
        permits_writes(source, at, context);
    }
    let dialect = source.and_then(|source| source.dialect).unwrap_or(Dialect::Sqlite);
    let text = Written { query: operation.query.as_deref()?, access, dialect, earlier: &[], at };
    refuse_templates(text.query, params, at, context);
    let compiled = statement(&text, params, context);
    let returns_at = at.at("returns");
    let found = returns(operation.returns, access, compiled.as_ref(), &returns_at, context);
    if operation.expect_rows.is_some() && access == Some(Access::Read) {
        context.fault(Code::SqlKey, &at.at("expect_rows"), "`expect_rows` has a meaning for `mode: write` only");
    }
    let not_found = operation.not_found.as_deref().and_then(|text| {
        let at = at.at("not_found");
        let is_told = context.is_lost(operation.returns.as_ref(), &returns_at);
        if !matches!(found, Returns::Row | Returns::Value) && !is_told {
            context.fault(Code::SqlKey, &at, "`not_found` has a meaning for `returns: row` and `returns: value` only");
        }
        templates::text(text, Stage::Request, params, &at, context)
    });
    if let Some(compiled) = &compiled {
        let texts = not_found.iter().flat_map(|text| text.variables().iter().filter_map(|it| it.path.first()));
        let used: BTreeSet<&str> = texts.chain(&compiled.used).map(String::as_str).collect();
        advise_on_unused(&used, params, &at.above(), context);
        advise_on_text(compiled, params, at, context);
    }
    let compiled = compiled?;
    Some(Query {
        source: source?.id,
        access: access?,
        effect: if compiled.insert_only { Effect::Adds } else { Effect::Changes },
        extent: compiled.extent,
        statement: compiled.statement,
        returns: found,
        not_found,
        max_rows: operation.max_rows.map_or(source.map_or(0, |source| source.max_rows), |max| max as usize),
        expect_rows: operation.expect_rows.as_ref().and_then(expected),
        columns: columns(&operation.columns),
    })
}

fn permits_writes(source: Option<&Known>, at: &Pointer, context: &mut Context<'_>) {
    if source.is_some_and(|source| !source.writable) {
        let span = context.value(&at.at("mode"));
        let fault = Diagnostic::error(Code::SqlKey, span, "the source is read-only");
        context.push(fault.help("say `read_only: false` at the source to permit tools that write"));
    }
}

/// A statement as it is written.
struct Written<'a> {
    query: &'a str,
    /// `None` where nobody can tell which mode was meant.
    access: Option<Access>,
    dialect: Dialect,
    /// The statements of the same transaction.
    earlier: &'a [(String, Outcome)],
    /// Where `query` is a key.
    at: &'a Pointer,
}

fn statement(written: &Written<'_>, params: &Params, context: &mut Context<'_>) -> Option<Compiled> {
    let &Written { query: text, access, dialect, .. } = written;
    let query_at = written.at.at("query");
    let options = params.declared.iter().flat_map(|param| match &param.role {
        Role::Choice(options) => options.iter().map(|(key, _)| param.pointer.at("choices").at(key)).collect(),
        Role::Scalar | Role::List | Role::Object | Role::Like(_) | Role::Open => Vec::new(),
    });
    let inserted: Vec<Pointer> =
        options.chain([query_at.clone()]).filter(|at| !context.inserted(at).is_empty()).collect();
    for at in &inserted {
        let fault = Diagnostic::error(Code::SqlVariable, context.value(at), "SQL text holds no `${…}`");
        context.push(fault.help("bind a param, or write the statement out; `$${` is a literal `${`"));
    }
    if !inserted.is_empty() {
        return None;
    }
    let declared = params.declared.iter().map(|param| (param.name.clone(), kind_of(&param.role)));
    let earlier = written.earlier.iter().map(|(name, outcome)| (name.clone(), ParamKind::Statement(*outcome)));
    let mut kinds: BTreeMap<String, ParamKind> = earlier.chain(declared).collect();
    kinds.extend(params.lost_names().map(|name| (name.to_owned(), ParamKind::Scalar)));
    // A value of a step is a list where only a list can stand.
    let mut result = compile::compile(text, &kinds, dialect, access.unwrap_or(Access::Write));
    if let Err(faults) = &result {
        let single: Vec<&String> = faults.iter().filter_map(|fault| fault.list_outside_in()).collect();
        let open = params.declared.iter().filter(|param| matches!(param.role, Role::Open));
        let mut changed = false;
        for param in open.filter(|param| single.contains(&&param.name)) {
            changed |= kinds.insert(param.name.clone(), ParamKind::Scalar).is_some();
        }
        if changed {
            result = compile::compile(text, &kinds, dialect, access.unwrap_or(Access::Write));
        }
    }
    match result {
        Ok(compiled) => Some(Compiled { statement: compiled.statement.typed(types(params)), ..compiled }),
        Err(faults) => {
            for fault in faults {
                report(&fault, params, (written.earlier, &query_at), context);
            }
            None
        }
    }
}

/// What the schemas of the params say about their values.
fn types(params: &Params) -> BTreeMap<String, ParamType> {
    let properties = params.schema.get("properties");
    let declared = params.declared.iter().filter_map(|param| {
        let schema = properties?.get(&param.name)?;
        let kind = |schema: &Value| match (schema.get("type"), schema.get("format").and_then(Value::as_str)) {
            (_, Some("int64")) => Some(ParamType::Integer),
            (_, Some("decimal")) => Some(ParamType::Number),
            (_, Some("date-time")) => Some(ParamType::DateTime),
            (Some(kind), _) => match kind.as_str().or_else(|| kind.get(0)?.as_str())? {
                "integer" => Some(ParamType::Integer),
                "number" => Some(ParamType::Number),
                "boolean" => Some(ParamType::Boolean),
                "string" => Some(ParamType::Text),
                _ => None,
            },
            (None, _) => None,
        };
        let kind = match schema.get("items") {
            None => kind(schema)?,
            Some(items) => kind(items)?.list(),
        };
        Some((param.name.clone(), kind))
    });
    declared.collect()
}

fn kind_of(role: &Role) -> ParamKind {
    match role {
        Role::Scalar | Role::Object => ParamKind::Scalar,
        Role::List | Role::Open => ParamKind::List,
        Role::Like(Like::Contains) => ParamKind::Like(LikeKind::Contains),
        Role::Like(Like::Prefix) => ParamKind::Like(LikeKind::Prefix),
        Role::Like(Like::Suffix) => ParamKind::Like(LikeKind::Suffix),
        Role::Choice(options) => ParamKind::Choice(options.clone()),
    }
}

fn report(
    fault: &Fault,
    params: &Params,
    (earlier, query_at): (&[(String, Outcome)], &Pointer),
    context: &mut Context<'_>,
) {
    let at = match &fault.place {
        Place::Statement => query_at.clone(),
        Place::Choice { param, key } => match params.find(param) {
            Some(param) => param.pointer.at("choices").at(key),
            None => query_at.clone(),
        },
    };
    if matches!(&fault.kind, FaultKind::Undeclared { name } if params.is_known(name)) {
        return;
    }
    let span = context.part(&at, fault.range.clone());
    let (code, message, help) = words(&fault.kind);
    let diagnostic = Diagnostic::error(code, span, message);
    let diagnostic = match &fault.kind {
        FaultKind::Undeclared { name } => {
            let results = earlier.iter().filter(|(_, outcome)| *outcome != Outcome::NotYet);
            let known = params.names().chain(results.map(|(name, _)| name.as_str()));
            match crate::diag::closest(name, known) {
                Some(near) => diagnostic.guess(near, span, format!(":{near}")),
                None => diagnostic.help("declare it under `params`"),
            }
        }
        _ => diagnostic,
    };
    context.push(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    });
}

type Words = (Code, String, Option<&'static str>);

fn words(kind: &FaultKind) -> Words {
    match kind {
        FaultKind::Empty => (Code::SqlStatements, "there is no statement".into(), None),
        FaultKind::SecondStatement => {
            let help = "list them under `transaction`, or make the second one a tool of its own";
            (Code::SqlStatements, "one `query` is one statement".into(), Some(help))
        }
        FaultKind::Separator => (Code::SqlStatements, "`;` cannot stand here".into(), None),
        FaultKind::NoLeadingKeyword => {
            (Code::SqlStatements, "a statement begins with a keyword such as SELECT".into(), None)
        }
        FaultKind::Undeclared { name } => (Code::SqlPlaceholder, format!("no param is named `{name}`"), None),
        FaultKind::NativePlaceholder => (
            Code::SqlNativePlaceholder,
            "placeholders are written `:name`".into(),
            Some("name the param whose value stands here"),
        ),
        FaultKind::Template => (
            Code::SqlPlaceholder,
            "SQL text is never a template".into(),
            Some("bind the value with `:name`; pick SQL with a `choices` param"),
        ),
        FaultKind::Nul => (Code::SqlStatements, "SQL text cannot hold a NUL character".into(), None),
        FaultKind::UnclosedQuote => (Code::SqlStatements, "this quote is not closed".into(), None),
        FaultKind::UnclosedComment => (Code::SqlStatements, "this comment is not closed".into(), None),
        FaultKind::ExecutableComment => {
            (Code::SqlNotPermitted, "a comment that the engine runs all the same".into(), None)
        }
        FaultKind::UnbalancedParenthesis => {
            (Code::SqlStatements, "this parenthesis has no other half here".into(), None)
        }
        FaultKind::Forbidden { keyword } => (Code::SqlNotPermitted, format!("no tool may run {keyword}"), None),
        FaultKind::NeedsWrite { keyword } => (
            Code::SqlNotPermitted,
            format!("{keyword} needs `mode: write`"),
            Some("a tool reads unless it says `mode: write`"),
        ),
        fragment_or_param => misplaced(fragment_or_param),
    }
}

fn misplaced(kind: &FaultKind) -> Words {
    match kind {
        FaultKind::TightFragment => {
            (Code::SqlFragment, "`[[` needs white space after it to begin a fragment".into(), None)
        }
        FaultKind::NestedFragment => (Code::SqlFragment, "a fragment cannot stand in another".into(), None),
        FaultKind::FragmentInChoice => (Code::SqlFragment, "a choice cannot hold a fragment".into(), None),
        FaultKind::UnclosedFragment => (Code::SqlFragment, "`[[` without `]]`".into(), None),
        FaultKind::UnopenedFragment => (Code::SqlFragment, "`]]` without `[[`".into(), None),
        FaultKind::FragmentWithoutParam => (
            Code::SqlFragment,
            "no param decides whether this fragment is kept".into(),
            Some("put a `:param` into it, or leave the brackets out"),
        ),
        FaultKind::ListOutsideIn { name } => {
            (Code::SqlParamUse, format!("the list `{name}` can only stand alone in `IN (:{name})`"), None)
        }
        FaultKind::LikeOutsideLike { name } => (
            Code::SqlParamUse,
            format!("`{name}` has `like`, so it can only be the right side of LIKE"),
            Some("write `column LIKE :name`"),
        ),
        FaultKind::LikeWithEscape { name } => {
            (Code::SqlParamUse, format!("`{name}` has `like`: its ESCAPE clause is added"), Some("leave ESCAPE out"))
        }
        FaultKind::ChoiceInChoice { name } => {
            (Code::SqlChoice, format!("the choice `{name}` cannot stand in another choice"), None)
        }
        FaultKind::ResultWithoutColumn { name } => (
            Code::TransactionResult,
            format!("`{name}` is a statement, and not a value"),
            Some("name a column of its first row: `:name.column`"),
        ),
        FaultKind::ResultInFragment { name } => (
            Code::TransactionResult,
            format!("a value of `{name}` cannot stand in a fragment"),
            Some("fragments are decided before the first statement runs"),
        ),
        FaultKind::ResultNotYet { name } => (
            Code::TransactionResult,
            format!("`{name}` has not run before this statement"),
            Some("statements run in the order of the file"),
        ),
        FaultKind::ResultHasNoRows { name, has_id } => (
            Code::TransactionResult,
            format!("`{name}` has no rows"),
            Some(if *has_id {
                "add a RETURNING clause to it; without one it has `affected` and `last_insert_id`"
            } else {
                "add a RETURNING clause to it; without one it has `affected`"
            }),
        ),
        _ => (Code::SqlStatements, "this cannot stand here".into(), None),
    }
}

fn returns(
    written: Option<WrittenReturns>,
    access: Option<Access>,
    compiled: Option<&Compiled>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Returns {
    let has_rows =
        if access == Some(Access::Write) { compiled.map_or(Some(true), |it| it.has_rows) } else { Some(true) };
    match written {
        None if has_rows == Some(true) => Returns::Rows,
        None => Returns::Affected,
        Some(WrittenReturns::Affected) => {
            if access == Some(Access::Read) {
                context.fault(Code::SqlKey, at, "a statement that reads affects no rows");
            }
            Returns::Affected
        }
        Some(written) => {
            if has_rows == Some(false) {
                let span = context.value(at);
                let fault = Diagnostic::error(Code::SqlKey, span, "a write without RETURNING has no rows");
                context.push(fault.help("add a RETURNING clause, or say `returns: affected`"));
            }
            match written {
                WrittenReturns::Row => Returns::Row,
                WrittenReturns::Value => Returns::Value,
                WrittenReturns::Rows | WrittenReturns::Affected => Returns::Rows,
            }
        }
    }
}

fn expected(written: &ExpectRows) -> Option<ExpectedRows> {
    match written {
        ExpectRows::Exactly(rows) => Some(ExpectedRows::Exactly(*rows)),
        ExpectRows::AtMost(text) => text.strip_prefix("<=")?.trim().parse().ok().map(ExpectedRows::AtMost),
    }
}

fn columns(written: &IndexMap<String, WrittenColumn>) -> Vec<ColumnOverride> {
    let all = written.iter().map(|(name, column)| {
        let mut schema = Map::new();
        let mut put = |keyword: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema.insert(keyword.into(), value);
            }
        };
        let kind = column.kind.map(|kind| format!("{kind:?}").to_lowercase());
        put("type", kind.map(|kind| Value::from(vec![kind, "null".into()])));
        put("title", column.title.as_deref().map(Value::from));
        put("format", column.format.as_deref().map(Value::from));
        put("description", column.description.as_deref().map(Value::from));
        ColumnOverride { name: name.clone(), schema }
    });
    all.collect()
}

/// SQL is no template: `{{name}}` in a quoted text would stay as it is. Outside of quotes the lexer tells. `at` is
/// where `query` is a key.
fn refuse_templates(query: &str, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    let mut rest = 0;
    while let Some(start) = query.get(rest..).and_then(|text| text.find("{{")).map(|found| rest + found) {
        let Some(length) = query.get(start..).and_then(|text| text.find("}}")) else { return };
        let end = start + length + 2;
        rest = end;
        let name = query.get(start + 2..end - 2).unwrap_or_default().trim();
        let (before, after) = (query.get(..start).unwrap_or_default(), query.get(end..).unwrap_or_default());
        let quoted = before.matches('\'').count() % 2 == 1;
        if !quoted || !params.is_known(name) {
            continue;
        }
        let opens = before.strip_suffix('%').unwrap_or(before).strip_suffix('\'');
        let closes = after.strip_prefix('%').unwrap_or(after).strip_prefix('\'');
        let like = match (before.ends_with('%'), after.starts_with('%')) {
            (true, true) => Some("contains"),
            (false, true) => Some("prefix"),
            (true, false) => Some("suffix"),
            (false, false) => None,
        };
        let message = "SQL is no template: values are bound, and placeholders are written `:name`";
        let fault = |part| Diagnostic::error(Code::SqlNativePlaceholder, part, message);
        let (Some(opens), Some(closes)) = (opens, closes) else {
            let span = context.part(&at.at("query"), start..end);
            context.push(fault(span).help(format!("put `:{name}` beside the quoted text, joined by `||`")));
            continue;
        };
        let span = context.part(&at.at("query"), opens.len()..query.len() - closes.len());
        let fault = fault(span).propose(format!("write `:{name}`, without quotes"), span, format!(":{name}"));
        context.push(match like {
            Some(like) => {
                fault.help(format!("`like: {like}` at the param adds the `%`, and escapes those in the value"))
            }
            None => fault,
        });
    }
}

/// `tool` is the place of the tool, or of the step.
fn advise_on_unused(used: &BTreeSet<&str>, params: &Params, tool: &Pointer, context: &mut Context<'_>) {
    if let Some(place) = &params.place {
        // What one step has no use for may be for another.
        place.note(used);
        return;
    }
    if context.is_faulty(tool) {
        return;
    }
    for param in params.declared.iter().filter(|param| !used.contains(param.name.as_str())) {
        let message = format!("the param `{}` is used nowhere", param.name);
        let span = context.key(&param.pointer);
        context.push(Diagnostic::warning(Code::ParamUnused, span, message));
    }
}

/// `at` is where `query` is a key.
fn advise_on_text(compiled: &Compiled, params: &Params, at: &Pointer, context: &mut Context<'_>) {
    for param in &params.declared {
        let is_choice = matches!(param.role, Role::Choice(_));
        if is_choice && param.presence == Presence::Sometimes && compiled.unguarded.contains(&param.name) {
            let span = context.key(&param.pointer);
            let message = format!("`{}` may be left out, and the statement needs it", param.name);
            let fault = Diagnostic::error(Code::SqlChoice, span, message);
            context.push(fault.help("give it a `default`, or put it into a `[[ … ]]` fragment"));
        }
    }
    for (name, range) in &compiled.quoted {
        let span = context.part(&at.at("query"), range.clone());
        let message = format!("`:{name}` inside quotes is text, not the param");
        context.push(
            Diagnostic::warning(Code::SqlPlaceholder, span, message).help("leave the quotes out: values are bound"),
        );
    }
}
