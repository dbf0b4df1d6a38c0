//! Floor 7. Calls that a client can take back. Nothing is kept of a call that has ended.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Which call is meant: ids are only unique within a session, and sessions are unguessable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    session: Box<str>,
    id: Box<str>,
}

/// The calls under way that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Key, CancellationToken>>>);

/// Forgets the call when it has ended.
#[derive(Debug)]
pub(super) struct Ticket {
    all: InFlight,
    key: Key,
    token: CancellationToken,
}

impl InFlight {
    /// Remembers a call while the ticket lives. `None` without a session: then nobody could say
    /// which client's call an id means.
    pub(super) fn enter(&self, session: Option<&str>, id: &str) -> Option<Ticket> {
        let session = session.filter(|session| is_session(session))?;
        let key = Key { session: session.into(), id: id.into() };
        let token = CancellationToken::new();
        self.0.lock().insert(key.clone(), token.clone());
        Some(Ticket { all: self.clone(), key, token })
    }

    /// Takes a call back. An id that is not under way is ignored (protocol.md U-04).
    pub(super) fn cancel(&self, session: Option<&str>, id: &str) {
        let Some(session) = session else { return };
        let key = Key { session: session.into(), id: id.into() };
        if let Some(token) = self.0.lock().get(&key) {
            token.cancel();
        }
    }
}

impl Ticket {
    /// Ends when the client takes the call back.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.key);
    }
}

/// A new session's id: 128 random bits. It is never looked up, only told apart, so a restart or
/// a second replica takes every client's requests on.
pub(super) fn new_session() -> Option<String> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Whether a header's value has the form of an id of ours.
fn is_session(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
