//! Floor 5. Why an upstream gave no answer: a class, a sentence the model may see, and the
//! cause for the log. No driver text, address, SQL or value is ever part of the sentence.

use std::{borrow::Cow, fmt};

/// What went wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The source could not be reached, or is not what the plan says.
    Unreachable,
    /// It took longer than it may.
    Timeout,
    /// Too many calls are under way already.
    Busy,
    /// The answer is larger than it may be.
    TooLarge,
    /// The source answered, and the answer is an error.
    Refused,
    /// What was to be changed is not there.
    Missing,
    /// The request could not be built from these arguments.
    Arguments,
    /// The caller sent no credential for this source.
    Credential,
    /// A fault of this program.
    Internal,
}

/// A call to a source that failed.
#[derive(Debug)]
pub struct UpstreamError {
    class: FailureClass,
    public: Cow<'static, str>,
    cause: Option<String>,
    unsent: bool,
    relay: Option<Relay>,
}

/// What the client of a caller can do about a credential that a source refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relay {
    /// Get a new token.
    SignIn,
    /// Get a token with these scopes.
    Scope(String),
}

impl UpstreamError {
    /// A failure with the sentence that the model is told.
    #[must_use]
    #[cold]
    pub fn new(class: FailureClass, public: impl Into<Cow<'static, str>>) -> Self {
        Self { class, public: public.into(), cause: None, unsent: false, relay: None }
    }

    /// Adds the cause, for the log only. Strip addresses and values before.
    #[must_use]
    #[cold]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The same failure in other words for the model.
    #[must_use]
    #[cold]
    pub fn retold(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.public = words(&self.public).into();
        self
    }

    /// Adds what the caller's client can do about it.
    #[must_use]
    #[cold]
    pub fn relayed(mut self, relay: Relay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// What the caller's client can do about it.
    #[must_use]
    pub const fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// Says that nothing of the request reached the source.
    #[must_use]
    pub const fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// Whether nothing of the request reached the source.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> FailureClass {
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

impl fmt::Display for UpstreamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.cause.as_deref().unwrap_or(&self.public))
    }
}

impl std::error::Error for UpstreamError {}
