//! Floor 7. The parts of a bridge as the text of a file, checked as `check` would: a tool that it finds a
//! fault in is left out and told, so that nobody is handed a file that cannot be served.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Map, Value};

use super::{
    Drafted, Imported, Skipped,
    advised::{self, Silenced},
    layout::{Block, Layout, digest},
    write,
};
use crate::{
    check::{Checked, check},
    diag::Diagnostics,
    plan::Plan,
    secret::Vault,
    text::FileSet,
    yaml::{Pointer, Variables, key_at, parse, value_at},
};

/// Values of a file at most, less than what the reader of bridge files accepts.
const NODES_MAX: usize = 90_000;
/// How often a file is checked again after tools with faults were left out.
const ROUNDS: usize = 6;
/// How often it is checked again after advice was followed.
const ADVISED: usize = 4;

/// A file that was made.
#[derive(Debug)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// What would be served, with stand-ins for the variables.
    pub plan: Plan,
    /// The stand-ins.
    pub vault: Vault,
    /// The tools that are in it.
    pub tools: Vec<Drafted>,
    /// What was left out because of a fault.
    pub skipped: Vec<Skipped>,
    /// Advice that the file silences.
    pub silenced: Silenced,
}

/// Makes the file. `origin` is what the person named as the document; `variables` are what the file is
/// checked with.
///
/// # Errors
/// A sentence without a full stop, when nothing is left that could be served.
pub fn draft(imported: &Imported, origin: &str, variables: &dyn Variables) -> Result<Draft, String> {
    let mut skipped = Vec::new();
    let mut tools = within_bounds(imported, &mut skipped);
    let (mut head, mut silenced) = (imported.head.clone(), Silenced::new());
    for round in 0..ROUNDS + ADVISED {
        if tools.is_empty() {
            let why = skipped
                .first()
                .or_else(|| imported.skipped.first())
                .map_or(String::new(), |it: &Skipped| format!(": {}: {}", it.key, it.reason));
            return Err(format!("no tool can be made of it{why}"));
        }
        let text = layout(&head, &tools, origin).text();
        let checked = checked(&text, variables);
        let starts = starts(&text, &Pointer::root().at("tools"));
        let faults: Vec<_> = checked.diagnostics.iter().filter(|fault| !fault.code.is_advice()).collect();
        if faults.is_empty()
            && let Some((plan, vault)) = checked.plan
        {
            let advice: Vec<_> = checked.diagnostics.iter().collect();
            if round + 1 < ROUNDS + ADVISED && advised::follow(&advice, &starts, &mut tools, &mut silenced) {
                let codes = advised::of_file(&silenced);
                if !codes.is_empty() {
                    head.insert("allow".into(), codes.into());
                }
                continue;
            }
            return Ok(Draft { text, plan, vault, tools, skipped, silenced });
        }
        let mut out = BTreeMap::new();
        for fault in faults {
            let at = fault.primary.as_ref().map(|label| label.span.range().start);
            let Some((_, name)) = at.and_then(|at| starts.range(..=at).next_back()) else {
                return Err(format!("no bridge can be made of it: {}", fault.message));
            };
            out.entry(name.clone()).or_insert_with(|| fault.message.clone());
        }
        tools.retain(|tool| match out.get(&tool.name) {
            Some(message) => {
                skipped.push(Skipped::new(&tool.key, &format!("it cannot be expressed: {message}")));
                false
            }
            None => true,
        });
    }
    Err("no bridge can be made of it that has no faults".into())
}

/// What would be served of a file.
#[must_use]
pub fn served(text: &str, variables: &dyn Variables) -> Option<(Plan, Vault)> {
    checked(text, variables).plan
}

/// What `check` finds in a file.
pub(super) fn faults(text: &str, variables: &dyn Variables) -> Diagnostics {
    checked(text, variables).diagnostics
}

fn checked(text: &str, variables: &dyn Variables) -> Checked {
    let mut files = FileSet::new();
    files.add("bridge.yaml", text);
    check(&files, variables)
}

/// The members of a mapping of a file by where they begin: what stands behind one belongs to it.
pub(super) fn starts(text: &str, place: &Pointer) -> BTreeMap<usize, String> {
    let mut files = FileSet::new();
    let file = files.add("bridge.yaml", text);
    let Some(node) = parse(&files, file).0 else { return BTreeMap::new() };
    let Some(members) = value_at(&node, place) else { return BTreeMap::new() };
    let names = members.entries().iter().map(|entry| entry.key.value.clone());
    names.map(|name| (key_at(&node, &place.at(&name)).range().start, name)).collect()
}

/// How many sources the head of a file has.
pub(super) fn sources(head: &str) -> usize {
    starts(head, &Pointer::root().at("sources")).len()
}

/// As many tools as a file can hold.
fn within_bounds(imported: &Imported, skipped: &mut Vec<Skipped>) -> Vec<Drafted> {
    let mut nodes = 0;
    let mut kept = Vec::new();
    for tool in &imported.tools {
        nodes += tool.tool.values().map(|member| 1 + size(member)).sum::<usize>() + 2;
        if nodes > NODES_MAX {
            skipped.push(Skipped::new(&tool.key, &format!("the file is full: choose fewer by {}", imported.choosing)));
        } else {
            kept.push(tool.clone());
        }
    }
    kept
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        // A key is a value of the file as well.
        Value::Object(members) => 1 + members.values().map(|member| 1 + size(member)).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// The file in its parts.
fn layout(head: &Map<String, Value>, tools: &[Drafted], origin: &str) -> Layout {
    let operation = |tool: &'_ Drafted| tool.tool.get("rest").or_else(|| tool.tool.get("sql")).cloned();
    let used: BTreeSet<String> =
        tools.iter().filter_map(|tool| Some(operation(tool)?.get("source")?.as_str()?.to_owned())).collect();
    let mut members = head.clone();
    if let Some(sources) = members.get_mut("sources").and_then(Value::as_object_mut) {
        sources.retain(|name, _| used.contains(name));
    }
    let mut head = String::new();
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 && value.is_object() {
            head.push('\n');
        }
        head.push_str(&write::block(&Map::from_iter([(key.clone(), value.clone())]), 0));
    }
    head.push_str("\ntools:\n");
    let origin: String = origin.chars().filter(|char| !char.is_control()).take(200).collect();
    let top = format!(
        "# yaml-language-server: $schema=bridge.schema.json\n\
         # Made of {origin} by `mcp-bridge import`. Edit it: what you change is kept when it is imported again.\n"
    );
    let blocks = tools.iter().map(|tool| Block::of(tool, used.len() == 1)).collect();
    let mut layout = Layout { top, head_made: Some(digest(&head)), head, tools: blocks, ..Layout::default() };
    for tool in tools {
        layout.know(&tool.key);
    }
    layout
}

/// An environment in which every variable is set: the person's own may not be there yet.
#[derive(Debug)]
pub struct StandIns;

impl Variables for StandIns {
    fn variable(&self, name: &str) -> Option<String> {
        // Each has a value of its own: equal ones would be one credential that is sent to several hosts.
        Some(format!("a-stand-in-for-what-is-not-known-yet-{name}"))
    }

    fn file(&self, _: &Path, _: &str) -> Result<String, String> {
        Ok("a-stand-in-for-what-is-not-known-yet".into())
    }
}
