//! Floor 3. What editors offer over the JSON Schema of the format: defaults, examples and snippets. The check of a
//! file asks for none of them.

use schemars::{
    Schema,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value};

use super::json_schema;

/// Examples and snippets, by `Definition.key` or `Definition`.
const OFFERS: &str = include_str!("editor.json");

/// The name of the root, which is no definition.
const ROOT: &str = "File";

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A bridge, and settings of the server.
    Bridge,
    /// Settings of the server alone.
    Server,
}

/// The JSON Schema (2020-12) of a bridge file with all that an editor can offer.
#[must_use]
pub fn editor_schema(holds: Holds) -> Value {
    let mut schema = json_schema();
    let offers: Offers = serde_json::from_str(OFFERS).unwrap_or_default();
    for (name, definition) in schema.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Some(definition) = definition.as_object_mut() {
            offer(name, definition, &offers);
        }
    }
    if let Some(root) = schema.as_object_mut() {
        offer(ROOT, root, &offers);
        if holds == Holds::Server {
            restrict(root);
        }
    }
    let Ok(mut schema) = Schema::try_from(schema) else { return Value::Null };
    Spoken.transform(&mut schema);
    schema.to_value()
}

/// Says in the words of the language servers for JSON and YAML what the schema says: they format only what is called
/// Markdown, explain a value only where it stands in an `enum`, and have no words for a pattern.
#[derive(Clone)]
struct Spoken;

impl Transform for Spoken {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(words) = object.get("description").cloned() {
            object.insert("markdownDescription".into(), words);
        }
        if let Some(expected) = object.get("x-expected").and_then(Value::as_str) {
            let words = Value::from(format!("This must be {expected}."));
            object.insert("errorMessage".into(), words.clone());
            object.insert("patternErrorMessage".into(), words);
        }
        // What comes from the environment is held against the pattern when it is known.
        if let Some(pattern) = object.get("pattern").and_then(Value::as_str) {
            let pattern = format!(r"^\$\{{|{pattern}");
            object.insert("pattern".into(), pattern.into());
        }
        // Nobody writes an empty list to say nothing.
        if object.get("default").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            object.remove("default");
        }
        if let Some((values, words)) = object.get("oneOf").and_then(choice) {
            object.remove("oneOf");
            object.insert("type".into(), "string".into());
            object.insert("enum".into(), values.into());
            object.insert("enumDescriptions".into(), words.clone().into());
            object.insert("markdownEnumDescriptions".into(), words.into());
        }
    }
}

/// The words of which one is to be written, and what each means.
fn choice(options: &Value) -> Option<(Vec<Value>, Vec<Value>)> {
    let options = options.as_array()?;
    options.iter().map(|it| Some((it.get("const")?.clone(), it.get("description")?.clone()))).collect()
}

/// What stands in `editor.json`.
#[derive(Default, serde::Deserialize)]
struct Offers {
    examples: Map<String, Value>,
    snippets: Map<String, Value>,
}

fn offer(name: &str, definition: &mut Map<String, Value>, offers: &Offers) {
    if let Some(snippets) = offers.snippets.get(name) {
        definition.insert("defaultSnippets".into(), snippets.clone());
    }
    let properties = definition.get_mut("properties").and_then(Value::as_object_mut);
    for (key, property) in properties.into_iter().flatten() {
        let Some(property) = property.as_object_mut() else { continue };
        let path = format!("{name}.{key}");
        let told = property.get("description").and_then(Value::as_str).filter(|words| words.contains(DEFAULT));
        if let Some(words) = told.map(str::to_owned) {
            // An empty list that stands for "as described" is not what an editor should write.
            property.remove("default");
            if let Some(value) = default_of(&words, property) {
                property.insert("default".into(), value);
            }
        }
        if let Some(examples) = offers.examples.get(&path) {
            property.insert("examples".into(), examples.clone());
        }
        if let Some(snippets) = offers.snippets.get(&path) {
            property.insert("defaultSnippets".into(), snippets.clone());
        }
    }
}

/// How a description begins to say what a key is when it is left out.
const DEFAULT: &str = "Default: ";

/// The default that a description tells, where it is one value: ``Default: `20s`.`` or `Default: 5.`
fn default_of(words: &str, property: &Map<String, Value>) -> Option<Value> {
    let (_, told) = words.split_once(DEFAULT)?;
    let (value, after) = match told.strip_prefix('`') {
        Some(quoted) => quoted.split_once('`')?,
        None => told.split_at(told.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(told.len())),
    };
    let whole = after.starts_with('.') || after.starts_with(", at most") || after.starts_with(", by its content type");
    if !whole {
        return None;
    }
    let plain = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    match property.get("type").and_then(Value::as_str) {
        Some("array") => {
            let items = value.trim_start_matches('[').trim_end_matches(']').split(", ");
            Some(items.map(plain).collect())
        }
        Some("string") => told.starts_with('`').then(|| Value::from(value)),
        None => (told.starts_with('`') || value == "null").then(|| plain(value)),
        // Words such as "anybody" are no value.
        Some(_) => serde_json::from_str(value).ok(),
    }
}

/// Leaves the settings of the server, and what only they need.
fn restrict(root: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        properties.retain(|key, _| key == "server" || key == "allow");
    }
    root.remove("defaultSnippets");
    root.insert("title".into(), "mcp-bridge server file".into());
    root.insert("description".into(), "The settings of the server in a file of their own.".into());
    let mut wanted = Vec::new();
    references(root.get("properties").unwrap_or(&Value::Null), &mut wanted);
    let definitions = root.get("$defs").cloned().unwrap_or_default();
    let mut at = 0;
    while let Some(name) = wanted.get(at).cloned() {
        references(definitions.get(&name).unwrap_or(&Value::Null), &mut wanted);
        at += 1;
    }
    if let Some(Value::Object(definitions)) = root.get_mut("$defs") {
        definitions.retain(|name, _| wanted.contains(name));
    }
}

/// Adds the names of the definitions that a schema names.
fn references(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix("#/$defs/"));
            if let Some(name) = name.filter(|name| !names.iter().any(|it| it == name)) {
                names.push(name.to_owned());
            }
            members.values().for_each(|it| references(it, names));
        }
        Value::Array(items) => items.iter().for_each(|it| references(it, names)),
        _ => {}
    }
}
