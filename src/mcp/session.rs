//! Floor 7. Session ids: everything that is known of a session stands in its id, marked so that
//! nobody can change it and no other caller can use it (protocol.md S-14 to S-17).
//!
//! An open session costs no memory, so a restart or a second replica answers it. What is kept
//! besides is bounded and harmless to lose: which sessions were ended, and which log level was
//! asked for.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use super::{
    Revision,
    hub::Lists,
    recent::Recent,
    seal::{MARK, Seal},
};
use crate::engine::{Abilities, Level, Principal};

/// How long an id is good for. It grants nothing by itself: credentials are asked for with every
/// request.
const LIFE: Duration = Duration::from_hours(30 * 24);
/// The layout of an id; another one is another number.
const LAYOUT: u8 = 1;
/// What stands before the mark: layout, revision, abilities, expiry, key.
const FACTS: usize = 3 + 4 + KEY;
const KEY: usize = 12;
/// What is logged to a client that has not said what it wants (protocol.md U-02).
const LEVEL: Level = Level::Info;

/// Tells sessions apart: random, and known to its client only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionKey([u8; KEY]);

impl SessionKey {
    /// A key of its own; `None` when the system has no randomness.
    pub(super) fn random() -> Option<Self> {
        let mut bytes = [0; KEY];
        getrandom::fill(&mut bytes).ok().map(|()| Self(bytes))
    }

    /// The key as text that can stand in an address.
    pub(super) fn text(self) -> String {
        BASE64.encode(self.0)
    }
}

/// A client with a handshake, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Tells it apart.
    pub(super) key: SessionKey,
    /// What was agreed on.
    pub(super) revision: Revision,
    /// What the client said it can be asked.
    pub(super) abilities: Abilities,
    /// The lists that the handshake declared: of no other one is the client told (protocol.md L-06).
    pub(super) lists: Lists,
}

/// The sessions of this server.
#[derive(Debug)]
pub(super) struct Sessions {
    seal: Seal,
    ended: Recent<SessionKey, ()>,
    levels: Recent<SessionKey, Level>,
}

impl Sessions {
    /// Sessions whose ids carry the marks of this seal.
    pub(super) fn new(seal: Seal) -> Self {
        Self { seal, ended: Recent::default(), levels: Recent::default() }
    }

    /// Whether a later secret makes the same marks.
    pub(super) fn has(&self, seal: &Seal) -> bool {
        seal.holds(&[], &self.seal.mark(&[]))
    }

    /// Opens a session and returns its id; `None` when the system has no randomness.
    pub(super) fn open(
        &self,
        revision: Revision,
        (abilities, lists): (Abilities, Lists),
        principal: &Principal,
    ) -> Option<String> {
        let key = SessionKey::random()?;
        let number = Revision::LEGACY.iter().position(|known| *known == revision)?;
        let expiry = u32::try_from(now().saturating_add(LIFE.as_secs())).unwrap_or(u32::MAX);
        let mut id = Vec::with_capacity(FACTS + MARK);
        // What is not declared stands there, so that ids of before there was this say that everything is.
        let declared = abilities.bits() | (lists.others() << 4);
        id.extend_from_slice(&[LAYOUT, u8::try_from(number).unwrap_or_default(), declared]);
        id.extend_from_slice(&expiry.to_be_bytes());
        id.extend_from_slice(&key.0);
        let mark = self.mark(&id, principal);
        id.extend_from_slice(&mark);
        Some(BASE64.encode(id))
    }

    /// The session with this id; `None` when it is not one of ours, is another caller's, or has
    /// ended.
    pub(super) fn find(&self, id: &str, principal: &Principal) -> Option<Session> {
        // The decoder wants room for a last group that is not whole.
        let mut bytes = [0; FACTS + MARK + 2];
        let length = BASE64.decode_slice(id, &mut bytes).ok().filter(|length| *length == FACTS + MARK)?;
        let (facts, mark) = bytes.get(..length)?.split_at_checked(FACTS)?;
        let [LAYOUT, revision, declared, e0, e1, e2, e3, key @ ..] = facts else { return None };
        let key = SessionKey(key.try_into().ok()?);
        let revision = *Revision::LEGACY.get(usize::from(*revision))?;
        let expired = u64::from(u32::from_be_bytes([*e0, *e1, *e2, *e3])) < now();
        let parts = owner(principal);
        let known = self.seal.holds(&[facts, parts[0], parts[1], parts[2]], mark);
        let open = known && !expired && self.ended.get(key).is_none();
        let (abilities, lists) = (Abilities::from_bits(*declared), Lists::all_but(*declared >> 4));
        open.then_some(Session { key, revision, abilities, lists })
    }

    fn mark(&self, facts: &[u8], principal: &Principal) -> [u8; MARK] {
        let parts = owner(principal);
        self.seal.mark(&[facts, parts[0], parts[1], parts[2]])
    }

    /// Ends a session: its id is nobody's from now on.
    pub(super) fn end(&self, key: SessionKey) {
        self.ended.put(key, ());
    }

    /// What the client wants to be told, and more important things.
    pub(super) fn level(&self, key: SessionKey) -> Level {
        self.levels.get(key).unwrap_or(LEVEL)
    }

    /// Remembers what the client wants to be told.
    pub(super) fn set_level(&self, key: SessionKey, level: Level) {
        self.levels.put(key, level);
    }
}

/// What of a caller must be the same whenever it shows the id.
pub(super) fn owner(caller: &Principal) -> [&[u8]; 3] {
    [caller.kind().name(), caller.subject().unwrap_or_default(), caller.workspace().unwrap_or_default()]
        .map(str::as_bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        engine::{Identified, Identity, QuestionKind},
        mcp::hub::Listed,
        plan::Assertion,
    };

    fn sessions() -> Sessions {
        Sessions::new(Seal::new(b"one secret", "session"))
    }

    fn caller(kind: Identified, subject: &str, workspace: Option<&str>) -> Principal {
        Principal::new(Identity {
            id: String::new(),
            kind,
            name: "somebody".into(),
            subject: Some(subject.into()),
            workspace: workspace.map(str::to_owned),
            client_id: None,
            scopes: BTreeSet::new(),
            claims: serde_json::Map::new(),
            end_users: Assertion::Hearsay,
        })
    }

    #[test]
    fn an_id_says_what_was_agreed_on_to_every_replica() {
        let me = Principal::anonymous();
        let abilities = Abilities::default().with(QuestionKind::Elicit);
        for revision in Revision::LEGACY {
            let lists = Lists::that(|listed| listed != Listed::Prompts);
            let id = sessions().open(revision, (abilities, lists), &me).unwrap();
            assert!(id.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{id}");
            let found = sessions().find(&id, &me).unwrap();
            assert_eq!((found.revision, found.abilities, found.lists), (revision, abilities, lists));
        }
    }

    #[test]
    fn only_its_own_caller_has_a_session_until_it_ends() {
        let mine = sessions();
        let me = caller(Identified::ApiKey, "me", Some("acme"));
        let id = mine.open(Revision::V2025_06_18, (Abilities::default(), Lists::all_but(0)), &me).unwrap();
        for other in [
            Principal::anonymous(),
            caller(Identified::ApiKey, "you", Some("acme")),
            caller(Identified::ApiKey, "me", None),
            caller(Identified::Token, "me", Some("acme")),
        ] {
            assert!(mine.find(&id, &other).is_none(), "{other:?}");
        }
        assert!(Sessions::new(Seal::new(b"two", "session")).find(&id, &me).is_none());
        for at in 0..id.len() {
            let mut changed = id.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(mine.find(&changed, &me).is_none(), "{changed}");
        }
        for none in ["", "x", &id[1..], &format!("{id}A"), &id.repeat(2)] {
            assert!(mine.find(none, &me).is_none(), "{none}");
        }
        let key = mine.find(&id, &me).unwrap().key;
        mine.end(key);
        assert!(mine.find(&id, &me).is_none());
    }
}
