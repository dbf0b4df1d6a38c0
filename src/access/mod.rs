//! Floor 7. From a request's credential to a principal, or to a refusal. Which verifier looks at
//! a credential is told by its form alone, and what one refuses no other is asked about.

mod fixed;
mod issued;
mod limits;
mod oauth;
mod probe;
mod stored;

use std::{io, sync::Arc};

use chrono::Utc;
use futures_util::future::FutureExt as _;

use crate::{
    engine::Principal,
    plan::{Plan, Stored},
    secret::Vault,
    state::{Kind, State, Token},
};

use fixed::FixedKeys;
use issued::Issued;
pub use limits::{Exhausted, Limits};
use oauth::Oauth;
use probe::Lent;
use stored::StoredKeys;

/// Longer credentials are none (auth.md §4.2).
const LONGEST: usize = 4096;

const AUTHORIZATION: &str = "authorization";

/// Tells who is calling.
#[derive(Debug)]
pub struct Authenticator {
    fixed: Option<FixedKeys>,
    stored: Option<StoredKeys>,
    issued: Option<Issued>,
    oauth: Option<Oauth>,
    lent: Option<Lent>,
    header: Option<String>,
    anonymous: Arc<Principal>,
}

/// The credentials of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// The path that is asked for: tokens can be for one of them.
    pub path: &'a str,
    /// The one `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The one header that may carry the key besides.
    pub header: Option<&'a [u8]>,
    /// The one header of [`Authenticator::lent`] that was sent, by name, besides `Authorization`.
    pub lent: Option<(&'a str, &'a [u8])>,
}

/// Whom to ask about a credential.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'p> {
    /// The issuers of tokens.
    Issuers(&'p str),
    /// The state, about a key or a token, at a path.
    State(&'p str, &'p str),
    /// The upstream, about what stood in a header.
    Upstream(&'p str, &'p [u8]),
}

/// Who is calling.
#[derive(Debug)]
pub enum Verdict<'p> {
    /// Somebody known.
    Known(Arc<Principal>),
    /// Nobody: why.
    Refused(Refused),
    /// Others must be asked about this token.
    Ask(Asked<'p>),
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
    pub fn new(plan: &Plan, vault: &Vault, state: Option<&Arc<State>>) -> io::Result<Self> {
        let server = &plan.server;
        let keys = server.api_keys.as_ref();
        let wants_state = keys.is_some_and(|keys| keys.stored == Stored::Accepted);
        let stored = state.filter(|_| wants_state).map(|state| StoredKeys::new(Arc::clone(state), server));
        let fixed = keys.map(|keys| FixedKeys::new(keys, server, vault));
        let oauth = server.oauth.as_ref().map(|oauth| Oauth::new(oauth, server, vault)).transpose()?;
        let lent = server.passthrough.as_ref().map(|declared| Lent::new(declared, plan, vault));
        let lent = lent.transpose().map_err(io::Error::other)?;
        let header = keys.and_then(|keys| keys.header.clone());
        let issued = Issued::new(server, state);
        Ok(Self { fixed, stored, issued, oauth, lent, header, anonymous: Arc::new(Principal::anonymous()) })
    }

    /// The header that may carry a key besides `Authorization`, in lower case.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The headers that may carry a credential of the upstream, in lower case.
    pub fn lent(&self) -> impl Iterator<Item = &str> {
        self.lent.iter().flat_map(Lent::headers).map(String::as_str)
    }

    /// Tells who presents these credentials, as far as this server knows by itself. The key's own
    /// header goes first; a credential in `Authorization` beside it is the caller's, for the upstream.
    #[must_use]
    pub fn identify<'p>(&self, presented: Presented<'p>) -> Verdict<'p> {
        let is_asked = self.fixed.is_some() || self.oauth.is_some() || self.issued.is_some();
        if !is_asked && self.lent.is_none() {
            return Verdict::Known(Arc::clone(&self.anonymous));
        }
        let theirs = self.lent().any(|header| header == AUTHORIZATION);
        let authorization = presented.authorization.filter(|_| is_asked || theirs);
        let (whole, given, is_key) = match (presented.header, authorization, presented.lent) {
            (Some(key), _, _) => (key, Some(key), true),
            (None, Some(authorization), _) => (authorization, bearer(authorization), false),
            (None, None, Some((header, credential))) => return self.lent_in(header, credential),
            (None, None, None) => return Verdict::Refused(Refused::Missing),
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
            return self.stored(given, presented.path).unwrap_or(Verdict::Refused(Refused::Invalid));
        }
        match &self.oauth {
            Some(oauth) if !theirs || oauth.takes(given) => Verdict::Ask(Asked::Issuers(given)),
            Some(_) | None if theirs => self.lent_in(AUTHORIZATION, whole),
            Some(_) | None => Verdict::Refused(Refused::Invalid),
        }
    }

    /// A credential of the upstream, which may not be one of ours by its form.
    fn lent_in<'p>(&self, header: &'p str, credential: &'p [u8]) -> Verdict<'p> {
        let fits = !credential.is_empty() && credential.len() <= LONGEST;
        if fits && !self.is_key(credential) {
            Verdict::Ask(Asked::Upstream(header, credential))
        } else {
            Verdict::Refused(Refused::Invalid)
        }
    }

    fn stored<'p>(&self, given: &'p str, path: &'p str) -> Option<Verdict<'p>> {
        let (token, now) = (Token::parse(given)?, Utc::now().timestamp());
        let found = match token.kind {
            Kind::Key => self.stored.as_ref()?.find_at_once(&token, now),
            Kind::Access => self.issued.as_ref()?.find_at_once(&token, path, now),
            _ => return None,
        };
        Some(match found {
            Some(Ok(principal)) => Verdict::Known(principal),
            Some(Err(refused)) => Verdict::Refused(refused),
            None => Verdict::Ask(Asked::State(given, path)),
        })
    }

    async fn in_state(&self, given: &str, path: &str) -> Result<Arc<Principal>, Refused> {
        let (token, now) = (Token::parse(given).ok_or(Refused::Invalid)?, Utc::now().timestamp());
        match (token.kind, &self.stored, &self.issued) {
            (Kind::Key, Some(stored), _) => stored.find(&token, now).await,
            (Kind::Access, _, Some(issued)) => issued.find(&token, path, now).await,
            _ => Err(Refused::Invalid),
        }
    }

    /// Tells who presents a credential that others have to vouch for.
    ///
    /// # Errors
    /// Why nobody is known.
    pub async fn ask(&self, asked: Asked<'_>) -> Result<Arc<Principal>, Refused> {
        match (asked, &self.oauth, &self.lent) {
            // Its future is large, and nearly every request goes without it.
            (Asked::State(given, path), ..) => self.in_state(given, path).boxed().await,
            (Asked::Issuers(token), Some(oauth), _) => oauth.find(token).boxed().await,
            (Asked::Upstream(header, credential), _, Some(lent)) => lent.ask(header, credential).boxed().await,
            (Asked::Issuers(_) | Asked::Upstream(..), _, _) => Err(Refused::Invalid),
        }
    }

    /// The upstream refused a credential in a call: it is asked about it again before the next one.
    pub fn forget(&self, credential: &[u8]) {
        if let Some(lent) = &self.lent {
            lent.forget(credential);
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
