//! Floor 4. The authorization server inside: what it needs of the other settings, and what would open it
//! wider than its author can have meant.

use std::time::Duration;

use url::Url;

use super::{Document, admission, context::Context};
use crate::{
    bridge::{ConsentMode as WrittenConsent, Dynamic, OauthMode, OauthServer, Registration as Written, Ttl},
    diag::{Code, Diagnostic},
    plan::{Authority, ConsentMode, Lifetimes, Plan, Registration, RegistrationPolicy, Server, Tool, is_local},
    yaml::Pointer,
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// Schemes that are no program's (auth.md §3.5).
const NO_PROGRAM: [&str; 10] =
    ["http", "https", "javascript", "data", "file", "vbscript", "blob", "about", "ws", "wss"];

/// Builds the authorization server, where the files want one.
pub(super) fn build(
    written: &OauthServer,
    server: &Server,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Authority> {
    if written.mode != OauthMode::Embedded {
        only_embedded(written, at, context);
        return None;
    }
    if server.public_url.is_none() && !context.has(&Pointer::root().at("server").at("public_url")) {
        let message = "people and clients must be told the address where they sign in";
        let fault = Diagnostic::error(Code::Oauth, context.key(at), message);
        context.push(fault.help("add `server.public_url: https://mcp.example.com`"));
    }
    if !written.issuers.is_empty() {
        let fault = Diagnostic::error(Code::Oauth, context.key(&at.at("issuers")), "this server issues its own tokens");
        context.push(fault.help("take `issuers` away, or say `mode: resource_server`"));
    }
    let supported = scopes(&written.scopes_supported, &at.at("scopes_supported"), context);
    let defaults = scopes(&written.default_scopes, &at.at("default_scopes"), context);
    let default_scopes = if defaults.is_empty() { supported.clone() } else { defaults };
    let registration = registration(written.registration.as_ref(), &at.at("registration"), context);
    let scopes = if registration.scopes.is_empty() {
        supported.iter().chain(&default_scopes).cloned().collect()
    } else {
        registration.scopes
    };
    Some(Authority {
        scopes_supported: supported,
        default_scopes,
        provider: super::sign_in::build(written, at, context),
        registration: Registration { scopes, ..registration },
        consent: match written.consent {
            None | Some(WrittenConsent::Always) => ConsentMode::Always,
            Some(WrittenConsent::Remember) => ConsentMode::Remember,
        },
        lifetimes: lifetimes(written.ttl.as_ref(), &at.at("ttl"), context),
    })
}

/// What says something of an authorization server inside says nothing where there is none.
fn only_embedded(written: &OauthServer, at: &Pointer, context: &mut Context<'_>) {
    for (key, is_written) in [
        ("default_scopes", !written.default_scopes.is_empty()),
        ("login", written.login.is_some()),
        ("upstream_oidc", written.upstream_oidc.is_some()),
        ("registration", written.registration.is_some()),
        ("consent", written.consent.is_some()),
        ("ttl", written.ttl.is_some()),
    ] {
        if is_written {
            let message = format!("`{key}` is for a server that issues its own tokens");
            let fault = Diagnostic::error(Code::Oauth, context.key(&at.at(key)), message);
            context.push(fault.help("say `mode: embedded`, or take it away"));
        }
    }
}

fn scopes(written: &[String], at: &Pointer, context: &mut Context<'_>) -> Vec<String> {
    for (index, scope) in written.iter().enumerate() {
        let at = at.at(index);
        admission::scope_name(scope, &at, context);
        if scope == "offline_access" {
            context.fault(Code::Scope, &at, "`offline_access` opens no tool: refresh tokens are issued without it");
        }
    }
    written.to_vec()
}

fn registration(written: Option<&Written>, at: &Pointer, context: &mut Context<'_>) -> Registration {
    let default = Written::default();
    let written = written.unwrap_or(&default);
    for (index, redirect) in written.extra_redirects.iter().enumerate() {
        let url = Url::parse(redirect).ok().filter(|url| url.fragment().is_none() && url.username().is_empty());
        if url.is_none_or(|url| url.scheme() != "https" || url.password().is_some()) {
            let span = context.value(&at.at("extra_redirects").at(index));
            let fault = Diagnostic::error(Code::Oauth, span, "people are not sent back to this address");
            context.push(fault.help("write it whole and over TLS: `https://app.example.com/callback`"));
        }
    }
    for (index, scheme) in written.custom_schemes.iter().enumerate() {
        let fits = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
        if !fits || NO_PROGRAM.contains(&scheme.as_str()) {
            let span = context.value(&at.at("custom_schemes").at(index));
            let fault = Diagnostic::error(Code::Oauth, span, format!("`{scheme}` is not the scheme of a program"));
            context.push(fault.help("write the scheme alone and in lower case: `custom_schemes: [cursor]`"));
        }
    }
    let documents = policy(written.metadata_documents.unwrap_or(Dynamic::Off));
    let origins = document_origins(&written.document_origins, &at.at("document_origins"), context);
    if documents == RegistrationPolicy::Off && !written.document_origins.is_empty() {
        let span = context.key(&at.at("document_origins"));
        let fault = Diagnostic::error(Code::Oauth, span, "no documents about clients are read");
        context.push(fault.help("say which: `metadata_documents: allowlist`"));
    }
    Registration {
        policy: policy(written.dynamic.unwrap_or(Dynamic::Allowlist)),
        documents,
        origins,
        redirects: written.extra_redirects.clone(),
        schemes: written.custom_schemes.clone(),
        scopes: scopes(&written.dcr_scopes, &at.at("dcr_scopes"), context),
    }
}

const fn policy(written: Dynamic) -> RegistrationPolicy {
    match written {
        Dynamic::Off => RegistrationPolicy::Off,
        Dynamic::Allowlist => RegistrationPolicy::Allowlist,
        Dynamic::Approval => RegistrationPolicy::Approval,
        Dynamic::Open => RegistrationPolicy::Open,
    }
}

/// Where documents are that the author vouches for. What is on this machine needs no TLS, as elsewhere.
fn document_origins(written: &[String], at: &Pointer, context: &mut Context<'_>) -> Vec<String> {
    for (index, origin) in written.iter().enumerate() {
        let url = Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == *origin);
        if url.is_none_or(|url| url.scheme() != "https" && !(url.scheme() == "http" && is_local(&url))) {
            let span = context.value(&at.at(index));
            let fault = Diagnostic::error(Code::Oauth, span, "no document about a client is believed from here");
            context.push(fault.help("write scheme and host alone: `https://app.example.com`"));
        }
    }
    written.to_vec()
}

fn lifetimes(written: Option<&Ttl>, at: &Pointer, context: &mut Context<'_>) -> Lifetimes {
    let default = Ttl::default();
    let written = written.unwrap_or(&default);
    let mut one =
        |key: &str, time: Option<crate::bridge::Duration>, usual: Duration, longest: Duration, words: &str| {
            let time = time.map_or(usual, |time| time.0);
            if time > longest || time < Duration::from_secs(1) {
                let message = format!("this may be one second to {words}");
                context.fault(Code::Oauth, &at.at(key), &message);
            }
            time
        };
    Lifetimes {
        code: one("code", written.code, MINUTE, 10 * MINUTE, "ten minutes"),
        access: one("access", written.access, 60 * MINUTE, DAY, "a day"),
        own_access: one("cc_access", written.cc_access, 30 * MINUTE, DAY, "a day"),
        idle: one("refresh_idle", written.refresh_idle, 30 * DAY, 365 * DAY, "a year"),
        grant: one("refresh_max", written.refresh_max, 90 * DAY, 365 * DAY, "a year"),
    }
}

/// Where anybody may register, what anybody gets must not change anything (auth.md §6).
pub(super) fn hold_against(plan: &Plan, document: &Document, context: &mut Context<'_>) {
    let written = document.file.server.as_ref().and_then(|server| server.auth.as_ref()?.oauth.as_ref());
    let (Some(authority), Some(_)) = (&plan.server.authority, written) else { return };
    let at = Pointer::root().at("server").at("auth").at("oauth");
    for (key, named) in
        [("scopes_supported", &authority.scopes_supported), ("default_scopes", &authority.default_scopes)]
    {
        for (index, scope) in named.iter().enumerate() {
            let at = at.at(key).at(index);
            if context.has(&at)
                && !context.is_faulty(&at)
                && !plan.server.scopes.is_empty()
                && !plan.server.scopes.contains_key(scope)
            {
                admission::undeclared(scope, plan.server.scopes.keys(), &at, context);
            }
        }
    }
    let registration = &authority.registration;
    let open = [("dynamic", registration.policy), ("metadata_documents", registration.documents)];
    let Some((key, _)) = open.into_iter().find(|(_, policy)| *policy == RegistrationPolicy::Open) else { return };
    let given = plan.server.with_implied(authority.default_scopes.iter().map(String::as_str));
    let opens = |tool: &Tool| tool.writes() && tool.admission.scopes.iter().all(|scope| given.contains(scope));
    if let Some(tool) = plan.tools.iter().find(|tool| opens(tool)) {
        let at = at.at("registration").at(key);
        let message = format!("any client could register and call `{}`, which changes something", tool.name);
        let fault = Diagnostic::error(Code::Oauth, context.value(&at), message);
        let help = format!("give the tool a scope that is not in `default_scopes`, or say `{key}: allowlist`");
        context.push(fault.help(help));
    }
}
