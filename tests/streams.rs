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
async fn no_event_has_an_id_that_a_client_would_resume_by() {
    let server = talk().await;
    let session = server.session("2025-11-25").await;
    let stream = with(&session, &call("work", Some(&json!(1)))).send(server.address).await;
    let lines: Vec<_> = stream.body.lines().filter(|line| line.contains(": ")).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("data: {")).count(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| *line == "event: message" || line.starts_with("data: {")), "{lines:?}");
}

#[tokio::test]
async fn a_token_comes_back_as_it_was_sent() {
    let server = talk().await;
    let session = server.session("2025-11-25").await;
    for token in ["123456789012345678901234567890", r#""\ud800""#, r#""a\u0062""#, "-0"] {
        let text = call("work", Some(&json!("TOKEN"))).to_string().replace("\"TOKEN\"", token);
        let stream = Post::new(text).header("mcp-session-id", &session).send(server.address).await;
        let echoed = stream.body.matches(&format!("\"progressToken\":{token}")).count();
        assert_eq!(echoed, 2, "{token}: {}", stream.body);
    }
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
async fn a_client_that_cannot_answer_says_so_and_spells_ids_as_it_likes() {
    let server = talk().await;
    let session = server.session("2025-06-18").await;
    for error in [json!({ "code": -32603, "message": "No window." }), json!({ "code": -1, "message": "" })] {
        let mut stream = Events::open(server.address, &with(&session, &call("greet", None))).await;
        let id = stream.message().await["id"].clone();
        let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
        let answer = Post::new(answer.replace("ask-", "\\u0061sk\\u002d")).header("mcp-session-id", &session);
        assert_eq!(answer.send(server.address).await.status, 202);
        let rest = stream.rest().await;
        let words = rest[0]["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(words.contains("no answer") && !words.contains("elicitation"), "{rest:?}");
        assert_eq!(rest[0]["result"]["isError"], true);
    }
}

#[tokio::test]
async fn only_revisions_that_have_questions_are_asked_them() {
    let server = talk().await;
    for (revision, asked) in [("2024-11-05", false), ("2025-03-26", false), ("2025-06-18", true), ("2025-11-25", true)]
    {
        let session = server.session(revision).await;
        let mut stream = Events::open(server.address, &with(&session, &call("greet", None))).await;
        let is_stream = stream.head.header("content-type") == Some("text/event-stream");
        assert_eq!(is_stream, asked, "{revision}");
        if asked {
            assert_eq!(stream.message().await["method"], "elicitation/create");
        }
    }
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
