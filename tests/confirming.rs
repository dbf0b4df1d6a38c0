//! The person's word before a tool runs: asked through clients that can ask, demanded as an argument
//! from all others; whoever is shown one form is held to that form.

use serde_json::{Value, json};

use crate::support::{Events, Post, Served, Upstream, call_message, serve, upstream};

const BRIDGE: &str = r#"
bridge: shop
sources:
  api: { rest: "${API}" }
  db: { sql: { url: "sqlite:shop.db", init: shop.sql, read_only: false } }
tools:
  refund:
    description: Pays an order back.
    params:
      order: { type: integer, minimum: 1, description: Number of the order. }
      note: { type: string, required: false, description: Why. }
      kind: { from: caller.kind }
    confirm: "Refund order {{order}} for {{kind}} callers{{#if note}} ({{note}}){{/if}}?"
    rest: { source: api, post: /echo, json: { args: "{{args}}" } }
  empty:
    description: Empties the shelf.
    confirm: Empty the shelf?
    sql: { source: db, mode: write, query: DELETE FROM goods, returns: affected }
  both:
    description: Looks, and then empties the shelf.
    confirm: Empty the shelf after a look?
    steps:
      - { name: look, sql: { source: db, query: SELECT count(*) AS goods FROM goods } }
      - { name: empty, sql: { source: db, mode: write, query: DELETE FROM goods } }
  count: { description: Counts., sql: { source: db, query: SELECT count(*) FROM goods, returns: value } }
  rare: { description: Runs once., confirm: Run?, rate_limit: 1/h, reply: { text: Ran. } }
"#;
const SEED: &str = "CREATE TABLE goods (id INTEGER PRIMARY KEY); INSERT INTO goods VALUES (1), (2);";

async fn shop() -> (Served, Upstream) {
    let api = upstream().await;
    let served = serve(&[("shop.yaml", BRIDGE), ("shop.sql", SEED)], &[("API", &api.url())]).await;
    (served, api)
}

fn with(session: &str, message: &Value) -> Post {
    Post::new(message.to_string()).header("mcp-session-id", session)
}

fn stateless(method: &str, name: &str, capabilities: &Value, mut params: Value) -> Post {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
    post.header("mcp-method", method).header("mcp-name", name)
}

async fn modern(served: &Served, tool: &str, arguments: &Value, extra: &Value) -> Value {
    let mut params = json!({ "name": tool, "arguments": arguments });
    for (name, value) in extra.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let response = stateless("tools/call", tool, &json!({ "elicitation": {} }), params).send(served.address).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()["result"].clone()
}

/// Calls a tool in a session and answers the question that comes first.
async fn answered(served: &Served, session: &str, call: &Value, answer: &Value) -> (Value, Value) {
    let mut stream = Events::open(served.address, &with(session, call)).await;
    let question = stream.message().await;
    let response = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer });
    assert_eq!(with(session, &response).send(served.address).await.status, 202);
    let rest = stream.rest().await;
    (question, rest.last().expect("a result")["result"].clone())
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

/// The tool as a client is shown it.
fn listed(list: &Value, tool: &str) -> Value {
    let tools = list["result"]["tools"].as_array().expect("tools");
    tools.iter().find(|it| it["name"] == tool).expect("the tool").clone()
}

async fn goods(served: &Served) -> String {
    served.text("count", &json!({})).await
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_shown_an_argument() {
    let (server, _) = shop().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let session = server.session("2025-11-25").await;
    let blind = [
        server.send(&list).await.json(),
        with(&session, &list).header("accept", "application/json").send(server.address).await.json(),
        stateless("tools/list", "", &json!({}), json!({})).send(server.address).await.json(),
        stateless("tools/list", "", &json!({ "elicitation": { "url": {} } }), json!({}))
            .send(server.address)
            .await
            .json(),
    ];
    for list in &blind {
        let refund = listed(list, "refund");
        assert_eq!(refund["inputSchema"]["properties"]["confirm"]["type"], "boolean");
        assert_eq!(refund["inputSchema"]["required"], json!(["order", "confirm"]));
        let words = refund["description"].as_str().unwrap_or_default();
        assert!(words.starts_with("Pays an order back.\n\n") && words.contains("`confirm: true`"), "{words}");
        let words = listed(list, "empty")["description"].as_str().unwrap_or_default().to_owned();
        assert!(words.contains("\u{201c}Empty the shelf?\u{201d}"), "{words}");
        assert_eq!(listed(list, "count")["description"], "Counts.");
    }
    let asking = [
        with(&session, &list).send(server.address).await.json(),
        stateless("tools/list", "", &json!({ "elicitation": {} }), json!({})).send(server.address).await.json(),
    ];
    for list in &asking {
        let refund = listed(list, "refund");
        assert_eq!(
            (&refund["description"], &refund["inputSchema"]["required"]),
            (&json!("Pays an order back."), &json!(["order"]))
        );
        assert_eq!(refund["inputSchema"]["properties"].get("confirm"), None);
    }
    // It depends on who asks, so no cache may give it to another (protocol.md T-20).
    assert_eq!(
        (&blind[2]["result"]["cacheScope"], &asking[1]["result"]["cacheScope"]),
        (&json!("private"), &json!("private"))
    );
}

#[tokio::test]
async fn without_the_argument_nothing_is_done() {
    let (server, api) = shop().await;
    for arguments in
        [json!({ "order": 7 }), json!({ "order": 7, "confirm": false }), json!({ "order": 7, "confirm": "false" })]
    {
        let words = server.error("refund", &arguments).await;
        assert!(words.contains("Refund order 7 for anonymous callers?"), "{words}");
        assert!(words.contains("Nothing was done") && words.contains("`confirm: true`"), "{words}");
    }
    // Other faults come first, and the argument is held to its type.
    for (arguments, part) in
        [(json!({ "order": 0, "confirm": true }), "order"), (json!({ "order": 7, "confirm": 3 }), "confirm")]
    {
        let words = server.error("refund", &arguments).await;
        assert!(words.contains(&format!("`{part}`")) && !words.contains("Refund order"), "{words}");
    }
    assert!(api.seen().is_empty());
    for confirm in [json!(true), json!("true")] {
        let done = server.text("refund", &json!({ "order": 7, "note": "late", "confirm": confirm })).await;
        // The argument is this server's own business.
        assert!(done.contains("order") && !done.contains("confirm"), "{done}");
    }
    for (tool, left) in [("empty", "2"), ("both", "2")] {
        assert!(server.error(tool, &json!({})).await.contains("Empty the shelf"));
        assert!(goods(&server).await.contains(left));
    }
    server.text("both", &json!({ "confirm": true })).await;
    assert!(goods(&server).await.contains('0'));
}

#[tokio::test]
async fn a_batch_and_a_document_have_no_way_to_ask() {
    let (server, api) = shop().await;
    let session = server.session("2025-06-18").await;
    let call = call_message("refund", &json!({ "order": 7 }));
    let in_batch = with(&session, &json!([call])).header("mcp-protocol-version", "2025-03-26");
    let in_batch = in_batch.send(server.address).await.json()[0].clone();
    let as_document = with(&session, &call).header("accept", "application/json").send(server.address).await.json();
    for answer in [in_batch, as_document] {
        assert!(text(&answer["result"]).contains("Refund order 7"), "{answer}");
        assert_eq!(answer["result"]["isError"], true);
    }
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn a_session_is_asked_and_its_answer_decides() {
    let (server, api) = shop().await;
    let session = server.session("2025-06-18").await;
    let call = call_message("refund", &json!({ "order": 7, "note": "late" }));
    for (answer, words) in [
        (json!({ "action": "decline" }), "declined"),
        (json!({ "action": "cancel" }), "closed"),
        (json!({ "action": "yes" }), "nothing was done"),
        (json!({}), "nothing was done"),
    ] {
        let (question, result) = answered(&server, &session, &call, &answer).await;
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(
            question["params"],
            json!({
                "message": "Refund order 7 for anonymous callers (late)?",
                "requestedSchema": { "type": "object", "properties": {} },
            })
        );
        assert_eq!(result["isError"], true);
        assert!(text(&result).contains(words) && text(&result).contains("nothing was done"), "{result}");
    }
    assert!(api.seen().is_empty(), "nobody agreed");
    let (_, result) = answered(&server, &session, &call, &json!({ "action": "accept", "content": {} })).await;
    assert!(text(&result).contains("order"), "{result}");
    assert_eq!(api.seen().len(), 1);
    // A client that can ask is not shown the argument, so it is none.
    let given = call_message("refund", &json!({ "order": 7, "confirm": true }));
    let refused = with(&session, &given).send(server.address).await.json();
    assert!(text(&refused["result"]).contains("no argument `confirm`"), "{refused}");
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_has_not_agreed() {
    let (server, _) = shop().await;
    let session = server.session("2025-11-25").await;
    let mut stream = Events::open(server.address, &with(&session, &call_message("empty", &json!({})))).await;
    let question = stream.message().await;
    drop(stream);
    let late = json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "accept" } });
    // Whether the answer still finds its question is a matter of time; an error ends it for certain.
    let error = json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -1, "message": "gone" } });
    assert_eq!(with(&session, &error).send(server.address).await.status, 202);
    assert_eq!(with(&session, &late).send(server.address).await.status, 202);
    assert!(goods(&server).await.contains('2'));
}

#[tokio::test]
async fn a_stateless_agreement_needs_its_question_and_is_good_once() {
    let (server, api) = shop().await;
    let arguments = json!({ "order": 7 });
    let accept = json!({ "confirm": { "action": "accept", "content": {} } });
    let asked = modern(&server, "refund", &arguments, &json!({})).await;
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["confirm"]["params"]["message"], "Refund order 7 for anonymous callers?");
    // An answer to a question that was not asked is none.
    let unasked = modern(&server, "refund", &arguments, &json!({ "inputResponses": accept })).await;
    assert_eq!(unasked["resultType"], "input_required");
    // Nor is one to another call.
    let state = &asked["requestState"];
    let other =
        json!({ "name": "refund", "arguments": { "order": 8 }, "inputResponses": accept, "requestState": state });
    let other = stateless("tools/call", "refund", &json!({ "elicitation": {} }), other).send(server.address).await;
    assert_eq!(other.json()["error"]["code"], -32602, "{}", other.body);
    for (answer, words) in [("decline", "declined"), ("cancel", "closed")] {
        let asked = modern(&server, "refund", &arguments, &json!({})).await;
        let extra =
            json!({ "inputResponses": { "confirm": { "action": answer } }, "requestState": asked["requestState"] });
        let end = modern(&server, "refund", &arguments, &extra).await;
        assert!(end["isError"] == true && text(&end).contains(words), "{end}");
    }
    assert!(api.seen().is_empty(), "nobody agreed");
    let extra = json!({ "inputResponses": accept, "requestState": state });
    let done = modern(&server, "refund", &arguments, &extra).await;
    assert_eq!(done["resultType"], "complete", "{done}");
    // The same agreement does not pay twice: the person is asked anew.
    let again = modern(&server, "refund", &arguments, &extra).await;
    assert_eq!(again["resultType"], "input_required");
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn what_is_no_answer_is_asked_for_again() {
    let (server, api) = shop().await;
    for responses in [
        json!({}),
        json!(null),
        json!({ "confirm": "accept" }),
        json!({ "confirm": { "action": "agree" } }),
        json!({ "confirm": true }),
    ] {
        let asked = modern(&server, "refund", &json!({ "order": 7 }), &json!({})).await;
        let extra = json!({ "inputResponses": responses, "requestState": asked["requestState"] });
        let again = modern(&server, "refund", &json!({ "order": 7 }), &extra).await;
        assert_eq!(again["resultType"], "input_required", "{responses}");
    }
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn a_call_counts_when_it_runs() {
    let (server, _) = shop().await;
    // Asking does not count, so one who is asked first can still call once.
    for _ in 0..3 {
        assert!(server.error("rare", &json!({})).await.contains("Run?"));
    }
    assert_eq!(server.text("rare", &json!({ "confirm": true })).await, "Ran.");
    for arguments in [json!({}), json!({ "confirm": true })] {
        let words = server.error("rare", &arguments).await;
        assert!(words.contains("Try again in"), "nobody is asked for what would be refused: {words}");
    }
}
