//! Floor 3. Tools as they are listed and called.

use std::time::Duration;

use serde_json::Value;

use super::{
    Admission, Bound, BridgeId, Caching, CallerPart, Confirmation, Item, Output, Query, QuestionKind, Reply, SourceId,
    Transaction, rest, sql, steps::Steps, test::Test,
};
use crate::schema::Arguments;

/// One tool.
#[derive(Debug)]
pub struct Tool {
    /// The name clients call, with the bridge's prefix.
    pub name: String,
    /// The bridge it belongs to.
    pub bridge: BridgeId,
    /// The name people are shown.
    pub title: Option<String>,
    /// What the model decides by.
    pub description: String,
    /// Its groups in the instructions.
    pub tags: Vec<String>,
    /// The published schema of the arguments, which is also what is enforced.
    pub input_schema: Value,
    /// The compiled form of `input_schema`.
    pub arguments: Arguments,
    /// Names of every declared param, for templates that name one that was not given.
    pub declared: Vec<String>,
    /// Params that the server binds.
    pub bound: Vec<Bound>,
    /// Arguments that clients of 2026-07-28 repeat in headers.
    pub mirrors: Vec<Mirror>,
    /// Parts of the caller's identity that the request is made of: a caller without one is refused.
    pub needs: Vec<CallerPart>,
    /// Who may see and call it, and how often.
    pub admission: Admission,
    /// What a person must agree to before it runs.
    pub confirm: Option<Box<Confirmation>>,
    /// What the tool does.
    pub operation: Operation,
    /// How the result is shaped.
    pub output: Output,
    /// The published schema of the structured content.
    pub output_schema: Option<Value>,
    /// Hints for the client.
    pub annotations: Annotations,
    /// How long a call may take.
    pub timeout: Duration,
    /// How many calls may be under way at once.
    pub concurrency: Option<usize>,
    /// How long its results are kept.
    pub cache: Option<Caching>,
    /// What `mcp-bridge test` runs.
    pub tests: Vec<Test>,
}

impl Tool {
    /// Whether the tool can tell or ask the client anything before its result. Calls of tools that
    /// cannot need nothing but the result to be sent.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.confirm.is_some()
            || match &self.operation {
                // Whoever waits for another attempt or another page is told so.
                Operation::Rest(request) => request.care.retry.is_some() || request.care.paginate.is_some(),
                Operation::Sql(_) | Operation::Transaction(_) => false,
                Operation::Steps(_) => true,
                Operation::Reply(reply) => reply.speaks(),
            }
    }

    /// Whether the tool writes to the client's log.
    #[must_use]
    pub fn logs(&self) -> bool {
        match &self.operation {
            Operation::Reply(reply) => reply.items.iter().any(|item| matches!(item, Item::Log(_))),
            Operation::Rest(_) | Operation::Sql(_) | Operation::Transaction(_) | Operation::Steps(_) => false,
        }
    }

    /// What a client must be able to be asked for the tool to run at all.
    pub fn demands(&self) -> impl Iterator<Item = QuestionKind> {
        let reply = match &self.operation {
            Operation::Reply(reply) => Some(reply),
            Operation::Rest(_) | Operation::Sql(_) | Operation::Transaction(_) | Operation::Steps(_) => None,
        };
        reply.into_iter().flat_map(|reply| reply.demands())
    }

    /// Whether the tool may change something, by what it does and not by what its hints say.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.operation.writes()
    }
}

/// An argument that is repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The names that lead to it, from the arguments on.
    pub path: Vec<String>,
    /// What follows `mcp-param-` in the header's name, in lower case.
    pub header: String,
}

/// What a tool does.
#[derive(Debug)]
pub enum Operation {
    /// One REST request.
    Rest(Box<rest::Request>),
    /// One SQL statement.
    Sql(Box<Query>),
    /// Several SQL statements, kept together or not at all.
    Transaction(Box<Transaction>),
    /// Several calls, one after the other.
    Steps(Box<Steps>),
    /// A fixed answer.
    Reply(Box<Reply>),
}

impl Operation {
    /// Whether it may change something.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Rest(request) => !request.reads(),
            Self::Sql(query) => query.access == sql::Access::Write,
            Self::Transaction(_) => true,
            Self::Steps(steps) => steps.all.iter().any(|step| step.call.writes()),
            Self::Reply(_) => false,
        }
    }

    /// The sources it works on.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceId> {
        match self {
            Self::Rest(request) => vec![request.source],
            Self::Sql(query) => vec![query.source],
            Self::Transaction(transaction) => vec![transaction.source],
            Self::Steps(steps) => steps.all.iter().map(|step| step.call.source()).collect(),
            Self::Reply(_) => Vec::new(),
        }
    }
}

/// Hints for the client about what a tool may do (protocol.md T-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent hints of the protocol")]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy or overwrite something.
    pub destructive: bool,
    /// Twice is the same as once.
    pub idempotent: bool,
    /// It reaches beyond a closed world.
    pub open_world: bool,
}
