//! Floor 2. The formats that are asserted, where a strict reading is wanted: calendar dates and
//! times by RFC 3339, and base64 by RFC 4648 section 4.

use chrono::{DateTime, NaiveDate, Timelike};

/// `2026-01-31`: four, two and two digits, and a day that exists.
pub(super) fn is_date(text: &str) -> bool {
    has_shape(text, "dddd-dd-dd") && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// `2026-01-31T09:30:00Z`: the offset is required; second 60 only where a leap second can be.
pub(super) fn is_date_time(text: &str) -> bool {
    let shaped = text
        .get(..19)
        .is_some_and(|start| has_shape(start, "dddd-dd-ddTdd:dd:dd") || has_shape(start, "dddd-dd-ddtdd:dd:dd"));
    let tail =
        text.get(19..).unwrap_or_default().trim_start_matches(['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let offset = matches!(tail, "Z" | "z") || has_shape(tail, "+dd:dd") || has_shape(tail, "-dd:dd");
    shaped
        && offset
        && DateTime::parse_from_rfc3339(text).is_ok_and(|moment| {
            let utc = moment.naive_utc();
            utc.nanosecond() < 1_000_000_000 || (utc.hour() == 23 && utc.minute() == 59)
        })
}

/// `09:30:00Z`: the time half of a date-time.
pub(super) fn is_time(text: &str) -> bool {
    // A fixed day lends the rest; a longer text than a time can be is not worth the copy.
    text.len() <= 64 && is_date_time(&format!("2000-01-02T{text}"))
}

/// Base64 with the standard alphabet and padding.
pub(super) fn is_base64(text: &str) -> bool {
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    text.len().is_multiple_of(4)
        && unpadded.len() % 4 != 1
        && unpadded.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Whether `text` has a digit for every `d` of the shape, and the same character elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(
            |(byte, wanted)| {
                if wanted == b'd' { byte.is_ascii_digit() } else { byte == wanted }
            },
        )
}

#[cfg(test)]
mod tests {
    use super::{is_base64, is_date, is_date_time, is_time};

    #[test]
    fn dates_exist() {
        for text in ["2026-01-31", "2024-02-29", "0001-01-01"] {
            assert!(is_date(text), "{text}");
        }
        for text in ["2026-1-31", "2025-02-29", "20/4-01-01", "+026-01-01", "2026-01-31 ", "２026-01-01", ""] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn times_carry_an_offset() {
        for text in [
            "2026-01-31T09:30:00Z",
            "2026-01-31t09:30:00.123456789z",
            "2026-01-31T09:30:00+05:30",
            "2016-12-31T23:59:60Z",
            "2017-01-01T00:59:60+01:00",
        ] {
            assert!(is_date_time(text), "{text}");
        }
        for text in [
            "2026-01-31",
            "2026-01-31T09:30:00",
            "2026-01-31 09:30:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:30Z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00+0530",
            "2026-01-31T09:30:00 +05:30",
            "2026-01-31T09:30:60Z",
            "20/6-01-31T09:30:00Z",
            "2026-01-31T09:30:00Zé",
            "é",
        ] {
            assert!(!is_date_time(text), "{text}");
        }
        assert!(is_time("09:30:00Z") && is_time("09:30:00.5-02:00"));
        assert!(!is_time("09:30:00") && !is_time("9:30:00Z") && !is_time(""));
    }

    #[test]
    fn base64_is_padded() {
        for (text, valid) in [
            ("", true),
            ("aGVsbG8=", true),
            ("aGVsbA==", true),
            ("aGVsbG8", false),
            ("a===", false),
            ("aGV-bG8=", false),
            ("aGVs\n", false),
        ] {
            assert_eq!(is_base64(text), valid, "{text:?}");
        }
    }
}
