//! Floor 5. Types of PostgreSQL as they matter here: how the text of a value becomes JSON and how
//! JSON becomes the text of a value. Types that this program does not know by number are looked up
//! once. Reference: `sql.md` §9.1.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

/// The number of a type.
pub(super) type Oid = u32;

pub(super) const BOOL: Oid = 16;
pub(super) const INT8: Oid = 20;
pub(super) const INT4: Oid = 23;
pub(super) const TEXT: Oid = 25;
pub(super) const TIMESTAMP: Oid = 1114;
pub(super) const TIMESTAMP_TZ: Oid = 1184;
pub(super) const NUMERIC: Oid = 1700;
pub(super) const BOOL_ARRAY: Oid = 1000;
pub(super) const TEXT_ARRAY: Oid = 1009;
pub(super) const INT8_ARRAY: Oid = 1016;
pub(super) const NUMERIC_ARRAY: Oid = 1231;

/// How deep types may be made of others; those further inside stand as text.
const MAX_DEPTH: usize = 16;

/// How values of a type are written and read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `true` and `false`.
    Boolean,
    /// Integers that JSON has exactly.
    Integer,
    /// Integers that JSON may not have exactly: text beyond 2^53.
    Long,
    /// A number, or `NaN` and the infinities as text.
    Float,
    /// Exact decimals, as text.
    Decimal,
    /// Base64.
    Bytes,
    /// JSON that stands as it is.
    Json,
    /// A date with a time, `T` between them.
    Timestamp,
    /// The same with an offset as RFC 3339 has it.
    TimestampTz,
    /// A UUID.
    Uuid,
    /// Numbers in brackets, as `pgvector` has them.
    Vector,
    /// The words of the database.
    Text,
    /// A list, and what stands between its items.
    Array(Arc<Shape>, u8),
    /// An object: the fields of a composite type in order.
    Record(Vec<(String, Arc<Shape>)>),
}

impl Shape {
    /// The shape of a type that every server has.
    fn of_known(oid: Oid) -> Option<Self> {
        Some(match oid {
            BOOL => Self::Boolean,
            21 | INT4 | 26 => Self::Integer,
            INT8 => Self::Long,
            700 | 701 => Self::Float,
            NUMERIC => Self::Decimal,
            17 => Self::Bytes,
            114 | 3802 => Self::Json,
            TIMESTAMP => Self::Timestamp,
            TIMESTAMP_TZ => Self::TimestampTz,
            2950 => Self::Uuid,
            // char, name, text, xml, bpchar, varchar, date, time, interval, timetz, bit, varbit, unknown, record
            // and int2vector, oidvector: lists of another form
            18 | 19 | 22 | TEXT | 30 | 142 | 705 | 1042 | 1043 | 1082 | 1083 | 1186 | 1266 | 1560 | 1562 | 2249 => {
                Self::Text
            }
            BOOL_ARRAY => Self::Array(Arc::new(Self::Boolean), b','),
            1005 | 1007 => Self::Array(Arc::new(Self::Integer), b','),
            INT8_ARRAY => Self::Array(Arc::new(Self::Long), b','),
            TEXT_ARRAY | 1015 => Self::Array(Arc::new(Self::Text), b','),
            NUMERIC_ARRAY => Self::Array(Arc::new(Self::Decimal), b','),
            _ => return None,
        })
    }

    /// The schema of values as they are written, never narrower than what can come.
    pub(super) fn schema(&self) -> Map<String, Value> {
        let schema = match self {
            Self::Boolean => json!({ "type": ["boolean", "null"] }),
            Self::Integer => json!({ "type": ["integer", "null"] }),
            Self::Long => json!({ "type": ["integer", "string", "null"] }),
            Self::Float => json!({ "type": ["number", "string", "null"] }),
            Self::Decimal | Self::Text | Self::Timestamp | Self::TimestampTz => json!({ "type": ["string", "null"] }),
            Self::Uuid => json!({ "type": ["string", "null"], "format": "uuid" }),
            Self::Bytes => json!({ "type": ["string", "null"], "contentEncoding": "base64" }),
            Self::Json => json!({}),
            Self::Vector | Self::Array(..) => json!({ "type": ["array", "null"] }),
            Self::Record(_) => json!({ "type": ["object", "null"] }),
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }
}

/// The shapes that are known, by the number of the type.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    looked_up: Mutex<HashMap<Oid, Arc<Shape>>>,
}

/// A row of `pg_type`, with the fields of a composite type.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) oid: Oid,
    pub(super) name: String,
    pub(super) kind: u8,
    pub(super) category: u8,
    pub(super) delimiter: u8,
    pub(super) element: Oid,
    pub(super) base: Oid,
    pub(super) fields: Vec<(String, Oid)>,
}

impl Found {
    /// The types that this one is made of.
    pub(super) fn parts(&self) -> Vec<Oid> {
        match self.kind {
            b'd' => vec![self.base],
            b'c' => self.fields.iter().map(|(_, oid)| *oid).collect(),
            _ if self.is_array() => vec![self.element],
            _ => Vec::new(),
        }
    }

    fn is_array(&self) -> bool {
        self.category == b'A' && self.element != 0
    }
}

impl Shapes {
    /// The shape of a type, if it is known.
    pub(super) fn get(&self, oid: Oid) -> Option<Arc<Shape>> {
        if let Some(shape) = self.looked_up.lock().get(&oid) {
            return Some(Arc::clone(shape));
        }
        let shape = Arc::new(Shape::of_known(oid)?);
        self.looked_up.lock().insert(oid, Arc::clone(&shape));
        Some(shape)
    }

    /// Learns types. What they are made of and is not among them stands as text.
    pub(super) fn learn(&self, found: &[Found]) {
        let by_number: HashMap<Oid, &Found> = found.iter().map(|found| (found.oid, found)).collect();
        for found in found {
            let shape = self.resolve(found.oid, &by_number, 0);
            self.looked_up.lock().insert(found.oid, shape);
        }
    }

    fn resolve(&self, oid: Oid, all: &HashMap<Oid, &Found>, depth: usize) -> Arc<Shape> {
        if let Some(known) = self.get(oid) {
            return known;
        }
        let Some(found) = all.get(&oid).filter(|_| depth < MAX_DEPTH) else { return Arc::new(Shape::Text) };
        let part = |oid| self.resolve(oid, all, depth + 1);
        match found.kind {
            b'd' => part(found.base),
            b'c' => {
                let fields = found.fields.iter().map(|(name, oid)| (name.clone(), part(*oid)));
                Arc::new(Shape::Record(fields.collect()))
            }
            _ if found.is_array() => Arc::new(Shape::Array(part(found.element), found.delimiter)),
            b'b' if matches!(found.name.as_str(), "vector" | "halfvec") => Arc::new(Shape::Vector),
            _ => Arc::new(Shape::Text),
        }
    }

    /// Forgets what was looked up: a composite type may have got another field.
    pub(super) fn forget(&self) {
        self.looked_up.lock().clear();
    }
}
