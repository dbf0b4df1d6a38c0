//! Floor 5. From the bytes of a value, as the server sends them for a prepared statement, to JSON.
//! What is not of the form that its type has stands as text. Also to what a later statement of a
//! transaction binds. Reference: `sql.md` §9.1;
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    super::row::{MAX_EXACT, is_safe_json, write_json},
    bind::{Bound, is_decimal},
    shape::Shape,
};

/// Adds the JSON of a value; `None` is NULL.
pub(super) fn write(out: &mut Vec<u8>, value: Option<&[u8]>, shape: Shape) {
    let Some(bytes) = value else { return out.extend_from_slice(b"null") };
    match shape {
        Shape::Signed => match signed(bytes) {
            Some(number) if number.unsigned_abs() <= MAX_EXACT => write_json(out, &number),
            Some(number) => write_json(out, &number.to_string()),
            None => write_text(out, bytes),
        },
        Shape::Unsigned => write_unsigned(out, unsigned(bytes, End::Little), bytes),
        Shape::Bits(_) => write_unsigned(out, unsigned(bytes, End::Big), bytes),
        Shape::Float => match bytes.try_into().map(f32::from_le_bytes) {
            Ok(number) if number.is_finite() => write_json(out, &number),
            _ => write_text(out, bytes),
        },
        Shape::Double => match bytes.try_into().map(f64::from_le_bytes) {
            Ok(number) if number.is_finite() => write_json(out, &number),
            _ => write_text(out, bytes),
        },
        Shape::Date | Shape::DateTime | Shape::Timestamp => match Moment::read(bytes) {
            Some(moment) => write_json(out, &moment.text(shape)),
            None => write_text(out, bytes),
        },
        Shape::Time => match time(bytes) {
            Some(time) => write_json(out, &time),
            None => write_text(out, bytes),
        },
        Shape::Bytes => write_json(out, &STANDARD.encode(bytes)),
        Shape::Json => match std::str::from_utf8(bytes) {
            Ok(json) if is_safe_json(json) => out.extend_from_slice(json.trim_ascii().as_bytes()),
            _ => write_text(out, bytes),
        },
        Shape::Set if bytes.is_empty() => out.extend_from_slice(b"[]"),
        Shape::Set => {
            let names = String::from_utf8_lossy(bytes);
            write_json(out, &names.split(',').collect::<Vec<_>>());
        }
        Shape::Decimal | Shape::Text => write_text(out, bytes),
    }
}

/// A value as a later statement of the same transaction binds it; `None` is NULL.
pub(super) fn taken(value: Option<&[u8]>, shape: Shape) -> Bound {
    let Some(bytes) = value else { return Bound::Null };
    let text = || Bound::Text(String::from_utf8_lossy(bytes).into_owned());
    let taken = match shape {
        Shape::Signed => signed(bytes).map(Bound::Signed),
        Shape::Unsigned => unsigned(bytes, End::Little).map(Bound::Unsigned),
        Shape::Bits(_) => unsigned(bytes, End::Big).map(Bound::Unsigned),
        Shape::Float => bytes.try_into().ok().map(|bytes| Bound::Real(f32::from_le_bytes(bytes).into())),
        Shape::Double => bytes.try_into().ok().map(|bytes| Bound::Real(f64::from_le_bytes(bytes))),
        Shape::Decimal => {
            std::str::from_utf8(bytes).ok().filter(|text| is_decimal(text)).map(|text| Bound::Decimal(text.to_owned()))
        }
        Shape::Date => Moment::read(bytes).map(|moment| Bound::Text(moment.text(Shape::Date))),
        // The session's zone is the one that a timestamp is in.
        Shape::DateTime | Shape::Timestamp => {
            Moment::read(bytes).map(|moment| Bound::Text(moment.text(Shape::DateTime)))
        }
        Shape::Time => time(bytes).map(Bound::Text),
        Shape::Bytes => Some(Bound::Bytes(bytes.to_vec())),
        Shape::Json | Shape::Set | Shape::Text => None,
    };
    taken.unwrap_or_else(text)
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => write_json(out, text),
        Err(_) => write_json(out, &String::from_utf8_lossy(text)),
    }
}

fn write_unsigned(out: &mut Vec<u8>, number: Option<u64>, bytes: &[u8]) {
    match number {
        Some(number) if number <= MAX_EXACT => write_json(out, &number),
        Some(number) => write_json(out, &number.to_string()),
        None => write_text(out, bytes),
    }
}

/// Which byte comes first.
#[derive(Clone, Copy)]
enum End {
    Little,
    Big,
}

fn unsigned(bytes: &[u8], end: End) -> Option<u64> {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    (1..=8).contains(&bytes.len()).then(|| match end {
        End::Little => bytes.iter().rev().fold(0, add),
        End::Big => bytes.iter().fold(0, add),
    })
}

fn signed(bytes: &[u8]) -> Option<i64> {
    let number = unsigned(bytes, End::Little)?;
    let unused = 64 - 8 * u32::try_from(bytes.len()).ok()?;
    Some((number << unused).cast_signed() >> unused)
}

/// A date, with a time or without. Parts of it, or all, may be zero.
#[derive(Default)]
struct Moment {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
}

impl Moment {
    /// A length, and as many parts as are not zero.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (length, parts) = bytes.split_first()?;
        if usize::from(*length) != parts.len() {
            return None;
        }
        let mut moment = Self::default();
        if let [low, high, month, day, ..] = parts {
            (moment.year, moment.month, moment.day) = (u16::from_le_bytes([*low, *high]), *month, *day);
        }
        if let [_, _, _, _, hour, minute, second, ..] = parts {
            (moment.hour, moment.minute, moment.second) = (*hour, *minute, *second);
        }
        if let [_, _, _, _, _, _, _, micros @ ..] = parts
            && let Ok(micros) = micros.try_into()
        {
            moment.micros = u32::from_le_bytes(micros);
        }
        matches!(parts.len(), 0 | 4 | 7 | 11).then_some(moment)
    }

    fn text(&self, shape: Shape) -> String {
        let Self { year, month, day, hour, minute, second, micros } = self;
        let mut text = format!("{year:04}-{month:02}-{day:02}");
        if shape == Shape::Date {
            return text;
        }
        let _ = write!(text, "T{hour:02}:{minute:02}:{second:02}");
        push_micros(&mut text, *micros);
        // A date that is none has no offset: it is not a point in time.
        if shape == Shape::Timestamp && *month > 0 && *day > 0 {
            text.push('Z');
        }
        text
    }
}

/// A length, a sign, days and the time of a day.
fn time(bytes: &[u8]) -> Option<String> {
    let (length, parts) = bytes.split_first()?;
    if usize::from(*length) != parts.len() {
        return None;
    }
    let (sign, days, rest): (u8, u32, &[u8]) = match parts {
        [] => (0, 0, &[0, 0, 0]),
        [sign, a, b, c, d, rest @ ..] => (*sign, u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return None,
    };
    let (hour, minute, second, micros) = match rest {
        [hour, minute, second] => (*hour, *minute, *second, 0),
        [hour, minute, second, micros @ ..] => (*hour, *minute, *second, u32::from_le_bytes(micros.try_into().ok()?)),
        _ => return None,
    };
    let hours = u64::from(days) * 24 + u64::from(hour);
    let sign = if sign == 0 { "" } else { "-" };
    let mut text = format!("{sign}{hours:02}:{minute:02}:{second:02}");
    push_micros(&mut text, micros);
    Some(text)
}

fn push_micros(text: &mut String, micros: u32) {
    if micros > 0 {
        let digits = format!("{micros:06}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8], shape: Shape) -> String {
        let mut out = Vec::new();
        write(&mut out, Some(bytes), shape);
        String::from_utf8(out).expect("JSON")
    }

    #[test]
    fn bytes_become_json() {
        for (bytes, shape, expected) in [
            (&[0xff][..], Shape::Signed, "-1"),
            (&[0xff], Shape::Unsigned, "255"),
            (&[0, 0xfe], Shape::Signed, "-512"),
            (&[0, 0, 0, 0, 0, 0, 0, 0x80], Shape::Signed, "\"-9223372036854775808\""),
            (&[0xff; 8], Shape::Unsigned, "\"18446744073709551615\""),
            (&[0xff; 8], Shape::Signed, "-1"),
            (&[1, 2], Shape::Bits(10), "258"),
            (&[0; 9], Shape::Unsigned, "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\""),
            (&[0], Shape::Date, "\"0000-00-00\""),
            (&[4, 0xea, 7, 0, 0], Shape::Date, "\"2026-00-00\""),
            (&[0], Shape::Timestamp, "\"0000-00-00T00:00:00\""),
            (&[4, 0xea, 7, 1, 2], Shape::Timestamp, "\"2026-01-02T00:00:00Z\""),
            (&[11, 0xea, 7, 1, 2, 3, 4, 5, 0x40, 0xe2, 1, 0], Shape::DateTime, "\"2026-01-02T03:04:05.123456\""),
            (&[0], Shape::Time, "\"00:00:00\""),
            (&[8, 1, 34, 0, 0, 0, 22, 59, 59], Shape::Time, "\"-838:59:59\""),
            (&[12, 0, 0, 0, 0, 0, 1, 2, 3, 0x20, 0xa1, 7, 0], Shape::Time, "\"01:02:03.5\""),
            (&[3, 1], Shape::Time, "\"\\u0003\\u0001\""),
            (b"a,b", Shape::Set, "[\"a\",\"b\"]"),
            (b"", Shape::Set, "[]"),
            (b"{\"a\": 1.10}", Shape::Json, "{\"a\": 1.10}"),
            (b"{", Shape::Json, "\"{\""),
            (b"\xff", Shape::Text, "\"\u{fffd}\""),
        ] {
            assert_eq!(written(bytes, shape), expected, "{shape:?} {bytes:?}");
        }
        assert_eq!(written(&0.1_f32.to_le_bytes(), Shape::Float), "0.1");
        assert_eq!(written(&1e300_f64.to_le_bytes(), Shape::Double), "1e+300");
    }
}
