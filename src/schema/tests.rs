//! What is read from which text, and in which words the rest is refused.

use serde_json::{Value, json};

use super::{ARGUMENTS_BYTES_MAX, Arguments, Output, sentence};

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

#[test]
fn types_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Arguments>();
    shared::<Output>();
}

#[test]
fn a_value_is_coerced_when_it_writes_the_type_exactly() {
    for (schema, given, expected) in [
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
        (json!({ "type": "number" }), "\"1.5\"", Some("1.5")),
        (json!({ "type": "number" }), "\"5\"", Some("5")),
        (json!({ "type": "number" }), "\"NaN\"", None),
        (json!({ "type": "number" }), "1e400", None),
        (json!({ "type": "number" }), "\"1e400\"", None),
        (json!({ "type": "string" }), "5", Some("\"5\"")),
        (json!({ "type": "string" }), "-5", Some("\"-5\"")),
        (json!({ "type": "string" }), "5.10", Some("\"5.10\"")),
        (json!({ "type": "string" }), "0.12345678901234567890123", Some("\"0.12345678901234567890123\"")),
        (json!({ "type": "string" }), "123456789012345678901234", Some("\"123456789012345678901234\"")),
        (json!({ "type": "string" }), "1e5", None),
        (json!({ "type": "string" }), "true", None),
        (json!({ "type": "string" }), r#""a\u0000b""#, Some(r#""a\u0000b""#)),
        (json!({ "type": "boolean" }), "\"true\"", Some("true")),
        (json!({ "type": "boolean" }), "\"false\"", Some("false")),
        (json!({ "type": "boolean" }), "\"True\"", None),
        (json!({ "type": "boolean" }), "1", None),
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
        (json!({ "type": "string", "enum": ["1", "2"] }), "2", Some("\"2\"")),
    ] {
        let found = read(&compiled(&json!({ "a": schema }), &["a"]), &format!("{{\"a\":{given}}}"));
        let expected = expected.map(|value| format!("{{\"a\":{value}}}"));
        assert_eq!(found.clone().ok(), expected, "{schema} {given} {found:?}");
    }
}

#[test]
fn exact_numbers_keep_every_digit() {
    let integer = json!({ "type": "integer", "format": "int64" });
    let either = json!({ "type": ["integer", "string"], "format": "int64" });
    let decimal = json!({ "type": "number", "format": "decimal" });
    let text = json!({ "type": "string", "format": "decimal", "pattern": "^[0-9.]+$" });
    let price =
        json!({ "type": "number", "format": "decimal", "minimum": 0, "exclusiveMaximum": 100, "multipleOf": 0.01 });
    let listed = json!({ "type": ["number", "null"], "format": "decimal", "enum": [1.5, null] });
    for (schema, given, expected) in [
        (&integer, "9007199254740993", Some("9007199254740993")),
        (&integer, "\"9007199254740993\"", Some("9007199254740993")),
        (&either, "\"9007199254740993\"", Some("9007199254740993")),
        (&integer, "9223372036854775807", Some("9223372036854775807")),
        (&integer, "-9223372036854775808", Some("-9223372036854775808")),
        (&integer, "9223372036854775808", None),
        (&integer, "9007199254740993.0", Some("9007199254740993")),
        (&integer, "9.007199254740993e15", Some("9007199254740993")),
        (&integer, "1.5", None),
        (&integer, "\"1e3\"", None),
        (&integer, "\"abc\"", None),
        (&integer, "null", None),
        (&integer, "[1]", None),
        (&decimal, "0.10000000000000000000001", Some("\"0.10000000000000000000001\"")),
        (&decimal, "\"123456789012345678901234567890.10\"", Some("\"123456789012345678901234567890.10\"")),
        (&decimal, "5", Some("\"5\"")),
        (&decimal, "1.25e3", Some("\"1250\"")),
        (&decimal, "1e999999999", None),
        (&decimal, "\"NaN\"", None),
        (&decimal, "true", None),
        (&text, "12.50", Some("\"12.50\"")),
        (&text, "-12.50", None),
        (&price, "99.99", Some("\"99.99\"")),
        (&price, "\"99.990\"", Some("\"99.990\"")),
        (&price, "99.999", None),
        (&price, "100", None),
        (&price, "-0.01", None),
        (&listed, "1.50", Some("\"1.50\"")),
        (&listed, "null", Some("null")),
        (&listed, "2", None),
    ] {
        let found = read(&compiled(&json!({ "a": schema }), &["a"]), &format!("{{\"a\":{given}}}"));
        let expected = expected.map(|value| format!("{{\"a\":{value}}}"));
        assert_eq!(found.clone().ok(), expected, "{schema} {given} {found:?}");
    }
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
fn every_keyword_has_its_words() {
    let digits = "x".repeat(200);
    for (schema, given, expected) in [
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
        (json!({ "type": "integer", "minimum": 1 }), "0", "must be at least 1, but 0 was given."),
        (json!({ "type": "integer", "maximum": 9 }), "10", "must be at most 9, but 10 was given."),
        (json!({ "type": "number", "exclusiveMinimum": 0 }), "0", "must be more than 0, but 0 was given."),
        (json!({ "type": "number", "exclusiveMaximum": 1 }), "1.5", "must be less than 1, but 1.5 was given."),
        (json!({ "type": "integer", "multipleOf": 5 }), "7", "must be a multiple of 5, but 7 was given."),
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
        (json!({ "type": "array", "minItems": 1 }), "[]", "must have at least 1 item, but [] was given."),
        (json!({ "type": "array", "maxItems": 1 }), "[1,2]", "must have at most 1 item, but [1,2] was given."),
        (
            json!({ "type": "array", "uniqueItems": true }),
            "[1,1]",
            "must not hold the same item twice, but [1,1] was given.",
        ),
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
        (json!({ "type": "object", "properties": { "x": {} } }), "1", "must be an object with `x`, but 1 was given."),
    ] {
        let found = read(&compiled(&json!({ "a": schema }), &["a"]), &format!("{{\"a\":{given}}}"));
        assert_eq!(found, Err(vec![format!("`a` {expected}")]), "{schema} {given}");
    }
    let long = read(&compiled(&json!({ "a": { "type": "integer" } }), &[]), &format!("{{\"a\":\"{digits}\"}}"));
    assert!(long.is_err_and(|faults| faults.iter().all(|fault| fault.len() < 160)));
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
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
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
    assert!(arguments.read(Some(&deep(63))).is_ok());
    let many: Vec<String> = (0..500).map(|at| format!("\"x{at}\":1")).collect();
    let faults = read(&arguments, &format!("{{{}}}", many.join(","))).unwrap_err();
    assert!(faults.len() <= 50);
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
        (of(json!({ "a": { "type": "integer", "default": "x" } })), "/properties/a/default"),
        (of(json!({ "a": { "type": "integer", "minimum": 1, "default": 0 } })), "/properties/a/default"),
        (of(json!({ "a": { "type": "integer", "format": "int64", "default": 1.5 } })), "/properties/a/default"),
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
