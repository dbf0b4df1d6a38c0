//! Resources and prompts that not everybody may see: for everybody else there is no such thing
//! (protocol.md T-05, A-02), and the instructions name what the caller can have.

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve};

const BRIDGE: &str = r#"
bridge: shop
description: A shop.
resources:
  policy: { uri: "shop://policy", description: How we treat people., reply: { text: Be kind. } }
  books: { uri: "shop://books", description: What we earned., scopes: ["books:read"], reply: { text: A lot. } }
  account:
    uri: shop://accounts/{id}
    description: One account.
    require: { name: boss }
    params: { id: { type: string, description: Which., complete: [main, savings] } }
    reply: { text: "Account {{id}}" }
prompts:
  greet: { description: Greets., messages: [{ text: Hello. }] }
  audit:
    description: Looks through the books.
    scopes: ["books:read"]
    params: { year: { type: string, description: Of which year., complete: ["2025", "2026"] } }
    messages: [{ text: "Look at {{year}}." }]
server:
  auth:
    api_keys:
      static:
        - { name: clerk, value: the-key-of-the-clerk }
        - { name: boss, value: the-key-of-the-boss-herself, scopes: ["books:read"] }
"#;

async fn shop() -> Served {
    serve(&[("shop.yaml", BRIDGE)], &[]).await
}

async fn ask(served: &Served, caller: &str, method: &str, params: Value) -> Response {
    let key = if caller == "boss" { "Bearer the-key-of-the-boss-herself" } else { "Bearer the-key-of-the-clerk" };
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    Post::new(message.to_string()).header("authorization", key).send(served.address).await
}

async fn names(served: &Served, caller: &str, method: &str, member: &str) -> Vec<String> {
    let list = ask(served, caller, method, json!({})).await.json()["result"][member].clone();
    list.as_array().expect("a list").iter().map(|it| it["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn lists_hold_what_the_caller_may_have() {
    let served = shop().await;
    for (method, member, clerk, boss) in [
        ("resources/list", "resources", &["policy"][..], &["policy", "books"][..]),
        ("resources/templates/list", "resourceTemplates", &[], &["account"]),
        ("prompts/list", "prompts", &["greet"], &["greet", "audit"]),
    ] {
        assert_eq!(names(&served, "clerk", method, member).await, clerk, "{method}");
        assert_eq!(names(&served, "boss", method, member).await, boss, "{method}");
    }
}

#[tokio::test]
async fn what_is_not_seen_is_not_there() {
    let served = shop().await;
    let [book, prompt] = [
        json!({ "type": "ref/resource", "uri": "shop://accounts/{id}" }),
        json!({ "type": "ref/prompt", "name": "audit" }),
    ];
    for (method, params, like) in [
        ("resources/read", json!({ "uri": "shop://books" }), json!({ "uri": "shop://nothing" })),
        ("resources/read", json!({ "uri": "shop://accounts/main" }), json!({ "uri": "shop://nothings/main" })),
        ("prompts/get", json!({ "name": "audit", "arguments": { "year": "2026" } }), json!({ "name": "nothing" })),
        (
            "completion/complete",
            json!({ "ref": book, "argument": { "name": "id", "value": "" } }),
            json!({ "ref": { "type": "ref/resource", "uri": "x://{id}" }, "argument": { "name": "id", "value": "" } }),
        ),
        (
            "completion/complete",
            json!({ "ref": prompt, "argument": { "name": "year", "value": "" } }),
            json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "year", "value": "" } }),
        ),
    ] {
        let had = ask(&served, "boss", method, params.clone()).await;
        assert!(had.json()["result"].is_object(), "{method}: {}", had.body);
        let (refused, unknown) =
            (ask(&served, "clerk", method, params).await, ask(&served, "clerk", method, like).await);
        assert_eq!(refused.status, unknown.status, "{method}");
        assert_eq!(refused.json()["error"]["code"], unknown.json()["error"]["code"], "{method}: {}", refused.body);
    }
}

#[tokio::test]
async fn instructions_name_what_the_caller_can_have() {
    let served = shop().await;
    for (caller, sees_more) in [("clerk", false), ("boss", true)] {
        let hello = ask(&served, caller, "initialize", json!({ "protocolVersion": "2025-06-18" })).await.json();
        let words = hello["result"]["instructions"].as_str().unwrap_or_default().to_owned();
        assert!(words.contains("## Resources\n- `shop://policy`: How we treat people."), "{words}");
        assert!(words.contains("## Prompts\n- `greet`: Greets."), "{words}");
        assert!(!words.contains("## Tools"), "there are none: {words}");
        for more in ["- `shop://books`: What we earned.", "- `shop://accounts/{id}`", "- `audit`"] {
            assert_eq!(words.contains(more), sees_more, "{caller}: {words}");
        }
    }
}
