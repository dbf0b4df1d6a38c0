//! Floor 7. Who wants to be told when lists change, and telling them. A client that does not
//! read is left out, and nobody waits for it: it has a notice that it has not read, and one
//! says as much as two.

use std::{collections::BTreeMap, fmt, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Payload, outlet::notification, session::SessionKey};

/// Who listens at once at most.
const LISTENERS_MAX: usize = 4096;
/// Streams of one session at most.
const PER_SESSION_MAX: usize = 4;

/// A list that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Tools,
    Prompts,
    Resources,
}

impl Listed {
    pub(super) const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The notification that it has changed.
    const fn method(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    /// The member that asks for it in `subscriptions/listen`.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }
}

/// What changed where: the lists of the path of one bridge, or of the path of all of them.
pub(super) type Changes = BTreeMap<Option<String>, Vec<Listed>>;

/// Who a stream belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A session, which is told everything, on one of its streams (protocol.md S-11).
    Session(SessionKey),
    /// A stateless request, which is told what it asked for, under its id as JSON
    /// (protocol.md U-05).
    Request(Box<str>),
}

/// One stream that wants to know.
pub(super) struct Listener {
    /// The bridge of its path; `None` for the path of all of them.
    pub(super) bridge: Option<String>,
    pub(super) owner: Owner,
    pub(super) wants: Vec<Listed>,
    pub(super) to: mpsc::Sender<Payload>,
}

/// Everybody who listens.
#[derive(Clone, Default)]
pub(super) struct Hub(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    next: u64,
    listeners: BTreeMap<u64, Listener>,
    closed: bool,
}

/// A place among those who listen, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Listening {
    hub: Hub,
    number: u64,
}

impl Hub {
    /// Takes a listener in; `None` when there are too many, or the server ends.
    pub(super) fn enter(&self, listener: Listener) -> Option<Listening> {
        let mut inner = self.0.lock();
        let own = |other: &&Listener| matches!(other.owner, Owner::Session(_)) && other.owner == listener.owner;
        let crowded = inner.listeners.values().filter(own).count() >= PER_SESSION_MAX;
        if inner.closed || crowded || inner.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let number = inner.next;
        inner.next += 1;
        inner.listeners.insert(number, listener);
        Some(Listening { hub: self.clone(), number })
    }

    /// Tells everybody what changed at their path.
    pub(super) fn tell(&self, changes: &Changes) {
        let inner = self.0.lock();
        let mut told: Vec<SessionKey> = Vec::new();
        // The latest stream of a session is the one that is most likely still read.
        for listener in inner.listeners.values().rev() {
            let Some(lists) = changes.get(&listener.bridge) else { continue };
            if let Owner::Session(session) = listener.owner {
                if listener.to.is_closed() || told.contains(&session) {
                    continue;
                }
                told.push(session);
            }
            for listed in lists.iter().filter(|listed| listener.wants.contains(listed)) {
                // A full queue holds notices that were not read yet.
                let _ = listener.to.try_send(notice(*listed, &listener.owner));
            }
        }
    }

    /// Ends the streams of a session.
    pub(super) fn end(&self, session: SessionKey) {
        self.0.lock().listeners.retain(|_, listener| listener.owner != Owner::Session(session));
    }

    /// Ends every stream of a session, and takes nobody in any more.
    pub(super) fn close(&self) {
        let mut inner = self.0.lock();
        inner.closed = true;
        inner.listeners.retain(|_, listener| matches!(listener.owner, Owner::Request(_)));
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hub").field("listeners", &self.0.lock().listeners.len()).finish_non_exhaustive()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The listener is dropped after the lock: its end may wake somebody.
        let _left = self.hub.0.lock().listeners.remove(&self.number);
    }
}

fn notice(listed: Listed, owner: &Owner) -> Payload {
    match owner {
        Owner::Session(_) => json!({ "jsonrpc": "2.0", "method": listed.method() }).to_string().into_bytes().into(),
        Owner::Request(id) => notification(listed.method(), &json!({ "_meta": tag(id) })),
    }
}

/// The `_meta` that says which request a message belongs to (protocol.md U-05).
pub(super) fn tag(id: &str) -> Value {
    let id = serde_json::from_str(id).unwrap_or(Value::Null);
    Value::Object(Map::from_iter([("io.modelcontextprotocol/subscriptionId".to_owned(), id)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(owner: Owner, bridge: Option<&str>, wants: &[Listed]) -> (Listener, mpsc::Receiver<Payload>) {
        let (to, coming) = mpsc::channel(4);
        (Listener { bridge: bridge.map(str::to_owned), owner, wants: wants.to_vec(), to }, coming)
    }

    fn read(coming: &mut mpsc::Receiver<Payload>) -> Vec<String> {
        let texts = std::iter::from_fn(|| coming.try_recv().ok());
        texts.map(|payload| String::from_utf8_lossy(&payload.head).into_owned()).collect()
    }

    #[test]
    fn each_is_told_what_it_wants_to_know_of_its_path() {
        let hub = Hub::default();
        let request = |id: &str| Owner::Request(id.into());
        let (all, mut from_all) = listener(request("1"), None, &Listed::ALL);
        let (prompts, mut from_prompts) = listener(request("\"p\""), None, &[Listed::Prompts]);
        let (shop, mut from_shop) = listener(request("2"), Some("shop"), &Listed::ALL);
        let _places = [hub.enter(all), hub.enter(prompts), hub.enter(shop)].map(Option::unwrap);
        hub.tell(&Changes::from([(None, vec![Listed::Tools]), (Some("other".into()), vec![Listed::Tools])]));
        let told = read(&mut from_all);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("tools/list_changed") && told[0].contains("subscriptionId\":1"), "{told:?}");
        assert!(read(&mut from_prompts).is_empty() && read(&mut from_shop).is_empty());
    }

    #[test]
    fn a_session_is_told_once_on_its_latest_stream() {
        let hub = Hub::default();
        let owner = Owner::Session(SessionKey::random().unwrap());
        let changes = Changes::from([(None, vec![Listed::Tools])]);
        let mut streams: Vec<_> = (0..PER_SESSION_MAX).map(|_| listener(owner.clone(), None, &Listed::ALL)).collect();
        let mut receivers = Vec::new();
        let mut places = Vec::new();
        for (listener, coming) in streams.drain(..) {
            places.push(hub.enter(listener).unwrap());
            receivers.push(coming);
        }
        assert!(hub.enter(listener(owner, None, &[]).0).is_none(), "one stream too many");
        hub.tell(&changes);
        let counts: Vec<_> = receivers.iter_mut().map(|coming| read(coming).len()).collect();
        assert_eq!(counts, [0, 0, 0, 1]);
        // The latest has gone, so the one before it is told; and nobody waits for one that does not read.
        drop(receivers.pop());
        for _ in 0..100 {
            hub.tell(&changes);
        }
        let counts: Vec<_> = receivers.iter_mut().map(|coming| read(coming).len()).collect();
        assert_eq!(counts, [0, 0, 4]);
        drop(places);
        assert!(hub.0.lock().listeners.is_empty());
    }
}
