//! Floor 7. How an imported file is laid out, and what its marks say: comments by which a second import
//! tells what was made from what a person has written since.
//!
//! `# imported: head DIGEST` stands above everything but the tools, `# imported: METHOD /path DIGEST` above a
//! tool, and `# imported: known …` at the end lists every operation that was ever made a tool, so that one
//! that was taken out by hand stays out. A text that still has its digest is as it was made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Drafted, write};
use crate::{
    text::FileSet,
    yaml::{Node, parse},
};

const MARK: &str = "# imported: ";
const HEAD: &str = "head";
const KNOWN: &str = "known";
/// Digests of operations in one line.
const PER_LINE: usize = 12;

/// A file in parts that can be replaced one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// What stands above the mark of the head: comments.
    pub(super) top: String,
    /// What stands above the tools, with the line `tools:`.
    pub(super) head: String,
    /// The digest of the head when it was made.
    pub(super) head_made: Option<String>,
    pub(super) tools: Vec<Block>,
    /// What stands below the tools.
    pub(super) below: String,
    /// Digests of the operations that were made tools.
    pub(super) known: BTreeSet<String>,
}

/// A tool with its lines.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) name: String,
    /// The operation it was made of, and the digest of what was made.
    pub(super) made: Option<(String, String)>,
    /// Comments above it, without the mark.
    pub(super) comments: String,
    pub(super) body: String,
    /// What stands between it and the next.
    pub(super) gap: String,
}

impl Block {
    /// A tool as it is made. With one source in the file, none is named.
    pub(super) fn of(tool: &Drafted, only: bool) -> Self {
        let mut members = tool.tool.clone();
        for operation in ["rest", "sql"] {
            if only && let Some(operation) = members.get_mut(operation).and_then(Value::as_object_mut) {
                operation.shift_remove("source");
            }
        }
        let body = write::block(&Map::from_iter([(tool.name.clone(), json!(members))]), 1);
        let made = Some((tool.key.clone(), digest(&body)));
        Self { name: tool.name.clone(), made, comments: String::new(), body, gap: "\n".into() }
    }

    /// Whether nobody has changed it since it was made.
    pub(super) fn is_as_made(&self) -> bool {
        self.made.as_ref().is_some_and(|(_, made)| *made == digest(&self.body))
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.made.as_ref().map(|(key, _)| key.as_str())
    }
}

impl Layout {
    /// Whether nobody has changed the head since it was made.
    pub(super) fn head_is_as_made(&self) -> bool {
        self.head_made.as_ref().is_some_and(|made| *made == digest(&self.head))
    }

    /// Whether any mark is there.
    pub(super) fn is_imported(&self) -> bool {
        self.head_made.is_some() || self.tools.iter().any(|tool| tool.made.is_some())
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.contains(&short(key))
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let mut text = self.top.clone();
        // Writing to a String cannot fail, here and below.
        if let Some(made) = &self.head_made {
            let _ = writeln!(text, "{MARK}{HEAD} {made}");
        }
        text.push_str(&self.head);
        for tool in &self.tools {
            if let Some((key, made)) = &tool.made {
                let _ = writeln!(text, "  {MARK}{key} {made}");
            }
            text.push_str(&tool.comments);
            text.push_str(&tool.body);
            text.push_str(&tool.gap);
        }
        text.push_str(&self.below);
        let mut text = text.trim_end().to_owned();
        text.push('\n');
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        if !known.is_empty() {
            text.push('\n');
        }
        for line in known.chunks(PER_LINE) {
            let _ = writeln!(text, "{MARK}{KNOWN} {}", line.join(" "));
        }
        text
    }

    /// The parts of a file.
    ///
    /// # Errors
    /// Why it cannot be taken apart, without a full stop.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let mut files = FileSet::new();
        let file = files.add("bridge.yaml", text);
        let (node, diagnostics) = parse(&files, file);
        let node = node.filter(|_| !diagnostics.has_errors());
        let node = node.ok_or("it has faults, which `mcp-bridge check` shows: mend them first")?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut laid = Self::default();
        let spans = spans(&node, &lines)?;
        let first = spans.first().map_or(lines.len(), |span| span.lead);
        laid.take_head(lines.get(..first).unwrap_or_default());
        for (at, span) in spans.iter().enumerate() {
            let next = spans.get(at + 1).map_or(span.end, |next| next.lead);
            let part = |from: usize, to: usize| lines.get(from..to).unwrap_or_default().concat();
            let lead = lines.get(span.lead..span.key).unwrap_or_default();
            let (marks, comments): (Vec<&str>, Vec<&str>) = lead.iter().partition(|line| is_mark(line));
            let made = marks.last().and_then(|line| said(line)).and_then(|said| said.rsplit_once(' '));
            laid.tools.push(Block {
                name: span.name.clone(),
                made: made.map(|(key, made)| (key.to_owned(), made.to_owned())),
                comments: comments.concat(),
                body: part(span.key, span.end),
                gap: part(span.end, next),
            });
        }
        let end = spans.last().map_or(lines.len(), |span| span.end);
        for line in lines.get(end..).unwrap_or_default() {
            match said(line).and_then(|said| said.strip_prefix(KNOWN)) {
                Some(all) => laid.known.extend(all.split_whitespace().map(str::to_owned)),
                None => laid.below.push_str(line),
            }
        }
        Ok(laid)
    }

    fn take_head(&mut self, lines: &[&str]) {
        let is_head = |line: &&str| said(line).is_some_and(|said| said.starts_with(HEAD));
        let mark = lines.iter().position(is_head);
        let (top, head) = lines.split_at(mark.map_or(0, |at| at + 1));
        self.head_made = mark.and_then(|at| said(lines.get(at)?)?.rsplit_once(' ')).map(|(_, made)| made.to_owned());
        self.top = top.iter().take(mark.unwrap_or(0)).copied().collect();
        self.head = head.concat();
    }

    /// Remembers that an operation was made a tool.
    pub(super) fn know(&mut self, key: &str) {
        self.known.insert(short(key));
    }
}

/// The lines of a tool: where its comments begin, where its name stands, and where it has ended.
struct Lines {
    name: String,
    lead: usize,
    key: usize,
    end: usize,
}

fn spans(node: &Node, lines: &[&str]) -> Result<Vec<Lines>, String> {
    let mut starts = BTreeMap::new();
    let mut offset = 0;
    for (number, line) in lines.iter().enumerate() {
        starts.insert(offset, number);
        offset += line.len();
    }
    let line_of = |offset: usize| starts.range(..=offset).next_back().map_or(0, |(_, number)| *number);
    let tools = node.entry("tools").ok_or("it has no `tools`")?;
    let mut free = line_of(tools.key.span.range().start) + 1;
    let mut all = Vec::new();
    for entry in tools.value.entries() {
        let key = line_of(entry.key.span.range().start);
        let last = entry.value.span.range().end.max(entry.key.span.range().end);
        let end = line_of(last.saturating_sub(1)) + 1;
        if key < free {
            return Err("its tools do not stand on lines of their own".into());
        }
        let above = (free..key).rev().take_while(|at| lines.get(*at).is_some_and(|line| line.trim().starts_with('#')));
        let lead = above.last().unwrap_or(key);
        all.push(Lines { name: entry.key.value.clone(), lead, key, end });
        free = end;
    }
    Ok(all)
}

fn is_mark(line: &str) -> bool {
    said(line).is_some()
}

/// What a mark says.
fn said(line: &str) -> Option<&str> {
    line.trim().strip_prefix(MARK)
}

/// The first 48 bits of the SHA-256 of a text, without blanks at its end: enough to tell that it was changed.
pub(super) fn digest(text: &str) -> String {
    digits(text.trim_end(), 6)
}

/// An operation in a list of them.
fn short(key: &str) -> String {
    digits(key, 4)
}

/// The first bytes of a text's SHA-256.
fn digits(text: &str, bytes: usize) -> String {
    hex::encode(Sha256::digest(text.as_bytes()).get(..bytes).unwrap_or_default())
}
