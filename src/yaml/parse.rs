//! Floor 2. Text to tree: duplicate keys, tags and runaway aliases are faults with a place.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, options};

use super::{Core, Entry, Kind, Node, Scalar, Style, secrets, syntax};
use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::{FileId, FileSet, Span, Spanned},
};

/// How many values a file may hold after its aliases were put in: a page of YAML can stand
/// for billions of them otherwise.
const NODES_MAX: usize = 100_000;
/// How deep values may lie in each other.
const DEPTH_MAX: usize = 64;

/// The key that older YAML puts the entries of another mapping in by.
const MERGE: &str = "<<";

/// Reads one file. An empty file is a mapping without keys. `None` after a syntax fault,
/// which is among the diagnostics then.
#[must_use]
pub fn parse(files: &FileSet, file: FileId) -> (Option<Node>, Diagnostics) {
    let text = files.text(file);
    let parser = Parser::new_from_str_with_options(
        text.strip_prefix('\u{feff}').unwrap_or(text),
        options! {
            emit_unresolved_aliases: true,
            emit_comments: false,
            flow_nesting_limit: 2 * DEPTH_MAX,
            block_nesting_limit: 2 * DEPTH_MAX,
        },
    );
    let skipped = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut builder = Builder { file, text, skipped, ..Builder::new(file) };
    for event in parser {
        let step = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => Err(Box::new(syntax::fault(&error, file, text, skipped))),
        };
        if let Err(fault) = step {
            builder.diagnostics.push(*fault);
            // Nobody knows any more which value belongs to which key.
            for span in secrets::likely(files, file) {
                builder.diagnostics.hide(span);
            }
            return (None, builder.diagnostics);
        }
    }
    let empty = Node { kind: Kind::Map(Vec::new()), span: Span::new(file, 0, 0) };
    let root = builder.root.take().unwrap_or(empty);
    (Some(root), builder.diagnostics)
}

/// A collection that is still open.
enum Open {
    List { items: Vec<Node>, at: Span, anchor: usize },
    Map { entries: Vec<Entry>, keys: HashMap<String, Span>, key: Option<Spanned<String>>, at: Span, anchor: usize },
}

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    /// Bytes of the byte order mark, which the parser is not shown.
    skipped: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    diagnostics: Diagnostics,
}

type Step = Result<(), Box<Diagnostic>>;

impl Builder<'_> {
    fn new(file: FileId) -> Self {
        Self {
            file,
            text: "",
            skipped: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            documents: 0,
            root: None,
            diagnostics: Diagnostics::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Step {
        let span = self.span(at);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let fault = Diagnostic::error(Code::SecondDocument, span, "a file holds one document");
                    return Err(Box::new(fault.help("put the second bridge into a file of its own")));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar { text: text.into_owned(), style: style_of(style), inserted: Vec::new() };
                if tag.is_some() {
                    self.refuse_tag(span, Some(&scalar));
                    return self.place(Node { kind: Kind::Faulty, span }, anchor);
                }
                self.place(Node { kind: Kind::Scalar(scalar), span }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(span, None);
                }
                self.open(Open::List { items: Vec::new(), at: span, anchor })
            }
            Event::MappingStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(span, None);
                }
                self.open(Open::Map { entries: Vec::new(), keys: HashMap::new(), key: None, at: span, anchor })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => {
                    self.count(size(&node), span)?;
                    self.place(node, 0)
                }
                None => Err(Box::new(Diagnostic::error(Code::UnknownAlias, span, "an alias inside of what it names"))),
            },
            Event::UnresolvedAlias(name) => {
                let message = format!("there is no anchor `&{name}` above");
                Err(Box::new(Diagnostic::error(Code::UnknownAlias, span, message)))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Step {
        let (Open::List { at, .. } | Open::Map { at, .. }) = &open;
        if self.open.len() >= DEPTH_MAX {
            let message = format!("values lie more than {DEPTH_MAX} deep in each other");
            return Err(Box::new(Diagnostic::error(Code::TooManyNodes, *at, message)));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, end: Span) -> Step {
        let (kind, at, anchor) = match self.open.pop() {
            Some(Open::List { items, at, anchor }) => (Kind::List(items), at, anchor),
            Some(Open::Map { entries, at, anchor, .. }) => (Kind::Map(entries), at, anchor),
            None => return Ok(()),
        };
        let children = match &kind {
            Kind::List(items) => items.first().zip(items.last()).map(|(first, last)| first.span.to(last.span)),
            Kind::Map(entries) => {
                entries.first().zip(entries.last()).map(|(first, last)| first.key.span.to(last.value.span))
            }
            Kind::Scalar(_) | Kind::Faulty => None,
        };
        // A flow collection is marked by its brackets, a block one by what is in it.
        let bracketed = at.end > at.start && end.end > end.start;
        let span = if bracketed { at.to(end) } else { children.unwrap_or(at) };
        let kind = match kind {
            Kind::Map(entries) => Kind::Map(merged(entries, self.text)),
            Kind::List(_) | Kind::Scalar(_) | Kind::Faulty => kind,
        };
        self.place(Node { kind, span }, anchor)
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, anchor: usize) -> Step {
        self.count(1, node.span)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => return self.key(node),
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Step {
        let scalar = match node.kind {
            Kind::Scalar(scalar) => scalar,
            Kind::Faulty => {
                let text = self.text.get(node.span.range()).unwrap_or("").to_owned();
                Scalar { text, style: Style::Quoted, inserted: Vec::new() }
            }
            Kind::List(_) | Kind::Map(_) => return Err(Box::new(syntax::key_not_text(node.span, self.text))),
        };
        if scalar.text == MERGE && scalar.style == Style::Plain {
            let fault = Diagnostic::error(Code::MergeKey, node.span, "YAML 1.2 has no merge keys");
            self.diagnostics.push(fault.help("use an alias for each value: `latitude: *latitude`"));
        }
        let name = Spanned { value: scalar.text, span: node.span };
        let Some(Open::Map { keys, key, .. }) = self.open.last_mut() else { return Ok(()) };
        let first = *keys.entry(name.value.clone()).or_insert(name.span);
        if first != name.span {
            let message = format!("the key `{}` stands here twice", name.value);
            let fault = Diagnostic::error(Code::DuplicateKey, name.span, message);
            self.diagnostics.push(fault.context(first, "first here"));
        }
        *key = Some(name);
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            let message = format!("the file stands for more than {NODES_MAX} values");
            let fault = Diagnostic::error(Code::TooManyNodes, span, message);
            return Err(Box::new(fault.help("use fewer aliases, or split the file")));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, value: Span, scalar: Option<&Scalar>) {
        let span = self.tag_before(value);
        let fault = Diagnostic::error(Code::Tag, span, "YAML tags have no meaning in a bridge file");
        let tag = self.text.get(span.range()).unwrap_or("");
        let raw = self.text.get(value.range()).unwrap_or("");
        let as_text = |scalar: &Scalar| scalar.style == Style::Plain && Core::of(&scalar.text) != Core::Text;
        self.diagnostics.push(match scalar {
            Some(scalar) if tag == "!!str" && as_text(scalar) => {
                fault.replace("put it in quotes", span.to(value), format!("\"{}\"", scalar.text))
            }
            Some(_) if tag.starts_with("!!") => fault.replace("leave the tag out", span.to(value), raw),
            Some(_) | None => fault.help("leave the `!` tag out"),
        });
    }

    /// The place of the tag of a value: before it, with at most an anchor between them.
    fn tag_before(&self, value: Span) -> Span {
        let mut before = self.text.get(..value.range().start).unwrap_or("").trim_end();
        for _ in 0..2 {
            let start = before.rfind(|it: char| it.is_whitespace() || "[{,".contains(it)).map_or(0, |at| at + 1);
            if before.get(start..).is_some_and(|word| word.starts_with('!')) {
                return Span::new(self.file, start, before.len());
            }
            before = before.get(..start).unwrap_or("").trim_end();
        }
        value
    }

    fn span(&self, at: &granit_parser::Span) -> Span {
        let range = at.byte_range().unwrap_or(0..0);
        let (start, end) = (range.start + self.skipped, range.end + self.skipped);
        // The parser counts the line break behind a block scalar as part of it.
        let kept = self.text.get(start..end).map_or(0, |raw| raw.trim_end_matches(['\n', '\r', ' ']).len());
        Span::new(self.file, start, start + kept)
    }
}

/// The entries with those of merge keys put in, as older YAML has it: the fault is told, and what
/// the author meant is checked like everything else.
fn merged(mut entries: Vec<Entry>, text: &str) -> Vec<Entry> {
    let merges: Vec<Entry> = entries.extract_if(.., |entry| text.get(entry.key.span.range()) == Some(MERGE)).collect();
    for merge in merges {
        let maps = match merge.value.kind {
            Kind::List(items) => items,
            Kind::Map(_) | Kind::Scalar(_) | Kind::Faulty => vec![merge.value],
        };
        for entry in maps.iter().flat_map(Node::entries) {
            if entries.iter().all(|known| known.key.value != entry.key.value) {
                entries.push(entry.clone());
            }
        }
    }
    entries
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) | Kind::Faulty => 1,
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> (FileSet, Option<Node>, Diagnostics) {
        let mut files = FileSet::new();
        let file = files.add("test.yaml", text);
        let (node, diagnostics) = parse(&files, file);
        (files, node, diagnostics)
    }

    #[test]
    fn every_value_knows_its_place() {
        let (files, node, _) = read("a: one\nb:\n  - 'two'\n  - {c: 3}\nd: |\n  x\n  yz\n");
        let node = node.unwrap();
        let at = |node: &Node| files.slice(node.span).to_owned();
        let b = &node.entry("b").unwrap().value;
        assert_eq!(at(&node.entry("a").unwrap().value), "one");
        let Kind::List(items) = &b.kind else { panic!("a list") };
        assert_eq!(items.iter().map(at).collect::<Vec<_>>(), ["'two'", "{c: 3}"]);
        let d = &node.entry("d").unwrap().value;
        let scalar = d.scalar().unwrap();
        assert_eq!(scalar.text, "x\nyz\n");
        let span = scalar.place(3..4, d.span, files.slice(d.span));
        assert_eq!(files.slice(span), "z");
    }

    #[test]
    fn faults_of_the_text_are_diagnostics() {
        for (text, code) in [
            ("a: 1\na: 2\n", Code::DuplicateKey),
            ("a: !x 1\n", Code::Tag),
            ("a: *b\n", Code::UnknownAlias),
            ("a: b: c\n", Code::Syntax),
            ("? [x]\n: 1\n", Code::KeyNotText),
            ("a: 1\n---\nb: 2\n", Code::SecondDocument),
            ("a: {{x}}\n", Code::KeyNotText),
        ] {
            let (_, _, diagnostics) = read(text);
            assert_eq!(diagnostics.iter().next().map(|it| it.code), Some(code), "{text}");
        }
    }

    #[test]
    fn a_billion_laughs_end_early() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let one = format!("*a{},", level - 1);
            let _ = writeln!(text, "a{level}: &a{level} [{}]", one.repeat(10));
        }
        let (_, node, diagnostics) = read(&text);
        assert!(node.is_none());
        assert_eq!(diagnostics.iter().next().map(|it| it.code), Some(Code::TooManyNodes));
        let (_, node, _) = read(&"[".repeat(100_000));
        assert!(node.is_none());
    }
}
