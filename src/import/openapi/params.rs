//! Floor 7. Schemas of a document as params of a tool: what hosts accept, what this format can say, and no
//! more than a model needs.

use serde_json::{Map, Value, json};

use super::{
    document::Document,
    shape::{Kind, Shape, kind_of},
    words::{self, clean, sentences, spoken},
};
use crate::schema::Arguments;

/// How deep a param may describe what is inside of it: hosts accept five levels, the tool's own and the
/// list of members of an object among them (protocol.md §6).
const DEPTH_MAX: usize = 3;
/// Members of one object at most: of a param, of what is in it, and so on.
const MEMBERS_MAX: [usize; DEPTH_MAX] = [40, 20, 10];
/// Values that are described in one tool at most: every client pays for them.
const NODES_MAX: usize = 160;
/// Values that are listed at most.
const OPTIONS_MAX: usize = 60;
/// Characters of a pattern or a default at most.
const SHORT: usize = 160;
/// Names that templates use for something else.
const TAKEN: [&str; 6] = ["answers", "args", "caller", "steps", "now", "request"];

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    /// Into a path, a query or a header: there is no null, and a default can be sent.
    Inline,
    /// Into a body: what is left out must stay out, and null may mean something.
    Body,
}

/// The params of one tool as they are gathered.
pub(super) struct Params<'d> {
    pub(super) document: Document<'d>,
    pub(super) all: Map<String, Value>,
    /// What a person should know about how they were made.
    pub(super) notes: Vec<String>,
    nodes: usize,
}

impl<'d> Params<'d> {
    pub(super) fn new(document: Document<'d>) -> Self {
        Self { document, all: Map::new(), notes: Vec::new(), nodes: 0 }
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Declares a param under a name that templates can use, and returns the name.
    pub(super) fn add(&mut self, wire: &str, spec: Map<String, Value>) -> String {
        let plain: String = wire.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
        // `ids[]` is a way of writing the list `ids`.
        let mut name: String = plain.trim_end_matches('_').chars().take(56).collect();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            name.insert_str(0, "p_");
        }
        if TAKEN.contains(&name.as_str()) {
            name.push_str("_value");
        }
        let base = name.clone();
        let mut number = 2;
        while self.all.contains_key(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.all.insert(name.clone(), Value::Object(spec));
        name
    }

    /// The param for a shape. `about` is its name on the wire.
    pub(super) fn spec(&mut self, shape: &Shape<'d>, about: &str, goes: Goes) -> Map<String, Value> {
        self.nodes += 1;
        let mut spec = self.described(shape, goes, 0);
        if !spec.contains_key("type") {
            // A param has a type, and a text can stand for most things.
            let kind = shape.kind.map_or("string", Kind::word);
            spec.insert("type".into(), kind.into());
            if kind == "object" {
                spec.insert("additionalProperties".into(), true.into());
            }
        }
        let said = shape.description.or(shape.title).map(|text| clean(text, words::PARAM)).unwrap_or_default();
        let said = if said.is_empty() { spoken(about) } else { said };
        let said = if said.is_empty() { format!("The value of {about}.") } else { said };
        let more = spec.remove("description").and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default();
        let told = if more.is_empty() { said } else { sentences(&[said, more]) };
        spec.insert("description".into(), told.into());
        in_order(spec)
    }

    /// One level of a param, its `description` only what its keywords cannot say.
    fn described(&mut self, shape: &Shape<'d>, goes: Goes, depth: usize) -> Map<String, Value> {
        let mut spec = Map::new();
        let mut said = Vec::new();
        let Some(kind) = shape.kind.filter(|_| !shape.is_circular) else {
            if shape.is_circular {
                said.push("Described above in the same way".to_owned());
            }
            put_words(&mut spec, &said);
            return spec;
        };
        if shape.is_simplified {
            self.note("a value that may be of several kinds is described as one of them".into());
        }
        if depth >= DEPTH_MAX && !kind.is_scalar() {
            let names: Vec<&str> = shape.properties.keys().copied().take(12).collect();
            let what = if kind == Kind::Array { "A list" } else { "An object" };
            let with = if names.is_empty() { String::new() } else { format!(" with {}", names.join(", ")) };
            said.push(format!("{what}{with}"));
            put_words(&mut spec, &said);
            return spec;
        }
        spec.insert("type".into(), kind.word().into());
        match kind {
            Kind::String => texts(shape, &mut spec, &mut said),
            Kind::Integer | Kind::Number => numbers(shape, kind, &mut spec, &mut said),
            Kind::Boolean => {}
            Kind::Array => self.list(shape, goes, depth, &mut spec),
            Kind::Object => self.object(shape, goes, depth, &mut spec),
        }
        if shape.is_nullable && goes == Goes::Body && !spec.contains_key("enum") && kind.is_scalar() {
            spec.insert("nullable".into(), true.into());
        }
        settle_default(shape, (kind, goes, depth), &mut spec, &mut said);
        put_words(&mut spec, &said);
        spec
    }

    fn list(&mut self, shape: &Shape<'d>, goes: Goes, depth: usize, spec: &mut Map<String, Value>) {
        let inner = shape.items.map(|items| shape.inner(items, self.document)).unwrap_or_default();
        let mut items = self.part(&inner, goes, depth + 1);
        if items.is_empty() && shape.items.is_none() {
            items.insert("type".into(), "string".into());
        }
        spec.insert("items".into(), Value::Object(items));
        let least = count(shape.keyword("minItems"));
        let most =
            count(shape.keyword("maxItems")).filter(|most| *most > 0 && least.is_none_or(|least| least <= *most));
        put(spec, "minItems", least.filter(|least| *least > 0).map(Value::from));
        put(spec, "maxItems", most.map(Value::from));
    }

    fn object(&mut self, shape: &Shape<'d>, goes: Goes, depth: usize, spec: &mut Map<String, Value>) {
        let mut properties = Map::new();
        let mut is_open = shape.is_open == Some(true) || shape.properties.is_empty();
        let most = MEMBERS_MAX.get(depth).copied().unwrap_or_default();
        // What must be given is described first, as long as there is room.
        let needed = shape.properties.iter().filter(|(name, _)| shape.required.contains(name));
        let others = shape.properties.iter().filter(|(name, _)| !shape.required.contains(name));
        for (name, schema) in needed.chain(others) {
            let is_required = shape.required.contains(name);
            let inner = shape.inner(schema, self.document);
            if inner.is_read_only || (inner.is_deprecated && !is_required) {
                continue;
            }
            let fits = is_portable(name) && self.nodes < NODES_MAX && properties.len() < most;
            if !fits {
                // What cannot be described may be given all the same.
                is_open = true;
                self.note("members of large objects are accepted without being described".into());
                continue;
            }
            let mut part = self.part(&inner, goes, depth + 1);
            if !is_required {
                part.insert("required".into(), false.into());
            }
            properties.insert((*name).to_owned(), Value::Object(in_order(part)));
        }
        put(spec, "properties", (!properties.is_empty()).then_some(Value::Object(properties)));
        put(spec, "additionalProperties", is_open.then_some(true.into()));
    }

    /// A part of a param, with its own words.
    fn part(&mut self, shape: &Shape<'d>, goes: Goes, depth: usize) -> Map<String, Value> {
        self.nodes += 1;
        let mut spec = self.described(shape, goes, depth);
        let said = shape.description.or(shape.title).map(|text| clean(text, words::PART / depth)).unwrap_or_default();
        let more = spec.remove("description").and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default();
        let told = sentences(&[said, more]);
        put(&mut spec, "description", (!told.is_empty()).then_some(told.into()));
        in_order(spec)
    }
}

/// The default, where it can be sent as one; else its words.
fn settle_default(
    shape: &Shape<'_>,
    (kind, goes, depth): (Kind, Goes, usize),
    spec: &mut Map<String, Value>,
    said: &mut Vec<String>,
) {
    let Some(default) = shape.keyword("default").filter(|default| !default.is_null() && kind.is_scalar()) else {
        return;
    };
    let shown = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
    if shown.is_empty() || shown.len() > SHORT {
        return;
    }
    let fits = kind_of(default) == Some(kind) || (kind == Kind::Number && default.is_number());
    if goes == Goes::Inline && depth == 0 && fits && accepts(spec, default) {
        spec.insert("default".into(), default.clone());
    } else {
        said.push(format!("Default: {}", clean(&shown, SHORT)));
    }
}

fn put(spec: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        spec.insert(key.into(), value);
    }
}

fn put_words(spec: &mut Map<String, Value>, said: &[String]) {
    let told = sentences(said);
    put(spec, "description", (!told.is_empty()).then_some(told.into()));
}

/// The keys as a person would write them: what it is first, what it means last.
fn in_order(mut spec: Map<String, Value>) -> Map<String, Value> {
    let last = ["default", "required", "nullable", "description", "items", "properties", "additionalProperties"];
    for key in last {
        if let Some(value) = spec.shift_remove(key) {
            spec.insert(key.into(), value);
        }
    }
    spec
}

fn count(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53, above 0")]
    let of_float = |float: f64| (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(of_float)).filter(|count| *count < 1 << 53)
}

fn texts(shape: &Shape<'_>, spec: &mut Map<String, Value>, said: &mut Vec<String>) {
    let options = shape.options.iter().flatten().map(|option| match option {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let mut options: Vec<String> = options.filter(|option| !option.is_empty() && option.len() < SHORT).collect();
    options.sort_unstable();
    options.dedup();
    // The order of the document is kept; sorting was for finding doubles.
    let mut listed: Vec<String> = Vec::new();
    for option in shape.options.iter().flatten() {
        let text = option.as_str().map_or_else(|| option.to_string(), str::to_owned);
        if options.binary_search(&text).is_ok() && !listed.contains(&text) {
            listed.push(text);
        }
    }
    if !listed.is_empty() {
        if listed.len() <= OPTIONS_MAX {
            spec.insert("enum".into(), listed.into());
        } else {
            let shown: Vec<String> = listed.iter().take(12).cloned().collect();
            said.push(format!("One of {} values such as {}", listed.len(), shown.join(", ")));
        }
        return;
    }
    let format = match shape.format {
        _ if shape.is_file => Some("byte"),
        Some("datetime") => Some("date-time"),
        Some(known @ ("date" | "date-time" | "time" | "duration" | "uuid" | "email" | "uri" | "byte")) => Some(known),
        _ => None,
    };
    put(spec, "format", format.map(Value::from));
    let least = count(shape.keyword("minLength"));
    let most = count(shape.keyword("maxLength")).filter(|most| *most > 0 && least.is_none_or(|least| least <= *most));
    if !shape.is_file {
        put(spec, "minLength", least.filter(|least| *least > 0).map(Value::from));
        put(spec, "maxLength", most.map(Value::from));
        let pattern = shape.keyword("pattern").and_then(Value::as_str).filter(|it| !it.is_empty() && it.len() <= SHORT);
        let pattern = pattern.filter(|pattern| compiles(&json!({ "type": "string", "pattern": pattern })));
        put(spec, "pattern", pattern.map(Value::from));
    }
}

fn numbers(shape: &Shape<'_>, kind: Kind, spec: &mut Map<String, Value>, said: &mut Vec<String>) {
    if kind == Kind::Integer && shape.format == Some("int64") {
        spec.insert("format".into(), "int64".into());
    }
    let fits =
        |value: &&Value| if kind == Kind::Integer { value.is_i64() || value.is_u64() } else { value.is_number() };
    let number = |keyword: &str| shape.keyword(keyword).filter(|value| value.is_number());
    let options: Vec<&Value> = shape.options.iter().flatten().copied().filter(fits).collect();
    if !options.is_empty() {
        // Some hosts accept only texts in `enum`.
        let by = |value: &&&Value| value.as_f64().unwrap_or_default();
        let least = options.iter().min_by(|a, b| by(a).total_cmp(&by(b)));
        let most = options.iter().max_by(|a, b| by(a).total_cmp(&by(b)));
        put(spec, "minimum", least.map(|value| (*value).clone()));
        put(spec, "maximum", most.map(|value| (*value).clone()));
        let all: Vec<String> = options.iter().take(OPTIONS_MAX).map(ToString::to_string).collect();
        said.push(format!("One of {}", all.join(", ")));
        return;
    }
    let (mut least, mut most) = (number("minimum"), number("maximum"));
    let (mut above, mut below) = (number("exclusiveMinimum"), number("exclusiveMaximum"));
    // In 3.0 these are booleans that say how the bounds are meant.
    if shape.keyword("exclusiveMinimum") == Some(&Value::Bool(true)) {
        above = least.take();
    }
    if shape.keyword("exclusiveMaximum") == Some(&Value::Bool(true)) {
        below = most.take();
    }
    let value = |it: Option<&Value>| it.and_then(Value::as_f64);
    let (low, high) = (value(least).or(value(above)), value(most).or(value(below)));
    if low.zip(high).is_some_and(|(low, high)| low > high) {
        return;
    }
    // Bounds of the machine's numbers say nothing.
    let telling = |it: &&Value| it.as_f64().is_some_and(|number| number.abs() < 2_147_483_647.0);
    put(spec, "minimum", least.filter(telling).cloned());
    put(spec, "maximum", most.filter(telling).cloned());
    put(spec, "exclusiveMinimum", above.filter(telling).cloned());
    put(spec, "exclusiveMaximum", below.filter(telling).cloned());
    let step =
        number("multipleOf").filter(|step| step.as_f64().is_some_and(|step| step > 0.0 && (step - 1.0).abs() > 0.0));
    put(spec, "multipleOf", step.filter(|_| kind == Kind::Integer).cloned());
}

/// A name that every host accepts for a member (protocol.md §6).
fn is_portable(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn compiles(schema: &Value) -> bool {
    Arguments::compile(&json!({ "type": "object", "properties": { "it": schema } })).is_ok()
}

/// Whether a value fits the param it is the default of.
fn accepts(spec: &Map<String, Value>, value: &Value) -> bool {
    let schema = json!({ "type": "object", "properties": { "it": spec } });
    let text = json!({ "it": value }).to_string();
    Arguments::compile(&schema).is_ok_and(|arguments| arguments.read(Some(&text)).is_ok())
}
