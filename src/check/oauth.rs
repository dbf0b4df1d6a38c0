//! Floor 4. Tokens of others: every issuer says who it is, whom its tokens are for, and how they
//! are verified. What is left out here would be accepted from anybody.

use std::time::Duration;

use url::Url;

use super::context::Context;
use crate::{
    bridge::{Introspection as WrittenIntrospection, Issuer as Written, OauthMode, OauthServer},
    diag::{Code, Diagnostic},
    plan::{Algorithm, ClaimNames, Introspection, Issuer, Oauth, Server, Workspace, is_local},
    yaml::Pointer,
};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
pub(super) const LEEWAY: Duration = Duration::from_secs(30);
const CACHE: Duration = Duration::from_mins(1);
/// Longer than this a clock is not off, and an answer not believed.
const LONGEST: Duration = Duration::from_mins(5);

/// Builds what is accepted of other issuers.
pub(super) fn build(written: &OauthServer, server: &Server, at: &Pointer, context: &mut Context<'_>) -> Option<Oauth> {
    if written.mode == OauthMode::Embedded {
        return None;
    }
    if server.public_url.is_none() && !context.has(&Pointer::root().at("server").at("public_url")) {
        let message = "clients that sign in must be told the address that tokens are for";
        let fault = Diagnostic::error(Code::Oauth, context.key(at), message);
        context.push(fault.help("add `server.public_url: https://mcp.example.com`"));
    }
    if written.issuers.is_empty() && !context.is_lost(None::<&()>, &at.at("issuers")) {
        let fault = Diagnostic::error(Code::Oauth, context.key(at), "no issuer is declared, so nobody could sign in");
        context.push(fault.help("add one under `issuers`"));
    }
    let mut issuers: Vec<Issuer> = Vec::new();
    for (index, issuer) in written.issuers.iter().enumerate() {
        let at = at.at("issuers").at(index);
        if written.issuers.iter().take(index).any(|other| other.issuer == issuer.issuer) {
            context.fault(Code::Oauth, &at.at("issuer"), "this issuer is declared twice");
        }
        if issuer.introspection.is_some() && written.issuers.iter().take(index).any(|it| it.introspection.is_some()) {
            let message = "nobody could tell which issuer to ask about a token: one alone has `introspection`";
            context.fault(Code::Oauth, &at.at("introspection"), message);
        }
        issuers.extend(self::issuer(issuer, &at, context));
    }
    for (index, scope) in written.scopes_supported.iter().enumerate() {
        let at = at.at("scopes_supported").at(index);
        super::admission::scope_name(scope, &at, context);
        if scope == "offline_access" {
            context.fault(Code::Scope, &at, "`offline_access` is between a client and the issuer: leave it out");
        }
    }
    Some(Oauth { issuers, scopes_supported: written.scopes_supported.clone() })
}

fn issuer(written: &Written, at: &Pointer, context: &mut Context<'_>) -> Option<Issuer> {
    let url = address(&written.issuer, &at.at("issuer"), context);
    if written.audiences.iter().any(String::is_empty) || written.audiences.is_empty() {
        let span = context.value(&at.at("audiences"));
        let message = "without an audience every token of the issuer would be accepted, whomever it is for";
        let fault = Diagnostic::error(Code::Oauth, span, message);
        context.push(fault.help("name whom the tokens are for: `audiences: [https://mcp.example.com/mcp]`"));
    }
    let algorithms = algorithms(&written.algorithms, &at.at("algorithms"), context);
    let jwks = written.jwks_uri.as_ref().map(|uri| address(uri, &at.at("jwks_uri"), context));
    let introspection =
        written.introspection.as_ref().map(|asked| introspection(asked, &at.at("introspection"), context));
    let claims = ClaimNames {
        subject: written.subject.clone().unwrap_or_else(|| "sub".into()),
        workspace: written.workspace.as_deref().map(workspace),
        scopes: if written.scopes_from.is_empty() {
            vec!["scope".into(), "scp".into()]
        } else {
            written.scopes_from.clone()
        },
    };
    let leeway = written.leeway.map_or(LEEWAY, |leeway| leeway.0);
    bounded(leeway, &at.at("leeway"), context);
    Some(Issuer {
        id: written.issuer.clone(),
        url: url?,
        audiences: written.audiences.clone(),
        algorithms,
        jwks: jwks.flatten(),
        introspection: introspection.flatten(),
        claims,
        leeway,
    })
}

/// What says where a caller belongs.
pub(super) fn workspace(text: &str) -> Workspace {
    match text.strip_prefix("claims.") {
        Some(claim) => Workspace::Claim(claim.to_owned()),
        None => Workspace::Fixed(text.to_owned()),
    }
}

/// The algorithms that are named, or the usual ones.
pub(super) fn algorithms(written: &[String], at: &Pointer, context: &mut Context<'_>) -> Vec<Algorithm> {
    if written.is_empty() {
        return ALGORITHMS.to_vec();
    }
    let named = written.iter().enumerate().filter_map(|(index, name)| algorithm(name, &at.at(index), context));
    named.collect()
}

fn introspection(written: &WrittenIntrospection, at: &Pointer, context: &mut Context<'_>) -> Option<Introspection> {
    let cache = written.cache.map_or(CACHE, |cache| cache.0);
    bounded(cache, &at.at("cache"), context);
    let url = address(&written.url, &at.at("url"), context)?;
    let client_secret = context.store(&written.client_secret);
    Some(Introspection { url, client_id: written.client_id.clone(), client_secret, cache })
}

pub(super) fn bounded(time: Duration, at: &Pointer, context: &mut Context<'_>) {
    if time > LONGEST {
        context.fault(Code::Oauth, at, "this may be five minutes at most");
    }
}

fn algorithm(name: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Algorithm> {
    let known = Algorithm::ALL.into_iter().find(|(known, _)| *known == name);
    if known.is_none() {
        let span = context.value(at);
        let message = if name.starts_with("HS") || name == "none" {
            format!("`{name}` proves nothing: whoever could check such a token could make one")
        } else {
            format!("`{name}` is not an algorithm of signatures by key pairs")
        };
        let fault = Diagnostic::error(Code::Oauth, span, message);
        context.push(fault.help(format!("known: {}", Algorithm::ALL.map(|(name, _)| name).join(", "))));
    }
    known.map(|(_, algorithm)| algorithm)
}

/// An address that an issuer is asked at: over TLS, or on this machine.
pub(super) fn address(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.host().is_some() && url.fragment().is_none());
    let Some(url) = url.filter(|url| url.query().is_none() && url.username().is_empty()) else {
        let fault = Diagnostic::error(Code::Oauth, context.value(at), "this is not an address of an issuer");
        context.push(fault.help("write scheme, host and path alone: `https://idp.example.com/realms/main`"));
        return None;
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local(&url)) {
        let message = "whoever is on the way could answer for the issuer: it must be `https://`";
        context.fault(Code::Oauth, at, message);
        return None;
    }
    Some(url)
}
