//! Floor 8. Where clients read who issues tokens for this server (RFC 9728): one document for each
//! endpoint, at the path form and at the root, for everybody and without asking anybody.

use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, header},
};
use serde_json::json;

use crate::{authority, plan::Plan};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The documents of one server.
#[derive(Debug)]
pub(super) struct Metadata {
    /// The rest of the path after [`WELL_KNOWN`], and the document.
    documents: Vec<(String, String)>,
    /// What clients read of this server as an issuer.
    own: Option<authority::Metadata>,
}

impl Metadata {
    /// The documents of a plan; `None` when nobody signs in, and then there is nothing here.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let url = plan.server.public_url.as_ref()?;
        let issuers = plan.server.authorization_servers();
        if issuers.is_empty() {
            return None;
        }
        let document = |path: &str, name: &str| {
            json!({
                "resource": format!("{url}{path}"),
                "authorization_servers": issuers,
                "scopes_supported": plan.server.scopes_supported(),
                "bearer_methods_supported": ["header"],
                "resource_name": name,
            })
            .to_string()
        };
        let mut documents = vec![(String::new(), document("/mcp", "mcp-bridge"))];
        for path in ["/mcp", "/sse"] {
            documents.push((path.to_owned(), document(path, "mcp-bridge")));
            for bridge in plan.bridges.iter().filter(|bridge| !bridge.name.is_empty()) {
                let path = format!("{path}/{}", bridge.name);
                let document = document(&path, bridge.title.as_deref().unwrap_or(&bridge.name));
                documents.push((path, document));
            }
        }
        Some(Self { documents, own: authority::Metadata::new(plan) })
    }

    /// Where the document of a path of this server is.
    pub(super) fn place(&self, path: &str) -> &str {
        let known = self.documents.iter().find(|(known, _)| known == path);
        known.map_or("/mcp", |(known, _)| known.as_str())
    }

    /// The answer to a request for a document; `None` for any other request.
    pub(super) fn answer(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        let ours = || {
            let rest = path.strip_prefix(WELL_KNOWN)?;
            self.documents.iter().find(|(known, _)| known == rest).map(|(_, document)| document.as_str())
        };
        let document = self.own.as_ref().and_then(|own| own.at(path)).or_else(ours)?;
        let (status, body) = match *method {
            Method::GET => (StatusCode::OK, Body::from(document.to_owned())),
            Method::HEAD => (StatusCode::OK, Body::empty()),
            Method::OPTIONS => (StatusCode::NO_CONTENT, Body::empty()),
            _ => (StatusCode::METHOD_NOT_ALLOWED, Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "max-age=300"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
            (header::ALLOW, "GET, HEAD, OPTIONS"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }
}

/// The address of the document of a path, for challenges.
pub(super) fn address(public_url: &str, place: &str) -> String {
    format!("{public_url}{WELL_KNOWN}{place}")
}
