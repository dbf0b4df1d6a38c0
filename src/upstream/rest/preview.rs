//! Floor 5. The request of a call as it would be sent, without sending it: built as always, with
//! a mask in the place of every credential. Serves `call --dry-run`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use tokio::time::Instant;

use super::{RestCall, auth::Signer, pairs::append_pair, request::Frame};
use crate::{
    plan::{self, Auth, RestSource},
    secret::Secret,
    template::Scope,
    upstream::UpstreamError,
    yaml::names_a_secret,
};

/// What stands in the place of a credential.
const MASK: &str = "***";

/// A request that was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Headers in the order of their names; the connection adds `host` and `content-length`.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Bytes>,
    /// Whether this is the first of several requests, without what asks for its page.
    pub is_page: bool,
}

/// Builds the request of one call. No credential is read, so none can be shown: not that of the
/// source, which is not asked for, and no fixed header or parameter that is named like one.
///
/// # Errors
/// As for a call, up to the moment of sending.
pub fn preview(
    (name, source): (&str, &RestSource),
    request: &plan::rest::Request,
    scope: &(dyn Scope + Sync),
) -> Result<Preview, UpstreamError> {
    let frame = Frame::new(name, &masked(source), signer(&source.auth))?;
    let nobody = |_: &str| None;
    let call =
        RestCall { scope, credential: &nobody, deadline: Instant::now() + Duration::from_secs(1), tell: &|_| {} };
    let built = frame.build(request, &call)?;
    let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<_> = built.headers.iter().map(|(name, value)| (name.to_string(), shown(value))).collect();
    if let Some(name) = &request.care.idempotency_key {
        headers.push((name.clone(), "(a new key for every call)".to_owned()));
    }
    headers.sort();
    Ok(Preview {
        method: built.method.to_string(),
        url: built.url.to_string(),
        headers,
        body: built.body,
        is_page: request.care.paginate.is_some(),
    })
}

/// A source without anything that is named like a credential, and without its own.
pub(super) fn masked(source: &RestSource) -> RestSource {
    let mut masked = RestSource { auth: Auth::None, ..source.clone() };
    for (key, value) in masked.headers.iter_mut().chain(&mut masked.query) {
        if is_secret(key) {
            MASK.clone_into(value);
        }
    }
    masked
}

/// Whether a header or a parameter is named like a credential: a part of its name is enough.
fn is_secret(name: &str) -> bool {
    name.split(['-', '_', '.']).any(names_a_secret) || names_a_secret(&name.replace('-', "_"))
}

/// Signs with the mask, in the place where the credential of the source goes.
pub(super) fn signer(auth: &Auth) -> Signer {
    let header = |name: HeaderName, text: &'static str| Signer::Header { name, value: HeaderValue::from_static(text) };
    let named = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap_or(AUTHORIZATION);
    match auth {
        Auth::None => Signer::Nothing,
        Auth::Bearer(_) | Auth::Tokens(_) => header(AUTHORIZATION, "Bearer ***"),
        Auth::Basic { .. } => header(AUTHORIZATION, "Basic ***"),
        Auth::HeaderKey { header: name, .. } | Auth::Passthrough { to: name, .. } => header(named(name), MASK),
        Auth::QueryKey { name, .. } => {
            let mut pair = String::new();
            append_pair(&mut pair, name, MASK);
            Signer::Query(Secret::new(pair))
        }
    }
}
