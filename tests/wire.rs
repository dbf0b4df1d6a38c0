//! The protocol on the wire: every revision on one URL, every status (protocol.md §2).

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve};

const BRIDGE: &str = r#"
bridge: shop
version: 1.2.3
title: The shop
description: A shop for tests.
website: https://shop.example
instructions: Look before you leap.
sources:
  db: { sql: { url: "sqlite:shop.db", init: shop.sql } }
tools:
  list_goods:
    description: Everything there is.
    sql: { query: "SELECT id, name FROM goods ORDER BY id" }
"#;
const SEED: &str = "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO goods VALUES (1, 'cup');";

async fn shop() -> Served {
    serve(&[("shop.yaml", BRIDGE), ("shop.sql", SEED)], &[]).await
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "one", "method": method, "params": params })
}

/// A request of the stateless revision, whole.
fn stateless(method: &str, mut params: Value) -> Post {
    params["_meta"] = meta();
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    Post::new(request(method, &params).to_string())
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("mcp-name", &name)
}

fn code(response: &Response) -> i64 {
    response.json()["error"]["code"].as_i64().unwrap_or_default()
}

#[tokio::test]
async fn the_handshake_echoes_known_revisions_and_counters_others() {
    let shop = shop().await;
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let params =
            json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
        let response = Post::new(request("initialize", &params).to_string()).send(shop.address).await;
        let answer = response.json();
        assert_eq!(answer["result"]["protocolVersion"], answered, "{asked}");
        assert_eq!(answer["result"]["serverInfo"]["name"], "shop");
        assert_eq!(answer["result"]["serverInfo"]["version"], "1.2.3");
        let words = answer["result"]["instructions"].as_str().unwrap_or_default();
        assert!(words.starts_with("Look before you leap.") && words.contains("`list_goods`"), "{words}");
        let session = response.header("mcp-session-id").unwrap_or_default();
        assert!(session.len() > 32 && session.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{session}");
    }
}

#[tokio::test]
async fn server_info_has_what_the_revision_knows() {
    let shop = shop().await;
    for (revision, title, website) in [
        ("2025-03-26", Value::Null, Value::Null),
        ("2025-06-18", json!("The shop"), Value::Null),
        ("2025-11-25", json!("The shop"), json!("https://shop.example")),
    ] {
        let params = json!({ "protocolVersion": revision });
        let answer = Post::new(request("initialize", &params).to_string()).send(shop.address).await.json();
        assert_eq!(answer["result"]["serverInfo"]["title"], title, "{revision}");
        assert_eq!(answer["result"]["serverInfo"]["websiteUrl"], website, "{revision}");
    }
}

#[tokio::test]
async fn legacy_requests_are_answered_with_status_200() {
    let shop = shop().await;
    for (message, expected) in [
        (request("ping", &json!({})), json!({ "jsonrpc": "2.0", "id": "one", "result": {} })),
        (json!({ "jsonrpc": "2.0", "id": 0, "method": "ping" }), json!({ "jsonrpc": "2.0", "id": 0, "result": {} })),
        (
            request("resources/list", &json!({})),
            json!({ "jsonrpc": "2.0", "id": "one", "error": { "code": -32601, "message": "Method not found: resources/list" } }),
        ),
        (
            request("tools/call", &json!({ "name": "list_good" })),
            json!({ "jsonrpc": "2.0", "id": "one", "error": { "code": -32602, "message": "Unknown tool: list_good. Did you mean list_goods?" } }),
        ),
    ] {
        let response = shop.send(&message).await;
        assert_eq!((response.status, response.json()), (200, expected));
    }
    for params in [json!({}), json!({ "name": 7 }), json!({ "name": "list_goods", "arguments": [1] })] {
        let response = shop.send(&request("tools/call", &params)).await;
        assert_eq!((response.status, code(&response)), (200, -32602), "{params}");
    }
    let response = shop.send(&request("tools/list", &json!({ "cursor": "second" }))).await;
    assert_eq!((response.status, code(&response)), (200, -32602));
}

#[tokio::test]
async fn ids_come_back_with_value_and_type() {
    let shop = shop().await;
    for id in ["0", "\"\"", "-7", "\"a\\u00e9\\\"\"", "9007199254740993", "\"server-discover-probe-1\""] {
        let response = Post::new(format!(r#"{{"method":"ping","jsonrpc":"2.0","id":{id}}}"#)).send(shop.address).await;
        assert!(response.body.contains(&format!("\"id\":{id},")), "{id}: {}", response.body);
    }
}

#[tokio::test]
async fn tools_are_listed_and_called_in_every_revision() {
    let shop = shop().await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", ""] {
        let post = |message: &Value| Post::new(message.to_string()).header("mcp-protocol-version", revision);
        let listed = post(&request("tools/list", &json!({}))).send(shop.address).await.json();
        let tool = &listed["result"]["tools"][0];
        assert_eq!(tool["inputSchema"]["type"], "object", "{revision}");
        assert_eq!(tool["annotations"]["readOnlyHint"], json!(true));
        assert_eq!(tool["outputSchema"]["properties"]["rows"]["items"]["required"], json!(["id", "name"]));
        let called = post(&request("tools/call", &json!({ "name": "list_goods" }))).send(shop.address).await.json();
        let rows = json!({ "rows": [{ "id": 1, "name": "cup" }], "row_count": 1, "truncated": false });
        assert_eq!(called["result"]["structuredContent"], rows, "{revision}");
        let text = called["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(text).ok(), Some(rows));
        assert_eq!(called["result"].get("resultType"), None);
    }
}

#[tokio::test]
async fn the_stateless_revision_says_everything_in_each_request() {
    let shop = shop().await;
    let found = stateless("server/discover", json!({})).send(shop.address).await;
    let result = found.json()["result"].clone();
    assert_eq!((found.status, &result["resultType"]), (200, &json!("complete")));
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "shop");
    assert_eq!(found.header("mcp-session-id"), None);

    let listed = stateless("tools/list", json!({})).send(shop.address).await.json()["result"].clone();
    assert!(listed["ttlMs"].is_u64() && listed["cacheScope"] == "public" && listed["resultType"] == "complete");

    let called = stateless("tools/call", json!({ "name": "list_goods" })).send(shop.address).await;
    let result = called.json()["result"].clone();
    assert_eq!((called.status, &result["resultType"]), (200, &json!("complete")));
    assert_eq!(result["structuredContent"]["row_count"], 1);

    let unknown = stateless("tools/call", json!({ "name": "nothing" })).send(shop.address).await;
    assert_eq!((unknown.status, code(&unknown)), (200, -32602));
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        let response = stateless(method, json!({})).send(shop.address).await;
        assert_eq!((response.status, code(&response)), (404, -32601), "{method}");
        assert_eq!(response.json()["id"], "one");
    }
}

#[tokio::test]
async fn headers_are_held_against_the_body() {
    let shop = shop().await;
    let call = || stateless("tools/call", json!({ "name": "list_goods" }));
    let without_meta = |params: Value| {
        Post::new(request("tools/list", &params).to_string())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
    };
    let version = |version: &str| {
        let mut all = meta();
        all["io.modelcontextprotocol/protocolVersion"] = json!(version);
        Post::new(request("tools/list", &json!({ "_meta": all })).to_string()).header("mcp-method", "tools/list")
    };
    for (what, post, status, expected) in [
        ("all as it should be", call(), 200, 0),
        ("white space", call().header("mcp-method", "  tools/call\t"), 200, 0),
        ("an encoded name", call().header("mcp-name", "=?base64?bGlzdF9nb29kcw==?="), 200, 0),
        ("another version", call().header("mcp-protocol-version", "2025-11-25"), 400, -32020),
        ("another method", call().header("mcp-method", "TOOLS/CALL"), 400, -32020),
        ("another name", call().header("mcp-name", "list_good"), 400, -32020),
        ("a broken name", call().header("mcp-name", "=?base64?bGlzd?="), 400, -32020),
        ("no version", call().header("mcp-protocol-version", ""), 400, -32020),
        ("no method", call().header("mcp-method", ""), 400, -32020),
        ("no name", call().header("mcp-name", ""), 400, -32020),
        ("no address", stateless("resources/read", json!({ "uri": "shop://x" })), 400, -32020),
        ("no envelope", without_meta(json!({})), 400, -32602),
        (
            "half an envelope",
            without_meta(json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } })),
            400,
            -32602,
        ),
        (
            "an odd envelope",
            without_meta(json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": 7 } })),
            400,
            -32602,
        ),
        ("an unknown version", version("v999.0.0").header("mcp-protocol-version", "v999.0.0"), 400, -32022),
        ("an old version in the envelope", version("2025-11-25"), 200, 0),
        (
            "an unknown header",
            shop.post(&request("ping", &json!({}))).header("mcp-protocol-version", "2042-01-01"),
            400,
            -32600,
        ),
        (
            "a handshake with a stateless header",
            shop.post(&request("initialize", &json!({}))).header("mcp-protocol-version", "2026-07-28"),
            400,
            -32020,
        ),
        (
            "a handshake with its own header",
            shop.post(&request("initialize", &json!({}))).header("mcp-protocol-version", "2025-11-25"),
            200,
            0,
        ),
    ] {
        let response = post.send(shop.address).await;
        let found = response.json()["error"]["code"].as_i64().unwrap_or(0);
        assert_eq!((response.status, found), (status, expected), "{what}: {}", response.body);
        assert_eq!(response.json()["id"], "one", "{what}");
    }
    let unknown = version("v999.0.0").header("mcp-protocol-version", "v999.0.0").send(shop.address).await.json();
    assert_eq!(unknown["error"]["data"], json!({ "supported": ["2026-07-28"], "requested": "v999.0.0" }));
}

#[tokio::test]
async fn a_level_of_the_log_is_one_whether_or_not_anything_is_logged() {
    let shop = shop().await;
    let wishing = |level: Value| {
        let mut all = meta();
        all["io.modelcontextprotocol/logLevel"] = level;
        Post::new(request("tools/call", &json!({ "name": "list_goods", "_meta": all })).to_string())
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "list_goods")
    };
    for (level, status, expected) in
        [(json!("loud"), 400, -32602), (json!(7), 400, -32602), (json!(null), 200, 0), (json!("debug"), 200, 0)]
    {
        let response = wishing(level.clone()).send(shop.address).await;
        assert_eq!((response.status, code(&response)), (status, expected), "{level}: {}", response.body);
    }
}

#[tokio::test]
async fn who_is_refused_for_headers_is_told_which_request_it_was() {
    let shop = shop().await;
    let ping = || shop.post(&request("ping", &json!({})));
    for (what, post, status, id) in [
        ("only pictures", ping().header("accept", "image/png"), 406, json!("one")),
        ("a method that is no text", ping().header("mcp-method", "p\u{ef}ng"), 400, json!("one")),
        ("a name that is no text", stateless("tools/call", json!({ "name": "\u{fc}ber" })), 400, json!("one")),
        ("a session that is no text", ping().header("mcp-session-id", "\u{fc}"), 400, json!("one")),
        ("no JSON by its type", ping().header("content-type", "text/plain"), 415, Value::Null),
    ] {
        let response = post.send(shop.address).await;
        assert_eq!((response.status, &response.json()["id"]), (status, &id), "{what}: {}", response.body);
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_the_server_lives_on() {
    let shop = shop().await;
    let deep = "[".repeat(5000);
    for (body, status, expected) in [
        ("", 400, -32700),
        ("{", 400, -32700),
        ("\u{0}", 400, -32700),
        ("nonsense", 400, -32700),
        (deep.as_str(), 400, -32700),
        ("7", 400, -32600),
        ("\"text\"", 400, -32600),
        ("[]", 400, -32600),
        ("[[]]", 400, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, 400, -32600),
        (r#"{"id":1,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":7}"#, 400, -32600),
    ] {
        let response = Post::new(body).send(shop.address).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!((response.status, code(&response)), (status, expected), "{shown}");
    }
    for bytes in [&b"\xff\xfe"[..], b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff\"}"] {
        let response = Post::new(bytes).send(shop.address).await;
        assert_eq!((response.status, code(&response)), (400, -32700));
    }
    for body in [
        r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":5}"#,
        r#"{"jsonrpc":"2.0","id":7}"#,
    ] {
        let response = Post::new(body).send(shop.address).await;
        assert_eq!((response.status, response.json()["id"].as_u64()), (400, Some(7)), "{body}");
    }
    assert_eq!(shop.send(&request("ping", &json!({}))).await.status, 200);
}

#[tokio::test]
async fn notifications_and_responses_are_accepted_without_a_body() {
    let shop = shop().await;
    for message in [
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/no_such_thing", "params": { "x": 1 } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } }),
        json!({ "jsonrpc": "2.0", "id": 4, "result": {} }),
    ] {
        let response = shop.send(&message).await;
        assert_eq!((response.status, response.body.as_str()), (202, ""), "{message}");
    }
}

#[tokio::test]
async fn batches_belong_to_one_revision() {
    let shop = shop().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "id": "b", "method": "no/such" },
        { "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": { "name": "list_goods" } },
    ]);
    for version in ["", "2025-03-26"] {
        let response = Post::new(batch.to_string()).header("mcp-protocol-version", version).send(shop.address).await;
        let answers = response.json();
        let ids: Vec<&Value> = answers.as_array().into_iter().flatten().map(|answer| &answer["id"]).collect();
        assert_eq!((response.status, ids), (200, vec![&json!(1), &json!("b"), &json!(3)]));
        assert_eq!(answers[1]["error"]["code"], -32601);
        assert_eq!(answers[2]["result"]["structuredContent"]["row_count"], 1);
    }
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let response = Post::new(batch.to_string()).header("mcp-protocol-version", version).send(shop.address).await;
        assert_eq!((response.status, code(&response)), (400, -32600), "{version}");
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (what, batch) in [
        ("a handshake", json!([request("initialize", &json!({}))])),
        ("a stateless request", json!([request("tools/list", &json!({ "_meta": meta() }))])),
        ("something else", json!([ping, 7])),
        ("a batch of batches", json!([[ping]])),
        ("too many", Value::Array(vec![ping.clone(); 51])),
    ] {
        let response = Post::new(batch.to_string()).send(shop.address).await;
        assert_eq!((response.status, code(&response)), (400, -32600), "{what}");
    }
    let quiet = json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }]);
    assert_eq!(Post::new(quiet.to_string()).send(shop.address).await.status, 202);
}

#[tokio::test]
async fn methods_types_and_sizes_have_their_statuses() {
    let shop = shop().await;
    let ping = request("ping", &json!({}));
    let big = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "x".repeat(4 << 20) } });
    for (what, post, status) in [
        ("GET", shop.post(&ping).head("GET /mcp HTTP/1.1"), 405),
        ("DELETE", shop.post(&ping).head("DELETE /mcp HTTP/1.1"), 405),
        ("PUT", shop.post(&ping).head("PUT /mcp HTTP/1.1"), 405),
        ("another path", shop.post(&ping).head("POST /elsewhere HTTP/1.1"), 404),
        ("no such bridge", shop.post(&ping).head("POST /mcp/none HTTP/1.1"), 404),
        ("the bridge's own path", shop.post(&ping).head("POST /mcp/shop HTTP/1.1"), 200),
        (
            "sign-in metadata without sign-in",
            shop.post(&ping).head("GET /.well-known/oauth-protected-resource HTTP/1.1"),
            404,
        ),
        ("text", shop.post(&ping).header("content-type", "text/plain"), 415),
        ("no type", shop.post(&ping).header("content-type", ""), 415),
        ("a charset", shop.post(&ping).header("content-type", "Application/JSON; charset=utf-8"), 200),
        ("no wishes", shop.post(&ping).header("accept", ""), 200),
        ("any type", shop.post(&ping).header("accept", "*/*"), 200),
        ("only pictures", shop.post(&ping).header("accept", "image/png"), 406),
        ("too large", shop.post(&big), 413),
    ] {
        let response = post.send(shop.address).await;
        assert_eq!(response.status, status, "{what}: {}", response.body);
        if status == 405 {
            assert_eq!(response.header("allow"), Some("POST"), "{what}");
        }
    }
}

#[tokio::test]
async fn only_known_hosts_and_pages_are_served_on_every_route() {
    let shop = shop().await;
    let ping = request("ping", &json!({}));
    for (what, post, status) in [
        ("another host", shop.post(&ping).header("host", "evil.example"), 403),
        ("another host on a probe", shop.post(&ping).head("GET /healthz HTTP/1.1").header("host", "evil.example"), 403),
        ("another page", shop.post(&ping).header("origin", "https://evil.example"), 403),
        ("a sandboxed page", shop.post(&ping).header("origin", "null"), 403),
        ("a local page", shop.post(&ping).header("origin", "http://localhost:6274"), 200),
        ("localhost by name", shop.post(&ping).header("host", "localhost:1"), 200),
        (
            "a browser that asks first",
            shop.post(&ping).head("OPTIONS /mcp HTTP/1.1").header("origin", "http://localhost:6274"),
            204,
        ),
    ] {
        let response = post.send(shop.address).await;
        assert_eq!(response.status, status, "{what}: {}", response.body);
        let admitted = response.header("access-control-allow-origin");
        assert_eq!(admitted.is_some(), what.contains("local page") || what.contains("browser"), "{what}");
    }
    let without = crate::support::raw(shop.address, b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert_eq!(without.status, 400);
}
