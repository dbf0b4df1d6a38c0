//! Floor 9. The words behind `call`: paths, the tool, and arguments by the tool's own schema.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

/// Bytes that are read from the standard input, at most.
const INPUT_MAX: u64 = 1 << 20;

/// What the words say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) paths: Vec<PathBuf>,
    pub(super) tool: String,
    pub(super) arguments: Vec<Argument>,
    /// Whether the arguments come from the standard input.
    pub(super) stdin: bool,
}

/// One argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    name: String,
    text: String,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `name=value`
    Plain,
    /// `name:=JSON`
    Json,
}

/// Tells paths, tool and arguments apart: an argument has a name and a `=`, and the tool is the
/// last word that is none.
pub(super) fn divide(words: &[String]) -> Result<Words, String> {
    let (mut plain, mut arguments, mut stdin) = (Vec::new(), Vec::new(), false);
    for word in words {
        match argument(word) {
            Some(argument) => arguments.push(argument),
            None if word == "-" => stdin = true,
            None if !arguments.is_empty() => {
                return Err(format!("`{word}` stands behind the arguments, and is none: write name=value"));
            }
            None => plain.push(word.clone()),
        }
    }
    let Some(tool) = plain.pop() else { return Err("the name of the tool is missing".into()) };
    if plain.is_empty() && Path::new(&tool).exists() {
        return Err(format!("`{tool}` is a path; the name of the tool is missing behind it"));
    }
    let paths = if plain.is_empty() { vec!["bridges".into()] } else { plain.into_iter().map(PathBuf::from).collect() };
    Ok(Words { paths, tool, arguments, stdin })
}

fn argument(word: &str) -> Option<Argument> {
    let (name, text) = word.split_once('=')?;
    let (name, form) = name.strip_suffix(':').map_or((name, Form::Plain), |name| (name, Form::Json));
    let names = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '$'));
    names.then(|| Argument { name: name.to_owned(), text: text.to_owned(), form })
}

/// What the standard input holds.
pub(super) fn read() -> Result<String, String> {
    let mut text = String::new();
    let read = std::io::stdin().take(INPUT_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| format!("the standard input cannot be read: {error}"))?;
    if text.len() as u64 > INPUT_MAX { Err("the standard input is larger than 1 MiB".into()) } else { Ok(text) }
}

/// One JSON object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the arguments are one JSON object".into()),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

/// Adds arguments. Text stays text, because whoever reads the arguments of a call makes numbers
/// and booleans of it where the schema wants them; lists take one item from every repetition.
pub(super) fn add(
    mut given: Map<String, Value>,
    arguments: &[Argument],
    schema: &Value,
) -> Result<Map<String, Value>, String> {
    for Argument { name, text, form } in arguments {
        let wants = |kind: &str| wants(schema, name, kind);
        let json = *form == Form::Json || (!wants("string") && is_nested(text) && (wants("array") || wants("object")));
        let value = if json {
            serde_json::from_str(text).map_err(|error| format!("`{name}` is not JSON: {error}"))?
        } else {
            Value::from(text.as_str())
        };
        let listed = !json && wants("array") && !wants("string");
        match given.get_mut(name) {
            Some(Value::Array(items)) if listed => items.push(value),
            Some(_) => return Err(format!("`{name}` is given twice")),
            None if listed => drop(given.insert(name.clone(), Value::Array(vec![value]))),
            None => drop(given.insert(name.clone(), value)),
        }
    }
    Ok(given)
}

fn is_nested(text: &str) -> bool {
    text.starts_with(['[', '{'])
}

/// Whether the schema lets an argument be of a kind.
fn wants(schema: &Value, name: &str, kind: &str) -> bool {
    match schema.get("properties").and_then(|all| all.get(name)).and_then(|it| it.get("type")) {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(all)) => all.iter().any(|one| one == kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(text: &str) -> Result<Words, String> {
        divide(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn paths_tool_and_arguments_are_told_apart() {
        let found = words("a.yaml b find_books text=a=b n:=5").unwrap();
        assert_eq!((found.paths, found.tool.as_str()), (vec!["a.yaml".into(), "b".into()], "find_books"));
        let argument = |name: &str, text: &str, form| Argument { name: name.into(), text: text.into(), form };
        assert_eq!(found.arguments, [argument("text", "a=b", Form::Plain), argument("n", "5", Form::Json)]);
        assert_eq!(words("find_books").unwrap().paths, [PathBuf::from("bridges")]);
        assert!(words("find_books -").unwrap().stdin);
        for (text, part) in
            [("text=a", "tool is missing"), ("src", "is a path"), ("find a=1 b", "behind the arguments")]
        {
            assert!(words(text).unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn arguments_follow_the_schema() {
        let schema = json!({ "type": "object", "properties": {
            "text": { "type": "string" }, "limit": { "type": "integer" },
            "ids": { "type": "array", "items": { "type": "integer" } },
            "filter": { "type": "object" }, "maybe": { "type": ["string", "null"] },
        } });
        for (given, expected) in [
            ("text=[1]", json!({ "text": "[1]" })),
            ("limit=5", json!({ "limit": "5" })),
            ("limit:=5", json!({ "limit": 5 })),
            ("ids=1 ids=2", json!({ "ids": ["1", "2"] })),
            ("ids=[1,2]", json!({ "ids": [1, 2] })),
            ("filter={\"a\":1}", json!({ "filter": { "a": 1 } })),
            ("maybe:=null", json!({ "maybe": null })),
            ("other=x", json!({ "other": "x" })),
        ] {
            let words = words(&format!("tool {given}")).unwrap();
            assert_eq!(Value::Object(add(Map::new(), &words.arguments, &schema).unwrap()), expected, "{given}");
        }
        for given in ["limit=1 limit=2", "filter={a", "text:=a"] {
            let words = words(&format!("tool {given}")).unwrap();
            assert!(add(Map::new(), &words.arguments, &schema).is_err(), "{given}");
        }
    }
}
