//! The types, the schema made from them and the structural check describe one language: random
//! documents are accepted by all of them or by none.

use mcp_bridge::{bridge, check::check, text::FileSet};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::Fixed;

const DOCUMENTS: usize = 400;

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }

    fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }
}

const TEXTS: [&str; 24] = [
    "MB0331",
    "text/csv",
    "shop",
    "",
    "10s",
    "64KiB",
    "30/min",
    "https://a.example",
    "<=5",
    "yes",
    "1.5",
    "true",
    "null",
    "a: b",
    "x_1",
    "{{x}}",
    "/items",
    "$.a",
    "SELECT 1",
    "2xx",
    "caller.name",
    "sqlite:x.db",
    "# no comment",
    "127.0.0.1:0",
];

fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn later(schema: &Value) -> bool {
    schema["x-not-yet"] == true
}

/// A random value that the schema accepts.
fn valid(schema: &Value, root: &Value, dice: &mut Dice, depth: usize) -> Value {
    let schema = resolve(schema, root);
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    let variants = |key: &str| schema[key].as_array().filter(|all| all.iter().all(|it| it["required"].is_null()));
    if let Some(options) = variants("oneOf").or_else(|| schema["anyOf"].as_array()) {
        let options: Vec<&Value> = options.iter().filter(|option| !later(option)).collect();
        let option = if depth > 6 { options[0] } else { *dice.one(&options) };
        return valid(option, root, dice, depth + 1);
    }
    if let Some(options) = schema["enum"].as_array() {
        return dice.one(options).clone();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["string", "integer", "boolean"],
    };
    match *dice.one(&kinds) {
        "object" => object(schema, root, dice, depth),
        "array" => {
            let fewest = usize::from(schema["minItems"].as_u64().is_some_and(|least| least > 0));
            let length = fewest + if depth > 6 { 0 } else { dice.roll(3) };
            let items = schema.get("items").cloned().unwrap_or_else(|| json!({ "type": "string" }));
            (0..length).map(|_| valid(&items, root, dice, depth + 1)).collect()
        }
        "integer" => json!(schema["minimum"].as_u64().unwrap_or(0) + dice.roll(5) as u64),
        "number" => json!(1.5),
        "boolean" => json!(dice.roll(2) == 0),
        _ => text(schema, dice),
    }
}

fn text(schema: &Value, dice: &mut Dice) -> Value {
    let hash = format!("sha256:{}", "0a".repeat(32));
    let Some(pattern) = schema["pattern"].as_str() else { return json!(*dice.one(&TEXTS)) };
    let pattern = Regex::new(pattern).expect("a pattern");
    let fitting: Vec<&str> = TEXTS.into_iter().chain([&*hash]).filter(|text| pattern.is_match(text)).collect();
    json!(*dice.one(&fitting))
}

fn object(schema: &Value, root: &Value, dice: &mut Dice, depth: usize) -> Value {
    let mut members = Map::new();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let group = |keyword: &str| -> Vec<&str> {
        let names = schema[keyword].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| !later(&schema["properties"][*name])).collect()
    };
    let (exactly, at_most) = (group("x-exactly-one-of"), group("x-at-most-one-of"));
    let chosen = (!exactly.is_empty()).then(|| *dice.one(&exactly));
    let kept = (!at_most.is_empty()).then(|| *dice.one(&at_most));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let alone = !exactly.contains(&name.as_str()) || chosen == Some(name);
        let single = !at_most.contains(&name.as_str()) || kept == Some(name);
        let needed = required.contains(&name.as_str()) || chosen == Some(name);
        let wanted = needed || (depth < 6 && dice.roll(4) == 0);
        if wanted && alone && single && !later(property) {
            members.insert(name.clone(), valid(property, root, dice, depth + 1));
        }
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|it| it.is_object() && depth < 7) {
        for name in ["one", "two"].iter().take(dice.roll(3)) {
            members.insert((*name).to_owned(), valid(inner, root, dice, depth + 1));
        }
    }
    Value::Object(members)
}

/// Changes one thing somewhere in a document, most likely for the worse.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let inner = match value {
        Value::Object(members) if !members.is_empty() && dice.roll(4) > 0 => {
            let at = dice.roll(members.len());
            members.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() && dice.roll(4) > 0 => {
            let at = dice.roll(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    if let Some(inner) = inner {
        return spoil(inner, dice);
    }
    match (value, dice.roll(3)) {
        (Value::Object(members), 0) => {
            members.insert("unheard_of".into(), json!(1));
        }
        (Value::Object(members), 1) if !members.is_empty() => {
            let name = members.keys().nth(dice.roll(members.len())).cloned().unwrap_or_default();
            members.remove(&name);
        }
        (value, _) => {
            *value = dice
                .one(&[json!(null), json!(7), json!(-1.5), json!("odd"), json!([]), json!({}), json!(true)])
                .clone();
        }
    }
}

/// What the structural check says about a document.
fn faults(document: &Value) -> Vec<String> {
    let mut files = FileSet::new();
    files.add("random.yaml", serde_yaml::to_string(document).expect("YAML"));
    let checked = check(&files, &Fixed::default());
    let structural = checked.diagnostics.iter().filter(|it| {
        let code = it.code.as_str();
        // Of a value that only its meaning rules out the schema knows nothing.
        let is_semantic = ["the credential is empty", "two keys have this name", "is not read-only"]
            .iter()
            .any(|words| it.message.contains(words));
        (code.starts_with("MB02") || code.starts_with("MB01")) && code != "MB0207" && !is_semantic
    });
    structural.map(|it| format!("{}: {}", it.code.as_str(), it.message)).collect()
}

#[test]
fn what_the_schema_accepts_is_read_and_what_it_refuses_is_told() {
    let schema = bridge::json_schema();
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is one");
    let mut dice = Dice(42);
    let mut refused = 0;
    for round in 0..DOCUMENTS {
        let mut document = valid(&schema, &schema, &mut dice, 0);
        if round % 2 == 1 {
            spoil(&mut document, &mut dice);
        }
        let accepted = validator.is_valid(&document);
        let read = bridge::File::deserialize(document.clone());
        let told = faults(&document);
        assert!(round % 2 == 1 || accepted, "the generator is off: {document}");
        if accepted {
            assert!(read.is_ok(), "{}\n{document}", read.err().map_or(String::new(), |error| error.to_string()));
            assert!(told.is_empty(), "{told:?}\n{document}");
        } else {
            refused += 1;
            assert!(!told.is_empty(), "nothing is told of {document}");
        }
    }
    assert!(refused > DOCUMENTS / 8, "only {refused} documents were refused");
}
