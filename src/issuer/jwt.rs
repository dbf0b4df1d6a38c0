//! Floor 6. The form of a signed token, and its check against one key.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm as Signed, DecodingKey, Validation, decode,
    errors::ErrorKind,
    jwk::{Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

use super::Doubt;
use crate::plan::Algorithm;

/// What a token is for. One that is for something else is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It lets in (RFC 9068 §2.1).
    Access,
    /// It says who signed in (OpenID Connect Core 1.0 §2).
    Id,
}

impl Form {
    /// The types that such a token may say it has; many issuers say only `JWT`, or nothing.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Access => &["at+jwt", "application/at+jwt", "jwt"],
            Self::Id => &["jwt"],
        }
    }
}

/// What a token says of itself before anybody has verified it.
#[derive(Debug)]
pub struct Said {
    /// Who is said to have issued it.
    pub issuer: String,
    pub(super) key: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
}

/// Reads what a token says of itself; `None` for what is not a signed token by its form. One that
/// demands what is not understood names no algorithm, and so is refused (RFC 7515 §4.1.11).
#[must_use]
pub fn unverified(token: &str, form: Form) -> Option<Said> {
    let mut parts = token.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let header = read(header)?;
    let claims = read(payload).unwrap_or_default();
    let word = |name: &str| header.get(name).and_then(Value::as_str);
    let is_typed = match header.get("typ") {
        None => true,
        Some(kind) => kind.as_str().is_some_and(|kind| form.types().contains(&kind.to_ascii_lowercase().as_str())),
    };
    let is_plain = is_typed && header.get("crit").is_none();
    let algorithm = word("alg")
        .filter(|_| is_plain)
        .and_then(|name| Algorithm::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, algorithm)| algorithm));
    Some(Said {
        issuer: claims.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned(),
        key: word("kid").map(str::to_owned),
        algorithm,
    })
}

/// What a token must say.
pub(super) struct Wanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) audiences: &'a [String],
    pub(super) algorithm: Algorithm,
    pub(super) leeway: Duration,
}

/// Verifies a token with one key and returns its claims.
pub(super) fn verify(token: &str, key: &Jwk, wanted: &Wanted<'_>) -> Result<Value, Doubt> {
    let key = DecodingKey::from_jwk(key).map_err(|_| Doubt::Invalid)?;
    let mut validation = Validation::new(signed(wanted.algorithm));
    validation.set_issuer(&[wanted.issuer]);
    validation.set_audience(wanted.audiences);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    validation.leeway = wanted.leeway.as_secs();
    match decode::<Value>(token, &key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::ExpiredSignature => Doubt::Expired,
            _ => Doubt::Invalid,
        }),
    }
}

/// Whether a key may verify signatures of an algorithm: what it says of itself is believed, and it
/// must be of the family.
pub(super) fn fits(key: &Jwk, said: &Said, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let named = match (&said.key, &common.key_id) {
        (Some(wanted), Some(has)) => wanted == has,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let name = Algorithm::ALL.into_iter().find(|(_, known)| *known == algorithm).map_or("", |(name, _)| name);
    let same = common.key_algorithm.as_ref().is_none_or(|has| has.to_string() == name);
    named && is_for_signatures && same
}

const fn signed(algorithm: Algorithm) -> Signed {
    match algorithm {
        Algorithm::Rs256 => Signed::RS256,
        Algorithm::Rs384 => Signed::RS384,
        Algorithm::Rs512 => Signed::RS512,
        Algorithm::Ps256 => Signed::PS256,
        Algorithm::Ps384 => Signed::PS384,
        Algorithm::Ps512 => Signed::PS512,
        Algorithm::Es256 => Signed::ES256,
        Algorithm::Es384 => Signed::ES384,
        Algorithm::EdDsa => Signed::EdDSA,
    }
}
