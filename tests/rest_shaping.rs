//! What is kept of big answers, digit by digit, in every form that a result can have.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{Scripted, Served, serve, stand_in};

const BRIDGE: &str = r#"
bridge: shaping
sources:
  api: { rest: { base_url: "${API}" } }
tools:
  list: { description: All., rest: { get: /orders }, output: { select: "$.data[*]", fields: { id: $.id, total: $.total, buyer: $.buyer.name, tags: "$.tags[*].name" } } }
  some: { description: Some., rest: { get: /orders }, output: { select: $.data, fields: { id: $.id }, max_items: 2 } }
  whole: { description: Whole., rest: { get: /orders }, output: { select: "$.data[0]" } }
  structured: { description: Whole., rest: { get: /orders }, output: { structured: true } }
  one: { description: One., rest: { get: /orders }, output: { select: $.data, fields: { first: $.id }, structured: false, max_bytes: 512B } }
  table: { description: Table., rest: { get: /orders }, output: { select: "$.data[*]", fields: { id: $.id }, format: table } }
  told: { description: Told., rest: { get: /orders }, output: { select: "$.data[*]", fields: { id: $.id }, template: "{{#each body}}{{id}} {{/each}}", structured: false } }
  text: { description: Told., rest: { get: /orders }, output: { select: "$.data[*]", fields: { id: { select: $.id, convert: string } } } }
  stepped: { description: Steps., steps: [{ name: all, rest: { get: /orders }, output: { select: "$.data[*]", fields: { id: $.id } } }], output: { template: "{{steps.all.[0].id}}" } }
  blotted: { description: Steps., steps: [{ name: all, rest: { get: /orders }, output: { select: "$.data[*]", redact: ["$..name"] } }], output: { template: "{{json steps.all.[0].buyer}}" } }
  promised:
    description: Promised.
    rest: { get: /orders }
    output: { select: "$.data[0]", fields: { id: $.id }, schema: { type: object, properties: { id: { type: integer } }, required: [id] } }
  broken_promise:
    description: Promised.
    rest: { get: /orders }
    output: { select: "$.data[0]", fields: { id: $.buyer }, schema: { type: object, properties: { id: { type: integer } } } }
  twice: { description: Twice., rest: { get: /twice }, output: { select: $.a, fields: { b: $.b } } }
  torn: { description: Torn., rest: { get: /torn }, output: { select: $.data, fields: { id: $.id } } }
  many: { description: Many., rest: { get: /many }, output: { select: "$.rows[*]", fields: { n: $.n, text: $.text } } }
  large: { description: One large., rest: { get: /many }, output: { fields: { texts: "$.rows[*].text", last: $.last } } }
"#;

/// Longer than any number type there is.
const ID: &str = "123456789012345678901234567890";

async fn bridge() -> Served {
    let orders = format!(
        r#" {{ "total": 3, "data": [
            {{ "id": {ID}, "total": 10.50, "buyer": {{ "name": "Zo\u00eb \/ \"Z\"", "id": 1 }}, "tags": [ {{ "name": "a" }}, {{}}, {{ "name": 2e3 }} ] }},
            {{ "id": 2, "total": null }},
            {{ "id": 3, "total": 0.1, "more": "x" }} ] }} "#
    );
    let rows = (0..2000).fold(String::new(), |mut rows, number| {
        let comma = if number > 0 { "," } else { "" };
        write!(rows, r#"{comma}{{"n":{number},"text":"{}","other":[[[{number}]]]}}"#, "x".repeat(100)).expect("memory");
        rows
    });
    let many = format!(r#"{{"rows":[{rows}],"last":true}}"#);
    let api = stand_in(move |seen, _| {
        Scripted::written(match seen.target.as_str() {
            "/orders" => &orders,
            "/twice" => r#"{"a":{"b":1},"a":{"b":2,"b":3}}"#,
            "/many" => &many,
            _ => r#"{"data":[{"id":1},"#,
        })
    })
    .await;
    serve(&[("shaping.yaml", BRIDGE)], &[("API", &api.url())]).await
}

#[tokio::test]
async fn what_is_kept_keeps_every_digit() {
    let server = bridge().await;
    let first = format!(
        r#"{{"id":{ID},"total":10.50,"buyer":{{"name":"Zoë / \"Z\"","id":1}},"tags":[{{"name":"a"}},{{}},{{"name":2e3}}]}}"#
    );
    for (tool, expected) in [
        (
            "list",
            format!(
                r#"{{"items":[{{"id":{ID},"total":10.50,"buyer":"Zoë / \"Z\"","tags":["a",2e3]}},{{"id":2,"total":null,"buyer":null,"tags":[]}},{{"id":3,"total":0.1,"buyer":null,"tags":[]}}]}}"#
            ),
        ),
        ("whole", first.clone()),
        ("one", format!(r#"[{{"first":{ID}}},{{"first":2}},{{"first":3}}]"#)),
        ("table", format!("| id |\n| --- |\n| {ID} |\n| 2 |\n| 3 |")),
        ("told", format!("{ID} 2 3 ")),
        ("text", format!(r#"{{"items":[{{"id":"{ID}"}},{{"id":"2"}},{{"id":"3"}}]}}"#)),
        ("stepped", ID.to_owned()),
        ("blotted", r#"{"name":"[redacted]","id":1}"#.to_owned()),
        ("promised", format!(r#"{{"id":{ID}}}"#)),
        // Of two members with one name the last counts.
        ("twice", r#"{"b":3}"#.to_owned()),
    ] {
        assert_eq!(server.text(tool, &json!({})).await.trim_end_matches('\n'), expected, "{tool}");
    }
    let whole = server.send(&crate::support::call_message("structured", &json!({}))).await.body;
    let structured = format!(r#""structuredContent":{{"total":3,"data":[{first},"#);
    assert!(whole.contains(&structured), "{whole}");
}

#[tokio::test]
async fn what_does_not_fit_is_cut_between_items() {
    let server = bridge().await;
    let result = server.call("some", &json!({})).await;
    assert_eq!(result["structuredContent"]["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(result["structuredContent"]["truncated"]["of"], 3);
    let text = server.text("many", &json!({})).await;
    let cut: Value = serde_json::from_str(&text).expect("JSON");
    let shown = cut["items"].as_array().map_or(0, Vec::len);
    assert!(text.len() <= 64 << 10 && text.len() > 60 << 10, "{}", text.len());
    assert_eq!((cut["truncated"]["shown"].as_u64(), cut["truncated"]["of"].as_u64()), (Some(shown as u64), Some(2000)));
    // One object can only be cut inside.
    let text = server.text("large", &json!({})).await;
    let cut: Value = serde_json::from_str(&text).expect("JSON");
    assert!(text.len() <= 64 << 10 && cut["last"] == json!(true) && cut["truncated"]["of"] == json!(2000), "{text}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_told() {
    let server = bridge().await;
    assert!(server.error("torn", &json!({})).await.contains("not valid JSON"));
    let text = server.error("broken_promise", &json!({})).await;
    assert!(text.contains("promises") && text.ends_with(r#"{"id":{"name":"Zoë / \"Z\"","id":1}}"#), "{text}");
}
