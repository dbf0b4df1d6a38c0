//! The Rust SDK's client against a served bridge: an implementation of the protocol that shares
//! no code with this one.

use rmcp::{
    ServiceExt,
    model::{CallToolRequestParams, CallToolResult},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};

use crate::support::{serve, upstream};

const BRIDGE: &str = r#"
bridge: both
version: 3.2.1
instructions: Items first.
sources:
  api: { rest: { base_url: "${API}" } }
  db: { sql: { url: "sqlite:people.db", init: people.sql } }
tools:
  get_item:
    description: One item.
    params: { id: { type: integer, description: Number. } }
    rest: { get: "/items/{id}", errors: { 404: "There is no item {{id}}." } }
  find_people:
    description: People.
    params: { name: { type: string, required: false, description: Name. } }
    sql: { query: "SELECT id, name FROM people [[ WHERE name = :name ]] ORDER BY id" }
server:
  auth: { api_keys: { static: [ { name: rust, value: "${KEY}" } ] } }
"#;
const SEED: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Ann'), (2, 'Bo');";
const KEY: &str = "a-key-for-the-rust-client";

fn params(tool: &'static str, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap_or_default())
}

fn text(result: &CallToolResult) -> &str {
    result.content.first().and_then(|block| block.as_text()).map_or("", |text| &text.text)
}

#[tokio::test]
async fn the_rust_sdk_lists_calls_and_sees_errors_as_errors() {
    let api = upstream().await;
    let files = [("both.yaml", BRIDGE), ("people.sql", SEED)];
    let server = serve(&files, &[("API", &api.url()), ("KEY", KEY)]).await;
    let transport = |key: &str| {
        let config = StreamableHttpClientTransportConfig::with_uri(format!("http://{}/mcp", server.address));
        StreamableHttpClientTransport::from_config(config.auth_header(key))
    };
    assert!(().serve(transport("wrong")).await.is_err(), "a wrong key connects");

    let client = ().serve(transport(KEY)).await.expect("the handshake");
    let info = client.peer_info().expect("an introduction");
    assert_eq!(info.server_info.as_ref().map(|server| server.version.as_str()), Some("3.2.1"));
    assert!(info.instructions.as_deref().is_some_and(|words| words.starts_with("Items first.")));

    let tools = client.list_all_tools().await.expect("a list");
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["get_item", "find_people"]);

    let item = client.call_tool(params("get_item", &json!({ "id": 5 }))).await.expect("a result");
    assert!(item.is_error != Some(true) && text(&item).contains("SKU-0005"));
    let people = client.call_tool(params("find_people", &json!({ "name": "Bo" }))).await.expect("a result");
    let rows = people.structured_content.as_ref().map(|content| content["rows"].clone());
    assert_eq!(rows, Some(json!([{ "id": 2, "name": "Bo" }])));

    let missing = client.call_tool(params("get_item", &json!({ "id": 5000 }))).await.expect("a result");
    assert_eq!((missing.is_error, text(&missing)), (Some(true), "There is no item 5000."));
    let wrong = client.call_tool(params("get_item", &json!({ "id": "five" }))).await.expect("a result");
    assert!(wrong.is_error == Some(true) && text(&wrong).contains("`id`"));
    assert!(client.call_tool(params("no_such_tool", &json!({}))).await.is_err());
    client.cancel().await.expect("a clean end");
}
