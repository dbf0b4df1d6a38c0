//! Floor 3. Tools of several calls, and fixed answers.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Duration, Output, RestOperation, SqlOperation};

/// One call of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["rest", "sql"]))]
pub struct Step {
    /// The name under which later steps and the output find its result.
    pub name: String,
    /// A REST request.
    pub rest: Option<RestOperation>,
    /// A SQL statement.
    pub sql: Option<SqlOperation>,
    /// What the result must hold for the tool to go on.
    pub require: Option<Map<String, Value>>,
    /// Skips the step unless this is true.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// Runs the step for every item of a list.
    pub for_each: Option<String>,
    /// The name of the item.
    #[serde(rename = "as")]
    pub item: Option<String>,
    /// How many items are taken at most.
    pub take: Option<Value>,
    /// How many run at once.
    pub concurrency: Option<u32>,
    /// How the step's result is shaped.
    pub output: Option<Output>,
}

/// A fixed answer: one item, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Reply {
    /// Several items.
    Items(Vec<ReplyItem>),
    /// One item.
    Item(Box<ReplyItem>),
}

/// One item of a fixed answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyItem {
    /// Text, as a template.
    pub text: Option<String>,
    /// A picture.
    pub image: Option<Map<String, Value>>,
    /// A sound.
    pub audio: Option<Map<String, Value>>,
    /// A resource.
    pub resource: Option<Map<String, Value>>,
    /// Whether the answer is an error.
    pub error: Option<bool>,
    /// A message to the client's log.
    pub log: Option<Map<String, Value>>,
    /// News about how far the call has come.
    pub progress: Option<Map<String, Value>>,
    /// A pause.
    pub delay: Option<Duration>,
    /// A question to the person.
    pub ask: Option<Map<String, Value>>,
    /// A question to the client's model.
    pub sample: Option<Map<String, Value>>,
}
