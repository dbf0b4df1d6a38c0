//! Floor 3. Params: the declared arguments of a tool.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

/// One argument: its type alone, or a description of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Param {
    /// The type alone.
    Type(Type),
    /// The whole description.
    Spec(Box<ParamSpec>),
}

/// The kinds of JSON value.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Type {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
}

/// The type of an argument.
pub type ParamType = Type;

/// An argument: a subset of JSON Schema 2020-12, and a few keys of ours.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamSpec {
    /// The kind of value. May be left out beside `choices`, `enum`, `const` or `from`.
    #[serde(rename = "type")]
    pub kind: Option<Type>,
    /// The form of the value: `date` `date-time` `time` `duration` `uuid` `email` `uri` `decimal` `int64` `byte`.
    pub format: Option<String>,
    /// What the argument means, its unit, and where its value comes from.
    pub description: Option<String>,
    /// The name people are shown.
    pub title: Option<String>,
    /// The values that are accepted.
    #[serde(rename = "enum")]
    pub options: Option<Vec<Value>>,
    /// The only value that is accepted.
    #[serde(rename = "const")]
    pub constant: Option<Value>,
    /// The smallest number accepted.
    pub minimum: Option<Number>,
    /// The largest number accepted.
    pub maximum: Option<Number>,
    /// The number must be larger than this.
    #[serde(rename = "exclusiveMinimum")]
    pub exclusive_minimum: Option<Number>,
    /// The number must be smaller than this.
    #[serde(rename = "exclusiveMaximum")]
    pub exclusive_maximum: Option<Number>,
    /// The number must be a multiple of this.
    #[serde(rename = "multipleOf")]
    pub multiple_of: Option<Number>,
    /// The fewest characters accepted.
    #[serde(rename = "minLength")]
    pub min_length: Option<u64>,
    /// The most characters accepted.
    #[serde(rename = "maxLength")]
    pub max_length: Option<u64>,
    /// A regular expression that the text must match.
    pub pattern: Option<String>,
    /// What the items of the list are.
    pub items: Option<Nested>,
    /// The fewest items accepted.
    #[serde(rename = "minItems")]
    pub min_items: Option<u64>,
    /// The most items accepted.
    #[serde(rename = "maxItems")]
    pub max_items: Option<u64>,
    /// Whether an item may come only once.
    #[serde(rename = "uniqueItems")]
    pub unique_items: Option<bool>,
    /// The members of the mapping, by name.
    pub properties: Option<IndexMap<String, Nested>>,
    /// Whether the mapping may have other members. Default: false.
    #[serde(rename = "additionalProperties")]
    pub additional_properties: Option<bool>,
    /// The value that is taken when none is given.
    #[serde(default, deserialize_with = "present")]
    pub default: Option<Value>,
    /// Values that show the model what is meant.
    pub examples: Option<Vec<Value>>,
    /// Whether a value must be given. Default: true, and false when there is a `default`.
    pub required: Option<bool>,
    /// Whether `null` is accepted.
    pub nullable: Option<bool>,
    /// The names that are accepted, each with the SQL that it stands for.
    pub choices: Option<IndexMap<String, String>>,
    /// How the text is looked for with `LIKE`: its `%` and `_` are escaped.
    pub like: Option<Like>,
    /// Bound by the server from the caller's identity: not part of the schema, not settable by the model.
    pub from: Option<String>,
    /// What clients offer while the value is typed in: for prompts, and for the addresses of resources.
    pub complete: Option<Vec<String>>,
    /// The end of the header `Mcp-Param-…` in which clients of 2026-07-28 repeat the value. Not for secrets.
    pub mirror_header: Option<MirrorHeader>,
}

/// The header that repeats a value.
pub type MirrorHeader = String;

/// The names that are accepted, each with the SQL that it stands for.
pub type Choices = IndexMap<String, String>;

/// An inner value: described like a param.
pub type Nested = Box<Param>;

/// Where in the searched text the value may stand.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Like {
    /// Anywhere.
    Contains,
    /// At the beginning.
    Prefix,
    /// At the end.
    Suffix,
}

/// Tells an explicit `default: null` from no default.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
