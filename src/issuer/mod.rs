//! Floor 6. Issuers of signed tokens: what they publish of themselves, their keys, fetched again when they
//! change, and whether a token is one of theirs.

pub mod claims;
mod jwt;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::jwk::JwkSet;
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    plan::{self, is_local},
    upstream::rest::{FetchFault, Fetcher, Named},
};

pub use jwt::{Form, Said, unverified};

use jwt::Wanted;

/// How long keys and documents are used before they are looked for again.
const FRESH: Duration = Duration::from_mins(10);
/// How long keys are used when the issuer does not answer.
const USABLE: Duration = Duration::from_hours(24);
/// How often an issuer is asked for its keys at most within [`PERIOD`]: tokens with made-up keys must
/// not make us ask more.
const ASKED: usize = 3;
const PERIOD: Duration = Duration::from_secs(90);

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is not one of the issuer's for us.
    Invalid,
    /// It was one, and its time is over.
    Expired,
    /// The issuer cannot be asked just now.
    Unavailable,
}

/// One issuer of signed tokens.
#[derive(Debug)]
pub struct Issuer {
    about: plan::Issuer,
    fetcher: Fetcher,
    document: RwLock<Option<(Arc<Value>, Instant)>>,
    keys: RwLock<Option<Keys>>,
    /// When it was asked for its keys; who holds it asks, and the others wait for what is found.
    asking: Mutex<VecDeque<Instant>>,
}

#[derive(Clone, Debug)]
struct Keys {
    set: Arc<JwkSet>,
    since: Instant,
}

impl Issuer {
    /// Takes an issuer of a plan. Nothing is asked.
    #[must_use]
    pub fn new(about: &plan::Issuer, fetcher: Fetcher) -> Self {
        Self {
            about: about.clone(),
            fetcher,
            document: RwLock::default(),
            keys: RwLock::default(),
            asking: Mutex::default(),
        }
    }

    /// What the plan says of it.
    #[must_use]
    pub const fn about(&self) -> &plan::Issuer {
        &self.about
    }

    /// Verifies a signed token and returns its claims: its issuer, its audience, its time and its signature are
    /// right.
    ///
    /// # Errors
    /// Why it is not believed.
    pub async fn verify(&self, token: &str, said: &Said) -> Result<Value, Doubt> {
        let algorithm = said.algorithm.filter(|algorithm| self.about.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Doubt::Invalid)?;
        let wanted =
            Wanted { issuer: &self.about.id, audiences: &self.about.audiences, algorithm, leeway: self.about.leeway };
        let find = |keys: &Keys| keys.set.keys.iter().find(|key| jwt::fits(key, said, algorithm)).cloned();
        let mut keys = self.keys(None).await?;
        if find(&keys).is_none() {
            // The issuer may have new ones.
            keys = self.keys(Some(keys.since)).await?;
        }
        let key = find(&keys).ok_or(Doubt::Invalid)?;
        jwt::verify(token, &key, &wanted)
    }

    /// What the issuer publishes about itself (RFC 8414, OpenID Connect Discovery 1.0 §3).
    ///
    /// # Errors
    /// [`Doubt::Unavailable`].
    pub async fn document(&self) -> Result<Arc<Value>, Doubt> {
        self.discovered().await.map_err(|fault| self.unavailable(&fault))
    }

    /// The issuer's keys: other ones than those of a time, if there is one.
    async fn keys(&self, other_than: Option<Instant>) -> Result<Keys, Doubt> {
        let fitting = |keys: &Keys| other_than.map_or(keys.since.elapsed() < FRESH, |time| keys.since > time);
        let known = self.keys.read().clone();
        if let Some(keys) = known.filter(fitting) {
            return Ok(keys);
        }
        let mut asked = self.asking.lock().await;
        let known = self.keys.read().clone();
        if let Some(keys) = known.clone().filter(fitting) {
            return Ok(keys);
        }
        asked.retain(|time| time.elapsed() < PERIOD);
        let fetched = if asked.len() < ASKED {
            asked.push_back(Instant::now());
            self.fetch().await.map_err(|fault| self.unavailable(&fault))
        } else {
            Err(Doubt::Unavailable)
        };
        match (fetched, known) {
            (Ok(set), _) => {
                let keys = Keys { set: Arc::new(set), since: Instant::now() };
                *self.keys.write() = Some(keys.clone());
                Ok(keys)
            }
            (Err(_), Some(keys)) if keys.since.elapsed() < USABLE => Ok(keys),
            (Err(doubt), _) => Err(doubt),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, FetchFault> {
        let (url, named) = if let Some(url) = &self.about.jwks {
            (url.clone(), Named::InTheFile)
        } else {
            let document = self.discovered().await?;
            let broken = || FetchFault::Broken(self.about.id.clone(), "it names no keys".into());
            self.place_of_keys(&document).ok_or_else(broken)?
        };
        let document = self.fetcher.document(&url, named).await?;
        // A key that is not understood keeps none of the others from being used.
        let keys = document.get("keys").and_then(Value::as_array).into_iter().flatten();
        Ok(JwkSet { keys: keys.filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
    }

    async fn discovered(&self) -> Result<Arc<Value>, FetchFault> {
        let known = self.document.read().clone();
        if let Some((document, _)) = known.filter(|(_, since)| since.elapsed() < FRESH) {
            return Ok(document);
        }
        let document = Arc::new(self.discover().await?);
        *self.document.write() = Some((Arc::clone(&document), Instant::now()));
        Ok(document)
    }

    /// The document in which the issuer says where its keys are: RFC 8414 first, then OpenID Connect in both
    /// forms.
    async fn discover(&self) -> Result<Value, FetchFault> {
        let mut last = FetchFault::Address(self.about.id.clone());
        for url in places(&self.about.url) {
            let document = match self.fetcher.document(&url, Named::InTheFile).await {
                Ok(document) => document,
                Err(fault) => {
                    last = fault;
                    continue;
                }
            };
            if document.get("issuer").and_then(Value::as_str) != Some(&self.about.id) {
                last = FetchFault::Broken(url.to_string(), "it is about another issuer".into());
            } else if self.place_of_keys(&document).is_none() {
                last = FetchFault::Broken(url.to_string(), "it names no keys".into());
            } else {
                return Ok(document);
            }
        }
        Err(last)
    }

    fn place_of_keys(&self, document: &Value) -> Option<(Url, Named)> {
        let keys = document.get("jwks_uri").and_then(Value::as_str).and_then(|keys| Url::parse(keys).ok())?;
        if keys.origin() == self.about.url.origin() {
            // The issuer's own origin is the author's word.
            return Some((keys, Named::InTheFile));
        }
        (!is_local(&keys)).then_some((keys, Named::InADocument))
    }

    fn unavailable(&self, fault: &FetchFault) -> Doubt {
        tracing::warn!(issuer = %self.about.id, %fault, "an issuer cannot be asked");
        Doubt::Unavailable
    }
}

fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/').to_owned();
    let before = |document: &str| format!("/.well-known/{document}{path}");
    let mut paths = vec![before("oauth-authorization-server"), format!("{path}/.well-known/openid-configuration")];
    if !path.is_empty() {
        paths.push(before("openid-configuration"));
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    paths.into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_looked_for_in_every_form_that_issuers_use() {
        for (issuer, expected) in [
            (
                "https://idp.example",
                &[
                    "https://idp.example/.well-known/oauth-authorization-server",
                    "https://idp.example/.well-known/openid-configuration",
                ][..],
            ),
            (
                "https://idp.example/realms/a",
                &[
                    "https://idp.example/.well-known/oauth-authorization-server/realms/a",
                    "https://idp.example/realms/a/.well-known/openid-configuration",
                    "https://idp.example/.well-known/openid-configuration/realms/a",
                ],
            ),
        ] {
            let found: Vec<_> = places(&Url::parse(issuer).unwrap()).iter().map(Url::to_string).collect();
            assert_eq!(found, expected);
        }
    }
}
