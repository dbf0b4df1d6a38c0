//! Floor 2. YAML and JSON that was not written for this program, such as API documents: read into a
//! plain value, tolerant of what a bridge file may not have, and bounded like everything else.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, options};
use serde_json::{Map, Value};

use super::Core;

/// How many values a document may hold after its aliases were put in.
const NODES_MAX: usize = 4_000_000;
/// How deep values may lie in each other.
const DEPTH_MAX: usize = 120;

/// Reads a document: as JSON where it begins like JSON, else as YAML. Tags are passed over, of two
/// equal keys the last counts, merge keys are followed, and keys are text whatever they look like.
///
/// # Errors
/// A sentence without a full stop, with the line where one is known.
pub fn read_foreign(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            // A flow mapping is YAML as well; what neither can read is told in the words for JSON.
            Err(error) => return read_yaml(text).map_err(|_| format!("it is not JSON: {error}")),
        }
    }
    read_yaml(text)
}

fn read_yaml(text: &str) -> Result<Value, String> {
    let parser = Parser::new_from_str_with_options(
        text,
        options! {
            emit_unresolved_aliases: true,
            emit_comments: false,
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        },
    );
    let mut builder = Builder::default();
    for event in parser {
        let (event, span) = event.map_err(|error| format!("it is not YAML: {error}"))?;
        builder.event(event).map_err(|fault| format!("line {}: {fault}", span.start.line()))?;
        if builder.documents > 1 {
            return Err("it holds several YAML documents".into());
        }
    }
    builder.root.ok_or_else(|| "it is empty".into())
}

enum Open {
    List(Vec<Value>, usize),
    Map { members: Map<String, Value>, key: Option<String>, merged: Vec<Value>, anchor: usize },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    /// How many values were placed; an anchored value knows how many it stands for.
    nodes: usize,
    starts: Vec<usize>,
    documents: usize,
    root: Option<Value>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => self.documents += 1,
            Event::Scalar(text, style, anchor, _) => {
                let value = match style {
                    ScalarStyle::Plain if !self.wants_key() => Core::of(&text).value(&text),
                    _ => Value::String(text.into_owned()),
                };
                return self.place(value, (anchor, 1));
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Open::List(Vec::new(), anchor))?,
            Event::MappingStart(_, anchor, _) => {
                self.begin(Open::Map { members: Map::new(), key: None, merged: Vec::new(), anchor })?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(),
            Event::Alias(id) => {
                let known = self.anchors.get(&id).cloned();
                let (value, size) = known.ok_or("an alias inside of what it names")?;
                return self.place(value, (0, size));
            }
            Event::UnresolvedAlias(name) => return Err(format!("there is no anchor `&{name}` above")),
            _ => {}
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn begin(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("values lie more than {DEPTH_MAX} deep in each other"));
        }
        if self.wants_key() {
            return Err("a key that is no text".into());
        }
        self.open.push(open);
        self.starts.push(self.nodes);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let start = self.starts.pop().unwrap_or_default();
        let size = self.nodes.saturating_sub(start) + 1;
        match self.open.pop() {
            Some(Open::List(items, anchor)) => self.place_counted(Value::Array(items), (anchor, size)),
            Some(Open::Map { mut members, merged, anchor, .. }) => {
                for other in merged {
                    let others = match other {
                        Value::Array(items) => items,
                        one => vec![one],
                    };
                    for (name, value) in others.into_iter().filter_map(into_members).flatten() {
                        members.entry(name).or_insert(value);
                    }
                }
                self.place_counted(Value::Object(members), (anchor, size))
            }
            None => Ok(()),
        }
    }

    fn place(&mut self, value: Value, (anchor, size): (usize, usize)) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(size);
        self.put(value, (anchor, size))
    }

    /// Places a collection, whose items were counted when they came.
    fn place_counted(&mut self, value: Value, (anchor, size): (usize, usize)) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(1);
        self.put(value, (anchor, size))
    }

    fn put(&mut self, value: Value, (anchor, size): (usize, usize)) -> Result<(), String> {
        if self.nodes > NODES_MAX {
            return Err(format!("the document stands for more than {NODES_MAX} values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(items, _)) => items.push(value),
            Some(Open::Map { members, key, merged, .. }) => match key.take() {
                None => {
                    *key = Some(match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    });
                }
                Some(name) if name == "<<" => merged.push(value),
                Some(name) => {
                    members.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

fn into_members(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::read_foreign;

    #[test]
    fn what_people_write_is_read() {
        for (text, value) in [
            ("{\"a\": 1}", json!({ "a": 1 })),
            ("\u{feff}{a: 1}", json!({ "a": 1 })),
            ("200: ok\ndefault: no\n", json!({ "200": "ok", "default": "no" })),
            ("a: 1\na: 2\n", json!({ "a": 2 })),
            ("a: !!str 1\nb: 2026-01-02\n", json!({ "a": 1, "b": "2026-01-02" })),
            ("x: &x {b: 1, c: 2}\ny: {<<: *x, c: 3}\n", json!({ "x": {"b": 1, "c": 2}, "y": {"c": 3, "b": 1} })),
            ("a: &a [1]\nb: *a\n", json!({ "a": [1], "b": [1] })),
        ] {
            assert_eq!(read_foreign(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let one = format!("*a{},", level - 1);
            let _ = writeln!(laughs, "a{level}: &a{level} [{}]", one.repeat(10));
        }
        for (text, words) in [
            (laughs.as_str(), "stands for more than"),
            ("", "it is empty"),
            ("a: *b\n", "no anchor `&b`"),
            ("a: 1\n---\nb: 1\n", "several YAML documents"),
            ("{\"a\": }x", "it is not JSON"),
            ("a: b: c\n", "it is not YAML"),
            ("? [x]\n: 1\n", "a key that is no text"),
            (&"[".repeat(100_000), "it is not YAML"),
        ] {
            let fault = read_foreign(text).unwrap_err();
            assert!(fault.contains(words), "{fault}");
        }
    }
}
