//! Floor 5. Params whose declared type is wider than what the server reads at their place: some calls
//! would pass the schema and fail at the database. Serves `check --connect`.

use super::{connection::Known, shape::Shape};
use crate::{
    catalog::Misfit,
    plan::sql::{Form, ParamType, Rendered, Statement},
};

/// Each param once, with what the server takes for it.
pub(super) fn misfits(statement: &Statement, form: &Rendered, known: &Known) -> Vec<Misfit> {
    let mut found: Vec<Misfit> = Vec::new();
    for (slot, shape) in form.slots.iter().zip(&known.params) {
        let kind = match slot.form {
            Form::Whole => statement.type_of(&slot.param),
            Form::Item(_) => statement.type_of(&slot.param).map(ParamType::item),
            Form::Like(_) => None,
        };
        let Some(takes) = kind.and_then(|kind| misfit(kind, shape)) else { continue };
        if found.iter().all(|known| known.param != *slot.param) {
            found.push(Misfit { param: slot.param.to_string(), takes: takes.to_owned() });
        }
    }
    found
}

/// What the server takes, where it does not take every value of the declared type. A text may be of the
/// form that a date or a list has, so that is no fault; a text for a number most likely is one.
fn misfit(kind: ParamType, shape: &Shape) -> Option<&'static str> {
    use ParamType::{Boolean, DateTime, Integer, Number, Text};
    match (kind, shape) {
        (Text | DateTime | Number, Shape::Integer | Shape::Long) => Some("an integer"),
        (Boolean, Shape::Integer | Shape::Long) | (Text | DateTime | Boolean, Shape::Float | Shape::Decimal) => {
            Some("a number")
        }
        (Text | DateTime | Integer | Number, Shape::Boolean) => Some("a boolean"),
        (Integer | Number | Boolean, Shape::Timestamp | Shape::TimestampTz) => Some("a date with a time"),
        (Integer | Number | Boolean, Shape::Uuid) => Some("a UUID"),
        (Integer | Number | Boolean | DateTime, Shape::Bytes) => Some("bytes in base64"),
        (Text | DateTime | Integer | Number | Boolean, Shape::Vector | Shape::Record(_)) if kind != Text => {
            Some("an object or a list")
        }
        (Integer | Number | Boolean | DateTime, Shape::Array(..)) => Some("a list"),
        (
            ParamType::Texts | ParamType::Integers | ParamType::Numbers | ParamType::Booleans | ParamType::DateTimes,
            Shape::Array(item, _),
        ) => misfit(kind.item(), item),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told() {
        let list = |item| Shape::Array(Arc::new(item), b',');
        for (kind, shape, expected) in [
            (ParamType::Text, Shape::Integer, Some("an integer")),
            (ParamType::Number, Shape::Long, Some("an integer")),
            (ParamType::Integer, Shape::Long, None),
            (ParamType::Integer, Shape::Decimal, None),
            (ParamType::Integer, Shape::Text, None),
            (ParamType::Number, Shape::Float, None),
            (ParamType::Text, Shape::Decimal, Some("a number")),
            (ParamType::Text, Shape::Uuid, None),
            (ParamType::Text, Shape::Timestamp, None),
            (ParamType::DateTime, Shape::TimestampTz, None),
            (ParamType::DateTime, Shape::Boolean, Some("a boolean")),
            (ParamType::Boolean, Shape::Boolean, None),
            (ParamType::Boolean, Shape::Integer, Some("a number")),
            (ParamType::Integer, Shape::Uuid, Some("a UUID")),
            (ParamType::Integer, list(Shape::Integer), Some("a list")),
            (ParamType::Texts, list(Shape::Integer), Some("an integer")),
            (ParamType::Integers, list(Shape::Long), None),
            (ParamType::Text, list(Shape::Long), None),
        ] {
            assert_eq!(misfit(kind, &shape), expected, "{kind:?} {shape:?}");
        }
    }
}
