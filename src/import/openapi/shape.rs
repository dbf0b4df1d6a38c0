//! Floor 7. What a schema of a document comes to: references followed, `allOf` joined, the options of
//! `oneOf` and `anyOf` made one, one level at a time.

use indexmap::IndexMap;
use serde_json::Value;

use super::document::{Document, Family, is_true, items, members, text};

/// How many schemas may lie in each other before one value is described.
const DEPTH_MAX: usize = 24;
/// How many options of a union are looked at.
const OPTIONS_MAX: usize = 40;

/// The kinds of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            // Swagger 2.0 has a type for files, in forms only.
            "string" | "file" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    pub(super) const fn is_scalar(self) -> bool {
        !matches!(self, Self::Array | Self::Object)
    }
}

/// Keywords that are passed on as they are, where they fit the kind.
const KEYWORDS: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "default",
    "example",
];

/// One level of a schema.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword, or a fact about the schema, of its own")]
pub(super) struct Shape<'d> {
    pub(super) kind: Option<Kind>,
    pub(super) is_nullable: bool,
    pub(super) title: Option<&'d str>,
    pub(super) description: Option<&'d str>,
    pub(super) format: Option<&'d str>,
    /// The values that are accepted, without null.
    pub(super) options: Option<Vec<&'d Value>>,
    keywords: IndexMap<&'static str, &'d Value>,
    pub(super) items: Option<&'d Value>,
    pub(super) properties: IndexMap<&'d str, &'d Value>,
    pub(super) required: Vec<&'d str>,
    /// Whether other members are accepted, if the schema says so.
    pub(super) is_open: Option<bool>,
    pub(super) is_read_only: bool,
    pub(super) is_write_only: bool,
    pub(super) is_deprecated: bool,
    pub(super) is_file: bool,
    /// The references that led here: what names one of them again goes in circles.
    trail: Vec<&'d str>,
    pub(super) is_circular: bool,
    /// Whether options were left out.
    pub(super) is_simplified: bool,
    /// Whether a reference leads out of the document, or nowhere.
    pub(super) is_lost: bool,
}

impl<'d> Shape<'d> {
    /// The shape of a schema.
    pub(super) fn of(schema: &'d Value, document: Document<'d>) -> Self {
        Self::within(schema, Vec::new(), document)
    }

    /// The shape of a schema inside of this one.
    pub(super) fn inner(&self, schema: &'d Value, document: Document<'d>) -> Self {
        Self::within(schema, self.trail.clone(), document)
    }

    fn within(schema: &'d Value, trail: Vec<&'d str>, document: Document<'d>) -> Self {
        let mut shape = Self { trail, ..Self::default() };
        shape.gather(schema, document, 0);
        shape.settle();
        shape
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&'d Value> {
        self.keywords.get(name).copied()
    }

    /// A text with the words of this shape.
    pub(super) fn as_text(&self) -> Self {
        Self { kind: Some(Kind::String), title: self.title, description: self.description, ..Self::default() }
    }

    /// Whether an object with known members.
    pub(super) fn has_members(&self) -> bool {
        self.kind == Some(Kind::Object) && !self.properties.is_empty()
    }

    /// Takes in what a schema says that is not said yet: what stands nearer counts.
    fn gather(&mut self, schema: &'d Value, document: Document<'d>, depth: usize) {
        let Some(map) = schema.as_object() else { return };
        if depth > DEPTH_MAX {
            return;
        }
        self.own(schema);
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            if self.trail.contains(&reference) {
                self.is_circular = true;
                return;
            }
            self.trail.push(reference);
            match document.target(reference) {
                Some(target) => self.gather(target, document, depth + 1),
                None => self.is_lost = true,
            }
            // Before 3.1 nothing beside a reference counts, and nothing but words is found there.
            if document.family == Family::Swagger2 {
                return;
            }
        }
        for part in items(map.get("allOf")) {
            self.gather(part, document, depth + 1);
        }
        for keyword in ["oneOf", "anyOf"] {
            let options: Vec<&'d Value> = items(map.get(keyword)).take(OPTIONS_MAX).collect();
            if !options.is_empty() {
                self.unite(&options, document, depth + 1);
            }
        }
    }

    fn own(&mut self, schema: &'d Value) {
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        self.is_nullable |=
            kinds.contains(&"null") || is_true(schema.get("nullable")) || is_true(schema.get("x-nullable"));
        let known: Vec<Kind> = kinds.iter().filter_map(|kind| Kind::named(kind)).collect();
        if self.kind.is_none() {
            self.kind = one_of(&known);
            self.is_simplified |= known.len() > 1;
        }
        self.title = self.title.or_else(|| text(schema.get("title")));
        self.description = self.description.or_else(|| text(schema.get("description")));
        self.format = self.format.or_else(|| text(schema.get("format")));
        self.is_file |= kinds.contains(&"file") || text(schema.get("format")) == Some("binary");
        self.is_file |= schema.get("contentMediaType").is_some() && schema.get("contentEncoding").is_none();
        let options = schema.get("enum").and_then(Value::as_array).map(|all| all.iter().collect::<Vec<_>>());
        let options = options.or_else(|| schema.get("const").map(|only| vec![only]));
        if let (Some(options), None) = (options, &self.options) {
            self.is_nullable |= options.iter().any(|option| option.is_null());
            self.options = Some(options.into_iter().filter(|option| !option.is_null()).collect());
        }
        for keyword in KEYWORDS {
            if let Some(value) = schema.get(keyword) {
                self.keywords.entry(keyword).or_insert(value);
            }
        }
        if let Some(example) = schema.get("examples").and_then(|all| all.get(0)) {
            self.keywords.entry("example").or_insert(example);
        }
        self.items = self.items.or_else(|| schema.get("items"));
        for (name, property) in members(schema.get("properties")) {
            self.properties.entry(name).or_insert(property);
        }
        self.required.extend(items(schema.get("required")).filter_map(Value::as_str));
        self.is_open = self.is_open.or_else(|| match schema.get("additionalProperties") {
            Some(Value::Bool(open)) => Some(*open),
            Some(Value::Object(_)) => Some(true),
            _ => None,
        });
        self.is_read_only |= is_true(schema.get("readOnly"));
        self.is_write_only |= is_true(schema.get("writeOnly"));
        self.is_deprecated |= is_true(schema.get("deprecated"));
    }

    /// Takes in what the options of a union have in common, or what one of them says.
    fn unite(&mut self, options: &[&'d Value], document: Document<'d>, depth: usize) {
        let mut shapes = Vec::new();
        for option in options {
            let mut shape = Self { trail: self.trail.clone(), ..Self::default() };
            shape.gather(option, document, depth);
            shape.settle();
            self.is_lost |= shape.is_lost;
            self.is_nullable |= shape.is_nullable || option.get("type").and_then(Value::as_str) == Some("null");
            // `anyOf: [{ required: [a] }, { required: [b] }]` says nothing about what a value is.
            if shape.kind.is_some() {
                shapes.push(shape);
            }
        }
        let kinds: Vec<Kind> = shapes.iter().filter_map(|shape| shape.kind).collect();
        let Some(kind) = self.kind.or_else(|| one_of(&kinds)) else { return };
        let count = shapes.len();
        shapes.retain(|shape| shape.kind == Some(kind));
        self.is_simplified |= count > 1;
        self.kind = Some(kind);
        if let [only] = shapes.as_slice() {
            self.take_in(only);
            return;
        }
        let texts = shapes.iter().all(|shape| shape.options.is_some());
        if texts && kind.is_scalar() && self.options.is_none() && !shapes.is_empty() {
            let all = shapes.iter().flat_map(|shape| shape.options.iter().flatten().copied());
            self.options = Some(all.collect());
        }
        let needed: Vec<&str> = shapes.first().map(|first| first.required.clone()).unwrap_or_default();
        self.required.extend(needed.into_iter().filter(|name| shapes.iter().all(|it| it.required.contains(name))));
        for shape in &shapes {
            for (name, property) in &shape.properties {
                self.properties.entry(name).or_insert(property);
            }
            self.items = self.items.or(shape.items);
            self.is_open = self.is_open.or(shape.is_open.filter(|open| *open));
            self.description = self.description.or(shape.description);
            self.is_file |= shape.is_file;
        }
    }

    /// Takes in all that another shape says.
    fn take_in(&mut self, other: &Self) {
        self.title = self.title.or(other.title);
        self.description = self.description.or(other.description);
        self.format = self.format.or(other.format);
        self.options = self.options.take().or_else(|| other.options.clone());
        for (keyword, value) in &other.keywords {
            self.keywords.entry(keyword).or_insert(value);
        }
        self.items = self.items.or(other.items);
        for (name, property) in &other.properties {
            self.properties.entry(name).or_insert(property);
        }
        self.required.extend(other.required.iter().copied());
        self.is_open = self.is_open.or(other.is_open);
        self.is_file |= other.is_file;
        self.is_circular |= other.is_circular;
        self.is_simplified |= other.is_simplified;
        self.trail.extend(other.trail.iter().copied().filter(|name| !self.trail.contains(name)).collect::<Vec<_>>());
    }

    /// The kind of a schema that does not name it is what its keywords are for.
    fn settle(&mut self) {
        if self.kind.is_some() {
            return;
        }
        let has = |names: &[&str]| names.iter().any(|name| self.keywords.contains_key(name));
        let of_options = || {
            self.options.as_ref().and_then(|all| one_of(&all.iter().filter_map(|it| kind_of(it)).collect::<Vec<_>>()))
        };
        self.kind = if !self.properties.is_empty() || self.is_open == Some(true) {
            Some(Kind::Object)
        } else if self.items.is_some() || has(&["minItems", "maxItems"]) {
            Some(Kind::Array)
        } else if let Some(kind) = of_options() {
            Some(kind)
        } else if has(&["minLength", "maxLength", "pattern"]) || self.format.is_some() {
            Some(Kind::String)
        } else if has(&["minimum", "maximum", "multipleOf"]) {
            Some(Kind::Number)
        } else {
            self.keyword("default").or_else(|| self.keyword("example")).and_then(kind_of)
        };
    }
}

/// The kind of a value.
pub(super) fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::String(_) => Kind::String,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) if number.is_f64() => Kind::Number,
        Value::Number(_) => Kind::Integer,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
        Value::Null => return None,
    })
}

/// The kind that says most where several are accepted: hosts refuse a list of types.
fn one_of(kinds: &[Kind]) -> Option<Kind> {
    let first = *kinds.first()?;
    if kinds.iter().all(|kind| *kind == first) {
        return Some(first);
    }
    let order = [Kind::Object, Kind::Array, Kind::String, Kind::Number, Kind::Integer, Kind::Boolean];
    // A text can stand for a number or a boolean, so it is preferred among scalars.
    let scalars = order.iter().skip(2);
    let scalar = scalars.copied().find(|kind| kinds.contains(kind));
    let wide = order.iter().take(2).copied().find(|kind| kinds.contains(kind));
    wide.or(scalar)
}
