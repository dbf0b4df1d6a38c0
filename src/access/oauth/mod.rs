//! Floor 7. Tokens of an OAuth issuer: this server is the resource that they are for (RFC 9728).
//! A token with three parts is verified with the issuer's keys, any other one by asking it.

mod claims;
mod issuer;
mod remembered;

use std::{io, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::Refused;
use crate::{
    engine::Principal,
    issuer::{Form, unverified},
    plan,
    secret::Vault,
    upstream::rest::Fetcher,
};

use issuer::Issuer;
pub(super) use remembered::Remembered;

/// How long a verified token is not verified again.
const VERIFIED_FOR: Duration = Duration::from_mins(1);
/// How long a refused one is not asked about again.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// The issuers whose tokens are accepted.
#[derive(Debug)]
pub(super) struct Oauth {
    issuers: Vec<Issuer>,
    known: Remembered,
}

impl Oauth {
    pub(super) fn new(oauth: &plan::Oauth, server: &plan::Server, vault: &Vault) -> io::Result<Self> {
        let fetcher = Fetcher::new().map_err(io::Error::other)?;
        let issuers = oauth.issuers.iter().map(|issuer| Issuer::new(issuer, &server.scopes, vault, fetcher.clone()));
        Ok(Self { issuers: issuers.collect(), known: Remembered::default() })
    }

    /// Whether a token is for the issuers, by its form alone.
    pub(super) fn takes(&self, token: &str) -> bool {
        unverified(token, Form::Access).is_some() || self.issuers.iter().any(Issuer::introspects)
    }

    /// Whose token it is. Which issuer is asked is told by what the token says of itself; whether
    /// that is true is what the issuer is asked.
    pub(super) async fn find(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.known.or_find(digest, self.verify(token)).await
    }

    async fn verify(&self, token: &str) -> (Result<Arc<Principal>, Refused>, Duration) {
        let found = match unverified(token, Form::Access) {
            Some(said) => {
                let Some(issuer) = self.issuers.iter().find(|issuer| said.issuer == issuer.id()) else {
                    return (Err(Refused::Invalid), REFUSED_FOR);
                };
                issuer.verify(token, &said).await.map(|found| (found.0, found.1.min(VERIFIED_FOR)))
            }
            None => match self.issuers.iter().find(|issuer| issuer.introspects()) {
                Some(issuer) => issuer.introspect(token).await,
                None => Err(Refused::Invalid),
            },
        };
        match found {
            Ok((principal, time)) => (Ok(Arc::new(principal)), time),
            // Whoever could not be asked is asked again.
            Err(Refused::Unavailable) => (Err(Refused::Unavailable), Duration::ZERO),
            Err(refused) => (Err(refused), REFUSED_FOR),
        }
    }
}
