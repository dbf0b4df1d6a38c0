//! Floor 7. The parts of a bridge as the text of a file, checked as `check` would: a tool that it finds a
//! fault in is left out and told, so that nobody is handed a file that cannot be served.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Drafted, Imported, Skipped, write};
use crate::{
    check::check,
    plan::Plan,
    secret::Vault,
    text::FileSet,
    yaml::{Pointer, Variables, key_at, parse},
};

/// Values of a file at most, less than what the reader of bridge files accepts.
const NODES_MAX: usize = 90_000;
/// How often a file is checked again after tools with faults were left out.
const ROUNDS: usize = 6;
/// What stands before a tool: which operation it was made of, and a digest of the text that was made.
const MARK: &str = "  # imported: ";

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
}

/// Makes the file. `origin` is what the person named as the document.
///
/// # Errors
/// A sentence without a full stop, when nothing is left that could be served.
pub fn draft(imported: &Imported, origin: &str) -> Result<Draft, String> {
    let mut skipped = Vec::new();
    let mut tools = within_bounds(&imported.tools, &mut skipped);
    for _ in 0..ROUNDS {
        if tools.is_empty() {
            let why = skipped.first().map_or(String::new(), |it: &Skipped| format!(": {}: {}", it.key, it.reason));
            return Err(format!("none of the operations can be a tool{why}"));
        }
        let text = text(imported, &tools, origin);
        let mut files = FileSet::new();
        let file = files.add("bridge.yaml", text.as_str());
        let checked = check(&files, &StandIns);
        let told: Vec<_> = checked.diagnostics.iter().collect();
        if told.is_empty()
            && let Some((plan, vault)) = checked.plan
        {
            return Ok(Draft { text, plan, vault, tools, skipped });
        }
        let Some(node) = parse(&files, file).0 else {
            return Err(format!("the file that was made cannot be read: {}", words(&told)));
        };
        // Which tool a fault stands in tells where it begins in the file.
        let at = |name: &str| key_at(&node, &Pointer::root().at("tools").at(name)).range().start;
        let starts: BTreeMap<usize, &Drafted> = tools.iter().map(|tool| (at(&tool.name), tool)).collect();
        let mut out = BTreeMap::new();
        for fault in &told {
            let owner = fault.primary.as_ref().and_then(|label| starts.range(..=label.span.range().start).next_back());
            let Some((_, tool)) = owner else {
                return Err(format!("no bridge can be made of the document: {}", fault.message));
            };
            out.entry(tool.name.clone()).or_insert_with(|| fault.message.clone());
        }
        tools.retain(|tool| match out.get(&tool.name) {
            Some(message) => {
                skipped.push(Skipped::new(&tool.key, &format!("it cannot be expressed: {message}")));
                false
            }
            None => true,
        });
    }
    Err("no bridge can be made of the document that has no faults".into())
}

fn words(told: &[&crate::diag::Diagnostic]) -> String {
    told.first().map_or_else(String::new, |fault| fault.message.clone())
}

/// As many tools as a file can hold.
fn within_bounds(tools: &[Drafted], skipped: &mut Vec<Skipped>) -> Vec<Drafted> {
    let mut nodes = 0;
    let mut kept = Vec::new();
    for tool in tools {
        nodes += size(&Value::Object(tool.tool.clone()));
        if nodes > NODES_MAX {
            skipped.push(Skipped::new(&tool.key, "the file is full: choose fewer by --tag, --path or --operation"));
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

/// The text of the file.
fn text(imported: &Imported, tools: &[Drafted], origin: &str) -> String {
    let used: BTreeSet<&str> = tools.iter().filter_map(|tool| tool.tool.get("rest")?.get("source")?.as_str()).collect();
    let mut head = imported.head.clone();
    if let Some(sources) = head.get_mut("sources").and_then(Value::as_object_mut) {
        sources.retain(|name, _| used.contains(name.as_str()));
    }
    let origin: String = origin.chars().filter(|char| !char.is_control()).take(200).collect();
    let mut text = format!(
        "# yaml-language-server: $schema=../schemas/bridge.schema.json\n\
         # Made of {origin} by `mcp-bridge import openapi`. Edit it: what you change is yours.\n"
    );
    for (at, (key, value)) in head.iter().enumerate() {
        if at > 0 && value.is_object() {
            text.push('\n');
        }
        text.push_str(&write::block(&Map::from_iter([(key.clone(), value.clone())]), 0));
    }
    text.push_str("\ntools:\n");
    for (at, tool) in tools.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let block = block(tool, used.len() == 1);
        // Writing to a String cannot fail.
        let _ = write!(text, "{MARK}{} {}\n{block}", tool.key, digest(&block));
    }
    text
}

/// The lines of a tool. With one source in the file, none is named.
fn block(tool: &Drafted, only: bool) -> String {
    let mut members = tool.tool.clone();
    if only && let Some(rest) = members.get_mut("rest").and_then(Value::as_object_mut) {
        rest.shift_remove("source");
    }
    write::block(&Map::from_iter([(tool.name.clone(), json!(members))]), 1)
}

/// The first 48 bits of the SHA-256 of a text, without blanks at its end: enough to tell that it was changed.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.trim_end().as_bytes());
    digest.iter().take(6).fold(String::new(), |mut all, byte| {
        // Writing to a String cannot fail.
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// An environment in which every variable is set: the person's own may not be there yet.
struct StandIns;

impl Variables for StandIns {
    fn variable(&self, _: &str) -> Option<String> {
        Some("a-stand-in-for-what-is-not-known-yet".into())
    }

    fn file(&self, _: &Path, _: &str) -> Result<String, String> {
        Err("there are no files".into())
    }
}
