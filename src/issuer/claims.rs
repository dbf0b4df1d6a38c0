//! Floor 6. Claims by their names, in the words of several issuers.

use serde_json::{Map, Value};

/// A claim by its name, or by a dotted path into one: `realm_access.roles`.
#[must_use]
pub fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}

/// A claim that is a text with something in it.
#[must_use]
pub fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    find(claims, name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The words of a claim: scopes stand in one text with blanks between them, or in a list.
#[must_use]
pub fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
