//! Floor 7. Calls that a client can take back. Nothing is kept of a call that has ended.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Which call is meant: ids are only unique within a session, and sessions are unguessable.
fn key(session: &str, id: &str) -> Option<Arc<str>> {
    is_session(session).then(|| [session, id].concat().into())
}

/// The calls under way that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Arc<str>, Arc<Notify>>>>);

/// Forgets the call when it has ended.
#[derive(Debug)]
pub(super) struct Ticket {
    all: InFlight,
    key: Arc<str>,
    withdrawn: Arc<Notify>,
}

impl InFlight {
    /// Remembers a call while the ticket lives. `None` without a session: then nobody could say
    /// which client's call an id means.
    pub(super) fn enter(&self, session: Option<&str>, id: &str) -> Option<Ticket> {
        let key = key(session?, id)?;
        let withdrawn = Arc::new(Notify::new());
        self.0.lock().insert(Arc::clone(&key), Arc::clone(&withdrawn));
        Some(Ticket { all: self.clone(), key, withdrawn })
    }

    /// Takes a call back. An id that is not under way is ignored (protocol.md U-04).
    pub(super) fn cancel(&self, session: Option<&str>, id: &str) {
        let Some(key) = session.and_then(|session| key(session, id)) else { return };
        if let Some(withdrawn) = self.0.lock().get(&key) {
            withdrawn.notify_one();
        }
    }
}

impl Ticket {
    /// Ends when the client takes the call back.
    pub(super) async fn cancelled(&self) {
        self.withdrawn.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        // A client that uses an id twice at once gave it to the later call.
        if all.get(&self.key).is_some_and(|known| Arc::ptr_eq(known, &self.withdrawn)) {
            all.remove(&self.key);
        }
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
