//! Floor 7. A client gives a token back (RFC 7009), or asks what one is worth (RFC 7662), if an administrator
//! let it: anybody else would learn from the answers which guesses are right.

use serde_json::json;

use super::{
    Authority,
    answer::{Answer, Class, Fault, Inquiry, document},
    client::Named,
    form::Pairs,
};
use crate::state::{
    Change, Found, Kind, Token,
    oauth::{Access, Grant},
};

impl Authority {
    pub(super) async fn revoke(&self, inquiry: &Inquiry<'_>, now: i64) -> Result<Answer, Fault> {
        let form = Pairs::parse(inquiry.body);
        let named = Named::read(inquiry.authorization, &form)?;
        self.limits.token.take(&(named.id.as_str(), inquiry.address)).map_err(Fault::too_often)?;
        let client = self.authenticate(&named, now).await?;
        let text = form.one("token")?.ok_or(Fault::new("invalid_request", "token is missing"))?;
        // What is not a token of this client is as good as given back.
        match Token::parse(text) {
            Some(token) if token.kind == Kind::Access => {
                let found = self.state.find::<Access>(&hex::encode(token.digest), now).await?;
                if let Some(access) = found.filter(|access| access.value.client == client.key) {
                    // Whoever was first took it back, too.
                    let _ = self.state.apply(vec![Change::remove(&access)], now).await?;
                }
            }
            Some(token) if token.kind == Kind::Refresh => {
                let found = self.state.find::<Grant>(token.id, now).await?;
                if found.is_some_and(|grant| grant.value.client == client.key && holds(&grant, &token)) {
                    self.end(token.id, now).await?;
                }
            }
            Some(_) | None => {}
        }
        self.tell("revoked", "token", &client.key, inquiry.address);
        Ok(document(Class::Fine, &json!({})))
    }

    pub(super) async fn introspect(&self, inquiry: &Inquiry<'_>, now: i64) -> Result<Answer, Fault> {
        let form = Pairs::parse(inquiry.body);
        let named = Named::read(inquiry.authorization, &form)?;
        self.limits.token.take(&(named.id.as_str(), inquiry.address)).map_err(Fault::too_often)?;
        let client = self.authenticate(&named, now).await?;
        if !client.value.introspects || client.value.secrets.is_empty() {
            return Err(Fault { class: Class::Forbidden, ..Fault::new("access_denied", "this client may not ask") });
        }
        let text = form.one("token")?.ok_or(Fault::new("invalid_request", "token is missing"))?;
        let nothing = || Ok(document(Class::Fine, &json!({ "active": false })));
        let Some(token) = Token::parse(text).filter(|token| token.kind == Kind::Access) else { return nothing() };
        let found = self.state.find::<Access>(&hex::encode(token.digest), now).await?;
        let Some(access) = found.filter(|access| access.value.until > now) else { return nothing() };
        let access = access.value;
        let mut told = json!({
            "active": true,
            "iss": self.settings.issuer,
            "aud": access.resource,
            "client_id": access.client,
            "sub": access.user.as_ref().unwrap_or(&access.client),
            "scope": access.scopes.join(" "),
            "token_type": "Bearer",
            "iat": access.issued_at,
            "exp": access.until,
        });
        if let (Some(user), Some(told)) = (access.user, told.as_object_mut()) {
            told.insert("username".into(), user.into());
        }
        Ok(document(Class::Fine, &told))
    }
}

/// Whether a refresh token is one of the grant's: its id alone is no secret.
fn holds(grant: &Found<Grant>, token: &Token<'_>) -> bool {
    let digest = hex::encode(token.digest);
    let tokens = grant.value.refresh.iter();
    tokens.flat_map(|it| [Some(&it.current), it.previous.as_ref()]).flatten().any(|kept| *kept == digest)
}
