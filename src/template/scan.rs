//! Floor 2. Finds the tags of a template source before the Handlebars parser sees it: every fault
//! of form gets its place and plain words, and what the format forbids never reaches the engine.

use std::ops::Range;

use super::TemplateError;
use super::helpers::BLOCKS;
use crate::diag::closest;

/// How deep blocks, parentheses and literals may nest; the parser behind is recursive.
const MAX_DEPTH: usize = 16;

/// How many tags one source may have.
const MAX_TAGS: usize = 2_000;

/// One `{{…}}` of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) kind: Kind,
    /// The bytes from the first brace to the last.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Comment,
    Expression,
    Open,
    Else,
    /// `{{else if …}}`: closes one branch and opens a block inside the alternative.
    ElseBlock,
    Close,
}

/// All tags in order of the source.
pub(super) fn scan(source: &str) -> Result<Vec<Tag>, TemplateError> {
    let mut scanner = Scanner { source, tags: Vec::new(), open: Vec::new() };
    let mut at = 0;
    while let Some(start) = next_tag(source, at) {
        at = scanner.tag(start)?;
        if scanner.tags.len() > MAX_TAGS {
            return Err(TemplateError::new(start..at, format!("a template has at most {MAX_TAGS} tags")));
        }
    }
    match scanner.open.pop() {
        None => Ok(scanner.tags),
        Some(block) => Err(TemplateError::new(
            block.range,
            format!("`{{{{#{0}}}}}` is never closed: add `{{{{/{0}}}}}`", block.name),
        )),
    }
}

/// Where the next tag starts. `\{{` is literal text; after `\\` a tag is a tag.
fn next_tag(source: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let found = at + source.get(at..)?.find("{{")?;
        let before = source.get(from.max(at)..found)?;
        let slashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if slashes != 1 {
            return Some(found);
        }
        let literal = source.get(found..).is_some_and(|rest| rest.starts_with("{{{{"));
        at = found + if literal { 4 } else { 2 };
    }
}

struct Block<'s> {
    name: &'s str,
    range: Range<usize>,
    /// Alternatives so far; each nests one level deeper in the parsed tree.
    chained: usize,
    ended: bool,
}

struct Scanner<'s> {
    source: &'s str,
    tags: Vec<Tag>,
    open: Vec<Block<'s>>,
}

impl<'s> Scanner<'s> {
    /// Reads the tag at `start`; the answer is where it ends.
    fn tag(&mut self, start: usize) -> Result<usize, TemplateError> {
        let rest = self.source.get(start..).unwrap_or_default();
        if let Some(length) = comment(rest) {
            let range = start..start + length;
            self.tags.push(Tag { kind: Kind::Comment, range: range.clone() });
            return Ok(range.end);
        }
        let Some(length) = tag_length(rest) else {
            let end = start + rest.find('\n').unwrap_or(rest.len());
            return Err(TemplateError::new(
                start..end,
                "this `{{` has no matching `}}`; write `\\{{` for two literal braces",
            ));
        };
        let range = start..start + length;
        let inside = self.source.get(start + 2..range.end - 2).unwrap_or_default();
        let body = inside.trim_matches(|c: char| c == '~' || c.is_whitespace());
        refuse_forbidden(rest, body, &range)?;
        if nesting(body) > MAX_DEPTH {
            return Err(TemplateError::new(range, format!("parentheses and lists nest more than {MAX_DEPTH} deep")));
        }
        let kind = self.classify(body, &range)?;
        self.tags.push(Tag { kind, range: range.clone() });
        Ok(range.end)
    }

    fn classify(&mut self, body: &'s str, range: &Range<usize>) -> Result<Kind, TemplateError> {
        if let Some(opened) = body.strip_prefix('#') {
            self.open(opened.trim_start(), range)?;
            return Ok(Kind::Open);
        }
        if let Some(name) = body.strip_prefix('/') {
            self.close(name.trim(), range)?;
            return Ok(Kind::Close);
        }
        let Some(alternative) = alternative(body) else {
            return Ok(Kind::Expression);
        };
        let Some(block) = self.open.last_mut() else {
            return Err(TemplateError::new(range.clone(), "`{{else}}` stands outside of any block"));
        };
        if block.ended {
            return Err(TemplateError::new(
                range.clone(),
                format!("`{{{{#{}}}}}` already has its `{{{{else}}}}`", block.name),
            ));
        }
        if alternative.is_empty() {
            block.ended = true;
            return Ok(Kind::Else);
        }
        block.chained += 1;
        if block.chained > MAX_DEPTH {
            return Err(TemplateError::new(range.clone(), format!("a block has at most {MAX_DEPTH} alternatives")));
        }
        block_name(alternative, range)?;
        Ok(Kind::ElseBlock)
    }

    fn open(&mut self, body: &'s str, range: &Range<usize>) -> Result<(), TemplateError> {
        let name = block_name(body, range)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(TemplateError::new(range.clone(), format!("blocks nest more than {MAX_DEPTH} deep")));
        }
        self.open.push(Block { name, range: range.clone(), chained: 0, ended: false });
        Ok(())
    }

    fn close(&mut self, name: &str, range: &Range<usize>) -> Result<(), TemplateError> {
        let message = match self.open.pop() {
            Some(block) if block.name == name => return Ok(()),
            Some(block) => {
                format!("`{{{{/{name}}}}}` closes nothing here: the open block is `{{{{#{}}}}}`", block.name)
            }
            None => format!("`{{{{/{name}}}}}` closes a block that was never opened"),
        };
        Err(TemplateError::new(range.clone(), message))
    }
}

/// The length of a comment, which may hold anything but its own end.
fn comment(rest: &str) -> Option<usize> {
    rest.strip_prefix("{{!")?;
    let long = rest.starts_with("{{!--").then(|| rest.get(5..)?.find("--}}")).flatten();
    match long {
        Some(end) => Some(5 + end + 4),
        None => rest.find("}}").map(|end| end + 2),
    }
}

/// The length of a tag whose closing braces are not inside a string, list or object.
fn tag_length(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut quote = None;
    let mut depth = 0_usize;
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(mark), _) if mark == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{' | b'[') => depth += 1,
            (None, b']') => depth = depth.saturating_sub(1),
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            (Some(_) | None, _) => {}
        }
        at += 1;
    }
    None
}

fn refuse_forbidden(rest: &str, body: &str, range: &Range<usize>) -> Result<(), TemplateError> {
    let message = if rest.starts_with("{{{{") {
        "raw blocks do not exist here; write `\\{{` for two literal braces"
    } else if body.starts_with('{') || body.starts_with('&') {
        "every value is escaped as its place needs it: write `{{name}}`, with two braces and no `&`"
    } else if body.starts_with('>') || body.starts_with("#>") {
        "templates have no partials: write the text here"
    } else if body.starts_with('*') || body.starts_with("#*") {
        "templates have no decorators"
    } else if body.is_empty() {
        "there is no name between the braces"
    } else {
        return Ok(());
    };
    Err(TemplateError::new(range.clone(), message))
}

/// What follows `else` or `^`; `None` when the tag is no alternative.
fn alternative(body: &str) -> Option<&str> {
    if let Some(rest) = body.strip_prefix('^') {
        return Some(rest.trim_start());
    }
    let rest = body.strip_prefix("else")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
}

fn block_name<'b>(body: &'b str, range: &Range<usize>) -> Result<&'b str, TemplateError> {
    let end = body.find(|c: char| c.is_whitespace() || c == '(' || c == '~');
    let name = body.get(..end.unwrap_or(body.len())).unwrap_or_default();
    if BLOCKS.contains(&name) {
        return Ok(name);
    }
    let hint = match closest(name, BLOCKS.iter().copied()) {
        Some(meant) => format!("did you mean `#{meant}`?"),
        None => format!("use `{{{{#if {name}}}}}` or `{{{{#each {name}}}}}`"),
    };
    Err(TemplateError::new(range.clone(), format!("there is no block `#{name}`; {hint}")))
}

/// The deepest nesting of brackets of any kind, strings left out.
fn nesting(body: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut quote = None;
    let mut escaped = false;
    for byte in body.bytes() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(mark), _) if mark == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (Some(_) | None, _) => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
