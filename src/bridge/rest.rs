//! Floor 3. REST operations: one request.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One request to a REST source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["get", "post", "put", "patch", "delete", "head"]))]
#[schemars(extend("x-at-most-one-of" = ["json", "form", "multipart", "text", "graphql"]))]
pub struct Operation {
    /// The source. May be left out when the file has exactly one REST source.
    pub source: Option<String>,
    /// GET this path. `{x}` is one segment filled by the param `x`; `{x*}` keeps slashes.
    pub get: Option<String>,
    /// POST to this path.
    pub post: Option<String>,
    /// PUT to this path.
    pub put: Option<String>,
    /// PATCH this path.
    pub patch: Option<String>,
    /// DELETE this path.
    pub delete: Option<String>,
    /// HEAD of this path.
    pub head: Option<String>,
    /// Query parameters. A value that is exactly `{{x}}` keeps its type and is left out when `x` is not given.
    #[serde(default)]
    pub query: IndexMap<String, Query>,
    /// Headers. Only these and the source's are sent.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// A JSON body: a tree with `{{x}}` in its leaves. `"{{args}}"` is every argument not placed elsewhere.
    pub json: Option<Value>,
    /// A form body.
    #[schemars(extend("x-not-yet" = true))]
    pub form: Option<Map<String, Value>>,
    /// A multipart body.
    #[schemars(extend("x-not-yet" = true))]
    pub multipart: Option<Map<String, Value>>,
    /// A text body.
    #[schemars(extend("x-not-yet" = true))]
    pub text: Option<Map<String, Value>>,
    /// A GraphQL request.
    #[schemars(extend("x-not-yet" = true))]
    pub graphql: Option<Graphql>,
    /// How the answer is read. Default: `auto`, by its content type.
    pub parse: Option<Parse>,
    /// The statuses that are not errors: numbers and classes such as `2xx`. Default: `2xx`.
    pub success: Option<Vec<Value>>,
    /// An answer that is an error although its status is not.
    #[schemars(extend("x-not-yet" = true))]
    pub error_when: Option<ErrorWhen>,
    /// What the model is told for a status, as a template: `404: "There is no order {{id}}."`
    #[serde(default)]
    pub errors: IndexMap<String, String>,
    /// The header that makes a repeated request harmless.
    #[schemars(extend("x-not-yet" = true))]
    pub idempotency_key: Option<String>,
    /// How further pages are found.
    #[schemars(extend("x-not-yet" = true))]
    pub paginate: Option<Paginate>,
}

/// A query parameter: its value, or the value with a style.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Query {
    /// The value with a style.
    Styled(StyledQuery),
    /// The value.
    Plain(#[schemars(extend("type" = ["string", "integer", "number", "boolean", "array"]))] Value),
}

/// A query parameter with a style.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StyledQuery {
    /// The value.
    pub value: Value,
    /// How a list or mapping is written. Default: `form`.
    pub style: Option<Style>,
    /// Whether every item is a parameter of its own. Default: true; false joins them with commas.
    pub explode: Option<bool>,
}

/// How a list or mapping is written in a query.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[schemars(inline)]
pub enum Style {
    /// `a=1&a=2`, or `a=1,2` with `explode: false`.
    #[serde(rename = "form")]
    Form,
    /// `a=1%202`
    #[serde(rename = "spaceDelimited")]
    #[schemars(extend("x-not-yet" = true))]
    SpaceDelimited,
    /// `a=1|2`
    #[serde(rename = "pipeDelimited")]
    #[schemars(extend("x-not-yet" = true))]
    PipeDelimited,
    /// `a[x]=1&a[y]=2`
    #[serde(rename = "deepObject")]
    #[schemars(extend("x-not-yet" = true))]
    DeepObject,
    /// `a[]=1&a[]=2`
    #[serde(rename = "brackets")]
    #[schemars(extend("x-not-yet" = true))]
    Brackets,
    /// The value as JSON.
    #[serde(rename = "json")]
    #[schemars(extend("x-not-yet" = true))]
    Json,
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Parse {
    /// By its content type.
    Auto,
    /// As JSON, whatever its content type.
    Json,
    /// As text, whatever its content type.
    Text,
    /// As XML.
    #[schemars(extend("x-not-yet" = true))]
    Xml,
    /// As comma-separated values.
    #[schemars(extend("x-not-yet" = true))]
    Csv,
    /// As one JSON value a line.
    #[schemars(extend("x-not-yet" = true))]
    Ndjson,
    /// As a page, of which the text is kept.
    #[schemars(extend("x-not-yet" = true))]
    Html,
    /// As bytes.
    #[schemars(extend("x-not-yet" = true))]
    Binary,
}

/// An answer that is an error although its status is not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorWhen {
    /// Where to look, as a `JSONPath`.
    pub select: String,
    /// The value that means an error.
    pub equals: Option<Value>,
    /// Whether finding anything means an error.
    pub exists: Option<bool>,
}

/// A GraphQL request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// The document.
    pub query: String,
    /// Its variables.
    #[serde(default)]
    pub variables: Map<String, Value>,
}

/// How further pages are found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paginate {
    /// `link`, a `JSONPath` to the next address, or a mapping.
    pub next: Value,
    /// How many pages are fetched at most.
    pub max_pages: Option<u32>,
    /// How many items are fetched at most.
    pub max_items: Option<u32>,
}
