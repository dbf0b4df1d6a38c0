//! Floor 7. Access tokens that this server issued: each is looked up for every request, so that one that is
//! taken back is of no use from then on.

use std::sync::Arc;

use serde_json::Map;

use super::Refused;
use crate::{
    engine::{Identified, Identity, Principal},
    plan::{Assertion, Implied, Server, with_implied},
    state::{Found, RecordFault, State, Token, oauth::Access},
};

/// The tokens that the state keeps.
#[derive(Debug)]
pub(super) struct Issued {
    state: Arc<State>,
    /// What scopes include.
    implied: Implied,
    /// The address of this server, by which tokens say what they are for.
    url: String,
}

impl Issued {
    /// `None` unless this server issues tokens.
    pub(super) fn new(server: &Server, state: Option<&Arc<State>>) -> Option<Self> {
        server.authority.as_ref()?;
        Some(Self { state: Arc::clone(state?), implied: server.scopes.clone(), url: server.public_url.clone()? })
    }

    /// Whose token it is, at a path of this server; `None` where another machine has to be asked.
    pub(super) fn find_at_once(
        &self,
        token: &Token<'_>,
        path: &str,
        now: i64,
    ) -> Option<Result<Arc<Principal>, Refused>> {
        Some(self.told(self.state.find_at_once(&hex::encode(token.digest), now)?, path, now))
    }

    /// Whose token it is, at a path of this server.
    pub(super) async fn find(&self, token: &Token<'_>, path: &str, now: i64) -> Result<Arc<Principal>, Refused> {
        let found = self.state.find(&hex::encode(token.digest), now).await;
        self.told(found, path, now)
    }

    fn told(
        &self,
        found: Result<Option<Found<Access>>, RecordFault>,
        path: &str,
        now: i64,
    ) -> Result<Arc<Principal>, Refused> {
        let found = found.map_err(|error| {
            tracing::warn!(%error, "tokens cannot be looked up");
            Refused::Unavailable
        })?;
        let access = found.ok_or(Refused::Invalid)?.value;
        if access.until <= now {
            return Err(Refused::Expired);
        }
        if !access.resource.strip_prefix(&self.url).is_some_and(|resource| covers(resource, path)) {
            return Err(Refused::Invalid);
        }
        Ok(Arc::new(self.principal(access)))
    }

    fn principal(&self, access: Access) -> Principal {
        let scopes = with_implied(&self.implied, access.scopes.iter().map(String::as_str));
        let (id, name) = match &access.user {
            Some(user) => (format!("user:{user}"), user.clone()),
            None => (format!("client:{}", access.client), access.client_name),
        };
        Principal::new(Identity {
            kind: Identified::Token,
            id,
            name,
            subject: Some(access.user.unwrap_or_else(|| access.client.clone())),
            workspace: access.workspace,
            client_id: Some(access.client),
            scopes,
            claims: Map::new(),
            end_users: if access.asserts_end_user { Assertion::Believed } else { Assertion::Hearsay },
        })
    }
}

/// Whether a token for an address of this server is one for a path: that of all bridges is for each of
/// them, that of one for this one, over either transport.
fn covers(resource: &str, path: &str) -> bool {
    let bridge = |path: &str| ["/mcp", "/sse"].into_iter().find_map(|base| Some(path.strip_prefix(base)?.to_owned()));
    match bridge(resource).as_deref() {
        None => false,
        Some("") => true,
        // Messages of HTTP+SSE have no path of their own: their session knows whose they are.
        Some(one) => bridge(path).is_none_or(|asked| asked == one),
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_token_is_for_one_bridge_or_for_all() {
        for (resource, path, expected) in [
            ("/mcp", "/mcp", true),
            ("/mcp", "/mcp/shop", true),
            ("/mcp", "/sse/shop", true),
            ("/mcp/shop", "/mcp/shop", true),
            ("/mcp/shop", "/sse/shop", true),
            ("/mcp/shop", "/messages", true),
            ("/mcp/shop", "/mcp", false),
            ("/mcp/shop", "/mcp/shops", false),
            ("/mcp/shop", "/mcp/books", false),
            ("/other", "/mcp", false),
            ("", "/mcp", false),
        ] {
            assert_eq!(covers(resource, path), expected, "{resource} {path}");
        }
    }
}
