//! Floor 2. Looks a dotted name up in a scope; serves the call, where templates meet values.

use std::borrow::Cow;

use serde_json::Value;

use super::Scope;

/// What stands at the end of a dotted name.
#[derive(Debug, PartialEq)]
pub enum Lookup<'a> {
    /// A value, which may be `null`.
    Found(Cow<'a, Value>),
    /// The variable was not given, or the path leads through a `null`.
    Absent,
    /// The data has another shape: no such key, no such index, or a scalar where a container
    /// was meant.
    Missing,
}

/// Follows `path` from a variable of the scope to a value inside it.
#[must_use]
pub fn lookup<'a>(scope: &'a dyn Scope, path: &[String]) -> Lookup<'a> {
    let Some((root, rest)) = path.split_first() else {
        return Lookup::Absent;
    };
    match scope.get(root) {
        None => Lookup::Absent,
        Some(Cow::Borrowed(value)) => match descend(value, rest) {
            Ok(found) => Lookup::Found(Cow::Borrowed(found)),
            Err(stop) => stop.into(),
        },
        Some(Cow::Owned(value)) => match descend(&value, rest) {
            Ok(found) => Lookup::Found(Cow::Owned(found.clone())),
            Err(stop) => stop.into(),
        },
    }
}

enum Stop {
    Null,
    Shape,
}

impl From<Stop> for Lookup<'_> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Null => Self::Absent,
            Stop::Shape => Self::Missing,
        }
    }
}

fn descend<'v>(start: &'v Value, path: &[String]) -> Result<&'v Value, Stop> {
    let mut value = start;
    for name in path {
        let next = match value {
            Value::Null => return Err(Stop::Null),
            Value::Object(map) => map.get(name),
            Value::Array(list) => name.parse().ok().and_then(|at: usize| list.get(at)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        value = next.ok_or(Stop::Shape)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_ends_at_a_value_at_nothing_or_at_the_wrong_shape() {
        let data = json!({"a": {"b": [{"c": 1}], "n": null}, "s": "x"});
        let Value::Object(scope) = &data else { unreachable!() };
        let found = |value: Value| Lookup::Found(Cow::Owned(value));
        for (path, expected) in [
            ("a.b.0.c", found(json!(1))),
            ("a.n", found(json!(null))),
            ("a.n.deeper", Lookup::Absent),
            ("nothing", Lookup::Absent),
            ("nothing.deeper", Lookup::Absent),
            ("a.x", Lookup::Missing),
            ("a.b.1", Lookup::Missing),
            ("a.b.c", Lookup::Missing),
            ("s.length", Lookup::Missing),
        ] {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!(lookup(scope, &path), expected, "{path:?}");
        }
    }
}
