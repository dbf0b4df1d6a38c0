//! Floor 7. Requests of the server that wait for a client's answer (protocol.md M-01). Kept only
//! while a call waits; the answer is believed when it comes in the same session.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{session::SessionKey, wire};

/// Requests that wait at once at most.
const WAITING_MAX: usize = 4096;

/// What the client answered: its result, or nothing for an error.
type Answer = Option<Value>;

/// Which request is meant, and who waits for its answer.
type Table = HashMap<(SessionKey, Box<str>), oneshot::Sender<Answer>>;

/// The requests that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    waiting: Mutex<Table>,
}

/// One request that waits. Forgotten when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    all: Asks,
    session: SessionKey,
    id: Box<str>,
    answer: oneshot::Receiver<Answer>,
}

impl Asks {
    /// A request to a session; `None` when too many wait.
    pub(super) fn begin(&self, session: SessionKey) -> Option<Waiting> {
        let id: Box<str> = format!("\"ask-{}\"", self.0.next.fetch_add(1, Ordering::Relaxed)).into();
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.0.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        waiting.insert((session, id.clone()), sender);
        Some(Waiting { all: self.clone(), session, id, answer })
    }

    /// Hands an answer to whoever waits for it. One that nobody waits for is dropped.
    pub(super) fn answer(&self, session: SessionKey, id: &str, answer: Answer) {
        let waiting = self.0.waiting.lock().remove(&(session, wire::spelled(id).into()));
        if let Some(waiting) = waiting {
            // Whoever asked may have gone.
            let _ = waiting.send(answer);
        }
    }

    /// Tells everybody who waits for a session that no answer will come.
    pub(super) fn end(&self, session: SessionKey) {
        self.0.waiting.lock().retain(|(other, _), _| *other != session);
    }
}

impl Waiting {
    /// The id of the request, as JSON.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The result that the client sends; `None` when it sends an error or its session ends.
    pub(super) async fn answered(&mut self) -> Answer {
        (&mut self.answer).await.ok().flatten()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.0.waiting.lock().remove(&(self.session, self.id.clone()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_the_one_who_asked_in_its_session() {
        let asks = Asks::default();
        let [one, two] = [(); 2].map(|()| SessionKey::random().unwrap());
        let mut waiting = asks.begin(one).unwrap();
        asks.answer(two, waiting.id(), Some(json!("somebody else's")));
        asks.answer(one, "\"ask-99\"", Some(json!("another")));
        // However its client spells the id.
        asks.answer(one, &waiting.id().replace('-', "\\u002d"), Some(json!("mine")));
        assert_eq!(waiting.answered().await, Some(json!("mine")));
        let mut ended = asks.begin(two).unwrap();
        asks.end(two);
        assert_eq!(ended.answered().await, None);
        drop((waiting, ended));
        assert!(asks.0.waiting.lock().is_empty());
    }
}
