//! Floor 7. What a column holds, and so which params it can be compared with.

use serde_json::{Map, Value, json};

use super::{super::words::words_of, clause};
use crate::{
    catalog::{Table, TableColumn},
    plan::sql::Dialect,
};

/// Values that are listed at most.
const OPTIONS_MAX: usize = 60;
/// Words of a name by which a column holds what nobody is to be shown.
const SECRET: [&str; 9] = ["password", "passwd", "pwd", "passphrase", "secret", "salt", "cvv", "cvc", "totp"];
/// Words that make the word behind them a secret.
const OF_SECRET: [&str; 4] = ["api", "private", "access", "signing"];

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number that every reader of JSON takes exactly.
    Integer,
    /// A whole number of any length.
    Big,
    /// An exact number.
    Decimal,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// Text that people write.
    Text,
    /// One of these texts.
    Choice(Vec<String>),
    /// One of these whole numbers.
    Numbers(Vec<i64>),
    /// Text of a form of its own.
    Formed(&'static str),
    /// Something else that can be compared with a text.
    Other,
    /// What a model has no use of, and why it is left out.
    Useless(&'static str),
}

/// What a column of a table holds.
pub(super) fn of(table: &Table, column: &TableColumn, dialect: Dialect) -> Kind {
    if !column.readable {
        return Kind::Useless("the user may not read it");
    }
    if is_secret(&column.name) {
        return Kind::Useless("its name says that it holds a secret");
    }
    let kind = match dialect {
        Dialect::Sqlite => by_affinity(&column.declared.to_ascii_uppercase()),
        Dialect::Postgres => postgres(column),
        Dialect::Mysql => mysql(table, column),
    };
    match kind {
        Kind::Text | Kind::Other | Kind::Integer | Kind::Big => {
            checked(table, column, dialect).map_or(kind.clone(), |values| listed(&kind, values))
        }
        Kind::Choice(labels) => choice(labels),
        other => other,
    }
}

/// The values that a check permits.
fn checked(table: &Table, column: &TableColumn, dialect: Dialect) -> Option<Vec<String>> {
    table.checks.iter().find_map(|check| {
        let all = clause::memberships(&check.clause, dialect);
        let found = all.into_iter().find(|(name, _)| match &check.column {
            Some(of) => *of == column.name && name.eq_ignore_ascii_case("value"),
            // Only what was written without quotes can have another case, and no two columns differ by that.
            None => name.eq_ignore_ascii_case(&column.name),
        });
        found.map(|(_, values)| values)
    })
}

fn listed(kind: &Kind, values: Vec<String>) -> Kind {
    if matches!(kind, Kind::Integer | Kind::Big) {
        let numbers: Option<Vec<i64>> = values.iter().map(|value| value.parse().ok()).collect();
        return numbers.map_or(kind.clone(), Kind::Numbers);
    }
    choice(values)
}

/// Hosts take no empty text in a list, and no list without end.
fn choice(mut values: Vec<String>) -> Kind {
    values.retain(|value| !value.is_empty());
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
    if values.is_empty() || values.len() > OPTIONS_MAX { Kind::Other } else { Kind::Choice(values) }
}

const BINARY: Kind = Kind::Useless("it is binary");
const BULKY: Kind = Kind::Useless("it holds what only programs read");

fn postgres(column: &TableColumn) -> Kind {
    match column.base.as_str() {
        "int2" | "int4" | "oid" => Kind::Integer,
        "int8" => Kind::Big,
        "numeric" => Kind::Decimal,
        "float4" | "float8" => Kind::Float,
        "bool" => Kind::Boolean,
        "text" | "varchar" | "bpchar" | "citext" | "name" => Kind::Text,
        "enum" => Kind::Choice(column.labels.clone()),
        "uuid" => Kind::Formed("uuid"),
        "date" => Kind::Formed("date"),
        "bytea" => BINARY,
        "tsvector" | "vector" | "halfvec" | "sparsevec" | "geometry" | "geography" | "raster" => BULKY,
        _ => Kind::Other,
    }
}

fn mysql(table: &Table, column: &TableColumn) -> Kind {
    match column.base.to_ascii_lowercase().as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "year" => Kind::Integer,
        "bigint" => Kind::Big,
        "decimal" => Kind::Decimal,
        "float" | "double" => Kind::Float,
        // MariaDB keeps JSON as a text that is checked.
        "longtext" if is_json(table, column) => Kind::Other,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Kind::Text,
        "enum" => Kind::Choice(clause::listed(&column.declared)),
        "uuid" => Kind::Formed("uuid"),
        "date" => Kind::Formed("date"),
        "tinyblob" | "blob" | "mediumblob" | "longblob" | "binary" | "varbinary" => BINARY,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" | "vector" => BULKY,
        _ => Kind::Other,
    }
}

fn is_json(table: &Table, column: &TableColumn) -> bool {
    let clause = format!("json_valid(`{}`)", column.name.replace('`', "``"));
    table.checks.iter().any(|check| check.clause.contains(&clause))
}

/// As SQLite goes by words of the declared type (sqlite.org/datatype3.html §3.1).
fn by_affinity(declared: &str) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["BOOL"]) {
        Kind::Boolean
    } else if has(&["INT"]) {
        Kind::Big
    } else if has(&["JSON"]) {
        Kind::Other
    } else if has(&["CHAR", "CLOB", "TEXT", "STRING"]) {
        Kind::Text
    } else if has(&["BLOB", "BINARY"]) {
        BINARY
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Kind::Float
    } else if has(&["DEC", "NUM"]) {
        Kind::Decimal
    } else {
        Kind::Other
    }
}

fn is_secret(name: &str) -> bool {
    let words = words_of(name);
    let is_key = |pair: &[String]| matches!(pair, [of, key] if key == "key" && OF_SECRET.contains(&of.as_str()));
    words.iter().any(|word| SECRET.contains(&word.as_str()))
        || words.last().is_some_and(|last| last == "token")
        || words.windows(2).any(is_key)
}

impl Kind {
    /// The schema of a param that is compared with the column.
    pub(super) fn schema(&self) -> Map<String, Value> {
        let schema = match self {
            Self::Integer => json!({ "type": "integer" }),
            Self::Big => json!({ "type": "integer", "format": "int64" }),
            Self::Decimal => json!({ "type": "number", "format": "decimal" }),
            Self::Float => json!({ "type": "number" }),
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Text | Self::Other | Self::Useless(_) => json!({ "type": "string" }),
            Self::Choice(values) => json!({ "type": "string", "enum": values }),
            Self::Numbers(numbers) => {
                json!({ "type": "integer", "minimum": numbers.iter().min(), "maximum": numbers.iter().max() })
            }
            Self::Formed(format) => json!({ "type": "string", "format": format }),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }

    /// What the schema cannot say: hosts take lists of texts only.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Numbers(numbers) => {
                let all: Vec<String> = numbers.iter().map(i64::to_string).collect();
                format!("One of {}", all.join(", "))
            }
            _ => String::new(),
        }
    }

    /// Whether rows can be asked for by a value of it without knowing rows: there are few.
    pub(super) const fn is_narrow(&self) -> bool {
        matches!(self, Self::Boolean | Self::Choice(_) | Self::Numbers(_))
    }

    /// Whether a value is found again by a param, so that it can be part of a key.
    pub(super) const fn is_found_again(&self) -> bool {
        !matches!(self, Self::Float | Self::Useless(_))
    }

    /// Whether values have the same order when they are compared as when they are sorted.
    pub(super) const fn is_ordered(&self) -> bool {
        matches!(self, Self::Integer | Self::Big | Self::Decimal | Self::Text | Self::Formed(_))
    }
}
