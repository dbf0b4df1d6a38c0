//! Floor 3. Tests of tools, ready to run: a call, what the sources answer, and what must come of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::select::Path;

/// One test of a tool.
#[derive(Debug)]
pub struct Test {
    /// What is tested.
    pub name: String,
    /// The arguments of the call.
    pub arguments: Map<String, Value>,
    /// Who is calling; `None` for anybody.
    pub caller: Option<TestCaller>,
    /// What the sources answer.
    pub stubs: Stubs,
    /// The requests that must be sent, in turn; `None` when they are not looked at.
    pub requests: Option<Vec<ExpectedRequest>>,
    /// What the result must be.
    pub expected: Expected,
}

/// Who is calling in a test.
#[derive(Clone, Debug)]
pub struct TestCaller {
    /// The name.
    pub name: String,
    /// Who it is.
    pub subject: Option<String>,
    /// The workspace.
    pub workspace: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// What else the credential says.
    pub claims: Map<String, Value>,
    /// The person behind the caller.
    pub end_user: Option<String>,
}

/// What the sources answer in a test.
#[derive(Clone, Debug)]
pub enum Stubs {
    /// Nothing that the author wrote: only databases that make themselves answer.
    None,
    /// The same to every request.
    Always(Stub),
    /// These in turn, each once.
    InTurn(Vec<Stub>),
}

impl Stubs {
    /// Every answer.
    #[must_use]
    pub fn all(&self) -> &[Stub] {
        match self {
            Self::None => &[],
            Self::Always(stub) => std::slice::from_ref(stub),
            Self::InTurn(all) => all,
        }
    }
}

/// One answer of a source.
#[derive(Clone, Debug)]
pub enum Stub {
    /// Of an API.
    Answer(StubAnswer),
    /// Of an API that does not answer.
    Failure(StubFailure),
    /// Of a database.
    Rows(StubRows),
}

impl Stub {
    /// Whether it is one of a database.
    #[must_use]
    pub const fn is_of_database(&self) -> bool {
        matches!(self, Self::Rows(_))
    }
}

/// An answer of an API.
#[derive(Clone, Debug)]
pub struct StubAnswer {
    /// The status.
    pub status: u16,
    /// The headers: lower-case names with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StubFailure {
    /// Nobody is there.
    Unreachable,
    /// Nothing comes in time.
    Timeout,
}

/// An answer of a database.
#[derive(Clone, Debug, Default)]
pub struct StubRows {
    /// The rows.
    pub rows: Vec<Map<String, Value>>,
    /// How many rows were changed.
    pub affected: Option<u64>,
    /// The id of the row that was added.
    pub last_insert_id: Option<i64>,
}

/// What a request must be. Only what is there is compared.
#[derive(Clone, Debug, Default)]
pub struct ExpectedRequest {
    /// The method, in capitals.
    pub method: Option<String>,
    /// Path and query, or the whole address.
    pub url: Option<String>,
    /// The whole query: names with their values.
    pub query: Option<Vec<(String, String)>>,
    /// Headers that are among those that are sent: lower-case names with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<ExpectedBody>,
    /// The statement, with single blanks.
    pub sql: Option<String>,
    /// What is bound, in order.
    pub values: Option<Vec<Value>>,
}

/// What the body of a request must be.
#[derive(Clone, Debug)]
pub enum ExpectedBody {
    /// This value, as JSON.
    Json(Value),
    /// This form: names with their values.
    Form(Vec<(String, String)>),
    /// This text.
    Text(String),
}

/// What a result must be. All of it must hold.
#[derive(Debug, Default)]
pub struct Expected {
    /// Whether it is an error.
    pub error: bool,
    /// The whole text.
    pub text: Option<String>,
    /// Parts of the text.
    pub contains: Vec<String>,
    /// Values at places in the result.
    pub values: Vec<ExpectedValue>,
    /// The whole structured content.
    pub structured: Option<Value>,
}

/// A value at a place in the result.
#[derive(Debug)]
pub struct ExpectedValue {
    /// The place as it is written.
    pub source: String,
    /// The place.
    pub path: Path,
    /// The value.
    pub value: Value,
}

/// How long one test may take, whatever its tool may: a stub that never answers does not hold up the others.
pub const TEST_TIME_MAX: Duration = Duration::from_secs(30);
