//! Limits: what a caller hears that asks too often, and that others hear nothing of it. Threat
//! model: rows 18 and 33 of auth.md §5.

use serde_json::{Value, json};

use crate::support::{Post, Response, Served, serve, upstream};

fn bridge(limits: &str) -> String {
    format!(
        r#"
bridge: desk
sources:
  api: {{ rest: "${{API}}" }}
tools:
  plain:
    description: Without a limit of its own.
    rest: {{ get: /echo/plain, query: {{ p: "{{{{default caller.end_user 'nobody'}}}}" }} }}
  rare:
    description: With one.
    rate_limit: 2/h
    rest: {{ get: /echo/rare }}
server:
  end_user_header: x-poke-user-id
  rate_limit: {{ {limits} }}
  auth:
    api_keys:
      static:
        - {{ name: one, value: "one-key-of-this-test-only" }}
        - {{ name: two, value: "two-key-of-this-test-only", asserts_end_user: true }}
"#
    )
}

async fn desk(api: &str, limits: &str) -> Served {
    serve(&[("desk.yaml", &bridge(limits))], &[("API", api)]).await
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": "c-1", "method": "tools/call", "params": { "name": tool, "arguments": {} } })
}

fn by(server: &Served, who: &str, message: &Value) -> Post {
    server.post(message).header("authorization", &format!("Bearer {who}-key-of-this-test-only"))
}

async fn ask(server: &Served, who: &str, tool: &str) -> Response {
    by(server, who, &call(tool)).send(server.address).await
}

fn person(number: u32) -> String {
    format!("0b5e1a52-7c1f-4c1e-9d7f-{number:012x}")
}

#[tokio::test]
async fn a_caller_that_asks_too_often_is_told_when_to_come_back() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_caller: 3/h").await;
    for _ in 0..3 {
        assert_eq!(ask(&server, "one", "plain").await.status, 200);
    }
    let asked = api.seen().len();
    let told = ask(&server, "one", "plain").await;
    let seconds: u64 = told.header("retry-after").expect("a time").parse().expect("whole seconds");
    assert_eq!((told.status, seconds <= 1200 && seconds > 1100), (429, true), "{seconds}");
    let error = &told.json()["error"];
    assert_eq!((&error["code"], &told.json()["id"]), (&json!(429), &json!("c-1")));
    let words = error["message"].as_str().unwrap_or_default();
    assert!(words.contains(&format!("try again in {seconds} s")), "{words}");
    assert_eq!(api.seen().len(), asked, "nothing went on");
    assert_eq!(ask(&server, "two", "plain").await.status, 200, "another caller has its own share");
    // A client that would end with any other status hears the same within a success.
    let fragile = by(&server, "one", &call("plain")).header("user-agent", "python-httpx/0.28.1");
    let told = fragile.send(server.address).await;
    assert_eq!((told.status, &told.json()["error"]["code"]), (200, &json!(429)), "{}", told.body);
}

#[tokio::test]
async fn a_batch_counts_as_what_is_in_it() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_caller: 10/h").await;
    let batch: Vec<Value> = (0..11).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).collect();
    let batch = |size: usize| by(&server, "one", &json!(batch[..size])).header("mcp-protocol-version", "2025-03-26");
    assert_eq!(batch(10).send(server.address).await.status, 200);
    assert_eq!(batch(2).send(server.address).await.status, 429);
}

#[tokio::test]
async fn a_tool_that_is_called_too_often_says_so_in_its_result() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_caller: 100/h").await;
    for _ in 0..2 {
        assert_eq!(ask(&server, "one", "rare").await.json()["result"].get("isError"), None);
    }
    let told = ask(&server, "one", "rare").await;
    let text = told.json()["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    assert_eq!((told.status, &told.json()["result"]["isError"]), (200, &json!(true)));
    assert!(text.contains("2 times an hour") && text.contains("Try again in"), "{text}");
    assert_eq!(ask(&server, "two", "rare").await.json()["result"].get("isError"), None);
    assert_eq!(ask(&server, "one", "plain").await.json()["result"].get("isError"), None);
}

#[tokio::test]
async fn people_share_what_their_caller_has_and_made_up_ones_win_nothing() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_caller: 20/h, per_end_user: 2/h").await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let post = by(&server, "two", &call("plain")).header("x-poke-user-id", &person(1));
        told.push(post.send(server.address).await.status);
    }
    assert_eq!(told, [200, 200, 429]);
    let mut let_in = 0;
    for number in 2..60 {
        let post = by(&server, "two", &call("plain")).header("x-poke-user-id", &person(number));
        let_in += u32::from(post.send(server.address).await.status == 200);
    }
    assert!(let_in <= 18, "{let_in} of 58 made-up people were let in");
}

#[tokio::test]
async fn a_person_is_believed_of_a_caller_that_is() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_caller: 100/h").await;
    for (who, sent, expected) in [
        ("one", person(7), "nobody".to_owned()),
        ("two", person(7), person(7)),
        ("two", "not-a-uuid".into(), "nobody".into()),
    ] {
        by(&server, who, &call("plain")).header("x-poke-user-id", &sent).send(server.address).await;
        assert_eq!(api.last().target, format!("/echo/plain?p={expected}"), "{who} {sent}");
    }
}

#[tokio::test]
async fn guessing_keys_is_slow_and_keeps_nobody_out() {
    let api = upstream().await;
    let server = desk(&api.url(), "per_ip_unauthenticated: 5/h").await;
    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(
            server.post(&call("plain")).header("authorization", "Bearer wrong").send(server.address).await.status,
        );
    }
    assert_eq!(told, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(ask(&server, "one", "plain").await.status, 200, "a valid key is let in all the same");
    assert!(api.seen().len() == 1);
}
