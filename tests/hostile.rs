//! Messages that nobody sends by accident: each has a stated answer, and the server lives on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::support::{Post, Response, Served, serve};

const BRIDGE: &str = r#"
bridge: hostile
sources: { none: { sql: { url: "sqlite::memory:" } } }
tools:
  take:
    description: Gives back what it is given.
    params:
      text: { type: string, required: false, description: A text. }
      number: { type: integer, required: false, description: A number. }
    sql: { query: "SELECT :text AS text, :number AS number", returns: row }
"#;
/// The corpus names them so, and they are sent with the headers that the revision wants.
const STATELESS: &str = "stateless-";

async fn server() -> Served {
    serve(&[("hostile.yaml", BRIDGE)], &[]).await
}

fn stateless(post: Post) -> Post {
    let post = post.header("mcp-protocol-version", "2026-07-28");
    post.header("mcp-method", "tools/call").header("mcp-name", "take")
}

/// The members that a JSON-RPC answer may have, and no other (protocol.md J-02, J-04).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    result: Option<Value>,
    error: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    code: i64,
    message: String,
    #[serde(rename = "data")]
    _data: Option<Value>,
}

/// Kind of an answer and its id, in the words of `answers.txt`.
fn kind(response: &Response) -> (String, String) {
    if response.body.is_empty() {
        return ("nothing".into(), "-".into());
    }
    if response.body.starts_with('[') {
        return ("several".into(), "-".into());
    }
    let answer: Answer<'_> = serde_json::from_str(&response.body).expect("a JSON-RPC answer");
    assert_eq!(answer.jsonrpc, "2.0");
    let kind = match (answer.result, answer.error) {
        (Some(result), None) if result["isError"] == json!(true) => "told".into(),
        (Some(_), None) => "result".into(),
        (None, Some(refused)) => {
            assert!((1..=400).contains(&refused.message.chars().count()), "{}", refused.message);
            refused.code.to_string()
        }
        _ => panic!("one of result and error: {}", response.body),
    };
    (kind, answer.id.get().to_owned())
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

/// The rows of `answers.txt`: status, kind and id by the name of the message.
fn stated() -> BTreeMap<String, (u16, String, String)> {
    let text = fs::read_to_string(corpus().join("answers.txt")).expect("the table of answers");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [name, status, kind, id] = cells[..] else { panic!("a row has four cells: {line}") };
        (name.to_owned(), (status.parse().expect("a status"), kind.to_owned(), id.to_owned()))
    });
    rows.collect()
}

async fn lives(server: &Served) {
    let alive = server.send(&json!({ "jsonrpc": "2.0", "id": "still", "method": "ping" })).await;
    assert_eq!((alive.status, alive.json()), (200, json!({ "jsonrpc": "2.0", "id": "still", "result": {} })));
}

#[tokio::test]
async fn every_message_of_the_corpus_has_its_stated_answer() {
    let stated = stated();
    let files = fs::read_dir(corpus()).expect("the corpus").flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    let name = |path: &Path| path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let names: BTreeSet<String> = files.iter().map(|path| name(path)).collect();
    assert_eq!(names, stated.keys().cloned().collect(), "each message has one row, and each row a message");
    let server = server().await;
    for path in files {
        let name = name(&path);
        let post = Post::new(fs::read(&path).expect("a message"));
        let post = if name.starts_with(STATELESS) { stateless(post) } else { post };
        let response = post.send(server.address).await;
        let (kind, id) = kind(&response);
        assert_eq!((response.status, kind, id), stated[&name], "{name}: {}", response.body);
    }
    lives(&server).await;
}

#[tokio::test]
async fn large_messages_have_their_stated_answers() {
    const MEBIBYTE: usize = 1 << 20;
    let server = server().await;
    let ping = |extra: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping"{extra}}}"#);
    let nested = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let members: Vec<String> = (0..100_000).map(|number| format!(r#","m{number}":{number}"#)).collect();
    let members = members.concat();
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"take","arguments":{arguments}}}}}"#
        )
    };
    for (what, body, status, expected) in [
        ("ten mebibytes of blanks", " ".repeat(10 * MEBIBYTE), 413, "-32600"),
        ("ten mebibytes of a message", ping(&format!(r#","x":"{}""#, "x".repeat(10 * MEBIBYTE))), 413, "-32600"),
        ("just under four mebibytes", ping(&format!(r#","x":"{}""#, "x".repeat(4 * MEBIBYTE - 100))), 200, "result"),
        ("a million lists, not closed", "[".repeat(MEBIBYTE), 400, "-32700"),
        ("a million lists in a batch", format!("[{}]", nested("[", "]", MEBIBYTE)), 400, "-32600"),
        ("a million lists in a member", ping(&format!(r#","x":{}"#, nested("[", "]", MEBIBYTE))), 200, "result"),
        ("objects in objects", ping(&format!(r#","x":{}"#, nested("{\"x\":", "}", MEBIBYTE / 4))), 200, "result"),
        ("a hundred thousand members", ping(&members), 200, "result"),
        ("a hundred thousand nulls in a batch", format!("[null{}]", ",null".repeat(100_000)), 400, "-32600"),
        ("an id of three mebibytes", ping("").replace('1', &"7".repeat(3 * MEBIBYTE)), 400, "-32600"),
        ("a method of three mebibytes", ping("").replace("ping", &"p".repeat(3 * MEBIBYTE)), 200, "-32601"),
        ("arguments a million deep", call(&nested("{\"text\":", "}", MEBIBYTE / 4)), 200, "told"),
        (
            "an argument of nearly a mebibyte",
            call(&format!("{{\"text\":\"{}\"}}", "x".repeat(MEBIBYTE - 50))),
            200,
            "result",
        ),
        ("an argument of a mebibyte", call(&format!("{{\"text\":\"{}\"}}", "x".repeat(MEBIBYTE))), 200, "told"),
        ("a hundred thousand unknown arguments", call(&format!("{{\"m\":1{members}}}")), 200, "told"),
        ("a number of a million digits", call(&format!("{{\"number\":{}}}", "9".repeat(MEBIBYTE))), 200, "told"),
    ] {
        let response = Post::new(body).send(server.address).await;
        let shown: String = response.body.chars().take(200).collect();
        assert_eq!((response.status, kind(&response).0.as_str()), (status, expected), "{what}: {shown}");
        assert!(response.body.len() < 5 * MEBIBYTE, "{what}: an answer of {} bytes", response.body.len());
        if expected == "told" {
            assert!(response.body.len() < 16 * 1024, "{what}: {} bytes of explanation", response.body.len());
        }
    }
    lives(&server).await;
}

/// One value of every type of JSON, by the name of the type.
fn of_every_type() -> [(&'static str, Value); 7] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("integer", json!(7)),
        ("fraction", json!(1.5)),
        ("string", json!("take")),
        ("list", json!(["take", {}])),
        ("object", json!({ "take": 1 })),
    ]
}

/// A good call, with one member put in the place that a pointer names.
fn with(pointer: &str, value: Value) -> Value {
    let mut message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "take", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = message.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.insert(member.replace("~1", "/"), value);
    message
}

/// What a message is answered when a member has a type that it must not have.
const MEMBERS: &[(&str, &[&str], &str)] = &[
    // member, types that are taken, answer to all others
    ("/jsonrpc", &[], "400 -32600"),
    ("/id", &["integer", "string"], "400 -32600"),
    ("/method", &[], "400 -32600"),
    ("/params", &[], "400 -32600"),
    ("/params/name", &["string"], "200 -32602"),
    ("/params/arguments", &["null"], "200 -32602"),
    ("/params/arguments/text", &["null", "integer", "fraction", "string"], "200 told"),
    ("/params/_meta", &[], "400 -32602"),
    ("/params/_meta/io.modelcontextprotocol~1protocolVersion", &[], "400 -32602"),
    ("/params/_meta/io.modelcontextprotocol~1clientCapabilities", &["object"], "400 -32602"),
    ("/params/_meta/io.modelcontextprotocol~1clientInfo", ANY, ""),
    ("/params/_meta/nothing", ANY, ""),
    ("/params/nothing", ANY, ""),
    ("/nothing", ANY, ""),
];
const ANY: &[&str] = &["null", "boolean", "integer", "fraction", "string", "list", "object"];
/// Values of a fitting type that are wrong for another reason.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("/jsonrpc", "string", "400 -32600"),
    ("/method", "string", "400 -32020"),
    ("/params", "null", "400 -32602"),
    ("/params", "object", "400 -32602"),
    ("/params/_meta", "null", "400 -32602"),
    ("/params/_meta/io.modelcontextprotocol~1protocolVersion", "string", "400 -32020"),
    ("/params/arguments", "object", "200 told"),
];

#[tokio::test]
async fn every_member_may_come_with_every_type() {
    let server = server().await;
    for (member, taken, refused) in MEMBERS {
        for (kind_of, value) in of_every_type() {
            let message = with(member, value).to_string();
            let response = stateless(Post::new(message.clone())).send(server.address).await;
            let found = format!("{} {}", response.status, kind(&response).0);
            let otherwise = OTHERWISE.iter().find(|(place, kind, _)| (place, *kind) == (member, kind_of));
            let expected = match otherwise {
                Some((_, _, answer)) => answer,
                None if taken.contains(&kind_of) => "200 result",
                None => refused,
            };
            assert_eq!(found, expected, "{kind_of} at {member}: {message} {}", response.body);
        }
    }
    lives(&server).await;
}

#[tokio::test]
async fn members_may_be_missing_one_by_one() {
    let server = server().await;
    let whole = with("/nothing", json!(1));
    for (missing, expected) in [
        ("/jsonrpc", "400 -32600"),
        ("/id", "202 nothing"),
        ("/method", "400 -32600"),
        ("/params", "400 -32602"),
        ("/params/name", "200 -32602"),
        ("/params/arguments", "200 result"),
        ("/params/_meta", "400 -32602"),
        ("/params/_meta/io.modelcontextprotocol~1protocolVersion", "400 -32602"),
        ("/params/_meta/io.modelcontextprotocol~1clientCapabilities", "400 -32602"),
    ] {
        let mut message = whole.clone();
        let (parent, member) = missing.rsplit_once('/').expect("a pointer");
        let parent: Option<&mut Map<String, Value>> = message.pointer_mut(parent).and_then(Value::as_object_mut);
        parent.expect("an object").remove(&member.replace("~1", "/")).expect("the member was there");
        let response = stateless(Post::new(message.to_string())).send(server.address).await;
        assert_eq!(format!("{} {}", response.status, kind(&response).0), expected, "{missing}: {}", response.body);
    }
    lives(&server).await;
}
