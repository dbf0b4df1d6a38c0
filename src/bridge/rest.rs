//! Floor 3. REST operations: one request.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Graphql, Part, TextBody};

/// One request to a REST source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RestOperation")]
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
    /// Cookies: names with their values, which hold neither blanks nor `"` `,` `;` `\\`.
    #[serde(default)]
    pub cookies: IndexMap<String, String>,
    /// A JSON body: a tree with `{{x}}` in its leaves. `"{{args}}"` is every argument not placed elsewhere.
    pub json: Option<Value>,
    /// A form body. A mapping inside is written as `a[b]=…`, lists repeat their name; `{ value, style }` as in
    /// `query` says otherwise. `"{{args}}"` is every argument not placed elsewhere.
    #[schemars(extend("type" = ["object", "string"], "additionalProperties" = true))]
    pub form: Option<Value>,
    /// A multipart body: texts, and files with a `filename`.
    pub multipart: Option<IndexMap<String, Part>>,
    /// A text body.
    pub text: Option<TextBody>,
    /// A GraphQL request. Errors in its answer make the result an error.
    pub graphql: Option<Graphql>,
    /// How the answer is read. Default: `auto`, by its content type.
    pub parse: Option<Parsing>,
    /// The statuses that are not errors: numbers and classes such as `2xx`. A redirect among them is not followed.
    /// Default: `2xx`.
    pub success: Option<Vec<Value>>,
    /// An answer that is an error although its status is not.
    pub error_when: Option<ErrorWhen>,
    /// What the model is told for a status, as a template: `404: "There is no order {{id}}."` The template can name
    /// `status` and `body`, which is the answer where it is JSON. Of an error 64 KiB are read, and what comes within 2 s.
    #[serde(default)]
    pub errors: IndexMap<String, String>,
    /// The header that makes a repeated request harmless: the API does what it has seen under a key only once.
    /// Every call has a key of its own, and all its attempts have the same.
    pub idempotency_key: Option<String>,
    /// How further pages are found. They are fetched within the time of the call, or the model turns them itself.
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
    /// How a list or mapping is written. Default: `form`, which is for lists; a mapping needs a style.
    pub style: Option<Style>,
    /// With `form`: whether every item or member is a parameter of its own. Default: true; false joins them with
    /// commas.
    pub explode: Option<bool>,
}

/// How a list or mapping is written in a query or form.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[schemars(inline)]
pub enum Style {
    /// `a=1&a=2`, or `a=1,2` with `explode: false`. A mapping: `x=1&y=2`, or `a=x,1,y,2`.
    #[serde(rename = "form")]
    Form,
    /// `a=1%202`
    #[serde(rename = "spaceDelimited")]
    SpaceDelimited,
    /// `a=1|2`
    #[serde(rename = "pipeDelimited")]
    PipeDelimited,
    /// `a[x]=1&a[y]=2`; lists inside repeat their name, those of mappings are numbered: `a[x][0][y]=1`.
    #[serde(rename = "deepObject")]
    DeepObject,
    /// `a[]=1&a[]=2`, and mappings as `deepObject` does.
    #[serde(rename = "brackets")]
    Brackets,
    /// The value as JSON.
    #[serde(rename = "json")]
    Json,
}

/// How an answer is read: a word, or a mapping for what needs more than one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parsing {
    /// A word.
    As(Parse),
    /// With settings.
    With(ParseWith),
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Parse {
    /// By its content type.
    Auto,
    /// As JSON, whatever its content type.
    Json,
    /// As text, whatever its content type.
    Text,
    /// As XML: an element is a mapping of its attributes (`@name`), its elements and its text (`#text`), or just its
    /// text when it has nothing else; elements of one name are a list.
    Xml,
    /// As comma-separated values: a list of mappings from the names in the first line to texts.
    Csv,
    /// As one JSON value a line, or as the data of server-sent events: a list.
    Ndjson,
    /// As a page, of which the text is kept.
    Html,
    /// As bytes: a picture, a sound or a file.
    Binary,
}

/// How an answer is read, with settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["xml", "csv"]))]
pub struct ParseWith {
    /// As XML.
    pub xml: Option<XmlReading>,
    /// As comma-separated values.
    pub csv: Option<CsvReading>,
}

/// How XML is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XmlReading {
    /// Names of elements that are lists, also where only one of them is there.
    pub lists: Vec<String>,
}

/// How comma-separated values are read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvReading {
    /// What stands between values, one character. Default: `,`.
    pub delimiter: Option<String>,
    /// Names of the columns, for values without a line of names.
    pub columns: Option<Vec<String>>,
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

/// How further pages are found, and who turns them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paginate {
    /// Where the next page is: `link` (the header `Link`), a `JSONPath` to its address such as `$.next`, or the query
    /// parameter that names it. Addresses are followed below the base of the source only.
    pub next: Next,
    /// Where the items are, as a path of names such as `$.data`. Default: the answer itself when it is a list, else
    /// the only list among its members.
    pub items: Option<String>,
    /// A `JSONPath` that must find `true` for there to be another page, such as `$.has_more`.
    pub more: Option<String>,
    /// How many pages are fetched at most. Default: 5.
    #[schemars(range(min = 1, max = 50))]
    pub max_pages: Option<u32>,
    /// How many items are fetched at most. Default: 500.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_items: Option<u32>,
    /// `true`: one page a call. The tool gets an argument `cursor`, and its result `next_cursor` while there are more.
    pub expose: Option<bool>,
}

/// Where the next page is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Next {
    /// `link`, or a `JSONPath` to the address.
    Place(String),
    /// The query parameter that names it.
    Param(NextParam),
}

/// The query parameter that names the next page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["cursor", "page", "offset"]))]
pub struct NextParam {
    /// A `JSONPath` to the cursor of the next page. There is none when it finds null or nothing.
    pub cursor: Option<String>,
    /// The parameter that takes the cursor.
    pub param: Option<String>,
    /// The parameter that takes the number of the page. A page without items, or with fewer than the first, is the last.
    pub page: Option<String>,
    /// The number of the first page. Default: 1.
    pub start: Option<u64>,
    /// The parameter that takes how many items come before. A page without items is the last.
    pub offset: Option<String>,
    /// The parameter that says how many items a page has: one with fewer is the last.
    pub size: Option<String>,
}
