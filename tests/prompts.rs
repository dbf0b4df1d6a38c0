//! Prompts: lists, messages, blanks, and values that are offered (protocol.md R-07 to R-09).

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve};

const BRIDGE: &str = r#"
bridge: help
prefix: shop_
prompts:
  triage:
    title: Triage
    description: Sorts a complaint.
    params:
      complaint: { type: string, title: Complaint, description: What was said. }
      level: { enum: [low, high, highest], description: How bad., required: false }
      count: { type: integer, description: How many., default: 1 }
      city: { type: string, description: Where., required: false, complete: [Oslo, Odense, Bergen] }
    messages:
      - text: "{{count}} x {{complaint}} ({{default level \"unknown\"}}) {{city}}"
      - { role: assistant, text: I am sorry. }
  pictures:
    description: Shows everything.
    params: { uri: { type: string, description: Of what. } }
    messages:
      - resource: { uri: "{{uri}}", text: Content. }
      - image: { data: aGVsbG8=, mime_type: image/png }
      - audio: { data: aGVsbG8=, mime_type: audio/wav }
      - resource_link: { uri: "{{uri}}", name: link }
  asking:
    description: Asks first.
    messages:
      - ask: { name: who, message: Who?, fields: { name: string } }
      - text: "Hello {{answers.who.content.name}}"
"#;

async fn help() -> Served {
    serve(&[("help.yaml", BRIDGE)], &[]).await
}

async fn legacy(served: &Served, revision: &str, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    served.post(&message).header("mcp-protocol-version", revision).send(served.address).await.json()
}

async fn stateless(served: &Served, capabilities: &Value, method: &str, mut params: Value) -> Response {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    post.header("mcp-name", params["name"].as_str().unwrap_or_default()).send(served.address).await
}

#[tokio::test]
async fn a_list_names_the_blanks() {
    let served = help().await;
    let list = legacy(&served, "2025-06-18", "prompts/list", json!({})).await["result"]["prompts"].clone();
    assert_eq!(
        list[0],
        json!({
            "name": "shop_triage", "title": "Triage", "description": "Sorts a complaint.",
            "arguments": [
                { "name": "complaint", "title": "Complaint", "description": "What was said.", "required": true },
                { "name": "level", "description": "How bad.", "required": false },
                { "name": "count", "description": "How many.", "required": false },
                { "name": "city", "description": "Where.", "required": false },
            ],
        })
    );
    assert_eq!(list[2].get("arguments"), None, "{list}");
    let result = stateless(&served, &json!({}), "prompts/list", json!({})).await.json()["result"].clone();
    assert_eq!((&result["prompts"], &result["resultType"]), (&list, &json!("complete")));
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{result}");
}

#[tokio::test]
async fn messages_are_filled_in() {
    let served = help().await;
    let params = json!({ "name": "shop_triage", "arguments": { "complaint": "late", "count": "3" } });
    let result = legacy(&served, "2025-06-18", "prompts/get", params).await["result"].clone();
    assert_eq!(
        result,
        json!({
            "description": "Sorts a complaint.",
            "messages": [
                { "role": "user", "content": { "type": "text", "text": "3 x late (unknown) " } },
                { "role": "assistant", "content": { "type": "text", "text": "I am sorry." } },
            ],
        })
    );
    let params = json!({ "name": "shop_pictures", "arguments": { "uri": "shop://x" } });
    let new = legacy(&served, "2025-11-25", "prompts/get", params.clone()).await["result"]["messages"].clone();
    let kinds: Vec<_> = new.as_array().expect("messages").iter().map(|it| it["content"]["type"].clone()).collect();
    assert_eq!(kinds, ["resource", "image", "audio", "resource_link"]);
    assert_eq!(
        new[0]["content"]["resource"],
        json!({ "uri": "shop://x", "mimeType": "text/plain", "text": "Content." })
    );
    let old = legacy(&served, "2024-11-05", "prompts/get", params).await["result"]["messages"].clone();
    let kinds: Vec<_> = old.as_array().expect("messages").iter().map(|it| it["content"]["type"].clone()).collect();
    assert_eq!(kinds, ["resource", "image", "text", "text"]);
}

#[tokio::test]
async fn what_does_not_fit_is_an_error() {
    let served = help().await;
    for params in [
        json!({}),
        json!({ "name": "shop_nothing" }),
        json!({ "name": "triage" }),
        json!({ "name": "shop_triage" }),
        json!({ "name": "shop_triage", "arguments": { "complaint": "x", "count": "many" } }),
        json!({ "name": "shop_triage", "arguments": { "complaint": "x", "other": "y" } }),
        json!({ "name": "shop_triage", "arguments": [] }),
    ] {
        let answer = legacy(&served, "2025-06-18", "prompts/get", params.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{params}");
    }
    let words =
        legacy(&served, "2025-06-18", "prompts/get", json!({ "name": "shop_triag" })).await["error"]["message"].clone();
    assert_eq!(words, "Unknown prompt: shop_triag. Did you mean shop_triage?");
}

#[tokio::test]
async fn a_prompt_may_ask_first() {
    let served = help().await;
    let able = json!({ "elicitation": {} });
    let first =
        stateless(&served, &able, "prompts/get", json!({ "name": "shop_asking" })).await.json()["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    let answer = json!({ "who": { "action": "accept", "content": { "name": "Bo" } } });
    let params = json!({ "name": "shop_asking", "inputResponses": answer, "requestState": first["requestState"] });
    let done = stateless(&served, &able, "prompts/get", params.clone()).await.json()["result"].clone();
    assert_eq!(done["messages"], json!([{ "role": "user", "content": { "type": "text", "text": "Hello Bo" } }]));
    assert_eq!(stateless(&served, &json!({}), "prompts/get", params).await.status, 400);
}

#[tokio::test]
async fn values_are_offered_by_their_beginning() {
    let served = help().await;
    for (name, value, values) in [
        ("city", "o", json!(["Oslo", "Odense"])),
        ("city", "", json!(["Oslo", "Odense", "Bergen"])),
        ("city", "x", json!([])),
        ("level", "high", json!(["high", "highest"])),
        ("complaint", "", json!([])),
    ] {
        let params = json!({
            "ref": { "type": "ref/prompt", "name": "shop_triage" }, "argument": { "name": name, "value": value },
        });
        let found = legacy(&served, "2025-06-18", "completion/complete", params.clone()).await;
        assert_eq!(found["result"]["completion"]["values"], values, "{params}");
        let found = stateless(&served, &json!({}), "completion/complete", params.clone()).await.json();
        assert_eq!(found["result"]["completion"]["values"], values, "{params}");
        assert_eq!(found["result"]["resultType"], "complete");
    }
    // Clients may escape what need not be.
    let escaped = r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{
        "ref":{"type":"ref\/prompt","name":"shop\u005ftriage"},"argument":{"name":"c\u0069ty","value":"\u006f"}}}"#;
    let found = Post::new(escaped).send(served.address).await.json();
    assert_eq!(found["result"]["completion"]["values"], json!(["Oslo", "Odense"]), "{found}");
    for params in [
        json!({ "ref": { "type": "ref/prompt", "name": "no" }, "argument": { "name": "city", "value": "" } }),
        json!({ "ref": { "type": "ref/other" }, "argument": { "name": "city", "value": "" } }),
        json!({ "argument": { "name": "city", "value": "" } }),
    ] {
        let found = legacy(&served, "2025-06-18", "completion/complete", params.clone()).await;
        assert_eq!(found["error"]["code"], -32602, "{params}");
    }
}

#[tokio::test]
async fn no_more_values_are_offered_than_the_protocol_takes() {
    let cities: Vec<String> = (0..150).map(|number| format!("city-{number:03}")).collect();
    let bridge = format!(
        "bridge: help\nprompts:\n  go:\n    description: Goes.\n    params: {{ city: {{ type: string, description: Where., complete: {cities:?} }} }}\n    messages: [{{ text: \"{{{{city}}}}\" }}]\n"
    );
    let served = serve(&[("help.yaml", &bridge)], &[]).await;
    for (typed, shown, total, more) in [("", 100, 150, true), ("city-0", 100, 100, false), ("city-14", 10, 10, false)] {
        let params =
            json!({ "ref": { "type": "ref/prompt", "name": "go" }, "argument": { "name": "city", "value": typed } });
        let found = legacy(&served, "2025-11-25", "completion/complete", params).await;
        let found = found["result"]["completion"].clone();
        assert_eq!(found["values"].as_array().map(Vec::len), Some(shown), "{typed}");
        assert_eq!((&found["total"], &found["hasMore"]), (&json!(total), &json!(more)), "{typed}");
    }
}
