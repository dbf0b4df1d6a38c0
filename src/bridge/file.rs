//! Floor 3. The top of a bridge file.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Prompt, Resource, Server, Source, Tool};

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
    pub resources: IndexMap<String, Resource>,
    /// Prompts people can pick, by name.
    #[serde(default)]
    pub prompts: IndexMap<String, Prompt>,
    /// Advice of `check` that is not wanted for this file, by its codes: `[MB0335]`. Errors cannot be allowed.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^MB[0-9]{4}$")))]
    pub allow: Vec<String>,
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
