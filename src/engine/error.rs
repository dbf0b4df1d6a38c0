//! Floor 6. Why a call failed: a class, a sentence for the model, a cause for the log.

use std::borrow::Cow;

use crate::{
    schema::{ArgumentFault, sentence},
    upstream::{FailureClass, Relay, UpstreamError},
};

/// What kind of failure a call ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The arguments were not accepted.
    Arguments,
    /// The caller may not, or lacks what the tool needs.
    Denied,
    /// Too much at once.
    Limited,
    /// The source answered with an error.
    Upstream,
    /// What was asked for is not there.
    Missing,
    /// The source could not be reached.
    Unreachable,
    /// It took too long.
    Timeout,
    /// The result is too large.
    TooLarge,
    /// The person or the client did not give the answer that the tool needs.
    Declined,
    /// The answer of the tool is an error, as its author wrote it.
    Declared,
    /// The client took the call back.
    Cancelled,
    /// A fault of this program.
    Internal,
}

impl ErrorClass {
    /// The word that logs show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Denied => "denied",
            Self::Limited => "limited",
            Self::Upstream => "upstream",
            Self::Missing => "missing",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Declined => "declined",
            Self::Declared => "declared",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// A call that failed.
#[derive(Clone, Debug)]
pub struct CallError {
    class: ErrorClass,
    public: Cow<'static, str>,
    cause: Option<String>,
    relay: Option<Relay>,
}

impl CallError {
    /// A failure with the sentence that the model is told.
    #[must_use]
    #[cold]
    pub fn new(class: ErrorClass, public: impl Into<Cow<'static, str>>) -> Self {
        Self { class, public: public.into(), cause: None, relay: None }
    }

    /// Adds the cause, for the log only.
    #[must_use]
    #[cold]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What the caller's client can do about it.
    #[must_use]
    pub const fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// The sentence that the model is told.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl From<UpstreamError> for CallError {
    #[cold]
    fn from(error: UpstreamError) -> Self {
        let class = match error.class() {
            FailureClass::Unreachable => ErrorClass::Unreachable,
            FailureClass::Timeout => ErrorClass::Timeout,
            FailureClass::Busy => ErrorClass::Limited,
            FailureClass::TooLarge => ErrorClass::TooLarge,
            FailureClass::Missing => ErrorClass::Missing,
            FailureClass::Refused => ErrorClass::Upstream,
            FailureClass::Arguments => ErrorClass::Arguments,
            FailureClass::Credential => ErrorClass::Denied,
            FailureClass::Internal => ErrorClass::Internal,
        };
        let (cause, relay) = (error.cause().map(str::to_owned), error.relay().cloned());
        Self { class, public: sentence_of(error.public()).into(), cause, relay }
    }
}

/// Sources tell faults in words without a capital and a full stop, as errors are told in logs.
fn sentence_of(words: &str) -> String {
    let mut characters = words.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", characters.as_str())
}

impl From<Vec<ArgumentFault>> for CallError {
    fn from(faults: Vec<ArgumentFault>) -> Self {
        Self::new(ErrorClass::Arguments, sentence(&faults))
    }
}
