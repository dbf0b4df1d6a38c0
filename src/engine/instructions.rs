//! Floor 6. Server instructions: the author's words, then what the files tell about the tools.
//!
//! Clients such as Poke hand them to the agent like a system prompt, so they are the most
//! important words a server sends. They are made from the files alone, never from an upstream,
//! and the same files always yield the same text.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::plan::{Bridge, BridgeId, Generated, Operation, Plan, Tool};

/// Bytes of the generated part at most; hosts cut the whole at 2 to 4 KiB (protocol.md §6).
pub const LIMIT: usize = 4 << 10;
/// A tool's line never gets shorter than this before tools are dropped.
const SHORTEST_LINE: usize = 24;
/// Resources, and prompts, that are named at most, and characters of what is said of each.
const OFFERS_MAX: usize = 10;
const OFFER_WIDTH: usize = 80;

/// The instructions of some bridges of a plan, as far as they are about tools that the caller sees.
#[must_use]
pub fn instructions(plan: &Plan, bridges: &[BridgeId], sees: &dyn Fn(&Tool) -> bool) -> String {
    let mut text = String::new();
    let known: Vec<(BridgeId, &Bridge)> = plan.bridges().filter(|(id, _)| bridges.contains(id)).collect();
    for (_, bridge) in &known {
        let guidance = bridge.guidance.trim();
        if !guidance.is_empty() {
            if known.len() > 1 {
                // Writing to a String cannot fail, here and below.
                let _ = writeln!(text, "# {}", bridge.title.as_deref().unwrap_or(&bridge.name));
            }
            text.push_str(guidance);
            text.push_str("\n\n");
        }
    }
    let generated: Vec<(BridgeId, &Bridge)> =
        known.into_iter().filter(|(_, bridge)| bridge.generated == Generated::Follows).collect();
    if !generated.is_empty() {
        text.push_str(&generated_part(plan, &generated, sees));
    }
    text.trim().to_owned()
}

fn generated_part(plan: &Plan, bridges: &[(BridgeId, &Bridge)], sees: &dyn Fn(&Tool) -> bool) -> String {
    let tools: Vec<&Tool> = bridges.iter().flat_map(|(id, _)| plan.tools_of(*id)).filter(|tool| sees(tool)).collect();
    let mut head = String::new();
    for (_, bridge) in bridges {
        if let Some(description) = &bridge.description {
            let _ = writeln!(head, "{}: {}", bridge.title.as_deref().unwrap_or(&bridge.name), sentence(description));
        }
    }
    let tail = format!("{}{}", offers(plan, bridges, sees), tail(&tools));
    let room = LIMIT.saturating_sub(head.len() + tail.len() + 64);
    let mut width = 200;
    loop {
        let list = listing(&tools, width);
        if list.len() <= room || width <= SHORTEST_LINE {
            let list = fitting(&list, room);
            let heading = if tools.is_empty() { "" } else { "\n## Tools\n" };
            return format!("{head}{heading}{list}{tail}");
        }
        width -= 8;
    }
}

/// The tools grouped by their first tag, one line each.
fn listing(tools: &[&Tool], width: usize) -> String {
    let mut text = String::new();
    let mut groups: Vec<&str> = Vec::new();
    for tool in tools {
        let group = tool.tags.first().map_or("", String::as_str);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for group in &groups {
        if groups.len() > 1 || !group.is_empty() {
            let _ = writeln!(text, "{}:", if group.is_empty() { "other" } else { group });
        }
        for tool in tools.iter().filter(|tool| tool.tags.first().map_or("", String::as_str) == *group) {
            let mark = match (tool.annotations.read_only, tool.annotations.destructive) {
                (true, _) => "",
                (false, false) => " (writes)",
                (false, true) => " (writes; may overwrite or delete)",
            };
            let words = shortened(&sentence(&tool.description), width);
            let _ = writeln!(text, "- `{}`{mark}: {words}", tool.name);
        }
    }
    text
}

/// Resources and prompts, one line each.
fn offers(plan: &Plan, bridges: &[(BridgeId, &Bridge)], sees: &dyn Fn(&Tool) -> bool) -> String {
    let is_seen = |tool: &Tool| bridges.iter().any(|(id, _)| *id == tool.bridge) && sees(tool);
    let resources = plan.resources.iter().filter(|it| is_seen(&it.tool));
    let resources = resources.map(|it| (it.uri.as_str(), it.tool.description.as_str()));
    let prompts = plan.prompts.iter().filter(|it| is_seen(&it.tool));
    let prompts = prompts.map(|it| (it.name.as_str(), it.tool.description.as_str()));
    let resources = offered("Resources", "resources", &resources.collect::<Vec<_>>());
    resources + &offered("Prompts", "prompts", &prompts.collect::<Vec<_>>())
}

fn offered(heading: &str, what: &str, all: &[(&str, &str)]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut list = String::new();
    for (name, description) in all.iter().take(OFFERS_MAX) {
        let words = shortened(&sentence(description), OFFER_WIDTH);
        let colon = if words.is_empty() { "" } else { ": " };
        let _ = writeln!(list, "- `{name}`{colon}{words}");
    }
    if let Some(left) = all.len().checked_sub(OFFERS_MAX).filter(|left| *left > 0) {
        let _ = writeln!(list, "- and {left} more: see the list of {what}");
    }
    format!("\n## {heading}\n{list}")
}

fn tail(tools: &[&Tool]) -> String {
    let mut text = String::new();
    let order: Vec<String> = order(tools);
    if !order.is_empty() {
        let _ = writeln!(text, "\n## Order\n{}", order.join("\n"));
    }
    let mut notes = Vec::new();
    let rows: BTreeSet<usize> = tools
        .iter()
        .filter_map(|tool| match &tool.operation {
            Operation::Sql(query) => Some(query.max_rows),
            Operation::Transaction(transaction) => transaction.named().map(|(_, _, query)| query.max_rows).max(),
            Operation::Rest(_) | Operation::Steps(_) | Operation::Reply(_) => None,
        })
        .collect();
    match (rows.first(), rows.last()) {
        (Some(least), Some(most)) if least == most => {
            notes.push(format!(
                "Results have at most {most} rows; `truncated: true` says that there are more: narrow the request."
            ));
        }
        (Some(_), Some(most)) => {
            notes.push(format!("Results have at most {most} rows, some tools fewer; `truncated: true` says that there are more: narrow the request."));
        }
        _ => {}
    }
    if tools.iter().any(|tool| !tool.annotations.read_only) {
        notes.push(
            "Tools marked as writing change data: call them once, and only when that is what was asked for.".into(),
        );
    }
    let asking: Vec<_> = tools.iter().filter(|it| it.confirm.is_some()).map(|it| format!("`{}`", it.name)).collect();
    if !asking.is_empty() {
        notes.push(format!(
            "The person must agree before {} does anything. A tool with the argument `confirm` leaves the asking to you: say what will happen, and pass `confirm: true` only when they say yes.",
            asking.join(" or ")
        ));
    }
    notes.push("A result marked as an error says what to change; do not repeat the same call unchanged.".into());
    let _ = writeln!(text, "\n## Good to know");
    for note in notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

/// A description that names another tool tells which one comes first.
fn order(tools: &[&Tool]) -> Vec<String> {
    let mut hints = Vec::new();
    for tool in tools {
        let params = tool.input_schema.get("properties").and_then(serde_json::Value::as_object);
        let words: Vec<&str> = params
            .into_iter()
            .flatten()
            .filter_map(|(_, schema)| schema.get("description").and_then(serde_json::Value::as_str))
            .collect();
        let named: BTreeSet<&str> = tools
            .iter()
            .filter(|other| other.name != tool.name)
            .map(|other| other.name.as_str())
            .filter(|name| words.iter().any(|text| names(text, name)))
            .collect();
        if !named.is_empty() {
            let list: Vec<_> = named.iter().map(|name| format!("`{name}`")).collect();
            hints.push(format!("- `{}` takes values from {}.", tool.name, list.join(" or ")));
        }
    }
    hints
}

fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let part = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|it| it.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// The first sentence, on one line.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.match_indices(". ").map(|(at, _)| at + 1).next();
    end.and_then(|end| line.get(..end)).unwrap_or(&line).to_owned()
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    let kept = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
    format!("{kept}…")
}

/// Whole lines, as many as there is room for.
fn fitting(list: &str, room: usize) -> String {
    if list.len() <= room {
        return list.to_owned();
    }
    let mut kept = String::new();
    let lines: Vec<&str> = list.lines().collect();
    for line in &lines {
        if kept.len() + line.len() + 40 > room {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    let left = lines.len().saturating_sub(kept.lines().count());
    let _ = writeln!(kept, "- and {left} more: see the list of tools");
    kept
}
