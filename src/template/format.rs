//! Floor 2. How dates, numbers, cut texts and tables are written for people and models.

use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::MAX_OUTPUT;
use super::print::plain;

/// From here on a number of seconds would lie past the year 5000: such numbers are milliseconds.
const FIRST_MILLIS: f64 = 1e11;

const MAX_DECIMALS: usize = 20;

/// A `strftime` format.
pub(super) fn date_format(value: &Value) -> Result<&str, String> {
    let format = value.as_str().ok_or_else(|| "the format is a text such as \"%d %B %Y\"".to_owned())?;
    if StrftimeItems::new(format).any(|item| matches!(item, Item::Error)) {
        return Err(format!("the format `{format}` has an unknown `%` code"));
    }
    Ok(format)
}

/// Writes an ISO 8601 or epoch time; a time without offset is taken as UTC.
pub(super) fn date(value: &Value, format: &str) -> Result<String, String> {
    let time = instant(value).ok_or_else(|| format!("`{}` is no date or time", shown(value)))?;
    let mut out = String::new();
    write!(out, "{}", time.format(format)).map_err(|_| format!("the format `{format}` cannot be written"))?;
    Ok(out)
}

fn instant(value: &Value) -> Option<DateTime<FixedOffset>> {
    match value {
        Value::Number(number) => epoch(number.as_f64()?),
        Value::String(text) => parse_time(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn epoch(number: f64) -> Option<DateTime<FixedOffset>> {
    let millis = if number.abs() < FIRST_MILLIS { number * 1000.0 } else { number };
    let whole: i64 = format!("{millis:.0}").parse().ok()?;
    DateTime::from_timestamp_millis(whole).map(|time| time.fixed_offset())
}

fn parse_time(text: &str) -> Option<DateTime<FixedOffset>> {
    let offset = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let utc = |time: NaiveDateTime| time.and_utc().fixed_offset();
    DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| offset.iter().find_map(|f| DateTime::parse_from_str(text, f).ok()))
        .or_else(|| local.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok()).map(utc))
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(utc))
        .or_else(|| DateTime::parse_from_rfc2822(text).ok())
        .or_else(|| Some(text).filter(|text| text.len() >= 9)?.parse().ok().and_then(epoch))
}

/// How many decimals to write.
pub(super) fn decimals(value: &Value) -> Result<usize, String> {
    whole(value)
        .filter(|count| *count <= MAX_DECIMALS)
        .ok_or_else(|| format!("the decimals are a number from 0 to {MAX_DECIMALS}"))
}

/// How many characters to keep.
pub(super) fn length(value: &Value) -> Result<usize, String> {
    whole(value).filter(|count| *count > 0).ok_or_else(|| "the length is a positive number".to_owned())
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|count| usize::try_from(count).ok())
}

/// Writes a number with thousands separated: `1,234,567.50`. Works on the digits, so decimals
/// from SQL and numbers past 2^53 stay exact; half is rounded away from zero.
pub(super) fn number(value: &Value, decimals: Option<usize>) -> Result<String, String> {
    let refused = || format!("`{}` is no number", shown(value));
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(refused()),
    };
    let text = if text.contains(['e', 'E']) {
        let float: f64 = text.parse().map_err(|_| refused())?;
        float.to_string()
    } else {
        text
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if integer.is_empty() || !all_digits(integer) || !all_digits(fraction) {
        return Err(refused());
    }
    let (integer, fraction) = rounded(integer, fraction, decimals.unwrap_or(fraction.len()));
    let zero = integer.bytes().chain(fraction.bytes()).all(|byte| byte == b'0');
    let mut out = String::new();
    if negative && !zero {
        out.push('-');
    }
    for (index, digit) in integer.chars().enumerate() {
        if index > 0 && (integer.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(&fraction);
    }
    Ok(out)
}

fn rounded(integer: &str, fraction: &str, decimals: usize) -> (String, String) {
    let kept = fraction.chars().chain(std::iter::repeat('0')).take(decimals);
    let mut digits: Vec<u8> = integer.bytes().chain(kept.map(|c| u8::try_from(c).unwrap_or(b'0'))).collect();
    let up = fraction.as_bytes().get(decimals).is_some_and(|next| *next >= b'5');
    if up {
        let mut carried = true;
        for digit in digits.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                carried = false;
                break;
            }
            *digit = b'0';
        }
        if carried {
            digits.insert(0, b'1');
        }
    }
    let border = digits.len().saturating_sub(decimals);
    let part = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let (left, right) = digits.split_at_checked(border).unwrap_or((&digits, &[]));
    (part(left), part(right))
}

/// Keeps at most `length` characters, the last one an ellipsis where text was cut.
pub(super) fn truncate(text: &str, length: usize) -> String {
    if text.chars().nth(length).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Writes rows as a Markdown table. Without `columns` it has every key in the order of first
/// sight; rows that are no objects stand in one column `value`. No rows and no columns give an
/// empty text. `None` past the limit of a template's result.
#[must_use]
pub fn render_table(rows: &[Value], columns: &[String]) -> Option<String> {
    let columns = if columns.is_empty() { keys(rows) } else { columns.to_vec() };
    if columns.is_empty() {
        return Some(String::new());
    }
    let mut out = String::new();
    line(&mut out, columns.iter().map(|name| cell(name)))?;
    line(&mut out, columns.iter().map(|_| "---".to_owned()))?;
    for row in rows {
        let cells = columns.iter().map(|name| match row {
            Value::Object(map) => map.get(name).map_or_else(String::new, |value| cell(&plain(value))),
            other if name == "value" => cell(&plain(other)),
            _ => String::new(),
        });
        line(&mut out, cells)?;
    }
    Some(out)
}

fn keys(rows: &[Value]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for row in rows {
        let mut add = |key: &str| {
            if seen.insert(key.to_owned()) {
                keys.push(key.to_owned());
            }
        };
        match row {
            Value::Object(map) => map.keys().for_each(|key| add(key)),
            _ => add("value"),
        }
    }
    keys
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) -> Option<()> {
    out.push('|');
    for cell in cells {
        out.push(' ');
        out.push_str(&cell);
        out.push_str(" |");
        if out.len() > MAX_OUTPUT {
            return None;
        }
    }
    out.push('\n');
    Some(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\r\n", "<br>").replace(['\n', '\r'], "<br>")
}

fn shown(value: &Value) -> String {
    truncate(&plain(value), 40)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded_on_their_digits() {
        for (value, decimals, expected) in [
            (json!(0), None, Some("0")),
            (json!(999), None, Some("999")),
            (json!(1234), None, Some("1,234")),
            (json!(-1_234_567.891), None, Some("-1,234,567.891")),
            (json!(1234.5), Some(2), Some("1,234.50")),
            (json!(999.995), Some(2), Some("1,000.00")),
            (json!(-0.001), Some(2), Some("0.00")),
            (json!(2.5), Some(0), Some("3")),
            (json!("12345678901234567890.12"), Some(1), Some("12,345,678,901,234,567,890.1")),
            (json!(1e21), None, Some("1,000,000,000,000,000,000,000")),
            (json!("abc"), None, None),
            (json!(""), None, None),
            (json!("1,5"), None, None),
            (json!(true), None, None),
        ] {
            assert_eq!(number(&value, decimals).ok().as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn times_are_read_in_the_usual_notations() {
        for (value, expected) in [
            (json!("2024-02-29"), Some("2024-02-29 00:00")),
            (json!("2024-02-29T12:30:00Z"), Some("2024-02-29 12:30")),
            (json!("2024-02-29T12:30:00+02:00"), Some("2024-02-29 12:30")),
            (json!("2024-02-29 12:30:00.123"), Some("2024-02-29 12:30")),
            (json!("2024-02-29 12:30:00+00"), Some("2024-02-29 12:30")),
            (json!("2024-02-29T12:30"), Some("2024-02-29 12:30")),
            (json!("Thu, 29 Feb 2024 12:30:00 GMT"), Some("2024-02-29 12:30")),
            (json!(1_709_209_800), Some("2024-02-29 12:30")),
            (json!(1_709_209_800_000_i64), Some("2024-02-29 12:30")),
            (json!("1709209800"), Some("2024-02-29 12:30")),
            (json!("2024-02-30"), None),
            (json!("soon"), None),
            (json!(1e300), None),
            (json!([1]), None),
        ] {
            assert_eq!(date(&value, "%Y-%m-%d %H:%M").ok().as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn texts_are_cut_at_characters() {
        for (text, length, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ab cd", 4, "ab…"),
            ("äöü", 2, "ä…"),
            ("x", 1, "x"),
            ("xy", 1, "…"),
        ] {
            assert_eq!(truncate(text, length), expected, "{text} {length}");
        }
    }

    #[test]
    fn tables_escape_what_would_break_them() {
        let rows = [json!({"a": 1, "b": "x|y\nz"}), json!({"a": null, "c": [1]}), json!("s")];
        for (rows, columns, expected) in [
            (&rows[..2], vec![], "| a | b | c |\n| --- | --- | --- |\n| 1 | x\\|y<br>z |  |\n|  |  | [1] |\n"),
            (&rows[..1], vec!["b".to_owned()], "| b |\n| --- |\n| x\\|y<br>z |\n"),
            (&rows[2..], vec![], "| value |\n| --- |\n| s |\n"),
            (&rows[..0], vec![], ""),
            (&rows[..0], vec!["a".to_owned()], "| a |\n| --- |\n"),
        ] {
            assert_eq!(render_table(rows, &columns).as_deref(), Some(expected));
        }
    }
}
