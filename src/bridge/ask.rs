//! Floor 3. Questions to the person, to the client's model, and for the client's folders.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};

/// A question to the person: a text, and a form to fill in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The name under which later items find the answer, as `answers.NAME`.
    pub name: String,
    /// What the person reads, as a template.
    pub message: String,
    /// The blanks of the form, by name. Without any the person only agrees or declines.
    #[serde(default)]
    pub fields: IndexMap<String, AskField>,
    /// Whether the call ends when there is no answer. Default: true. With `false` it goes on, and
    /// `answers.NAME.action` says why.
    pub required: Option<bool>,
    /// What the model is told when the call ends, as a template.
    pub otherwise: Option<String>,
}

/// One blank of a form: its type alone, or a description of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AskField {
    /// The type alone.
    Type(FieldType),
    /// The whole description.
    Spec(Box<FieldSpec>),
}

/// The kinds of value that a person can fill in.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum FieldType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Some of several options.
    Array,
}

/// One blank of a form, in the keywords of JSON Schema that clients know.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-at-most-one-of" = ["enum", "oneOf"]))]
pub struct FieldSpec {
    /// The kind of value. May be left out beside `enum` and `oneOf`.
    #[serde(rename = "type")]
    pub kind: Option<FieldType>,
    /// The name people are shown.
    pub title: Option<String>,
    /// What is to be filled in.
    pub description: Option<String>,
    /// What stands there at first.
    pub default: Option<Value>,
    /// Whether it must be filled in. Default: true, and false when there is a `default`.
    pub required: Option<bool>,
    /// The texts to choose from.
    #[serde(rename = "enum")]
    pub options: Option<Vec<String>>,
    /// What the texts of `enum` are shown as, for clients before 2025-11-25.
    #[serde(rename = "enumNames")]
    pub option_names: Option<Vec<String>>,
    /// The texts to choose from, each with what it is shown as.
    #[serde(rename = "oneOf")]
    pub titled: Option<Vec<FieldOption>>,
    /// The options of a list.
    pub items: Option<FieldItems>,
    /// The fewest options to choose.
    #[serde(rename = "minItems")]
    pub min_items: Option<u64>,
    /// The most options to choose.
    #[serde(rename = "maxItems")]
    pub max_items: Option<u64>,
    /// The smallest number accepted.
    pub minimum: Option<Number>,
    /// The largest number accepted.
    pub maximum: Option<Number>,
    /// The fewest characters accepted.
    #[serde(rename = "minLength")]
    pub min_length: Option<u64>,
    /// The most characters accepted.
    #[serde(rename = "maxLength")]
    pub max_length: Option<u64>,
    /// The form of the text.
    pub format: Option<FieldFormat>,
}

/// The forms of text that clients can hold a person to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum FieldFormat {
    /// An e-mail address.
    Email,
    /// An address.
    Uri,
    /// A day.
    Date,
    /// A day with a time.
    DateTime,
}

/// One option with what it is shown as.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldOption {
    /// The text that comes back.
    #[serde(rename = "const")]
    pub value: String,
    /// What people are shown.
    pub title: String,
}

/// The options of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["enum", "anyOf"]))]
pub struct FieldItems {
    /// `string`, which may be left out.
    #[serde(rename = "type")]
    pub kind: Option<FieldType>,
    /// The texts to choose from.
    #[serde(rename = "enum")]
    pub options: Option<Vec<String>>,
    /// The texts to choose from, each with what it is shown as.
    #[serde(rename = "anyOf")]
    pub titled: Option<Vec<FieldOption>>,
}

/// A question to the client's model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The name under which later items find the answer, as `answers.NAME`.
    pub name: String,
    /// What the model is asked, as a template.
    pub prompt: String,
    /// How the model is to behave, as a template.
    pub system_prompt: Option<String>,
    /// How many tokens the answer may have. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_tokens: Option<u32>,
    /// How freely the model answers.
    pub temperature: Option<f64>,
    /// Texts at which the model stops.
    #[serde(default)]
    pub stop_sequences: Vec<String>,
    /// Whether the call ends when there is no answer. Default: true. With `false` it goes on, and
    /// `answers.NAME.action` says why.
    pub required: Option<bool>,
    /// What the calling model is told when the call ends, as a template.
    pub otherwise: Option<String>,
}

/// A question for the folders that the client works in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roots {
    /// The name under which later items find the answer, as `answers.NAME`.
    pub name: String,
    /// Whether the call ends when there is no answer. Default: true. With `false` it goes on, and
    /// `answers.NAME.action` says why.
    pub required: Option<bool>,
    /// What the model is told when the call ends, as a template.
    pub otherwise: Option<String>,
}

/// One of several questions that are asked at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["ask", "sample", "roots"]))]
pub struct Inquiry {
    /// A question to the person.
    pub ask: Option<Ask>,
    /// A question to the client's model.
    pub sample: Option<Sample>,
    /// A question for the client's folders.
    pub roots: Option<Roots>,
}
