//! Floor 4. How sources are reached and who vouches for us: token endpoints, certificates, proxies.

use url::Url;

use super::context::Context;
use crate::{
    bridge::{AuthMethod, ClientCredentials, RestSpec, TokenExchange},
    diag::{Code, Diagnostic},
    plan::{ClientAuth, Grant, Identity, Network, TokenRequest, is_local},
    secret::{Secret, SecretId},
    yaml::Pointer,
};

/// Tokens for this server itself.
pub(super) fn client(written: &ClientCredentials, at: &Pointer, context: &mut Context<'_>) -> Option<TokenRequest> {
    let url = token_url(&written.token_url, &at.at("token_url"), context);
    let client_secret = secret(&written.client_secret, &at.at("client_secret"), context);
    Some(TokenRequest {
        url: url?,
        client_id: written.client_id.clone(),
        client_secret: client_secret?,
        client_auth: client_auth(written.auth_method),
        grant: Grant::Client,
        scopes: written.scopes.clone(),
        audience: written.audience.clone(),
    })
}

/// Tokens in exchange for those of callers.
pub(super) fn exchange(written: &TokenExchange, at: &Pointer, context: &mut Context<'_>) -> Option<TokenRequest> {
    let url = token_url(&written.token_url, &at.at("token_url"), context);
    let client_secret = secret(&written.client_secret, &at.at("client_secret"), context);
    Some(TokenRequest {
        url: url?,
        client_id: written.client_id.clone(),
        client_secret: client_secret?,
        client_auth: client_auth(written.auth_method),
        grant: Grant::Exchange,
        scopes: written.scopes.clone(),
        audience: written.audience.clone(),
    })
}

fn client_auth(method: Option<AuthMethod>) -> ClientAuth {
    match method {
        None | Some(AuthMethod::ClientSecretBasic) => ClientAuth::Basic,
        Some(AuthMethod::ClientSecretPost) => ClientAuth::Post,
    }
}

fn secret(written: &Secret<String>, at: &Pointer, context: &mut Context<'_>) -> Option<SecretId> {
    if written.expose().is_empty() {
        context.fault(Code::NotAccepted, at, "the credential is empty");
        return None;
    }
    Some(context.store(written))
}

fn token_url(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let fault = |message: &str, context: &mut Context<'_>| {
        let fault = Diagnostic::error(Code::TokenEndpoint, context.value(at), message);
        context.push(fault.help("write the whole address: `https://auth.example.com/oauth/token`"));
        None
    };
    let Some(url) = url else { return fault("this is not the address of a token endpoint", context) };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return fault("the address of a token endpoint carries no credentials and no `#`", context);
    }
    if url.scheme() == "http" && !is_local(&url) {
        return fault("the client's secret would travel in the clear", context);
    }
    Some(url)
}

/// Certificates and proxy of a source.
pub(super) fn network(spec: &RestSpec, base: &Url, at: &Pointer, context: &mut Context<'_>) -> Network {
    let mut network = Network::default();
    if let Some(tls) = &spec.tls {
        let at = at.at("tls");
        if base.scheme() != "https" {
            let span = context.key(&at);
            context.push(Diagnostic::error(Code::Tls, span, "a base without `https://` has no certificates"));
        }
        network.ca = tls.ca.as_ref().and_then(|path| pem(path, "CERTIFICATE", &at.at("ca"), context));
        match (&tls.client_cert, &tls.client_key) {
            (Some(certificate), Some(key)) => {
                let certificate = pem(certificate, "CERTIFICATE", &at.at("client_cert"), context);
                let key = pem(key, "PRIVATE KEY", &at.at("client_key"), context);
                if let (Some(certificate), Some(key)) = (certificate, key) {
                    network.identity = Some(Identity { certificate, key: context.store(&Secret::new(key)) });
                }
            }
            (None, None) => {}
            (given, _) => {
                let (there, missing) =
                    if given.is_some() { ("client_cert", "client_key") } else { ("client_key", "client_cert") };
                let message = format!("`{there}` needs `{missing}` beside it");
                context.push(Diagnostic::error(Code::Tls, context.key(&at.at(there)), message));
            }
        }
    }
    if let Some(proxy) = spec.proxy.as_ref().filter(|proxy| !proxy.expose().is_empty()) {
        let at = at.at("proxy");
        let url = Url::parse(proxy.expose()).ok();
        if url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            network.proxy = Some(context.store(proxy));
        } else {
            let fault = Diagnostic::error(Code::Proxy, context.value(&at), "this is not the address of a proxy");
            context.push(fault.help("write `http://proxy.example.com:3128`; an empty value means none"));
        }
    }
    network
}

/// The text of a file with certificates or a key.
pub(super) fn pem(path: &str, what: &str, at: &Pointer, context: &mut Context<'_>) -> Option<String> {
    let read = context.read(path);
    let message = match read.map(String::from_utf8) {
        Ok(Ok(text)) if text.contains("-----BEGIN ") && text.contains(&format!("{what}-----")) => return Some(text),
        Ok(_) => format!("the file holds no {}", what.to_lowercase()),
        Err(reason) => format!("the file cannot be read: {reason}"),
    };
    let fault = Diagnostic::error(Code::Tls, context.value(at), message);
    context.push(fault.help("name a file in PEM form, relative to this one"));
    None
}
