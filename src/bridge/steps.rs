//! Floor 3. Tools of several calls.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Output, RestOperation, SqlOperation};

/// One call of several. They run one after the other, under the one deadline of the tool; the first that fails
/// ends the tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["rest", "sql"]))]
pub struct Step {
    /// The name under which later steps (`{{steps.NAME}}`) and the output (`$.NAME`) find its result.
    pub name: String,
    /// A REST request.
    pub rest: Option<RestOperation>,
    /// A SQL statement.
    pub sql: Option<SqlOperation>,
    /// Values under names of their own, for this step alone: its templates, its path and its `:name` use them
    /// like params.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// What the result must hold for the tool to go on.
    pub require: Option<Require>,
    /// Skips the step when this is false, null, 0 or empty. The result of a skipped step is null.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// Runs the step for every item of a list, which is exactly one `{{…}}`. The result is the list of the results,
    /// in order. Null and absent count as an empty list.
    pub for_each: Option<String>,
    /// The name of the item.
    #[serde(rename = "as")]
    pub item: Option<String>,
    /// How many items are taken at most, 1000 or fewer: a number, or exactly one `{{…}}`. Without it a list of more
    /// than 100 items is an error.
    #[schemars(extend("type" = ["integer", "string"]))]
    pub take: Option<Value>,
    /// How many items run at once. Default: 8, and 1 for a step that changes something.
    #[schemars(range(min = 1, max = 32))]
    pub concurrency: Option<u32>,
    /// What is kept of the step's result: `select`, `zip`, `fields` and `max_items`.
    pub output: Option<Output>,
}

/// What the result of a step must hold for the tool to go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["exists", "select"]))]
pub struct Require {
    /// A `JSONPath` in the result that must find something other than null.
    pub exists: Option<String>,
    /// A `JSONPath` in the result whose value is compared with `equals`.
    pub select: Option<String>,
    /// The value that `select` must find.
    #[serde(default)]
    pub equals: Option<Value>,
    /// What the model is told otherwise, as a template. The result of the tool is an error then.
    pub otherwise: String,
}
