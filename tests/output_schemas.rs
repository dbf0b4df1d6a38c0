//! The output schemas that are derived: from `fields`, with examples from the tests in the file, and
//! so wide that every result fits, whatever an API answers.

use serde_json::{Value, json};

use crate::support::{Scripted, Served, serve, stand_in};

const BRIDGE: &str = r#"
bridge: schemas
sources:
  api: { rest: { base_url: "${API}" } }
tools:
  orders:
    description: All orders.
    rest: { get: /orders }
    output:
      select: "$.data[*]"
      fields:
        id: $.id
        total: { select: $.total, convert: number, description: In EUR. }
        tags: "$.tags[*].name"
        buyer: $.buyer
        note: { select: $.note, convert: trim, default: "" }
        text: $.text
      redact: ["$..ssn"]
    tests:
      - { name: a failure is told, upstream: { status: 500, body: { data: [{ id: of a failure }] } }, expect: { error: true } }
      - name: orders are listed
        upstream:
          body:
            data:
              - { id: null, total: "10.25", tags: [{ name: a }, { name: b }], buyer: { name: Ada, ssn: "078-05-1120" } }
              - { id: SKU-7, total: 3, text: "LONG" }
      - { name: another, upstream: { body: { data: [{ id: not the first }] } } }
  order:
    description: One order, or several.
    rest: { get: /orders }
    output: { select: $.data, fields: { id: $.id } }
  columns:
    description: Columns.
    rest: { get: /columns }
    output: { zip: true, fields: { day: $.day, rain: $.rain } }
    tests: [{ name: rows, upstream: { body: { day: [1, 2], rain: [0.5, 0] } } }]
  whole:
    description: Whole.
    rest: { get: /orders }
    tests: [{ name: whole, upstream: { body: { data: [] } } }]
  mine:
    description: Mine.
    rest: { get: /orders }
    output: { fields: { id: $.id }, schema: { type: object, properties: { id: { type: [string, "null"] } } } }
    tests: [{ name: mine, upstream: { body: { id: a } } }]
  silent:
    description: Silent.
    rest: { get: /orders }
    output: { fields: { id: $.id }, structured: false }
"#;

async fn bridge(answer: Value) -> Served {
    let api = stand_in(move |_, _| Scripted::json(200, &answer)).await;
    serve(&[("schemas.yaml", &BRIDGE.replace("LONG", &"x".repeat(500)))], &[("API", &api.url())]).await
}

async fn schema(server: &Served, tool: &str) -> Value {
    let list = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = list["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.into_iter().find(|it| it["name"] == tool).map(|tool| tool["outputSchema"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn fields_make_a_schema_and_tests_its_examples() {
    let server = bridge(json!({})).await;
    let truncated = json!({
        "type": "object",
        "properties": { "shown": { "type": "integer" }, "of": { "type": "integer" }, "hint": { "type": "string" } },
    });
    let list = |item: Value| {
        json!({
            "type": "object",
            "properties": { "items": { "type": "array", "items": item }, "truncated": truncated },
            "required": ["items"],
        })
    };
    let orders = json!({
        "type": "object",
        "properties": {
            "id": { "examples": ["SKU-7"] },
            "total": { "type": ["number", "null"], "description": "In EUR.", "examples": [10.25] },
            "tags": { "type": "array", "examples": [["a"]] },
            "buyer": { "examples": [{ "name": "Ada", "ssn": "[redacted]" }] },
            "note": {},
            "text": {},
        },
        "required": ["id", "total", "tags", "buyer", "note", "text"],
    });
    let id = json!({ "type": "object", "properties": { "id": {} }, "required": ["id"] });
    let columns = json!({
        "type": "object",
        "properties": { "day": { "examples": [1] }, "rain": { "examples": [0.5] } },
        "required": ["day", "rain"],
    });
    for (tool, expected) in [
        ("orders", list(orders)),
        ("order", json!({ "type": "object", "anyOf": [id, list(id.clone())] })),
        ("columns", list(columns)),
        ("whole", Value::Null),
        ("mine", json!({ "type": "object", "properties": { "id": { "type": ["string", "null"] } } })),
        ("silent", Value::Null),
    ] {
        assert_eq!(schema(&server, tool).await, expected, "{tool}");
    }
}

#[tokio::test]
async fn every_result_fits_its_schema_whatever_comes() {
    for answer in [
        json!({ "data": [{ "id": 7, "total": "much", "tags": "none", "buyer": [1], "note": 3, "text": {} }] }),
        json!({ "data": [] }),
        json!({ "data": { "id": { "a": 1 } } }),
        json!({ "data": [1, null, "x", [2]] }),
        json!({}),
        json!([]),
        json!(null),
        json!("text"),
        json!({ "day": [true], "rain": ["wet"] }),
        json!({ "day": [1, 2], "rain": [3] }),
    ] {
        let server = bridge(answer.clone()).await;
        for tool in ["orders", "order", "columns"] {
            let result = server.call(tool, &json!({})).await;
            let validator = jsonschema::validator_for(&schema(&server, tool).await).expect("a schema");
            let content = &result["structuredContent"];
            assert!(result["isError"] == json!(true) || validator.is_valid(content), "{tool} {answer}: {result}");
        }
    }
}
