//! Floor 5. What the sources of one call were asked, and what they answered: played from the stubs
//! of a test in their place, or taken down from live ones. Serves `mcp-bridge test`.

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::plan::test::{Stub, StubAnswer, StubFailure, StubRows, Stubs};

/// The tape of one call.
#[derive(Debug, Default)]
pub struct Tape {
    spool: Mutex<Spool>,
}

#[derive(Debug, Default)]
struct Spool {
    always: Option<Stub>,
    /// Those that are left, in turn.
    left: Vec<Stub>,
    asked: Vec<Asked>,
    answered: Vec<Stub>,
    unanswered: Vec<Asked>,
}

/// What a source was asked. Of what is played, no credential is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// A request.
    Request {
        /// The method.
        method: String,
        /// The whole address.
        url: String,
        /// Headers in the order of their names.
        headers: Vec<(String, String)>,
        /// The body.
        body: Option<Bytes>,
    },
    /// A statement.
    Statement {
        /// Its text, with the placeholders of the engine.
        sql: String,
        /// What was bound, in order.
        values: Vec<Value>,
    },
}

impl Tape {
    /// A tape that plays these.
    #[must_use]
    pub fn playing(stubs: &Stubs) -> Self {
        let (always, left) = match stubs {
            Stubs::None => (None, Vec::new()),
            Stubs::Always(stub) => (Some(stub.clone()), Vec::new()),
            Stubs::InTurn(all) => (None, all.clone()),
        };
        Self { spool: Mutex::new(Spool { always, left, ..Spool::default() }) }
    }

    /// All that was asked, in turn.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.spool.lock().asked.clone()
    }

    /// What live sources answered, in turn.
    #[must_use]
    pub fn answered(&self) -> Vec<Stub> {
        self.spool.lock().answered.clone()
    }

    /// What was asked and nothing was there to answer with.
    #[must_use]
    pub fn unanswered(&self) -> Vec<Asked> {
        self.spool.lock().unanswered.clone()
    }

    /// How many answers nobody asked for.
    #[must_use]
    pub fn left(&self) -> usize {
        self.spool.lock().left.len()
    }

    /// Takes down what is asked.
    pub(super) fn ask(&self, asked: Asked) {
        self.spool.lock().asked.push(asked);
    }

    /// Takes down what a live API answered.
    pub(super) fn answer(&self, status: u16, headers: &http::HeaderMap, body: &Bytes) {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let stub = Stub::Answer(StubAnswer { status, headers, body: body.clone() });
        self.spool.lock().answered.push(stub);
    }

    /// Takes down what a live database answered.
    pub(super) fn rows(&self, rows: Vec<Map<String, Value>>, (affected, last_insert_id): (Option<u64>, Option<i64>)) {
        self.spool.lock().answered.push(Stub::Rows(StubRows { rows, affected, last_insert_id }));
    }

    /// The next answer of an API.
    pub(super) fn play_answer(&self) -> Option<Result<StubAnswer, StubFailure>> {
        match self.play(|stub| !stub.is_of_database())? {
            Stub::Answer(answer) => Some(Ok(answer)),
            Stub::Failure(failure) => Some(Err(failure)),
            Stub::Rows(_) => None,
        }
    }

    /// The next answer of a database.
    pub(super) fn play_rows(&self) -> Option<StubRows> {
        match self.play(Stub::is_of_database)? {
            Stub::Rows(rows) => Some(rows),
            Stub::Answer(_) | Stub::Failure(_) => None,
        }
    }

    fn play(&self, fits: impl Fn(&Stub) -> bool) -> Option<Stub> {
        let spool = &mut *self.spool.lock();
        if let Some(stub) = spool.always.as_ref().filter(|stub| fits(stub)) {
            return Some(stub.clone());
        }
        let next = spool.left.iter().position(fits);
        if next.is_none() {
            spool.unanswered.extend(spool.asked.last().cloned());
        }
        next.map(|at| spool.left.remove(at))
    }
}
