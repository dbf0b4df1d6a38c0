//! Floor 2. What is read from which text, and in which words the rest is refused.

mod coercion;
mod faults;

use serde_json::{Value, json};

use super::{Arguments, Output, sentence};

fn compiled(properties: &Value, required: &[&str]) -> Arguments {
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    Arguments::compile(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// The arguments as read, or the messages of all faults.
fn read(arguments: &Arguments, text: &str) -> Result<String, Vec<String>> {
    match arguments.read(Some(text)) {
        Ok(map) => Ok(Value::Object(map).to_string()),
        Err(faults) => Err(faults.into_iter().map(|fault| fault.message).collect()),
    }
}

/// Arguments that nest as many levels deeper.
fn deep(levels: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn types_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Arguments>();
    shared::<Output>();
}

#[test]
fn the_raw_value_marker_is_an_ordinary_name() {
    let arguments = compiled(&json!({ "a": {}, "i": { "type": "integer" } }), &[]);
    for text in
        [r#"{"a":{"$serde_json::private::RawValue":"{\"x\":1}"}}"#, r#"{"a":{"$serde_json::private::Number":"12"}}"#]
    {
        assert_eq!(read(&arguments, text), Ok(text.to_owned()));
    }
    assert!(read(&arguments, r#"{"i":{"$serde_json::private::RawValue":"1"}}"#).is_err());
    assert!(read(&arguments, r#"{"$serde_json::private::RawValue":"{}"}"#).is_err());
}

#[test]
fn a_schema_that_cannot_be_enforced_is_refused() {
    let of = |properties: Value| json!({ "type": "object", "properties": properties });
    for (schema, pointer) in [
        (json!({ "type": "string" }), ""),
        (json!(true), ""),
        (of(json!({ "a": { "type": "text" } })), "/properties/a/type"),
        (of(json!({ "a": { "minimum": "1" } })), "/properties/a/minimum"),
        (of(json!({ "a": { "$ref": "https://example.com/x" } })), "/properties/a/$ref"),
        (of(json!({ "a": { "pattern": "(" } })), "/properties/a/pattern"),
        (of(json!({ "a": { "pattern": "(?=x)y" } })), "/properties/a/pattern"),
        (of(json!({ "a": { "pattern": "(a)\\1" } })), "/properties/a/pattern"),
        (of(json!({ "a": { "pattern": "((a{1000}){1000}){1000}" } })), "/properties/a/pattern"),
        (of(json!({ "a": { "$ref": "#/$defs/none" } })), "/properties/a/$ref"),
        (of(json!({ "a": { "type": "number", "format": "decimal", "enum": ["x"] } })), "/properties/a/enum"),
    ] {
        let error = Arguments::compile(&schema).err().unwrap_or_else(|| panic!("{schema}"));
        assert_eq!(error.pointer, pointer, "{schema}: {error}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn a_reference_in_a_circle_does_not_run_forever() {
    for properties in [
        json!({ "a": { "$ref": "#/properties/a" } }),
        json!({ "a": { "$ref": "#/properties/b" }, "b": { "$ref": "#/properties/a" } }),
        json!({
            "a": { "allOf": [{ "$ref": "#/properties/b" }] },
            "b": { "anyOf": [{ "$ref": "#/properties/a" }, { "not": { "$ref": "#/properties/b" } }] },
        }),
    ] {
        let schema = json!({ "type": "object", "properties": properties });
        if let Ok(arguments) = Arguments::compile(&schema) {
            for text in [r#"{"a":1}"#, r#"{"a":null}"#, r#"{"b":{"a":[]}}"#] {
                let _outcome = arguments.read(Some(text));
            }
        }
    }
}

#[test]
fn an_output_schema_judges_values_as_they_are() {
    let output = Output::compile(&json!({ "type": "object", "properties": { "id": { "type": "integer" } } })).unwrap();
    assert!(output.accepts(&json!({ "id": 5 })));
    assert!(!output.accepts(&json!({ "id": "5" })));
    assert!(Output::compile(&json!({ "type": 5 })).is_err());
}

#[test]
fn no_text_makes_reading_panic() {
    let arguments = [
        compiled(&json!({ "a": { "type": "integer" }, "b": { "type": "string", "format": "date-time" } }), &["a"]),
        compiled(
            &json!({
                "a": { "type": "integer", "format": "int64" },
                "b": { "type": ["number", "null"], "format": "decimal", "multipleOf": 0.05, "maximum": 10 },
                "c": { "type": "array", "items": { "type": "string", "format": "duration" } },
                "d": { "type": "string", "format": "email" },
                "e": { "type": "string", "format": "uri" },
                "f": { "type": "string", "format": "time" },
            }),
            &["a"],
        ),
    ];
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"b\"",
        "\"c\":",
        "\"d\":",
        "\"e\":\"é\u{0}:/\"",
        "null",
        "true",
        "-",
        "1",
        "0",
        ".",
        "e",
        "E+",
        "99999999999999999999",
        "\"2026-01-31T",
        "P1D\"",
        "\\u",
        "\\ud800",
        "é",
        "\u{0}",
        " ",
        "\"",
        "{\"a\":",
        "\"b\":1e-5",
        "\"f\":\"23:59:60Z\"",
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 1_000_003).unwrap() % below
    };
    for _ in 0..40_000 {
        let wrapped = next(3) > 0;
        let mut text: String = (0..next(9)).map(|_| pieces[next(pieces.len())]).collect();
        if wrapped {
            text = format!("{{\"{}\":{text}}}", ["a", "b", "c", "d", "e"][next(5)]);
        }
        for arguments in &arguments {
            if let Err(faults) = arguments.read(Some(&text)) {
                assert!(!faults.is_empty(), "{text}");
                assert!(sentence(&faults).len() < 100_000);
            }
        }
    }
}
