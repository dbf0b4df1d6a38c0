//! What holds for every message and any number of clients, tried with random ones over real sockets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::runtime::Runtime;

use crate::support::{Post, Response, Served, serve, spawn};

const CASES: u32 = 96;
const CLIENTS: u32 = 64;
const CALLS: u32 = 12;
const BRIDGE: &str = r#"
bridge: properties
sources: { none: { sql: { url: "sqlite::memory:" } } }
tools:
  take:
    description: Gives back what it is given.
    params:
      text: { type: string, required: false, description: A text. }
    sql: { query: "SELECT :text AS text", returns: row }
"#;

async fn server() -> Served {
    serve(&[("properties.yaml", BRIDGE)], &[]).await
}

/// Tries a property with random values against one server.
fn holds<S: Strategy>(strategy: &S, mut property: impl AsyncFnMut(&Served, S::Value) -> Result<(), TestCaseError>) {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(server());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let property = std::cell::RefCell::new(&mut property);
    let result = TestRunner::new(config).run(strategy, |value| {
        let mut property = property.borrow_mut();
        runtime.block_on((*property)(&server, value))
    });
    if let Err(fault) = result {
        panic!("{fault}");
    }
}

fn meta() -> Value {
    json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} })
}

/// A message with its method, sent as its era wants it.
async fn send(server: &Served, stateless: bool, method: &str, message: String) -> Response {
    let post = Post::new(message);
    let post = if stateless {
        let post = post.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        if method == "tools/call" { post.header("mcp-name", "take") } else { post }
    } else {
        post
    };
    post.send(server.address).await
}

/// Any string of JSON as it may stand in a text, with every way to escape a character.
fn string_token() -> impl Strategy<Value = String> {
    let plain = any::<char>().prop_map(|char| Value::from(char.to_string()).to_string().trim_matches('"').to_owned());
    let escaped = any::<u16>().prop_map(|unit| format!("\\u{unit:04x}"));
    let short = select(vec!["\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\\\", "\\\"", "a", " ", "{", "]"]);
    let part = prop_oneof![plain, escaped, short.prop_map(str::to_owned)];
    // A quotation mark is escaped by the printer above, and trimming must not take half of that.
    let part = part.prop_filter("whole characters", |part| !part.ends_with('\\') || part == "\\\\");
    vec(part, 0..40).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// Any id there may be, up to the length that is echoed.
fn id_token() -> impl Strategy<Value = String> {
    let integer = "-?(0|[1-9][0-9]{0,40})";
    prop_oneof![integer.prop_map(|digits| digits), any::<i64>().prop_map(|id| id.to_string()), string_token()]
}

#[derive(Deserialize)]
struct Echo<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

#[test]
fn ids_come_back_as_they_were() {
    let methods = select(vec!["ping", "tools/list", "tools/call", "server/discover", "no/such/method"]);
    holds(&(id_token(), any::<bool>(), methods), async |server, (id, stateless, method)| {
        let params =
            json!({ "name": "take", "arguments": { "text": 5 }, "_meta": if stateless { meta() } else { json!({}) } });
        let message = format!(r#"{{"params":{params},"id":{id},"jsonrpc":"2.0","method":"{method}"}}"#);
        let response = send(server, stateless, method, message).await;
        prop_assert!(matches!(response.status, 200 | 404), "{}: {}", response.status, response.body);
        let echo: Echo<'_> = serde_json::from_str(&response.body)
            .map_err(|error| TestCaseError::fail(format!("{error}: {}", response.body)))?;
        prop_assert_eq!(echo.id.get(), id);
        Ok(())
    });
}

/// Any JSON value, small.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A name that no revision gives a meaning to.
fn unknown_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| format!("{text} of nobody")),
        select(vec!["", "Method", "ID", "jsonRpc", "__proto__", "io.modelcontextprotocol/later", "constructor"])
            .prop_map(str::to_owned),
    ]
}

#[test]
fn unknown_members_change_nothing() {
    let places =
        select(vec!["", "/params", "/params/_meta", "/params/_meta/io.modelcontextprotocol~1clientCapabilities"]);
    let additions = vec((places, unknown_name(), json_value()), 1..5);
    let methods = select(vec!["tools/list", "tools/call", "no/such/method"]);
    holds(&(additions, any::<bool>(), methods), async |server, (additions, stateless, method)| {
        let claims = if stateless { meta() } else { json!({ "io.modelcontextprotocol/clientCapabilities": {} }) };
        let params = json!({ "name": "take", "arguments": { "text": "cup" }, "_meta": claims });
        let plain = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut more = plain.clone();
        for (place, name, value) in additions {
            let members: Option<&mut Map<String, Value>> = more.pointer_mut(place).and_then(Value::as_object_mut);
            // A member that stands there already is no unknown one.
            members.ok_or_else(|| TestCaseError::fail("a place"))?.entry(name).or_insert(value);
        }
        let [plain, more] = [plain, more].map(|message| message.to_string());
        let expected = send(server, stateless, method, plain).await;
        let found = send(server, stateless, method, more).await;
        prop_assert_eq!((found.status, found.body), (expected.status, expected.body));
        Ok(())
    });
}

#[test]
fn names_in_headers_mean_the_text_that_they_encode() {
    let near = (any::<String>(), any::<String>());
    holds(&near, async |server, (name, other)| {
        let call = |header: String| {
            let params = json!({ "name": name, "_meta": meta() });
            let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            let post = Post::new(message.to_string()).header("mcp-protocol-version", "2026-07-28");
            post.header("mcp-method", "tools/call").header("mcp-name", &header).send(server.address)
        };
        let encoded = |text: &str| format!("=?base64?{}?=", STANDARD.encode(text));
        // There is no such tool, which a handler says, after the headers were found to agree.
        let same = call(encoded(&name)).await;
        prop_assert_eq!((same.status, same.json()["error"]["code"].clone()), (200, json!(-32602)), "{}", same.body);
        if name != other {
            let differs = call(encoded(&other)).await;
            prop_assert_eq!((differs.status, differs.json()["error"]["code"].clone()), (400, json!(-32020)));
        }
        let broken = call(format!("=?base64?{}!?=", STANDARD.encode(&other))).await;
        prop_assert_eq!((broken.status, broken.json()["error"]["code"].clone()), (400, json!(-32020)));
        // Without both marks a value is taken as it stands.
        if name.bytes().all(|byte| byte.is_ascii_graphic()) && !name.is_empty() {
            let literal = call(name.clone()).await;
            prop_assert_eq!(literal.status, 200, "{}", literal.body);
        }
        Ok(())
    });
}

/// What the client with this number calls with the id, in its own session or without any.
async fn one_client(address: std::net::SocketAddr, client: u32, session: Option<String>) {
    for id in 0..CALLS {
        let text = format!("client {client}, call {id}");
        let params = json!({ "name": "take", "arguments": { "text": text } });
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        let post = Post::new(message.to_string()).header("mcp-session-id", session.as_deref().unwrap_or_default());
        let post = post.header("mcp-protocol-version", "2025-06-18");
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id + 1 } });
        let cancel = Post::new(cancel.to_string()).header("mcp-session-id", session.as_deref().unwrap_or_default());
        // Every client takes the next id back, which is nobody's call under way but perhaps a neighbour's.
        let (answer, cancelled) = tokio::join!(post.send(address), cancel.send(address));
        assert_eq!((answer.status, cancelled.status), (200, 202), "{}", answer.body);
        let answer = answer.json();
        assert_eq!((&answer["id"], &answer["result"]["structuredContent"]["text"]), (&json!(id), &json!(text)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_with_equal_ids_never_see_each_others_answers() {
    let server = server().await;
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let hello =
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "protocolVersion": "2025-06-18" } });
        let hello = server.send(&hello).await;
        let session = hello.header("mcp-session-id").map(str::to_owned);
        assert!(session.is_some(), "a session to tell clients apart");
        // Every other client goes without its session, as a client of a stateless server does.
        let session = session.filter(|_| client % 2 == 0);
        clients.push(spawn(one_client(server.address, client, session)));
    }
    for client in clients {
        client.await.expect("no client met another's answer");
    }
}
