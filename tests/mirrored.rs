//! Arguments that clients of 2026-07-28 repeat in headers: both say the same, or nothing runs
//! (protocol.md H-12 to H-14).

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, call_message, serve};

const BRIDGE: &str = r#"
bridge: shop
tools:
  find:
    description: Finds.
    params:
      region: { type: string, required: false, mirror_header: Region, description: Where. }
      number: { type: integer, required: false, mirror_header: Number, description: Which. }
      flag: { type: boolean, required: false, mirror_header: Flag, description: Whether. }
      plain: { type: string, required: false, description: Not repeated. }
    reply: { text: "{{region}} {{number}} {{flag}} {{plain}}" }
  place:
    description: Finds a place.
    input_schema:
      type: object
      properties:
        place:
          type: object
          description: Where.
          properties: { city: { type: string, description: A town., x-mcp-header: City } }
    reply: { text: "{{place.city}}" }
  ask:
    description: Asks first.
    params: { region: { type: string, mirror_header: Region, description: Where. } }
    reply:
      - ask: { name: sure, message: Sure? }
      - text: "{{region}}"
"#;

async fn shop() -> Served {
    serve(&[("shop.yaml", BRIDGE)], &[]).await
}

fn call(tool: &str, arguments: &Value) -> Post {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
    post.header("mcp-method", "tools/call").header("mcp-name", tool)
}

async fn send(served: &Served, tool: &str, arguments: &Value, headers: &[(&str, &str)]) -> Response {
    let post = call(tool, arguments);
    headers.iter().fold(post, |post, (name, value)| post.header(name, value)).send(served.address).await
}

#[tokio::test]
async fn what_the_client_cannot_do_is_said_before_what_its_headers_lack() {
    let served = shop().await;
    let refused = send(&served, "ask", &json!({ "region": "eu" }), &[]).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32021)), "{}", refused.body);
}

#[tokio::test]
async fn a_header_says_what_its_argument_says() {
    let served = shop().await;
    for (arguments, headers) in [
        (json!({ "region": "eu" }), &[("mcp-param-region", "eu")][..]),
        (json!({ "region": "eu" }), &[("MCP-PARAM-Region", " \teu ")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "=?base64?ZXU=?=")]),
        (json!({ "region": "Zürich" }), &[("mcp-param-region", "=?base64?WsO8cmljaA==?=")]),
        (json!({ "region": "=?base64?ZXU=" }), &[("mcp-param-region", "=?base64?ZXU=")]),
        (json!({ "region": "=?BASE64?ZXU=?=" }), &[("mcp-param-region", "=?BASE64?ZXU=?=")]),
        (json!({ "number": 42 }), &[("mcp-param-number", "42")]),
        (json!({ "number": 42 }), &[("mcp-param-number", "42.0")]),
        (json!({ "number": 42.0 }), &[("mcp-param-number", "42")]),
        (json!({ "number": 9_007_199_254_740_993_u64 }), &[("mcp-param-number", "9007199254740993")]),
        (json!({ "number": "42" }), &[("mcp-param-number", "42")]),
        (json!({ "flag": true }), &[("mcp-param-flag", "true")]),
        (json!({ "flag": false, "region": "eu" }), &[("mcp-param-flag", "false"), ("mcp-param-region", "eu")]),
        // Without a value there is no header to expect, and one that comes is nobody's business.
        (json!({}), &[]),
        (json!({ "region": null }), &[]),
        (json!({ "plain": "x" }), &[("mcp-param-region", "eu")]),
        // What repeats no argument means nothing.
        (json!({ "plain": "x" }), &[("mcp-param-plain", "y"), ("mcp-param-other", "z")]),
    ] {
        let response = send(&served, "find", &arguments, headers).await;
        let result = &response.json()["result"];
        assert!(
            response.status == 200 && result.get("isError").is_none(),
            "{arguments} {headers:?}: {}",
            response.body
        );
    }
}

#[tokio::test]
async fn nothing_runs_when_they_differ() {
    let served = shop().await;
    for (arguments, headers) in [
        (json!({ "region": "eu" }), &[][..]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "us")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "EU")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "=?base64?dXM=?=")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "=?base64?ZXU?=")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "=?base64?Z!U=?=")]),
        (json!({ "region": "eu" }), &[("mcp-param-region", "=?base64?/w==?=")]),
        (json!({ "region": "ZXU=" }), &[("mcp-param-region", "=?base64?ZXU=?=")]),
        (json!({ "region": "Zürich" }), &[("mcp-param-region", "Zürich")]),
        (json!({ "number": 42 }), &[("mcp-param-number", "42.5")]),
        (json!({ "number": 42 }), &[("mcp-param-number", "forty-two")]),
        (json!({ "number": 9_007_199_254_740_993_u64 }), &[("mcp-param-number", "9007199254740992")]),
        (json!({ "flag": true }), &[("mcp-param-flag", "1")]),
        (json!({ "flag": true, "region": "eu" }), &[("mcp-param-flag", "true")]),
        // Whatever cannot be read is refused, needed or not.
        (json!({}), &[("mcp-param-region", "=?base64?ZXU?=")]),
        (json!({}), &[("mcp-param-region", "Zürich")]),
    ] {
        let response = send(&served, "find", &arguments, headers).await;
        let code = &response.json()["error"]["code"];
        assert_eq!((response.status, code), (400, &json!(-32020)), "{arguments} {headers:?}: {}", response.body);
        assert_eq!(response.json()["id"], 1);
    }
    // The same header twice says nothing, whatever it says.
    let twice = String::from_utf8(call("find", &json!({ "region": "eu" })).bytes(served.address)).expect("text");
    let twice = twice.replacen(
        "mcp-name:",
        "mcp-param-region: eu\r\nmcp-param-region: eu\r\nconnection: close\r\nmcp-name:",
        1,
    );
    let response = crate::support::raw(served.address, twice.as_bytes()).await;
    assert_eq!((response.status, &response.json()["error"]["code"]), (400, &json!(-32020)), "{}", response.body);
}

#[tokio::test]
async fn a_schema_of_the_authors_own_leads_to_its_arguments() {
    let served = shop().await;
    for (arguments, header, status) in [
        (json!({ "place": { "city": "Bern" } }), "Bern", 200),
        (json!({ "place": { "city": "Bern" } }), "Basel", 400),
        (json!({ "place": { "city": "Bern" } }), "", 400),
        (json!({ "place": {} }), "", 200),
        (json!({ "place": "Bern" }), "", 200),
    ] {
        let response = send(&served, "place", &arguments, &[("mcp-param-city", header)]).await;
        assert_eq!(response.status, status, "{arguments} {header}: {}", response.body);
    }
}

#[tokio::test]
async fn clients_are_told_which_headers_to_send_and_older_ones_need_none() {
    let served = shop().await;
    let list = served.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.json();
    let tools = &list["result"]["tools"];
    assert_eq!(tools[0]["inputSchema"]["properties"]["region"]["x-mcp-header"], "Region");
    assert_eq!(tools[0]["inputSchema"]["properties"]["plain"].get("x-mcp-header"), None);
    assert_eq!(tools[1]["inputSchema"]["properties"]["place"]["properties"]["city"]["x-mcp-header"], "City");
    let plain = call_message("find", &json!({ "region": "eu" }));
    for header in ["", "us", "Zürich"] {
        let response = served.post(&plain).header("mcp-param-region", header).send(served.address).await;
        assert_eq!(response.json()["result"].get("isError"), None, "{header}: {}", response.body);
    }
}
