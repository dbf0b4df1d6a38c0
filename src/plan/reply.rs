//! Floor 3. Fixed answers as they are given: every text compiled, every content in base64.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{schema::Output as Contract, template::Text};

/// A fixed answer.
#[derive(Debug, Default)]
pub struct Reply {
    /// What is said and done, in order.
    pub items: Vec<Item>,
    /// Whether the answer is an error that the model can act on.
    pub is_error: bool,
}

impl Reply {
    /// Whether anything is told or asked before the result.
    #[must_use]
    pub fn speaks(&self) -> bool {
        let says = |item: &Item| matches!(item, Item::Log(_) | Item::Progress(_) | Item::Ask(_));
        self.items.iter().any(says)
    }

    /// Whether the client's log is told something.
    #[must_use]
    pub fn logs(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Log(_)))
    }

    /// The questions without whose answers there is no result.
    pub fn demands(&self) -> impl Iterator<Item = QuestionKind> {
        let rounds = self.items.iter().filter_map(|item| match item {
            Item::Ask(round) => Some(round),
            _ => None,
        });
        rounds.flatten().filter(|question| question.need == Need::Required).map(|question| question.asks.kind())
    }
}

/// One item of a fixed answer.
#[derive(Debug)]
pub enum Item {
    /// A part of the result.
    Say(Content),
    /// A message to the client's log.
    Log(Log),
    /// How far the call has come.
    Progress(ProgressNote),
    /// A pause.
    Delay(Duration),
    /// Questions that are asked at once.
    Ask(Vec<Question>),
}

/// A part of a result, a prompt or a resource.
#[derive(Debug)]
pub enum Content {
    /// Text.
    Text(Text),
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A resource with its content.
    Resource {
        /// Its address; `None` for the content of a resource of its own.
        uri: Option<Text>,
        /// The type of the content.
        mime_type: Option<Arc<str>>,
        /// The content.
        body: EmbeddedBody,
    },
    /// The address of a resource.
    Link {
        /// The address.
        uri: Text,
        /// What is known of the resource.
        about: Arc<LinkAbout>,
    },
}

/// The content of an embedded resource.
#[derive(Debug)]
pub enum EmbeddedBody {
    /// Text.
    Text(Text),
    /// Anything else, in base64.
    Blob(Arc<str>),
}

/// Content that is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The content in base64, checked.
    pub data: Arc<str>,
    /// Its type.
    pub mime_type: Arc<str>,
}

/// What is known of a resource that is pointed at.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkAbout {
    /// Its name.
    pub name: String,
    /// The name people are shown.
    pub title: Option<String>,
    /// What it holds.
    pub description: Option<String>,
    /// The type of its content.
    pub mime_type: Option<String>,
    /// How many bytes it has.
    pub size: Option<u64>,
}

/// A message to the client's log.
#[derive(Debug)]
pub struct Log {
    /// How much it matters.
    pub level: Level,
    /// The part of the bridge that speaks.
    pub logger: Option<String>,
    /// What is told.
    pub message: Text,
}

/// How far a call has come.
#[derive(Debug)]
pub struct ProgressNote {
    /// What is done.
    pub value: f64,
    /// What there is to do.
    pub total: Option<f64>,
    /// What is being done.
    pub message: Option<Text>,
}

/// A question to the client.
#[derive(Debug)]
pub struct Question {
    /// Its name within the tool: `answers.NAME`.
    pub name: String,
    /// What is asked of whom.
    pub asks: Asks,
    /// Whether the call can go on without an answer.
    pub need: Need,
    /// What the model is told when the call ends for want of an answer.
    pub otherwise: Option<Text>,
}

/// What is asked of whom.
#[derive(Debug)]
pub enum Asks {
    /// The person fills in a form.
    Person {
        /// What the person reads.
        message: Text,
        /// The form, as clients are sent it.
        form: Value,
        /// What the filled in form is held to.
        contract: Contract,
        /// The blanks, for templates that name one that was not filled in.
        fields: Vec<String>,
    },
    /// The client's model completes a text.
    Model {
        /// What the model is asked.
        prompt: Text,
        /// How it is to behave.
        system_prompt: Option<Text>,
        /// The rest of the request's params, in the protocol's form.
        settings: Value,
    },
    /// The client names its folders.
    Folders,
}

impl Asks {
    /// Whom the question is for.
    #[must_use]
    pub const fn kind(&self) -> QuestionKind {
        match self {
            Self::Person { .. } => QuestionKind::Elicit,
            Self::Model { .. } => QuestionKind::Sample,
            Self::Folders => QuestionKind::Roots,
        }
    }
}

/// Whether a call can go on without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It cannot.
    Required,
    /// It can.
    Optional,
}

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// The person fills in a form: `elicitation/create`.
    Elicit,
    /// The client's model completes a text: `sampling/createMessage`.
    Sample,
    /// The client names its folders: `roots/list`.
    Roots,
}

impl QuestionKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Elicit, Self::Sample, Self::Roots];

    /// The method of the request.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Elicit => "elicitation/create",
            Self::Sample => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }

    /// The capability that a client must have declared.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Elicit => "elicitation",
            Self::Sample => "sampling",
            Self::Roots => "roots",
        }
    }

    /// The bit that stands for the capability, for ids that carry it.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::Elicit => 1,
            Self::Sample => 2,
            Self::Roots => 4,
        }
    }
}

/// How much a log entry matters, in the words of RFC 5424.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
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

impl Level {
    /// Every level, the least important one first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The level with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn levels_are_in_order_and_known_by_name() {
        assert!(Level::ALL.is_sorted());
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("loud"), None);
    }
}
