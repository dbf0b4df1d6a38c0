//! What precedes a result: an answer becomes a stream at the first message, questions are answered
//! by posted responses, and a client that takes no streams is sent the document alone
//! (protocol.md S-07, U-01, U-02, M-01).

use serde_json::{Value, json};

use crate::support::{Events, Post, Served, call_message, serve};

const BRIDGE: &str = r#"
bridge: talk
tools:
  plain: { description: Says one thing., reply: { text: Hello. } }
  work:
    description: Tells how far it is.
    reply:
      - log: { level: debug, message: In detail. }
      - log: { level: warning, message: Look out. }
      - progress: { value: 1, total: 2, message: Half. }
      - progress: { value: 2, total: 2 }
      - text: Done.
  greet:
    description: Asks for a name.
    reply:
      - ask: { name: who, message: "Who are you?", fields: { name: { type: string } } }
      - text: "Hello, {{answers.who.content.name}}!"
"#;

async fn talk() -> Served {
    serve(&[("talk.yaml", BRIDGE)], &[]).await
}

fn with(session: &str, message: &Value) -> Post {
    Post::new(message.to_string()).header("mcp-session-id", session)
}

fn call(tool: &str, token: Option<&Value>) -> Value {
    let mut message = call_message(tool, &json!({}));
    if let Some(token) = token {
        message["params"]["_meta"] = json!({ "progressToken": token });
    }
    message
}

fn methods(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["method"].as_str().unwrap_or("result")).collect()
}

const LOG: &str = "notifications/message";
const PROGRESS: &str = "notifications/progress";

#[tokio::test]
async fn an_answer_is_a_stream_only_when_something_precedes_it() {
    let server = talk().await;
    let session = server.session("2025-06-18").await;
    for token in [json!("t"), json!(0)] {
        let stream = Events::open(server.address, &with(&session, &call("work", Some(&token)))).await;
        assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
        let messages = stream.rest().await;
        assert_eq!(methods(&messages), [LOG, PROGRESS, PROGRESS, "result"]);
        assert_eq!(
            (&messages[0]["params"]["level"], &messages[1]["params"]["progressToken"]),
            (&json!("warning"), &token)
        );
        assert_eq!(messages[1]["params"]["message"], "Half.");
        assert_eq!((&messages[3]["id"], &messages[3]["result"]["content"][0]["text"]), (&json!(7), &json!("Done.")));
    }
    let plain = with(&session, &call("plain", Some(&json!(1)))).send(server.address).await;
    assert_eq!(plain.header("content-type"), Some("application/json"));
    let document = with(&session, &call("work", Some(&json!(1)))).header("accept", "application/json");
    let document = document.send(server.address).await;
    assert_eq!(document.json()["result"]["content"][0]["text"], "Done.");
}

#[tokio::test]
async fn a_client_is_told_as_much_as_it_wants() {
    let server = talk().await;
    let session = server.session("2025-11-25").await;
    for (level, expected) in [("debug", vec![LOG, LOG, "result"]), ("warning", vec![LOG, "result"])] {
        let set = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": level } });
        assert_eq!(with(&session, &set).send(server.address).await.json()["result"], json!({}));
        let messages = Events::open(server.address, &with(&session, &call("work", None))).await.rest().await;
        assert_eq!(methods(&messages), expected, "{level}");
    }
    let set = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": "error" } });
    with(&session, &set).send(server.address).await;
    let quiet = with(&session, &call("work", None)).send(server.address).await;
    assert_eq!(quiet.header("content-type"), Some("application/json"), "nothing preceded the result");
}

#[tokio::test]
async fn a_question_is_answered_by_a_post_in_the_same_session() {
    let server = talk().await;
    let [session, other] = [server.session("2025-06-18").await, server.session("2025-06-18").await];
    let mut stream = Events::open(server.address, &with(&session, &call("greet", None))).await;
    let question = stream.message().await;
    assert_eq!(
        (&question["method"], &question["params"]["message"]),
        (&json!("elicitation/create"), &json!("Who are you?"))
    );
    let answer = |name: &str| {
        let result = json!({ "action": "accept", "content": { "name": name } });
        json!({ "jsonrpc": "2.0", "id": question["id"], "result": result })
    };
    // Somebody else's answer to a question of this name is not believed.
    assert_eq!(with(&other, &answer("Eve")).send(server.address).await.status, 202);
    assert_eq!(with(&session, &answer("Ada")).send(server.address).await.status, 202);
    let rest = stream.rest().await;
    assert_eq!(rest[0]["result"]["content"][0]["text"], "Hello, Ada!");
}

#[tokio::test]
async fn a_question_is_taken_back_with_its_call() {
    let server = talk().await;
    let session = server.session("2025-06-18").await;
    let mut stream = Events::open(server.address, &with(&session, &call("greet", None))).await;
    let question = stream.message().await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    assert_eq!(with(&session, &cancel).send(server.address).await.status, 202);
    let rest = stream.rest().await;
    assert_eq!(methods(&rest), ["notifications/cancelled"], "no result follows");
    assert_eq!(rest[0]["params"]["requestId"], question["id"]);
}
