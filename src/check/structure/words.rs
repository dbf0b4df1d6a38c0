//! Floor 4. The words of structural faults: what was wanted, what stands there, what to write.

use std::fmt;

use regex::Regex;
use serde_json::Value;

use crate::{
    diag::{closest, near},
    text::Span,
    yaml::{Core, Kind, Node, Scalar, Style},
};

/// Words of other formats for the same thing.
const ALIASES: [(&str, &str); 14] = [
    ("bool", "boolean"),
    ("dict", "object"),
    ("double", "number"),
    ("float", "number"),
    ("int", "integer"),
    ("list", "array"),
    ("map", "object"),
    ("max", "maximum"),
    ("max_length", "maxLength"),
    ("min", "minimum"),
    ("min_length", "minLength"),
    ("regex", "pattern"),
    ("str", "string"),
    ("url", "base_url"),
];

/// Words of other formats for what is most often the same thing.
const LIKELY: [(&str, &str); 6] = [
    ("args", "params"),
    ("arguments", "params"),
    ("body", "json"),
    ("endpoint", "base_url"),
    ("parameters", "params"),
    ("token", "bearer"),
];

/// What a value is called in messages, and where a fault of the whole value is shown.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The key it stands under, or the list is in.
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) span: Span,
}

/// What a value is to the key it is named after.
#[derive(Clone, Copy)]
pub(super) enum Role {
    File,
    Key,
    Item,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::File => formatter.write_str("the file"),
            Role::Key => write!(formatter, "`{}`", self.name),
            Role::Item => write!(formatter, "an item of `{}`", self.name),
        }
    }
}

/// The known word that was meant.
pub(super) fn meant<'a>(given: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let alias = ALIASES.iter().chain(&LIKELY).find(|(other, _)| *other == given).map(|(_, ours)| *ours);
    known.clone().find(|name| Some(*name) == alias).or_else(|| closest(given, known))
}

/// Whether no second known word can have been meant.
pub(super) fn is_alone(given: &str, known: &[&str]) -> bool {
    ALIASES.iter().any(|(other, _)| *other == given) || near(given, known.iter().copied()).count() == 1
}

pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// A JSON type in plain words.
pub(super) fn kind(name: &str) -> &'static str {
    match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    }
}

pub(super) fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Map(_) => "a mapping".into(),
        Kind::List(_) => "a list".into(),
        Kind::Faulty => "what stands here".into(),
        Kind::Scalar(scalar) if scalar.is_interpolated() => "what the variable holds".into(),
        Kind::Scalar(scalar) => match scalar.core() {
            Core::Null => "nothing".into(),
            Core::Bool(value) => format!("{value}"),
            Core::Number(_) => format!("the number {}", scalar.text),
            Core::TooLarge => "a number beyond 64 bits".into(),
            Core::Text => "text".into(),
        },
    }
}

pub(super) fn is_old_boolean(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n")
}

/// What to write so that the value becomes what the key wants: a sentence, and the text.
pub(super) fn repair(scalar: &Scalar, wanted: &[&str], schema: &Value) -> Option<(String, String)> {
    let text = scalar.text.as_str();
    let numeric = wanted.contains(&"integer") || wanted.contains(&"number");
    match scalar.core() {
        Core::Number(_) | Core::TooLarge | Core::Bool(_) if wanted.contains(&"string") => as_text(text, schema),
        Core::Text if wanted.contains(&"boolean") && is_old_boolean(text) => {
            let yes = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on" | "y").to_string();
            Some((format!("write `{yes}`"), yes))
        }
        Core::Text if numeric && scalar.style == Style::Quoted && matches!(Core::of(text), Core::Number(_)) => {
            Some(("leave the quotes out".into(), text.to_owned()))
        }
        Core::Null | Core::Bool(_) | Core::Number(_) | Core::TooLarge | Core::Text => None,
    }
}

/// A number in quotes, or with the unit it lacks; nothing where neither would be accepted.
fn as_text(text: &str, schema: &Value) -> Option<(String, String)> {
    let in_quotes = || ("put it in quotes".to_owned(), format!("\"{text}\""));
    let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else {
        // What is expected in words of its own is more than any text.
        return schema.get("x-expected").is_none().then(in_quotes);
    };
    let pattern = Regex::new(pattern).ok()?;
    if pattern.is_match(text) {
        return Some(in_quotes());
    }
    let with_unit = ["s", "B"].map(|unit| format!("{text}{unit}"));
    with_unit.into_iter().find(|text| pattern.is_match(text)).map(|text| (format!("write `{text}`"), text))
}

/// Ends of amounts as people write them, and as the format does.
const UNITS: [(&str, &str); 24] = [
    ("persecond", "/s"),
    ("/second", "/s"),
    ("/sec", "/s"),
    ("perminute", "/min"),
    ("/minute", "/min"),
    ("/m", "/min"),
    ("perhour", "/h"),
    ("/hour", "/h"),
    ("milliseconds", "ms"),
    ("seconds", "s"),
    ("second", "s"),
    ("secs", "s"),
    ("sec", "s"),
    ("minutes", "m"),
    ("minute", "m"),
    ("mins", "m"),
    ("min", "m"),
    ("hours", "h"),
    ("hour", "h"),
    ("days", "d"),
    ("day", "d"),
    ("kb", "KiB"),
    ("mb", "MiB"),
    ("gb", "GiB"),
];

/// The text in another form that the pattern accepts: an amount with the unit of the format, a name without blanks
/// and capitals, an address with its scheme.
pub(super) fn reshaped(text: &str, pattern: &str) -> Option<String> {
    let pattern = Regex::new(pattern).ok()?;
    let joined: String = text.split_whitespace().collect::<String>().to_ascii_lowercase();
    let amounts = UNITS.iter().filter_map(|(theirs, ours)| Some(format!("{}{ours}", joined.strip_suffix(theirs)?)));
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let name = Some(name).filter(|name| name.starts_with(|it: char| it.is_ascii_alphabetic()));
    let address = (text.contains('.') && !text.contains("://")).then(|| format!("https://{text}"));
    let all = name.into_iter().chain([joined.clone()]).chain(amounts).chain(address);
    all.filter(|instead| instead != text).find(|instead| pattern.is_match(instead))
}
