//! Floor 5. From the arguments of a call to the texts that are bound. The server's own input
//! functions read them, so every type takes what it takes anywhere; only lists, objects and bytes
//! have a form of their own in JSON. Serves `postgres`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    super::transaction::Earlier,
    shape::{self, Oid, Shape},
};
use crate::{
    plan::sql::{Form, ParamType, Slot},
    upstream::error::{FailureClass, UpstreamError},
};

/// The texts of all slots in order; `None` is NULL.
///
/// # Errors
///
/// When a value cannot be of its type.
pub(super) fn texts(
    slots: &[Slot],
    arguments: &Map<String, Value>,
    shapes: &[Arc<Shape>],
) -> Result<Vec<Option<String>>, UpstreamError> {
    texts_behind(slots, (arguments, &Earlier::default()), shapes)
}

/// The same for a statement of a transaction, which may take values of those before it. They are the
/// server's own text for them already.
pub(super) fn texts_behind(
    slots: &[Slot],
    (arguments, earlier): (&Map<String, Value>, &Earlier<Option<String>>),
    shapes: &[Arc<Shape>],
) -> Result<Vec<Option<String>>, UpstreamError> {
    let shapes = shapes.iter().map(Some).chain(std::iter::repeat(None));
    let bound = slots.iter().zip(shapes).map(|(slot, shape)| {
        if let Some(text) = earlier.get(&slot.param) {
            return Ok(text.clone());
        }
        let value = arguments.get(slot.param.as_ref());
        let value = match slot.form {
            Form::Whole | Form::Like(_) => value,
            Form::Item(index) => value.and_then(Value::as_array).and_then(|list| list.get(index)),
        };
        let text = match (value, slot.form) {
            (None | Some(Value::Null), _) => return Ok(None),
            (Some(Value::String(text)), Form::Like(kind)) => kind.pattern(text),
            (Some(value), Form::Like(kind)) => kind.pattern(&value.to_string()),
            (Some(value), Form::Whole | Form::Item(_)) => {
                let shape = shape.map_or(&Shape::Text, |shape| shape);
                let unfit = |what| UpstreamError::new(FailureClass::Arguments, format!("`{}` {what}", slot.param));
                text(value, shape).map_err(unfit)?
            }
        };
        if text.contains('\0') {
            let public = format!("`{}` has a NUL character, which the database does not take", slot.param);
            return Err(UpstreamError::new(FailureClass::Arguments, public));
        }
        Ok(Some(text))
    });
    bound.collect()
}

/// The text of a value that is not NULL.
fn text(value: &Value, shape: &Shape) -> Result<String, &'static str> {
    Ok(match (value, shape) {
        (Value::String(text), Shape::Bytes) => {
            let bytes = STANDARD.decode(text.trim()).map_err(|_| "is not base64")?;
            let mut hex = String::with_capacity(bytes.len() * 2 + 2);
            hex.push_str("\\x");
            for byte in bytes {
                for digit in [byte >> 4, byte & 15] {
                    hex.extend(char::from_digit(u32::from(digit), 16));
                }
            }
            hex
        }
        (Value::String(text), _) => text.clone(),
        (Value::Array(items), Shape::Array(item, delimiter)) => array(items, item, *delimiter)?,
        (Value::Object(members), Shape::Record(fields)) => record(members, fields)?,
        (value, _) => value.to_string(),
    })
}

fn array(items: &[Value], item: &Shape, delimiter: u8) -> Result<String, &'static str> {
    let mut written = String::from("{");
    for (at, value) in items.iter().enumerate() {
        if at > 0 {
            written.push(char::from(delimiter));
        }
        match value {
            Value::Null => written.push_str("NULL"),
            Value::Array(inner) if !matches!(item, Shape::Json | Shape::Vector) => {
                written.push_str(&array(inner, item, delimiter)?);
            }
            value => quote(&mut written, &text(value, item)?, "\\\""),
        }
    }
    written.push('}');
    Ok(written)
}

fn record(members: &Map<String, Value>, fields: &[(String, Arc<Shape>)]) -> Result<String, &'static str> {
    if members.keys().any(|name| !fields.iter().any(|(field, _)| field == name)) {
        return Err("has a member that the type of the database does not have");
    }
    let mut written = String::from("(");
    for (at, (name, shape)) in fields.iter().enumerate() {
        if at > 0 {
            written.push(',');
        }
        match members.get(name) {
            None | Some(Value::Null) => {}
            Some(value) => quote(&mut written, &text(value, shape)?, "\"\""),
        }
    }
    written.push(')');
    Ok(written)
}

/// Adds a text in quotes; `quote` is how one inside is written.
fn quote(out: &mut String, text: &str, quote: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str(quote),
            '\\' => out.push_str("\\\\"),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// The type a placeholder is declared with when the statement does not tell which it has.
pub(super) fn declared(kind: Option<ParamType>) -> Oid {
    match kind {
        None | Some(ParamType::Text | ParamType::DateTime) => shape::TEXT,
        Some(ParamType::Integer) => shape::INT8,
        Some(ParamType::Number) => shape::NUMERIC,
        Some(ParamType::Boolean) => shape::BOOL,
        Some(ParamType::Texts | ParamType::DateTimes) => shape::TEXT_ARRAY,
        Some(ParamType::Integers) => shape::INT8_ARRAY,
        Some(ParamType::Numbers) => shape::NUMERIC_ARRAY,
        Some(ParamType::Booleans) => shape::BOOL_ARRAY,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_texts() {
        let list = |item| Shape::Array(Arc::new(item), b',');
        let pair = || Shape::Record(vec![("a".into(), Arc::new(Shape::Long)), ("b".into(), Arc::new(Shape::Text))]);
        for (value, shape, expected) in [
            (json!(true), Shape::Boolean, Ok("true")),
            (json!(12_345_678_901_234_567_i64), Shape::Long, Ok("12345678901234567")),
            (json!("9223372036854775807"), Shape::Long, Ok("9223372036854775807")),
            (json!(1.5), Shape::Decimal, Ok("1.5")),
            (json!("AP8Q"), Shape::Bytes, Ok("\\x00ff10")),
            (json!("no base64!"), Shape::Bytes, Err("is not base64")),
            (json!({ "a": [1] }), Shape::Json, Ok(r#"{"a":[1]}"#)),
            (json!([1, null, 3]), list(Shape::Integer), Ok(r#"{"1",NULL,"3"}"#)),
            (json!([[1, 2], [3, 4]]), list(Shape::Integer), Ok(r#"{{"1","2"},{"3","4"}}"#)),
            (json!(["a\"b\\", "NULL", ""]), list(Shape::Text), Ok(r#"{"a\"b\\","NULL",""}"#)),
            (json!([]), list(Shape::Text), Ok("{}")),
            (json!([[1]]), list(Shape::Json), Ok(r#"{"[1]"}"#)),
            (json!({ "b": "x\"y" }), pair(), Ok(r#"(,"x""y")"#)),
            (json!({ "c": 1 }), pair(), Err("has a member that the type of the database does not have")),
            (json!([1.5, 2]), Shape::Vector, Ok("[1.5,2]")),
        ] {
            assert_eq!(text(&value, &shape), expected.map(str::to_owned), "{value} {shape:?}");
        }
    }
}
