//! Floor 7. From a request's credential to a principal, or to a refusal. Which verifier looks at
//! a credential is told by its form alone, and what one refuses no other is asked about.

mod fixed;
mod limits;
mod oauth;
mod stored;

use std::{io, sync::Arc};

use chrono::Utc;

use crate::{
    engine::Principal,
    plan::{Server, Stored},
    secret::Vault,
    state::{State, Token},
};

use fixed::FixedKeys;
pub use limits::{Exhausted, Limits};
use oauth::Oauth;
use stored::StoredKeys;

/// Longer credentials are none (auth.md §4.2).
const LONGEST: usize = 4096;

/// Tells who is calling.
#[derive(Debug)]
pub struct Authenticator {
    fixed: Option<FixedKeys>,
    stored: Option<StoredKeys>,
    oauth: Option<Oauth>,
    header: Option<String>,
    anonymous: Arc<Principal>,
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
pub enum Verdict<'p> {
    /// Somebody known.
    Known(Arc<Principal>),
    /// Nobody: why.
    Refused(Refused),
    /// Others must be asked about this token.
    Ask(&'p str),
}

/// Why nobody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No credential was sent.
    Missing,
    /// A credential was sent, and it is not one of ours.
    Invalid,
    /// The credential was valid, and its time is over.
    Expired,
    /// Whoever could tell cannot be asked just now.
    Unavailable,
}

impl Authenticator {
    /// Takes the ways in of a plan.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn new(server: &Server, vault: &Vault) -> io::Result<Self> {
        let keys = server.api_keys.as_ref();
        let wants_state = keys.is_some_and(|keys| keys.stored == Stored::Accepted);
        let stored = match server.state.as_ref().filter(|_| wants_state) {
            Some(path) => Some(StoredKeys::new(State::open(path).map_err(io::Error::other)?, server)),
            None => None,
        };
        let fixed = keys.map(|keys| FixedKeys::new(keys, server, vault));
        let oauth = server.oauth.as_ref().map(|oauth| Oauth::new(oauth, server, vault)).transpose()?;
        let header = keys.and_then(|keys| keys.header.clone());
        Ok(Self { fixed, stored, oauth, header, anonymous: Arc::new(Principal::anonymous()) })
    }

    /// The header that may carry a key besides `Authorization`, in lower case.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// Tells who presents these credentials, as far as this server knows by itself. The key's own
    /// header goes first; a credential in `Authorization` beside it is the caller's, for the upstream.
    #[must_use]
    pub fn identify<'p>(&self, presented: Presented<'p>) -> Verdict<'p> {
        if self.fixed.is_none() && self.oauth.is_none() {
            return Verdict::Known(Arc::clone(&self.anonymous));
        }
        let (given, is_key) = match (presented.header, presented.authorization) {
            (Some(key), _) => (Some(key), true),
            (None, Some(authorization)) => (bearer(authorization), false),
            (None, None) => return Verdict::Refused(Refused::Missing),
        };
        let Some(given) = given.filter(|given| !given.is_empty() && given.len() <= LONGEST) else {
            return Verdict::Refused(Refused::Invalid);
        };
        if let Some(principal) = self.fixed.as_ref().and_then(|fixed| fixed.find(given)) {
            return Verdict::Known(Arc::clone(principal));
        }
        let given = std::str::from_utf8(given).ok().filter(|given| given.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(given) = given else { return Verdict::Refused(Refused::Invalid) };
        if Token::is_ours(given.as_bytes()) || is_key {
            // By its form it is a key, and nobody else is asked about it.
            return self.stored(given).unwrap_or(Verdict::Refused(Refused::Invalid));
        }
        if self.oauth.is_some() { Verdict::Ask(given) } else { Verdict::Refused(Refused::Invalid) }
    }

    fn stored(&self, given: &str) -> Option<Verdict<'static>> {
        let token = Token::parse(given)?;
        Some(match self.stored.as_ref()?.find(&token, Utc::now().timestamp()) {
            Ok(principal) => Verdict::Known(principal),
            Err(refused) => Verdict::Refused(refused),
        })
    }

    /// Tells who presents a credential that others have to vouch for.
    ///
    /// # Errors
    /// Why nobody is known.
    pub async fn ask(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        match &self.oauth {
            // Its future is large, and nearly every request goes without it.
            Some(oauth) => Box::pin(oauth.find(token)).await,
            None => Err(Refused::Invalid),
        }
    }

    /// Whether a header's value is a key of this server, with or without a scheme. Such a value
    /// is not the caller's to pass on, whichever header it stands in.
    #[must_use]
    pub fn is_key(&self, value: &[u8]) -> bool {
        let value = value.trim_ascii();
        let ours = |value: &[u8]| {
            Token::is_ours(value) || self.fixed.as_ref().is_some_and(|fixed| fixed.find(value).is_some())
        };
        ours(value) || bearer(value).is_some_and(ours)
    }
}

/// The token of `Bearer …`; the scheme in any case (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests;
