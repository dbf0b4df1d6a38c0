//! Floor 7. What is asked for often and never changes while a generation lives: introductions
//! and lists, printed once for every endpoint and revision.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Revision;
use crate::{
    engine::instructions,
    plan::{Annotations, Bridge, BridgeId, Plan, Tool},
};

/// How long a client may keep a list, in milliseconds (protocol.md T-20).
const LIST_TTL_MS: u64 = 60_000;

/// Every endpoint of the server.
#[derive(Debug)]
pub(super) struct Surface {
    all: Endpoint,
    bridges: HashMap<String, Endpoint>,
}

impl Surface {
    pub(super) fn new(plan: &Plan) -> Self {
        let every: Vec<BridgeId> = plan.bridges().map(|(id, _)| id).filter(|id| serves(plan, *id)).collect();
        let bridges = plan.bridges().filter(|(id, _)| serves(plan, *id));
        let bridges = bridges.map(|(id, bridge)| (bridge.name.clone(), Endpoint::new(plan, &[id]))).collect();
        Self { all: Endpoint::new(plan, &every), bridges }
    }

    pub(super) fn endpoint(&self, bridge: Option<&str>) -> Option<&Endpoint> {
        match bridge {
            None => Some(&self.all),
            Some(name) => self.bridges.get(name),
        }
    }
}

/// A file with only `server:` is no bridge.
fn serves(plan: &Plan, id: BridgeId) -> bool {
    plan.bridges.get(id.0).is_some_and(|bridge| !bridge.name.is_empty())
}

/// What one path of the server offers.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Positions in the plan's tools, by name.
    tools: HashMap<String, usize>,
    introductions: Vec<(Revision, Bytes)>,
    legacy_list: Bytes,
    stateless_list: Bytes,
    discovery: Bytes,
    /// `,"_meta":{…}` for results of the stateless revision (protocol.md L-17).
    identity: Vec<u8>,
}

impl Endpoint {
    fn new(plan: &Plan, bridges: &[BridgeId]) -> Self {
        let tools: Vec<(usize, &Tool)> =
            plan.tools.iter().enumerate().filter(|(_, tool)| bridges.contains(&tool.bridge)).collect();
        let printed: Vec<Value> = tools.iter().map(|(_, tool)| print(tool)).collect();
        let words = instructions(plan, bridges);
        let info = |revision| server_info(plan, bridges, revision);
        let introduce = |revision: Revision| {
            let mut result = json!({
                "protocolVersion": revision.as_str(),
                "capabilities": { "tools": {} },
                "serverInfo": info(revision),
            });
            put(&mut result, "instructions", (!words.is_empty()).then(|| json!(words)));
            (revision, result.to_string().into())
        };
        let scope = if plan.server.api_keys.is_some() { "private" } else { "public" };
        let meta = json!({ "io.modelcontextprotocol/serverInfo": info(Revision::V2026_07_28) });
        let stateless_list = json!({
            "resultType": "complete", "tools": printed, "ttlMs": LIST_TTL_MS, "cacheScope": scope, "_meta": meta,
        });
        let mut discovery = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": { "tools": {} },
            "ttlMs": LIST_TTL_MS,
            "cacheScope": scope,
            "_meta": meta,
        });
        put(&mut discovery, "instructions", (!words.is_empty()).then(|| json!(words)));
        Self {
            tools: tools.iter().map(|(at, tool)| (tool.name.clone(), *at)).collect(),
            introductions: Revision::LEGACY.into_iter().map(introduce).collect(),
            legacy_list: json!({ "tools": printed }).to_string().into(),
            stateless_list: stateless_list.to_string().into(),
            discovery: discovery.to_string().into(),
            identity: format!(",\"_meta\":{meta}").into_bytes(),
        }
    }

    /// The position of a tool in the plan.
    pub(super) fn tool(&self, name: &str) -> Option<usize> {
        self.tools.get(name).copied()
    }

    /// The names of the tools, for hints.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    /// The result of `initialize`.
    pub(super) fn introduction(&self, revision: Revision) -> Option<&Bytes> {
        self.introductions.iter().find(|(known, _)| *known == revision).map(|(_, printed)| printed)
    }

    /// The result of `tools/list`.
    pub(super) fn tools(&self, revision: Revision) -> &Bytes {
        if revision.is_stateless() { &self.stateless_list } else { &self.legacy_list }
    }

    /// The result of `server/discover`.
    pub(super) fn discovery(&self) -> &Bytes {
        &self.discovery
    }

    /// The member that names the server in a stateless result.
    pub(super) fn identity(&self) -> &[u8] {
        &self.identity
    }
}

/// Who the server says it is. Several bridges behind one path speak with the program's own name.
fn server_info(plan: &Plan, bridges: &[BridgeId], revision: Revision) -> Value {
    let only: Option<&Bridge> = match bridges {
        [only] => plan.bridges.get(only.0),
        _ => None,
    };
    let mut info = match only {
        Some(bridge) => json!({ "name": bridge.name, "version": bridge.version }),
        None => json!({ "name": "mcp-bridge", "version": env!("CARGO_PKG_VERSION") }),
    };
    if revision >= Revision::V2025_06_18 {
        put(&mut info, "title", only.and_then(|bridge| bridge.title.as_deref()).map(Value::from));
    }
    if revision >= Revision::V2025_11_25 {
        put(&mut info, "description", only.and_then(|bridge| bridge.description.as_deref()).map(Value::from));
        put(&mut info, "websiteUrl", only.and_then(|bridge| bridge.website.as_deref()).map(Value::from));
    }
    info
}

/// A tool as clients see it.
fn print(tool: &Tool) -> Value {
    let mut printed = Map::new();
    printed.insert("name".into(), json!(tool.name));
    if let Some(title) = &tool.title {
        printed.insert("title".into(), json!(title));
    }
    printed.insert("description".into(), json!(tool.description));
    printed.insert("inputSchema".into(), tool.input_schema.clone());
    if let Some(schema) = &tool.output_schema {
        printed.insert("outputSchema".into(), schema.clone());
    }
    printed.insert("annotations".into(), hints(tool.annotations));
    Value::Object(printed)
}

/// The hints that say more than the protocol's defaults do (protocol.md T-15): every word here is
/// paid for by whoever reads the list.
fn hints(hints: Annotations) -> Value {
    let mut printed = json!({ "readOnlyHint": hints.read_only });
    if !hints.read_only {
        put(&mut printed, "destructiveHint", Some(json!(hints.destructive)));
        put(&mut printed, "idempotentHint", hints.idempotent.then(|| json!(true)));
    }
    put(&mut printed, "openWorldHint", (!hints.open_world).then(|| json!(false)));
    printed
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.into(), value);
    }
}
