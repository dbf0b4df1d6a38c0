//! Floor 8. What `WWW-Authenticate` says to a caller that is refused (auth.md §1.2): one Bearer
//! challenge, values in double quotes, and the metadata only where there is an issuer to go to.

use axum::http::{HeaderValue, header};

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
    /// Where clients read who issues tokens.
    metadata: Option<String>,
    /// The scopes a client should ask for first.
    scope: Option<String>,
}

impl Challenges {
    /// The challenge for one refusal. Values hold no quotes: scopes and addresses cannot.
    pub(super) fn value(&self, refused: Refused<'_>) -> HeaderValue {
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
        if let Some(metadata) = &self.metadata {
            parts.insert(0, format!("resource_metadata=\"{metadata}\""));
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
    use super::*;

    #[test]
    fn a_challenge_says_what_the_client_needs_and_no_more() {
        let keys = Challenges::default();
        let oauth = Challenges {
            metadata: Some("https://h.example/.well-known/oauth-protected-resource/mcp".into()),
            scope: Some("read".into()),
        };
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
            assert_eq!(challenges.value(refused), expected, "{refused:?}");
        }
    }
}
