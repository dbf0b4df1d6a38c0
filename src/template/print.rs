//! Floor 2. How a value is written into a text: plainly, percent-encoded or inside a JSON string.

use std::fmt::Write as _;

use serde_json::Value;

use super::{MAX_OUTPUT, RenderError};

/// How values are escaped where a template puts them. The author's own text never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is: text for people and models.
    None,
    /// Percent-encoded, all but the unreserved characters of RFC 3986: URLs and their queries.
    UrlQuery,
    /// JSON: a string is escaped for a place between quotes, any other value is JSON itself.
    Json,
    /// XML and HTML: for texts between tags and values in quotes. What XML has no character for is replaced.
    Xml,
}

/// Appends text unless that would pass the limit.
pub(super) fn append(out: &mut String, text: &str) -> Result<(), RenderError> {
    if out.len().saturating_add(text.len()) > MAX_OUTPUT {
        return Err(RenderError::TooLarge);
    }
    out.push_str(text);
    Ok(())
}

/// Appends a value as the place asks for it.
pub(super) fn append_value(out: &mut String, value: &Value, escape: Escape) -> Result<(), RenderError> {
    match (escape, value) {
        (Escape::None, Value::String(text)) => append(out, text),
        (Escape::None, _) => append(out, &plain(value)),
        (Escape::UrlQuery, _) => append(out, &percent_encoded(&plain(value))),
        (Escape::Json, Value::String(_)) => {
            let quoted = value.to_string();
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            append(out, inner.unwrap_or(&quoted))
        }
        (Escape::Json, _) => append(out, &value.to_string()),
        (Escape::Xml, _) => append(out, &in_xml(&plain(value))),
    }
}

/// The value as text: scalars as they are, `null` empty, lists and objects as compact JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A text as it stands between tags and in quotes of XML 1.0.
pub(super) fn in_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(character),
            // What XML 1.0 cannot hold in any spelling (section 2.2).
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out
}

/// A text as a cell of comma-separated values (RFC 4180).
pub(super) fn in_csv(text: &str) -> String {
    if text.contains([',', ';', '\t', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

pub(super) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_escapes_in_its_own_way() {
        for (value, xml) in [
            (json!("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;"),
            (json!("]]><!--"), "]]&gt;&lt;!--"),
            (json!("a\u{0}\u{1f}b\n"), "a\u{FFFD}\u{FFFD}b\n"),
            (json!(7), "7"),
            (json!(null), ""),
        ] {
            let mut out = String::new();
            append_value(&mut out, &value, Escape::Xml).unwrap();
            assert_eq!(out, xml, "{value}");
        }
        for (value, none, url, inside_json) in [
            (json!("a b"), "a b", "a%20b", "a b"),
            (json!("ä/\"\n"), "ä/\"\n", "%C3%A4%2F%22%0A", "ä/\\\"\\n"),
            (json!("{{x}}<&>"), "{{x}}<&>", "%7B%7Bx%7D%7D%3C%26%3E", "{{x}}<&>"),
            (json!(null), "", "", "null"),
            (json!(true), "true", "true", "true"),
            (json!(1.0), "1.0", "1.0", "1.0"),
            (
                json!(12_345_678_901_234_567_890_u64),
                "12345678901234567890",
                "12345678901234567890",
                "12345678901234567890",
            ),
            (json!([1, {"a": "b"}]), r#"[1,{"a":"b"}]"#, "%5B1%2C%7B%22a%22%3A%22b%22%7D%5D", r#"[1,{"a":"b"}]"#),
        ] {
            for (escape, expected) in [(Escape::None, none), (Escape::UrlQuery, url), (Escape::Json, inside_json)] {
                let mut out = String::new();
                append_value(&mut out, &value, escape).unwrap();
                assert_eq!(out, expected, "{value} {escape:?}");
            }
        }
    }
}
