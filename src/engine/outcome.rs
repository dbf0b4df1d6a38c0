//! Floor 6. The result of one call, as far as it can be told without a protocol revision.

use bytes::Bytes;

use super::{CallError, ErrorClass};

/// The result of one call.
#[derive(Debug)]
pub struct Outcome {
    /// What the model reads.
    pub body: Body,
    /// Why the call failed, when it did.
    pub failure: Option<ErrorClass>,
}

/// What the model reads.
#[derive(Debug)]
pub enum Body {
    /// Text as it is.
    Text(String),
    /// A JSON document of the source, which becomes the text. It has not been looked into.
    Document(Bytes),
    /// A JSON object that is the structured content, and printed the text too.
    Structured(Vec<u8>),
    /// Structured content beside a text of its own.
    Both {
        /// The text.
        text: String,
        /// A JSON object.
        structured: Vec<u8>,
    },
}

impl Outcome {
    /// A result.
    #[must_use]
    pub const fn fine(body: Body) -> Self {
        Self { body, failure: None }
    }
}

impl From<CallError> for Outcome {
    /// A failed call is a result that the model can act on (protocol.md T-07).
    fn from(error: CallError) -> Self {
        Self { body: Body::Text(error.public().to_owned()), failure: Some(error.class()) }
    }
}
