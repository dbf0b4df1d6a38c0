//! Floor 4. The shape of a file: every key that is not known, missing, of the wrong kind or not
//! supported yet, all at once, each at its exact text.
//!
//! The walk follows the JSON Schema that the `bridge` types yield, so the types are the only
//! description of the format. What is faulty is left out of the result, and the checks that
//! come later go on with the rest.

mod habits;
mod secrets;
mod words;

use regex::Regex;
use serde_json::{Map, Value};

use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::FileSet,
    yaml::{Core, Entry, Kind, Node, Scalar, Style},
};
use words::{Place, Role};

/// Walks a file along the schema of the format. `None` when nothing of it can be used.
#[must_use]
pub fn walk(root: &Node, files: &FileSet, schema: &Value) -> (Option<Value>, Diagnostics) {
    let mut walker = Walker { files, schema, diagnostics: Diagnostics::new() };
    walker.hide_credentials(root);
    let value = walker.value(root, schema, Place { name: "", role: Role::File, span: root.span });
    (value, walker.diagnostics)
}

struct Walker<'a> {
    files: &'a FileSet,
    schema: &'a Value,
    diagnostics: Diagnostics,
}

impl<'a> Walker<'a> {
    fn value(&mut self, node: &Node, schema: &'a Value, place: Place<'_>) -> Option<Value> {
        if node.kind == Kind::Faulty {
            return None;
        }
        let schema = self.resolve(schema);
        if let Some(options) = variants(schema) {
            return self.variant(node, &options, place);
        }
        if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
            let branch = self.branch(node, options);
            return match branch {
                Some(branch) => self.value(node, branch, place),
                None => self.wrong_type(node, schema, &self.kinds_of(schema), place),
            };
        }
        let kinds = kinds(schema);
        if kinds.is_empty() {
            return self.anything(node);
        }
        match &node.kind {
            Kind::Map(entries) if kinds.contains(&"object") => self.object(node, entries, schema, place),
            Kind::List(items) if kinds.contains(&"array") => self.list(items, schema, place),
            Kind::Scalar(scalar) => self.scalar(node, scalar, schema, place),
            Kind::Map(_) | Kind::List(_) => self.wrong_type(node, schema, &kinds, place),
            Kind::Faulty => None,
        }
    }

    fn object(&mut self, node: &Node, entries: &[Entry], schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        if self.is_foreign(entries, properties, schema, place) {
            return None;
        }
        let mut result = Map::new();
        let mut usable = true;
        // Keys that stand there under another name, which is told.
        let mut misspelt = Vec::new();
        for entry in entries {
            let name = entry.key.value.as_str();
            let inner = Place { name, role: Role::Key, span: entry.key.span };
            if let Some(schema) = properties.and_then(|all| all.get(name)) {
                if is_set(schema, "x-not-yet") {
                    let message = format!("`{name}` is not supported yet");
                    self.diagnostics.push(Diagnostic::error(Code::NotYet, entry.key.span, message));
                    self.hide_named(&entry.value);
                    continue;
                }
                self.guard_secret(entry, schema);
                if let Some(value) = self.value(&entry.value, schema, inner) {
                    result.insert(name.to_owned(), value);
                }
            } else if let Some(schema) = others.filter(|schema| **schema != Value::Bool(false)) {
                if let Some(value) = self.value(&entry.value, schema, inner) {
                    result.insert(name.to_owned(), value);
                }
            } else {
                self.hide_misspelt(entry, schema);
                misspelt.extend(self.unknown_key(entry, node, properties, place));
            }
        }
        for name in names(schema.get("required")) {
            if node.entry(name).is_none() && !misspelt.contains(&name) {
                let message = format!("`{name}` is missing in {place}");
                self.diagnostics.push(Diagnostic::error(Code::MissingKey, place.span, message));
            }
            usable &= result.contains_key(name);
        }
        let one_of = names(schema.get("x-exactly-one-of"));
        if !one_of.iter().any(|name| misspelt.contains(name)) {
            usable &= self.exclusive(entries, schema, place);
        }
        // The one key that had to be there is there, and nothing of it can be used.
        usable &= one_of.is_empty() || one_of.iter().any(|name| result.contains_key(*name));
        usable.then_some(Value::Object(result))
    }

    fn exclusive(&mut self, entries: &[Entry], schema: &Value, place: Place<'_>) -> bool {
        let mut fine = true;
        for (keyword, least) in [("x-exactly-one-of", 1), ("x-at-most-one-of", 0)] {
            let group = names(schema.get(keyword));
            if group.is_empty() {
                continue;
            }
            let mut present = entries.iter().filter(|entry| group.contains(&entry.key.value.as_str()));
            let first = present.next();
            // A key that stands twice has its fault already.
            let second = present.find(|entry| first.is_some_and(|first| first.key.value != entry.key.value));
            match (first, second) {
                (Some(first), Some(second)) => {
                    let (a, b) = (&first.key.value, &second.key.value);
                    let message = format!("`{b}` cannot stand beside `{a}` in {place}");
                    let fault = Diagnostic::error(Code::Exclusive, second.key.span, message);
                    self.diagnostics.push(fault.context(first.key.span, "already here"));
                    fine = false;
                }
                (None, _) if least > 0 => {
                    let properties = schema.get("properties").and_then(Value::as_object);
                    let usable = |name: &&&str| properties.is_none_or(|all| supported(all, name));
                    let message = match group.iter().filter(usable).copied().collect::<Vec<_>>().as_slice() {
                        [only] => format!("`{only}` is missing in {place}"),
                        several => format!("{place} needs one of {}", words::listed(several)),
                    };
                    self.diagnostics.push(Diagnostic::error(Code::MissingKey, place.span, message));
                    fine = false;
                }
                _ => {}
            }
        }
        fine
    }

    /// Reports a key and returns the one that was meant, if that can be told.
    fn unknown_key(
        &mut self,
        entry: &Entry,
        within: &Node,
        properties: Option<&'a Map<String, Value>>,
        place: Place<'_>,
    ) -> Option<&'a str> {
        let name = entry.key.value.as_str();
        let empty = entry.value.scalar().is_some_and(|scalar| scalar.text.is_empty() && scalar.style == Style::Plain);
        if empty && name.contains(' ') {
            let fault = Diagnostic::error(Code::UnknownKey, entry.key.span, "inside of `{ }` a comma ends a text");
            self.diagnostics.push(fault.help("put quotes around the whole text before it"));
            return None;
        }
        let keys = properties.into_iter().flat_map(|all| all.keys().filter(|key| supported(all, key)));
        let known: Vec<&str> = keys.map(String::as_str).collect();
        let fault = Diagnostic::error(Code::UnknownKey, entry.key.span, format!("{place} has no key `{name}`"));
        let absent = known.iter().copied().filter(|key| within.entry(key).is_none());
        let meant = words::meant(name, absent);
        if let Some((ours, help)) = habits::pair(name, within, &known) {
            if let Some(help) = help {
                self.diagnostics.push(fault.help(help));
            }
            return Some(ours);
        }
        self.diagnostics.push(match meant {
            Some(meant) if words::is_alone(name, &known) => {
                fault.replace(format!("did you mean `{meant}`?"), entry.key.span, meant)
            }
            Some(meant) => fault.guess(meant, entry.key.span, meant),
            None if known.is_empty() => fault,
            None => fault.help(format!("known keys: {}", known.join(", "))),
        });
        meant
    }

    fn list(&mut self, items: &[Node], schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let Some(inner) = schema.get("items") else {
            return items.iter().map(|item| self.anything(item)).collect::<Option<Vec<_>>>().map(Value::Array);
        };
        let mut values = Vec::with_capacity(items.len());
        let mut usable = true;
        for item in items {
            match self.value(item, inner, Place { name: place.name, role: Role::Item, span: item.span }) {
                Some(value) => values.push(value),
                None => usable = false,
            }
        }
        usable.then_some(Value::Array(values))
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let kinds = kinds(schema);
        let core = match scalar.core() {
            // What comes from a variable is whatever the key wants, if it can be read as that.
            Core::Text if scalar.is_interpolated() && !kinds.contains(&"string") => Core::of(&scalar.text),
            core => core,
        };
        let fits = match &core {
            Core::Null => kinds.contains(&"null"),
            Core::Bool(_) => kinds.contains(&"boolean"),
            Core::Number(number) => {
                kinds.contains(&"number") || (kinds.contains(&"integer") && (number.is_i64() || number.is_u64()))
            }
            Core::TooLarge => false,
            Core::Text => kinds.contains(&"string"),
        };
        if !fits {
            return self.wrong_type(node, schema, &kinds, place);
        }
        if core == Core::Text && kinds.contains(&"boolean") {
            self.advise_on_old_boolean(node, scalar);
        }
        let value = core.value(&scalar.text);
        self.accepts(node, &value, schema, place).then_some(value)
    }

    fn accepts(&mut self, node: &Node, value: &Value, schema: &Value, place: Place<'_>) -> bool {
        let expected = || schema.get("x-expected").and_then(Value::as_str).map(str::to_owned);
        if let (Some(text), Some(pattern)) = (value.as_str(), schema.get("pattern").and_then(Value::as_str))
            && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
        {
            let wanted = expected().unwrap_or_else(|| format!("text that matches `{pattern}`"));
            let message = format!("{place} must be {wanted}");
            let fault = Diagnostic::error(Code::NotAccepted, node.span, message);
            self.diagnostics.push(match words::reshaped(text, pattern) {
                Some(instead) => fault.propose(format!("did you mean `{instead}`?"), node.span, instead),
                None => fault,
            });
            return false;
        }
        let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        if let Some(number) = value.as_f64() {
            let (least, most) = (bound("minimum"), bound("maximum"));
            if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
                let range = match (least, most) {
                    (Some(least), Some(most)) => format!("from {least} to {most}"),
                    (Some(least), None) => format!("{least} or more"),
                    (None, _) => format!("{} or less", most.unwrap_or_default()),
                };
                let message = format!("{place} must be {range}");
                self.diagnostics.push(Diagnostic::error(Code::NotAccepted, node.span, message));
                return false;
            }
        }
        true
    }

    fn variant(&mut self, node: &Node, options: &[(&'a str, &'a Value)], place: Place<'_>) -> Option<Value> {
        let supported = options.iter().filter(|(_, schema)| !is_set(schema, "x-not-yet"));
        let known: Vec<&str> = supported.map(|(name, _)| *name).collect();
        let text = node.scalar().map(|scalar| scalar.text.as_str());
        let Some((name, schema)) = options.iter().find(|(name, _)| Some(*name) == text) else {
            let shown = match text {
                Some(text) if !text.is_empty() => format!("`{text}`"),
                Some(_) | None => words::found(node),
            };
            let message = format!("{place} must be {}, not {shown}", words::listed(&known));
            let code = if text.is_some() { Code::NotAccepted } else { Code::WrongType };
            let span = if node.span.range().is_empty() { place.span } else { node.span };
            let fault = Diagnostic::error(code, span, message);
            self.diagnostics.push(match text.and_then(|text| words::meant(text, known.iter().copied())) {
                Some(meant) if text.is_some_and(|text| words::is_alone(text, &known)) => {
                    fault.replace(format!("did you mean `{meant}`?"), node.span, meant)
                }
                Some(meant) => fault.guess(meant, node.span, meant),
                None => fault,
            });
            return None;
        };
        if is_set(schema, "x-not-yet") {
            let message = format!("`{}: {name}` is not supported yet", place.name);
            self.diagnostics.push(Diagnostic::error(Code::NotYet, node.span, message));
            return None;
        }
        Some(Value::String((*name).to_owned()))
    }

    /// The alternative that was most likely meant: the one whose kind fits the value.
    fn branch(&self, node: &Node, options: &'a [Value]) -> Option<&'a Value> {
        let kind = match &node.kind {
            Kind::Map(_) => "object",
            Kind::List(_) => "array",
            Kind::Scalar(scalar) => match scalar.core() {
                Core::Bool(_) => "boolean",
                Core::Number(number) if number.is_f64() => "number",
                Core::Number(_) => "integer",
                Core::Null => "null",
                Core::TooLarge | Core::Text => "string",
            },
            Kind::Faulty => return None,
        };
        options.iter().find(|option| {
            let kinds = self.kinds_of(option);
            kinds.is_empty() || kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"))
        })
    }

    fn kinds_of(&self, schema: &'a Value) -> Vec<&'a str> {
        let schema = self.resolve(schema);
        if variants(schema).is_some() {
            return vec!["string"];
        }
        match schema.get("anyOf").and_then(Value::as_array) {
            Some(options) => options.iter().flat_map(|option| self.kinds_of(option)).collect(),
            None => kinds(schema),
        }
    }

    fn wrong_type(&mut self, node: &Node, schema: &'a Value, wanted: &[&str], place: Place<'_>) -> Option<Value> {
        let expected = match schema.get("x-expected").and_then(Value::as_str) {
            Some(expected) => expected.to_owned(),
            None => wanted.iter().map(|kind| words::kind(kind)).collect::<Vec<_>>().join(" or "),
        };
        self.hide_displaced(node, schema);
        let message = if self.diagnostics.is_hidden(node.span) {
            format!("{place} must be {expected}")
        } else {
            format!("{place} must be {expected}, not {}", words::found(node))
        };
        let span = if node.span.range().is_empty() { place.span } else { node.span };
        let fault = Diagnostic::error(Code::WrongType, span, message);
        let repair = node.scalar().and_then(|scalar| words::repair(scalar, wanted, schema));
        self.diagnostics.push(match repair {
            // A number without its unit may have been meant in another one.
            Some((help, text))
                if text.ends_with(char::is_alphabetic) && text.starts_with(|it: char| it.is_ascii_digit()) =>
            {
                fault.propose(help, node.span, text)
            }
            Some((help, text)) => fault.replace(help, node.span, text),
            None => match habits::by_name(node, place) {
                Some(help) => fault.help(help),
                None => fault,
            },
        });
        None
    }

    /// A value whose kind is left to the author.
    fn anything(&mut self, node: &Node) -> Option<Value> {
        match &node.kind {
            Kind::Scalar(scalar) => {
                let core = scalar.core();
                if core == Core::TooLarge {
                    let message = "a whole number beyond 64 bits would lose digits";
                    let fault = Diagnostic::error(Code::WrongType, node.span, message);
                    let quoted = format!("\"{}\"", scalar.text);
                    self.diagnostics.push(fault.replace("write it as text", node.span, quoted));
                    return None;
                }
                self.advise_on_old_boolean(node, scalar);
                Some(core.value(&scalar.text))
            }
            Kind::List(items) => {
                items.iter().map(|item| self.anything(item)).collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| Some((entry.key.value.clone(), self.anything(&entry.value)?)));
                pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
            }
            Kind::Faulty => None,
        }
    }

    fn advise_on_old_boolean(&mut self, node: &Node, scalar: &Scalar) {
        if scalar.style == Style::Plain && !scalar.is_interpolated() && words::is_old_boolean(&scalar.text) {
            let message = format!("`{}` is text in YAML 1.2", scalar.text);
            let advice = Diagnostic::warning(Code::OldBoolean, node.span, message);
            self.diagnostics.push(advice.help("put it in quotes, or write `true` or `false`"));
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
        reference.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(schema)
    }
}

/// The names of an enumeration, each with its schema.
fn variants(schema: &Value) -> Option<Vec<(&str, &Value)>> {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return options.iter().map(|option| option.as_str().map(|name| (name, &Value::Null))).collect();
    }
    let options = schema.get("oneOf").and_then(Value::as_array)?;
    options
        .iter()
        .map(|option| {
            let name = option.get("const").and_then(Value::as_str);
            let name = name.or_else(|| option.get("enum").and_then(|names| names.get(0)).and_then(Value::as_str));
            name.map(|name| (name, option))
        })
        .collect()
}

fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn names(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_set(schema: &Value, keyword: &str) -> bool {
    schema.get(keyword) == Some(&Value::Bool(true))
}

/// Whether a key is one that this version has.
fn supported(properties: &Map<String, Value>, name: &str) -> bool {
    properties.get(name).is_none_or(|schema| !is_set(schema, "x-not-yet"))
}
