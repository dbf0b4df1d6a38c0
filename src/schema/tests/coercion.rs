//! Floor 2. What is read from which text.

use serde_json::{Value, json};

use super::{compiled, read};
use crate::schema::Arguments;

/// A schema, a value for it as text, and what is made of that; nothing where it is refused.
type Row<'t> = (Value, &'t str, Option<&'t str>);

fn all_read(rows: &[Row<'_>]) {
    for (schema, given, expected) in rows {
        let found = read(&compiled(&json!({ "a": schema }), &["a"]), &format!("{{\"a\":{given}}}"));
        let expected = expected.map(|value| format!("{{\"a\":{value}}}"));
        assert_eq!(found.clone().ok(), expected, "{schema} {given} {found:?}");
    }
}

#[test]
fn an_integer_is_read_from_its_exact_writings() {
    all_read(&[
        (json!({ "type": "integer" }), "5", Some("5")),
        (json!({ "type": "integer" }), "\"5\"", Some("5")),
        (json!({ "type": "integer" }), "\"-5\"", Some("-5")),
        (json!({ "type": "integer" }), "5.0", Some("5")),
        (json!({ "type": "integer" }), "1e3", Some("1000")),
        (json!({ "type": "integer" }), "-0", Some("0")),
        (json!({ "type": "integer" }), "9007199254740993.0", Some("9007199254740993")),
        (json!({ "type": "integer" }), "18446744073709551615", Some("18446744073709551615")),
        (json!({ "type": "integer" }), "18446744073709551616", None),
        (json!({ "type": "integer" }), "\"18446744073709551616\"", None),
        (json!({ "type": "integer" }), "5.00000000000000000001", None),
        (json!({ "type": "integer" }), "5.5", None),
        (json!({ "type": "integer" }), "\"5.0\"", None),
        (json!({ "type": "integer" }), "\"05\"", None),
        (json!({ "type": "integer" }), "\" 5\"", None),
        (json!({ "type": "integer" }), "\"5 apples\"", None),
        (json!({ "type": "integer" }), "true", None),
        (json!({ "type": "integer" }), "[5]", None),
    ]);
}

#[test]
fn a_number_is_read_from_its_text() {
    all_read(&[
        (json!({ "type": "number" }), "\"1.5\"", Some("1.5")),
        (json!({ "type": "number" }), "\"5\"", Some("5")),
        (json!({ "type": "number" }), "\"NaN\"", None),
        (json!({ "type": "number" }), "1e400", None),
        (json!({ "type": "number" }), "\"1e400\"", None),
    ]);
}

#[test]
fn a_string_takes_numbers_as_they_are_written() {
    all_read(&[
        (json!({ "type": "string" }), "5", Some("\"5\"")),
        (json!({ "type": "string" }), "-5", Some("\"-5\"")),
        (json!({ "type": "string" }), "5.10", Some("\"5.10\"")),
        (json!({ "type": "string" }), "1e5", None),
        (json!({ "type": "string" }), "true", None),
        (json!({ "type": "string" }), r#""a\u0000b""#, Some(r#""a\u0000b""#)),
        (json!({ "type": "string", "enum": ["1", "2"] }), "2", Some("\"2\"")),
    ]);
}

#[test]
fn a_boolean_is_read_from_two_words() {
    all_read(&[
        (json!({ "type": "boolean" }), "\"true\"", Some("true")),
        (json!({ "type": "boolean" }), "\"false\"", Some("false")),
        (json!({ "type": "boolean" }), "\"True\"", None),
        (json!({ "type": "boolean" }), "1", None),
    ]);
}

#[test]
fn coercion_follows_the_schema_and_never_guesses() {
    all_read(&[
        (json!({ "type": "string" }), "0.12345678901234567890123", Some("\"0.12345678901234567890123\"")),
        (json!({ "type": "string" }), "123456789012345678901234", Some("\"123456789012345678901234\"")),
        (json!({ "type": ["integer", "string"] }), "\"5\"", Some("\"5\"")),
        (json!({ "type": ["integer", "string"] }), "5.5", Some("\"5.5\"")),
        (json!({ "type": ["integer", "boolean"] }), "\"true\"", Some("true")),
        (json!({ "type": "array", "items": { "type": "integer" } }), r#"["1",2.0]"#, Some("[1,2]")),
        (json!({ "type": "array", "items": { "type": "integer" } }), r#""1,2""#, None),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": { "type": "boolean" } }),
            r#"[1,"true"]"#,
            Some(r#"["1",true]"#),
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
            r#"{"b":"5"}"#,
            Some(r#"{"b":5}"#),
        ),
        (json!({ "type": "object" }), r#"{"b":"5","c":1e3}"#, Some(r#"{"b":"5","c":1000.0}"#)),
        (json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), "\"5\"", Some("5")),
        (json!({ "anyOf": [{ "type": "integer" }, { "type": "boolean" }] }), "\"5\"", None),
        (json!({}), "\"5\"", Some("\"5\"")),
    ]);
}

#[test]
fn an_int64_is_exact_in_its_whole_range() {
    let integer = || json!({ "type": "integer", "format": "int64" });
    let either = || json!({ "type": ["integer", "string"], "format": "int64" });
    all_read(&[
        (integer(), "9007199254740993", Some("9007199254740993")),
        (integer(), "\"9007199254740993\"", Some("9007199254740993")),
        (either(), "\"9007199254740993\"", Some("9007199254740993")),
        (integer(), "9223372036854775807", Some("9223372036854775807")),
        (integer(), "-9223372036854775808", Some("-9223372036854775808")),
        (integer(), "9223372036854775808", None),
        (integer(), "9007199254740993.0", Some("9007199254740993")),
        (integer(), "9.007199254740993e15", Some("9007199254740993")),
        (integer(), "1.5", None),
        (integer(), "\"1e3\"", None),
        (integer(), "\"abc\"", None),
        (integer(), "null", None),
        (integer(), "[1]", None),
    ]);
}

#[test]
fn a_decimal_keeps_every_digit() {
    let decimal = || json!({ "type": "number", "format": "decimal" });
    let text = || json!({ "type": "string", "format": "decimal", "pattern": "^[0-9.]+$" });
    all_read(&[
        (decimal(), "0.10000000000000000000001", Some("\"0.10000000000000000000001\"")),
        (decimal(), "5", Some("\"5\"")),
        (decimal(), "1.25e3", Some("\"1250\"")),
        (decimal(), "1e999999999", None),
        (decimal(), "\"NaN\"", None),
        (decimal(), "true", None),
        (text(), "12.50", Some("\"12.50\"")),
        (text(), "-12.50", None),
    ]);
}

#[test]
fn bounds_of_decimals_are_compared_by_digits() {
    let price =
        || json!({ "type": "number", "format": "decimal", "minimum": 0, "exclusiveMaximum": 100, "multipleOf": 0.01 });
    let listed = || json!({ "type": ["number", "null"], "format": "decimal", "enum": [1.5, null] });
    all_read(&[
        (price(), "99.99", Some("\"99.99\"")),
        (price(), "\"99.990\"", Some("\"99.990\"")),
        (price(), "99.999", None),
        (price(), "100", None),
        (price(), "-0.01", None),
        (listed(), "1.50", Some("\"1.50\"")),
        (listed(), "null", Some("null")),
        (listed(), "2", None),
    ]);
}

#[test]
fn null_means_not_given_unless_it_is_a_value() {
    let arguments = compiled(
        &json!({
            "id": { "type": "integer" },
            "limit": { "type": "integer", "default": 20 },
            "note": { "type": "string" },
            "tag": { "type": ["string", "null"] },
            "sort": { "enum": ["up", "down"] },
            "by": { "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null },
        }),
        &["id"],
    );
    for (given, expected) in [
        (r#"{"id":1}"#, r#"{"id":1,"limit":20,"by":null}"#),
        (r#"{"id":1,"limit":null,"note":null,"sort":null,"by":"x"}"#, r#"{"id":1,"by":"x","limit":20}"#),
        (r#"{"id":1,"tag":null,"by":"x","limit":5}"#, r#"{"id":1,"tag":null,"by":"x","limit":5}"#),
    ] {
        assert_eq!(read(&arguments, given), Ok(expected.to_owned()), "{given}");
    }
    let faults = read(&arguments, r#"{"id":null}"#);
    assert_eq!(faults, Err(vec!["`id` must be an integer, but null was given.".to_owned()]));
}

#[test]
fn defaults_are_filled_in_at_every_level() {
    let arguments = compiled(
        &json!({
            "price": { "type": "number", "format": "decimal", "default": 1.50 },
            "filters": {
                "type": "object",
                "properties": { "limit": { "type": "integer", "default": 5 } },
                "default": {},
            },
            "rows": { "type": "array", "items": {
                "type": "object", "properties": { "n": { "type": "string", "default": "x" } } } },
        }),
        &[],
    );
    for (given, expected) in [
        (None, r#"{"price":"1.5","filters":{"limit":5}}"#),
        (Some("null"), r#"{"price":"1.5","filters":{"limit":5}}"#),
        (
            Some(r#"{"filters":{"limit":"7"},"rows":[{},{"n":"y"}],"price":2.0}"#),
            r#"{"filters":{"limit":7},"rows":[{"n":"x"},{"n":"y"}],"price":"2.0"}"#,
        ),
    ] {
        let found = arguments.read(given).map(|map| Value::Object(map).to_string());
        assert_eq!(found, Ok(expected.to_owned()), "{given:?}");
    }
}

#[test]
fn references_and_recursion_are_followed() {
    let schema = json!({
        "type": "object",
        "properties": { "tree": { "$ref": "#/$defs/tree" }, "id": { "allOf": [{ "$ref": "#/$defs/id" }] } },
        "$defs": {
            "id": { "type": "integer", "format": "int64" },
            "tree": {
                "type": "object",
                "properties": { "n": { "$ref": "#/$defs/id" }, "next": { "$ref": "#/$defs/tree" } },
                "additionalProperties": false,
            },
        },
    });
    let arguments = Arguments::compile(&schema).unwrap();
    let text = r#"{"tree":{"n":"1","next":{"n":9007199254740993,"next":null}},"id":"2"}"#;
    let expected = r#"{"tree":{"n":1,"next":{"n":9007199254740993}},"id":2}"#;
    assert_eq!(read(&arguments, text), Ok(expected.to_owned()));
    let faults = read(&arguments, r#"{"tree":{"next":{"m":1,"n":true}}}"#).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    for wanted in [
        "There is no argument `m` in `tree.next`. Did you mean `n`? The arguments are `n`, `next`.",
        "`tree.next.n` must be an integer, but true was given.",
    ] {
        assert!(faults.iter().any(|fault| fault == wanted), "{faults:?}");
    }
}

#[test]
fn a_default_that_does_not_fit_is_told_by_the_calls_that_need_it() {
    for schema in [
        json!({ "type": "integer", "default": "x" }),
        json!({ "type": "integer", "minimum": 1, "default": 0 }),
        json!({ "type": "integer", "format": "int64", "default": 1.5 }),
        json!({ "type": "number", "format": "decimal", "default": "x" }),
        json!({ "type": "number", "format": "decimal", "maximum": 1, "default": 2 }),
        json!({ "enum": ["open", "sold"], "default": "opened" }),
    ] {
        let arguments = compiled(&json!({ "a": schema }), &[]);
        let faults = read(&arguments, "{}").unwrap_err();
        assert!(matches!(faults.as_slice(), [only] if only.starts_with("`a` must be ")), "{faults:?}");
    }
}
