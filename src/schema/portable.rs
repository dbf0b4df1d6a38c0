//! Floor 2. What hosts make of a schema: advice where a valid one is refused or misread by a
//! host in use (`protocol.md` section 6, the portable profile).

use serde_json::Value;

use super::{
    plan::type_names,
    walk::{below, places},
};

/// How many levels of objects and arrays every host takes.
const LEVELS_MAX: usize = 5;
/// How long a property name may be everywhere, in characters.
const NAME_MAX: usize = 64;

/// One thing to change for the sake of some host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// JSON pointer to what is meant, from the root of the schema.
    pub pointer: String,
    /// What some hosts do, and what to write instead.
    pub message: String,
}

/// Advice on an input schema, in document order. An empty list means that every known host
/// takes the schema as it is. A schema that nests too deeply to be compiled gets none.
#[must_use]
pub fn lint(schema: &Value) -> Vec<Advice> {
    if super::walk::refuse_unsafe(schema).is_err() {
        return Vec::new();
    }
    let mut advice = Vec::new();
    at_root(schema, &mut advice);
    for place in places(schema) {
        let mut add = |keyword: &str, message: String| {
            advice.push(Advice { pointer: below(&place.pointer, keyword), message });
        };
        let types = type_names(place.schema);
        if place.schema.get("$ref").is_some() {
            add("$ref", "some hosts refuse `$ref`; write the schema out in its place".to_owned());
        }
        if types.contains(&"array") && place.schema.get("items").is_none() {
            add("type", "some hosts refuse an array without `items`; say what it holds".to_owned());
        }
        if types.iter().filter(|name| **name != "null").count() > 1 {
            let message = "some hosts refuse a list of types; choose one, or one and `null`";
            add("type", message.to_owned());
        }
        let texts_only = |options: &Vec<Value>| options.iter().all(Value::is_string);
        if !place.schema.get("enum").and_then(Value::as_array).is_none_or(texts_only) {
            let message = "some hosts accept only strings in `enum`; write the options as strings";
            add("enum", message.to_owned());
        }
        for name in place.schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !is_portable_name(name.0) {
                let message = format!(
                    "some hosts refuse the name `{}`; use at most {NAME_MAX} letters, digits, `_` and `-`, starting with a letter or `_`",
                    name.0
                );
                let pointer = below(&below(&place.pointer, "properties"), name.0);
                advice.push(Advice { pointer, message });
            }
        }
        if place.level == LEVELS_MAX + 1 {
            let message = format!("some hosts refuse more than {LEVELS_MAX} levels; flatten this");
            advice.push(Advice { pointer: place.pointer, message });
        }
    }
    advice
}

fn at_root(schema: &Value, advice: &mut Vec<Advice>) {
    if !schema.get("properties").is_some_and(Value::is_object) {
        let message = "some hosts need `properties`; write an empty one for no arguments";
        advice.push(Advice { pointer: String::new(), message: message.to_owned() });
    }
    for keyword in ["oneOf", "anyOf", "allOf", "not", "if"] {
        if schema.get(keyword).is_some() {
            let message = format!("some hosts refuse `{keyword}` at the top; move it into a property");
            advice.push(Advice { pointer: below("", keyword), message });
        }
    }
}

fn is_portable_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lint;

    #[test]
    fn every_limit_is_pointed_at() {
        for (schema, pointers) in [
            (json!({ "type": "object", "properties": {} }), vec![]),
            (json!({ "type": "object" }), vec![""]),
            (json!({ "type": "object", "properties": { "a": { "type": ["string", "null"] } } }), vec![]),
            (
                json!({ "type": "object", "properties": {
                    "list": { "type": "array" },
                    "pick": { "type": "integer", "enum": [1, 2] },
                    "both": { "type": ["string", "integer"] },
                    "1st": { "type": "string" },
                    "dot.ted": { "$ref": "#/$defs/d" }
                }, "anyOf": [{}], "$defs": { "d": {} } }),
                vec![
                    "/anyOf",
                    "/properties/1st",
                    "/properties/dot.ted",
                    "/properties/list/type",
                    "/properties/pick/enum",
                    "/properties/both/type",
                    "/properties/dot.ted/$ref",
                ],
            ),
        ] {
            let found: Vec<_> = lint(&schema).into_iter().map(|advice| advice.pointer).collect();
            assert_eq!(found, pointers, "{schema}");
        }
    }

    #[test]
    fn depth_is_counted_in_levels_of_values() {
        let nested = |levels: usize| {
            let inner = (1..levels).fold(
                json!({ "type": "string" }),
                |inner, _| json!({ "type": "object", "properties": { "a": inner } }),
            );
            lint(&inner).len()
        };
        assert_eq!(nested(5), 0);
        assert_eq!(nested(6), 1);
    }
}
