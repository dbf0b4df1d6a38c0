//! Floor 7. Who wants to be told when lists and resources change, and telling them. A client that does not
//! read is left out, and nobody waits for it: it has a notice that it has not read, and one
//! says as much as two.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use serde_json::{Map, json};
use tokio::sync::mpsc;

use super::{
    Payload,
    printing::notification,
    session::SessionKey,
    watches::{Watched, Watches},
};

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

/// Some of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lists(u8);

impl Lists {
    /// Those of which something holds.
    pub(super) fn that(holds: impl Fn(Listed) -> bool) -> Self {
        let bits = Listed::ALL.into_iter().enumerate().filter(|(_, listed)| holds(*listed)).map(|(at, _)| 1_u8 << at);
        Self(bits.sum())
    }

    /// Those among them, in order.
    pub(super) fn each(self) -> Vec<Listed> {
        let all = Listed::ALL.into_iter().enumerate();
        all.filter(|(at, _)| self.0 & (1 << at) != 0).map(|(_, listed)| listed).collect()
    }

    /// The other ones as a number below 8, for ids that carry them.
    pub(super) const fn others(self) -> u8 {
        !self.0 & 7
    }

    /// All but those of a number; bits that mean nothing are dropped.
    pub(super) const fn all_but(others: u8) -> Self {
        Self(!others & 7)
    }
}

/// What changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// The lists of the path of one bridge, or of the path of all of them.
    pub(super) lists: BTreeMap<Option<String>, Vec<Listed>>,
    /// The resources among those that somebody wants to be told of.
    pub(super) resources: BTreeSet<Watched>,
}

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
    /// Addresses of resources that a stateless request is told of; sessions ask for theirs one by one.
    pub(super) resources: Vec<String>,
    pub(super) to: mpsc::Sender<Payload>,
}

/// Everybody who listens.
#[derive(Clone, Default)]
pub(super) struct Hub(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    next: u64,
    listeners: BTreeMap<u64, Listener>,
    watches: Watches,
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
        // Every path has lists of its own, so a session that listens at two is told of both; at one path it is
        // told on one stream (protocol.md S-11).
        let mut told: BTreeSet<(SessionKey, Option<&str>)> = BTreeSet::new();
        let mut informed: BTreeSet<SessionKey> = BTreeSet::new();
        // The latest stream of a session is the one that is most likely still read.
        for listener in inner.listeners.values().rev() {
            if listener.to.is_closed() {
                continue;
            }
            let lists = changes.lists.get(&listener.bridge);
            let (tells, informs) = match listener.owner {
                Owner::Request(_) => (lists.is_some(), true),
                Owner::Session(session) => {
                    (lists.is_some() && told.insert((session, listener.bridge.as_deref())), informed.insert(session))
                }
            };
            for listed in lists.into_iter().flatten().filter(|listed| tells && listener.wants.contains(listed)) {
                // A full queue holds notices that were not read yet.
                let _ = listener.to.try_send(notice(*listed, &listener.owner));
            }
            for uri in inner.concerning(listener).into_iter().filter(|_| informs) {
                if changes.resources.contains(&uri) {
                    let _ = listener.to.try_send(update(&uri.1, &listener.owner));
                }
            }
        }
    }

    /// Remembers that a session wants to be told of a resource; `None` when it is one too many for it.
    pub(super) fn watch(&self, session: SessionKey, resource: Watched) -> Option<()> {
        self.0.lock().watches.add(session, resource)
    }

    /// Forgets that a session wants to be told of a resource.
    pub(super) fn unwatch(&self, session: SessionKey, resource: &Watched) {
        self.0.lock().watches.remove(session, resource);
    }

    /// The resources that anybody wants to be told of.
    pub(super) fn watched(&self) -> BTreeSet<Watched> {
        let inner = self.0.lock();
        let asked = inner
            .listeners
            .values()
            .flat_map(|listener| listener.resources.iter().map(|uri| (listener.bridge.clone(), uri.clone())));
        inner.watches.all().cloned().chain(asked).collect()
    }

    /// Ends the streams of a session, and forgets what it wants.
    pub(super) fn end(&self, session: SessionKey) {
        let mut inner = self.0.lock();
        inner.watches.end(session);
        inner.listeners.retain(|_, listener| listener.owner != Owner::Session(session));
    }

    /// Ends every stream of a session, and takes nobody in any more.
    pub(super) fn close(&self) {
        let mut inner = self.0.lock();
        inner.closed = true;
        inner.listeners.retain(|_, listener| matches!(listener.owner, Owner::Request(_)));
    }
}

impl Inner {
    /// The resources that a stream is told of.
    fn concerning(&self, listener: &Listener) -> Vec<Watched> {
        match listener.owner {
            Owner::Session(session) => self.watches.of(session).to_vec(),
            Owner::Request(_) => listener.resources.iter().map(|uri| (listener.bridge.clone(), uri.clone())).collect(),
        }
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
        Owner::Request(id) => notification(listed.method(), Map::new(), &[("_meta", &tag(id))]),
    }
}

fn update(uri: &str, owner: &Owner) -> Payload {
    let (method, params) = ("notifications/resources/updated", Map::from_iter([("uri".to_owned(), json!(uri))]));
    match owner {
        Owner::Session(_) => notification(method, params, &[]),
        Owner::Request(id) => notification(method, params, &[("_meta", &tag(id))]),
    }
}

/// The `_meta` that says which request a message belongs to (protocol.md U-05).
pub(super) fn tag(id: &str) -> String {
    format!("{{\"io.modelcontextprotocol/subscriptionId\":{id}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(owner: Owner, bridge: Option<&str>, wants: &[Listed]) -> (Listener, mpsc::Receiver<Payload>) {
        let (to, coming) = mpsc::channel(4);
        (
            Listener { bridge: bridge.map(str::to_owned), owner, wants: wants.to_vec(), resources: Vec::new(), to },
            coming,
        )
    }

    fn lists<const N: usize>(all: [(Option<String>, Vec<Listed>); N]) -> Changes {
        Changes { lists: BTreeMap::from(all), resources: BTreeSet::new() }
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
        hub.tell(&lists([(None, vec![Listed::Tools]), (Some("other".into()), vec![Listed::Tools])]));
        let told = read(&mut from_all);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("tools/list_changed") && told[0].contains("subscriptionId\":1"), "{told:?}");
        assert!(read(&mut from_prompts).is_empty() && read(&mut from_shop).is_empty());
    }

    #[test]
    fn a_session_is_told_once_on_its_latest_stream() {
        let hub = Hub::default();
        let owner = Owner::Session(SessionKey::random().unwrap());
        let changes = lists([(None, vec![Listed::Tools])]);
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

    #[test]
    fn a_session_at_two_paths_is_told_of_both() {
        let hub = Hub::default();
        let owner = Owner::Session(SessionKey::random().unwrap());
        let (shop, mut from_shop) = listener(owner.clone(), Some("shop"), &Listed::ALL);
        let (desk, mut from_desk) = listener(owner, Some("desk"), &Listed::ALL);
        let _places = [hub.enter(shop), hub.enter(desk)].map(Option::unwrap);
        let of = |shop: &[Listed], desk: &[Listed]| {
            lists([(Some("shop".into()), shop.to_vec()), (Some("desk".into()), desk.to_vec())])
        };
        for (changes, counts) in [
            (of(&[Listed::Tools], &[]), [1, 0]),
            (of(&[], &[Listed::Tools]), [0, 1]),
            (of(&[Listed::Tools], &[Listed::Prompts]), [1, 1]),
        ] {
            hub.tell(&changes);
            assert_eq!([read(&mut from_shop).len(), read(&mut from_desk).len()], counts, "{changes:?}");
        }
    }

    #[test]
    fn a_changed_resource_is_told_to_those_who_asked_for_it() {
        let hub = Hub::default();
        let [one, two] = [(); 2].map(|()| SessionKey::random().unwrap());
        let resource = |bridge: Option<&str>, uri: &str| (bridge.map(str::to_owned), uri.to_owned());
        // A session may ask at one path and listen at another.
        hub.watch(one, resource(Some("shop"), "shop://a")).unwrap();
        hub.watch(one, resource(None, "shop://b")).unwrap();
        hub.watch(two, resource(None, "shop://b")).unwrap();
        hub.unwatch(two, &resource(None, "shop://b"));
        let mut ends = Vec::new();
        let mut places = Vec::new();
        for (owner, addresses) in [
            (Owner::Session(one), vec![]),
            (Owner::Session(one), vec![]),
            (Owner::Session(two), vec![]),
            (Owner::Request("7".into()), vec!["shop://b".to_owned()]),
        ] {
            let (listener, coming) = listener(owner, None, &[]);
            places.push(hub.enter(Listener { resources: addresses, ..listener }).unwrap());
            ends.push(coming);
        }
        assert_eq!(hub.watched(), BTreeSet::from([resource(Some("shop"), "shop://a"), resource(None, "shop://b")]));
        let both = BTreeSet::from([resource(Some("shop"), "shop://a"), resource(None, "shop://b")]);
        hub.tell(&Changes { resources: both, ..Changes::default() });
        let told: Vec<_> = ends.iter_mut().map(read).collect();
        assert_eq!((told[0].len(), told[1].len(), told[2].len(), told[3].len()), (0, 2, 0, 1), "{told:?}");
        assert!(told[1][0].contains("resources/updated") && told[1][0].contains(r#""uri":"shop://a""#), "{told:?}");
        assert!(told[3][0].contains(r#"subscriptionId":7"#), "{told:?}");
        hub.end(one);
        assert!(hub.watched() == BTreeSet::from([resource(None, "shop://b")]), "the request still asks");
    }
}
