//! Floor 2. Schemas and values in words a model can act on: what was given, what is accepted.

use serde_json::Value;

use super::{coerce::Step, plan::type_names};
use crate::diag::closest;

/// How many characters of a given value are shown.
const GIVEN_MAX: usize = 80;
/// How many options, names or forms are listed.
const LISTED_MAX: usize = 20;
/// How deeply the forms of a composition are described.
const FORMS_DEPTH: usize = 2;

/// What a decimal is, by example.
pub(super) const DECIMAL: &str = "a decimal number such as 12.50";

/// `text`, cut to the length that is shown.
pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(GIVEN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `text`, cut to a length that still lets a long pattern or message through.
pub(super) fn clipped_long(text: &str) -> String {
    match text.char_indices().nth(4 * GIVEN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `1 item`, `2 items`.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A given string, quoted and cut.
pub(super) fn given_text(text: &str) -> String {
    // One more character than is shown keeps the quoting of long text cheap.
    let start: String = text.chars().take(GIVEN_MAX + 1).collect();
    clipped(&Value::String(start).to_string())
}

/// A given value as JSON, cut.
pub(super) fn given(value: &Value) -> String {
    match value {
        Value::String(text) => given_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            clipped(&value.to_string())
        }
    }
}

/// The predicate for an integer that JSON cannot hold exactly.
pub(super) fn out_of_range(given: &str) -> String {
    format!("must be an integer from {} to {}, but {given} was given.", i64::MIN, u64::MAX)
}

/// The predicate for what is no 64-bit integer.
pub(super) fn not_int64(given: &str) -> String {
    format!("must be an integer from {} to {}, but {given} was given.", i64::MIN, i64::MAX)
}

/// The way to a value: `filters.ids[2]`, or nothing for the arguments as a whole.
pub(super) fn path<'s>(steps: impl IntoIterator<Item = &'s Step>) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Name(name) if path.is_empty() => path.push_str(&clipped(name)),
            Step::Name(name) => {
                path.push('.');
                path.push_str(&clipped(name));
            }
            Step::Index(at) => {
                path.push('[');
                path.push_str(&at.to_string());
                path.push(']');
            }
        }
    }
    path
}

/// A sentence about the argument at `path`.
pub(super) fn about(path: &str, predicate: &str) -> String {
    if path.is_empty() {
        format!("The arguments as a whole: this {predicate}")
    } else {
        format!("`{path}` {predicate}")
    }
}

/// `one of "a", "b"`, or the only one.
pub(super) fn options(options: &[&Value]) -> String {
    match options {
        [only] => given(only),
        _ => format!("one of {}", list(options.iter().map(|it| given(it)), ", ")),
    }
}

fn list(items: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    let more = items.len().saturating_sub(LISTED_MAX);
    let mut text = items.take(LISTED_MAX).collect::<Vec<_>>().join(separator);
    if more > 0 {
        text.extend([separator, "and ", &more.to_string(), " more"]);
    }
    text
}

/// ` Did you mean …?` for a text that is nearly one of the options.
pub(super) fn nearest_option(given: &Value, options: &Value) -> String {
    let known = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    let Some(text) = given.as_str() else { return String::new() };
    // Case alone is a near miss that edit distance would call equal.
    let found = known.clone().find(|name| name.eq_ignore_ascii_case(text)).or_else(|| closest(&clipped(text), known));
    found.map_or_else(String::new, |name| format!(" Did you mean {}?", given_text(name)))
}

/// The sentence for an argument that the object schema does not declare.
pub(super) fn unknown(name: &str, parent: &str, schema: Option<&Value>) -> String {
    let place = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
    let name = clipped(name);
    let known: Vec<&str> = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object)
        .map(|members| members.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let mut text = format!("There is no argument `{name}`{place}.");
    if let Some(meant) = closest(&name, known.iter().copied()) {
        text.extend([" Did you mean `", meant, "`?"]);
    }
    if known.is_empty() {
        text.push_str(" None are accepted here.");
    } else if known.len() <= LISTED_MAX {
        let names = list(known.iter().map(|name| format!("`{name}`")), ", ");
        text.extend([" The arguments are ", &names, "."]);
    }
    text
}

/// What a schema accepts, in a few words: "an integer from 1 to 10", "one of …".
pub(super) fn accepted(schema: &Value) -> String {
    accepted_within(schema, FORMS_DEPTH)
}

fn accepted_within(schema: &Value, depth: usize) -> String {
    if let Some(only) = schema.get("const") {
        return given(only);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return options(&values.iter().collect::<Vec<_>>());
    }
    let names: Vec<String> = type_names(schema).into_iter().map(|name| of_type(name, schema, depth)).collect();
    if !names.is_empty() {
        return match exact(schema, &names) {
            Some(words) => words,
            None => names.join(" or "),
        };
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(keyword).and_then(Value::as_array)
            && let Some(left) = depth.checked_sub(1)
        {
            return forms(branches, left);
        }
    }
    match schema.get("title").and_then(Value::as_str) {
        Some(title) => format!("a value for {}", clipped(title)),
        None => "another value".to_owned(),
    }
}

/// The forms of a composition, one after the other.
pub(super) fn any_form(branches: &Value) -> String {
    forms(branches.as_array().map(Vec::as_slice).unwrap_or_default(), FORMS_DEPTH)
}

fn forms(branches: &[Value], depth: usize) -> String {
    list(branches.iter().map(|branch| accepted_within(branch, depth)), "; or ")
}

fn exact(schema: &Value, names: &[String]) -> Option<String> {
    let null = if names.iter().any(|name| name == "null") { " or null" } else { "" };
    match schema.get("format").and_then(Value::as_str)? {
        "decimal" => Some(format!("{DECIMAL}{}{null}", range(schema))),
        "int64" => Some(format!("an integer{}{null}", range(schema))),
        _ => None,
    }
}

fn of_type(name: &str, schema: &Value, depth: usize) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    match name {
        "string" => format.and_then(example).map_or_else(|| "a string".to_owned(), str::to_owned),
        "integer" => format!("an integer{}", range(schema)),
        "number" => format!("a number{}", range(schema)),
        "boolean" => "true or false".to_owned(),
        "array" => match (schema.get("items"), depth.checked_sub(1)) {
            (Some(items), Some(left)) if items.is_object() => {
                format!("an array, each item {}", accepted_within(items, left))
            }
            _ => "an array".to_owned(),
        },
        "object" => match schema.get("properties").and_then(Value::as_object) {
            Some(members) if !members.is_empty() => {
                let names = members.keys().map(|name| format!("`{}`", clipped(name)));
                format!("an object with {}", list(names.collect::<Vec<_>>().into_iter(), ", "))
            }
            Some(_) | None => "an object".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn range(schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).filter(|it| it.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    }
}

/// A format with an example of it.
pub(super) fn example(format: &str) -> Option<&'static str> {
    Some(match format {
        "date" => "a date such as 2026-01-31",
        "date-time" => "a date and time with offset such as 2026-01-31T09:30:00Z",
        "time" => "a time with offset such as 09:30:00Z",
        "duration" => "an ISO 8601 duration such as P3DT12H",
        "uuid" => "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
        "email" => "an email address such as ada@example.com",
        "uri" => "an absolute URI such as https://example.com/a",
        "decimal" => DECIMAL,
        "byte" => "base64 text with padding such as aGVsbG8=",
        "ipv4" => "an IPv4 address such as 192.0.2.1",
        "ipv6" => "an IPv6 address such as 2001:db8::1",
        "hostname" => "a host name such as example.com",
        _ => return None,
    })
}
