//! Floor 7. A second import into a file that was imported before: what nobody has touched follows the
//! document, and what a person has written stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Drafted, Imported, Skipped,
    draft::{self, Draft},
    layout::{Block, Layout},
};
use crate::{
    diag::Diagnostics,
    yaml::{Pointer, Variables},
};

/// What has become of a tool, or of the rest of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Its operation is new in the document, or newly wanted.
    New,
    /// It follows the document.
    Updated,
    /// The document says something else by now, and a person has edited it: it is kept.
    Kept,
    /// Its operation is not in the document any more: it is removed.
    Removed,
    /// The same, but a person has edited it: it is kept.
    Orphan,
    /// A person has taken it out: it stays out.
    TakenOut,
}

/// What has become of the file.
#[derive(Debug)]
pub struct Merged {
    /// Its text.
    pub text: String,
    /// What has become of its tools, each by its name, or by its operation where it has none.
    pub fates: Vec<(Fate, String)>,
    /// Whether the document has another head by now, and the edited one is kept.
    pub head_is_kept: bool,
    /// What could not be taken in.
    pub skipped: Vec<Skipped>,
}

/// Brings a file up to date with a document. `variables` are what it is checked with.
///
/// # Errors
/// Why nothing can be written, without a full stop.
pub fn merge(
    existing: &str,
    (imported, made): (&Imported, &Draft),
    variables: &dyn Variables,
) -> Result<Merged, String> {
    let old = Layout::of(existing)?;
    if !old.is_imported() {
        return Err("it was not made by `mcp-bridge import`: name another file".into());
    }
    let fresh = Layout::of(&made.text)?;
    let before = draft::faults(existing, variables);
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let merged = Merging { old: &old, fresh: &fresh, imported, made, refused: &refused }.run();
        let faults = draft::faults(&merged.text, variables);
        let known = |message: &str| before.iter().any(|fault| fault.message == message);
        let changed: BTreeSet<&str> = merged.changed.iter().map(|(_, name)| name.as_str()).collect();
        let mut found = BTreeMap::new();
        for (owner, message) in owners(&merged.text, &faults) {
            match owner.filter(|owner| changed.contains(owner.as_str())) {
                Some(owner) => {
                    found.entry(owner).or_insert(message);
                }
                None if known(&message) => {}
                None => return Err(format!("with what you have changed the file would have a fault: {message}")),
            }
        }
        if found.is_empty() {
            return Ok(merged.into());
        }
        for (key, name) in merged.changed {
            if let Some(message) = found.get(&name) {
                refused.insert(key, message.clone());
            }
        }
    }
}

/// The tool that each fault stands in, and what the fault is.
fn owners(text: &str, faults: &Diagnostics) -> Vec<(Option<String>, String)> {
    let starts = draft::starts(text, &Pointer::root().at("tools"));
    let owner = |start: usize| starts.range(..=start).next_back().map(|(_, name)| name.clone());
    let errors = faults.iter().filter(|fault| fault.severity == crate::diag::Severity::Error);
    let told = errors.map(|fault| {
        let at = fault.primary.as_ref().map(|label| label.span.range().start);
        (at.and_then(owner), fault.message.clone())
    });
    told.collect()
}

struct Merging<'m> {
    old: &'m Layout,
    fresh: &'m Layout,
    imported: &'m Imported,
    made: &'m Draft,
    /// Operations whose new text has a fault in this file, and which.
    refused: &'m BTreeMap<String, String>,
}

/// A file in the making.
struct Tried {
    text: String,
    fates: Vec<(Fate, String)>,
    head_is_kept: bool,
    skipped: Vec<Skipped>,
    /// Operations whose tools have a new text, with their names.
    changed: Vec<(String, String)>,
}

impl From<Tried> for Merged {
    fn from(tried: Tried) -> Self {
        let Tried { text, fates, head_is_kept, skipped, .. } = tried;
        Self { text, fates, head_is_kept, skipped }
    }
}

impl Merging<'_> {
    fn run(&self) -> Tried {
        let mut laid = Layout { tools: Vec::new(), ..self.old.clone() };
        let head_differs = self.fresh.head_made != self.old.head_made;
        let head_is_kept = head_differs && !self.old.head_is_as_made();
        if head_differs && !head_is_kept {
            laid.head.clone_from(&self.fresh.head);
            laid.head_made.clone_from(&self.fresh.head_made);
        }
        let only = draft::sources(&laid.head) == 1;
        let mut tried =
            Tried { text: String::new(), fates: Vec::new(), head_is_kept, skipped: Vec::new(), changed: Vec::new() };
        let mut names: BTreeSet<String> = BTreeSet::new();
        for block in &self.old.tools {
            let next = block.key().and_then(|key| self.made.tools.iter().find(|tool| tool.key == key));
            if let Some(kept) = self.follow(block, next, only, &mut tried) {
                names.insert(kept.name.to_ascii_lowercase());
                laid.tools.push(kept);
            }
        }
        let there: BTreeSet<&str> = self.old.tools.iter().filter_map(Block::key).collect();
        for tool in self.made.tools.iter().filter(|tool| !there.contains(tool.key.as_str())) {
            if self.old.knows(&tool.key) {
                tried.fates.push((Fate::TakenOut, tool.key.clone()));
            } else if let Some(message) = self.refused.get(&tool.key) {
                tried.skipped.push(Skipped::new(&tool.key, &format!("in this file it has a fault: {message}")));
            } else {
                let block = Block { gap: String::new(), ..Block::of(&named(tool, &mut names), only) };
                part(&mut laid);
                tried.fates.push((Fate::New, block.name.clone()));
                tried.changed.push((tool.key.clone(), block.name.clone()));
                laid.tools.push(block);
            }
        }
        for tool in &self.made.tools {
            if !self.refused.contains_key(&tool.key) {
                laid.know(&tool.key);
            }
        }
        tried.text = laid.text();
        tried
    }

    /// What becomes of a tool that is in the file. `None` when it is removed.
    fn follow(&self, block: &Block, next: Option<&Drafted>, only: bool, tried: &mut Tried) -> Option<Block> {
        let kept = Some(block.clone());
        let Some((key, made)) = &block.made else { return kept };
        let Some(next) = next else {
            if self.imported.known.contains(key) {
                // Not wanted this time; that is no reason to take it away.
                return kept;
            }
            let fate = if block.is_as_made() { Fate::Removed } else { Fate::Orphan };
            tried.fates.push((fate, block.name.clone()));
            return if fate == Fate::Removed { None } else { kept };
        };
        let others = self.old.tools.iter().filter(|other| other.key() != Some(key));
        let mut names: BTreeSet<String> = others.map(|other| other.name.to_ascii_lowercase()).collect();
        let fresh = Block::of(&named(next, &mut names), only);
        let same = fresh.made.as_ref().is_some_and(|(_, fresh)| fresh == made);
        if same {
            return kept;
        }
        if !block.is_as_made() {
            tried.fates.push((Fate::Kept, block.name.clone()));
            return kept;
        }
        if let Some(message) = self.refused.get(key) {
            tried.skipped.push(Skipped::new(key, &format!("in this file its new text has a fault: {message}")));
            return kept;
        }
        tried.fates.push((Fate::Updated, fresh.name.clone()));
        tried.changed.push((key.clone(), fresh.name.clone()));
        Some(Block { comments: block.comments.clone(), gap: block.gap.clone(), ..fresh })
    }
}

/// The tool under a name that nobody in the file has.
fn named(tool: &Drafted, names: &mut BTreeSet<String>) -> Drafted {
    let mut name = tool.name.clone();
    let mut number = 2;
    while !names.insert(name.to_ascii_lowercase()) {
        let tail = format!("_{number}");
        let head: String = tool.name.chars().take(40 - tail.len()).collect();
        name = format!("{head}{tail}");
        number += 1;
    }
    Drafted { name, ..tool.clone() }
}

/// A blank line between the last tool and the next.
fn part(laid: &mut Layout) {
    if let Some(last) = laid.tools.last_mut()
        && !last.gap.ends_with('\n')
    {
        last.gap.push('\n');
    }
}
