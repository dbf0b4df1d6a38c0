//! Resources: lists, reading by address, and what is not there (protocol.md R-01 to R-06).

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve, upstream};

const BRIDGE: &str = r##"
bridge: shop
sources:
  api: { rest: "${UPSTREAM}" }
  db: { sql: { url: "sqlite:shop.db", init: shop.sql } }
resources:
  policy:
    uri: shop://policy
    title: Policy
    description: How we treat people.
    mime_type: text/markdown
    subscribe: true
    reply: { text: "# Be kind" }
  seal:
    uri: shop://seal
    description: Our seal.
    reply: { image: { data: aGVsbG8=, mime_type: image/png } }
  goods:
    uri: shop://goods
    description: Everything there is.
    sql: { query: "SELECT id, name FROM goods ORDER BY id" }
    output: { format: csv }
  good:
    uri: shop://goods/{id}
    description: One thing.
    params: { id: { type: integer, description: Which., complete: ["1", "2", "10"] } }
    sql: { query: "SELECT id, name FROM goods WHERE id = :id", returns: row }
  shelf:
    uri: shop://shelves/{kind}/{full}
    description: A shelf.
    params:
      kind: { type: string, enum: [high, low], description: Which kind. }
      full: { type: boolean, description: Whether it is full. }
    reply: { text: "{{kind}} {{full}}" }
  item:
    uri: shop://items/{id}/data
    description: One item of the catalogue.
    params: { id: { type: integer, description: Which. } }
    rest: { get: "/items/{id}" }
"##;
const SEED: &str =
    "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO goods VALUES (1, 'cup'), (2, 'jug');";

async fn shop(api: &str) -> Served {
    serve(&[("shop.yaml", BRIDGE), ("shop.sql", SEED)], &[("UPSTREAM", api)]).await
}

async fn legacy(served: &Served, method: &str, params: Value) -> Response {
    served.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
}

async fn stateless(served: &Served, method: &str, mut params: Value) -> Response {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    post.header("mcp-name", params["uri"].as_str().unwrap_or_default()).send(served.address).await
}

#[tokio::test]
async fn lists_name_fixed_addresses_and_templates() {
    let served = shop("http://127.0.0.1:9").await;
    let list = legacy(&served, "resources/list", json!({})).await.json()["result"]["resources"].clone();
    assert_eq!(
        list,
        json!([
            { "uri": "shop://policy", "name": "policy", "title": "Policy", "description": "How we treat people.", "mimeType": "text/markdown" },
            { "uri": "shop://seal", "name": "seal", "description": "Our seal.", "mimeType": "image/png" },
            { "uri": "shop://goods", "name": "goods", "description": "Everything there is.", "mimeType": "text/csv" },
        ])
    );
    let templates = legacy(&served, "resources/templates/list", json!({})).await.json()["result"].clone();
    assert_eq!(
        templates["resourceTemplates"][0],
        json!({ "uriTemplate": "shop://goods/{id}", "name": "good", "description": "One thing.", "mimeType": "application/json" })
    );
    for method in ["resources/list", "resources/templates/list"] {
        let result = stateless(&served, method, json!({})).await.json()["result"].clone();
        assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("public")));
        assert!(result["ttlMs"].is_u64(), "{result}");
        assert_eq!(legacy(&served, method, json!({ "cursor": "x" })).await.json()["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn contents_come_from_wherever_the_file_says() {
    let api = upstream().await;
    let served = shop(&api.url()).await;
    for (uri, contents) in [
        ("shop://policy", json!({ "mimeType": "text/markdown", "text": "# Be kind" })),
        ("shop://seal", json!({ "mimeType": "image/png", "blob": "aGVsbG8=" })),
        ("shop://goods", json!({ "mimeType": "text/csv", "text": "id,name\n1,cup\n2,jug" })),
        ("shop://goods/2", json!({ "mimeType": "application/json", "text": r#"{"id":2,"name":"jug"}"# })),
        (
            "shop://items/7/data",
            json!({ "mimeType": "application/json", "text": r#"{"id":7,"sku":"SKU-0007","tags":["a","b"],"stock":null}"# }),
        ),
    ] {
        let mut expected = contents;
        expected["uri"] = json!(uri);
        let read = legacy(&served, "resources/read", json!({ "uri": uri })).await.json();
        assert_eq!(read["result"], json!({ "contents": [expected] }), "{read}");
        let read = stateless(&served, "resources/read", json!({ "uri": uri })).await.json()["result"].clone();
        assert_eq!(read["contents"], json!([expected]), "{read}");
        assert_eq!((&read["resultType"], &read["cacheScope"]), (&json!("complete"), &json!("private")));
        assert!(read["ttlMs"].is_u64() && read["_meta"].is_object(), "{read}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_an_error_that_names_it() {
    let api = upstream().await;
    let served = shop(&api.url()).await;
    for uri in ["shop://nothing", "shop://goods/3", "shop://items/2000/data", "shop://items/1/2/data", "shop://goods/"]
    {
        let error = legacy(&served, "resources/read", json!({ "uri": uri })).await;
        assert_eq!((error.status, &error.json()["error"]["code"]), (200, &json!(-32002)), "{uri}");
        assert_eq!(error.json()["error"]["data"]["uri"], uri);
        let error = stateless(&served, "resources/read", json!({ "uri": uri })).await;
        assert_eq!((error.status, &error.json()["error"]["code"]), (200, &json!(-32602)), "{uri}");
        assert_eq!(error.json()["error"]["data"]["uri"], uri);
    }
    for params in [json!({}), json!({ "uri": 7 }), json!({ "uri": "shop://goods/seven" })] {
        let error = legacy(&served, "resources/read", params.clone()).await.json();
        assert_eq!(error["error"]["code"], -32602, "{params}");
    }
}

#[tokio::test]
async fn an_address_is_taken_apart_before_it_is_decoded() {
    let bridge = "bridge: files\nresources:\n  file:\n    uri: files://{name}\n    description: One file.\n    params: { name: { type: string, description: Which. } }\n    reply: { text: \"<{{name}}>\" }\n";
    let served = serve(&[("files.yaml", bridge)], &[]).await;
    for (uri, text) in [
        ("files://a", Some("<a>")),
        ("files://a%20b", Some("<a b>")),
        ("files://a%2Fb", Some("<a/b>")),
        ("files://%7Bname%7D", Some("<{name}>")),
        ("files://%C3%BC", Some("<\u{fc}>")),
        ("files://\u{fc}", Some("<\u{fc}>")),
        // To a reply two dots are two characters; what a source makes of them is held in tests/rest_safety.rs.
        ("files://..", Some("<..>")),
        ("files://a/b", None),
        ("files://../a", None),
        ("files://", None),
        ("files://a?b", None),
        ("files://a#b", None),
        ("files://%00", None),
        ("files://a%0Ab", None),
        ("files://%ff", None),
        ("FILES://a", None),
        (" files://a", None),
    ] {
        let answer = legacy(&served, "resources/read", json!({ "uri": uri })).await.json();
        assert_eq!(answer["result"]["contents"][0]["text"].as_str(), text, "{uri}: {answer}");
        let code = if text.is_some() { Value::Null } else { json!(-32002) };
        assert_eq!(answer["error"]["code"], code, "{uri}: {answer}");
    }
}

#[tokio::test]
async fn capabilities_say_what_is_served() {
    let served = shop("http://127.0.0.1:9").await;
    for (revision, capabilities) in [
        ("2024-11-05", json!({ "tools": {}, "resources": { "subscribe": true } })),
        ("2025-11-25", json!({ "tools": {}, "resources": { "subscribe": true }, "completions": {} })),
    ] {
        let result =
            legacy(&served, "initialize", json!({ "protocolVersion": revision })).await.json()["result"].clone();
        assert_eq!(result["capabilities"], capabilities, "{revision}");
    }
    let discovered = stateless(&served, "server/discover", json!({})).await.json()["result"].clone();
    assert_eq!(discovered["capabilities"], json!({ "tools": {}, "resources": {}, "completions": {} }));
    for method in ["prompts/list", "prompts/get"] {
        assert_eq!(legacy(&served, method, json!({ "name": "x" })).await.json()["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn subscriptions_are_for_resources_that_offer_them() {
    let served = shop("http://127.0.0.1:9").await;
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let answered = legacy(&served, method, json!({ "uri": "shop://policy" })).await.json();
        assert_eq!(answered["result"], json!({}));
        assert_eq!(stateless(&served, method, json!({ "uri": "shop://policy" })).await.status, 404);
    }
    for (uri, code) in [("shop://seal", -32602), ("shop://nothing", -32002)] {
        let refused = legacy(&served, "resources/subscribe", json!({ "uri": uri })).await.json();
        assert_eq!(refused["error"]["code"], code, "{uri}");
        // What may be gone by now can be taken back all the same.
        let answered = legacy(&served, "resources/unsubscribe", json!({ "uri": uri })).await.json();
        assert_eq!(answered["result"], json!({}), "{uri}");
    }
}

#[tokio::test]
async fn values_of_an_address_are_offered_by_their_beginning() {
    let served = shop("http://127.0.0.1:9").await;
    let ask = |uri: &str, name: &str, value: &str| json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": name, "value": value } });
    let found = legacy(&served, "completion/complete", ask("shop://goods/{id}", "id", "1")).await.json();
    assert_eq!(found["result"]["completion"], json!({ "values": ["1", "10"], "total": 2, "hasMore": false }));
    for (name, typed, values) in
        [("kind", "", json!(["high", "low"])), ("kind", "LO", json!(["low"])), ("full", "t", json!(["true"]))]
    {
        let params = ask("shop://shelves/{kind}/{full}", name, typed);
        let found = legacy(&served, "completion/complete", params).await.json();
        assert_eq!(found["result"]["completion"]["values"], values, "{name} {typed}");
    }
    for params in
        [ask("shop://goods", "id", "1"), ask("shop://none/{id}", "id", "1"), ask("shop://goods/{id}", "no", "1")]
    {
        assert_eq!(
            legacy(&served, "completion/complete", params.clone()).await.json()["error"]["code"],
            -32602,
            "{params}"
        );
    }
}
