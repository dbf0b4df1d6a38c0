//! Floor 4. Advice about bridges that can be served as they are: what models and hosts make of the tools
//! (protocol.md §6). Each can be silenced with `allow`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Document, context::Context};
use crate::{
    diag::{Code, Diagnostic},
    plan::{
        BridgeId, Extent, Operation, Plan, Query, Tool,
        rest::Request,
        sql::{Access, Returns},
    },
    template::Tree,
    yaml::Pointer,
};

/// Characters of a description at most: hosts cut at 2 KiB, and every one is paid for with every question.
const DESCRIPTION_MAX: usize = 1000;
/// Bytes of the author's instructions at most: hosts cut there.
const INSTRUCTIONS_MAX: usize = 2048;
/// Tools of one bridge at most: some hosts leave out what is above it.
const TOOLS_MAX: usize = 40;
/// Tools that are compared with each other at most.
const COMPARED_MAX: usize = 400;
/// Words that say nothing about what a tool is for.
const EMPTY: [&str; 40] = [
    "a",
    "an",
    "and",
    "any",
    "api",
    "are",
    "be",
    "by",
    "call",
    "can",
    "data",
    "do",
    "does",
    "endpoint",
    "fetch",
    "for",
    "from",
    "function",
    "get",
    "give",
    "in",
    "information",
    "is",
    "it",
    "its",
    "list",
    "method",
    "of",
    "on",
    "or",
    "query",
    "result",
    "return",
    "run",
    "show",
    "that",
    "the",
    "this",
    "to",
    "tool",
];

/// Advises on one bridge.
pub(super) fn give(plan: &Plan, (id, document): (BridgeId, &Document), context: &mut Context<'_>) {
    let prefix = document.file.prefix.as_deref().unwrap_or_default();
    let root = Pointer::root();
    let tools: Vec<(Pointer, &Tool)> = plan
        .tools_of(id)
        .filter_map(|tool| Some((root.at("tools").at(tool.name.strip_prefix(prefix)?), tool)))
        .filter(|(at, _)| context.has(at))
        .collect();
    for (at, tool) in &tools {
        on_description(tool, at, context);
        on_bounds(tool, document, at, context);
    }
    on_twins(&tools, context);
    if tools.len() > TOOLS_MAX {
        let message = format!("the bridge has {} tools; some hosts drop what is above {TOOLS_MAX}", tools.len());
        let advice = Diagnostic::warning(Code::ManyTools, context.key(&root.at("tools")), message);
        context.push(advice.help("divide them over several files: each has an endpoint of its own"));
    }
    on_instructions(plan, id, &root.at("instructions"), context);
}

fn on_description(tool: &Tool, at: &Pointer, context: &mut Context<'_>) {
    let text = tool.description.trim();
    let at = at.at("description");
    if text.is_empty() || !context.has(&at) {
        return;
    }
    let known: BTreeSet<String> =
        words(&tool.name).chain(tool.title.iter().flat_map(|title| words(title))).map(|word| stem(&word)).collect();
    let says = telling(text).any(|word| !known.contains(&word));
    if !says {
        let advice = Diagnostic::warning(
            Code::VagueDescription,
            context.value(&at),
            format!("the description says no more than the name `{}`", tool.name),
        );
        context.push(advice.help("say what comes back and when to use it: a model chooses by these words"));
    }
    let length = text.chars().count();
    if length > DESCRIPTION_MAX {
        let message = format!("the description has {length} characters; hosts cut, and every one is paid for");
        let advice = Diagnostic::warning(Code::LongDescription, context.value(&at), message);
        let help = "keep to what decides between this tool and others; what holds for all belongs in `instructions`";
        context.push(advice.help(help));
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of a text that say something.
fn telling(text: &str) -> impl Iterator<Item = String> + '_ {
    words(text).filter_map(|word| {
        let stem = stem(&word);
        (!EMPTY.contains(&word.as_str()) && !EMPTY.contains(&stem.as_str())).then_some(stem)
    })
}

/// A word without the ending that most often differs.
fn stem(word: &str) -> String {
    word.strip_suffix('s').filter(|rest| rest.len() > 2).unwrap_or(word).to_owned()
}

fn on_twins(tools: &[(Pointer, &Tool)], context: &mut Context<'_>) {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let known: Vec<(BTreeSet<String>, String)> = tools
        .iter()
        .take(COMPARED_MAX)
        .map(|(_, tool)| (telling(&tool.description).collect(), plain(&tool.name)))
        .collect();
    for (at, ((pointer, tool), (said, name))) in tools.iter().zip(&known).enumerate() {
        let twin =
            tools.iter().zip(&known).take(at).find(|(_, (other, known))| known == name || are_alike(said, other));
        let Some(((first, other), _)) = twin else { continue };
        let there = context.key(first);
        let message = format!("a model cannot tell `{}` and `{}` apart", other.name, tool.name);
        let advice = Diagnostic::warning(Code::AlikeTools, context.key(pointer), message);
        let help = "say in each description what only this tool does, and when the other is the better choice";
        context.push(advice.context(there, "the other").help(help));
    }
}

/// Whether nine words of ten are the same.
fn are_alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let (both, any) = (one.intersection(other).count(), one.union(other).count());
    one.len() > 2 && both * 10 >= any * 9
}

/// A result that grows with the data fills what a model can take in.
fn on_bounds(tool: &Tool, document: &Document, at: &Pointer, context: &mut Context<'_>) {
    let limits = ["max_items", "max_bytes"];
    if limits.iter().any(|key| context.has(&at.at("output").at(key))) {
        return;
    }
    let (span, message, help) = match &tool.operation {
        Operation::Sql(query) if is_open(query) && !has_row_limit(document, plan_name(at), context) => (
            context.value(&at.at("sql").at("query")),
            format!("the statement gives all rows that there are, of which {} are kept", query.max_rows),
            "bound it: `LIMIT :limit`, or say how many rows are of use with `max_rows`",
        ),
        Operation::Rest(request) if is_list(tool) && !is_bounded(request, tool) => (
            context.value(&at.at("output").at("select")),
            "the list is as long as the API makes it".to_owned(),
            "bound it: ask the API for so many, or say `max_items`",
        ),
        _ => return,
    };
    context.push(Diagnostic::warning(Code::Unbounded, span, message).help(help));
}

/// The name of the tool at a pointer.
fn plan_name(at: &Pointer) -> &str {
    at.steps().last().map_or("", String::as_str)
}

fn is_open(query: &Query) -> bool {
    query.access == Access::Read && query.returns == Returns::Rows && query.extent == Extent::Whole
}

/// Whether the author has said how many rows there are at most, at the tool or at its source.
fn has_row_limit(document: &Document, tool: &str, context: &Context<'_>) -> bool {
    let root = Pointer::root();
    if context.has(&root.at("tools").at(tool).at("sql").at("max_rows")) {
        return true;
    }
    let named = document.file.tools.get(tool).and_then(|tool| tool.sql.as_ref()?.source.as_deref());
    let mut sources = document.file.sources.keys().filter(|name| named.is_none_or(|named| named == name.as_str()));
    sources.any(|name| context.has(&root.at("sources").at(name).at("sql").at("max_rows")))
}

/// Whether the result is a list out of an answer.
fn is_list(tool: &Tool) -> bool {
    tool.output.select.as_ref().is_some_and(|select| !select.is_singular())
}

/// Whether the request asks for a number of something, or turns pages, which have a bound.
fn is_bounded(request: &Request, tool: &Tool) -> bool {
    let is_number = |tree: &Tree| match tree {
        Tree::Literal(value) => value.is_number(),
        Tree::Exact(variable) => variable.path.first().is_some_and(|name| {
            let kind = tool.input_schema.get("properties").and_then(|all| all.get(name)?.get("type"));
            kind.and_then(Value::as_str) == Some("integer")
        }),
        Tree::Text(_) | Tree::List(_) | Tree::Map(_) => false,
    };
    request.care.paginate.is_some() || request.query.iter().any(|parameter| is_number(&parameter.value))
}

fn on_instructions(plan: &Plan, id: BridgeId, at: &Pointer, context: &mut Context<'_>) {
    let Some((_, bridge)) = plan.bridges().find(|(known, _)| *known == id) else { return };
    let length = bridge.guidance.trim().len();
    if length > INSTRUCTIONS_MAX {
        let message = format!("the instructions have {length} bytes; some hosts cut at {INSTRUCTIONS_MAX}");
        let advice = Diagnostic::warning(Code::LongInstructions, context.key(at), message);
        context.push(advice.help("begin with what matters most, and move what is about one tool into its description"));
    }
}
