//! Floor 2. Reads the text of arguments into a value: one pass that parses, coerces by the plan,
//! refuses duplicate keys, drops nulls that mean "not given" and fills in defaults.
//!
//! Text is read *directly* first. Where a float stands for an integer, a string or an exact
//! number, its digits are gone by then, so the text is read once more *by digits*.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry, value::RawValue};

use super::{
    FAULTS_MAX,
    exact::{Decimal, NotInteger, Written},
    plan::{Bounds, Exact, Node, Plan, Types},
    words,
};

/// How deeply arguments may nest.
pub(super) const DEPTH_MAX: usize = 64;

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Index(usize),
}

/// A fault found on the way in.
#[derive(Debug)]
pub(super) struct Pending {
    /// From the value outwards, because the way is known only on the way back.
    pub way: Vec<Step>,
    /// What to say behind the name of the argument.
    pub predicate: String,
}

/// How the text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Direct,
    Digits,
}

/// What reading found.
#[derive(Debug)]
pub(super) struct Reading {
    pub value: Value,
    pub faults: Vec<Pending>,
}

/// Why there is no value at all.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// Not JSON.
    Syntax(serde_json::Error),
}

/// Reads `text` as a value of `node`.
pub(super) fn read(plan: &Plan, node: Option<&Node>, text: &str) -> Result<Reading, Unreadable> {
    if !plan.exact
        && let Ok(reading) = read_in(Mode::Direct, plan, node, text)
    {
        return Ok(reading);
    }
    read_in(Mode::Digits, plan, node, text)
}

fn read_in(mode: Mode, plan: &Plan, node: Option<&Node>, text: &str) -> Result<Reading, Unreadable> {
    let mut pass = Pass { plan, mode, too_deep: false, faults: Vec::new() };
    let mut json = serde_json::Deserializer::from_str(text);
    let result =
        Seed { pass: &mut pass, node, depth: 0 }.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match result {
        Ok(value) => Ok(Reading { value, faults: pass.faults }),
        Err(_) if pass.too_deep => Err(Unreadable::TooDeep),
        Err(error) => Err(Unreadable::Syntax(error)),
    }
}

struct Pass<'p> {
    plan: &'p Plan,
    mode: Mode,
    too_deep: bool,
    faults: Vec<Pending>,
}

impl Pass<'_> {
    fn fault(&mut self, predicate: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Pending { way: Vec::new(), predicate });
        }
    }

    /// Adds `step` to the way of every fault from number `since` on.
    fn lead(&mut self, since: usize, step: &Step) {
        for fault in self.faults.iter_mut().skip(since) {
            fault.way.push(step.clone());
        }
    }
}

/// One value yet to be read.
struct Seed<'a, 'p> {
    pass: &'a mut Pass<'p>,
    node: Option<&'p Node>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        match (self.pass.mode, self.node) {
            (Mode::Digits, Some(node)) if node.needs_digits() || node.types.has(Types::NUMBER) => {
                let raw = <&RawValue>::deserialize(json)?;
                self.by_digits(node, raw.get()).map_err(D::Error::custom)
            }
            (Mode::Direct | Mode::Digits, _) => json.deserialize_any(self),
        }
    }
}

impl<'p> Seed<'_, 'p> {
    fn by_digits(self, node: &'p Node, text: &str) -> Result<Value, serde_json::Error> {
        match Written::parse(text) {
            Some(written) => Ok(number(self.pass, node, written, text)),
            None => serde_json::Deserializer::from_str(text).deserialize_any(self),
        }
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth >= DEPTH_MAX {
            self.pass.too_deep = true;
            return Err(E::custom("nested too deeply"));
        }
        Ok(())
    }

    fn whole(self, value: Value) -> Value {
        match self.node {
            Some(node) if node.needs_digits() => {
                let text = value.to_string();
                match Written::parse(&text) {
                    Some(written) => number(self.pass, node, written, &text),
                    None => value,
                }
            }
            Some(_) | None => value,
        }
    }

    fn text(self, text: String) -> Value {
        let Some(node) = self.node else { return Value::String(text) };
        if let Some(exact) = &node.exact {
            let written = Written::parse(&text);
            return exact_number(self.pass, exact, written.ok_or(&text), Given::Text);
        }
        if node.types.has(Types::STRING) {
            return Value::String(text);
        }
        coerced(self.pass, node, &text).unwrap_or(Value::String(text))
    }
}

/// What a string stands for where a string is not accepted.
fn coerced(pass: &mut Pass<'_>, node: &Node, text: &str) -> Option<Value> {
    if let Some(written) = Written::parse(text) {
        if node.types.has(Types::INTEGER) && written.is_plain_integer() {
            match fitting(written) {
                Ok(value) => return Some(value),
                Err(_) if node.types.has(Types::NUMBER) => {}
                Err(_) => {
                    pass.fault(words::out_of_range(&words::given_text(text)));
                    return Some(Value::Null);
                }
            }
        }
        if node.types.has(Types::NUMBER) {
            return serde_json::from_str::<Number>(text).ok().map(Value::Number);
        }
        return None;
    }
    match text {
        "true" if node.types.has(Types::BOOLEAN) => Some(Value::Bool(true)),
        "false" if node.types.has(Types::BOOLEAN) => Some(Value::Bool(false)),
        _ => None,
    }
}

/// A number that is read by its digits.
fn number(pass: &mut Pass<'_>, node: &Node, written: Written<'_>, text: &str) -> Value {
    if let Some(exact) = &node.exact {
        return exact_number(pass, exact, Ok(written), Given::Number);
    }
    let types = node.types;
    let mut refused = None;
    if types.has(Types::INTEGER) && !types.has(Types::NUMBER) {
        match fitting(written) {
            Ok(value) => return value,
            Err(reason) => refused = Some(reason),
        }
    }
    if types.has(Types::STRING) && !types.has(Types::NUMBER) && written.is_plain() {
        return Value::String(text.to_owned());
    }
    let given = words::clipped(text);
    match (refused, serde_json::from_str::<Number>(text)) {
        (Some(NotInteger::Range), _) => pass.fault(words::out_of_range(&given)),
        (Some(NotInteger::Fraction), _) => {
            pass.fault(format!("must be an integer, but {given} was given."));
        }
        (None, Ok(number)) => return Value::Number(number),
        (None, Err(_)) => pass.fault(format!("is too large for a number: {given} was given.")),
    }
    Value::Null
}

/// The integer as JSON holds it exactly: 64 bits, with or without a sign.
fn fitting(written: Written<'_>) -> Result<Value, NotInteger> {
    let integer = written.integer()?;
    i64::try_from(integer)
        .map(Value::from)
        .or_else(|_| u64::try_from(integer).map(Value::from))
        .map_err(|_| NotInteger::Range)
}

/// In which form a number was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Number,
    Text,
}

/// The value of an exact number; `written` is the text itself when that is no number.
fn exact_number(pass: &mut Pass<'_>, exact: &Exact, written: Result<Written<'_>, &String>, form: Given) -> Value {
    let shown = match (&written, form) {
        (Err(text), _) => words::given_text(text),
        (Ok(written), Given::Text) => words::given_text(written.text()),
        (Ok(written), Given::Number) => words::clipped(written.text()),
    };
    let result = match exact {
        Exact::Int64 => match written {
            Ok(written) if form == Given::Number || written.is_plain_integer() => int64(written, &shown),
            Ok(_) | Err(_) => Err(words::not_int64(&shown)),
        },
        Exact::Decimal(bounds) => match written {
            Ok(written) => decimal(bounds, written, &shown),
            Err(_) => Err(format!("must be {}, but {shown} was given.", words::DECIMAL)),
        },
    };
    result.unwrap_or_else(|predicate| {
        pass.fault(predicate);
        Value::Null
    })
}

fn int64(written: Written<'_>, shown: &str) -> Result<Value, String> {
    let integer = written.integer().map_err(|_| words::not_int64(shown))?;
    i64::try_from(integer).map(Value::from).map_err(|_| words::not_int64(shown))
}

fn decimal(bounds: &Bounds, written: Written<'_>, shown: &str) -> Result<Value, String> {
    let too_long = || {
        let limit = super::exact::DIGITS_MAX;
        format!("may have at most {limit} digits, but {shown} was given.")
    };
    let value = written.decimal().ok_or_else(too_long)?;
    let wrong = |bound: &Option<Decimal>, holds: fn(std::cmp::Ordering) -> bool, words: &str| match bound {
        Some(bound) if !holds(value.order(bound)) => {
            Err(format!("must be {words} {}, but {shown} was given.", bound.text()))
        }
        Some(_) | None => Ok(()),
    };
    wrong(&bounds.minimum, std::cmp::Ordering::is_ge, "at least")?;
    wrong(&bounds.maximum, std::cmp::Ordering::is_le, "at most")?;
    wrong(&bounds.above, std::cmp::Ordering::is_gt, "more than")?;
    wrong(&bounds.below, std::cmp::Ordering::is_lt, "less than")?;
    if let Some(step) = &bounds.step
        && value.is_multiple_of(step) == Some(false)
    {
        return Err(format!("must be a multiple of {}, but {shown} was given.", step.text()));
    }
    if let Some((options, list)) = &bounds.options
        && !options.iter().any(|option| value.order(option).is_eq())
    {
        return Err(format!("must be {list}, but {shown} was given."));
    }
    written.digits().map(Value::String).ok_or_else(too_long)
}

/// Drops nulls that mean "not given" and fills in defaults.
fn complete(node: &Node, map: &mut Map<String, Value>) {
    for property in &node.properties {
        if property.drops_null && map.get(&property.name).is_some_and(Value::is_null) {
            map.shift_remove(&property.name);
        }
        if let Some(default) = &property.default
            && !map.contains_key(&property.name)
        {
            map.insert(property.name.clone(), default.clone());
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if self.node.is_some_and(|node| !node.types.has(Types::INTEGER)) {
            return Ok(self.whole(Value::from(value)));
        }
        Ok(Value::from(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if self.node.is_some_and(|node| !node.types.has(Types::INTEGER)) {
            return Ok(self.whole(Value::from(value)));
        }
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if self.node.is_some_and(Node::needs_digits) {
            return Err(E::custom("the digits of this number are needed"));
        }
        Ok(Value::from(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(self.text(value.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        Ok(self.text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        loop {
            let since = self.pass.faults.len();
            let plan = self.pass.plan;
            let node = self.node.and_then(|node| plan.item(node, list.len()));
            let seed = Seed { pass: &mut *self.pass, node, depth: self.depth + 1 };
            let Some(item) = items.next_element_seed(seed)? else { break };
            if self.pass.faults.len() > since {
                self.pass.lead(since, &Step::Index(list.len()));
            }
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.enter()?;
        let plan = self.pass.plan;
        let mut map = Map::new();
        let mut incomplete = self.node.is_some_and(|node| node.fills);
        while let Some(name) = members.next_key::<String>()? {
            let since = self.pass.faults.len();
            let property = self.node.and_then(|node| node.property(&name));
            let node = match (property, self.node) {
                (Some(property), _) => plan.node(property),
                (None, Some(node)) => plan.additional(node),
                (None, None) => None,
            };
            let seed = Seed { pass: &mut *self.pass, node, depth: self.depth + 1 };
            let value = members.next_value_seed(seed)?;
            incomplete |= value.is_null();
            if self.pass.faults.len() > since {
                self.pass.lead(since, &Step::Name(name.clone()));
            }
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    let since = self.pass.faults.len();
                    self.pass.fault("is given more than once; give it once.".to_owned());
                    self.pass.lead(since, &Step::Name(place.key().clone()));
                }
            }
        }
        if let Some(node) = self.node
            && incomplete
        {
            complete(node, &mut map);
        }
        Ok(Value::Object(map))
    }
}
