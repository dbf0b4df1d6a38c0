//! Floor 2. The schemas inside a schema, found by keyword, so that data under `const`, `enum`,
//! `default` or `examples` is never mistaken for one. Serves compilation and the lint.

use serde_json::Value;

use super::SchemaError;

/// How deeply a schema document may nest; deeper ones would exhaust the stack of a compiler.
const NESTING_MAX: usize = 64;

const SINGLE: [&str; 10] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const MAPS: [&str; 4] = ["properties", "patternProperties", "$defs", "dependentSchemas"];

/// One schema and where it stands.
#[derive(Debug)]
pub(super) struct Place<'s> {
    /// JSON pointer from the root; empty for the root.
    pub pointer: String,
    /// The schema: an object, or a boolean.
    pub schema: &'s Value,
    /// Levels of objects and arrays that a value of this schema lies in, counted from 1.
    pub level: usize,
}

/// Every schema in the document, the root first.
pub(super) fn places(root: &Value) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    let mut waiting = vec![Place { pointer: String::new(), schema: root, level: 1 }];
    while let Some(place) = waiting.pop() {
        children(&place, &mut waiting);
        found.push(place);
    }
    found
}

fn children<'s>(place: &Place<'s>, into: &mut Vec<Place<'s>>) {
    let Some(members) = place.schema.as_object() else { return };
    let before = into.len();
    for (keyword, value) in members {
        let deeper = match keyword.as_str() {
            "items"
            | "additionalProperties"
            | "contains"
            | "prefixItems"
            | "properties"
            | "patternProperties"
            | "unevaluatedItems"
            | "unevaluatedProperties" => 1,
            _ => 0,
        };
        let mut add = |pointer, schema| {
            into.push(Place { pointer, schema, level: place.level + deeper });
        };
        let base = below(&place.pointer, keyword);
        if SINGLE.contains(&keyword.as_str()) {
            add(base, value);
        } else if LISTS.contains(&keyword.as_str()) {
            for (at, schema) in value.as_array().into_iter().flatten().enumerate() {
                add(format!("{base}/{at}"), schema);
            }
        } else if MAPS.contains(&keyword.as_str()) {
            for (name, schema) in value.as_object().into_iter().flatten() {
                add(below(&base, name), schema);
            }
        }
    }
    // The last one waiting is visited first; document order is what a reader expects.
    if let Some(added) = into.get_mut(before..) {
        added.reverse();
    }
}

/// The pointer to member `name` of what `pointer` points at (RFC 6901).
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Refuses what must not reach a compiler: bottomless nesting, another dialect, and references
/// that would have to be fetched.
pub(super) fn refuse_unsafe(root: &Value) -> Result<(), SchemaError> {
    let mut waiting = vec![(root, 0_usize)];
    while let Some((value, depth)) = waiting.pop() {
        if depth > NESTING_MAX {
            let message = format!("the schema is nested more than {NESTING_MAX} levels deep");
            return Err(SchemaError { message, pointer: String::new() });
        }
        match value {
            Value::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => waiting.extend(map.values().map(|item| (item, depth + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for place in places(root) {
        for keyword in ["$ref", "$dynamicRef", "$schema"] {
            let Some(target) = place.schema.get(keyword).and_then(Value::as_str) else { continue };
            let message = match keyword {
                "$schema" if is_current_dialect(target) => continue,
                "$schema" => {
                    format!("the dialect `{target}` is not supported; use JSON Schema 2020-12")
                }
                _ if target.starts_with('#') && leads_somewhere(root, target) => continue,
                _ if target.starts_with('#') => {
                    format!("the reference `{target}` leads nowhere in this schema")
                }
                _ => format!(
                    "the reference `{target}` leaves this schema; only references that start with `#` are followed"
                ),
            };
            return Err(SchemaError { message, pointer: below(&place.pointer, keyword) });
        }
    }
    Ok(())
}

/// Whether a local reference can be followed. Anchors are left to the compiler.
fn leads_somewhere(root: &Value, target: &str) -> bool {
    match target.strip_prefix("#/") {
        Some(rest) if !rest.contains('%') => root.pointer(&format!("/{rest}")).is_some(),
        Some(_) | None => true,
    }
}

fn is_current_dialect(uri: &str) -> bool {
    uri.trim_end_matches('#') == "https://json-schema.org/draft/2020-12/schema"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{places, refuse_unsafe};

    #[test]
    fn schemas_are_found_in_document_order_and_data_is_not_one() {
        let schema = json!({
            "type": "object",
            "properties": {
                "$ref": { "type": "string" },
                "a/b": { "type": "array", "items": { "anyOf": [{ "const": { "items": 1 } }, true] } }
            },
            "default": { "items": {} },
            "$defs": { "d": {} }
        });
        let found: Vec<_> = places(&schema).into_iter().map(|it| (it.pointer, it.level)).collect();
        let expected = [
            ("", 1),
            ("/properties/$ref", 2),
            ("/properties/a~1b", 2),
            ("/properties/a~1b/items", 3),
            ("/properties/a~1b/items/anyOf/0", 3),
            ("/properties/a~1b/items/anyOf/1", 3),
            ("/$defs/d", 1),
        ];
        assert_eq!(found, expected.map(|(pointer, level)| (pointer.to_owned(), level)));
    }

    #[test]
    fn references_stay_inside_and_the_dialect_is_ours() {
        for (schema, pointer) in [
            (json!({ "properties": { "$ref": { "type": "string" } } }), None),
            (json!({ "const": { "$ref": "http://x.test/" } }), None),
            (json!({ "$schema": "https://json-schema.org/draft/2020-12/schema#" }), None),
            (json!({ "$ref": "#/$defs/x", "$defs": { "x": {} } }), None),
            (json!({ "$ref": "#/$defs/x" }), Some("/$ref")),
            (json!({ "items": { "$ref": "http://x.test/" } }), Some("/items/$ref")),
            (json!({ "items": { "$ref": "other.json" } }), Some("/items/$ref")),
            (json!({ "not": { "$dynamicRef": "file:///x" } }), Some("/not/$dynamicRef")),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), Some("/$schema")),
        ] {
            let found = refuse_unsafe(&schema).err().map(|error| error.pointer);
            assert_eq!(found.as_deref(), pointer, "{schema}");
        }
        let deep = (0..100).fold(json!({}), |inner, _| json!({ "items": inner }));
        assert!(refuse_unsafe(&deep).is_err());
    }
}
