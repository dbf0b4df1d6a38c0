//! Floor 9. What models are told of a plan or of a running server: the tools, and the instructions. Two can be compared.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use url::Url;

use super::super::tokens::about;
use crate::{
    check::apply_catalog,
    engine::{Generation, instructions},
    mcp,
    plan::Plan,
    secret::{Secret, Vault},
    upstream::{Upstreams, rest::exchange},
};

/// Pages of a list that are asked for at most.
const PAGES: usize = 100;

/// What models are told.
#[derive(Debug, Default)]
pub(super) struct Listing {
    tools: IndexMap<String, Value>,
    /// Resources and prompts, by what they are and their names.
    others: BTreeSet<String>,
    instructions: String,
}

/// Whether databases are asked what their columns are, as a server does at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Asked,
    Unknown,
}

impl Listing {
    /// What a plan tells, of one bridge or of all.
    ///
    /// # Errors
    /// Why it cannot be listed.
    pub(super) fn of_plan(
        mut plan: Plan,
        vault: &Vault,
        columns: Columns,
        only: Option<&str>,
    ) -> Result<(Self, Arc<Generation>), String> {
        let runtime = runtime()?;
        let _inside = runtime.enter();
        let upstreams = Upstreams::connect(&plan, vault).map_err(|error| error.public().to_owned())?;
        if columns == Columns::Asked {
            let catalog = runtime.block_on(upstreams.catalog(&plan));
            apply_catalog(&mut plan, &catalog);
        }
        let generation = Arc::new(Generation::over(Arc::new(plan), upstreams));
        let server = mcp::Server::new(Arc::clone(&generation), None);
        let plan = generation.plan();
        let listed = server.tools(only).ok_or_else(|| "no file has a bridge of this name".to_owned())?;
        let listed: Value = serde_json::from_slice(&listed).unwrap_or_default();
        let is_meant = |name: &str| only.is_none_or(|only| only == name);
        let ids: Vec<_> = plan.bridges().filter(|(_, it)| is_meant(&it.name)).map(|(id, _)| id).collect();
        let resources = plan.resources.iter().filter(|it| ids.contains(&it.tool.bridge));
        let prompts = plan.prompts.iter().filter(|it| ids.contains(&it.tool.bridge));
        let others = resources.map(|it| format!("resource {}", it.name));
        let others = others.chain(prompts.map(|it| format!("prompt {}", it.name))).collect();
        let listing =
            Self { tools: by_name(&listed, "tools"), others, instructions: instructions(plan, &ids, &|_| true) };
        Ok((listing, generation))
    }

    /// What a running server tells whoever has the key.
    ///
    /// # Errors
    /// A sentence without a full stop.
    pub(super) fn of_server(url: &Url, key: Option<&Secret<String>>) -> Result<Self, String> {
        let runtime = runtime()?;
        runtime.block_on(async {
            let told = ask(url, key, "server/discover", None).await?;
            let instructions = told.get("instructions").and_then(Value::as_str).unwrap_or_default().to_owned();
            let tools = all(url, key, "tools/list", "tools").await?;
            let mut others = BTreeSet::new();
            for (method, member, word, capability) in [
                ("resources/list", "resources", "resource", "/capabilities/resources"),
                ("resources/templates/list", "resourceTemplates", "resource", "/capabilities/resources"),
                ("prompts/list", "prompts", "prompt", "/capabilities/prompts"),
            ] {
                if told.pointer(capability).is_none() {
                    continue;
                }
                others.extend(all(url, key, method, member).await?.keys().map(|name| format!("{word} {name}")));
            }
            Ok(Self { tools, others, instructions })
        })
    }

    /// What tools and instructions cost, in tokens, about.
    pub(super) fn tokens(&self) -> usize {
        self.tools.values().map(cost).sum::<usize>() + about(self.instructions.len())
    }

    /// What a tool costs, in tokens, about.
    pub(super) fn tokens_of(&self, tool: &str) -> Option<usize> {
        self.tools.get(tool).map(cost)
    }

    /// The arguments of a tool that come, go and change: `+limit -page ~sort`.
    pub(super) fn arguments(old: &Self, new: &Self, tool: &str) -> String {
        old.tools.get(tool).zip(new.tools.get(tool)).map_or(String::new(), |(old, new)| arguments(old, new))
    }
}

/// The differences, in words.
pub(super) fn told(old: &Listing, new: &Listing) -> String {
    let (mut text, mut counts) = (String::new(), [0_usize; 3]);
    for (name, tool) in &new.tools {
        // Writing to a String cannot fail, here and below.
        match old.tools.get(name) {
            None => {
                counts[0] += 1;
                let _ = writeln!(text, "+ tool {name}: {} tokens", cost(tool));
            }
            Some(before) if before != tool => {
                counts[1] += 1;
                let _ = writeln!(text, "~ tool {name}: {}", changed(before, tool));
            }
            Some(_) => {}
        }
    }
    for (name, tool) in old.tools.iter().filter(|(name, _)| !new.tools.contains_key(*name)) {
        counts[2] += 1;
        let _ = writeln!(text, "- tool {name}: {} tokens", cost(tool));
    }
    for (mark, at, from, to) in [('+', 0, &new.others, &old.others), ('-', 2, &old.others, &new.others)] {
        for name in from.difference(to) {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
            let _ = writeln!(text, "{mark} {name}");
        }
    }
    if old.instructions != new.instructions {
        counts[1] += 1;
        let (before, after) = (lines(&old.instructions), lines(&new.instructions));
        let (more, less) = (after.difference(&before).count(), before.difference(&after).count());
        let _ = writeln!(
            text,
            "~ instructions: {more} other lines in the place of {less}, {}",
            from_to(about(old.instructions.len()), about(new.instructions.len()))
        );
    }
    if counts == [0; 3] {
        return "nothing would change".into();
    }
    let [added, others, removed] = counts;
    let _ = write!(text, "{added} added, {others} changed, {removed} removed; {}", total(old, new));
    text
}

/// What the list of tools and the instructions cost before and after.
pub(super) fn total(old: &Listing, new: &Listing) -> String {
    format!("tools and instructions cost {}", from_to(old.tokens(), new.tokens()))
}

pub(super) fn from_to(before: usize, after: usize) -> String {
    if before == after { format!("{after} tokens as before") } else { format!("{before} → {after} tokens") }
}

/// The parts of a tool that say something else.
fn changed(old: &Value, new: &Value) -> String {
    let differs = |member: &str| old.get(member) != new.get(member);
    let mut parts = Vec::new();
    for (member, word) in [("title", "title"), ("description", "description")] {
        parts.extend(differs(member).then(|| word.to_owned()));
    }
    if differs("inputSchema") {
        let which = arguments(old, new);
        parts.push(if which.is_empty() { "arguments".to_owned() } else { format!("arguments ({which})") });
    }
    for (member, word) in [("outputSchema", "result"), ("annotations", "hints")] {
        parts.extend(differs(member).then(|| word.to_owned()));
    }
    if parts.is_empty() {
        parts.push("what is said beside these".to_owned());
    }
    format!("{}, {}", parts.join(", "), from_to(cost(old), cost(new)))
}

fn arguments(old: &Value, new: &Value) -> String {
    let empty = Map::new();
    let members = |tool: &Value| tool.pointer("/inputSchema/properties").and_then(Value::as_object).cloned();
    let (was, is) = (members(old).unwrap_or_else(|| empty.clone()), members(new).unwrap_or(empty));
    let required = |tool: &Value, name: &str| {
        let all = tool.pointer("/inputSchema/required").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|it| it == name))
    };
    let mut words = Vec::new();
    for (name, schema) in &is {
        match was.get(name) {
            None => words.push(format!("+{name}")),
            Some(before) if before != schema || required(old, name) != required(new, name) => {
                words.push(format!("~{name}"));
            }
            Some(_) => {}
        }
    }
    words.extend(was.keys().filter(|name| !is.contains_key(*name)).map(|name| format!("-{name}")));
    words.join(" ")
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

fn cost(tool: &Value) -> usize {
    about(tool.to_string().len())
}

fn by_name(listed: &Value, member: &str) -> IndexMap<String, Value> {
    let all = listed.get(member).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|it| Some((it.get("name")?.as_str()?.to_owned(), it.clone()))).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())
}

/// All pages of a list.
async fn all(
    url: &Url,
    key: Option<&Secret<String>>,
    method: &str,
    member: &str,
) -> Result<IndexMap<String, Value>, String> {
    let (mut found, mut cursor) = (IndexMap::new(), None);
    for _ in 0..PAGES {
        let page = ask(url, key, method, cursor).await?;
        found.extend(by_name(&page, member));
        cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
    }
    Err(format!("{method} does not come to an end"))
}

/// The result of a method.
async fn ask(url: &Url, key: Option<&Secret<String>>, method: &str, cursor: Option<String>) -> Result<Value, String> {
    let mut params = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "mcp-bridge plan", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": {},
    } });
    if let (Some(cursor), Some(params)) = (cursor, params.as_object_mut()) {
        params.insert("cursor".into(), cursor.into());
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut answer = exchange(url, key, &message).await?;
    if let Some(result) = answer.get_mut("result") {
        return Ok(result.take());
    }
    let words = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no result");
    Err(format!("{method} was answered with: {}", words.chars().take(200).collect::<String>()))
}
