//! Floor 3. Amounts with their units: `10s`, `64KiB`, `30/min`.

use std::{borrow::Cow, fmt, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// How long something may take: `500ms`, `10s`, `5m`, `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub time::Duration);

/// How big something may be: `512B`, `64KiB`, `1MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub usize);

/// How often something may happen: `10/s`, `30/min`, `1000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times.
    pub count: u32,
    /// In how long.
    pub per: time::Duration,
}

/// A text that is not an amount of the wanted kind.
#[derive(Debug)]
pub struct NotAnAmount(&'static str);

impl fmt::Display for NotAnAmount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not {}", self.0)
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

impl Duration {
    const PATTERN: &str = "^[0-9]{1,9}(ms|s|m|h|d)$";
    const EXPECTED: &str = "a duration such as `500ms`, `10s`, `5m` or `24h`";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(milliseconds).map(time::Duration::from_millis).map(Self)
    }
}

impl ByteSize {
    const PATTERN: &str = "^[0-9]{1,9}(B|KiB|MiB|GiB)$";
    const EXPECTED: &str = "a size such as `64KiB` or `1MiB`";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        usize::try_from(number.checked_mul(bytes)?).ok().map(Self)
    }
}

impl Rate {
    const PATTERN: &str = "^[1-9][0-9]{0,8}/(s|min|h)$";
    const EXPECTED: &str = "a rate such as `10/s`, `30/min` or `1000/h`";

    fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some(Self { count: count.parse().ok()?, per: time::Duration::from_secs(seconds) })
    }
}

macro_rules! amount {
    ($type:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(NotAnAmount(Self::EXPECTED)))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": Self::PATTERN, "x-expected": Self::EXPECTED })
            }
        }
    };
}

amount!(Duration);
amount!(ByteSize);
amount!(Rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_units() {
        assert_eq!(Duration::parse("500ms").map(|it| it.0), Some(time::Duration::from_millis(500)));
        assert_eq!(Duration::parse("24h"), Duration::parse("1d"));
        assert_eq!(Duration::parse("24h").map(|it| it.0), Some(time::Duration::from_hours(24)));
        assert_eq!(ByteSize::parse("64KiB"), Some(ByteSize(65_536)));
        assert_eq!(Rate::parse("30/min"), Some(Rate { count: 30, per: time::Duration::from_mins(1) }));
        for text in ["", "10", "s", "10 s", "-1s", "1.5h", "10w", "99999999999999999999s"] {
            assert!(Duration::parse(text).is_none(), "{text}");
            assert!(ByteSize::parse(text).is_none(), "{text}");
            assert!(Rate::parse(text).is_none(), "{text}");
        }
    }
}
