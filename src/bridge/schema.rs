//! Floor 3. The JSON Schema of the format, made from the types: editors complete by it, and
//! the structural check walks it.

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use super::File;

/// The JSON Schema (2020-12) of a bridge file.
#[must_use]
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(AbsentNotNull).with_transform(Exclusive);
    let schema = settings.into_generator().into_root_schema_for::<File>();
    schema.to_value()
}

/// An optional key may be left out; that does not make `null` a value of it.
#[derive(Clone)]
struct AbsentNotNull;

impl Transform for AbsentNotNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(options)) = object.get_mut("enum") {
            options.retain(|option| !option.is_null());
        }
        if object.get("default").is_some_and(Value::is_null) {
            object.remove("default");
        }
        unwrap_only_option(object);
        // What `format` says about number widths is of no use to an editor.
        object.remove("format");
    }
}

/// `anyOf: [X, null]` says no more than `X`.
fn unwrap_only_option(object: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = object.get_mut("anyOf") else { return };
    options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
    let [Value::Object(only)] = options.as_slice() else { return };
    let only = only.clone();
    object.remove("anyOf");
    for (key, value) in only {
        object.entry(key).or_insert(value);
    }
}

/// Says in JSON Schema's own words which keys exclude each other.
#[derive(Clone)]
struct Exclusive;

impl Transform for Exclusive {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let names = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
        if let Some(names) = names(schema.get("x-exactly-one-of")) {
            let one = names.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>();
            schema.insert("oneOf".into(), Value::Array(one));
        }
        if let Some(names) = names(schema.get("x-at-most-one-of")) {
            let others = |at: usize| names.iter().skip(at + 1);
            let pairs = names.iter().enumerate().flat_map(|(at, a)| others(at).map(move |b| json!([a, b])));
            let not = pairs.map(|pair| json!({ "not": { "required": pair } })).collect::<Vec<_>>();
            schema.insert("allOf".into(), Value::Array(not));
        }
    }
}
