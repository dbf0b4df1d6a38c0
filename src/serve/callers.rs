//! Floor 8. Who is calling, from where, on whose behalf, and whether they may once more: all that
//! is asked of a request before its body is read.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::{challenge::Challenges, forwarded::Proxies};
use crate::{
    access::{Authenticator, Exhausted, Limits, Presented, Refused, Verdict},
    authority::Authority,
    engine::{Identified, Limiter, Principal},
    plan::{Plan, Rate},
    state::State,
    telemetry::{Audit, Decision},
};

/// Characters of a person's name at most.
const LONGEST_PERSON: usize = 128;
/// The header of a client whose people have UUIDs (poke-and-poggio.md).
const POKE_USER: &str = "x-poke-user-id";
/// How often the record tells that the same caller was let in: its calls tell so, too.
const TOLD: Rate = Rate { count: 1, per: Duration::from_hours(1) };
const TOLD_KEYS: usize = 8192;

/// Everything that callers are held against.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) authenticator: Authenticator,
    pub(super) challenges: Challenges,
    /// This server as the issuer of its own tokens.
    pub(super) authority: Option<Authority>,
    limits: Limits,
    /// Callers that were told of in the record a short time ago.
    told: Limiter,
    end_user_header: Option<String>,
    proxies: Proxies,
}

/// What is known of a request before its body is read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// The other end of the connection.
    pub(super) peer: IpAddr,
}

/// Why a request is not looked at any further.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turned {
    /// Nobody knows the caller.
    Unknown(Refused),
    /// Too many requests.
    Exhausted(Exhausted),
}

impl Callers {
    pub(super) fn new(
        plan: &Plan,
        authenticator: Authenticator,
        authority: Option<Authority>,
        state: Option<&Arc<State>>,
    ) -> Self {
        let server = &plan.server;
        Self {
            authenticator,
            challenges: Challenges::new(plan),
            authority,
            limits: Limits::new(&server.limits, state),
            told: Limiter::new(TOLD, TOLD_KEYS),
            end_user_header: server.end_user_header.clone(),
            proxies: Proxies::new(&server.trusted_proxies),
        }
    }

    /// Tells who is calling, and counts the request.
    pub(super) async fn admit(&self, head: &Head) -> Result<Arc<Principal>, Turned> {
        let (headers, address) = (&head.headers, self.origin_of(head));
        let presented = Presented {
            path: head.uri.path(),
            authorization: presented(headers, header::AUTHORIZATION.as_str()),
            header: self.authenticator.header().and_then(|name| presented(headers, name)),
            lent: self.authenticator.lent().find_map(|name| Some((name, presented(headers, name)?))),
        };
        let found = match self.authenticator.identify(presented) {
            Verdict::Known(principal) => Ok(principal),
            Verdict::Refused(why) => Err(why),
            Verdict::Ask(asked) => {
                // Whoever guesses must not make us ask others for each guess.
                self.limits.may_ask(address).map_err(Turned::Exhausted)?;
                self.authenticator.ask(asked).await
            }
        };
        let principal = match found {
            Ok(principal) => self.on_behalf(principal, headers),
            Err(why) => {
                self.limits.stranger(address).map_err(Turned::Exhausted)?;
                return Err(Turned::Unknown(why));
            }
        };
        self.limits.known(&principal, address, 1).await.map_err(Turned::Exhausted)?;
        Ok(principal)
    }

    /// Where a request comes from, as far as proxies are believed.
    pub(super) fn origin_of(&self, head: &Head) -> IpAddr {
        self.proxies.client(&head.headers, head.peer)
    }

    /// The credential by which an upstream vouched for a caller.
    pub(super) fn lent(&self, principal: &Principal, headers: &HeaderMap) -> Option<HeaderValue> {
        let is_lent = principal.kind() == Identified::Upstream;
        is_lent.then(|| self.authenticator.lent().find_map(|name| headers.get(name).cloned())).flatten()
    }

    /// Records what was decided about a request.
    pub(super) fn record(&self, audit: &Audit, head: &Head, found: &Result<Arc<Principal>, Turned>) {
        let address = self.origin_of(head);
        let decision = match found {
            Ok(principal) => {
                if self.told.take(&(principal.key(), principal.end_user().map(|(person, _)| person), address)).is_err()
                {
                    return;
                }
                Decision { decision: "allowed", reason: None, address: None, asked: None, who: Some(principal.who()) }
            }
            Err(turned) => {
                let reason = Some(match turned {
                    Turned::Unknown(Refused::Missing) => "missing",
                    Turned::Unknown(Refused::Invalid) => "invalid",
                    Turned::Unknown(Refused::Expired) => "expired",
                    Turned::Unknown(Refused::Unavailable) => "unavailable",
                    Turned::Exhausted(_) => "limited",
                });
                Decision { decision: "refused", reason, address: None, asked: None, who: None }
            }
        };
        let asked = Some(head.uri.path().chars().take(128).collect());
        audit.decided(&Decision { address: Some(address.to_string()), asked, ..decision });
    }

    /// Counts the messages of a batch, the first of which was counted with its request.
    pub(super) async fn count(&self, principal: &Principal, head: &Head, more: usize) -> Result<(), Turned> {
        let (more, address) = (u32::try_from(more).unwrap_or(u32::MAX), self.origin_of(head));
        self.limits.known(principal, address, more).await.map_err(Turned::Exhausted)
    }

    /// The caller with the person that it names, when it names one in the one form there is.
    fn on_behalf(&self, principal: Arc<Principal>, headers: &HeaderMap) -> Arc<Principal> {
        let Some(name) = self.end_user_header.as_deref() else { return principal };
        let person = only(headers, name).and_then(|value| std::str::from_utf8(value).ok());
        match person.filter(|person| is_person(name, person)) {
            Some(person) => Arc::new(principal.on_behalf_of(person)),
            None => principal,
        }
    }
}

/// The value of a header that came once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none()).map(HeaderValue::as_bytes)
}

/// The credential of a header. Of two nobody can say which is meant, so they are one that fits
/// nobody: a credential was sent, and it is not valid.
fn presented<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.contains_key(name).then(|| only(headers, name).unwrap_or_default())
}

/// Whether a text can name a person: a UUID where clients send those, and letters, digits and a
/// few signs otherwise.
fn is_person(header: &str, text: &str) -> bool {
    if header == POKE_USER {
        let groups = [8, 4, 4, 4, 12];
        let parts: Vec<&str> = text.split('-').collect();
        return parts.len() == groups.len()
            && parts
                .iter()
                .zip(groups)
                .all(|(part, length)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@".contains(&byte);
    (1..=LONGEST_PERSON).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_person_has_one_form() {
        for (header, text, fits) in [
            (POKE_USER, "0b5e1a52-7c1f-4c1e-9d7f-0a1b2c3d4e5f", true),
            (POKE_USER, "0b5e1a52-7c1f-4c1e-9d7f-0a1b2c3d4e5", false),
            (POKE_USER, "ada", false),
            (POKE_USER, "", false),
            ("x-user", "ada@shop.example", true),
            ("x-user", "", false),
            ("x-user", "a b", false),
            ("x-user", "a\u{e9}", false),
        ] {
            assert_eq!(is_person(header, text), fits, "{header} {text}");
        }
        assert!(!is_person("x-user", &"x".repeat(LONGEST_PERSON + 1)));
    }
}
