//! Files made from the code are committed, and proved fresh. `UPDATE=1` writes them anew.

use std::{fmt::Write as _, fs, path::Path};

use mcp_bridge::{
    bridge::{Holds, editor_schema, json_schema},
    cli::diagnostics_page,
};
use serde_json::{Value, json};

/// Holds a committed file against its text.
pub(crate) fn fresh(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    #[expect(clippy::disallowed_methods, reason = "whether files are to be written is asked of the environment")]
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    if update {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
        fs::write(&path, text).expect("files can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} is stale: run UPDATE=1 cargo test generated", path.display());
}

#[test]
fn the_schemas_are_fresh() {
    for (path, holds) in [("schemas/bridge.schema.json", Holds::Bridge), ("schemas/server.schema.json", Holds::Server)]
    {
        let text = serde_json::to_string_pretty(&editor_schema(holds)).expect("a value");
        fresh(path, &format!("{text}\n"));
    }
}

#[test]
fn the_reference_is_fresh() {
    fresh("docs/bridge-reference.md", &reference(&json_schema()));
}

#[test]
fn the_page_of_diagnostics_is_fresh() {
    fresh("docs/diagnostics.md", &diagnostics_page());
}

/// Every schema in a schema, with its place: in `$defs`, in members, in items, in alternatives.
fn walked<'s>(place: &str, schema: &'s Value, all: &mut Vec<(String, &'s Value)>) {
    all.push((place.to_owned(), schema));
    for group in ["$defs", "properties"] {
        for (name, inner) in schema[group].as_object().into_iter().flatten() {
            walked(&format!("{place}/{group}/{name}"), inner, all);
        }
    }
    for group in ["anyOf", "oneOf"] {
        for (at, inner) in schema[group].as_array().into_iter().flatten().enumerate() {
            walked(&format!("{place}/{group}/{at}"), inner, all);
        }
    }
    for group in ["items", "additionalProperties"] {
        if schema[group].is_object() {
            walked(&format!("{place}/{group}"), &schema[group], all);
        }
    }
}

fn everywhere(schema: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    walked("#", schema, &mut all);
    all
}

#[test]
fn every_key_word_and_definition_is_described() {
    let schema = json_schema();
    let all = everywhere(&schema);
    assert!(all.len() > 800, "only {} places were looked at", all.len());
    let named = |place: &str| {
        let mut parts = place.rsplit('/');
        let (_, group) = (parts.next(), parts.next());
        matches!(group, Some("$defs" | "properties"))
    };
    let silent = |(place, it): &&(String, &Value)| {
        let must = named(place) || place == "#" || it.get("const").is_some() || it.get("$ref").is_some();
        must && words(it, &schema).trim().is_empty()
    };
    let missing: Vec<_> = all.iter().filter(silent).map(|(place, _)| place).collect();
    assert!(missing.is_empty(), "without a description: {missing:#?}");
}

/// Of a key that takes a text, a number or a list, an editor can show what it may look like.
#[test]
fn every_key_that_takes_a_value_shows_one() {
    let schema = editor_schema(Holds::Bridge);
    let mut missing = Vec::new();
    for (name, definition) in definitions(&schema) {
        for (key, property) in properties(definition) {
            let named = target(property, &schema).map_or(property, |(_, it)| it);
            let offers = ["default", "examples", "defaultSnippets"].iter().any(|word| !property[*word].is_null());
            let amount = property["x-expected"].as_str().is_some_and(|words| words.contains("such as"));
            let told = named["properties"].is_object() || named["enum"].is_array() || named["anyOf"].is_array();
            let fixed = ["boolean", "object"].iter().any(|kind| named["type"] == *kind);
            if !(offers || amount || told || fixed) {
                missing.push(format!("{name}.{key}"));
            }
        }
    }
    assert!(missing.is_empty(), "without a default, an example or a snippet: {missing:#?}");
}

/// What `src/bridge/editor.json` says stands at keys that there are, and examples are values that are accepted.
#[test]
fn what_editors_offer_belongs_to_keys_and_is_accepted() {
    let offers: Value = serde_json::from_str(include_str!("../src/bridge/editor.json")).expect("JSON");
    let (plain, schema) = (json_schema(), editor_schema(Holds::Bridge));
    let find = |path: &str| {
        let (name, key) = path.split_once('.').unwrap_or((path, ""));
        let definition = if name == "File" { &plain } else { &plain["$defs"][name] };
        if key.is_empty() { definition.clone() } else { definition["properties"][key].clone() }
    };
    for path in ["examples", "snippets"].iter().flat_map(|group| offers[*group].as_object().expect("a mapping").keys())
    {
        assert!(find(path).is_object(), "there is no key {path}");
    }
    for snippet in
        offers["snippets"].as_object().into_iter().flat_map(|all| all.values()).filter_map(Value::as_array).flatten()
    {
        let told = ["label", "description", "body"].iter().all(|word| !snippet[*word].is_null());
        assert!(told, "a snippet has a name, an explanation and a text: {snippet}");
    }
    let (mut accepts, mut shown) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, definition) in definitions(&schema) {
        for (key, property) in properties(definition) {
            let path = format!("{name}.{key}");
            let values = property["examples"].as_array().into_iter().flatten().chain(property.get("default"));
            shown.insert(path.clone(), values.cloned().collect());
            accepts.insert(path.clone(), json!({ "items": find(&path) }));
        }
    }
    let looked_at: usize = shown.values().filter_map(Value::as_array).map(Vec::len).sum();
    let whole = json!({ "properties": accepts, "$defs": plain["$defs"] });
    let whole = jsonschema::draft202012::new(&whole).expect("a schema");
    let shown = Value::Object(shown);
    let refused: Vec<_> = whole.iter_errors(&shown).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(refused.is_empty(), "not accepted: {refused:#?}");
    assert!(looked_at > 250, "only {looked_at} values were looked at");
}

fn definitions(schema: &Value) -> Vec<(String, &Value)> {
    let mut all = vec![("File".to_owned(), schema)];
    all.extend(schema["$defs"].as_object().into_iter().flatten().map(|(name, it)| (name.clone(), it)));
    all
}

fn properties(definition: &Value) -> Vec<(&String, &Value)> {
    definition["properties"].as_object().into_iter().flatten().collect()
}

fn target<'a>(property: &'a Value, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
    let name = property["$ref"].as_str()?.strip_prefix("#/$defs/")?;
    Some((name, &schema["$defs"][name]))
}

fn words(property: &Value, schema: &Value) -> String {
    let own = property["description"].as_str();
    let named = target(property, schema).and_then(|(_, it)| it["description"].as_str());
    own.or(named).unwrap_or_default().replace('\n', " ")
}

fn kind(property: &Value, schema: &Value) -> String {
    if let Some((name, definition)) = target(property, schema) {
        let plain = definition["properties"].is_null() && definition["anyOf"].is_null();
        return if plain { kind(definition, schema) } else { format!("[{name}](#{})", name.to_lowercase()) };
    }
    if let Some(expected) = property["x-expected"].as_str() {
        return expected.replace('|', "\\|");
    }
    if let Some(options) = property["oneOf"].as_array().filter(|all| all.iter().any(|it| it["const"].is_string())) {
        let shown = |it: &Value| {
            let later = if it["x-not-yet"] == true { " (not yet)" } else { "" };
            format!("`{}`{later}", it["const"].as_str().unwrap_or_default())
        };
        return options.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    if let Some(options) = property["anyOf"].as_array() {
        return options.iter().map(|it| kind(it, schema)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(inner) = property.get("additionalProperties").filter(|it| it.is_object()) {
        return format!("mapping of {}", kind(inner, schema));
    }
    if let Some(inner) = property.get("items") {
        return format!("list of {}", kind(inner, schema));
    }
    match &property["type"] {
        Value::String(kind) => match kind.as_str() {
            "object" => "mapping".into(),
            "array" => "list".into(),
            "string" => "text".into(),
            other => other.to_owned(),
        },
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any value".into(),
    }
}

fn reference(schema: &Value) -> String {
    let mut text = String::from(
        "# Bridge reference\n\nMade from the types in `src/bridge`; `UPDATE=1 cargo test generated` writes it anew.\n\
         Keys marked *not yet* are part of the format and refused by this version.\n",
    );
    for (name, definition) in definitions(schema) {
        let rows = properties(definition);
        let description = definition["description"].as_str().unwrap_or_default();
        if rows.is_empty() && definition["anyOf"].is_null() {
            continue;
        }
        let _ = write!(text, "\n## {name}\n\n{description}\n");
        if rows.is_empty() {
            let _ = write!(text, "\n{}\n", kind(definition, schema));
            continue;
        }
        let required: Vec<&str> =
            definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let _ = write!(text, "\n| key | value | meaning |\n|---|---|---|\n");
        for (key, property) in rows {
            let later = if property["x-not-yet"] == true { " *not yet*" } else { "" };
            let needed = if required.contains(&key.as_str()) { " (required)" } else { "" };
            let words = words(property, schema).replace('|', "\\|");
            let _ = writeln!(text, "| `{key}`{needed}{later} | {} | {words} |", kind(property, schema));
        }
    }
    text
}
