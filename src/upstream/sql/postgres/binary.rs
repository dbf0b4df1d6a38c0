//! Floor 5. From the binary form of a value to JSON, for the types whose text costs the server more than
//! that: dates with a time, and integers. What is written is letter for letter what `text` makes of the
//! server's own text. Serves `reading`. Reference: `sql.md` §9.1.

use std::io::Write as _;

use super::{
    super::row::MAX_EXACT,
    shape::{INT4, INT8, Oid, TIMESTAMP, TIMESTAMP_TZ},
};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// From 1 March of the year 0 to 1 January 2000, in days: years that begin in March end with the leap day.
const EPOCH: i64 = 730_425;
/// Days of 400 years.
const CENTURIES: i64 = 146_097;

/// A type that is read in its binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Timestamp,
    /// An instant, written in UTC: sessions have no other zone.
    TimestampTz,
    /// Of 32 bits.
    Integer,
    /// Of 64 bits: text beyond 2^53.
    Long,
}

impl Packed {
    /// The form of the values of a column of this type, where they come in one.
    pub(super) const fn of(oid: Oid) -> Option<Self> {
        match oid {
            TIMESTAMP => Some(Self::Timestamp),
            TIMESTAMP_TZ => Some(Self::TimestampTz),
            INT4 => Some(Self::Integer),
            INT8 => Some(Self::Long),
            _ => None,
        }
    }

    /// Whether a value is as the server's documentation has it.
    pub(super) fn holds(self, value: &[u8]) -> bool {
        value.len()
            == match self {
                Self::Timestamp | Self::TimestampTz | Self::Long => size_of::<i64>(),
                Self::Integer => size_of::<i32>(),
            }
    }

    /// Adds the JSON of a value that [`Packed::holds`].
    pub(super) fn write(self, out: &mut Vec<u8>, value: &[u8]) {
        match self {
            Self::Timestamp => write_timestamp(out, value, b""),
            Self::TimestampTz => write_timestamp(out, value, b"Z"),
            Self::Integer => write_plain(out, value.try_into().map_or(0, i32::from_be_bytes).into()),
            Self::Long => match value.try_into().map_or(0, i64::from_be_bytes) {
                number if number.unsigned_abs() <= MAX_EXACT => write_plain(out, number),
                number => {
                    out.push(b'"');
                    write_plain(out, number);
                    out.push(b'"');
                }
            },
        }
    }
}

/// Adds a date with a time as a text.
fn write_timestamp(out: &mut Vec<u8>, value: &[u8], zone: &[u8]) {
    out.push(b'"');
    write_instant(out, value, zone);
    out.push(b'"');
}

/// Microseconds since the start of the year 2000, with `BC` behind the years before our era.
fn write_instant(out: &mut Vec<u8>, value: &[u8], zone: &[u8]) {
    let micros = match value.try_into().map(i64::from_be_bytes) {
        Ok(i64::MAX) => return out.extend_from_slice(b"infinity"),
        Ok(micros) if micros != i64::MIN => micros,
        Ok(_) | Err(_) => return out.extend_from_slice(b"-infinity"),
    };
    let (year, month, day) = date(micros.div_euclid(DAY) + EPOCH);
    // There is no year 0: the one before the first is the first before our era.
    let shown = if year > 0 { year } else { 1 - year };
    if shown > 9_999 {
        write_plain(out, shown / 10_000);
    }
    four(out, shown % 10_000);
    out.push(b'-');
    two(out, month);
    out.push(b'-');
    two(out, day);
    let clock = micros.rem_euclid(DAY);
    let seconds = clock / 1_000_000;
    for (before, part) in [(b'T', seconds / 3_600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.push(before);
        two(out, part);
    }
    let fraction = clock % 1_000_000;
    if fraction > 0 {
        out.push(b'.');
        two(out, fraction / 10_000);
        four(out, fraction % 10_000);
        let kept = out.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        out.truncate(kept);
    }
    out.extend_from_slice(zone);
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// The date so many days after 1 March of the year 0, in the calendar that is used today.
const fn date(days: i64) -> (i64, i64, i64) {
    let (centuries, of_centuries) = (days.div_euclid(CENTURIES), days.rem_euclid(CENTURIES));
    // Without the leap days that are over, all years are of the same length.
    let leap_days = of_centuries / 1_460 - of_centuries / 36_524 + of_centuries / (CENTURIES - 1);
    let years = (of_centuries - leap_days) / 365;
    let of_year = of_centuries - (365 * years + years / 4 - years / 100);
    // From March on, five months have 153 days, and so have the next five.
    let months = (5 * of_year + 2) / 153;
    let day = of_year - (153 * months + 2) / 5 + 1;
    let (month, turn) = if months < 10 { (months + 3, 0) } else { (months - 9, 1) };
    (years + centuries * 400 + turn, month, day)
}

/// Writing to memory cannot fail.
fn write_plain(out: &mut Vec<u8>, number: i64) {
    let _ = write!(out, "{number}");
}

/// The last four places of a number.
fn four(out: &mut Vec<u8>, number: i64) {
    two(out, number / 100);
    two(out, number);
}

/// The last two places of a number.
fn two(out: &mut Vec<u8>, number: i64) {
    let place = |number: i64| b'0' + u8::try_from(number % 10).unwrap_or(0);
    out.extend_from_slice(&[place(number / 10), place(number)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(packed: Packed, value: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        packed.holds(value).then(|| packed.write(&mut out, value))?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn timestamps_are_written_as_the_server_writes_them() {
        for (micros, expected) in [
            (0, "2000-01-01T00:00:00"),
            (1, "2000-01-01T00:00:00.000001"),
            (-1, "1999-12-31T23:59:59.999999"),
            (500_000, "2000-01-01T00:00:00.5"),
            (10 * 1_000_000, "2000-01-01T00:00:10"),
            (59 * DAY, "2000-02-29T00:00:00"),
            (60 * DAY, "2000-03-01T00:00:00"),
            (366 * DAY - 1, "2000-12-31T23:59:59.999999"),
            (-730_119 * DAY, "0001-01-01T00:00:00"),
            (-730_119 * DAY - 1, "0001-12-31T23:59:59.999999 BC"),
            (-211_813_488_000_000_000, "4714-11-24T00:00:00 BC"),
            (9_223_371_331_199_999_999, "294276-12-31T23:59:59.999999"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(written(Packed::Timestamp, &micros.to_be_bytes()), Some(format!("\"{expected}\"")), "{micros}");
        }
        let year_before = (-730_119 * DAY - 1).to_be_bytes();
        let expected = "\"0001-12-31T23:59:59.999999Z BC\"";
        assert_eq!(written(Packed::TimestampTz, &year_before).as_deref(), Some(expected));
        assert_eq!(written(Packed::Timestamp, &[0; 7]), None);
    }

    #[test]
    fn integers_are_numbers_as_long_as_every_reader_has_them_exactly() {
        for number in [0, -1, i32::MAX, i32::MIN] {
            assert_eq!(written(Packed::Integer, &number.to_be_bytes()), Some(number.to_string()));
        }
        for (number, expected) in [
            (-42, "-42"),
            (9_007_199_254_740_991, "9007199254740991"),
            (9_007_199_254_740_992, "\"9007199254740992\""),
            (-9_007_199_254_740_992, "\"-9007199254740992\""),
            (i64::MIN, "\"-9223372036854775808\""),
        ] {
            assert_eq!(written(Packed::Long, &i64::to_be_bytes(number)).as_deref(), Some(expected));
        }
        assert_eq!(written(Packed::Integer, &[0; 8]), None);
        assert_eq!(written(Packed::Long, &[0; 4]), None);
    }
}
