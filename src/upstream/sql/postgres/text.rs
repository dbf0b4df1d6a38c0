//! Floor 5. From the text of a value, as the server's own output functions write it, to JSON. The
//! text forms are PostgreSQL's: arrays in braces, composite values in parentheses. Whatever is not
//! of the form that is expected stands as text: nothing is lost. Reference: `sql.md` §9.1.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    super::row::{MAX_EXACT, is_safe_json, write_json},
    shape::Shape,
};

/// How deep arrays and composite values are read.
const MAX_DEPTH: usize = 32;

/// Adds the JSON of a value; `None` is NULL.
pub(super) fn write(out: &mut Vec<u8>, value: Option<&[u8]>, shape: &Shape) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(text) => write_at(out, text, shape, 0),
    }
}

fn write_at(out: &mut Vec<u8>, text: &[u8], shape: &Shape, depth: usize) {
    match shape {
        Shape::Boolean => out.extend_from_slice(if text == b"t" { b"true" } else { b"false" }),
        Shape::Integer => out.extend_from_slice(text),
        Shape::Long if is_exact(text) => out.extend_from_slice(text),
        Shape::Float if is_number(text) => out.extend_from_slice(text),
        Shape::Json => match std::str::from_utf8(text) {
            Ok(json) if is_safe_json(json) => out.extend_from_slice(json.trim_ascii().as_bytes()),
            _ => write_text(out, text),
        },
        Shape::Vector => match std::str::from_utf8(text) {
            Ok(json) if json.starts_with('[') && is_safe_json(json) => out.extend_from_slice(text),
            _ => write_text(out, text),
        },
        Shape::Bytes => write_bytes(out, text),
        Shape::Timestamp | Shape::TimestampTz => write_timestamp(out, text),
        Shape::Array(item, delimiter) if depth < MAX_DEPTH => {
            let start = out.len();
            if array(out, text, (item, *delimiter), depth).is_none() {
                out.truncate(start);
                write_text(out, text);
            }
        }
        Shape::Record(fields) if depth < MAX_DEPTH => {
            let start = out.len();
            if record(out, text, fields, depth).is_none() {
                out.truncate(start);
                write_text(out, text);
            }
        }
        Shape::Long
        | Shape::Float
        | Shape::Decimal
        | Shape::Uuid
        | Shape::Text
        | Shape::Array(..)
        | Shape::Record(_) => write_text(out, text),
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => write_json(out, text),
        Err(_) => write_json(out, &String::from_utf8_lossy(text)),
    }
}

fn is_exact(text: &[u8]) -> bool {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    number.is_some_and(|number| number.unsigned_abs() <= MAX_EXACT)
}

/// Everything but `NaN` and the infinities is written as JSON writes it.
fn is_number(text: &[u8]) -> bool {
    text.last().is_some_and(u8::is_ascii_digit)
}

/// `\x00ff` as base64.
fn write_bytes(out: &mut Vec<u8>, text: &[u8]) {
    let Some(hex) = text.strip_prefix(b"\\x") else { return write_text(out, text) };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    match pairs.collect::<Option<Vec<u8>>>() {
        Some(bytes) => write_json(out, &STANDARD.encode(bytes)),
        None => write_text(out, text),
    }
}

/// `2026-01-02 03:04:05.1+00` as `2026-01-02T03:04:05.1Z`. Infinities stand as they are, and years
/// before our era keep their `BC` at the end.
fn write_timestamp(out: &mut Vec<u8>, text: &[u8]) {
    let Some(space) = text.iter().position(|byte| *byte == b' ') else { return write_text(out, text) };
    let (date, rest) = text.split_at(space);
    let rest = rest.get(1..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let (clock, era) = rest.split_at(end);
    let sign = clock.iter().position(|byte| matches!(byte, b'+' | b'-')).unwrap_or(clock.len());
    let (time, offset) = clock.split_at(sign);
    let mut whole = Vec::with_capacity(text.len() + 8);
    for part in [date, b"T", time] {
        whole.extend_from_slice(part);
    }
    match offset {
        b"+00" => whole.push(b'Z'),
        // Offsets in whole hours have no minutes.
        [_, _, _] => {
            whole.extend_from_slice(offset);
            whole.extend_from_slice(b":00");
        }
        _ => whole.extend_from_slice(offset),
    }
    whole.extend_from_slice(era);
    write_text(out, &whole);
}

/// Goes through a text byte by byte.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// What stands up to one of the bytes, unquoted. The flag says whether there were quotes.
    fn item(&mut self, ends: &[u8]) -> Option<(Vec<u8>, Quotes)> {
        let mut item = Vec::new();
        let mut quotes = Quotes::None;
        let mut is_inside = false;
        loop {
            let byte = self.peek()?;
            if !is_inside && ends.contains(&byte) {
                return Some((item, quotes));
            }
            self.at += 1;
            match byte {
                b'\\' => {
                    item.push(self.peek()?);
                    self.at += 1;
                }
                // In a composite value a doubled quote stands for itself.
                b'"' if is_inside && self.peek() == Some(b'"') => {
                    item.push(b'"');
                    self.at += 1;
                }
                b'"' => {
                    is_inside = !is_inside;
                    quotes = Quotes::Some;
                }
                _ => item.push(byte),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Some,
}

fn array(out: &mut Vec<u8>, text: &[u8], (item, delimiter): (&Shape, u8), depth: usize) -> Option<()> {
    // `[0:1]={…}`: bounds that do not begin at 1 have no place in JSON.
    let start = match text.first()? {
        b'[' => text.iter().position(|byte| *byte == b'=')? + 1,
        _ => 0,
    };
    let mut cursor = Cursor { text, at: start };
    dimension(out, &mut cursor, (item, delimiter), depth)?;
    (cursor.at == text.len()).then_some(())
}

fn dimension(out: &mut Vec<u8>, cursor: &mut Cursor<'_>, (item, delimiter): (&Shape, u8), depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    cursor.take(b'{')?;
    out.push(b'[');
    if cursor.take(b'}').is_some() {
        out.push(b']');
        return Some(());
    }
    loop {
        if cursor.peek()? == b'{' {
            dimension(out, cursor, (item, delimiter), depth + 1)?;
        } else {
            let (value, quotes) = cursor.item(&[delimiter, b'}'])?;
            if quotes == Quotes::None && value.eq_ignore_ascii_case(b"NULL") {
                out.extend_from_slice(b"null");
            } else {
                write_at(out, &value, item, depth + 1);
            }
        }
        if cursor.take(delimiter).is_some() {
            out.push(b',');
        } else {
            cursor.take(b'}')?;
            out.push(b']');
            return Some(());
        }
    }
}

fn record(out: &mut Vec<u8>, text: &[u8], fields: &[(String, std::sync::Arc<Shape>)], depth: usize) -> Option<()> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.take(b'(')?;
    out.push(b'{');
    for (at, (name, shape)) in fields.iter().enumerate() {
        if at > 0 {
            cursor.take(b',')?;
            out.push(b',');
        }
        write_json(out, name);
        out.push(b':');
        let (value, quotes) = cursor.item(b",)")?;
        if value.is_empty() && quotes == Quotes::None {
            out.extend_from_slice(b"null");
        } else {
            write_at(out, &value, shape, depth + 1);
        }
    }
    cursor.take(b')')?;
    out.push(b'}');
    (cursor.at == text.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn list(item: Shape) -> Shape {
        Shape::Array(Arc::new(item), b',')
    }

    #[test]
    fn texts_become_json() {
        let pair = || Shape::Record(vec![("a".into(), Arc::new(Shape::Long)), ("b c".into(), Arc::new(Shape::Text))]);
        for (shape, text, expected) in [
            (Shape::Boolean, "t", "true"),
            (Shape::Integer, "-7", "-7"),
            (Shape::Long, "9007199254740991", "9007199254740991"),
            (Shape::Long, "9007199254740992", "\"9007199254740992\""),
            (Shape::Long, "-9223372036854775808", "\"-9223372036854775808\""),
            (Shape::Float, "1e-05", "1e-05"),
            (Shape::Float, "NaN", "\"NaN\""),
            (Shape::Float, "-Infinity", "\"-Infinity\""),
            (Shape::Decimal, "1.10", "\"1.10\""),
            (Shape::Bytes, "\\x00ff10", "\"AP8Q\""),
            (Shape::Bytes, "\\x", "\"\""),
            (Shape::Json, r#"{"b": 1, "a": 12345678901234567890}"#, r#"{"b": 1, "a": 12345678901234567890}"#),
            (Shape::Timestamp, "2026-01-02 03:04:05.123456", "\"2026-01-02T03:04:05.123456\""),
            (Shape::Timestamp, "0044-03-15 10:00:00 BC", "\"0044-03-15T10:00:00 BC\""),
            (Shape::Timestamp, "infinity", "\"infinity\""),
            (Shape::TimestampTz, "2026-01-02 03:04:05+00", "\"2026-01-02T03:04:05Z\""),
            (Shape::TimestampTz, "2026-01-02 03:04:05.5+05:30", "\"2026-01-02T03:04:05.5+05:30\""),
            (Shape::TimestampTz, "2026-01-02 03:04:05-03", "\"2026-01-02T03:04:05-03:00\""),
            (Shape::TimestampTz, "0044-03-15 10:00:00+00 BC", "\"0044-03-15T10:00:00Z BC\""),
            (Shape::Vector, "[1,2.5]", "[1,2.5]"),
            (Shape::Vector, "{1:2}/3", "\"{1:2}/3\""),
            (list(Shape::Integer), "{{1,2},{NULL,4}}", "[[1,2],[null,4]]"),
            (list(Shape::Integer), "{}", "[]"),
            (list(Shape::Integer), "[0:1]={7,8}", "[7,8]"),
            (list(Shape::Text), r#"{"a,b","NULL",NULL,"q\"\\","",x y}"#, r#"["a,b","NULL",null,"q\"\\","","x y"]"#),
            (list(Shape::Text), "{a", "\"{a\""),
            (list(Shape::Json), r#"{"{\"a\": [1]}"}"#, r#"[{"a": [1]}]"#),
            (pair(), r#"(1,"x ""y"" z")"#, r#"{"a":1,"b c":"x \"y\" z"}"#),
            (pair(), "(,)", r#"{"a":null,"b c":null}"#),
            (pair(), r#"(,"")"#, r#"{"a":null,"b c":""}"#),
            (pair(), "(1,2,3)", "\"(1,2,3)\""),
            (list(pair()), r#"{"(1,\"a b\")","(2,)"}"#, r#"[{"a":1,"b c":"a b"},{"a":2,"b c":null}]"#),
        ] {
            let mut out = Vec::new();
            write(&mut out, Some(text.as_bytes()), &shape);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{shape:?} {text}");
        }
        let mut out = Vec::new();
        write(&mut out, None, &Shape::Text);
        assert_eq!(out, b"null");
        out.clear();
        write(&mut out, Some(b"a\xff"), &Shape::Text);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\u{fffd}\"");
    }
}
