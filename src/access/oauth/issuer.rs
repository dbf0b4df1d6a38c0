//! Floor 7. One issuer whose tokens are accepted: who a token that it signed lets in, and what it says about
//! tokens that only it can read.

use std::time::Duration;

use chrono::Utc;
use serde_json::Value;

use super::claims;
use crate::{
    access::Refused,
    engine::Principal,
    issuer::{self, Doubt, Said},
    plan::{self, Implied},
    secret::{Secret, Vault},
    upstream::rest::{FetchFault, Fetcher, Shown},
};

/// How long a token is believed whose end is too far away to be counted.
const LONG: Duration = Duration::from_mins(10);

/// One issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    signed: issuer::Issuer,
    implied: Implied,
    client_secret: Option<Secret<String>>,
    fetcher: Fetcher,
}

impl From<Doubt> for Refused {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Invalid => Self::Invalid,
            Doubt::Expired => Self::Expired,
            Doubt::Unavailable => Self::Unavailable,
        }
    }
}

impl Issuer {
    pub(super) fn new(about: &plan::Issuer, implied: &Implied, vault: &Vault, fetcher: Fetcher) -> Self {
        let secret = about.introspection.as_ref().and_then(|asked| vault.get(asked.client_secret)).cloned();
        let signed = issuer::Issuer::new(about, fetcher.clone());
        Self { signed, implied: implied.clone(), client_secret: secret, fetcher }
    }

    const fn about(&self) -> &plan::Issuer {
        self.signed.about()
    }

    pub(super) fn id(&self) -> &str {
        &self.about().id
    }

    pub(super) const fn introspects(&self) -> bool {
        self.about().introspection.is_some()
    }

    /// Verifies a signed token; tells whose it is, and how long it is still valid.
    pub(super) async fn verify(&self, token: &str, said: &Said) -> Result<(Principal, Duration), Refused> {
        let claims = self.signed.verify(token, said).await?;
        self.principal(&claims)
    }

    /// Asks the issuer about a token (RFC 7662). What it does not say is not so: neither the
    /// audience nor the end may be missing.
    pub(super) async fn introspect(&self, token: &str) -> Result<(Principal, Duration), Refused> {
        let about = self.about();
        let (Some(asked), Some(secret)) = (&about.introspection, &self.client_secret) else {
            return Err(Refused::Invalid);
        };
        let form = [("token", token), ("token_type_hint", "access_token")];
        let answer = self.fetcher.ask(&asked.url, (&asked.client_id, secret), Shown::InAHeader, &form).await;
        let claims = answer.map_err(|fault| self.unavailable(&fault))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_for_us = match claims.get("aud") {
            Some(Value::String(one)) => about.audiences.contains(one),
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).any(|one| about.audiences.iter().any(|ours| ours == one))
            }
            _ => false,
        };
        let is_begun = claims.get("nbf").and_then(Value::as_i64).is_none_or(|begin| begin <= Utc::now().timestamp());
        let is_bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let is_ours = text("iss").is_none_or(|issuer| issuer == about.id);
        if claims.get("active") != Some(&Value::Bool(true)) || !(is_for_us && is_begun && is_bearer && is_ours) {
            return Err(Refused::Invalid);
        }
        let (principal, time) = self.principal(&claims)?;
        Ok((principal, time.min(asked.cache)))
    }

    fn principal(&self, claims: &Value) -> Result<(Principal, Duration), Refused> {
        let about = self.about();
        let end = claims.get("exp").and_then(Value::as_f64).ok_or(Refused::Invalid)?;
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double")]
        let left = end - Utc::now().timestamp() as f64;
        let left = Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(LONG);
        if left.is_zero() && about.leeway.is_zero() {
            return Err(Refused::Expired);
        }
        let principal = claims::principal(&about.id, &about.claims, claims, &self.implied);
        principal.map(|principal| (principal, left)).ok_or(Refused::Invalid)
    }

    fn unavailable(&self, fault: &FetchFault) -> Refused {
        tracing::warn!(issuer = self.id(), %fault, "an issuer cannot be asked");
        Refused::Unavailable
    }
}
