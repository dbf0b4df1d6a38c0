//! Floor 7. API keys: found by digest, compared in constant time (auth.md §4.8).

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    engine::{Identified, Identity, Principal},
    plan::{ApiKey, KeyProof, Server},
    secret::Vault,
};

/// Longer credentials are none (auth.md §4.2).
const LONGEST: usize = 4096;

/// Tells who is calling.
#[derive(Debug)]
pub struct Authenticator {
    keys: Option<Vec<Key>>,
    header: Option<String>,
    anonymous: Arc<Principal>,
}

#[derive(Debug)]
struct Key {
    digest: [u8; 32],
    principal: Arc<Principal>,
}

/// The credentials of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// The one `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The one header that may carry the key besides.
    pub header: Option<&'a [u8]>,
}

/// Who is calling.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// Somebody known.
    Known(&'a Arc<Principal>),
    /// No credential was sent.
    Missing,
    /// A credential was sent, and it is not one of ours.
    Invalid,
}

impl Authenticator {
    /// Takes the keys of a plan.
    #[must_use]
    pub fn new(server: &Server, vault: &Vault) -> Self {
        let keys = server.api_keys.as_ref().map(|declared| {
            let keys = declared.keys.iter().filter_map(|key| {
                let digest = match key.proof {
                    KeyProof::Digest(digest) => digest,
                    KeyProof::Value(id) => Sha256::digest(vault.get(id)?.expose().as_bytes()).into(),
                };
                let principal = Arc::new(principal(key, server));
                Some(Key { digest, principal })
            });
            keys.collect()
        });
        let header = server.api_keys.as_ref().and_then(|declared| declared.header.clone());
        Self { keys, header, anonymous: Arc::new(Principal::anonymous()) }
    }

    /// The header that may carry a key besides `Authorization`, in lower case.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// Whether callers must identify themselves.
    #[must_use]
    pub const fn required(&self) -> bool {
        self.keys.is_some()
    }

    /// Tells who presents these credentials. The key's own header goes first; a credential in
    /// `Authorization` beside it is the caller's, for the upstream.
    #[must_use]
    pub fn identify(&self, presented: Presented<'_>) -> Verdict<'_> {
        if self.keys.is_none() {
            return Verdict::Known(&self.anonymous);
        }
        let given = match (presented.header, presented.authorization) {
            (Some(key), _) => Some(key),
            (None, Some(authorization)) => bearer(authorization),
            (None, None) => return Verdict::Missing,
        };
        given.and_then(|given| self.find(given)).map_or(Verdict::Invalid, Verdict::Known)
    }

    /// Whether a header's value is a key of this server, with or without a scheme. Such a value
    /// is not the caller's to pass on, whichever header it stands in.
    #[must_use]
    pub fn is_key(&self, value: &[u8]) -> bool {
        self.find(value.trim_ascii()).is_some() || bearer(value).is_some_and(|token| self.find(token).is_some())
    }

    fn find(&self, given: &[u8]) -> Option<&Arc<Principal>> {
        if given.is_empty() || given.len() > LONGEST {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(given).into();
        // Every key is compared, whichever fits.
        let mut found = None;
        for key in self.keys.iter().flatten() {
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
        name: key.name.clone(),
        subject: Some(key.name.clone()),
        workspace: key.workspace.clone(),
        client_id: None,
        scopes: server.with_implied(key.scopes.iter().map(String::as_str)),
        claims: serde_json::Map::new(),
        end_users: key.end_users,
    })
}

/// The token of `Bearer …`; the scheme in any case (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{ApiKeys, Assertion},
        secret::Secret,
    };

    #[test]
    fn a_key_is_found_by_value_and_by_digest_in_either_header() {
        let mut vault = Vault::default();
        let value = KeyProof::Value(vault.store(Secret::new("first-key-of-the-test".into())));
        let digest = KeyProof::Digest(Sha256::digest(b"second-key-of-the-test").into());
        let key = |name: &str, proof| ApiKey {
            name: name.into(),
            proof,
            workspace: None,
            scopes: Vec::new(),
            end_users: Assertion::Hearsay,
        };
        let keys = ApiKeys { keys: vec![key("one", value), key("two", digest)], header: Some("x-api-key".into()) };
        let server = Server { api_keys: Some(keys), ..Server::default() };
        let all = Authenticator::new(&server, &vault);
        let told = |authorization: Option<&str>, header: Option<&str>| {
            let presented =
                Presented { authorization: authorization.map(str::as_bytes), header: header.map(str::as_bytes) };
            match all.identify(presented) {
                Verdict::Known(principal) => principal.name().to_owned(),
                Verdict::Missing => "missing".into(),
                Verdict::Invalid => "invalid".into(),
            }
        };
        for (authorization, header, expected) in [
            (Some("Bearer first-key-of-the-test"), None, "one"),
            (Some("bearer  second-key-of-the-test "), None, "two"),
            (None, Some("second-key-of-the-test"), "two"),
            (Some("Bearer of-the-upstream"), Some("first-key-of-the-test"), "one"),
            (Some("Bearer first-key-of-the-test"), Some("wrong"), "invalid"),
            (Some("Basic first-key-of-the-test"), None, "invalid"),
            (Some("Bearer first-key-of-the-tes"), None, "invalid"),
            (Some("Bearer "), None, "invalid"),
            (None, None, "missing"),
        ] {
            assert_eq!(told(authorization, header), expected, "{authorization:?} {header:?}");
        }
        for (value, ours) in [
            ("first-key-of-the-test", true),
            ("Bearer second-key-of-the-test", true),
            ("Bearer of-the-upstream", false),
            ("", false),
        ] {
            assert_eq!(all.is_key(value.as_bytes()), ours, "{value}");
        }
    }
}
