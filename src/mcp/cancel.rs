//! Floor 7. Calls that a client can take back. Nothing is kept of a call that has ended.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{session::SessionKey, wire};

/// Which call is meant: ids are only unique within a session.
type Key = (SessionKey, Box<str>);

/// The calls under way that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Key, Arc<Notify>>>>);

/// Forgets the call when it has ended.
#[derive(Debug)]
pub(super) struct Ticket {
    all: InFlight,
    key: Key,
    withdrawn: Arc<Notify>,
}

impl InFlight {
    /// Remembers a call while the ticket lives. `None` without a session: then nobody could say
    /// which client's call an id means.
    pub(super) fn enter(&self, session: Option<SessionKey>, id: &str) -> Option<Ticket> {
        let key = (session?, wire::spelled(id).into());
        let withdrawn = Arc::new(Notify::new());
        self.0.lock().insert(key.clone(), Arc::clone(&withdrawn));
        Some(Ticket { all: self.clone(), key, withdrawn })
    }

    /// Takes a call back. An id that is not under way is ignored (protocol.md U-04).
    pub(super) fn cancel(&self, session: SessionKey, id: &str) {
        if let Some(withdrawn) = self.0.lock().get(&(session, wire::spelled(id).into())) {
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
