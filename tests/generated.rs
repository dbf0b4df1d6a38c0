//! Files made from the code are committed, and proved fresh. `UPDATE=1` writes them anew.

use std::{fmt::Write as _, fs, path::Path};

use mcp_bridge::{bridge::json_schema, cli::diagnostics_page};
use serde_json::Value;

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
fn the_schema_is_fresh() {
    let text = serde_json::to_string_pretty(&json_schema()).expect("a value");
    fresh("schemas/bridge.schema.json", &format!("{text}\n"));
}

#[test]
fn the_reference_is_fresh() {
    fresh("docs/bridge-reference.md", &reference(&json_schema()));
}

#[test]
fn the_page_of_diagnostics_is_fresh() {
    fresh("docs/diagnostics.md", &diagnostics_page());
}

#[test]
fn every_key_is_described() {
    let schema = json_schema();
    let mut missing = Vec::new();
    for (name, definition) in definitions(&schema) {
        for (key, property) in properties(definition) {
            if words(property, &schema).is_empty() {
                missing.push(format!("{name}.{key}"));
            }
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:?}");
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
