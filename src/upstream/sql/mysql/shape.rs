//! Floor 5. Types of MySQL and MariaDB as they matter here: what the bytes of a value mean. The
//! driver reads type, flags and charset of a column and has no function that tells them, but it
//! serializes them. Reference: `sql.md` §9.1.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::mysql::MySqlTypeInfo;

/// The charset that stands for bytes.
const BINARY: u16 = 63;

/// The most that a column of `LONGTEXT` holds, which is what MariaDB says of one.
const LONG: u32 = u32::MAX;

/// How the bytes of a value are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Integers with a sign, least byte first. Those of eight bytes may be more than JSON has exactly.
    Signed,
    /// The same without a sign.
    Unsigned,
    /// A number of four bytes.
    Float,
    /// A number of eight bytes.
    Double,
    /// Exact decimals, as text.
    Decimal,
    /// So many bits, the highest byte first.
    Bits(u32),
    /// A date alone.
    Date,
    /// A date with a time, of no zone.
    DateTime,
    /// A date with a time in the zone of the session, which is UTC.
    Timestamp,
    /// A time of day, or a span of time.
    Time,
    /// Base64.
    Bytes,
    /// JSON that stands as it is.
    Json,
    /// Texts with commas between them.
    Set,
    /// The words of the database.
    Text,
}

/// A column type as the driver serializes it.
#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    flags: String,
    collation: u16,
    max_size: Option<u32>,
}

impl Told {
    /// A type that is told in a form which is not known stands as text.
    fn of(told: &MySqlTypeInfo) -> Self {
        serde_json::to_value(told).and_then(serde_json::from_value).unwrap_or_default()
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.split('|').any(|other| other.trim() == flag)
    }
}

impl Shape {
    /// The shape of the values of a column.
    pub(super) fn of(told: &MySqlTypeInfo) -> Self {
        let told = Told::of(told);
        let integer = if told.has("UNSIGNED") { Self::Unsigned } else { Self::Signed };
        match told.kind.as_str() {
            "Tiny" | "Short" | "Long" | "Int24" | "LongLong" => integer,
            "Year" => Self::Unsigned,
            "Float" => Self::Float,
            "Double" => Self::Double,
            "Decimal" | "NewDecimal" => Self::Decimal,
            "Bit" => Self::Bits(told.max_size.unwrap_or(64)),
            "Date" => Self::Date,
            "Datetime" => Self::DateTime,
            "Timestamp" => Self::Timestamp,
            "Time" => Self::Time,
            "Json" => Self::Json,
            "Geometry" => Self::Bytes,
            "Set" => Self::Set,
            _ if told.has("SET") => Self::Set,
            // Names of an enumeration are in the charset of the session, whatever their collation is.
            "Enum" => Self::Text,
            _ if told.has("ENUM") => Self::Text,
            "Null" | "" => Self::Text,
            _ if told.collation == BINARY => Self::Bytes,
            _ => Self::Text,
        }
    }

    /// Whether the column is one that MariaDB keeps JSON in: it has no type for that, and says so with a
    /// check of the column.
    pub(super) fn may_be_json(told: &MySqlTypeInfo) -> bool {
        let told = Told::of(told);
        told.collation != BINARY && (told.kind == "LongBlob" || (told.kind == "Blob" && told.max_size == Some(LONG)))
    }

    /// Whether values are as long as their JSON, so that long ones are seen before they are written.
    pub(super) const fn is_long(self) -> bool {
        matches!(self, Self::Decimal | Self::Bytes | Self::Json | Self::Set | Self::Text)
    }

    /// The schema of values as they are written, never narrower than what can come.
    pub(super) fn schema(self, told: &MySqlTypeInfo) -> Map<String, Value> {
        let schema = match self {
            Self::Signed | Self::Unsigned if Told::of(told).kind != "LongLong" => {
                json!({ "type": ["integer", "null"] })
            }
            Self::Bits(bits) if bits <= 53 => json!({ "type": ["integer", "null"] }),
            Self::Signed | Self::Unsigned | Self::Bits(_) => json!({ "type": ["integer", "string", "null"] }),
            Self::Float | Self::Double => json!({ "type": ["number", "null"] }),
            Self::Decimal | Self::Date | Self::DateTime | Self::Timestamp | Self::Time | Self::Text => {
                json!({ "type": ["string", "null"] })
            }
            Self::Bytes => json!({ "type": ["string", "null"], "contentEncoding": "base64" }),
            Self::Json => json!({}),
            Self::Set => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type as the driver would have read it from the server.
    fn told(kind: &str, flags: &str, collation: u16, max_size: u32) -> MySqlTypeInfo {
        let told = json!({ "type": kind, "flags": flags, "collation": collation, "max_size": max_size });
        serde_json::from_value(told).expect("the driver takes what it gives")
    }

    #[test]
    fn charset_and_flags_decide() {
        for (kind, flags, collation, expected) in [
            ("LongLong", "NOT_NULL | UNSIGNED", 63, Shape::Unsigned),
            ("LongLong", "", 63, Shape::Signed),
            // `utf8mb4_bin` is text with the flag that bytes have, too.
            ("VarString", "BINARY", 46, Shape::Text),
            ("VarString", "BINARY", 63, Shape::Bytes),
            ("Blob", "BLOB", 45, Shape::Text),
            ("Blob", "BLOB | BINARY", 63, Shape::Bytes),
            ("String", "SET", 45, Shape::Set),
            ("String", "ENUM", 63, Shape::Text),
            ("Bit", "UNSIGNED", 63, Shape::Bits(8)),
        ] {
            assert_eq!(Shape::of(&told(kind, flags, collation, 8)), expected, "{kind} {flags} {collation}");
        }
        assert!(Shape::may_be_json(&told("Blob", "BLOB | BINARY", 46, LONG)));
        assert!(!Shape::may_be_json(&told("Blob", "BLOB | BINARY", 46, 65_535)));
    }
}
