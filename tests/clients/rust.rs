//! The Rust SDK's row in the table of clients. `tests/clients/run` starts it, says in the environment
//! where the server is, and gets a line of its report back.

#![expect(deprecated, reason = "what the revisions deprecate is still part of them")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check that does not hold ends the run"
)]

use std::{collections::BTreeSet, env, fs, future::Future, io::Write as _, process::Stdio, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
        ElicitRequestParams, ElicitResult, ListRootsResult, LoggingMessageNotificationParam, ProgressNotificationParam,
        ProtocolVersion, SetLevelRequestParams,
    },
    service::{ClientLifecycleMode, NotificationContext, RequestContext, RunningService, serve_client_with_lifecycle},
    transport::{
        StreamableHttpClientTransport, TokioChildProcess, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const VERSION: &str = "3.9";
type Client = RunningService<RoleClient, Person>;

/// The user behind the client: answers what is asked, and remembers it and what was told.
#[derive(Clone, Debug)]
struct Person {
    expected: Arc<Value>,
    asked: Arc<Mutex<Vec<(&'static str, Value)>>>,
    heard: Arc<Mutex<Vec<Value>>>,
    progress: Arc<Mutex<Vec<f64>>>,
}

impl Person {
    fn answer<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, ErrorData> {
        self.asked.lock().push((method, params));
        let answer = self.expected["person"][method].clone();
        serde_json::from_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        read(&json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "elicitation": {}, "sampling": {}, "roots": {} },
            "clientInfo": { "name": "client-checks", "version": "1.0.0" },
        }))
    }

    fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> impl Future<Output = Result<ElicitResult, ErrorData>> + Send + '_ {
        std::future::ready(self.answer("elicitation/create", json!(request)))
    }

    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> impl Future<Output = Result<CreateMessageResult, ErrorData>> + Send + '_ {
        std::future::ready(self.answer("sampling/createMessage", json!(request)))
    }

    fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> impl Future<Output = Result<ListRootsResult, ErrorData>> + Send + '_ {
        std::future::ready(self.answer("roots/list", json!({})))
    }

    fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.heard.lock().push(json!(params));
        std::future::ready(())
    }

    fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) -> impl Future<Output = ()> + Send + '_ {
        self.progress.lock().push(params.progress);
        std::future::ready(())
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("a value of the SDK")
}

#[expect(clippy::disallowed_methods, reason = "the run says there where its server is")]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set by tests/clients/run"))
}

/// One client in one mode over one transport.
struct Seat {
    transport: &'static str,
    mode: &'static str,
    protocol: &'static str,
}

const SEATS: [Seat; 4] = [
    Seat { transport: "http", mode: "initialize", protocol: "2025-11-25" },
    Seat { transport: "http", mode: "auto", protocol: "2026-07-28" },
    Seat { transport: "stdio", mode: "initialize", protocol: "2025-11-25" },
    Seat { transport: "stdio", mode: "auto", protocol: "2026-07-28" },
];

impl Seat {
    async fn connect(&self, person: Person, key: &str) -> Option<Client> {
        let lifecycle = match self.mode {
            "auto" => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::LATEST],
                legacy_version: Some(ProtocolVersion::V_2025_11_25),
            },
            _ => ClientLifecycleMode::Initialize,
        };
        if self.transport == "stdio" {
            let mut command = tokio::process::Command::new(variable("CLIENTS_BINARY"));
            command.args(["serve", "--stdio", &variable("CLIENTS_BRIDGES")]);
            let (process, _) =
                TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().expect("the server starts");
            return serve_client_with_lifecycle(person, process, lifecycle).await.ok();
        }
        let config = StreamableHttpClientTransportConfig::with_uri(variable("CLIENTS_ENDPOINT"));
        let transport = StreamableHttpClientTransport::from_config(config.auth_header(key));
        serve_client_with_lifecycle(person, transport, lifecycle).await.ok()
    }
}

/// A call with a token for its progress, and with a level for its log where the revision wants that.
fn call(tool: &str, arguments: &Value, protocol: &str) -> CallToolRequestParams {
    let mut params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": tool } });
    if protocol == "2026-07-28" {
        params["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    }
    read(&params)
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|text| &*text.text).collect()
}

/// Every check of one seat; gives the columns in which there was one.
async fn checks(seat: &Seat, expected: &Arc<Value>) -> BTreeSet<String> {
    let mut columns = BTreeSet::from(["connects".to_owned(), "tools".to_owned(), "errors".to_owned()]);
    let person = Person {
        expected: Arc::clone(expected),
        asked: Arc::default(),
        heard: Arc::default(),
        progress: Arc::default(),
    };
    let client = seat.connect(person.clone(), &variable("CLIENTS_KEY")).await.expect("a connection");
    let peer = client.peer_info().expect("an introduction");
    assert_eq!(peer.protocol_version.as_str(), seat.protocol);
    let tools = client.list_all_tools().await.expect("a list");
    let mut names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    names.sort_unstable();
    assert_eq!(json!(names), expected["tools"]);
    for row in expected["calls"].as_array().into_iter().flatten() {
        if row["needs_headers"] == true {
            // This client sends no headers of its own.
            continue;
        }
        let tool = row["tool"].as_str().unwrap_or_default();
        let result = client.call_tool(call(tool, &row["arguments"], seat.protocol)).await.expect("a result");
        assert_eq!(json!(result.is_error.unwrap_or(false)), json!(row["error"] == true), "{row}");
        if let Some(structured) = row.get("structured") {
            assert_eq!(result.structured_content.as_ref(), Some(structured), "{row}");
        }
        if let Some(whole) = row.get("text") {
            assert_eq!(&json!(text(&result)), whole);
        }
    }
    assert!(client.call_tool(call("get_itm", &json!({}), seat.protocol)).await.is_err());
    columns.extend(talks(&client, &person, seat).await);
    columns.extend(reading(&client, expected).await);
    client.cancel().await.expect("a clean end");
    if seat.transport == "http" {
        assert!(seat.connect(person, "not-the-key").await.is_none(), "a wrong key connects");
        columns.insert("refusals".into());
    }
    columns
}

/// Waits until as much is there as is expected, for five seconds at most: this client hands news to
/// tasks of their own, which may run after the result was given.
async fn arrived(found: impl Fn() -> usize, expected: &Value) {
    let wanted = expected.as_array().map_or(0, Vec::len);
    let patience = async {
        while found() < wanted {
            tokio::task::yield_now().await;
        }
    };
    // What is missing is told by the check that follows.
    let _ = tokio::time::timeout(Duration::from_secs(5), patience).await;
}

/// What a tool tells and asks while it runs.
async fn talks(client: &Client, person: &Person, seat: &Seat) -> Vec<String> {
    let talks = &person.expected["talks"];
    if seat.protocol != "2026-07-28" {
        let level: SetLevelRequestParams = read(&json!({ "level": talks["log"]["level"] }));
        client.set_level(level).await.expect("the level is taken");
    }
    let run = async |name: &Value| {
        let tool = name.as_str().unwrap_or_default();
        client.call_tool(call(tool, &json!({}), seat.protocol)).await.expect("a result")
    };
    run(&talks["log"]["tool"]).await;
    arrived(|| person.heard.lock().len(), &talks["log"]["messages"]).await;
    let heard = person.heard.lock().iter().map(|it| format!("{} {}", it["level"], it["data"])).collect();
    let told = talks["log"]["messages"].as_array().into_iter().flatten();
    // The tasks that news are handed to run in any order.
    let told: BTreeSet<String> = told.map(|it| format!("{} {}", it["level"], it["data"])).collect();
    assert_eq!(told, heard);
    run(&talks["progress"]["tool"]).await;
    arrived(|| person.progress.lock().len(), &talks["progress"]["steps"]).await;
    let seen = person.progress.lock().clone();
    assert_eq!(seen.len(), talks["progress"]["steps"].as_array().map_or(0, Vec::len), "{seen:?}");
    let mut columns = vec!["logging".to_owned(), "progress".to_owned()];
    for ask in talks["asks"].as_array().into_iter().flatten() {
        person.asked.lock().clear();
        let result = run(&ask["tool"]).await;
        assert_eq!(json!(text(&result)), ask["text"]);
        let asked: Vec<&str> = person.asked.lock().iter().map(|(method, _)| *method).collect();
        assert_eq!(json!(asked), json!([ask["method"]]));
        columns.push(ask["method"].as_str().unwrap_or_default().to_owned());
    }
    columns
}

/// Resources, prompts and completion.
async fn reading(client: &Client, expected: &Value) -> Vec<String> {
    let listed = client.list_all_resources().await.expect("resources");
    let mut uris: Vec<&str> = listed.iter().map(|resource| &*resource.uri).collect();
    uris.sort_unstable();
    assert_eq!(json!(uris), expected["resources"]["listed"]);
    let templates = client.list_all_resource_templates().await.expect("templates");
    assert_eq!(
        json!(templates.iter().map(|it| &*it.uri_template).collect::<Vec<_>>()),
        expected["resources"]["templates"]
    );
    for row in expected["resources"]["read"].as_array().into_iter().flatten() {
        let read = client.read_resource(read(&json!({ "uri": row["uri"] }))).await.expect("a resource");
        let read = json!(read)["contents"][0].clone();
        for (member, value) in row["content"].as_object().into_iter().flatten() {
            assert_eq!(&read[member], value, "{member} of {row}");
        }
    }
    let unknown = read(&json!({ "uri": expected["resources"]["unknown"] }));
    assert!(client.read_resource(unknown).await.is_err());
    for row in expected["prompts"]["get"].as_array().into_iter().flatten() {
        let params = read(&json!({ "name": row["name"], "arguments": row["arguments"] }));
        let prompt = json!(client.get_prompt(params).await.expect("a prompt"));
        assert_eq!(prompt["messages"][0]["content"]["text"], row["messages"][0]["content"]["text"]);
    }
    for row in expected["completions"].as_array().into_iter().flatten() {
        let params = read(&json!({ "ref": row["ref"], "argument": row["argument"] }));
        let found = json!(client.complete(params).await.expect("values"));
        assert_eq!(found["completion"]["values"], row["values"]);
    }
    ["resources", "prompts", "completion"].map(str::to_owned).into()
}

#[tokio::main]
async fn main() {
    let text = fs::read_to_string("tests/clients/expectations.json").expect("what clients must see");
    let expected: Arc<Value> = Arc::new(serde_json::from_str(&text).expect("JSON"));
    let mut report =
        fs::OpenOptions::new().append(true).create(true).open(variable("CLIENTS_REPORT")).expect("the report");
    for seat in SEATS {
        let columns = checks(&seat, &expected).await;
        let row = json!({
            "client": "Rust SDK", "version": VERSION, "transport": seat.transport, "mode": seat.mode,
            "protocol": seat.protocol, "columns": columns,
        });
        writeln!(report, "{row}").expect("the report is written");
    }
    println!("ok  Rust SDK {VERSION}: {} modes and transports", SEATS.len());
}
