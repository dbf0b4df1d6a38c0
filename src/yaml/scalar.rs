//! Floor 2. Scalars: the text as written, and what YAML 1.2 makes of it.

use std::ops::Range;

use serde_json::{Number, Value};

use crate::text::Span;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, a boolean or nothing.
    Plain,
    /// In quotes: always text.
    Quoted,
    /// After `|`: text, line for line.
    Literal,
    /// After `>`: text with its lines joined.
    Folded,
}

/// A scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, after `${…}` was replaced.
    pub text: String,
    /// How it was written.
    pub style: Style,
    /// The parts of the text that are values of variables, in bytes.
    pub inserted: Vec<Range<usize>>,
}

/// What the core schema of YAML 1.2 makes of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Core {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can hold exactly.
    Number(Number),
    /// A whole number beyond 64 bits: it would lose digits.
    TooLarge,
    /// Text.
    Text,
}

impl Core {
    /// Reads a plain scalar.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if let Some(core) = prefixed(digits, "0x", 16).or_else(|| prefixed(digits, "0o", 8)) {
            return core;
        }
        if digits.is_empty() || !digits.starts_with(|it: char| it.is_ascii_digit() || it == '.') {
            return Self::Text;
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = text.strip_prefix('+').unwrap_or(text);
            let whole = number.parse::<i64>().map(Number::from).or_else(|_| number.parse::<u64>().map(Number::from));
            return whole.map_or(Self::TooLarge, Self::Number);
        }
        let float = || digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
        match text.parse::<f64>().ok().filter(|_| float()).and_then(Number::from_f64) {
            Some(number) => Self::Number(number),
            None => Self::Text,
        }
    }

    /// The JSON value; `text` is what stands for [`Core::Text`].
    #[must_use]
    pub fn value(self, text: &str) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number),
            Self::TooLarge | Self::Text => Value::String(text.to_owned()),
        }
    }
}

fn prefixed(digits: &str, prefix: &str, radix: u32) -> Option<Core> {
    let digits = digits.strip_prefix(prefix).filter(|digits| !digits.is_empty())?;
    let number = u64::from_str_radix(digits, radix).map_or(Core::TooLarge, |number| Core::Number(number.into()));
    digits.chars().all(|it| it.is_digit(radix)).then_some(number)
}

impl Scalar {
    /// Whether the text holds the value of a variable.
    #[must_use]
    pub fn is_interpolated(&self) -> bool {
        !self.inserted.is_empty()
    }

    /// What YAML makes of it. A value that came from a variable is text until a key wants otherwise.
    #[must_use]
    pub fn core(&self) -> Core {
        match self.style {
            Style::Plain if !self.is_interpolated() => Core::of(&self.text),
            Style::Plain | Style::Quoted | Style::Literal | Style::Folded => Core::Text,
        }
    }

    /// The place of a part of the text, given in bytes of [`Scalar::text`]. `raw` is the text
    /// of the file at `span`, the scalar's own place. Where escapes, folding or variables make
    /// the two differ, the whole scalar is the answer.
    #[must_use]
    pub fn place(&self, part: Range<usize>, span: Span, raw: &str) -> Span {
        if self.is_interpolated() {
            return span;
        }
        let found = match self.style {
            Style::Plain => (raw == self.text).then_some(part),
            Style::Quoted => {
                let inner = raw.get(1..raw.len().saturating_sub(1));
                (inner == Some(self.text.as_str())).then_some(part.start + 1..part.end + 1)
            }
            Style::Literal => self.literal_place(&part, raw),
            Style::Folded => None,
        };
        found.map_or(span, |part| {
            let start = span.start as usize;
            Span::new(span.file, start + part.start, start + part.end)
        })
    }

    /// In a literal block every line of the text is the end of a line of the file.
    fn literal_place(&self, part: &Range<usize>, raw: &str) -> Option<Range<usize>> {
        let (mut in_text, mut in_raw) = (0, 0);
        for (line, raw_line) in self.text.split_inclusive('\n').zip(raw.split_inclusive('\n')) {
            let (line_text, raw_text) = (line.trim_end_matches('\n'), raw_line.trim_end_matches(['\n', '\r']));
            if part.start <= in_text + line_text.len() {
                let indent = raw_text.strip_suffix(line_text)?.len();
                let start = in_raw + indent + (part.start - in_text);
                let end = in_raw + indent + part.end.min(in_text + line_text.len()).max(part.start) - in_text;
                return Some(start..end);
            }
            in_text += line.len();
            in_raw += raw_line.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_core_schema_of_yaml_1_2_is_known() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("08", json!(8)),
            ("-7", json!(-7)),
            ("1e3", json!(1000.0)),
            ("0x1F", json!(31)),
            ("18446744073709551615", json!(u64::MAX)),
            ("184467440737095516150", json!("184467440737095516150")),
            ("1.2.3", json!("1.2.3")),
            (".5", json!(0.5)),
            ("2026-01-02", json!("2026-01-02")),
            ("inf", json!("inf")),
            ("-", json!("-")),
        ] {
            assert_eq!(Core::of(text).value(text), value, "{text:?}");
        }
    }
}
