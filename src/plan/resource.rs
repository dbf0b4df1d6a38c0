//! Floor 3. Resources and prompts: each is a tool of its own behind another method.

use super::{BridgeId, ResourceUri, Tool};

/// Something a client reads by its address.
#[derive(Debug)]
pub struct Resource {
    /// The name within its bridge.
    pub name: String,
    /// The address, or the template of many.
    pub uri: ResourceUri,
    /// The type of the content, as it is listed.
    pub mime_type: Option<String>,
    /// Whether clients may ask to be told of changes.
    pub watch: Watch,
    /// What yields the content; its title and description are those of the resource, and its
    /// name is none that a tool can have.
    pub tool: Tool,
    /// What clients are offered for the values of the address.
    pub completions: Vec<Completion>,
    /// Tells the definition from a later one: equal while nothing has changed.
    pub edition: [u8; 32],
}

/// Whether clients may ask to be told of changes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// They may.
    Offered,
    /// They may not.
    Off,
}

/// Messages that a person picks by name.
#[derive(Debug)]
pub struct Prompt {
    /// The name clients ask for, with the bridge's prefix.
    pub name: String,
    /// The blanks, as they are listed.
    pub arguments: Vec<PromptArgument>,
    /// Who says each of the messages.
    pub roles: Vec<Role>,
    /// What yields the messages; its title and description are those of the prompt, and its
    /// name is none that a tool can have.
    pub tool: Tool,
    /// What clients are offered for the blanks.
    pub completions: Vec<Completion>,
}

/// A blank of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptArgument {
    /// Its name.
    pub name: String,
    /// The name people are shown.
    pub title: Option<String>,
    /// What belongs there.
    pub description: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// What clients are offered for one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The param.
    pub param: String,
    /// The values, in the author's order.
    pub values: Vec<String>,
}

impl Resource {
    /// The bridge it belongs to.
    #[must_use]
    pub const fn bridge(&self) -> BridgeId {
        self.tool.bridge
    }
}

impl Prompt {
    /// The bridge it belongs to.
    #[must_use]
    pub const fn bridge(&self) -> BridgeId {
        self.tool.bridge
    }
}
