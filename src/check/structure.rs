//! Floor 4. The shape of a file: every key that is not known, missing, of the wrong kind or not
//! supported yet, all at once, each at its exact text.
//!
//! The walk follows the JSON Schema that the `bridge` types yield, so the types are the only
//! description of the format. What is faulty is left out of the result, and the checks that
//! come later go on with the rest.

use regex::Regex;
use serde_json::{Map, Value};

use crate::{
    diag::{Code, Diagnostic, Diagnostics},
    text::Span,
    yaml::{Core, Entry, Kind, Node, Scalar, Style},
};

/// Walks a file along the schema of the format. `None` when nothing of it can be used.
#[must_use]
pub fn walk(root: &Node, schema: &Value) -> (Option<Value>, Diagnostics) {
    let mut walker = Walker { schema, diagnostics: Diagnostics::new() };
    walker.hide_credentials(root);
    let value = walker.value(root, schema, Place { name: "the file", span: root.span });
    (value, walker.diagnostics)
}

/// What a value is called in messages, and where a fault of the whole value is shown.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    span: Span,
}

struct Walker<'a> {
    schema: &'a Value,
    diagnostics: Diagnostics,
}

impl<'a> Walker<'a> {
    fn value(&mut self, node: &Node, schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let schema = self.resolve(schema);
        if let Some(options) = variants(schema) {
            return self.variant(node, options, place);
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
        }
    }

    fn object(&mut self, node: &Node, entries: &[Entry], schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let mut result = Map::new();
        let mut usable = true;
        for entry in entries {
            let name = entry.key.value.as_str();
            let inner = Place { name, span: entry.key.span };
            if let Some(schema) = properties.and_then(|all| all.get(name)) {
                if is_set(schema, "x-not-yet") {
                    let message = format!("`{name}` is not supported yet");
                    self.diagnostics.push(Diagnostic::error(Code::NotYet, entry.key.span, message));
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
                if properties.is_some_and(|all| all.values().any(|schema| is_set(schema, "x-secret"))) {
                    // A misspelt key beside secrets most likely holds one.
                    self.diagnostics.hide(entry.value.span);
                }
                self.unknown_key(entry, properties, place);
            }
        }
        for name in names(schema.get("required")) {
            if node.entry(name).is_none() {
                let message = format!("`{name}` is missing in {}", quoted(place.name));
                self.diagnostics.push(Diagnostic::error(Code::MissingKey, place.span, message));
            }
            usable &= result.contains_key(name);
        }
        usable &= self.exclusive(entries, schema, place);
        // The one key that had to be there is there, and nothing of it can be used.
        let one_of = names(schema.get("x-exactly-one-of"));
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
            match (present.next(), present.next()) {
                (Some(first), Some(second)) => {
                    let (a, b) = (&first.key.value, &second.key.value);
                    let message = format!("`{b}` cannot stand beside `{a}` in {}", quoted(place.name));
                    let fault = Diagnostic::error(Code::Exclusive, second.key.span, message);
                    self.diagnostics.push(fault.context(first.key.span, "already here"));
                    fine = false;
                }
                (None, _) if least > 0 => {
                    let message = format!("{} needs one of {}", quoted(place.name), listed(&group));
                    self.diagnostics.push(Diagnostic::error(Code::MissingKey, place.span, message));
                    fine = false;
                }
                _ => {}
            }
        }
        fine
    }

    fn unknown_key(&mut self, entry: &Entry, properties: Option<&'a Map<String, Value>>, place: Place<'_>) {
        let name = entry.key.value.as_str();
        let empty = entry.value.scalar().is_some_and(|scalar| scalar.text.is_empty() && scalar.style == Style::Plain);
        if empty && name.contains(' ') {
            let fault = Diagnostic::error(Code::UnknownKey, entry.key.span, "inside of `{ }` a comma ends a text");
            self.diagnostics.push(fault.help("put quotes around the whole text before it"));
            return;
        }
        let known: Vec<&str> = properties.iter().flat_map(|all| all.keys()).map(String::as_str).collect();
        let message = format!("{} has no key `{name}`", quoted(place.name));
        let fault = Diagnostic::error(Code::UnknownKey, entry.key.span, message);
        let hinted = fault.clone().did_you_mean(name, known.iter().copied());
        let shown = if hinted.help.is_empty() && !known.is_empty() {
            fault.help(format!("known keys: {}", known.join(", ")))
        } else {
            hinted
        };
        self.diagnostics.push(shown);
    }

    fn list(&mut self, items: &[Node], schema: &'a Value, place: Place<'_>) -> Option<Value> {
        let Some(inner) = schema.get("items") else {
            return items.iter().map(|item| self.anything(item)).collect::<Option<Vec<_>>>().map(Value::Array);
        };
        let mut values = Vec::with_capacity(items.len());
        let mut usable = true;
        for item in items {
            match self.value(item, inner, Place { name: place.name, span: item.span }) {
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
            Core::Text if scalar.interpolated && !kinds.contains(&"string") => Core::of(&scalar.text),
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
        let value = core.value(&scalar.text);
        self.accepts(node, &value, schema, place).then_some(value)
    }

    fn accepts(&mut self, node: &Node, value: &Value, schema: &Value, place: Place<'_>) -> bool {
        let expected = || schema.get("x-expected").and_then(Value::as_str).map(str::to_owned);
        if let (Some(text), Some(pattern)) = (value.as_str(), schema.get("pattern").and_then(Value::as_str)) {
            if !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text)) {
                let wanted = expected().unwrap_or_else(|| format!("text that matches `{pattern}`"));
                let message = format!("`{}` must be {wanted}", place.name);
                self.diagnostics.push(Diagnostic::error(Code::NotAccepted, node.span, message));
                return false;
            }
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
                let message = format!("`{}` must be {range}", place.name);
                self.diagnostics.push(Diagnostic::error(Code::NotAccepted, node.span, message));
                return false;
            }
        }
        true
    }

    fn variant(&mut self, node: &Node, options: Vec<(&'a str, &'a Value)>, place: Place<'_>) -> Option<Value> {
        let known = options.iter().map(|(name, _)| *name);
        let Some(text) = node.scalar().map(|scalar| scalar.text.as_str()) else {
            let message = format!("`{}` must be {}", place.name, listed(&known.collect::<Vec<_>>()));
            self.diagnostics.push(Diagnostic::error(Code::WrongType, node.span, message));
            return None;
        };
        let Some((name, schema)) = options.iter().find(|(name, _)| *name == text) else {
            let message =
                format!("`{}` must be {}, not `{text}`", place.name, listed(&known.clone().collect::<Vec<_>>()));
            let fault = Diagnostic::error(Code::NotAccepted, node.span, message);
            self.diagnostics.push(fault.did_you_mean(text, known));
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

    fn wrong_type(&mut self, node: &Node, schema: &Value, wanted: &[&str], place: Place<'_>) -> Option<Value> {
        let expected = match schema.get("x-expected").and_then(Value::as_str) {
            Some(expected) => expected.to_owned(),
            None => wanted.iter().map(|kind| kind_in_words(kind)).collect::<Vec<_>>().join(" or "),
        };
        let found = if self.diagnostics.is_hidden(node.span) { "that".into() } else { found(node) };
        let message = format!("{} must be {expected}, not {found}", quoted(place.name));
        let span = if node.span.range().is_empty() { place.span } else { node.span };
        let fault = Diagnostic::error(Code::WrongType, span, message);
        self.diagnostics.push(match node.scalar() {
            Some(scalar) => repair(fault, scalar, wanted, node.span),
            None => fault,
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
                if core == Core::Text && scalar.style == Style::Plain && is_old_boolean(&scalar.text) {
                    let message = format!("`{}` is text in YAML 1.2", scalar.text);
                    let advice = Diagnostic::warning(Code::OldBoolean, node.span, message);
                    self.diagnostics.push(advice.help("put it in quotes, or write `true` or `false`"));
                }
                Some(core.value(&scalar.text))
            }
            Kind::List(items) => {
                items.iter().map(|item| self.anything(item)).collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| Some((entry.key.value.clone(), self.anything(&entry.value)?)));
                pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
            }
        }
    }

    /// An address with a password in it is not shown, wherever it stands.
    fn hide_credentials(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(scalar) => {
                let address = scalar.text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
                if address.is_some_and(|authority| authority.contains('@')) {
                    self.diagnostics.hide(node.span);
                }
            }
            Kind::List(items) => items.iter().for_each(|item| self.hide_credentials(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.hide_credentials(&entry.value)),
        }
    }

    /// Definitions carry no secrets: whoever reads the file would have them.
    fn guard_secret(&mut self, entry: &Entry, schema: &'a Value) {
        if !is_set(schema, "x-secret") && !is_set(self.resolve(schema), "x-secret") {
            return;
        }
        self.diagnostics.hide(entry.value.span);
        let literal = entry.value.scalar().is_some_and(|scalar| !scalar.interpolated && !scalar.text.is_empty());
        if literal {
            let message = format!("`{}` is a secret written into the file", entry.key.value);
            let advice = Diagnostic::warning(Code::LiteralSecret, entry.value.span, message);
            self.diagnostics
                .push(advice.help("take it from the environment: `${NAME}`, or from a file: `${file:path}`"));
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

fn quoted(name: &str) -> String {
    if name == "the file" { name.to_owned() } else { format!("`{name}`") }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

fn kind_in_words(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    }
}

fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Map(_) => "a mapping".into(),
        Kind::List(_) => "a list".into(),
        Kind::Scalar(scalar) if scalar.interpolated => "what the variable holds".into(),
        Kind::Scalar(scalar) => match scalar.core() {
            Core::Null => "nothing".into(),
            Core::Bool(value) => format!("{value}"),
            Core::Number(_) | Core::TooLarge => format!("the number {}", scalar.text),
            Core::Text => "text".into(),
        },
    }
}

fn is_old_boolean(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n")
}

/// What to write so that the value becomes what the key wants.
fn repair(fault: Diagnostic, scalar: &Scalar, wanted: &[&str], span: Span) -> Diagnostic {
    let numeric = wanted.contains(&"integer") || wanted.contains(&"number");
    match scalar.core() {
        Core::Number(_) | Core::TooLarge | Core::Bool(_) if wanted.contains(&"string") => {
            fault.replace("put it in quotes", span, format!("\"{}\"", scalar.text))
        }
        Core::Text if wanted.contains(&"boolean") && is_old_boolean(&scalar.text) => {
            let yes = matches!(scalar.text.to_ascii_lowercase().as_str(), "yes" | "on" | "y");
            fault.replace(format!("write `{yes}`"), span, yes.to_string())
        }
        Core::Text if numeric && scalar.style == Style::Quoted && matches!(Core::of(&scalar.text), Core::Number(_)) => {
            fault.replace("leave the quotes out", span, scalar.text.clone())
        }
        _ => fault,
    }
}
