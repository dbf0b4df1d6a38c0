//! Floor 2. Projection: from an item of an upstream's answer to the fields a tool promises.

use serde_json::{Map, Value};

use super::{Convert, Path};

/// The fields of a tool's answer, in the author's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The fields.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in the answer.
    pub name: String,
    /// Where it stands in an item.
    pub path: Path,
    /// What becomes of it.
    pub convert: Option<Convert>,
    /// What stands there when the path finds nothing that can be converted.
    pub default: Option<Value>,
}

impl Projection {
    /// The fields of one item. The caller applies it to every item of a list.
    #[must_use]
    pub fn apply(&self, item: &Value) -> Value {
        let entry = |field: &Field| (field.name.clone(), field.of(item));
        Value::Object(self.fields.iter().map(entry).collect())
    }
}

impl Field {
    /// The field's value: of a singular path the value, else the default, else `null`; of any
    /// other path the list of all values, or the default when there are none.
    #[must_use]
    pub fn of(&self, item: &Value) -> Value {
        let converted = |value: &Value| match self.convert {
            None => Some(value.clone()),
            Some(convert) => convert.apply(value),
        };
        if self.path.is_singular() {
            let found = self.path.first(item).and_then(converted);
            return found.or_else(|| self.default.clone()).unwrap_or_default();
        }
        let found = self.path.find(item);
        match &self.default {
            Some(default) if found.is_empty() => default.clone(),
            _ => found.into_iter().map(|value| converted(value).unwrap_or_default()).collect(),
        }
    }
}

/// Turns an object of equally long lists into a list of objects. Members that are no lists are
/// left out. `None` when there is no list or their lengths differ.
#[must_use]
pub fn zip(value: &Value) -> Option<Value> {
    let columns: Vec<(&String, &Vec<Value>)> =
        value.as_object()?.iter().filter_map(|(name, member)| Some((name, member.as_array()?))).collect();
    let length = columns.first()?.1.len();
    if columns.iter().any(|(_, column)| column.len() != length) {
        return None;
    }
    let row = |index: usize| -> Map<String, Value> {
        let cell = |(name, column): &(&String, &Vec<Value>)| Some(((*name).clone(), column.get(index)?.clone()));
        columns.iter().filter_map(cell).collect()
    };
    Some((0..length).map(|index| Value::Object(row(index))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str, path: &str) -> Field {
        Field { name: name.to_owned(), path: Path::compile(path).unwrap(), convert: None, default: None }
    }

    #[test]
    fn items_become_the_declared_fields() {
        let projection = Projection {
            fields: vec![
                field("id", "$.id"),
                field("name", "$.user.name"),
                field("tags", "$.labels[*].name"),
                Field { convert: Some(Convert::UnixTime), ..field("posted", "$.time") },
                Field { default: Some(json!("-")), ..field("note", "$.note") },
                Field { default: Some(json!(["none"])), ..field("parts", "$.parts[*]") },
                Field { convert: Some(Convert::Number), ..field("sizes", "$.sizes[*]") },
            ],
        };
        for (item, expected) in [
            (
                json!({"id": 1, "user": {"name": "Ada"}, "labels": [{"name": "x"}, {"name": "y"}, {}], "time": 0,
                    "note": null, "parts": [1], "sizes": ["1", "big"], "more": true}),
                json!({"id": 1, "name": "Ada", "tags": ["x", "y"], "posted": "1970-01-01T00:00:00Z", "note": null,
                    "parts": [1], "sizes": [1, null]}),
            ),
            (
                json!({"time": "x"}),
                json!({"id": null, "name": null, "tags": [], "posted": null, "note": "-", "parts": ["none"], "sizes": []}),
            ),
            (
                json!("no object"),
                json!({"id": null, "name": null, "tags": [], "posted": null, "note": "-", "parts": ["none"], "sizes": []}),
            ),
        ] {
            let projected = projection.apply(&item);
            assert_eq!(projected, expected);
            assert_eq!(projected.to_string(), expected.to_string(), "the order is the author's");
        }
    }

    #[test]
    fn columns_become_rows() {
        for (value, expected) in [
            (json!({"t": [1, 2], "u": "°C", "v": ["a", "b"]}), Some(json!([{"t": 1, "v": "a"}, {"t": 2, "v": "b"}]))),
            (json!({"t": []}), Some(json!([]))),
            (json!({"t": [1], "v": []}), None),
            (json!({"u": 1}), None),
            (json!({}), None),
            (json!([1]), None),
        ] {
            assert_eq!(zip(&value), expected, "{value}");
        }
    }
}
