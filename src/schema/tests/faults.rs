//! Floor 2. In which words arguments are refused.

use serde_json::{Value, json};

use super::{compiled, deep, read};
use crate::schema::{ARGUMENTS_BYTES_MAX, sentence};

/// A schema, a value that it refuses, and the words behind the name.
type Row<'t> = (Value, &'t str, &'t str);

fn all_said(rows: &[Row<'_>]) {
    for (schema, given, expected) in rows {
        let found = read(&compiled(&json!({ "a": schema }), &["a"]), &format!("{{\"a\":{given}}}"));
        assert_eq!(found, Err(vec![format!("`a` {expected}")]), "{schema} {given}");
    }
}

#[test]
fn numbers_are_told_their_type_and_range() {
    all_said(&[
        (json!({ "type": "integer" }), "\"five\"", r#"must be an integer, but "five" was given."#),
        (
            json!({ "type": "integer", "minimum": 1, "maximum": 9 }),
            "[]",
            "must be an integer from 1 to 9, but [] was given.",
        ),
        (json!({ "type": "integer" }), "1.5", "must be an integer, but 1.5 was given."),
        (
            json!({ "type": "integer" }),
            "1e30",
            "must be an integer from -9223372036854775808 to 18446744073709551615, but 1e30 was given.",
        ),
        (
            json!({ "type": "integer", "format": "int64" }),
            "9223372036854775808",
            "must be an integer from -9223372036854775808 to 9223372036854775807, but 9223372036854775808 was given.",
        ),
        (
            json!({ "type": "number", "format": "decimal" }),
            "\"NaN\"",
            r#"must be a decimal number such as 12.50, but "NaN" was given."#,
        ),
        (
            json!({ "type": "number", "format": "decimal", "minimum": 1 }),
            "0.5",
            "must be at least 1, but 0.5 was given.",
        ),
        (json!({ "type": "number" }), "1e400", "is too large for a number: 1e400 was given."),
        (json!({ "type": ["string", "null"] }), "{}", "must be a string or null, but {} was given."),
        (json!({ "type": "boolean" }), "1", "must be true or false, but 1 was given."),
        (json!({ "type": "integer", "minimum": 1 }), "0", "must be at least 1, but 0 was given."),
        (json!({ "type": "integer", "maximum": 9 }), "10", "must be at most 9, but 10 was given."),
        (json!({ "type": "number", "exclusiveMinimum": 0 }), "0", "must be more than 0, but 0 was given."),
        (json!({ "type": "number", "exclusiveMaximum": 1 }), "1.5", "must be less than 1, but 1.5 was given."),
        (json!({ "type": "integer", "multipleOf": 5 }), "7", "must be a multiple of 5, but 7 was given."),
    ]);
}

#[test]
fn strings_are_told_their_format_by_example() {
    all_said(&[
        (
            json!({ "type": "string", "minLength": 1 }),
            "\"\"",
            r#"must be at least 1 character long, but "" was given."#,
        ),
        (
            json!({ "type": "string", "maxLength": 2 }),
            "\"abc\"",
            r#"must be at most 2 characters long, but "abc" was given."#,
        ),
        (
            json!({ "type": "string", "pattern": "^[A-Z]+$" }),
            "\"a\"",
            r#"must match the pattern `^[A-Z]+$`, but "a" was given."#,
        ),
        (
            json!({ "type": "string", "format": "date" }),
            "\"31.1.2026\"",
            r#"must be a date such as 2026-01-31, but "31.1.2026" was given."#,
        ),
        (
            json!({ "type": "string", "format": "date-time" }),
            "\"2026-01-31\"",
            r#"must be a date and time with offset such as 2026-01-31T09:30:00Z, but "2026-01-31" was given."#,
        ),
        (
            json!({ "type": "string", "format": "uuid" }),
            "5",
            r#"must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, but "5" was given."#,
        ),
        (
            json!({ "type": "string", "format": "email" }),
            "\"ada\"",
            r#"must be an email address such as ada@example.com, but "ada" was given."#,
        ),
        (
            json!({ "type": "string", "format": "uri" }),
            "\"/a\"",
            r#"must be an absolute URI such as https://example.com/a, but "/a" was given."#,
        ),
        (
            json!({ "type": "string", "format": "duration" }),
            "\"3d\"",
            r#"must be an ISO 8601 duration such as P3DT12H, but "3d" was given."#,
        ),
        (
            json!({ "type": "string", "format": "time" }),
            "\"9:30\"",
            r#"must be a time with offset such as 09:30:00Z, but "9:30" was given."#,
        ),
        (
            json!({ "type": "string", "format": "byte" }),
            "\"?\"",
            r#"must be base64 text with padding such as aGVsbG8=, but "?" was given."#,
        ),
    ]);
}

#[test]
fn collections_are_told_their_size_and_form() {
    all_said(&[
        (json!({ "type": "array", "minItems": 1 }), "[]", "must have at least 1 item, but [] was given."),
        (json!({ "type": "array", "maxItems": 1 }), "[1,2]", "must have at most 1 item, but [1,2] was given."),
        (
            json!({ "type": "array", "uniqueItems": true }),
            "[1,1]",
            "must not hold the same item twice, but [1,1] was given.",
        ),
        (json!({ "type": "object", "properties": { "x": {} } }), "1", "must be an object with `x`, but 1 was given."),
    ]);
}

#[test]
fn choices_are_listed() {
    all_said(&[
        (
            json!({ "type": "string", "enum": ["open", "shipped"] }),
            "\"opne\"",
            r#"must be one of "open", "shipped", but "opne" was given. Did you mean "open"?"#,
        ),
        (
            json!({ "type": "string", "enum": ["open", "shipped"] }),
            "\"OPEN\"",
            r#"must be one of "open", "shipped", but "OPEN" was given. Did you mean "open"?"#,
        ),
        (
            json!({ "type": "string", "enum": ["open", "shipped"] }),
            "\"lost\"",
            r#"must be one of "open", "shipped", but "lost" was given."#,
        ),
        (json!({ "const": "v1" }), "\"v2\"", r#"must be "v1", but "v2" was given."#),
        (
            json!({ "anyOf": [{ "type": "integer" }, { "type": "boolean" }] }),
            "\"x\"",
            r#"must be an integer; or true or false, but "x" was given."#,
        ),
        (
            json!({ "oneOf": [{ "type": "integer" }, { "const": "all" }] }),
            "\"x\"",
            r#"must be an integer; or "all", but "x" was given."#,
        ),
        (
            json!({ "oneOf": [{ "type": "integer" }, { "type": "number" }] }),
            "1",
            "must be exactly one of: an integer; or a number, but 1 was given.",
        ),
    ]);
}

#[test]
fn a_long_value_is_cut() {
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(200));
    let faults = read(&compiled(&json!({ "a": { "type": "integer" } }), &[]), &text).unwrap_err();
    assert!(matches!(faults.as_slice(), [only] if only.len() < 160 && only.contains('…')), "{faults:?}");
}

#[test]
fn all_faults_are_told_at_once() {
    let arguments = compiled(
        &json!({
            "customer_id": { "type": "integer", "minimum": 1 },
            "filters": {
                "type": "object",
                "properties": { "min_price": { "type": "number" }, "ids": { "type": "array", "items": { "type": "integer" } } },
                "additionalProperties": false,
            },
        }),
        &["customer_id"],
    );
    let faults =
        arguments.read(Some(r#"{"custmer_id":1,"filters":{"min_price":"cheap","ids":[1,"2",1.5]}}"#)).unwrap_err();
    let mut found: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            (
                "custmer_id",
                "There is no argument `custmer_id`. Did you mean `customer_id`? The arguments are `customer_id`, `filters`."
            ),
            ("customer_id", "`customer_id` is required: give an integer of at least 1."),
            ("filters.ids[2]", "`filters.ids[2]` must be an integer, but 1.5 was given."),
            ("filters.min_price", "`filters.min_price` must be a number, but \"cheap\" was given."),
        ]
    );
    let text = sentence(&faults);
    assert!(text.starts_with("The arguments were not accepted:\n- `"), "{text}");
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn text_that_is_no_object_of_arguments_is_refused() {
    let arguments = compiled(&json!({ "a": {}, "n": { "type": "integer" } }), &[]);
    for (text, start) in [
        (String::new(), "The arguments are not valid JSON: "),
        ("{".to_owned(), "The arguments are not valid JSON: "),
        ("{} {}".to_owned(), "The arguments are not valid JSON: "),
        (r#"{"a":"\ud800"}"#.to_owned(), "The arguments are not valid JSON: "),
        ("[1]".to_owned(), "The arguments must be one JSON object, but [1] was given."),
        ("\"{}\"".to_owned(), "The arguments must be one JSON object, but \"{}\" was given."),
        (deep(64), "The arguments are nested more than 64 levels deep."),
        (deep(5000), "The arguments are nested more than 64 levels deep."),
        (r#"{"a":1,"a":1}"#.to_owned(), "`a` is given more than once; give it once."),
        (r#"{"n":null,"n":1}"#.to_owned(), "`n` is given more than once; give it once."),
        (r#"{"a":{"b":1,"b":2}}"#.to_owned(), "`a.b` is given more than once; give it once."),
        (" ".repeat(ARGUMENTS_BYTES_MAX + 1), "The arguments are 1048577 bytes long"),
    ] {
        let faults = read(&arguments, &text).unwrap_err();
        assert!(matches!(faults.as_slice(), [only] if only.starts_with(start)), "{faults:?}");
    }
    assert!(read(&arguments, &deep(63)).is_ok());
    let many: Vec<String> = (0..500).map(|at| format!("\"x{at}\":1")).collect();
    let faults = read(&arguments, &format!("{{{}}}", many.join(","))).unwrap_err();
    assert!(faults.len() <= 50);
}
