//! Floor 3. Bodies of REST requests that are not JSON: files, text and GraphQL.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::ByteSize;

/// A part of a multipart body: its value, or the value with what is said about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Part {
    /// The value with what is said about it.
    Long(LongPart),
    /// The value.
    Plain(#[schemars(extend("type" = ["string", "integer", "number", "boolean", "array"]))] Value),
}

/// A part of a multipart body with what is said about it. With a `filename` it is a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongPart {
    /// The value. A list makes a part of every item.
    pub value: Value,
    /// The name that the file is sent under, as a template. Slashes, quotes and control characters are refused.
    pub filename: Option<String>,
    /// The content type. Default: that of a data URI, else `application/octet-stream` for a file and none for a text.
    #[schemars(regex(pattern = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[A-Za-z0-9-]+=[A-Za-z0-9._+-]+)*$"))]
    #[schemars(extend("x-expected" = "a content type such as `application/pdf`"))]
    pub content_type: Option<String>,
    /// How the value holds the content. Default: `base64` for a param with `format: byte`, else `text`.
    pub encoding: Option<Encoding>,
    /// How long the content may be, after decoding. Default: `8MiB`.
    pub max_bytes: Option<ByteSize>,
}

/// How a value holds the content of a file.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Encoding {
    /// It is the content.
    Text,
    /// Base64, or a data URI (`data:application/pdf;base64,…`).
    Base64,
}

/// A text body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextBody {
    /// The content type, such as `application/xml`. For XML, HTML and JSON every value is escaped for it.
    #[schemars(regex(pattern = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[A-Za-z0-9-]+=[A-Za-z0-9._+-]+)*$"))]
    #[schemars(extend("x-expected" = "a content type such as `application/xml`"))]
    pub content_type: String,
    /// The text, as a template.
    pub template: String,
}

/// A GraphQL request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// The document. It is fixed: values go in by `variables`.
    pub query: String,
    /// Its variables: a tree with `{{x}}` in its leaves. `"{{args}}"` is every argument not placed elsewhere.
    #[serde(default)]
    #[schemars(extend("type" = ["object", "string"], "additionalProperties" = true))]
    pub variables: Option<Value>,
    /// Which operation of the document is run, where it has several.
    pub operation: Option<String>,
}
