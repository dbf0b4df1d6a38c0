//! Floor 6. The client at the other end of one call: what it can be told, and what it can be
//! asked, before the result. How that travels is the protocol's business.

use futures_util::future::{BoxFuture, FutureExt, ready};
use serde_json::Value;

pub use crate::plan::{Level, QuestionKind};

/// The client at the other end of one call.
pub trait Peer: Send + Sync {
    /// Tells how far the call has come; nothing when the client did not ask to be told
    /// (protocol.md U-01).
    fn progress(&self, progress: &Progress);

    /// Adds to the client's log, when the client wants entries of this level (protocol.md U-02).
    fn log(&self, entry: &LogEntry);

    /// Asks the client, and through it the person or its model (protocol.md M-01, M-02).
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Asked>;

    /// What the client declared that it can be asked.
    fn abilities(&self) -> Abilities;
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is done, in the author's unit; it grows from one to the next.
    pub value: f64,
    /// What there is to do, where that is known.
    pub total: Option<f64>,
    /// What is being done.
    pub message: Option<String>,
}

/// An entry of the client's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// How much it matters.
    pub level: Level,
    /// The part of the server that speaks.
    pub logger: Option<String>,
    /// What is told.
    pub data: Value,
}

/// A question to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The name of the question within its tool: answers come back under it.
    pub key: String,
    /// Whom it is for.
    pub kind: QuestionKind,
    /// The params of the request, in the protocol's form.
    pub params: Value,
    /// What must be known for an answer to count.
    pub proof: Proof,
}

/// What must be known for an answer to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: an answer may come before its question.
    NotNeeded,
    /// That the client was asked this very question, and that the answer was not used before.
    Needed,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The result that the client sent, as it came: an answer may also say no.
    Answered(Value),
    /// The answer comes with a later request, and this call ends by saying what it needs.
    Later,
    /// The client cannot be asked.
    Impossible,
    /// The client was asked, and answered with an error, too late, or not at all.
    Unanswered,
}

/// What a client declared that it can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities(u8);

impl Abilities {
    /// Reads the `capabilities` of a client. `elicitation: {}` means forms, and a client that
    /// names only other modes has none (protocol.md §1.4).
    #[must_use]
    pub fn read(capabilities: &Value) -> Self {
        let declares = |kind: QuestionKind| {
            let declared = capabilities.get(kind.capability()).and_then(Value::as_object);
            declared.is_some_and(|modes| {
                kind != QuestionKind::Elicit || modes.contains_key("form") || !modes.contains_key("url")
            })
        };
        QuestionKind::ALL.into_iter().filter(|kind| declares(*kind)).fold(Self::default(), Self::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, kind: QuestionKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether the client can be asked questions of a kind.
    #[must_use]
    pub const fn has(self, kind: QuestionKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The abilities as a number below 8, for ids that carry them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The abilities of a number; bits that mean nothing are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }
}

/// A client that is told nothing before the result and cannot be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Peer for Silent {
    fn progress(&self, _: &Progress) {}

    fn log(&self, _: &LogEntry) {}

    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Asked> {
        ready(Asked::Impossible).boxed()
    }

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_can_be_asked_what_it_declared() {
        for (capabilities, expected) in [
            (json!({}), vec![]),
            (json!({ "elicitation": {} }), vec![QuestionKind::Elicit]),
            (json!({ "elicitation": { "form": {}, "url": {} } }), vec![QuestionKind::Elicit]),
            (json!({ "elicitation": { "url": {} } }), vec![]),
            (
                json!({ "sampling": {}, "roots": { "listChanged": true } }),
                vec![QuestionKind::Sample, QuestionKind::Roots],
            ),
            (json!({ "sampling": true, "elicitation": null }), vec![]),
        ] {
            let abilities = Abilities::read(&capabilities);
            let found: Vec<_> = QuestionKind::ALL.into_iter().filter(|kind| abilities.has(*kind)).collect();
            assert_eq!(found, expected, "{capabilities}");
            assert_eq!(Abilities::from_bits(abilities.bits()), abilities);
        }
    }
}
