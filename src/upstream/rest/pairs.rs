//! Floor 5. Writes values as `name=value` pairs of a query or a form, each in its style. Names and
//! values are encoded whole, so that no value ends its pair or begins another one (rest.md §9.2).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::{
    plan::rest::{Separator, Style},
    upstream::{FailureClass, UpstreamError},
};

/// What is encoded in names and values: all but the unreserved characters of RFC 3986. Spaces
/// become `%20`, which queries and forms both read as one.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends a value in its style. Null values and items are not sent, an empty text is.
///
/// # Errors
/// [`FailureClass::Arguments`] for an item or a name that its style cannot tell from two.
pub(super) fn append(out: &mut String, name: &str, value: &Value, style: Style) -> Result<(), UpstreamError> {
    match (style, value) {
        (_, Value::Null) => {}
        (Style::Json, _) => append_pair(out, name, &value.to_string()),
        (Style::Deep | Style::Brackets, _) => return nested(out, name, value, style),
        (Style::Repeated, Value::Array(items)) => {
            present(items).for_each(|item| append_pair(out, name, &text(item)));
        }
        (Style::Repeated, Value::Object(members)) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            members.for_each(|(name, member)| append_pair(out, name, &text(member)));
        }
        (Style::Joined(separator), Value::Array(items)) => {
            let items = present(items).map(text).collect::<Vec<_>>();
            return joined(out, name, &items, separator);
        }
        (Style::Joined(separator), Value::Object(members)) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            let items = members.flat_map(|(name, member)| [Cow::Borrowed(name.as_str()), text(member)]);
            return joined(out, name, &items.collect::<Vec<_>>(), separator);
        }
        (Style::Repeated | Style::Joined(_), scalar) => append_pair(out, name, &text(scalar)),
    }
    Ok(())
}

/// Appends the members of a mapping as pairs of their own names.
///
/// # Errors
/// As [`append`]; what is no mapping has no names.
pub(super) fn append_members(out: &mut String, members: &Map<String, Value>) -> Result<(), UpstreamError> {
    members.iter().try_for_each(|(name, member)| append(out, name, member, Style::Deep))
}

/// Appends `name=value`, both encoded, and the `&` before it.
pub(super) fn append_pair(out: &mut String, name: &str, value: &str) {
    separate(out);
    out.extend(utf8_percent_encode(name, ENCODED));
    out.push('=');
    out.extend(utf8_percent_encode(value, ENCODED));
}

/// A text as it stands in a pair.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Appends the `&` before a pair.
pub(super) fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push('&');
    }
}

fn present(items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter(|item| !item.is_null())
}

fn joined(out: &mut String, name: &str, items: &[Cow<'_, str>], by: Separator) -> Result<(), UpstreamError> {
    let Some((first, others)) = items.split_first() else { return Ok(()) };
    let (separator, forbidden) = match by {
        // An encoded comma is told from a plain one by every server that splits before it decodes.
        Separator::Comma => (",", None),
        Separator::Space => ("%20", Some(' ')),
        Separator::Pipe => ("%7C", Some('|')),
    };
    if let Some(character) = forbidden.filter(|it| items.iter().any(|item| item.contains(*it))) {
        let told = format!("An item of `{name}` holds `{character}`, which is what separates the items.");
        return Err(UpstreamError::new(FailureClass::Arguments, told));
    }
    append_pair(out, name, first);
    for item in others {
        out.push_str(separator);
        out.extend(utf8_percent_encode(item, ENCODED));
    }
    Ok(())
}

fn nested(out: &mut String, name: &str, value: &Value, style: Style) -> Result<(), UpstreamError> {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                if member.contains(['[', ']']) {
                    let told = format!("The name of a member of `{name}` holds a bracket.");
                    return Err(UpstreamError::new(FailureClass::Arguments, told));
                }
                nested(out, &format!("{name}[{member}]"), value, style)?;
            }
        }
        // Members of two mappings in a list would run into one another.
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                nested(out, &format!("{name}[{index}]"), item, style)?;
            }
        }
        Value::Array(items) => {
            let name = if style == Style::Brackets { format!("{name}[]") } else { name.to_owned() };
            present(items).for_each(|item| append_pair(out, &name, &text(item)));
        }
        scalar => append_pair(out, name, &text(scalar)),
    }
    Ok(())
}

/// A scalar as it is written in an address or a header: integers without exponent or `.0`.
/// `None` for null, lists and objects.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) => Some(Cow::Owned(match number.as_f64() {
            // `Display` of a float never has an exponent, and whole ones have no fraction.
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A scalar as it is written, anything else as JSON.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    scalar(value).unwrap_or_else(|| Cow::Owned(value.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use url::form_urlencoded;

    use super::*;

    const COMMA: Style = Style::Joined(Separator::Comma);
    const SPACE: Style = Style::Joined(Separator::Space);
    const PIPE: Style = Style::Joined(Separator::Pipe);

    #[test]
    fn values_are_written_in_their_style() {
        let list = json!(["a b", "c,d", null, 7]);
        let map = json!({ "x": 1, "y": "p q", "z": null });
        let deep = json!({ "a": { "b": [1, 2] }, "rows": [{ "id": 1 }, { "id": 2 }] });
        for (value, style, expected) in [
            (&list, Style::Repeated, "p=a%20b&p=c%2Cd&p=7"),
            (&list, COMMA, "p=a%20b,c%2Cd,7"),
            (&json!(["a", "b,c"]), SPACE, "p=a%20b%2Cc"),
            (&json!(["a", "b c"]), PIPE, "p=a%7Cb%20c"),
            (&list, Style::Brackets, "p%5B%5D=a%20b&p%5B%5D=c%2Cd&p%5B%5D=7"),
            (&list, Style::Deep, "p=a%20b&p=c%2Cd&p=7"),
            (&list, Style::Json, "p=%5B%22a%20b%22%2C%22c%2Cd%22%2Cnull%2C7%5D"),
            (&map, Style::Repeated, "x=1&y=p%20q"),
            (&map, COMMA, "p=x,1,y,p%20q"),
            (&map, Style::Deep, "p%5Bx%5D=1&p%5By%5D=p%20q"),
            (
                &deep,
                Style::Deep,
                "p%5Ba%5D%5Bb%5D=1&p%5Ba%5D%5Bb%5D=2&p%5Brows%5D%5B0%5D%5Bid%5D=1&p%5Brows%5D%5B1%5D%5Bid%5D=2",
            ),
            (
                &deep,
                Style::Brackets,
                "p%5Ba%5D%5Bb%5D%5B%5D=1&p%5Ba%5D%5Bb%5D%5B%5D=2&p%5Brows%5D%5B0%5D%5Bid%5D=1&p%5Brows%5D%5B1%5D%5Bid%5D=2",
            ),
            (&json!([]), Style::Repeated, ""),
            (&json!([]), COMMA, ""),
            (&json!([]), Style::Json, "p=%5B%5D"),
            (&json!(""), Style::Repeated, "p="),
            (&json!(""), Style::Deep, "p="),
            (&json!(null), Style::Json, ""),
            (&json!(1e21), Style::Repeated, "p=1000000000000000000000"),
            (&json!(5.0), COMMA, "p=5"),
            (&json!(u64::MAX), Style::Deep, "p=18446744073709551615"),
            (&json!(true), Style::Repeated, "p=true"),
            (&json!("{{x}}&q=1#"), Style::Repeated, "p=%7B%7Bx%7D%7D%26q%3D1%23"),
        ] {
            let mut out = String::new();
            append(&mut out, "p", value, style).unwrap();
            assert_eq!(out, expected, "{value} {style:?}");
        }
    }

    #[test]
    fn what_a_style_cannot_tell_apart_is_refused() {
        for (value, style) in [
            (json!(["a b"]), SPACE),
            (json!(["a", "b|c"]), PIPE),
            (json!({ "x][admin": 1 }), Style::Deep),
            (json!({ "x": { "[0": 1 } }), Style::Brackets),
        ] {
            let error = append(&mut String::new(), "p", &value, style).unwrap_err();
            assert_eq!(error.class(), FailureClass::Arguments);
            assert!(error.public().contains("`p"), "{}", error.public());
        }
    }

    proptest! {
        #[test]
        fn no_value_ends_its_pair(values in prop::collection::vec(r"(\PC|[&=+%;#\[\]?]){0,12}", 0..4)) {
            let value = json!(values);
            for (style, name) in [(Style::Repeated, "p"), (Style::Brackets, "p[]"), (Style::Deep, "p")] {
                let mut out = "before=1".to_owned();
                append(&mut out, "p", &value, style).unwrap();
                let pairs: Vec<_> = form_urlencoded::parse(out.as_bytes()).skip(1).collect();
                prop_assert_eq!(pairs.len(), values.len());
                for ((read, item), expected) in pairs.iter().zip(&values) {
                    prop_assert_eq!((read.as_ref(), item.as_ref()), (name, expected.as_str()));
                }
            }
        }
    }
}
