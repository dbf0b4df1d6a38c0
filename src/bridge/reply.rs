//! Floor 3. Fixed answers: what they say, and what is told or asked on the way.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Ask, Duration, Inquiry, Roots, Sample};

/// A fixed answer: one item, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Reply {
    /// Several items.
    Items(Vec<ReplyItem>),
    /// One item.
    Item(Box<ReplyItem>),
}

impl Reply {
    /// The items, in order.
    #[must_use]
    pub fn items(&self) -> &[ReplyItem] {
        match self {
            Self::Items(items) => items,
            Self::Item(item) => std::slice::from_ref(item),
        }
    }
}

/// One item of a fixed answer: a part of the result, or something that happens before it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = [
    "text", "image", "audio", "resource", "resource_link",
    "log", "progress", "delay", "ask", "sample", "roots", "together",
]))]
pub struct ReplyItem {
    /// Text, as a template.
    pub text: Option<String>,
    /// A picture.
    pub image: Option<Media>,
    /// A sound. Clients of 2024-11-05 are told in words that it is there.
    pub audio: Option<Media>,
    /// A resource with its content.
    pub resource: Option<EmbeddedResource>,
    /// The address of a resource. Clients before 2025-06-18 are told it in words.
    pub resource_link: Option<ResourceLink>,
    /// Whether the answer is an error that the model can act on. Default: false.
    pub error: Option<bool>,
    /// A message to the client's log.
    pub log: Option<Log>,
    /// News about how far the call has come, for clients that want to be told.
    pub progress: Option<ProgressNote>,
    /// A pause of up to `10s`.
    pub delay: Option<Duration>,
    /// A question to the person.
    pub ask: Option<Ask>,
    /// A question to the client's model.
    pub sample: Option<Sample>,
    /// A question for the client's folders.
    pub roots: Option<Roots>,
    /// Several questions at once.
    pub together: Option<Vec<Inquiry>>,
}

/// A picture or a sound.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["data", "file"]))]
pub struct Media {
    /// The content in base64; blanks and line breaks in it have no meaning.
    pub data: Option<String>,
    /// A file with the content, relative to the bridge file; up to 1 MiB, read at the start.
    pub file: Option<String>,
    /// The type of the content, such as `image/png`.
    pub mime_type: String,
}

/// A resource with its content.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["text", "data", "file"]))]
pub struct EmbeddedResource {
    /// The address of the resource, as a template. In a resource of its own it may be left out.
    pub uri: Option<String>,
    /// The type of the content. Default: `text/plain` for text.
    pub mime_type: Option<String>,
    /// The content as text, as a template.
    pub text: Option<String>,
    /// The content in base64; blanks and line breaks in it have no meaning.
    pub data: Option<String>,
    /// A file with the content, relative to the bridge file; up to 1 MiB, read at the start.
    pub file: Option<String>,
}

/// The address of a resource.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceLink {
    /// The address, as a template.
    pub uri: String,
    /// The name of the resource.
    pub name: String,
    /// The name people are shown.
    pub title: Option<String>,
    /// What the resource holds.
    pub description: Option<String>,
    /// The type of its content.
    pub mime_type: Option<String>,
    /// How many bytes it has.
    pub size: Option<u64>,
}

/// A message to the client's log. It is sent to clients that want messages of its level.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How much it matters. Default: `info`.
    pub level: Option<LogLevel>,
    /// The part of the bridge that speaks.
    pub logger: Option<String>,
    /// What is told, as a template.
    pub message: String,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogLevel {
    /// Of interest while looking for a fault.
    Debug,
    /// What happens as it should.
    Info,
    /// Out of the ordinary, and fine.
    Notice,
    /// Not fine yet harmless.
    Warning,
    /// Something failed.
    Error,
    /// A part does not work.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

/// News about how far a call has come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressNote {
    /// What is done; it grows from one item to the next.
    pub value: f64,
    /// What there is to do.
    pub total: Option<f64>,
    /// What is being done, as a template.
    pub message: Option<String>,
}
