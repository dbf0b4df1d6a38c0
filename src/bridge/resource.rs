//! Floor 3. Resources: what a client reads by its address.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fitting, Output, Param, Reply, RestOperation, SqlOperation};

/// Something a client can read by its address. It only reads: a statement with `mode: write` and a
/// request that changes something belong to a tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["reply", "rest", "sql"]))]
pub struct Resource {
    /// The address. A `{x}` in it makes it a template: clients put a value in its place, which may
    /// hold no `/`, `?` and `#` unless they are percent-encoded.
    pub uri: String,
    /// The name people are shown.
    pub title: Option<String>,
    /// What the resource holds.
    pub description: Option<String>,
    /// The type of the content, such as `text/markdown`. Default: by what is sent.
    pub mime_type: Option<String>,
    /// The `{x}` of the address, and what the server binds.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
    /// A fixed content.
    pub reply: Option<Reply>,
    /// A request that yields the content.
    pub rest: Option<RestOperation>,
    /// A query that yields the content.
    pub sql: Option<SqlOperation>,
    /// How the content is shaped.
    pub output: Option<Output>,
    /// The scopes a caller needs to see and read it.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What parts of the caller's identity must be for it to see and read it, as for a tool.
    #[serde(default)]
    pub require: IndexMap<String, Fitting>,
    /// Whether clients may ask to be told when this resource changes: when a changed file of the bridge gives it another
    /// definition. What a source holds is not looked at for that. Default: false.
    pub subscribe: Option<bool>,
}
