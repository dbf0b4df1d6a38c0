//! Who sees and calls what: scopes and their hierarchy, conditions on the caller, parts of the
//! caller in requests. Threat model: rows 6 and 7 of auth.md §5.

use serde_json::{Value, json};

use crate::support::{Response, Served, serve, upstream};

const BRIDGE: &str = r#"
bridge: desk
sources:
  api: { rest: "${API}" }
tools:
  about:
    description: What this is.
    rest: { get: /echo/about }
  list_orders:
    description: Orders.
    scopes: ["orders:read"]
    rest: { get: /echo/orders }
  cancel_order:
    description: Cancels an order. Use list_orders first.
    scopes: ["orders:write"]
    rest: { delete: /echo/orders }
  acme_only:
    description: For one workspace.
    require: { workspace: [acme] }
    rest: { get: /echo/acme, query: { w: "{{caller.workspace}}" } }
  mine:
    description: Of the caller's workspace.
    rest: { get: /echo/mine, query: { w: "{{caller.workspace}}" } }
  perhaps_mine:
    description: Of the caller's workspace, if it has one.
    rest: { get: /echo/mine, query: { w: "{{default caller.workspace 'none'}}" } }
  claimed:
    description: By a claim.
    params: { region: { from: caller.claims.region } }
    rest: { get: /echo/claimed, query: { r: "{{region}}" } }
server:
  auth:
    api_keys:
      static:
        - { name: reader, value: "reader-key-of-this-test", workspace: acme, scopes: ["orders:read"] }
        - { name: writer, value: "writer-key-of-this-test", workspace: umbrella, scopes: ["orders:write"] }
        - { name: owner, value: "owner-key-of-this-test", workspace: acme, scopes: ["orders:admin"] }
        - { name: nobody, value: "nobody-key-of-this-test" }
    scopes:
      "orders:read": { title: See orders }
      "orders:write": { title: Change orders, implies: ["orders:read"] }
      "orders:admin": { implies: ["orders:write"] }
"#;

fn key(name: &str) -> String {
    format!("Bearer {name}-key-of-this-test")
}

async fn send(server: &Served, who: &str, message: &Value) -> Response {
    server.post(message).header("authorization", &key(who)).send(server.address).await
}

async fn seen_by(server: &Served, who: &str) -> Vec<String> {
    let listed = send(server, who, &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}")).clone();
    tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn call(server: &Served, who: &str, tool: &str) -> Value {
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {} } });
    send(server, who, &message).await.json()
}

#[tokio::test]
async fn callers_see_and_call_what_their_scopes_permit() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", BRIDGE)], &[("API", &api.url())]).await;
    let guarded = ["list_orders", "cancel_order", "acme_only"];
    for (who, permitted) in [
        ("reader", &["list_orders", "acme_only"][..]),
        ("writer", &["list_orders", "cancel_order"]),
        ("owner", &["list_orders", "cancel_order", "acme_only"]),
        ("nobody", &[]),
    ] {
        let seen = seen_by(&server, who).await;
        for tool in guarded {
            let expected = permitted.contains(&tool);
            assert_eq!(seen.iter().any(|name| name == tool), expected, "{who} sees {tool}");
            let asked = api.seen().len();
            let answer = call(&server, who, tool).await;
            if expected {
                assert!(answer["result"]["isError"].is_null() && answer["result"].is_object(), "{who}: {answer}");
            } else {
                assert_eq!(answer["error"]["code"], -32602, "{who}: {answer}");
                assert_eq!(answer["error"]["message"], format!("Unknown tool: {tool}"), "{who}");
                assert_eq!(api.seen().len(), asked, "nothing was sent for {who}");
            }
        }
        assert!(seen.contains(&"about".to_owned()), "{who}");
    }
}

#[tokio::test]
async fn what_a_caller_cannot_see_is_in_no_words_of_the_server() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", BRIDGE)], &[("API", &api.url())]).await;
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let told = send(&server, "nobody", &hello).await.body;
    assert!(told.contains("about") && !told.contains("orders") && !told.contains("acme"), "{told}");
    let near = call(&server, "nobody", "list_order").await;
    assert!(!near.to_string().contains("list_orders"), "{near}");
    let near = call(&server, "reader", "list_order").await;
    assert!(near.to_string().contains("list_orders"), "{near}");
    let told = send(&server, "owner", &hello).await.body;
    assert!(told.contains("cancel_order"), "{told}");
}

#[tokio::test]
async fn a_request_made_of_the_caller_is_not_sent_without_that_part() {
    let api = upstream().await;
    let server = serve(&[("desk.yaml", BRIDGE)], &[("API", &api.url())]).await;
    for (who, tool, target) in [
        ("reader", "mine", Some("/echo/mine?w=acme")),
        ("writer", "mine", Some("/echo/mine?w=umbrella")),
        ("nobody", "mine", None),
        ("nobody", "perhaps_mine", Some("/echo/mine?w=none")),
        ("reader", "perhaps_mine", Some("/echo/mine?w=acme")),
        ("reader", "claimed", None),
    ] {
        let asked = api.seen().len();
        let answer = call(&server, who, tool).await;
        match target {
            Some(target) => assert_eq!(api.last().target, target, "{who} {tool}: {answer}"),
            None => {
                assert_eq!((answer["result"]["isError"].as_bool(), api.seen().len()), (Some(true), asked), "{answer}");
            }
        }
    }
}
