//! Floor 3. The top of a bridge file.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Param, Reply, RestOperation, Server, Source, SqlOperation, Tool};

/// A bridge file: one MCP server identity with its sources and tools. A file may also hold
/// only `server:`, the settings of the whole server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "mcp-bridge file")]
pub struct File {
    /// The identity of the bridge, and its path `/mcp/NAME`: lower-case letters, digits, `_` and `-`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,31}$"))]
    #[schemars(extend("x-expected" = "a name of up to 32 lower-case letters, digits, `_` and `-`, beginning with a letter"))]
    pub bridge: Option<String>,
    /// The version clients are told. Default: `0.0.0`.
    pub version: Option<String>,
    /// The name people are shown.
    pub title: Option<String>,
    /// What the bridge covers, in a sentence.
    pub description: Option<String>,
    /// A page about the bridge.
    #[schemars(regex(pattern = r"^https?://"))]
    #[schemars(extend("x-expected" = "an `https://` address"))]
    pub website: Option<String>,
    /// Put before the name of every tool, to keep two bridges apart.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{0,32}$"))]
    #[schemars(extend("x-expected" = "letters, digits, `_` and `-`"))]
    pub prefix: Option<String>,
    /// Guidance for the agent that uses the tools: when, in which order, what to avoid. A generated part follows it.
    pub instructions: Option<Instructions>,
    /// The REST bases and databases that the tools work on, by name.
    #[serde(default)]
    pub sources: IndexMap<String, Source>,
    /// The tools, by name.
    #[serde(default)]
    pub tools: IndexMap<String, Tool>,
    /// Resources clients can read, by name.
    #[serde(default)]
    #[schemars(extend("x-not-yet" = true))]
    pub resources: IndexMap<String, Resource>,
    /// Prompts people can pick, by name.
    #[serde(default)]
    #[schemars(extend("x-not-yet" = true))]
    pub prompts: IndexMap<String, Prompt>,
    /// Settings of the server: at most once over all files that are loaded.
    pub server: Option<Server>,
}

/// What the author tells the agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Instructions {
    /// The text. A generated part follows it.
    Text(String),
    /// The text, with a say in whether a generated part follows.
    Spec(InstructionsSpec),
}

/// Instructions in their long form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstructionsSpec {
    /// The author's text.
    #[serde(default)]
    pub text: String,
    /// Whether a part generated from the tools follows. Default: true.
    pub generate: Option<bool>,
}

/// Something a client can read by its address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["reply", "rest", "sql"]))]
pub struct Resource {
    /// The address. A `{x}` in it makes it a template.
    pub uri: String,
    /// The name people are shown.
    pub title: Option<String>,
    /// What the resource holds.
    pub description: Option<String>,
    /// The type of the content, such as `text/markdown`.
    pub mime_type: Option<String>,
    /// The `{x}` of the address.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
    /// A fixed content.
    pub reply: Option<Reply>,
    /// A request that yields the content.
    pub rest: Option<RestOperation>,
    /// A query that yields the content.
    pub sql: Option<SqlOperation>,
}

/// A prompt that a person can pick.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The name people are shown.
    pub title: Option<String>,
    /// What the prompt is for.
    pub description: Option<String>,
    /// The blanks in the messages.
    #[serde(default)]
    pub params: IndexMap<String, Value>,
    /// The messages, in order.
    pub messages: Vec<PromptMessage>,
}

/// One message of a prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptMessage {
    /// Who says it: `user` or `assistant`.
    pub role: String,
    /// What is said, as a template.
    pub text: String,
}
