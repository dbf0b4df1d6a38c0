//! Floor 3. Tools: what a client lists and calls.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Duration, Output, Param, Rate, Reply, RestOperation, SqlOperation, Step, Test};

/// One tool: its words, its arguments, what it does, and what comes back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["rest", "sql", "steps", "reply"]))]
#[schemars(extend("x-at-most-one-of" = ["params", "input_schema"]))]
pub struct Tool {
    /// The name people are shown.
    pub title: Option<String>,
    /// What the tool does and when to use it: the model decides by these words.
    pub description: Option<String>,
    /// Groups in the generated instructions.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The arguments, by name.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
    /// A JSON Schema with root `type: object`, in the place of `params`.
    pub input_schema: Option<Map<String, Value>>,
    /// A REST request.
    pub rest: Option<RestOperation>,
    /// A SQL statement.
    pub sql: Option<SqlOperation>,
    /// Several calls, one after the other.
    pub steps: Option<Vec<Step>>,
    /// A fixed answer.
    pub reply: Option<Reply>,
    /// How the result is shaped.
    pub output: Option<Output>,
    /// Hints for the client, in the place of the derived ones.
    pub annotations: Option<Annotations>,
    /// The scopes a caller needs to see and call the tool.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What parts of the caller's identity must be for it to see and call the tool: `workspace: acme`,
    /// `claims.department: [sales, support]`.
    #[serde(default)]
    pub require: IndexMap<String, Fitting>,
    /// How often one caller may call it.
    pub rate_limit: Option<Rate>,
    /// How many calls of this tool may be under way at once. Others wait for a place, for half of their time.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: Option<u32>,
    /// How long a call may take, in the place of the source's time.
    pub timeout: Option<Duration>,
    /// How long a result is kept for calls with the same arguments; where anything of the caller reaches a source, for
    /// the same caller alone. Errors are never kept. Only for tools that change nothing.
    pub cache: Option<Duration>,
    /// What the person must agree to before the tool runs, as a template: `Refund {{amount}} to {{customer}}?`. A client
    /// that can ask the person is asked to. For any other, the tool has a required argument `confirm`, and a call
    /// without `confirm: true` is answered with the sentence and does nothing.
    pub confirm: Option<String>,
    /// Advice of `check` that is not wanted for this tool, by its codes: `[MB0335]`. Errors cannot be allowed.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^MB[0-9]{4}$")))]
    pub allow: Vec<String>,
    /// Tests of the tool, which `mcp-bridge test` runs without asking any source.
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// The value that fits, or several of which one must.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Fitting {
    /// One value.
    One(String),
    /// Several.
    AnyOf(Vec<String>),
}

impl Fitting {
    /// The values that fit.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::AnyOf(values) => values,
        }
    }
}

/// Hints for the client about what the tool may do.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy or overwrite something.
    pub destructive: Option<bool>,
    /// Calling it twice with the same arguments is the same as once.
    pub idempotent: Option<bool>,
    /// It reaches beyond a closed world, such as the open internet.
    pub open_world: Option<bool>,
}
