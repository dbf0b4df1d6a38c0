//! Floor 3. Output: how a result is shaped.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ByteSize;

/// How a result is shaped. Text, structured content and output schema come from the one shaped value.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-at-most-one-of" = ["template", "format"]))]
pub struct Output {
    /// The part that is kept, as a `JSONPath`. A path to one place yields its value, any other path a list.
    pub select: Option<String>,
    /// Turns a mapping of equally long lists into a list of mappings.
    pub zip: Option<bool>,
    /// The members that are kept of every item: a name, and where its value comes from.
    pub fields: Option<IndexMap<String, Field>>,
    /// The form of the text. Default: `json`.
    pub format: Option<Format>,
    /// The text, as a template.
    pub template: Option<String>,
    /// The schema of the structured content, in the place of the derived one.
    pub schema: Option<Map<String, Value>>,
    /// Whether structured content is sent. Default: when a schema is known.
    pub structured: Option<bool>,
    /// How many items of the list are kept at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_items: Option<u32>,
    /// How long the text may be. Default: `64KiB`. Cuts are made between items.
    pub max_bytes: Option<ByteSize>,
    /// What the answer is sent as. Default: `auto`, by its content type: pictures and sounds as such, other bytes as a
    /// file.
    pub content: Option<Content>,
    /// `JSONPath`s from the root of the answer, or from the list of rows, to values that are blotted out before
    /// anything else is done: a text becomes `[redacted]`, anything else null.
    #[serde(default)]
    pub redact: Vec<String>,
}

/// Where a member comes from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Field {
    /// A `JSONPath` in the item.
    Path(String),
    /// The path with what is done to the value.
    Long(LongField),
}

/// Where a member comes from, and what is done to its value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongField {
    /// A `JSONPath` in the item.
    pub select: String,
    /// What is done to the value.
    pub convert: Option<Convert>,
    /// What stands there when the path finds nothing. Default: null.
    #[serde(default)]
    pub default: Option<Value>,
    /// What it means, and its unit.
    pub description: Option<String>,
}

/// What is done to a value.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Convert {
    /// Seconds since 1970 become a date and time.
    UnixTime,
    /// Milliseconds since 1970 become a date and time.
    UnixMillis,
    /// A page becomes its text.
    HtmlText,
    /// Text becomes a number.
    Number,
    /// Anything becomes text.
    String,
    /// White space at both ends goes.
    Trim,
    /// Base64 becomes the text it holds.
    Base64Text,
}

/// The form of the text.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Format {
    /// Compact JSON.
    Json,
    /// YAML.
    Yaml,
    /// A Markdown table of the items.
    Table,
    /// Comma-separated values of the items.
    Csv,
    /// JSON in which the names stand once: `{"columns": […], "rows": [[…], …]}`. What is no list of mappings, and a
    /// list whose mappings have little in common, is compact JSON.
    Columnar,
    /// The value as it is, without quotes.
    Text,
}

/// What an answer is sent as.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Content {
    /// By its content type.
    Auto,
    /// Text.
    Text,
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A file.
    File,
}
