//! Floor 3. Prompts: messages that a person picks by name and fills the blanks of.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Ask, EmbeddedResource, Fitting, Inquiry, Media, Param, ResourceLink, Roots, Sample};

/// A prompt that a person can pick.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The name people are shown.
    pub title: Option<String>,
    /// What the prompt is for.
    pub description: Option<String>,
    /// The blanks in the messages. Clients send text; other types are read from it.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
    /// The scopes a caller needs to see and pick it.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What parts of the caller's identity must be for it to see and pick it, as for a tool.
    #[serde(default)]
    pub require: IndexMap<String, Fitting>,
    /// The messages, in order.
    pub messages: Vec<PromptMessage>,
}

/// One message of a prompt, or a question whose answer the messages after it can name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = [
    "text", "image", "audio", "resource", "resource_link", "ask", "sample", "roots", "together",
]))]
pub struct PromptMessage {
    /// Who says it. Default: `user`.
    pub role: Option<PromptRole>,
    /// Text, as a template.
    pub text: Option<String>,
    /// A picture.
    pub image: Option<Media>,
    /// A sound.
    pub audio: Option<Media>,
    /// A resource with its content.
    pub resource: Option<EmbeddedResource>,
    /// The address of a resource.
    pub resource_link: Option<ResourceLink>,
    /// A question to the person.
    pub ask: Option<Ask>,
    /// A question to the client's model.
    pub sample: Option<Sample>,
    /// A question for the client's folders.
    pub roots: Option<Roots>,
    /// Several questions at once.
    pub together: Option<Vec<Inquiry>>,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PromptRole {
    /// The person.
    User,
    /// The model.
    Assistant,
}
