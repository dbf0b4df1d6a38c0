//! Floor 2. What a schema says about reading a value, worked out once: which types to coerce to,
//! which numbers to keep exact, which defaults to fill in.
//!
//! Only what a schema states plainly counts. Through `$ref`, a lone `allOf` and the nullable
//! forms of `anyOf` and `oneOf` a plan follows; in any other composition it changes nothing.

use std::collections::{HashMap, hash_map};

use serde_json::{Map, Value};

use super::{
    SchemaError,
    exact::{Decimal, Written},
    walk::below,
};

/// How many schemas one tool may consist of.
const NODES_MAX: usize = 4096;
/// How many references in a row are followed.
const HOPS_MAX: usize = 16;
/// From how many properties on a hash lookup is faster than a scan.
const SCAN_MAX: usize = 12;

/// A set of JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const STRING: Self = Self(1);
    pub(super) const INTEGER: Self = Self(2);
    pub(super) const NUMBER: Self = Self(4);
    pub(super) const BOOLEAN: Self = Self(8);
    const OTHER: Self = Self(16);
    /// No `type` keyword: nothing is coerced.
    pub(super) const ANY: Self = Self(31);

    fn of(schema: &Value) -> Self {
        let one = |name: &str| match name {
            "string" => Self::STRING,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "boolean" => Self::BOOLEAN,
            _ => Self::OTHER,
        };
        let names = type_names(schema);
        if names.is_empty() {
            return Self::ANY;
        }
        names.into_iter().fold(Self(0), |set, name| Self(set.0 | one(name).0))
    }

    pub(super) const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// The names under `type`, whether one or a list.
pub(super) fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

/// A number that must keep its digits.
#[derive(Debug)]
pub(super) enum Exact {
    /// `format: int64`: becomes a JSON integer; its bounds are left to the validator.
    Int64,
    /// `format: decimal`: becomes a string of digits; bounds are compared by digits.
    Decimal(Box<Bounds>),
}

/// What a decimal must satisfy. The validator never sees these keywords.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
    pub above: Option<Decimal>,
    pub below: Option<Decimal>,
    pub step: Option<Decimal>,
    /// `enum` or `const`, with the text that lists them.
    pub options: Option<(Vec<Decimal>, String)>,
}

/// How to read a value of one schema.
#[derive(Debug)]
pub(super) struct Node {
    pub types: Types,
    pub exact: Option<Exact>,
    pub properties: Vec<Property>,
    index: Option<HashMap<String, usize>>,
    additional: Option<usize>,
    prefix: Vec<usize>,
    items: Option<usize>,
    /// Whether any property has a default.
    pub fills: bool,
}

/// One declared property of an object.
#[derive(Debug)]
pub(super) struct Property {
    pub name: String,
    node: usize,
    /// An explicit `null` means "not given": it may be left out, and null is not among its values.
    pub drops_null: bool,
    /// The value when absent, already coerced.
    pub default: Option<Value>,
}

impl Node {
    fn blank() -> Self {
        Self {
            types: Types::ANY,
            exact: None,
            properties: Vec::new(),
            index: None,
            additional: None,
            prefix: Vec::new(),
            items: None,
            fills: false,
        }
    }

    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        match &self.index {
            Some(index) => index.get(name).and_then(|at| self.properties.get(*at)),
            None => self.properties.iter().find(|property| property.name == name),
        }
    }

    /// Whether only the written digits tell what a number means here: a float would have lost
    /// them already.
    pub(super) const fn needs_digits(&self) -> bool {
        self.exact.is_some()
            || (!self.types.has(Types::NUMBER) && (self.types.has(Types::INTEGER) || self.types.has(Types::STRING)))
    }
}

/// The plan of one tool's arguments.
#[derive(Debug)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    /// Whether some number must be kept exact, so that text is read by its digits at once.
    pub exact: bool,
}

impl Plan {
    pub(super) fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    pub(super) fn node(&self, property: &Property) -> Option<&Node> {
        self.nodes.get(property.node)
    }

    pub(super) fn additional(&self, node: &Node) -> Option<&Node> {
        node.additional.and_then(|id| self.nodes.get(id))
    }

    pub(super) fn item(&self, node: &Node, at: usize) -> Option<&Node> {
        node.prefix.get(at).copied().or(node.items).and_then(|id| self.nodes.get(id))
    }

    /// Replaces the default of one property; see [`Draft::defaults`].
    pub(super) fn set_default(&mut self, place: &DefaultPlace, value: Value) {
        let property = self.nodes.get_mut(place.owner).and_then(|node| node.properties.get_mut(place.at));
        if let Some(property) = property {
            property.default = Some(value);
        }
    }

    pub(super) fn default_at(&self, place: &DefaultPlace) -> Option<(&Node, &Value)> {
        let property = self.nodes.get(place.owner)?.properties.get(place.at)?;
        Some((self.node(property)?, property.default.as_ref()?))
    }
}

/// Which property has a default.
#[derive(Debug)]
pub(super) struct DefaultPlace {
    owner: usize,
    at: usize,
}

/// A plan, and what compiling has still to do with it.
#[derive(Debug)]
pub(super) struct Draft {
    pub plan: Plan,
    /// Defaults as the schema states them, outer before inner; they are yet to be coerced.
    pub defaults: Vec<DefaultPlace>,
    /// The schema by which values are validated after they were coerced.
    pub validated: Value,
}

/// Works out the plan of a schema that [`super::walk::refuse_unsafe`] let pass.
pub(super) fn draft(root: &Value) -> Result<Draft, SchemaError> {
    let mut builder = Builder { root, ids: HashMap::new(), waiting: Vec::new() };
    let mut nodes: Vec<Node> = Vec::new();
    let mut defaults = Vec::new();
    let mut validated = root.clone();
    let mut exact = false;
    builder.id(String::new());
    let mut next = 0;
    while let Some(pointer) = builder.waiting.get(next).cloned() {
        if next >= NODES_MAX {
            let message = format!("the schema consists of more than {NODES_MAX} parts");
            return Err(SchemaError { message, pointer });
        }
        let schema = root.pointer(&pointer).unwrap_or(&Value::Null);
        let node = builder.node(&pointer, schema)?;
        for (at, property) in node.properties.iter().enumerate() {
            if property.default.is_some() {
                defaults.push(DefaultPlace { owner: next, at });
            }
        }
        if let (Some(kind), Some(Value::Object(target))) = (&node.exact, validated.pointer_mut(&pointer)) {
            exact = true;
            restate(target, kind);
        }
        nodes.push(node);
        next += 1;
    }
    Ok(Draft { plan: Plan { nodes, exact }, defaults, validated })
}

struct Builder<'s> {
    root: &'s Value,
    ids: HashMap<String, usize>,
    /// Pointers by node number.
    waiting: Vec<String>,
}

impl Builder<'_> {
    /// The number of the node for the schema at `pointer`, references followed.
    fn id(&mut self, pointer: String) -> usize {
        let mut pointer = pointer;
        for _ in 0..HOPS_MAX {
            match self.root.pointer(&pointer).and_then(|schema| passes_to(schema, &pointer)) {
                Some(target) => pointer = target,
                None => break,
            }
        }
        match self.ids.entry(pointer) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(new) => {
                let id = self.waiting.len();
                self.waiting.push(new.key().clone());
                *new.insert(id)
            }
        }
    }

    fn node(&mut self, pointer: &str, schema: &Value) -> Result<Node, SchemaError> {
        let mut node = Node { types: Types::of(schema), ..Node::blank() };
        node.exact = exact_kind(schema, pointer)?;
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let base = below(pointer, "properties");
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let default = inner.get("default").cloned();
            node.fills |= default.is_some();
            node.properties.push(Property {
                name: name.clone(),
                node: self.id(below(&base, name)),
                drops_null: !required.contains(&name.as_str()) && !accepts_null(inner, self.root, HOPS_MAX),
                default,
            });
        }
        if node.properties.len() > SCAN_MAX {
            let names = node.properties.iter().enumerate();
            node.index = Some(names.map(|(at, property)| (property.name.clone(), at)).collect());
        }
        let mut sub = |keyword: &str| {
            schema.get(keyword).filter(|inner| inner.is_object()).map(|_| self.id(below(pointer, keyword)))
        };
        node.additional = sub("additionalProperties");
        node.items = sub("items");
        let prefix = schema.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
        node.prefix = (0..prefix).map(|at| self.id(format!("{pointer}/prefixItems/{at}"))).collect();
        Ok(node)
    }
}

/// Where the schema at `pointer` says all it says about reading, when that is elsewhere.
fn passes_to(schema: &Value, pointer: &str) -> Option<String> {
    let members = schema.as_object()?;
    if ["type", "properties", "items", "additionalProperties"].iter().any(|it| members.contains_key(*it)) {
        return None;
    }
    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
        let local = target.strip_prefix('#')?;
        return (local.is_empty() || local.starts_with('/')).then(|| local.to_owned());
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let Some(branches) = members.get(keyword).and_then(Value::as_array) else { continue };
        let mut telling = branches.iter().enumerate().filter(|(_, it)| type_names(it) != ["null"]);
        let (at, _) = telling.next()?;
        return telling.next().is_none().then(|| format!("{pointer}/{keyword}/{at}"));
    }
    None
}

/// Whether `null` is among the values of a schema, as far as its plain keywords tell.
fn accepts_null(schema: &Value, root: &Value, hops: usize) -> bool {
    let Some(left) = hops.checked_sub(1) else { return true };
    let Some(members) = schema.as_object() else { return schema != &Value::Bool(false) };
    let list = |keyword: &str| members.get(keyword).and_then(Value::as_array);
    let target = || {
        let local = members.get("$ref")?.as_str()?.strip_prefix('#')?;
        root.pointer(local)
    };
    let names = type_names(schema);
    (names.is_empty() || names.contains(&"null"))
        && members.get("const").is_none_or(Value::is_null)
        && list("enum").is_none_or(|options| options.iter().any(Value::is_null))
        && target().is_none_or(|inner| accepts_null(inner, root, left))
        && list("allOf").is_none_or(|all| all.iter().all(|it| accepts_null(it, root, left)))
        && list("anyOf").is_none_or(|any| any.iter().any(|it| accepts_null(it, root, left)))
        && list("oneOf").is_none_or(|any| any.iter().any(|it| accepts_null(it, root, left)))
}

fn exact_kind(schema: &Value, pointer: &str) -> Result<Option<Exact>, SchemaError> {
    let types = Types::of(schema);
    let numeric = types.has(Types::STRING) || types.has(Types::INTEGER) || types.has(Types::NUMBER);
    match schema.get("format").and_then(Value::as_str) {
        Some("int64") if numeric && types != Types::ANY => Ok(Some(Exact::Int64)),
        Some("decimal") if numeric && types != Types::ANY => {
            Ok(Some(Exact::Decimal(Box::new(bounds(schema, pointer)?))))
        }
        Some(_) | None => Ok(None),
    }
}

fn bounds(schema: &Value, pointer: &str) -> Result<Bounds, SchemaError> {
    let read = |keyword: &str, value: &Value| {
        let decimal = match value {
            Value::Number(number) => Decimal::of(number),
            Value::String(text) => Written::parse(text).and_then(Written::decimal),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        decimal.ok_or_else(|| SchemaError {
            message: format!("`{keyword}` of a decimal must be a number, but {value} is not one"),
            pointer: below(pointer, keyword),
        })
    };
    let one = |keyword: &str| schema.get(keyword).map(|value| read(keyword, value)).transpose();
    let listed = match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(options)), _) => Some(("enum", options.iter().collect::<Vec<_>>())),
        (_, Some(only)) => Some(("const", vec![only])),
        (Some(_) | None, None) => None,
    };
    let options = listed
        .map(|(keyword, options)| {
            let given: Vec<&Value> = options.into_iter().filter(|it| !it.is_null()).collect();
            let decimals = given.iter().map(|value| read(keyword, value)).collect::<Result<_, _>>()?;
            Ok((decimals, super::words::options(&given)))
        })
        .transpose()?;
    let types = Types::of(schema);
    let whole_only = !types.has(Types::STRING) && !types.has(Types::NUMBER);
    let step = match one("multipleOf")? {
        None if whole_only => Decimal::of(&1.into()),
        step => step,
    };
    Ok(Bounds {
        minimum: one("minimum")?,
        maximum: one("maximum")?,
        above: one("exclusiveMinimum")?,
        below: one("exclusiveMaximum")?,
        step,
        options,
    })
}

/// Restates an exact schema for the value it becomes: digits in a string, or an integer.
fn restate(schema: &mut Map<String, Value>, exact: &Exact) {
    let has_null = |keyword: &str| match schema.get(keyword) {
        Some(Value::Array(values)) => Some(values.iter().any(|it| it == "null" || it.is_null())),
        Some(_) | None => None,
    };
    let nullable = has_null("type") == Some(true)
        && has_null("enum") != Some(false)
        && schema.get("const").is_none_or(Value::is_null);
    let (name, dropped): (&str, &[&str]) = match exact {
        Exact::Int64 => ("integer", &[]),
        Exact::Decimal(_) => {
            ("string", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "const"])
        }
    };
    let types = if nullable { vec![name, "null"] } else { vec![name] };
    schema.insert("type".to_owned(), Value::from(types));
    for keyword in dropped {
        schema.shift_remove(*keyword);
    }
    if matches!(exact, Exact::Int64) {
        let number = |value: &mut Value| {
            let digits = value.as_str().and_then(|text| text.parse::<i64>().ok());
            if let Some(digits) = digits {
                *value = digits.into();
            }
        };
        schema.get_mut("const").into_iter().for_each(number);
        let options = schema.get_mut("enum").and_then(Value::as_array_mut);
        options.into_iter().flatten().for_each(number);
    }
}
