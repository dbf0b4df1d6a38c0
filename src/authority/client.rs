//! Floor 7. Clients: who one is, by its id and secret in each of the ways in which libraries send them
//! (auth.md T11, T12).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq;

use super::{Authority, answer::Fault, form::Pairs};
use crate::state::{
    Found, Kind, Token,
    oauth::{Client, Standing},
};

/// What a client says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: String,
    /// Its secret, in each of the ways in which the header can be read.
    secrets: Vec<String>,
}

impl Named {
    /// Reads who a client says it is, from the header and the form.
    pub(super) fn read(authorization: Option<&str>, form: &Pairs) -> Result<Self, Fault> {
        let (id, secret) = (form.one("client_id")?, form.one("client_secret")?);
        let basic = match authorization {
            Some(header) => Some(basic(header).ok_or(Fault::CLIENT)?),
            None => None,
        };
        let Some((raw_id, raw_secret)) = basic else {
            let id = id.ok_or(Fault::CLIENT)?.to_owned();
            return Ok(Self { id, secrets: secret.map(str::to_owned).into_iter().collect() });
        };
        // Some encode the two parts as a form does, as RFC 6749 §2.3.1 has it, and some do not.
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let ids = [raw_id.clone(), decoded(&raw_id)];
        if id.is_some_and(|id| !ids.iter().any(|known| known == id)) {
            return Err(Fault::new("invalid_request", "the header and the form name two clients"));
        }
        let mut secrets = vec![decoded(&raw_secret), raw_secret];
        if secret.is_some_and(|secret| !secrets.iter().any(|known| known == secret)) {
            return Err(Fault::new("invalid_request", "the header and the form have two secrets"));
        }
        secrets.dedup();
        secrets.retain(|secret| !secret.is_empty());
        Ok(Self { id: decoded(&raw_id), secrets })
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    let pair = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Whether a secret is one of the client's. A client that cannot keep one has none to show.
fn holds(client: &Client, secrets: &[String], now: i64) -> bool {
    if client.secrets.is_empty() {
        return secrets.is_empty();
    }
    let shown = secrets.iter().filter_map(|text| Token::parse(text)).filter(|token| token.kind == Kind::ClientSecret);
    let mut fits = false;
    for token in shown {
        let digest = hex::encode(token.digest);
        for kept in client.secrets.iter().filter(|kept| kept.expires_at.is_none_or(|end| end > now)) {
            fits |= bool::from(kept.digest.as_bytes().ct_eq(digest.as_bytes()));
        }
    }
    fits
}

impl Authority {
    /// The client that asks, when it is the one it says.
    pub(super) async fn authenticate(&self, named: &Named, now: i64) -> Result<Found<Client>, Fault> {
        let found = self.state.find::<Client>(&named.id, now).await?.ok_or(Fault::CLIENT)?;
        if !holds(&found.value, &named.secrets, now) {
            return Err(Fault::CLIENT);
        }
        match found.value.standing {
            Standing::Active => Ok(found),
            Standing::Pending => {
                Err(Fault::new("unauthorized_client", "an administrator has to approve this client first"))
            }
            Standing::Revoked => Err(Fault::CLIENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, form: &str) -> Result<(String, Vec<String>), &'static str> {
        let header = header.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        let named = Named::read(header.as_deref(), &Pairs::parse(form.as_bytes()));
        named.map(|named| (named.id, named.secrets)).map_err(|fault| fault.code)
    }

    #[test]
    fn a_client_names_itself_in_the_header_or_in_the_form() {
        let one = |id: &str, secrets: &[&str]| Ok((id.to_owned(), secrets.iter().map(|it| (*it).to_owned()).collect()));
        assert_eq!(read(None, "client_id=a"), one("a", &[]));
        assert_eq!(read(None, "client_id=a&client_secret=s"), one("a", &["s"]));
        assert_eq!(read(Some("a:s"), ""), one("a", &["s"]));
        assert_eq!(read(Some("a:s%2B"), "client_id=a"), one("a", &["s+", "s%2B"]));
        assert_eq!(read(Some("a:"), "client_id=a"), one("a", &[]));
        assert_eq!(read(Some("a:s"), "client_id=b"), Err("invalid_request"));
        assert_eq!(read(Some("a:s"), "client_id=a&client_secret=t"), Err("invalid_request"));
        assert_eq!(read(None, "client_secret=s"), Err("invalid_client"));
        assert_eq!(read(None, "client_id=a&client_id=b"), Err("invalid_request"));
    }
}
