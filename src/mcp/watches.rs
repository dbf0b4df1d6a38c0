//! Floor 7. Which resources sessions want to be told of (protocol.md R-05). Kept within bounds: the
//! session that asked longest ago is forgotten first, and a forgotten one only reads less often.

use std::collections::HashMap;

use super::session::SessionKey;

/// Resources that one session or one request is told of, at most.
pub(super) const PER_OWNER_MAX: usize = 32;
/// Bytes of an address at most.
pub(super) const ADDRESS_MAX: usize = 1024;
/// Resources of all sessions at most.
const WATCHED_MAX: usize = 16_384;

/// A resource as clients know it: the bridge of the path, if it is one bridge's, and the address.
pub(super) type Watched = (Option<String>, String);

/// What sessions want to be told of.
#[derive(Debug, Default)]
pub(super) struct Watches {
    sessions: HashMap<SessionKey, Own>,
    count: usize,
    turn: u64,
}

#[derive(Debug, Default)]
struct Own {
    /// When it asked last.
    turn: u64,
    resources: Vec<Watched>,
}

impl Watches {
    /// Adds a resource; `None` when it is one too many for the session.
    pub(super) fn add(&mut self, session: SessionKey, resource: Watched) -> Option<()> {
        let own = self.sessions.entry(session).or_default();
        self.turn += 1;
        own.turn = self.turn;
        if own.resources.contains(&resource) {
            return Some(());
        }
        if own.resources.len() >= PER_OWNER_MAX {
            return None;
        }
        own.resources.push(resource);
        self.count += 1;
        while self.count > WATCHED_MAX {
            let oldest = self.sessions.iter().min_by_key(|(_, own)| own.turn).map(|(session, _)| *session);
            self.end(oldest?);
        }
        Some(())
    }

    /// Takes a resource back.
    pub(super) fn remove(&mut self, session: SessionKey, resource: &Watched) {
        let Some(own) = self.sessions.get_mut(&session) else { return };
        let before = own.resources.len();
        own.resources.retain(|other| other != resource);
        self.count -= before - own.resources.len();
        if own.resources.is_empty() {
            self.sessions.remove(&session);
        }
    }

    /// Forgets a session.
    pub(super) fn end(&mut self, session: SessionKey) {
        self.count -= self.sessions.remove(&session).map_or(0, |own| own.resources.len());
    }

    /// What a session wants to be told of.
    pub(super) fn of(&self, session: SessionKey) -> &[Watched] {
        self.sessions.get(&session).map_or(&[], |own| own.resources.as_slice())
    }

    /// What anybody wants to be told of.
    pub(super) fn all(&self) -> impl Iterator<Item = &Watched> {
        self.sessions.values().flat_map(|own| &own.resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(number: usize) -> Watched {
        (None, format!("shop://{number}"))
    }

    #[test]
    fn a_session_has_what_it_asked_for_until_it_takes_it_back() {
        let mut watches = Watches::default();
        let [one, two] = [(); 2].map(|()| SessionKey::random().unwrap());
        for (session, number) in [(one, 1), (one, 1), (one, 2), (two, 1)] {
            watches.add(session, resource(number)).unwrap();
        }
        assert_eq!((watches.of(one), watches.count), (&[resource(1), resource(2)][..], 3));
        watches.remove(one, &resource(1));
        watches.remove(one, &resource(7));
        assert_eq!((watches.of(one), watches.of(two).len()), (&[resource(2)][..], 1));
        watches.end(two);
        watches.remove(one, &resource(2));
        assert!(watches.sessions.is_empty() && watches.count == 0);
    }

    #[test]
    fn there_are_bounds_for_one_and_for_all() {
        let mut watches = Watches::default();
        let sessions: Vec<_> = (0..=WATCHED_MAX / PER_OWNER_MAX).map(|_| SessionKey::random().unwrap()).collect();
        for session in &sessions {
            for number in 0..PER_OWNER_MAX {
                watches.add(*session, resource(number)).unwrap();
            }
            assert_eq!(watches.add(*session, resource(PER_OWNER_MAX)), None);
        }
        assert_eq!(watches.count, WATCHED_MAX);
        assert!(watches.of(sessions[0]).is_empty(), "who asked longest ago is forgotten");
        assert_eq!(watches.of(sessions[1]).len(), PER_OWNER_MAX);
    }
}
