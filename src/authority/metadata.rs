//! Floor 7. What clients read of the authorization server before they come (RFC 8414): the same document
//! at the root and below every endpoint, because clients look in both places (auth.md T4).

use serde_json::json;

use super::settings::Settings;
use crate::plan::Plan;

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// The document, and where it is.
#[derive(Debug)]
pub struct Metadata {
    paths: Vec<String>,
    document: String,
}

impl Metadata {
    /// The document of a plan; `None` when it has no authorization server.
    #[must_use]
    pub fn new(plan: &Plan) -> Option<Self> {
        let settings = Settings::new(plan)?;
        let issuer = &settings.issuer;
        let place = |path: &str| format!("{issuer}/oauth/{path}");
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": place("authorize"),
            "token_endpoint": place("token"),
            "revocation_endpoint": place("revoke"),
            "introspection_endpoint": place("introspect"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": settings.scopes_supported.iter().map(String::as_str).chain(["offline_access"]).collect::<Vec<_>>(),
            "authorization_response_iss_parameter_supported": true,
        });
        if let Some(document) = document.as_object_mut() {
            if settings.registers() {
                document.insert("registration_endpoint".into(), place("register").into());
            }
            if settings.reads_documents() {
                document.insert("client_id_metadata_document_supported".into(), true.into());
            }
        }
        let suffixes = settings.resources.iter().filter_map(|resource| resource.strip_prefix(issuer.as_str()));
        let paths = [""].into_iter().chain(suffixes).map(|suffix| format!("{WELL_KNOWN}{suffix}")).collect();
        Some(Self { paths, document: document.to_string() })
    }

    /// The document at a path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&str> {
        self.paths.iter().any(|known| known == path).then_some(self.document.as_str())
    }
}
