//! stdio: lines in and out, both eras, and nothing else on the standard output (protocol.md §2.5).

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{call_message, initialize_message};

const BRIDGE: &str = r#"
bridge: shop
sources:
  db: { sql: { url: "sqlite::memory:" } }
tools:
  add:
    description: Adds two numbers.
    params:
      a: { type: integer, description: First. }
      b: { type: integer, description: Second. }
    sql: { query: "SELECT :a + :b AS sum" }
"#;

fn folder(bridge: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("shop.yaml"), bridge).expect("the folder can be written");
    folder
}

fn start(folder: &TempDir, variables: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
        .args(["serve", "--stdio", "shop.yaml"])
        .current_dir(folder.path())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs")
}

/// A talk in which the next line depends on an answer.
struct Talk {
    program: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

impl Talk {
    fn begin(bridge: &str) -> Self {
        let folder = folder(bridge);
        let mut program = start(&folder, &[]);
        let output = BufReader::new(program.stdout.take().expect("a pipe")).lines();
        Self { input: program.stdin.take(), program, output, _folder: folder }
    }

    fn say(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(format!("{message}\n").as_bytes()).expect("the program reads");
    }

    fn hear(&mut self) -> Value {
        let line = self.output.next().expect("the program says something").expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line:?}"))
    }

    /// Ends the input: what is still said, and how the program ends.
    fn end(mut self) -> (Vec<Value>, bool) {
        drop(self.input.take());
        let mut rest = Vec::new();
        for line in self.output.by_ref() {
            rest.push(serde_json::from_str(&line.expect("a line")).expect("a message"));
        }
        (rest, self.program.wait().expect("the program ends").success())
    }
}

/// What the program says to lines of input that end: exit code, lines of output, log.
fn talk(bridge: &str, variables: &[(&str, &str)], input: &[u8]) -> (i32, Vec<Value>, String) {
    let folder = folder(bridge);
    let mut program = start(&folder, variables);
    let mut stdin = program.stdin.take().expect("a pipe");
    // A program that refuses to start reads nothing.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = program.wait_with_output().expect("the program ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no message: {line:?}")));
    (output.status.code().unwrap_or(-1), lines.collect(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn lines(messages: &[Value]) -> Vec<u8> {
    let lines: Vec<_> = messages.iter().map(Value::to_string).collect();
    format!("{}\n", lines.join("\n")).into_bytes()
}

/// The answer to the request with an id.
fn answer(lines: &[Value], id: &Value) -> Value {
    let found: Vec<_> = lines.iter().filter(|line| line["id"] == *id).collect();
    assert_eq!(found.len(), 1, "answers to {id} in {lines:?}");
    found[0].clone()
}

fn stateless(id: &str, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn a_client_with_a_handshake_is_served_until_its_input_ends() {
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let listed = json!({ "jsonrpc": "2.0", "id": "list", "method": "tools/list" });
    let call = call_message("add", &json!({ "a": 2, "b": 40 }));
    let (exit, lines, log) = talk(BRIDGE, &[], &lines(&[initialize_message("2025-06-18"), initialized, listed, call]));
    assert_eq!((exit, lines.len()), (0, 3), "{log}");
    assert_eq!(lines[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(lines[0]["result"]["serverInfo"]["name"], "shop");
    assert_eq!(answer(&lines, &json!("list"))["result"]["tools"][0]["name"], "add");
    assert_eq!(answer(&lines, &json!(7))["result"]["structuredContent"]["rows"][0]["sum"], 42);
    assert!(log.contains("standard input") && log.contains("stopped"), "{log}");
}

#[test]
fn a_stateless_client_and_one_that_falls_back_are_served_by_one_process() {
    let unknown = json!({ "jsonrpc": "2.0", "id": "probe", "method": "server/discover", "params": {} });
    let (exit, lines, log) = talk(
        BRIDGE,
        &[],
        &lines(&[
            unknown,
            stateless("discover", "server/discover", json!({})),
            stateless("call", "tools/call", json!({ "name": "add", "arguments": { "a": 1, "b": 2 } })),
            stateless("ping", "ping", json!({})),
            initialize_message("2025-11-25"),
            call_message("add", &json!({ "a": 3, "b": 4 })),
        ]),
    );
    assert_eq!((exit, lines.len()), (0, 6), "{log}");
    assert_eq!(answer(&lines, &json!("probe"))["error"]["code"], -32601);
    assert_eq!(answer(&lines, &json!("discover"))["result"]["supportedVersions"], json!(["2026-07-28"]));
    let called = answer(&lines, &json!("call"))["result"].clone();
    assert_eq!(
        (&called["resultType"], &called["structuredContent"]["rows"][0]["sum"]),
        (&json!("complete"), &json!(3))
    );
    assert_eq!(answer(&lines, &json!("ping"))["error"]["code"], -32601);
    assert_eq!(answer(&lines, &json!(0))["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(answer(&lines, &json!(7))["result"]["structuredContent"]["rows"][0]["sum"], 7);
}

#[test]
fn what_is_no_message_is_answered_and_does_not_end_the_talk() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let too_long = format!("\"{}\"", "x".repeat(5 << 20));
    let batch = format!("[{ping}]");
    let input = ["", "  ", "{", "\u{0}", &batch, "7", &too_long, ping].join("\n");
    let (exit, lines, log) = talk(BRIDGE, &[], input.as_bytes());
    assert_eq!(exit, 0, "{log}");
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_i64()).collect();
    // Before a handshake the revision with batches is assumed.
    assert_eq!(codes, [Some(-32700), Some(-32700), None, Some(-32600), Some(-32600), None], "{lines:?}");
}

#[test]
fn what_wants_no_answer_gets_none() {
    let error = json!({ "code": 1, "message": "I could not read that." });
    let all = [
        json!({ "jsonrpc": "2.0", "id": null, "error": error }),
        json!({ "jsonrpc": "2.0", "error": error }),
        json!({ "jsonrpc": "2.0", "id": 1.5, "error": error }),
        json!({ "jsonrpc": "2.0", "id": 99, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": null, "result": {} }),
        json!({ "jsonrpc": "2.0", "method": "notifications/nobody_knows", "params": { "x": 1 } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized", "params": [] }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
    ];
    let (exit, lines, log) = talk(BRIDGE, &[], &lines(&all));
    assert_eq!((exit, lines), (0, vec![json!({ "jsonrpc": "2.0", "id": 1, "result": {} })]), "{log}");
}

const SLOW: &str = r#"
bridge: shop
tools:
  soon: { description: Answers soon., reply: [{ delay: 200ms }, { text: Done. }] }
  late: { description: Answers late., reply: [{ delay: 9s }, { text: Done. }] }
  greet:
    description: Asks for a name.
    reply:
      - ask: { name: who, message: "Who are you?", fields: { name: { type: string } } }
      - text: "Hello, {{answers.who.content.name}}!"
"#;

#[test]
fn what_was_asked_before_the_input_ends_is_answered() {
    let (exit, lines, log) = talk(SLOW, &[], &lines(&[call_message("soon", &json!({}))]));
    assert_eq!((exit, lines.len()), (0, 1), "{log}");
    assert_eq!(answer(&lines, &json!(7))["result"]["content"][0]["text"], "Done.");
}

#[test]
fn a_call_is_taken_back_in_both_eras() {
    for call in [call_message("late", &json!({})), stateless("late", "tools/call", json!({ "name": "late" }))] {
        let mut talk = Talk::begin(SLOW);
        talk.say(&call);
        let cancelled = json!({ "requestId": call["id"] });
        talk.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }));
        talk.say(&json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }));
        assert_eq!(talk.hear(), json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
        assert_eq!(talk.end(), (vec![], true), "{call}");
    }
}

#[test]
fn a_person_is_asked_through_both_ends() {
    let mut talk = Talk::begin(SLOW);
    talk.say(&initialize_message("2025-06-18"));
    talk.hear();
    talk.say(&call_message("greet", &json!({})));
    let question = talk.hear();
    assert_eq!(question["method"], "elicitation/create");
    let result = json!({ "action": "accept", "content": { "name": "Ada" } });
    talk.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }));
    let answered = talk.hear();
    assert_eq!((&answered["id"], &answered["result"]["content"][0]["text"]), (&json!(7), &json!("Hello, Ada!")));
    // A client that leaves without an answer has the call ended, and is told that nobody waits any more.
    talk.say(&call_message("greet", &json!({})));
    talk.hear();
    let (rest, is_fine) = talk.end();
    let words = rest[0]["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(is_fine && rest.len() == 1 && words.contains("no answer"), "{rest:?}");
}

#[test]
fn who_listens_is_told_that_it_is_over_and_nothing_more() {
    let mut talk = Talk::begin(BRIDGE);
    let wants = json!({ "notifications": { "toolsListChanged": true } });
    talk.say(&stateless("one", "subscriptions/listen", wants.clone()));
    assert_eq!(talk.hear()["method"], "notifications/subscriptions/acknowledged");
    talk.say(&stateless("two", "subscriptions/listen", wants));
    assert_eq!(talk.hear()["method"], "notifications/subscriptions/acknowledged");
    // A client that takes its request back is told nothing; the server that ends takes it back itself.
    talk.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "one" } }));
    let (rest, is_fine) = talk.end();
    assert!(is_fine);
    let told: Vec<_> = rest.iter().map(|it| (&it["method"], &it["params"]["requestId"])).collect();
    assert_eq!(told, [(&json!("notifications/cancelled"), &json!("two"))], "{rest:?}");
}

#[test]
fn the_key_of_the_caller_comes_from_the_environment() {
    let bridge = format!(
        "{BRIDGE}  whose:\n    description: Whose.\n    params: {{ name: {{ type: string, from: caller.name }} }}\n    sql: {{ query: \"SELECT :name AS name\" }}\n\
         server:\n  auth:\n    api_keys:\n      static:\n        - {{ name: desk, value: the-key-of-the-local-client }}\n"
    );
    let call = lines(&[call_message("whose", &json!({}))]);
    let (exit, answers, log) = talk(&bridge, &[("MCP_BRIDGE_API_KEY", "the-key-of-the-local-client")], &call);
    assert_eq!(exit, 0, "{log}");
    assert_eq!(answers[0]["result"]["structuredContent"]["rows"][0]["name"], "desk", "{answers:?}");
    let (exit, answers, log) = talk(&bridge, &[("MCP_BRIDGE_API_KEY", "another-key-of-the-client")], &call);
    assert_eq!((exit, answers.len()), (2, 0), "{log}");
    assert!(log.contains("MCP_BRIDGE_API_KEY") && !log.contains("another-key"), "{log}");
}

#[test]
fn faulty_files_end_the_program() {
    let (exit, lines, log) = talk("bridge: shop\ntools: 7\n", &[], b"");
    assert_eq!((exit, lines.len()), (1, 0), "{log}");
}
