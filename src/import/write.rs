//! Floor 7. From a value to the YAML of a bridge file, as a person would lay it out: short mappings on
//! one line, long texts folded. Any text comes back as it was, also one that YAML or a `${…}` would
//! make something else of.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::yaml::Core;

/// Columns of a line, where words permit.
const WIDTH: usize = 118;
/// From which level mappings may stand on one line: the params of a tool, not the tool.
const FLOW_LEVEL: usize = 3;

/// Prints a mapping as the lines of a block, each indented by two blanks a level.
#[must_use]
pub fn block(members: &Map<String, Value>, level: usize) -> String {
    let mut out = String::new();
    for (key, value) in members {
        member(key, value, level, &mut out);
    }
    out
}

fn member(key: &str, value: &Value, level: usize, out: &mut String) {
    let indent = "  ".repeat(level);
    let key = text(key, Place::Flow);
    // Writing to a String cannot fail, here and below.
    let _ = write!(out, "{indent}{key}:");
    let room = WIDTH.saturating_sub(indent.len() + key.len() + 2);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let flow = (level >= FLOW_LEVEL || key == "annotations")
                .then(|| flow(value))
                .filter(|flow| flow.chars().count() <= room);
            if let Some(flow) = flow {
                let _ = writeln!(out, " {flow}");
            } else {
                out.push('\n');
                out.push_str(&block(members, level + 1));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let flow = flow(value);
            let scalars = items.iter().all(|item| !item.is_object() && !item.is_array());
            if flow.chars().count() <= room || !scalars {
                let _ = writeln!(out, " {flow}");
            } else {
                out.push('\n');
                for item in items {
                    let _ = writeln!(out, "{indent}  - {}", self::flow(item));
                }
            }
        }
        Value::String(value) => {
            let value = escaped(value);
            if stands(&value) {
                let _ = writeln!(out, " |-");
                for line in value.split('\n') {
                    let line = if line.is_empty() { String::new() } else { format!("{indent}  {line}") };
                    let _ = writeln!(out, "{line}");
                }
            } else if value.chars().count() > room && folds(&value) {
                let _ = writeln!(out, " >-");
                fold(&value, level + 1, out);
            } else {
                let _ = writeln!(out, " {}", text(&value, Place::Block));
            }
        }
        other => {
            let _ = writeln!(out, " {}", flow(other));
        }
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(value) => text(&escaped(value), Place::Flow),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".into(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{}: {}", text(key, Place::Flow), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// `$${` is how a literal `${` is written.
fn escaped(text: &str) -> String {
    // What this module's callers want replaced by the environment is marked, so that no document can.
    text.replace("${", "$${").replace(MARK, "${")
}

/// Begins a variable in a value that is to be printed: documents that hold it are refused.
pub(super) const MARK: &str = "\u{e000}{";

/// A reference to a variable of the environment, for a value that is to be printed.
#[must_use]
pub fn variable(name: &str) -> String {
    format!("{MARK}{name}}}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After a key, to the end of the line.
    Block,
    /// Between brackets or braces, or before a colon.
    Flow,
}

/// A text: as it stands where YAML reads it so, else in double quotes.
fn text(value: &str, place: Place) -> String {
    if is_plain(value, place) { value.to_owned() } else { quoted(value) }
}

fn is_plain(text: &str, place: Place) -> bool {
    let fine = |char: char| {
        char.is_alphanumeric()
            || " _-./()'+=~^;$".contains(char)
            || (place == Place::Block && "{}[],:*@".contains(char))
    };
    let starts =
        text.starts_with(|first: char| first.is_alphanumeric() || first == '_' || first == '/' || first == '$');
    starts
        && text.chars().all(fine)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && matches!(Core::of(text), Core::Text)
        && !["yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if is_visible(char) => out.push(char),
            _ => {
                let _ = match u32::from(char) {
                    code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push('"');
    out
}

/// What stands in a YAML file as it is (YAML 1.2 §5.1), less what an editor does not show.
fn is_visible(char: char) -> bool {
    let hidden =
        matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    let odd = matches!(char, '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}') || u32::from(char) > 0x1_ffff;
    !char.is_control() && !hidden && !odd
}

/// Whether a text of several lines can stand as it is, such as SQL.
fn stands(text: &str) -> bool {
    let mut lines = text.split('\n');
    text.contains('\n')
        && lines.clone().all(|line| !line.ends_with(' ') && line.chars().all(is_visible))
        && lines.next().is_some_and(|first| !first.is_empty() && !first.starts_with(' '))
        && lines.next_back().is_some_and(|last| !last.is_empty())
}

/// Whether folding leaves a text as it is: words with single blanks between them.
fn folds(text: &str) -> bool {
    text.split(' ').all(|word| !word.is_empty() && word.chars().count() < WIDTH) && text.chars().all(is_visible)
}

fn fold(text: &str, level: usize, out: &mut String) {
    let indent = "  ".repeat(level);
    let mut width = 0;
    for word in text.split(' ') {
        let long = word.chars().count();
        if width > 0 && indent.len() + width + 1 + long <= WIDTH {
            out.push(' ');
            width += 1;
        } else {
            if width > 0 {
                out.push('\n');
            }
            out.push_str(&indent);
            width = 0;
        }
        out.push_str(word);
        width += long;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        text::FileSet,
        yaml::{Kind, Node, Variables, interpolate, parse},
    };

    struct Nothing;

    impl Variables for Nothing {
        fn variable(&self, _: &str) -> Option<String> {
            None
        }

        fn file(&self, _: &std::path::Path, _: &str) -> Result<String, String> {
            Err("there are none".into())
        }
    }

    fn load(text: &str) -> Value {
        let mut files = FileSet::new();
        let file = files.add("x.yaml", text);
        let (node, diagnostics) = parse(&files, file);
        assert!(!diagnostics.has_errors(), "{text}\n{diagnostics:?}");
        let mut node = node.unwrap();
        let diagnostics = interpolate(&mut node, &files, &Nothing);
        assert!(!diagnostics.has_errors(), "{text}\n{diagnostics:?}");
        value(&node)
    }

    fn value(node: &Node) -> Value {
        match &node.kind {
            Kind::Scalar(scalar) => scalar.core().value(&scalar.text),
            Kind::List(items) => items.iter().map(value).collect(),
            Kind::Map(entries) => entries.iter().map(|it| (it.key.value.clone(), value(&it.value))).collect(),
            Kind::Faulty => panic!("a faulty scalar"),
        }
    }

    fn returns(value: &Value) {
        let text = block(value.as_object().unwrap(), 0);
        assert_eq!(&load(&text), value, "{text}");
    }

    #[test]
    fn a_tool_is_laid_out_as_a_person_would() {
        let long = "word ".repeat(30);
        let tool = json!({ "tools": { "get_pet": {
            "description": long.trim(),
            "tags": ["pet"],
            "params": { "petId": { "type": "integer", "description": "Which one: its number." } },
            "rest": { "get": "/pets/{petId}", "query": { "all": "{{all}}" } },
        }}});
        let expected = "\
tools:
  get_pet:
    description: >-
      word word word word word word word word word word word word word word word word word word word word word word
      word word word word word word word word
    tags: [pet]
    params:
      petId: { type: integer, description: \"Which one: its number.\" }
    rest:
      get: /pets/{petId}
      query: { all: \"{{all}}\" }
";
        assert_eq!(block(tool.as_object().unwrap(), 0), expected);
        returns(&tool);
    }

    #[test]
    fn texts_that_yaml_would_read_as_something_else_are_quoted() {
        for text in [
            "",
            "null",
            "yes",
            "Off",
            "12",
            "1e3",
            "0x1f",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\tb",
            " a",
            "a ",
            "{a}",
            "[a]",
            "a,b",
            "|",
            ">",
            "${A}",
            "$${A}",
            "${",
            "$",
            "a\u{85}b",
            "a\n  b\n\nc: #d",
            "a\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a \nb",
            "a\n\tb",
            "a\r\nb",
            "a\n---\nb\n...",
            "\u{feff}",
            "\u{2028}",
            "\u{1f600}",
            "~",
            "?",
            "---",
            "...",
            "a:",
            "://",
            "{{x}}",
            "\\",
            "\u{0}",
            "\u{e000}{X}",
        ] {
            if text.contains('\u{e000}') {
                continue;
            }
            returns(&json!({ "a": text, "b": [text], "c": { "d": { "e": { "f": text, "g": { "h": [text, 1] } } } } }));
            returns(&json!({ text: { text: [{ text: text }] } }));
        }
    }

    #[test]
    fn a_variable_is_one_and_a_text_like_it_is_not() {
        let value = json!({ "a": variable("TOKEN"), "b": "${TOKEN}" });
        assert_eq!(block(value.as_object().unwrap(), 0), "a: ${TOKEN}\nb: $${TOKEN}\n");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[a-z ]{0,200}", "[-:#{}$\\[\\],&*!|>'\"%@` a]{0,8}"];
        let text = text.prop_map(|text| text.replace('\u{e000}', ""));
        let leaf = prop_oneof![
            text.clone().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any_value()) {
            returns(&json!({ "root": value }));
        }
    }
}
