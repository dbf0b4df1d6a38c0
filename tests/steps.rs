//! Tools of several calls: what each step is sent, what the model reads, and what a failure leaves behind.

use serde_json::{Value, json};

use crate::support::{Served, Upstream, call_message, serve, upstream};

const BRIDGE: &str = r#"
bridge: steps
sources:
  api: { rest: { base_url: "${API}", timeout: 10s } }
  db: { sql: { url: "sqlite:steps.db", read_only: false, init: seed.sql } }
tools:
  item_of_items:
    description: From a list to one item.
    params:
      near: { type: string, required: false, description: Near. }
      wanted: { type: integer, default: 2, description: Which. }
    steps:
      - name: list
        rest: { source: api, get: /items, query: { near: "{{near}}" } }
        output: { select: "$.data[*]", fields: { id: $.id, label: $.name }, max_items: 5 }
        require: { exists: "$[0]", otherwise: "Nothing is near {{near}}." }
      - name: one
        rest: { source: api, get: /echo/one, query: { id: "{{steps.list.[1].id}}", label: "{{steps.list.[1].label}}!", wanted: "{{wanted}}" } }
    output: { fields: { shown: "$.list[*].id", target: $.one.target }, structured: true }
  whole:
    description: Everything.
    params: { skip: { type: boolean, default: false, description: Skip. } }
    steps:
      - { name: first, rest: { source: api, get: /items/1 } }
      - { name: second, if: "{{#if skip}}false{{else}}true{{/if}}", rest: { source: api, get: /items/2 } }
      - { name: third, rest: { source: api, get: /echo/third, query: { sku: "{{steps.second.sku}}" } }, output: { select: $.target } }
    output: { template: "{{body.first.sku}}|{{json body.second}}|{{steps.third}}" }
  refused:
    description: Nothing is found.
    params: { name: { type: string, description: Name. } }
    steps:
      - name: look
        rest: { source: api, get: /items/3 }
        require: { select: $.sku, equals: SKU-0004, otherwise: "There is no {{name}}." }
      - { name: never, rest: { source: api, post: /items, json: {} } }
  many:
    description: Every item.
    params:
      ids: { type: array, items: { type: integer }, required: false, description: Numbers. }
      most: { type: integer, required: false, description: How many. }
    steps:
      - name: items
        for_each: "{{ids}}"
        as: id
        take: "{{most}}"
        with: { tag: "t{{id}}" }
        rest: { source: api, get: "/items/{id}", query: { tag: "{{tag}}" } }
        output: { select: $.sku }
    output: { select: $.items }
  known:
    description: Rows of both worlds.
    params: { name: { type: string, description: Name. } }
    steps:
      - name: person
        sql: { query: "SELECT id, name FROM people WHERE name = :name", returns: row, not_found: "Nobody is called {{name}}." }
      - name: orders
        with: { person: "{{steps.person.id}}" }
        sql: { query: "SELECT id FROM orders WHERE person = :person ORDER BY id" }
        output: { select: "$[*].id" }
      - name: totals
        with: { ids: "{{steps.orders}}" }
        sql: { query: "SELECT sum(total) FROM orders WHERE id IN (:ids)", returns: value }
      - name: stock
        for_each: "{{steps.orders}}"
        as: order
        rest: { source: api, get: "/items/{order}" }
        output: { fields: { order: $.id, sku: $.sku } }
    output: { fields: { person: $.person.name, total: $.totals, stock: $.stock } }
  book:
    description: Books and then asks.
    params:
      names: { type: array, items: { type: string }, description: Names. }
      status: { type: integer, default: 200, description: What the API answers. }
    steps:
      - name: people
        for_each: "{{names}}"
        as: name
        sql: { mode: write, query: "INSERT INTO people (name) VALUES (:name)" }
      - { name: asked, rest: { source: api, get: "/status/{status}" } }
      - { name: booked, rest: { source: api, post: /items, json: { names: "{{names}}" } } }
    output: { select: $.people }
  settle:
    description: Pays and then asks.
    params: { ids: { type: array, items: { type: integer }, required: false, description: Numbers. } }
    steps:
      - { name: each, for_each: "{{ids}}", as: id, rest: { source: api, post: /status/204, json: { id: "{{id}}" } } }
      - { name: paid, rest: { source: api, post: /status/204 } }
      - { name: asked, rest: { source: api, get: /status/503 } }
  vouch:
    description: Pays and wants a receipt.
    steps:
      - { name: paid, rest: { source: api, post: /echo/paid }, require: { exists: $.receipt, otherwise: There is no receipt. } }
  count: { description: Counts., sql: { query: "SELECT count(*) FROM people", returns: value } }
"#;
const SEED: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER, total INTEGER);
INSERT INTO people (name) VALUES ('Ada'), ('Bo');
INSERT INTO orders VALUES (4, 1, 10), (5, 1, 20), (6, 2, 40);";

async fn bridge() -> (Upstream, Served) {
    let api = upstream().await;
    let server = serve(&[("steps.yaml", BRIDGE), ("seed.sql", SEED)], &[("API", &api.url())]).await;
    (api, server)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[tokio::test]
async fn a_step_takes_what_the_one_before_it_gave() {
    let (api, server) = bridge().await;
    let result = server.call("item_of_items", &json!({ "near": "a b" })).await;
    let target = "/echo/one?id=2&label=Item%202%21&wanted=2";
    assert_eq!(result["structuredContent"], json!({ "shown": [1, 2, 3, 4, 5], "target": target }));
    let targets: Vec<_> = api.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/items?near=a%20b", target]);
}

#[tokio::test]
async fn a_skipped_step_gives_null_and_what_names_it_is_left_out() {
    let (api, server) = bridge().await;
    let text = server.text("whole", &json!({})).await;
    let second = r#"{"id":2,"sku":"SKU-0002","tags":["a","b"],"stock":null}"#;
    assert_eq!(text, format!("SKU-0001|{second}|/echo/third?sku=SKU-0002"));
    let text = server.text("whole", &json!({ "skip": true })).await;
    assert_eq!(text, "SKU-0001|null|/echo/third");
    assert_eq!(api.seen().len(), 5);
}

#[tokio::test]
async fn what_is_required_and_missing_ends_the_tool_in_the_words_of_the_author() {
    let (api, server) = bridge().await;
    assert_eq!(server.error("refused", &json!({ "name": "item {{four}}" })).await, "There is no item {{four}}.");
    let methods: Vec<_> = api.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["GET"], "no step runs after one that failed");
}

#[tokio::test]
async fn a_loop_keeps_the_order_of_its_list() {
    let (api, server) = bridge().await;
    let ids: Vec<u64> = (1..=60).rev().collect();
    let text = server.text("many", &json!({ "ids": ids })).await;
    let expected: Vec<_> = ids.iter().map(|id| json!(format!("SKU-{id:04}"))).collect();
    assert_eq!(read(&text), json!(expected));
    assert!(api.seen().iter().any(|seen| seen.target == "/items/60?tag=t60"));
    assert_eq!(api.seen().len(), 60);
    for (arguments, expected) in [
        (json!({}), json!([])),
        (json!({ "ids": [] }), json!([])),
        (json!({ "ids": [7, 8, 9], "most": 2 }), json!(["SKU-0007", "SKU-0008"])),
        (json!({ "ids": [7], "most": 0 }), json!([])),
    ] {
        assert_eq!(read(&server.text("many", &arguments).await), expected, "{arguments}");
    }
    let text = server.error("many", &json!({ "ids": (0..101).collect::<Vec<_>>() })).await;
    assert!(text.contains("101") && text.contains("100"), "{text}");
    let text = server.error("many", &json!({ "ids": [1, 5000] })).await;
    assert!(text.contains("no such item"), "{text}");
}

#[tokio::test]
async fn rows_and_requests_mix() {
    let (api, server) = bridge().await;
    let result = server.call("known", &json!({ "name": "Ada" })).await;
    assert_eq!(
        result["structuredContent"],
        json!({
            "person": "Ada",
            "total": 30,
            "stock": [{ "order": 4, "sku": "SKU-0004" }, { "order": 5, "sku": "SKU-0005" }],
        })
    );
    let before = api.seen().len();
    assert_eq!(server.error("known", &json!({ "name": "Cy" })).await, "Nobody is called Cy.");
    assert_eq!(api.seen().len(), before);
}

#[tokio::test]
async fn a_write_never_runs_after_a_failure_and_what_was_written_is_told() {
    let (api, server) = bridge().await;
    let text = server.error("book", &json!({ "names": ["Cy", "Di"], "status": 503 })).await;
    assert!(text.contains("503") && text.contains("stays changed: `people`"), "{text}");
    assert!(api.seen().iter().all(|seen| seen.method == "GET"), "the write was sent");
    assert_eq!(read(&server.text("count", &json!({})).await), json!({ "result": 4 }));
    // The second name stands in the table already.
    let text = server.error("book", &json!({ "names": ["Ed", "Ada", "Flo"] })).await;
    assert!(text.contains("item 2 of 3; 1 before it were done"), "{text}");
    assert_eq!(read(&server.text("count", &json!({})).await), json!({ "result": 5 }));
    let text = server.text("book", &json!({ "names": ["Gus"] })).await;
    assert_eq!(read(&text)[0]["affected"], 1);
    assert_eq!(read(&api.last().body), json!({ "names": ["Gus"] }));
}

#[tokio::test]
async fn what_was_changed_is_told_whatever_came_back() {
    let (_, server) = bridge().await;
    // An answer without content, and a loop over nothing, which changed nothing.
    let text = server.error("settle", &json!({})).await;
    assert!(text.contains("503") && text.ends_with("stays changed: `paid`."), "{text}");
    let text = server.error("settle", &json!({ "ids": [1, 2] })).await;
    assert!(text.ends_with("stays changed: `each`, `paid`."), "{text}");
    // The step itself fails, after its change.
    let text = server.error("vouch", &json!({})).await;
    assert_eq!(text, "There is no receipt. What was changed before that stays changed: `paid`.");
}

#[tokio::test]
async fn a_tool_of_steps_is_listed_by_what_its_steps_do() {
    let (_, server) = bridge().await;
    let list = server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tool = |name: &str| {
        let tools = list["result"]["tools"].as_array().cloned().unwrap_or_default();
        tools.into_iter().find(|tool| tool["name"] == name).expect("the tool is listed")
    };
    assert_eq!(tool("known")["annotations"]["readOnlyHint"], true);
    assert_ne!(tool("known")["annotations"]["openWorldHint"], false);
    assert_eq!(tool("book")["annotations"]["readOnlyHint"], false);
    let promised = &tool("known")["outputSchema"]["anyOf"][0]["properties"];
    assert!(promised.get("stock").is_some(), "{promised}");
    let message = call_message("whole", &json!({ "skip": 3 }));
    assert!(server.send(&message).await.body.contains("skip"));
}
