//! Floor 6. How often something may happen, counted over all replicas of a server where they have a
//! state in common, and in the memory of this one where they have not (auth.md §4.11).

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::Limiter;
use crate::{plan::Rate, state::State};

/// What one limit counts.
#[derive(Debug)]
pub struct Share {
    local: Limiter,
    what: String,
    every: Duration,
    ahead: Duration,
    state: Option<Arc<State>>,
}

impl Share {
    /// A limit by the name that replicas know it by; `keys` are told apart where it is counted here.
    #[must_use]
    pub fn new(what: impl Into<String>, rate: Rate, keys: usize, state: Option<&Arc<State>>) -> Self {
        let every = rate.per / rate.count.max(1);
        let state = state.filter(|state| state.shared().is_some()).cloned();
        Self { local: Limiter::new(rate, keys), what: what.into(), every, ahead: rate.per, state }
    }

    /// Counts events of a key. When the others cannot be asked, this server counts for itself.
    ///
    /// # Errors
    /// How long to wait, when the key has had its share.
    pub async fn take<K: Hash + ?Sized + Sync>(&self, key: &K, events: u32) -> Result<(), Duration> {
        if let Some(shared) = self.state.as_deref().and_then(State::shared) {
            // Its future is large, and most servers count for themselves.
            match Box::pin(shared.take(&self.digest(key), (self.every, self.ahead), events)).await {
                Ok(taken) => return taken,
                Err(error) => tracing::warn!(%error, "shares are counted here alone"),
            }
        }
        self.local.take_several(key, events)
    }

    /// The same for all replicas, and nothing that a key could be read from.
    fn digest<K: Hash + ?Sized>(&self, key: &K) -> [u8; 32] {
        let mut digest = Stable(Sha256::new());
        self.what.hash(&mut digest);
        key.hash(&mut digest);
        digest.0.finalize().into()
    }
}

/// A hasher whose result does not depend on the process.
struct Stable(Sha256);

impl Hasher for Stable {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
