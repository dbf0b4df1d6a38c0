//! A bridge served from texts, in a folder and on a port of its own.

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use mcp_bridge::{
    check::check,
    diag::render::{Colour, Form, render},
    engine::Generation,
    plan::Plan,
    secret::Vault,
    serve::{Bound, Drained, Watch},
    text::FileSet,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Fixed, Post, Response, spawn};

/// A running server with the folder of its files.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    stop: CancellationToken,
    task: JoinHandle<Drained>,
    key: Option<&'static str>,
}

/// Checks files and returns their plan; a fault fails the test with its picture.
pub(crate) fn plan_of(folder: &Path, files: &[(&str, &str)], variables: &Fixed) -> (Plan, Vault) {
    let mut set = FileSet::new();
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder can be written");
        if Path::new(name).extension().is_some_and(|it| it == "yaml") {
            set.add(path.display().to_string(), *text);
        }
    }
    let checked = check(&set, variables);
    let mut picture = Vec::new();
    render(Form::Full(Colour::Plain), &checked.diagnostics, &set, &mut picture).expect("memory can be written");
    checked.plan.unwrap_or_else(|| panic!("the files have faults:\n{}", String::from_utf8_lossy(&picture)))
}

/// Serves files, each a name and a text, and what they are changed to.
pub(crate) async fn serve_watched(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Served {
    let folder = TempDir::new().expect("a folder");
    let variables = Fixed::new(variables);
    let (plan, vault) = plan_of(folder.path(), files, &variables);
    let mut watch = Watch::new(vec![folder.path().to_owned()], Arc::new(variables));
    watch.every = Duration::from_millis(10);
    let bound = bind(plan, &vault).await.watching(watch);
    run(bound, folder)
}

async fn bind(plan: Plan, vault: &Vault) -> Bound {
    let generation = Generation::build(plan, vault).await.expect("clients can be made");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Bound::bind(generation, vault, listen).await.expect("a free port")
}

fn run(bound: Bound, folder: TempDir) -> Served {
    let address = bound.address().expect("an address");
    let stop = CancellationToken::new();
    let task = spawn(bound.serve(stop.clone()));
    Served { address, folder, stop, task, key: None }
}

/// Serves files, each a name and a text.
pub(crate) async fn serve(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Served {
    let folder = TempDir::new().expect("a folder");
    let (plan, vault) = plan_of(folder.path(), files, &Fixed::new(variables));
    run(bind(plan, &vault).await, folder)
}

impl Served {
    /// Changes a file as editors do: another one takes its name.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let [aside, path] = [".aside", name].map(|name| self.folder.path().join(name));
        fs::write(&aside, text).expect("the folder can be written");
        fs::rename(aside, path).expect("a file can take a name");
    }

    /// Sends a message as a client of 2025-06-18 does.
    pub(crate) async fn send(&self, message: &Value) -> Response {
        self.post(message).send(self.address).await
    }

    /// The request that [`Served::send`] sends, to be changed.
    pub(crate) fn post(&self, message: &Value) -> Post {
        let post = Post::new(message.to_string()).header("mcp-protocol-version", "2025-06-18");
        post.header("x-api-key", self.key.unwrap_or_default())
    }

    /// The same server, asked with a key in a header of its own.
    pub(crate) fn with_key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// Introduces a client that can be asked everything, and returns the id of its session.
    pub(crate) async fn session(&self, revision: &str) -> String {
        let post = Post::new(initialize_message(revision).to_string());
        let response = post.send(self.address).await;
        response.header("mcp-session-id").expect("a session").to_owned()
    }

    /// The result of a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> Value {
        let response = self.send(&call_message(tool, arguments)).await;
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["result"].clone()
    }

    /// The text of a result, which must not be an error.
    pub(crate) async fn text(&self, tool: &str, arguments: &Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.get("isError"), None, "{result}");
        result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of a result, which must be an error.
    pub(crate) async fn error(&self, tool: &str, arguments: &Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], json!(true), "{result}");
        result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// Stops the server, and serves the same files from the same folder again.
    pub(crate) async fn again(self, files: &[(&str, &str)]) -> Self {
        self.stop.cancel();
        self.task.await.expect("the server did not panic");
        let (plan, vault) = plan_of(self.folder.path(), files, &Fixed::new(&[]));
        run(bind(plan, &vault).await, self.folder)
    }

    /// Stops the server and tells how it ended.
    pub(crate) async fn stop(self) -> Drained {
        self.stop.cancel();
        self.task.await.expect("the server did not panic")
    }

    /// Asks the server to stop, without waiting.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }
}

/// The `initialize` of a client that can be asked everything.
pub(crate) fn initialize_message(revision: &str) -> Value {
    let abilities = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let client = json!({ "name": "a test", "version": "1" });
    let params = json!({ "protocolVersion": revision, "capabilities": abilities, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })
}

/// A `tools/call` of a client with a handshake.
pub(crate) fn call_message(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}
