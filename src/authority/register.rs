//! Floor 7. Clients that register themselves (RFC 7591), within what the files allow: where people may be
//! sent back to decides whether an administrator is asked first (auth.md §3.5).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Authority,
    answer::{Answer, Class, Fault, Inquiry, document},
    redirect::{Fitness, fitness},
};
use crate::{
    plan::RegistrationPolicy,
    state::{
        Applied, Change, Kind, Shelf, TokenText,
        oauth::{Client, ClientSecret, GrantType, Origin, Standing},
        random,
    },
};

/// Whose clients those are that nobody has agreed to yet: they are forgotten after a day.
pub(super) const NEW: &str = "new";
/// Whose the others are.
pub(super) const SETTLED: &str = "settled";
/// How long a client is remembered that nobody agrees to, in seconds.
pub(super) const FORGOTTEN_AFTER: i64 = 24 * 60 * 60;
/// How many of them there may be.
pub(super) const NEW_MOST: u64 = 1000;
/// Letters of an id.
const ID: usize = 24;
const LONGEST_NAME: usize = 64;
pub(super) const REDIRECTS: usize = 10;

const METADATA: &str = "invalid_client_metadata";
const REDIRECT: &str = "invalid_redirect_uri";

/// What a client says of itself. What else it says is of no use here (RFC 7591 §2).
#[derive(Debug, Default, Deserialize)]
struct Asked {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    software_statement: Option<Value>,
}

impl Authority {
    pub(super) async fn register(&self, inquiry: &Inquiry<'_>, now: i64) -> Result<Answer, Fault> {
        if !self.settings.registers() {
            return Err(Fault {
                class: Class::Forbidden,
                ..Fault::new("access_denied", "clients are made here, with `mcp-bridge clients create`")
            });
        }
        let taken = self.limits.registration.take(&inquiry.address);
        taken.and_then(|()| self.limits.registrations.take(&())).map_err(Fault::too_often)?;
        let asked: Asked = serde_json::from_slice(inquiry.body)
            .map_err(|_| Fault::new(METADATA, "the metadata is not a JSON object of the expected form"))?;
        let fit = self.redirects(&asked)?;
        checked(&asked)?;
        if self.state.count(Shelf::Client, NEW, now).await? >= NEW_MOST {
            return Err(Fault::BUSY);
        }
        let standing = match (self.settings.registration.policy, fit) {
            (RegistrationPolicy::Approval, _) | (RegistrationPolicy::Allowlist, Fitness::Unknown) => Standing::Pending,
            _ => Standing::Active,
        };
        let is_public = asked.token_endpoint_auth_method.as_deref() == Some("none");
        let secret = (!is_public).then(|| TokenText::new(Kind::ClientSecret)).transpose().map_err(|_| Fault::BUSY)?;
        let allowed = &self.settings.registration.scopes;
        let client = Client {
            id: format!("c_{}", random(ID).map_err(|_| Fault::BUSY)?),
            name: name(asked.client_name.as_deref()),
            origin: Origin::Registered,
            secrets: secret
                .iter()
                .map(|it| ClientSecret { digest: hex::encode(it.digest), expires_at: None })
                .collect(),
            redirects: asked.redirect_uris.clone().unwrap_or_default(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            // What it names now is what it was challenged for first. A tool may need more later (auth.md §2.2),
            // and people decide about that, within what the files allow.
            scopes: self.settings.within(allowed, allowed),
            workspace: None,
            standing,
            introspects: false,
            asserts_end_user: false,
            believed_until: None,
            created_at: now,
        };
        let change = Change::add(client.id.clone(), NEW, &client, Some(now + FORGOTTEN_AFTER))?;
        if self.state.apply(vec![change], now).await? == Applied::Overtaken {
            return Err(Fault::BUSY);
        }
        self.tell(
            "registered",
            if standing == Standing::Pending { "pending" } else { "active" },
            &client.id,
            inquiry.address,
        );
        Ok(registered(&client, secret.as_ref(), asked.token_endpoint_auth_method.as_deref()))
    }

    /// How well known the addresses are that a client gives, all of them together (auth.md T10).
    fn redirects(&self, asked: &Asked) -> Result<Fitness, Fault> {
        let all = asked.redirect_uris.as_deref().unwrap_or_default();
        if all.is_empty() || all.len() > REDIRECTS {
            return Err(Fault::new(REDIRECT, "a client has one to ten redirect_uris"));
        }
        let mut least = Fitness::Known;
        for redirect in all {
            match fitness(redirect, &self.settings.registration) {
                Fitness::Known => {}
                Fitness::Unknown => least = Fitness::Unknown,
                Fitness::Never => {
                    tracing::info!(redirect = %redirect.escape_default(), "a client gave an address that nobody is sent to");
                    return Err(Fault::new(
                        REDIRECT,
                        "an address is neither https, nor on this machine, nor of a scheme that is allowed, or has more than scheme, host, path and query",
                    ));
                }
            }
        }
        Ok(least)
    }
}

/// What such a client may not be.
fn checked(asked: &Asked) -> Result<(), Fault> {
    if asked.software_statement.is_some() {
        return Err(Fault::new("invalid_software_statement", "software statements are not accepted"));
    }
    let methods = ["none", "client_secret_basic", "client_secret_post"];
    if asked.token_endpoint_auth_method.as_deref().is_some_and(|method| !methods.contains(&method)) {
        return Err(Fault::new(METADATA, "this token_endpoint_auth_method is not supported"));
    }
    let grants = asked.grant_types.as_deref().unwrap_or_default();
    if grants.iter().any(|grant| !["authorization_code", "refresh_token"].contains(&grant.as_str())) {
        return Err(Fault::new(METADATA, "such a client gets tokens by authorization_code and refresh_token alone"));
    }
    if asked.response_types.as_deref().unwrap_or_default().iter().any(|kind| kind != "code") {
        return Err(Fault::new(METADATA, "the one response_type is code"));
    }
    Ok(())
}

/// A name that cannot be taken for anything else on a page.
pub(super) fn name(given: Option<&str>) -> String {
    let plain = given.unwrap_or_default().chars().filter(|letter| !is_odd(*letter));
    let name: String = plain.take(LONGEST_NAME).collect::<String>().trim().to_owned();
    if name.is_empty() { "Unnamed client".into() } else { name }
}

/// Letters that are not seen, or that turn round what follows.
fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What the client is told (RFC 7591 §3.2.1). Nothing in it is null (auth.md T13).
fn registered(client: &Client, secret: Option<&TokenText>, method: Option<&str>) -> Answer {
    let mut told = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at,
        "client_name": client.name,
        "redirect_uris": client.redirects,
        "grant_types": client.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "response_types": ["code"],
        "token_endpoint_auth_method": method.unwrap_or("client_secret_basic"),
        "scope": client.scopes.join(" "),
    });
    if let (Some(secret), Some(told)) = (secret, told.as_object_mut()) {
        told.insert("client_secret".into(), secret.text.expose().as_str().into());
        told.insert("client_secret_expires_at".into(), 0.into());
    }
    document(Class::Created, &told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_as_they_are() {
        for (given, shown) in [
            (Some("Claude"), "Claude"),
            (Some("  \u{202e}edoc\u{200b} <b>\n"), "edoc <b>"),
            (Some(""), "Unnamed client"),
            (None, "Unnamed client"),
        ] {
            assert_eq!(name(given), shown);
        }
        assert_eq!(name(Some(&"ä".repeat(10_000))).chars().count(), LONGEST_NAME);
    }
}
