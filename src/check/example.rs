//! Floor 4. What a result looks like, from the answers that the tests of a tool stand on. An API may
//! answer otherwise another day, so this becomes examples in the output schema and no promise.

use serde_json::{Map, Value, json};

use crate::{
    bridge::Test,
    plan::{Output, Zip},
    select,
};

/// Bytes of one example at most: everybody who reads the list of tools pays for it.
const LONGEST: usize = 160;
/// Items of a list and members of a mapping that an example shows.
const ITEMS: usize = 1;
const MEMBERS: usize = 8;

/// The result of the first test in which an API answers well.
pub(super) fn of(tests: &[Test], output: &Output) -> Option<Value> {
    let shows = |test: &&Test| test.expect.as_ref().is_none_or(|expect| expect.error != Some(true));
    tests.iter().filter(shows).find_map(|test| {
        let stub = test.upstream.as_ref()?.all().first()?;
        let is_fine = stub.failure.is_none() && stub.status.is_none_or(|status| (200..300).contains(&status));
        let body = stub.body.as_ref().filter(|body| is_fine && (body.is_object() || body.is_array()))?;
        shaped(output, body.clone())
    })
}

/// What is kept of an answer, as the engine keeps it.
fn shaped(output: &Output, mut body: Value) -> Option<Value> {
    for path in &output.redact {
        path.blot(&mut body).ok()?;
    }
    let mut value = match &output.select {
        Some(path) => path.value(&body)?,
        None => body,
    };
    if output.zip == Zip::Yes {
        value = select::zip(&value)?;
    }
    Some(match (&output.fields, value) {
        (Some(fields), Value::Array(items)) => Value::Array(items.iter().map(|item| fields.apply(item)).collect()),
        (Some(fields), one) => fields.apply(&one),
        (None, value) => value,
    })
}

/// Puts the values of an item under its properties, each where it tells something.
pub(super) fn annotate(properties: &mut Map<String, Value>, example: &Value) {
    let items = example.as_array().map_or(std::slice::from_ref(example), Vec::as_slice);
    for (name, schema) in properties {
        // Of several items the first that has a value there.
        let found = items.iter().filter_map(|item| item.get(name)).map(short).find(tells);
        if let (Some(found), Some(schema)) = (found, schema.as_object_mut()) {
            schema.insert("examples".into(), json!([found]));
        }
    }
}

/// A shorter value of the same form.
fn short(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().take(ITEMS).map(short).collect(),
        Value::Object(members) => {
            members.iter().take(MEMBERS).map(|(name, value)| (name.clone(), short(value))).collect()
        }
        other => other.clone(),
    }
}

fn tells(value: &Value) -> bool {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    !is_empty && value.to_string().len() <= LONGEST
}
