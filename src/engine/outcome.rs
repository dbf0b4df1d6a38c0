//! Floor 6. The result of one call, as far as it can be told without a protocol revision.

use std::sync::Arc;

use bytes::Bytes;

use super::{CallError, ErrorClass, Question};
use crate::plan::{LinkAbout, Media};
use crate::upstream::Relay;

/// The result of one call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the model reads.
    pub body: Body,
    /// Why the call failed, when it did.
    pub failure: Option<ErrorClass>,
    /// What the caller's client can do about the failure.
    pub relay: Option<Relay>,
}

/// What the model reads.
#[derive(Clone, Debug)]
pub enum Body {
    /// Text as it is.
    Text(String),
    /// A JSON document of the source, which becomes the text. It has not been looked into.
    Document(Bytes),
    /// A JSON object that is the structured content, and printed the text too.
    Structured(Bytes),
    /// Content of several kinds.
    Blocks(Vec<Block>),
    /// There is no result yet: the client is to answer these first.
    Questions(Vec<Question>),
    /// Structured content beside a text of its own.
    Both {
        /// The text.
        text: String,
        /// A JSON object.
        structured: Bytes,
    },
}

/// One part of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Text.
    Text(String),
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A resource with its content.
    Resource(Contents),
    /// The address of a resource.
    Link {
        /// The address.
        uri: String,
        /// What is known of the resource.
        about: Arc<LinkAbout>,
    },
}

/// A resource with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its address; `None` stands for that of the resource that is read.
    pub uri: Option<String>,
    /// The type of the content.
    pub mime_type: Option<Arc<str>>,
    /// The content.
    pub body: ContentsBody,
}

/// The content of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentsBody {
    /// Text.
    Text(String),
    /// Anything else, in base64.
    Blob(Arc<str>),
}

impl Outcome {
    /// A result.
    #[must_use]
    pub const fn fine(body: Body) -> Self {
        Self { body, failure: None, relay: None }
    }
}

impl From<CallError> for Outcome {
    /// A failed call is a result that the model can act on (protocol.md T-07).
    fn from(error: CallError) -> Self {
        let relay = error.relay().cloned();
        Self { body: Body::Text(error.public().to_owned()), failure: Some(error.class()), relay }
    }
}
