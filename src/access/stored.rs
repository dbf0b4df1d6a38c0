//! Floor 7. API keys of the state: each is looked up for every request, so that a key that is
//! revoked is of no use from then on.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::Map;

use super::Refused;
use crate::{
    engine::{Identified, Identity, Principal},
    plan::{Assertion, Implied, Server, with_implied},
    state::{Key, KeyFault, Standing, State, Token},
};

/// How long the last use of a key may be out of date, in seconds.
const TOUCHED_EVERY: i64 = 60;

/// The keys that the state keeps.
#[derive(Debug)]
pub(super) struct StoredKeys {
    state: Arc<State>,
    /// What scopes include.
    implied: Implied,
    /// When each key was last noted as used. There are as many as keys were made.
    touched: Mutex<HashMap<String, i64>>,
}

impl StoredKeys {
    pub(super) fn new(state: Arc<State>, server: &Server) -> Self {
        Self { state, implied: server.scopes.clone(), touched: Mutex::default() }
    }

    /// Whose key it is; `None` where another machine has to be asked.
    pub(super) fn find_at_once(&self, token: &Token<'_>, now: i64) -> Option<Result<Arc<Principal>, Refused>> {
        self.state.key_at_once(&token.digest).map(|found| self.told(found, now))
    }

    /// Whose key it is.
    pub(super) async fn find(&self, token: &Token<'_>, now: i64) -> Result<Arc<Principal>, Refused> {
        let found = self.state.key(&token.digest).await;
        self.told(found, now)
    }

    fn told(&self, found: Result<Option<Key>, KeyFault>, now: i64) -> Result<Arc<Principal>, Refused> {
        let key = found.map_err(|error| {
            tracing::warn!(%error, "keys cannot be looked up");
            Refused::Unavailable
        })?;
        let key = key.ok_or(Refused::Invalid)?;
        match key.standing(now) {
            Standing::Valid => {}
            Standing::Expired => return Err(Refused::Expired),
            Standing::Revoked => return Err(Refused::Invalid),
        }
        self.touch(&key, now);
        Ok(Arc::new(self.principal(key)))
    }

    fn principal(&self, key: Key) -> Principal {
        let scopes = with_implied(&self.implied, key.scopes.iter().map(String::as_str));
        Principal::new(Identity {
            kind: Identified::ApiKey,
            id: key.id,
            subject: Some(key.name.clone()),
            name: key.name,
            workspace: key.workspace,
            client_id: None,
            scopes,
            claims: Map::new(),
            end_users: if key.asserts_end_user { Assertion::Believed } else { Assertion::Hearsay },
        })
    }

    /// Notes once a minute that a key was used, without making anybody wait.
    fn touch(&self, key: &Key, now: i64) {
        let is_due = {
            let mut touched = self.touched.lock();
            let last = touched.entry(key.id.clone()).or_insert(key.last_used_at.unwrap_or(i64::MIN));
            let is_due = last.saturating_add(TOUCHED_EVERY) <= now;
            if is_due {
                *last = now;
            }
            is_due
        };
        if is_due {
            let (state, id) = (Arc::clone(&self.state), key.id.clone());
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = runtime.block_on(state.touch_key(&id, now)) {
                    tracing::warn!(%error, "the use of a key was not noted");
                }
            });
        }
    }
}
