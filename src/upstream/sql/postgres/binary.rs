//! Floor 5. From the binary form of a value to JSON, for the types whose text costs the server as much as
//! finding their rows: dates with a time, and exact decimals. What is written is letter for letter what
//! `text` makes of the server's own text. Serves `reading`. Reference: `sql.md` §9.1.

use super::shape::{NUMERIC, Oid, TIMESTAMP, TIMESTAMP_TZ};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// From 1 March of the year 0 to 1 January 2000, in days: years that begin in March end with the leap day.
const EPOCH: i64 = 730_425;
/// Days of 400 years.
const CENTURIES: i64 = 146_097;

/// Bytes before the groups: how many there are, the weight of the first, the sign, the scale.
const HEAD: usize = 8;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// A type that is read in its binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Timestamp,
    /// An instant, written in UTC: sessions have no other zone.
    TimestampTz,
    Decimal,
}

impl Packed {
    /// The form of the values of a column of this type, where they come in one.
    pub(super) const fn of(oid: Oid) -> Option<Self> {
        match oid {
            TIMESTAMP => Some(Self::Timestamp),
            TIMESTAMP_TZ => Some(Self::TimestampTz),
            NUMERIC => Some(Self::Decimal),
            _ => None,
        }
    }

    /// Whether a value is as the server's documentation has it.
    pub(super) fn holds(self, value: &[u8]) -> bool {
        match self {
            Self::Timestamp | Self::TimestampTz => value.len() == size_of::<i64>(),
            Self::Decimal => {
                let [count, _, sign, _] = head(value);
                let is_sign = matches!(sign, 0 | NEGATIVE | NAN | INFINITY | NEGATIVE_INFINITY);
                is_sign
                    && value.len() == HEAD + 2 * usize::from(count)
                    && words(value).skip(4).all(|group| group < 10_000)
            }
        }
    }

    /// Adds the JSON of a value that [`Packed::holds`].
    pub(super) fn write(self, out: &mut Vec<u8>, value: &[u8]) {
        out.push(b'"');
        match self {
            Self::Timestamp => write_timestamp(out, value, b""),
            Self::TimestampTz => write_timestamp(out, value, b"Z"),
            Self::Decimal => write_decimal(out, value),
        }
        out.push(b'"');
    }
}

/// Microseconds since the start of the year 2000, with `BC` behind the years before our era.
fn write_timestamp(out: &mut Vec<u8>, value: &[u8], zone: &[u8]) {
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

/// A number in groups of four places, with as many behind the point as its scale says.
fn write_decimal(out: &mut Vec<u8>, value: &[u8]) {
    let [count, weight, sign, scale] = head(value);
    match sign {
        NAN => return out.extend_from_slice(b"NaN"),
        INFINITY => return out.extend_from_slice(b"Infinity"),
        NEGATIVE_INFINITY => return out.extend_from_slice(b"-Infinity"),
        NEGATIVE => out.push(b'-'),
        _ => {}
    }
    let weight = i32::from(weight.cast_signed());
    let mut groups = words(value).skip(4).map(i64::from);
    // Groups that would be zeros at either end are not sent.
    let mut group = |at: i32| if (0..i32::from(count)).contains(&at) { groups.next().unwrap_or(0) } else { 0 };
    match weight {
        0.. => {
            write_plain(out, group(0));
            (1..=weight).for_each(|at| four(out, group(at)));
        }
        _ => out.push(b'0'),
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + usize::from(scale);
        let mut at = weight + 1;
        while out.len() < end {
            four(out, group(at));
            at += 1;
        }
        out.truncate(end);
    }
}

/// What stands before the groups of a number.
fn head(value: &[u8]) -> [u16; 4] {
    let mut words = words(value);
    std::array::from_fn(|_| words.next().unwrap_or(0))
}

fn words(value: &[u8]) -> impl Iterator<Item = u16> {
    value.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

fn write_plain(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(number.to_string().as_bytes());
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
    fn decimals_are_written_as_the_server_writes_them() {
        // Weight, sign, scale, groups.
        for (weight, sign, scale, groups, expected) in [
            (0_i16, 0, 0, &[][..], "0"),
            (0, 0, 3, &[], "0.000"),
            (0, 0, 2, &[1, 1000], "1.10"),
            (0, NEGATIVE, 2, &[12, 3400], "-12.34"),
            (1, 0, 0, &[1], "10000"),
            (1, 0, 4, &[123, 4567, 8900], "1234567.8900"),
            (-1, 0, 4, &[1], "0.0001"),
            (-2, 0, 6, &[100], "0.000001"),
            (-3, NEGATIVE, 14, &[7], "-0.00000000000700"),
            (2, 0, 1, &[1, 0, 0, 5000], "100000000.5"),
            (0, NAN, 0, &[], "NaN"),
            (0, INFINITY, 0, &[], "Infinity"),
            (0, NEGATIVE_INFINITY, 0, &[], "-Infinity"),
        ] {
            let count = u16::try_from(groups.len()).unwrap();
            let words = [count, weight.cast_unsigned(), sign, scale];
            let value: Vec<u8> = words.iter().chain(groups).flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(written(Packed::Decimal, &value), Some(format!("\"{expected}\"")));
        }
        let odd = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        for broken in [&[][..], &[0, 0, 0], &[1, 0, 0, 0], &[0, 0, 0, 0, 5], &[1, 0, 0, 0, 10_000], &[0, 0, 1, 0]] {
            assert_eq!(written(Packed::Decimal, &odd(broken)), None, "{broken:?}");
        }
    }
}
