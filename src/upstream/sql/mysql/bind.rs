//! Floor 5. From the arguments of a call to the values that are bound. The server converts what it
//! is given to what it compares it with, so the declared type of a param decides what that is: an
//! exact decimal is sent as one, because a text would be compared as a float. Serves `mysql`.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use sqlx::{
    Arguments as _, Encode, MySql, Type,
    encode::IsNull,
    error::BoxDynError,
    mysql::{MySqlArguments, MySqlTypeInfo},
};

use crate::{
    plan::sql::{Form, ParamType, Slot, Statement},
    upstream::error::{FailureClass, UpstreamError},
};

/// A value in one of the forms that the server takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    Null,
    Signed(i64),
    Unsigned(u64),
    Real(f64),
    /// An exact number, in digits.
    Decimal(String),
    /// A text, a LIKE pattern, or an array or object as JSON text.
    Text(String),
    /// Bytes, which only an earlier statement of a transaction gives.
    Bytes(Vec<u8>),
}

/// The values of all slots, in order.
///
/// # Errors
///
/// When a number is larger than any that the database has.
pub(super) fn values(
    statement: &Statement,
    slots: &[Slot],
    arguments: &Map<String, Value>,
) -> Result<Vec<Bound>, UpstreamError> {
    slots.iter().map(|slot| value(statement, slot, arguments)).collect()
}

/// The value of one slot.
///
/// # Errors
///
/// As for [`values`].
pub(super) fn value(
    statement: &Statement,
    slot: &Slot,
    arguments: &Map<String, Value>,
) -> Result<Bound, UpstreamError> {
    bound(statement.type_of(&slot.param), slot, arguments.get(slot.param.as_ref()))
}

fn bound(kind: Option<ParamType>, slot: &Slot, value: Option<&Value>) -> Result<Bound, UpstreamError> {
    let value = match slot.form {
        Form::Whole | Form::Like(_) => value,
        Form::Item(index) => value.and_then(Value::as_array).and_then(|list| list.get(index)),
    };
    Ok(match (value, slot.form) {
        (None | Some(Value::Null), _) => Bound::Null,
        (Some(Value::String(text)), Form::Like(kind)) => Bound::Text(kind.pattern(text)),
        (Some(value), Form::Like(kind)) => Bound::Text(kind.pattern(&value.to_string())),
        (Some(Value::String(text)), Form::Whole | Form::Item(_)) => typed(kind.map(ParamType::item), text),
        (Some(Value::Bool(flag)), _) => Bound::Signed(i64::from(*flag)),
        (Some(Value::Number(number)), _) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Bound::Signed(number),
            (None, Some(number), _) => Bound::Unsigned(number),
            // `9.99` means the decimal number, and not the float that is nearest to it.
            (None, None, Some(float)) => match number.to_string() {
                digits if is_decimal(&digits) => Bound::Decimal(digits),
                _ => Bound::Real(float),
            },
            (None, None, None) => {
                let public = format!("`{}` is larger than the database can hold", slot.param);
                return Err(UpstreamError::new(FailureClass::Arguments, public));
            }
        },
        (Some(value @ (Value::Array(_) | Value::Object(_))), _) => Bound::Text(value.to_string()),
    })
}

/// A text, as what its param is declared to hold.
fn typed(kind: Option<ParamType>, text: &str) -> Bound {
    match kind {
        Some(ParamType::Integer) => match (text.parse(), text.parse()) {
            (Ok(number), _) => Bound::Signed(number),
            (Err(_), Ok(number)) => Bound::Unsigned(number),
            (Err(_), Err(_)) if is_decimal(text) => Bound::Decimal(text.to_owned()),
            (Err(_), Err(_)) => Bound::Text(text.to_owned()),
        },
        Some(ParamType::Number) if is_decimal(text) => Bound::Decimal(text.to_owned()),
        Some(ParamType::DateTime) => match DateTime::parse_from_rfc3339(text) {
            // The session's zone is UTC, and a text with an offset is nothing that every server reads.
            Ok(instant) => {
                let utc = instant.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true);
                Bound::Text(utc.trim_end_matches('Z').replacen('T', " ", 1))
            }
            Err(_) => Bound::Text(text.to_owned()),
        },
        _ => Bound::Text(text.to_owned()),
    }
}

/// A sign, digits and a point, no more digits than the type has.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(fraction) && whole.len() <= 35 && fraction.len() <= 30
}

/// The type of exact numbers, which the driver has no value of its own for.
static DECIMAL: LazyLock<Option<MySqlTypeInfo>> = LazyLock::new(|| {
    serde_json::from_value(json!({ "type": "NewDecimal", "flags": "BINARY", "collation": 63, "max_size": null })).ok()
});

struct Decimal<'a>(&'a str);

impl Type<MySql> for Decimal<'_> {
    fn type_info() -> MySqlTypeInfo {
        DECIMAL.clone().unwrap_or_else(<str as Type<MySql>>::type_info)
    }
}

impl<'q> Encode<'q, MySql> for Decimal<'q> {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        <&str as Encode<'_, MySql>>::encode_by_ref(&self.0, buffer)
    }
}

/// The values in the driver's form.
pub(super) fn arguments(values: &[Bound]) -> Result<MySqlArguments, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        let added = match value {
            Bound::Null => arguments.add(None::<&str>),
            Bound::Signed(number) => arguments.add(*number),
            Bound::Unsigned(number) => arguments.add(*number),
            Bound::Real(number) => arguments.add(*number),
            Bound::Decimal(digits) => arguments.add(Decimal(digits)),
            Bound::Text(text) => arguments.add(text.as_str()),
            Bound::Bytes(bytes) => arguments.add(bytes.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_decide_what_is_sent() {
        let text = |text: &str| Bound::Text(text.to_owned());
        let decimal = |digits: &str| Bound::Decimal(digits.to_owned());
        for (kind, value, expected) in [
            (ParamType::Text, json!("12"), text("12")),
            (ParamType::Integer, json!("9007199254740993"), Bound::Signed(9_007_199_254_740_993)),
            (ParamType::Integer, json!("18446744073709551615"), Bound::Unsigned(u64::MAX)),
            (ParamType::Integer, json!(u64::MAX), Bound::Unsigned(u64::MAX)),
            (ParamType::Integer, json!("184467440737095516150"), decimal("184467440737095516150")),
            (ParamType::Number, json!("12345678901234567890.12300"), decimal("12345678901234567890.12300")),
            (ParamType::Number, json!(9.99), decimal("9.99")),
            (ParamType::Number, json!(1e300), Bound::Real(1e300)),
            (ParamType::Number, json!("-0.5"), decimal("-0.5")),
            (ParamType::Number, json!("1e3"), text("1e3")),
            (ParamType::Boolean, json!(true), Bound::Signed(1)),
            (ParamType::DateTime, json!("2026-01-02T03:04:05.25+02:00"), text("2026-01-02 01:04:05.250")),
            (ParamType::DateTime, json!("0000-00-00T00:00:00"), text("0000-00-00T00:00:00")),
            (ParamType::Text, json!("2026-01-02T03:04:05Z"), text("2026-01-02T03:04:05Z")),
            (ParamType::Text, json!({ "a": 1 }), text("{\"a\":1}")),
            (ParamType::Text, Value::Null, Bound::Null),
        ] {
            let slot = Slot { param: "p".into(), form: Form::Whole };
            assert_eq!(bound(Some(kind), &slot, Some(&value)).ok(), Some(expected), "{kind:?} {value}");
        }
        assert!(DECIMAL.is_some(), "the driver knows the type of decimals under this name");
    }
}
