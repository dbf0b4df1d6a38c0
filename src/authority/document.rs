//! Floor 7. Clients whose id is the address of a document about them (draft-ietf-oauth-client-id-metadata-document):
//! it is fetched from the open internet alone, believed for as long as its headers say within bounds, and
//! kept like a client that registered itself (auth.md §3.5).

use std::{net::IpAddr, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    Authority, TRIES,
    answer::{Answer, Class},
    pages,
    redirect::{Fitness, fitness},
    register::{FORGOTTEN_AFTER, NEW, NEW_MOST, REDIRECTS, SETTLED, name},
    seconds,
};
use crate::{
    plan::RegistrationPolicy,
    state::{
        Applied, Change, Found, Shelf,
        oauth::{Client, GrantType, Origin, Standing},
    },
    upstream::rest::Named,
};

/// How long a document is believed that does not say.
const USUAL: Duration = Duration::from_hours(1);
/// However short it says, so that one person's way through is one question.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24);
/// Letters of an address.
const LONGEST_ADDRESS: usize = 512;

/// Why a client is not known by its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undescribed {
    /// Nobody comes in this way.
    Off,
    /// The id is no address of a document.
    Address,
    /// It cannot be fetched.
    Unreachable,
    /// What is there is not a document about this client that is accepted.
    Said(&'static str),
    /// Too often; again after so long.
    TooOften(Duration),
    /// Not now.
    Busy,
}

impl From<crate::state::RecordFault> for Undescribed {
    fn from(fault: crate::state::RecordFault) -> Self {
        tracing::warn!(%fault, "the authorization server could not use its state");
        Self::Busy
    }
}

impl Undescribed {
    /// What the person is told. Nobody is sent anywhere.
    pub(super) fn page(self) -> Answer {
        let (class, words) = match self {
            Self::Off => (
                Class::Faulty,
                "Your assistant names an address in the place of an id, and this server does not accept that. Ask its administrator for an id.",
            ),
            Self::Address => (
                Class::Faulty,
                "Your assistant names an address in the place of an id, and it is not one at which a document about it can be: https, a path, and nothing else.",
            ),
            Self::Unreachable => (
                Class::Faulty,
                "The document that says who your assistant is could not be fetched. Try again later, or tell its maker.",
            ),
            Self::Said(words) => (Class::Faulty, words),
            Self::TooOften(wait) => (Class::TooOften(wait), "Too many requests. Wait a minute, then try again."),
            Self::Busy => (Class::Unavailable, "This cannot be done just now. Try again soon."),
        };
        pages::notice(class, "It is not known who asks", words)
    }
}

/// What a document says of a client. What else it says is of no use here.
#[derive(Debug, Deserialize)]
struct Document {
    client_id: String,
    client_name: String,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    client_secret: Option<Value>,
    client_secret_expires_at: Option<Value>,
}

/// What is used of a document.
#[derive(Debug, PartialEq, Eq)]
struct Description {
    name: String,
    redirects: Vec<String>,
    grants: Vec<GrantType>,
    scopes: Vec<String>,
    until: i64,
}

/// Whether an id is an address and not one that was made here.
pub(super) fn is_address(id: &str) -> bool {
    id.contains("://")
}

/// The address of a document, which is read in one way alone: it is written as it is asked for.
fn address(id: &str) -> Option<Url> {
    let url = Url::parse(id).ok().filter(|url| id.len() <= LONGEST_ADDRESS && url.as_str() == id)?;
    let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (is_plain && url.host().is_some() && url.path().len() > 1).then_some(url)
}

impl Authority {
    /// The client that a document describes, as the document is now or was a short time ago. It may be one
    /// that an administrator took back; `None` when it was forgotten meanwhile.
    pub(super) async fn described(
        &self,
        id: &str,
        from: IpAddr,
        now: i64,
    ) -> Result<Option<Found<Client>>, Undescribed> {
        if !self.settings.reads_documents() {
            return Err(Undescribed::Off);
        }
        let url = address(id).ok_or(Undescribed::Address)?;
        let known = self.state.find::<Client>(id, now).await?;
        let is_new = known.is_none();
        let settled = known.filter(|found| {
            let client = &found.value;
            client.standing == Standing::Revoked || client.believed_until.is_some_and(|until| until > now)
        });
        if settled.is_some() {
            return Ok(settled);
        }
        if is_new {
            let taken = self.limits.registration.take(&from);
            let taken = taken.and_then(|()| self.limits.registrations.take(&()));
            taken.map_err(Undescribed::TooOften)?;
        }
        let said = self.read(&url, now).await.inspect_err(|fault| {
            tracing::info!(client = id, ?fault, "a client is not known by its document");
        })?;
        for _ in 0..TRIES {
            let known = self.state.find::<Client>(id, now).await?;
            if known.as_ref().is_some_and(|found| found.value.standing == Standing::Revoked) {
                return Ok(known);
            }
            let client = self.client(&url, &said, known.as_ref().map(|found| &found.value), now);
            let change = match &known {
                // Somebody agreed to it, or let it come.
                Some(found) if found.expires_at.is_none() => Change::replace(found, SETTLED, &client, None)?,
                Some(found) => Change::replace(found, NEW, &client, Some(now + FORGOTTEN_AFTER))?,
                None if self.state.count(Shelf::Client, NEW, now).await? >= NEW_MOST => return Err(Undescribed::Busy),
                None => Change::add(id, NEW, &client, Some(now + FORGOTTEN_AFTER))?,
            };
            if self.state.apply(vec![change], now).await? == Applied::Done {
                let reason = if client.standing == Standing::Pending { "pending" } else { "active" };
                self.tell("described", reason, id, from);
                return Ok(self.state.find::<Client>(id, now).await?);
            }
        }
        Err(Undescribed::Busy)
    }

    /// Fetches a document and reads it.
    async fn read(&self, url: &Url, now: i64) -> Result<Description, Undescribed> {
        let host = url.host_str().unwrap_or_default();
        self.limits.documents.take(host).map_err(Undescribed::TooOften)?;
        let _asking = self.asking.try_acquire().map_err(|_| Undescribed::Busy)?;
        let named = if self.is_named(url) { Named::InTheFile } else { Named::InADocument };
        let published = self.fetcher.published(url, named).await.map_err(|fault| {
            tracing::info!(%fault, "the document about a client cannot be fetched");
            Undescribed::Unreachable
        })?;
        let believed = published.fresh.unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
        self.description(url, published.document, now + seconds(believed)).map_err(Undescribed::Said)
    }

    /// Whether the author vouches for documents of this origin.
    fn is_named(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        self.settings.registration.origins.contains(&origin)
    }

    fn description(&self, url: &Url, document: Value, until: i64) -> Result<Description, &'static str> {
        let said: Document = serde_json::from_value(document)
            .map_err(|_| "The document about your assistant has no client_id, client_name or redirect_uris.")?;
        if said.client_id != url.as_str() {
            return Err("The document about your assistant is about another client.");
        }
        if said.client_secret.is_some() || said.client_secret_expires_at.is_some() {
            return Err("The document about your assistant holds a secret, which everybody can read.");
        }
        match said.token_endpoint_auth_method.as_deref() {
            None | Some("none") => {}
            Some("private_key_jwt") => {
                return Err(
                    "Your assistant wants to prove itself with a key of its own (private_key_jwt), which this server does not support.",
                );
            }
            Some(_) => return Err("Your assistant wants to prove itself by a secret, and can have none in this way."),
        }
        if said.response_types.is_some_and(|kinds| !kinds.iter().any(|kind| kind == "code")) {
            return Err("Your assistant does not take codes, and there is nothing else here.");
        }
        let (code, renewal) = (GrantType::AuthorizationCode, GrantType::RefreshToken);
        let says = |grant: GrantType| {
            said.grant_types.as_ref().is_none_or(|grants| grants.iter().any(|it| it == grant.name()))
        };
        if !says(code) {
            return Err("Your assistant does not take codes, and there is nothing else here.");
        }
        let registration = &self.settings.registration;
        let usable = |redirect: &String| fitness(redirect, registration) != Fitness::Never;
        let redirects: Vec<String> = said.redirect_uris.into_iter().filter(usable).take(REDIRECTS).collect();
        if redirects.is_empty() {
            return Err("The document about your assistant names no address that people are sent back to.");
        }
        let wanted: Vec<String> = said.scope.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
        let within = self.settings.within(&wanted, &registration.scopes);
        Ok(Description {
            name: name(Some(&said.client_name)),
            redirects,
            grants: [code, renewal].into_iter().filter(|grant| says(*grant)).collect(),
            scopes: if within.is_empty() { registration.scopes.clone() } else { within },
            until,
        })
    }

    /// The client as it is kept from now on.
    fn client(&self, url: &Url, said: &Description, before: Option<&Client>, now: i64) -> Client {
        Client {
            id: url.as_str().to_owned(),
            name: said.name.clone(),
            origin: Origin::Described,
            secrets: Vec::new(),
            redirects: said.redirects.clone(),
            grants: said.grants.clone(),
            scopes: said.scopes.clone(),
            workspace: None,
            standing: self.standing(url, said, before),
            introspects: false,
            asserts_end_user: false,
            believed_until: Some(said.until),
            created_at: before.map_or(now, |client| client.created_at),
        }
    }

    /// Whether an administrator has to be asked. Who was let come stays in, until its document leads elsewhere.
    fn standing(&self, url: &Url, said: &Description, before: Option<&Client>) -> Standing {
        let registration = &self.settings.registration;
        let is_as_before = before.is_some_and(|client| {
            client.standing == Standing::Active && said.redirects.iter().all(|it| client.redirects.contains(it))
        });
        let is_known =
            || self.is_named(url) || said.redirects.iter().all(|it| fitness(it, registration) == Fitness::Known);
        let comes = match registration.documents {
            RegistrationPolicy::Open => true,
            RegistrationPolicy::Allowlist => is_as_before || is_known(),
            RegistrationPolicy::Approval | RegistrationPolicy::Off => is_as_before,
        };
        if comes { Standing::Active } else { Standing::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_one_way_alone() {
        for (id, expected) in [
            ("https://app.example/client.json", true),
            ("https://app.example/a/client?v=2", true),
            ("http://127.0.0.1:9000/client.json", true),
            ("https://app.example/", false),
            ("https://app.example", false),
            ("https://app.example/a/../client.json", false),
            ("https://app.example/a/./client.json", false),
            ("https://app.example/a/%2e%2e/client.json", false),
            ("https://app.example/client.json#top", false),
            ("https://user@app.example/client.json", false),
            ("https://user:pass@app.example/client.json", false),
            ("https://APP.example/client.json", false),
            ("HTTPS://app.example/client.json", false),
            ("https://app.example:443/client.json", false),
            ("https://0x7f.1/client.json", false),
            ("https:app.example/client.json", false),
            ("https:\\\\app.example\\client.json", false),
            (" https://app.example/client.json", false),
            ("https://app.example/cli\tent.json", false),
            ("https://\u{441}laude.ai/client.json", false),
            ("c_0123", false),
        ] {
            assert_eq!(address(id).is_some(), expected, "{id}");
        }
        assert!(address(&format!("https://app.example/{}", "x".repeat(600))).is_none());
    }
}
