//! Floor 2. The conversions a projected field may ask for.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Number, Value};

use super::html::html_to_text;

/// What becomes of a found value. `null` stays `null`, a list is converted item by item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convert {
    /// Seconds since 1970 → RFC 3339 in UTC.
    UnixTime,
    /// Milliseconds since 1970 → RFC 3339 in UTC.
    UnixMillis,
    /// HTML → its text, paragraphs as blank lines.
    HtmlText,
    /// A text that is a number → the number, unless that would lose digits.
    Number,
    /// Anything → text; lists and objects as compact JSON.
    String,
    /// A text without blanks at its ends.
    Trim,
    /// Base64, either alphabet, broken lines allowed → the UTF-8 text inside.
    Base64Text,
}

impl Convert {
    /// All conversions with the names a bridge file uses.
    pub const ALL: &[(&'static str, Self)] = &[
        ("unix_time", Self::UnixTime),
        ("unix_millis", Self::UnixMillis),
        ("html_text", Self::HtmlText),
        ("number", Self::Number),
        ("string", Self::String),
        ("trim", Self::Trim),
        ("base64_text", Self::Base64Text),
    ];

    /// The conversion of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, convert)| *convert)
    }

    /// The name a bridge file uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, convert)| *convert == self).map_or("", |(name, _)| name)
    }

    /// Converts a value. `None` when it is none of its kind, which counts as not found.
    #[must_use]
    pub fn apply(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (_, Value::Null) => Some(Value::Null),
            (Self::String, _) => Some(Value::String(text_of(value))),
            (_, Value::Array(list)) => list.iter().map(|item| self.apply(item)).collect(),
            (Self::UnixTime, _) => time(value, 1000.0),
            (Self::UnixMillis, _) => time(value, 1.0),
            (Self::Number, _) => number(value),
            (Self::HtmlText, Value::String(html)) => Some(html_to_text(html).into()),
            (Self::Trim, Value::String(text)) => Some(text.trim().into()),
            (Self::Base64Text, Value::String(text)) => base64(text).map(Value::from),
            (Self::HtmlText | Self::Trim | Self::Base64Text, _) => None,
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn time(value: &Value, to_millis: f64) -> Option<Value> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // Printing a float rounds it without a lossy cast; out of range it does not parse again.
    let millis: i64 = format!("{:.0}", number * to_millis).parse().ok()?;
    let time = DateTime::from_timestamp_millis(millis)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(whole) = text.parse::<i64>() {
                return Some(whole.into());
            }
            if let Ok(whole) = text.parse::<u64>() {
                return Some(whole.into());
            }
            let plain = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
            let digits = text.chars().take_while(|c| !matches!(c, 'e' | 'E')).filter(char::is_ascii_digit);
            if !plain || digits.count() > 17 {
                return None;
            }
            Number::from_f64(text.parse().ok()?).map(Value::Number)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut digits = 0_usize;
    let mut padded = 0_usize;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                padded += 1;
                continue;
            }
            _ => return None,
        };
        if padded > 0 {
            return None;
        }
        digits += 1;
        bits = (bits << 6) | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xFF).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    let whole = digits % 4 != 1 && (padded == 0 || (digits + padded).is_multiple_of(4) && padded < 3);
    if whole { String::from_utf8(bytes).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_was_asked_for_or_nothing() {
        for (name, value, expected) in [
            ("unix_time", json!(0), Some(json!("1970-01-01T00:00:00Z"))),
            ("unix_time", json!(1_709_209_800.5), Some(json!("2024-02-29T12:30:00.500Z"))),
            ("unix_time", json!("1709209800"), Some(json!("2024-02-29T12:30:00Z"))),
            ("unix_time", json!([0, null]), Some(json!(["1970-01-01T00:00:00Z", null]))),
            ("unix_time", json!("soon"), None),
            ("unix_time", json!(1e300), None),
            ("unix_time", json!("NaN"), None),
            ("unix_millis", json!(1_709_209_800_123_i64), Some(json!("2024-02-29T12:30:00.123Z"))),
            ("number", json!(" 42 "), Some(json!(42))),
            ("number", json!("-1.50"), Some(json!(-1.5))),
            ("number", json!("18446744073709551615"), Some(json!(u64::MAX))),
            ("number", json!("123456789012345678901234"), None),
            ("number", json!("inf"), None),
            ("number", json!("NaN"), None),
            ("number", json!("1e400"), None),
            ("number", json!(""), None),
            ("number", json!(7), Some(json!(7))),
            ("number", json!({}), None),
            ("string", json!(1.0), Some(json!("1.0"))),
            ("string", json!([1, "a"]), Some(json!("[1,\"a\"]"))),
            ("string", json!(null), Some(json!(null))),
            ("trim", json!("  a b \n"), Some(json!("a b"))),
            ("trim", json!(1), None),
            ("base64_text", json!("SGVsbG8="), Some(json!("Hello"))),
            ("base64_text", json!("SGVs\nbG8"), Some(json!("Hello"))),
            ("base64_text", json!("w7w_"), Some(json!("ü?"))),
            ("base64_text", json!("/w=="), None),
            ("base64_text", json!("A"), None),
            ("base64_text", json!("AA=A"), None),
            ("base64_text", json!("S*"), None),
            ("base64_text", json!(""), Some(json!(""))),
            ("html_text", json!("<p>a<p>b"), Some(json!("a\n\nb"))),
        ] {
            let convert = Convert::from_name(name).unwrap();
            assert_eq!(convert.apply(&value), expected, "{name} {value}");
            assert_eq!(convert.name(), name);
        }
        assert_eq!(Convert::from_name("unixtime"), None);
    }
}
