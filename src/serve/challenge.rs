//! Floor 8. What `WWW-Authenticate` says to a caller that is refused (auth.md §1.2): one Bearer
//! challenge, values in double quotes, and the metadata only where there is an issuer to go to.

use axum::http::{HeaderValue, header};

use super::metadata::{self, Metadata};
use crate::plan::Plan;

/// Why a caller is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused<'a> {
    /// It sent no credential. RFC 6750 §3.1: no error code then.
    Missing,
    /// What it sent is not valid, in words.
    Invalid(&'a str),
    /// It needs all of these scopes.
    Scope(&'a str),
}

/// The challenges of one server.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    /// Where clients read who issues tokens: the address of this server, and its documents.
    documents: Option<(String, Metadata)>,
    /// The scopes a client should ask for first.
    scope: Option<String>,
}

impl Challenges {
    /// The challenges of a plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let documents = plan.server.public_url.clone().zip(Metadata::new(plan));
        let scopes = plan.server.scopes_supported().join(" ");
        Self { documents, scope: Some(scopes).filter(|scopes| !scopes.is_empty()) }
    }

    /// The documents that challenges lead to.
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.documents.as_ref().map(|(_, metadata)| metadata)
    }

    /// The challenge for one refusal of a request for a path. Values hold no quotes: scopes and
    /// addresses cannot.
    pub(super) fn value(&self, refused: Refused<'_>, path: &str) -> HeaderValue {
        let mut parts = Vec::new();
        match refused {
            Refused::Missing | Refused::Invalid(_) => {
                if let Some(scope) = &self.scope {
                    parts.push(format!("scope=\"{scope}\""));
                }
            }
            Refused::Scope(scope) => {
                parts.push("error=\"insufficient_scope\"".to_owned());
                parts.push(format!("scope=\"{scope}\""));
            }
        }
        if let Some((url, metadata)) = &self.documents {
            let address = metadata::address(url, metadata.place(path));
            parts.insert(0, format!("resource_metadata=\"{address}\""));
        }
        if let Refused::Invalid(words) = refused {
            parts.push("error=\"invalid_token\"".to_owned());
            parts.push(format!("error_description=\"{words}\""));
        }
        let text = if parts.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parts.join(", ")) };
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }

    /// The header it stands in.
    pub(super) const NAME: header::HeaderName = header::WWW_AUTHENTICATE;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::{Passthrough, Proof, Reach};

    #[test]
    fn a_challenge_says_what_the_client_needs_and_no_more() {
        let keys = Challenges::default();
        let mut plan = Plan::default();
        plan.server.public_url = Some("https://h.example".into());
        plan.server.passthrough = Some(Arc::new(Passthrough {
            headers: vec!["authorization".into()],
            proof: Proof::None(Reach::Theirs),
            authorization_servers: vec!["https://idp.example".into()],
            scopes_supported: vec!["read".into()],
        }));
        let oauth = Challenges::new(&plan);
        let metadata = "resource_metadata=\"https://h.example/.well-known/oauth-protected-resource/mcp\"";
        for (challenges, refused, expected) in [
            (&keys, Refused::Missing, "Bearer".to_owned()),
            (&keys, Refused::Invalid("no"), "Bearer error=\"invalid_token\", error_description=\"no\"".to_owned()),
            (&keys, Refused::Scope("a b"), "Bearer error=\"insufficient_scope\", scope=\"a b\"".to_owned()),
            (&oauth, Refused::Missing, format!("Bearer {metadata}, scope=\"read\"")),
            (
                &oauth,
                Refused::Invalid("expired"),
                format!("Bearer {metadata}, scope=\"read\", error=\"invalid_token\", error_description=\"expired\""),
            ),
            (&oauth, Refused::Scope("a b"), format!("Bearer {metadata}, error=\"insufficient_scope\", scope=\"a b\"")),
        ] {
            assert_eq!(challenges.value(refused, "/mcp"), expected, "{refused:?}");
        }
    }
}
