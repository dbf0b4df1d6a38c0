//! Floor 3. Tests in the file: a call, what the sources answer to it, and what must come of it.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One test of a tool. `mcp-bridge test` runs it without asking any source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What is tested, in a few words. Every test of a tool has another name.
    pub name: String,
    /// The arguments of the call.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// Who is calling. Default: anybody.
    #[serde(rename = "as")]
    pub caller: Option<TestCaller>,
    /// What the sources answer: one answer to every request, or several in turn.
    pub upstream: Option<Stubs>,
    /// The request that must be sent, or the statement that must be run: one, or all of them in turn.
    pub expect_request: Option<ExpectedRequests>,
    /// What the result must be. Default: no error.
    pub expect: Option<Expectation>,
}

/// Who is calling in a test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCaller {
    /// The name of the key, or of the client.
    pub name: Option<String>,
    /// Who it is. Default: the name.
    pub subject: Option<String>,
    /// The workspace.
    pub workspace: Option<String>,
    /// The scopes that were granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The claims of the token.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The person behind the caller.
    pub end_user: Option<String>,
}

/// What the sources answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Stubs {
    /// Always this.
    Always(Box<Stub>),
    /// These in turn, each once.
    InTurn(Vec<Stub>),
}

impl Stubs {
    /// Every answer.
    #[must_use]
    pub fn all(&self) -> &[Stub] {
        match self {
            Self::Always(stub) => std::slice::from_ref(stub),
            Self::InTurn(all) => all,
        }
    }
}

/// One answer of a source: of an API a status with headers and a body, or a failure; of a database rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-at-most-one-of" = ["status", "failure", "rows"]))]
pub struct Stub {
    /// The HTTP status. Default: 200.
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// The headers. `content-type` is `text/plain` for a body that is a text, and `application/json` for any other.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// The body: a text as it is, anything else as JSON.
    pub body: Option<Value>,
    /// That there is no answer at all.
    pub failure: Option<StubFailure>,
    /// The rows that a statement gives: mappings from column to value.
    pub rows: Option<Vec<Map<String, Value>>>,
    /// How many rows a statement changes.
    pub affected: Option<u64>,
    /// The id of the row that a statement adds.
    pub last_insert_id: Option<i64>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StubFailure {
    /// Nobody is there.
    Unreachable,
    /// Nothing comes in time.
    Timeout,
}

/// The requests that must be sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExpectedRequests {
    /// The only one.
    One(Box<ExpectedRequest>),
    /// All of them, in turn.
    InTurn(Vec<ExpectedRequest>),
}

impl ExpectedRequests {
    /// Every one.
    #[must_use]
    pub fn all(&self) -> &[ExpectedRequest] {
        match self {
            Self::One(request) => std::slice::from_ref(request),
            Self::InTurn(all) => all,
        }
    }
}

/// What a request must be: only what is written here is compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-at-most-one-of" = ["json", "form", "text", "sql"]))]
pub struct ExpectedRequest {
    /// The method.
    pub method: Option<String>,
    /// The path with its query, from the root of the host, or the whole address. Beside `query` without one.
    pub url: Option<String>,
    /// The whole query: names with a text, or with a list of texts.
    pub query: Option<Map<String, Value>>,
    /// Headers that must be among those that are sent. Credentials read `***`.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// The body, as a value.
    pub json: Option<Value>,
    /// The whole form in the body: names with a text, or with a list of texts.
    pub form: Option<Map<String, Value>>,
    /// The body, as text.
    pub text: Option<String>,
    /// The statement, with the placeholders of the engine; blanks and line breaks count as one blank.
    pub sql: Option<String>,
    /// What is bound in the statement, in order.
    pub values: Option<Vec<Value>>,
}

/// What a result must be. All that is written must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether it is an error. Default: false.
    pub error: Option<bool>,
    /// The whole text that the model reads.
    pub text: Option<String>,
    /// A part of the text, or several.
    pub contains: Option<Parts>,
    /// Values in the structured content, or in the text where that is JSON, by `JSONPath`.
    #[serde(default)]
    pub json: IndexMap<String, Value>,
    /// The whole structured content.
    pub structured: Option<Value>,
}

/// Parts of a text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parts {
    /// One.
    One(String),
    /// Several.
    All(Vec<String>),
}

impl Parts {
    /// Every part.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(part) => std::slice::from_ref(part),
            Self::All(parts) => parts,
        }
    }
}
