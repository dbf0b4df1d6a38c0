//! Floor 7. API keys of the files: found by digest, compared in constant time (auth.md §4.8).

use std::sync::Arc;

use serde_json::Map;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    engine::{Identified, Identity, Principal},
    plan::{ApiKey, ApiKeys, KeyProof, Server},
    secret::Vault,
};

/// The keys that stand in the files.
#[derive(Debug)]
pub(super) struct FixedKeys(Vec<Key>);

#[derive(Debug)]
struct Key {
    digest: [u8; 32],
    principal: Arc<Principal>,
}

impl FixedKeys {
    pub(super) fn new(declared: &ApiKeys, server: &Server, vault: &Vault) -> Self {
        let keys = declared.keys.iter().filter_map(|key| {
            let digest = match key.proof {
                KeyProof::Digest(digest) => digest,
                KeyProof::Value(id) => Sha256::digest(vault.get(id)?.expose().as_bytes()).into(),
            };
            Some(Key { digest, principal: Arc::new(principal(key, server)) })
        });
        Self(keys.collect())
    }

    /// Whose key it is.
    pub(super) fn find(&self, given: &[u8]) -> Option<&Arc<Principal>> {
        if self.0.is_empty() {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(given).into();
        // Every key is compared, whichever fits.
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.digest.ct_eq(&digest)) {
                found = Some(&key.principal);
            }
        }
        found
    }
}

fn principal(key: &ApiKey, server: &Server) -> Principal {
    Principal::new(Identity {
        kind: Identified::ApiKey,
        id: key.name.clone(),
        name: key.name.clone(),
        subject: Some(key.name.clone()),
        workspace: key.workspace.clone(),
        client_id: None,
        scopes: server.with_implied(key.scopes.iter().map(String::as_str)),
        claims: Map::new(),
        end_users: key.end_users,
    })
}
