//! Floor 5. Signs requests: the only writer of credentials, each for its own source (auth.md
//! §4.3). Values are read from the vault once, when the source is connected.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::{RestCall, pairs::append_pair};
use crate::{
    plan::Auth,
    secret::{Secret, SecretId, Vault},
    upstream::{FailureClass, UpstreamError},
};

/// What is added to every request of a source.
pub(super) enum Signer {
    /// Nothing.
    Nothing,
    /// A header, marked as sensitive.
    Header { name: HeaderName, value: HeaderValue },
    /// A query parameter, encoded as it is sent.
    Query(Secret<String>),
    /// The caller's own header.
    Caller { source: String, from: String, to: HeaderName },
}

impl Signer {
    /// Takes the secrets out of the vault.
    ///
    /// # Errors
    /// [`FailureClass::Internal`] when the vault does not hold a secret of the plan, or when a
    /// name or a value cannot be sent in a header. The value is never part of the error.
    pub(super) fn new(source: &str, auth: &Auth, vault: &Vault) -> Result<Self, UpstreamError> {
        Ok(match auth {
            // Tokens are had when they are needed.
            Auth::None | Auth::Tokens(_) => Self::Nothing,
            Auth::Bearer(token) => {
                let text = Secret::new(format!("Bearer {}", exposed(source, *token, vault)?));
                Self::Header { name: AUTHORIZATION, value: sensitive(source, &text)? }
            }
            Auth::Basic { username, password } => {
                let pair = Secret::new(format!("{username}:{}", exposed(source, *password, vault)?));
                let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
                Self::Header { name: AUTHORIZATION, value: sensitive(source, &text)? }
            }
            Auth::HeaderKey { header, value } => {
                let text = Secret::new(exposed(source, *value, vault)?.to_owned());
                Self::Header { name: header_name(source, header)?, value: sensitive(source, &text)? }
            }
            Auth::QueryKey { name, value } => {
                let mut pair = String::new();
                append_pair(&mut pair, name, exposed(source, *value, vault)?);
                Self::Query(Secret::new(pair))
            }
            Auth::Passthrough { from, to } => {
                Self::Caller { source: source.to_owned(), from: from.clone(), to: header_name(source, to)? }
            }
        })
    }

    /// The query parameter to put after all others, encoded as it is sent.
    pub(super) fn query(&self) -> Option<&str> {
        match self {
            Self::Query(pair) => Some(pair.expose()),
            Self::Nothing | Self::Header { .. } | Self::Caller { .. } => None,
        }
    }

    /// Adds the header, in place of any other of that name.
    ///
    /// # Errors
    /// [`FailureClass::Credential`] when the caller sent no credential to pass on.
    pub(super) fn sign(&self, headers: &mut HeaderMap, call: &RestCall<'_>) -> Result<(), UpstreamError> {
        match self {
            Self::Nothing | Self::Query(_) => {}
            Self::Header { name, value } => {
                headers.insert(name, value.clone());
            }
            Self::Caller { source, from, to } => {
                let Some(mut value) = (call.credential)(from).filter(|value| !value.is_empty()) else {
                    let told = format!("`{source}` is asked with your own credential: send it in the header `{from}`.");
                    return Err(UpstreamError::new(FailureClass::Credential, told));
                };
                value.set_sensitive(true);
                headers.insert(to, value);
            }
        }
        Ok(())
    }
}

fn exposed<'v>(source: &str, id: SecretId, vault: &'v Vault) -> Result<&'v str, UpstreamError> {
    match vault.get(id) {
        Some(secret) => Ok(secret.expose()),
        None => Err(unusable(source, "is not known")),
    }
}

fn sensitive(source: &str, text: &Secret<String>) -> Result<HeaderValue, UpstreamError> {
    if text.expose().bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return Err(unusable(source, "holds characters that no header can have"));
    }
    let mut value = HeaderValue::from_str(text.expose())
        .map_err(|_| unusable(source, "holds characters that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn header_name(source: &str, name: &str) -> Result<HeaderName, UpstreamError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable(source, "is for a header that cannot be named so"))
}

fn unusable(source: &str, why: &str) -> UpstreamError {
    UpstreamError::new(FailureClass::Internal, format!("The credential of `{source}` {why}."))
}
