//! Floor 7. Calls that a client can take back. Nothing is kept of a call that has ended.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{session::SessionKey, wire};

/// A call, known by its id, which is unique only within a session.
#[derive(Debug)]
struct Call {
    session: SessionKey,
    id: Box<str>,
    withdrawn: Notify,
}

impl Call {
    fn new(session: SessionKey, id: &str) -> Self {
        Self { session, id: wire::spelled(id).into(), withdrawn: Notify::new() }
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        (self.session, &self.id) == (other.session, &other.id)
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.session, &self.id).hash(state);
    }
}

/// The calls under way that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<Arc<Call>>>>);

/// Forgets the call when it has ended.
#[derive(Debug)]
pub(super) struct Ticket {
    all: InFlight,
    call: Arc<Call>,
}

impl InFlight {
    /// Remembers a call while the ticket lives. `None` without a session: then nobody could say
    /// which client's call an id means.
    pub(super) fn enter(&self, session: Option<SessionKey>, id: &str) -> Option<Ticket> {
        let call = Arc::new(Call::new(session?, id));
        self.0.lock().replace(Arc::clone(&call));
        Some(Ticket { all: self.clone(), call })
    }

    /// Takes a call back. An id that is not under way is ignored (protocol.md U-04).
    pub(super) fn cancel(&self, session: SessionKey, id: &str) {
        if let Some(call) = self.0.lock().get(&Call::new(session, id)) {
            call.withdrawn.notify_one();
        }
    }
}

impl Ticket {
    /// Ends when the client takes the call back.
    pub(super) async fn cancelled(&self) {
        self.call.withdrawn.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        // A client that uses an id twice at once gave it to the later call.
        if let Some(known) = all.take(&*self.call)
            && !Arc::ptr_eq(&known, &self.call)
        {
            all.insert(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_id_that_is_used_twice_at_once_is_that_of_the_later_call() {
        let all = InFlight::default();
        let session = SessionKey::random().unwrap();
        let enter = || all.enter(Some(session), "7").unwrap();
        let is_withdrawn = |ticket: &Ticket| ticket.cancelled().now_or_never().is_some();

        let (earlier, later) = (enter(), enter());
        let elsewhere = all.enter(SessionKey::random(), "7").unwrap();
        all.cancel(session, "7");
        assert_eq!([&earlier, &later, &elsewhere].map(is_withdrawn), [false, true, false]);

        let latest = enter();
        drop((earlier, later));
        all.cancel(session, "7");
        assert!(is_withdrawn(&latest), "the end of the earlier ones does not forget it");

        let (first, last) = (enter(), enter());
        drop(last);
        all.cancel(session, "7");
        assert!(!is_withdrawn(&first), "an id is that of one call");
        drop((first, latest, elsewhere));
        assert!(all.0.lock().is_empty(), "nothing is kept of a call that has ended");
        assert!(all.enter(None, "7").is_none());
    }
}
