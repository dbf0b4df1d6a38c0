//! Floor 5. Finds the one sentence in an error answer that helps a model: never the page around
//! it (rest.md §9.9).

use serde_json::{Map, Value};

use super::body::{Answer, ContentKind};

/// Longest reason, in bytes.
const MAX_REASON: usize = 1024;

/// How deep a message is looked for: `{"error":{"errors":[{"message":…}]}}` is three.
const MAX_DEPTH: usize = 4;

/// Where APIs put their message, the telling ones first.
const MESSAGES: [&str; 10] = [
    "message",
    "error_description",
    "error_message",
    "error",
    "errors",
    "detail",
    "details",
    "reason",
    "msg",
    "description",
];

/// What an error answer says is wrong: the title and detail of a problem (RFC 9457), or the first
/// message found where APIs usually put it, or a plain text of one line. At most 1 KiB, without
/// markup and control characters. `None` when there is no such sentence.
#[must_use]
pub fn explain(answer: &Answer) -> Option<String> {
    let found = match answer.kind {
        ContentKind::Json => in_value(&serde_json::from_slice(&answer.body).ok()?, MAX_DEPTH)?,
        ContentKind::Text => in_text(&answer.text())?,
        ContentKind::Html | ContentKind::Empty | ContentKind::Binary | ContentKind::Unreadable(_) => return None,
    };
    cleaned(&found)
}

/// A message of an API as one line of plain text, at most 1 KiB; `None` when nothing is left of it.
#[must_use]
pub fn plain_reason(text: &str) -> Option<String> {
    cleaned(text)
}

fn in_text(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with(['{', '[']) {
        return in_value(&serde_json::from_str(text).ok()?, MAX_DEPTH);
    }
    // More than a line is a page or a stack trace.
    (!text.contains('\n') && text.len() <= MAX_REASON).then(|| text.to_owned())
}

fn in_value(value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(items) => items.iter().find_map(|item| in_value(item, depth)),
        Value::Object(map) => in_object(map, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn in_object(map: &Map<String, Value>, depth: usize) -> Option<String> {
    let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    if let Some(title) = text("title") {
        let told = text("detail").map_or_else(|| title.to_owned(), |detail| format!("{title}: {detail}"));
        // A problem may say in `errors` which field is at fault, which its title does not.
        return Some(match map.get("errors").and_then(|errors| named(errors, depth)) {
            Some(field) => format!("{told} ({field})"),
            None => told,
        });
    }
    if let (Some(code), Some(description)) = (text("error"), text("error_description")) {
        return Some(format!("{code}: {description}"));
    }
    MESSAGES.iter().find_map(|key| {
        let value = map.get(*key)?;
        in_value(value, depth).or_else(|| named(value, depth))
    })
}

/// The first message of an object that holds messages by the name of the field they are about.
fn named(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::Object(map) => {
            map.iter().find_map(|(field, value)| Some(format!("{field}: {}", in_value(value, depth)?)))
        }
        _ => in_value(value, depth),
    }
}

/// One line of plain text, cut to the limit.
fn cleaned(text: &str) -> Option<String> {
    let lower = text.get(..text.len().min(MAX_REASON)).unwrap_or(text).to_ascii_lowercase();
    if ["<!doctype", "<html", "<script", "<style", "<head", "<body"].iter().any(|it| lower.contains(it)) {
        return None;
    }
    let mut out = String::new();
    let mut in_tag = false;
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        if out.len() >= MAX_REASON {
            break;
        }
        match next {
            '<' if chars.peek().is_some_and(|it| it.is_ascii_alphabetic() || matches!(it, '/' | '!')) => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag || is_hidden(next) => {}
            _ if next.is_whitespace() || next.is_control() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ => out.push(next),
        }
    }
    while out.len() > MAX_REASON {
        out.pop();
    }
    out.truncate(out.trim_end().len());
    (!out.is_empty()).then_some(out)
}

/// Characters that people do not see and models read: zero-width, direction and tag characters.
const fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::document::Charset;

    fn reason(kind: ContentKind, body: &str) -> Option<String> {
        explain(&Answer {
            status: 400,
            kind,
            charset: Charset::UTF_8,
            body: Bytes::copy_from_slice(body.as_bytes()),
            retry_after: None,
            location: None,
            origin: None,
            unfinished: None,
            headers: http::HeaderMap::new(),
        })
    }

    #[test]
    fn the_sentence_is_found_where_apis_put_it() {
        for (body, expected) in [
            (r#"{"type":"x","title":"Not found","detail":"No order 7"}"#, Some("Not found: No order 7")),
            (r#"{"title":"Not found","status":404}"#, Some("Not found")),
            (
                r#"{"title":"One or more validation errors occurred.","errors":{"Name":["The Name field is required."]}}"#,
                Some("One or more validation errors occurred. (Name: The Name field is required.)"),
            ),
            (r#"{"message":"Not Found","documentation_url":"https://x"}"#, Some("Not Found")),
            (r#"{"error":"invalid_grant","error_description":"Token expired"}"#, Some("invalid_grant: Token expired")),
            (r#"{"error":{"code":400,"message":"No such customer","type":"invalid"}}"#, Some("No such customer")),
            (r#"{"errors":[{"message":"Bad field"},{"message":"b"}]}"#, Some("Bad field")),
            (r#"{"errors":["is too short"]}"#, Some("is too short")),
            (r#"{"errors":{"name":["can't be blank"]}}"#, Some("name: can't be blank")),
            (r#"{"error":true,"reason":"Latitude must be in range"}"#, Some("Latitude must be in range")),
            (r#"{"detail":[{"loc":["query","q"],"msg":"field required"}]}"#, Some("field required")),
            (r#"{"ok":false,"error":"channel_not_found"}"#, Some("channel_not_found")),
            (r#""plain""#, Some("plain")),
            (r#"{"code":7}"#, None),
            (r#"{"message":""}"#, None),
            ("[]", None),
            ("not json", None),
        ] {
            assert_eq!(reason(ContentKind::Json, body).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn pages_markup_and_hidden_characters_are_dropped() {
        for (kind, body, expected) in [
            (ContentKind::Text, "Not found: order 7\n", Some("Not found: order 7")),
            (ContentKind::Text, r#"{"message":"as text"}"#, Some("as text")),
            (ContentKind::Text, "Traceback (most recent call last):\n  File \"/srv/app.py\"", None),
            (ContentKind::Text, "<!DOCTYPE html><title>x</title>", None),
            (ContentKind::Html, "<p>Not found</p>", None),
            (ContentKind::Binary, "\u{1}\u{2}", None),
            (ContentKind::Empty, "", None),
            (ContentKind::Json, r#"{"message":"<b>Bad</b> value: 1 < 2"}"#, Some("Bad value: 1 < 2")),
            (ContentKind::Json, r#"{"message":"<html><body>x"}"#, None),
            (ContentKind::Json, r#"{"message":"a\r\n\u0000b\u001b[31m\u200bc\u202e"}"#, Some("a b [31mc")),
        ] {
            assert_eq!(reason(kind, body).as_deref(), expected, "{body:?}");
        }
        let long = format!(r#"{{"message":"{}"}}"#, "ä".repeat(5000));
        assert_eq!(reason(ContentKind::Json, &long).unwrap().len(), MAX_REASON);
        let deep = format!("{}{}{}", r#"{"error":"#.repeat(50), r#""x""#, "}".repeat(50));
        assert_eq!(reason(ContentKind::Json, &deep), None);
    }
}
