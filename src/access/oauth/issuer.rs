//! Floor 7. One issuer: its keys, found where it says and fetched again when they change, and what
//! it says about tokens that only it can read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use jsonwebtoken::jwk::JwkSet;
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::{
    claims,
    jwt::{self, Said, Wanted},
};
use crate::{
    access::Refused,
    engine::{Limiter, Principal},
    plan::{self, Implied, Rate, is_local},
    secret::{Secret, Vault},
    upstream::rest::{FetchFault, Fetcher, Named},
};

/// How long keys are used before they are looked for again.
const FRESH: Duration = Duration::from_mins(10);
/// How long they are used when the issuer does not answer.
const USABLE: Duration = Duration::from_hours(24);
/// How often an issuer is asked for its keys at most: tokens with made-up keys must not make us
/// ask more.
const ASKED: Rate = Rate { count: 3, per: Duration::from_secs(90) };

/// One issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    about: plan::Issuer,
    implied: Implied,
    client_secret: Option<Secret<String>>,
    fetcher: Fetcher,
    keys: RwLock<Option<Keys>>,
    asking: Mutex<()>,
    asked: Limiter,
}

#[derive(Clone, Debug)]
struct Keys {
    set: Arc<JwkSet>,
    since: Instant,
}

impl Issuer {
    pub(super) fn new(about: &plan::Issuer, implied: &Implied, vault: &Vault, fetcher: Fetcher) -> Self {
        let secret = about.introspection.as_ref().and_then(|asked| vault.get(asked.client_secret)).cloned();
        Self {
            about: about.clone(),
            implied: implied.clone(),
            client_secret: secret,
            fetcher,
            keys: RwLock::default(),
            asking: Mutex::default(),
            asked: Limiter::new(ASKED, 1),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.about.id
    }

    pub(super) const fn introspects(&self) -> bool {
        self.about.introspection.is_some()
    }

    /// Verifies a signed token; tells whose it is, and how long it is still valid.
    pub(super) async fn verify(&self, token: &str, said: &Said) -> Result<(Principal, Duration), Refused> {
        let algorithm = said.algorithm.filter(|algorithm| self.about.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Refused::Invalid)?;
        let wanted =
            Wanted { issuer: &self.about.id, audiences: &self.about.audiences, algorithm, leeway: self.about.leeway };
        let find = |keys: &Keys| keys.set.keys.iter().find(|key| jwt::fits(key, said, algorithm)).cloned();
        let mut keys = self.keys(None).await?;
        if find(&keys).is_none() {
            // The issuer may have new ones.
            keys = self.keys(Some(keys.since)).await?;
        }
        let key = find(&keys).ok_or(Refused::Invalid)?;
        let claims = jwt::verify(token, &key, &wanted)?;
        self.principal(&claims)
    }

    /// Asks the issuer about a token (RFC 7662). What it does not say is not so: neither the
    /// audience nor the end may be missing.
    pub(super) async fn introspect(&self, token: &str) -> Result<(Principal, Duration), Refused> {
        let (Some(asked), Some(secret)) = (&self.about.introspection, &self.client_secret) else {
            return Err(Refused::Invalid);
        };
        let form = [("token", token), ("token_type_hint", "access_token")];
        let answer = self.fetcher.ask(&asked.url, (&asked.client_id, secret), &form).await;
        let claims = answer.map_err(|fault| self.unavailable(&fault))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_for_us = match claims.get("aud") {
            Some(Value::String(one)) => self.about.audiences.contains(one),
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).any(|one| self.about.audiences.iter().any(|ours| ours == one))
            }
            _ => false,
        };
        let is_begun = claims.get("nbf").and_then(Value::as_i64).is_none_or(|begin| begin <= Utc::now().timestamp());
        let is_bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let is_ours = text("iss").is_none_or(|issuer| issuer == self.about.id);
        if claims.get("active") != Some(&Value::Bool(true)) || !(is_for_us && is_begun && is_bearer && is_ours) {
            return Err(Refused::Invalid);
        }
        let (principal, time) = self.principal(&claims)?;
        Ok((principal, time.min(asked.cache)))
    }

    fn principal(&self, claims: &Value) -> Result<(Principal, Duration), Refused> {
        let end = claims.get("exp").and_then(Value::as_f64).ok_or(Refused::Invalid)?;
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double")]
        let left = end - Utc::now().timestamp() as f64;
        let left = Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(FRESH);
        if left.is_zero() && self.about.leeway.is_zero() {
            return Err(Refused::Expired);
        }
        let principal = claims::principal(&self.about.id, &self.about.claims, claims, &self.implied);
        principal.map(|principal| (principal, left)).ok_or(Refused::Invalid)
    }

    /// The issuer's keys: other ones than those of a time, if there is one.
    async fn keys(&self, other_than: Option<Instant>) -> Result<Keys, Refused> {
        let fitting = |keys: &Keys| other_than.map_or(keys.since.elapsed() < FRESH, |time| keys.since > time);
        let known = self.keys.read().clone();
        if let Some(keys) = known.filter(fitting) {
            return Ok(keys);
        }
        // One asks, and the others wait for what it finds.
        let _asking = self.asking.lock().await;
        let known = self.keys.read().clone();
        if let Some(keys) = known.clone().filter(fitting) {
            return Ok(keys);
        }
        let fetched = match self.asked.take("keys") {
            Ok(()) => self.fetch().await.map_err(|fault| self.unavailable(&fault)),
            Err(_) => Err(Refused::Unavailable),
        };
        match (fetched, known) {
            (Ok(set), _) => {
                let keys = Keys { set: Arc::new(set), since: Instant::now() };
                *self.keys.write() = Some(keys.clone());
                Ok(keys)
            }
            (Err(_), Some(keys)) if keys.since.elapsed() < USABLE => Ok(keys),
            (Err(refused), _) => Err(refused),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, FetchFault> {
        let (url, named) = match &self.about.jwks {
            Some(url) => (url.clone(), Named::InTheFile),
            None => self.discover().await?,
        };
        let document = self.fetcher.document(&url, named).await?;
        // A key that is not understood keeps none of the others from being used.
        let keys = document.get("keys").and_then(Value::as_array).into_iter().flatten();
        Ok(JwkSet { keys: keys.filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
    }

    /// Where the issuer says its keys are: RFC 8414 first, then OpenID Connect in both forms.
    async fn discover(&self) -> Result<(Url, Named), FetchFault> {
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
                continue;
            }
            let keys = document.get("jwks_uri").and_then(Value::as_str).and_then(|keys| Url::parse(keys).ok());
            match keys {
                // The issuer's own origin is the author's word.
                Some(keys) if keys.origin() == self.about.url.origin() => return Ok((keys, Named::InTheFile)),
                Some(keys) if !is_local(&keys) => return Ok((keys, Named::InADocument)),
                _ => last = FetchFault::Broken(url.to_string(), "it names no keys".into()),
            }
        }
        Err(last)
    }

    fn unavailable(&self, fault: &FetchFault) -> Refused {
        tracing::warn!(issuer = %self.about.id, %fault, "an issuer cannot be asked");
        Refused::Unavailable
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
