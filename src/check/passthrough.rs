//! Floor 4. Credentials of an upstream as a way in (auth.md §1.5): who vouches for them is asked at
//! the file, and what passes them on unverified has to say so.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::json;
use url::Url;

use super::{
    Document, admission,
    context::Context,
    oauth, resource, rest,
    source::{Known, Sources},
    templates,
};
use crate::{
    bridge::{LentCredentials as Written, RestOperation, Verify as WrittenVerify},
    diag::{Code, Diagnostic},
    plan::{Auth, Passthrough, Plan, Proof, Public, Reach, RestSource, SourceKind, Verify, is_local},
    yaml::Pointer,
};

const CACHE: Duration = Duration::from_mins(1);
const AUTHORIZATION: &str = "authorization";

/// Where the keys of the server stand.
fn place() -> Pointer {
    Pointer::root().at("server").at("auth").at("passthrough")
}

/// Builds the way in, when every source is known: the one that is asked may stand in any file.
pub(super) fn build(
    written: &Written,
    (own, all): (&Sources, &[Sources]),
    plan: &Plan,
    context: &mut Context<'_>,
) -> Option<Passthrough> {
    let at = place();
    let is_verified = written.verify.is_some() || context.has(&at.at("verify"));
    let proof = match (&written.verify, written.unsafe_unverified == Some(true)) {
        (Some(_), true) => {
            context.fault(Code::Verify, &at.at("unsafe_unverified"), "these credentials are verified: leave this out");
            return None;
        }
        (Some(verify), false) => self::verify(verify, (own, all), plan, context)?,
        (None, _) if is_verified => return None,
        (None, false) => {
            let fault = Diagnostic::error(Code::Unverified, context.key(&at), "nobody would verify these credentials");
            context.push(fault.help("say whom to ask: `verify: { source: NAME, get: /me, subject: $.id }`"));
            return None;
        }
        (None, true) => unverified(all, plan, context)?,
    };
    let (headers, proof) = proof;
    if !written.authorization_servers.is_empty() {
        published(written, &headers, plan, context);
    }
    for (index, scope) in written.scopes_supported.iter().enumerate() {
        admission::scope_name(scope, &at.at("scopes_supported").at(index), context);
    }
    let (authorization_servers, scopes_supported) =
        (written.authorization_servers.clone(), written.scopes_supported.clone());
    Some(Passthrough { headers, proof, authorization_servers, scopes_supported })
}

/// What clients are told has to be true: an address that they can use, and the header they send.
fn published(written: &Written, headers: &[String], plan: &Plan, context: &mut Context<'_>) {
    let at = place().at("authorization_servers");
    for (index, server) in written.authorization_servers.iter().enumerate() {
        let _ = oauth::address(server, &at.at(index), context);
    }
    if plan.server.public_url.is_none() && !context.has(&Pointer::root().at("server").at("public_url")) {
        let message = "clients that sign in must be told the address that they sign in for";
        let fault = Diagnostic::error(Code::Oauth, context.key(&at), message);
        context.push(fault.help("add `server.public_url: https://mcp.example.com`"));
    }
    if !headers.iter().any(|header| header == AUTHORIZATION) {
        let message = "clients send the token they get in `Authorization`, and it is not looked for there";
        let fault = Diagnostic::error(Code::Verify, context.key(&at), message);
        context.push(fault.help("take the credential from it: `auth: { passthrough: { from: authorization } }`"));
    }
}

fn verify(
    written: &WrittenVerify,
    (own, all): (&Sources, &[Sources]),
    plan: &Plan,
    context: &mut Context<'_>,
) -> Option<(Vec<String>, Proof)> {
    let at = place().at("verify");
    let sources =
        if own.has(&written.source) { own } else { all.iter().find(|it| it.has(&written.source)).unwrap_or(own) };
    let others = all.iter().filter(|it| it.has(&written.source)).count();
    if !own.has(&written.source) && others > 1 {
        let message = format!("several files have a source `{}`", written.source);
        context.fault(Code::Verify, &at.at("source"), message);
        return None;
    }
    let asked = json!({ "source": written.source, "get": written.get });
    let operation: RestOperation = serde_json::from_value(asked).ok()?;
    let params = resource::of(&IndexMap::new(), &at, context);
    let request = rest::build(&operation, &params, sources, &at, context);
    let path = |text: &Option<String>, key: &str, context: &mut Context<'_>| {
        text.as_ref().and_then(|text| templates::path(text, &at.at(key), context))
    };
    let (subject, workspace) =
        (path(&written.subject, "subject", context), path(&written.workspace, "workspace", context));
    for (index, scope) in written.scopes.iter().enumerate() {
        admission::scope_name(scope, &at.at("scopes").at(index), context);
    }
    let cache = written.cache.map_or(CACHE, |cache| cache.0);
    oauth::bounded(cache, &at.at("cache"), context);
    let known = sources.known(&written.source);
    if known.is_some_and(|known| known.passthrough.is_none()) {
        let name = &written.source;
        let message = format!("`{name}` is not asked with the caller's credential, so it cannot tell whose it is");
        let fault = Diagnostic::error(Code::Verify, context.value(&at.at("source")), message);
        context.push(fault.help("let the source pass it on: `auth: { passthrough: { from: authorization } }`"));
    }
    let (request, header) = (request?, known?.passthrough.clone()?);
    let source = request.source;
    let introspects = plan.server.oauth.iter().flat_map(|it| &it.issuers).any(|it| it.introspection.is_some());
    if introspects && header == AUTHORIZATION {
        let message = "nobody could tell whom to ask about a token: an issuer with `introspection`, or this source";
        context.fault(Code::Verify, &at, message);
    }
    let scopes = plan.server.with_implied(written.scopes.iter().map(String::as_str));
    let verify = Verify { source, request, subject, workspace, scopes, cache };
    Some((vec![header], Proof::Verify(Box::new(verify))))
}

/// Without anybody who vouches, a credential keeps nobody out: it may lead to nothing but the
/// sources that look at it themselves.
fn unverified(all: &[Sources], plan: &Plan, context: &mut Context<'_>) -> Option<(Vec<String>, Proof)> {
    let at = place().at("unsafe_unverified");
    let mut headers: Vec<String> = all.iter().flat_map(Sources::passing).map(|(_, from)| from.to_owned()).collect();
    headers.sort_unstable();
    headers.dedup();
    if headers.is_empty() {
        if !plan.sources.is_empty() {
            context.fault(Code::Verify, &place(), "no source passes the caller's credential on");
        }
        return None;
    }
    let advice = Diagnostic::warning(
        Code::Unverified,
        context.value(&at),
        "credentials are passed on that nobody has verified; the specification of MCP forbids that",
    );
    context.push(advice.help("say whom to ask: `verify: { source: NAME, get: /me, subject: $.id }`"));
    let reach = if plan.sources.iter().all(|source| is_passing(&source.kind)) { Reach::Theirs } else { Reach::Others };
    let server = &plan.server;
    let others_guard = server.api_keys.is_some() || server.signs_in();
    let is_open = !server.listen.ip().is_loopback() && server.public == Public::Guarded;
    if reach == Reach::Others && (others_guard || is_open) {
        let message = "any made-up credential would lead to the sources that do not look at it";
        let fault = Diagnostic::error(Code::Open, context.value(&at), message);
        context.push(fault.help("verify credentials, or serve the other sources with a server of their own"));
    }
    Some((headers, Proof::None(reach)))
}

const fn is_passing(kind: &SourceKind) -> bool {
    matches!(kind, SourceKind::Rest(RestSource { auth: Auth::Passthrough { .. }, .. }))
}

/// What the credentials of callers are held against: every source, and whether somebody asks for them.
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) all: &'a [Sources],
    /// Whether `server.auth` has a fault of its own: what follows from it is not worth a word.
    pub(super) is_lost: bool,
}

/// A credential of callers goes to one place, and not in the clear (auth.md §6); and somebody
/// has to know the callers who bring it.
pub(super) fn hold_against(world: &World<'_>, (document, sources): (&Document, &Sources), context: &mut Context<'_>) {
    for name in document.file.sources.keys() {
        let Some(known) = sources.known(name) else { continue };
        let at = Pointer::root().at("sources").at(name).at("rest").at("auth").at("passthrough");
        let Some((from, base)) = passed(world.plan, known) else { continue };
        if base.scheme() == "http" && !is_local(base) {
            let message = "the caller's credential would travel in the clear";
            let fault = Diagnostic::error(Code::CredentialSpread, context.key(&at), message);
            context.push(fault.help("give the source a base with `https://`"));
        }
        let earlier = world.all.iter().flat_map(Sources::each).filter(|other| other.id.index() < known.id.index());
        let elsewhere = earlier
            .filter_map(|other| passed(world.plan, other))
            .find(|(other_from, other)| *other_from == from && other.origin() != base.origin());
        if let Some((_, other)) = elsewhere {
            let message = format!("the caller's `{from}` goes to {} already", other.origin().ascii_serialization());
            let fault = Diagnostic::error(Code::CredentialSpread, context.key(&at), message);
            context.push(fault.help("take this one from a header of its own: `from: x-upstream-authorization`"));
        }
        if !world.plan.server.asks_callers() && !world.is_lost {
            let message = format!("`{name}` is sent credentials of callers that nobody has verified");
            let fault = Diagnostic::error(Code::Unverified, context.key(&at), message);
            let help = "let the API vouch for them with `server.auth.passthrough.verify`, ask callers for a key, or say \
                        `server: { auth: { passthrough: { unsafe_unverified: true } } }`";
            context.push(fault.help(help));
        }
    }
    tokens_exist(world, document, context);
}

/// The caller's header that a source is asked with, and where it goes.
fn passed<'a>(plan: &'a Plan, known: &Known) -> Option<(&'a str, &'a Url)> {
    match plan.sources.get(known.id.index()).map(|source| &source.kind)? {
        SourceKind::Rest(RestSource { auth: Auth::Passthrough { from, .. }, base, .. }) => Some((from, base)),
        SourceKind::Rest(_) | SourceKind::Sql(_) => None,
    }
}

/// A token in exchange for the caller's needs callers who have one (auth.md §6).
fn tokens_exist(world: &World<'_>, document: &Document, context: &mut Context<'_>) {
    let server = &world.plan.server;
    // With the key in a header of its own, `Authorization` is free for such a token.
    let may_have = server.signs_in() || server.api_keys.as_ref().is_some_and(|keys| keys.header.is_some());
    if may_have || world.is_lost {
        return;
    }
    for name in document.file.sources.keys() {
        let at = Pointer::root().at("sources").at(name).at("rest").at("auth").at("token_exchange");
        if context.has(&at) && !context.is_faulty(&at) {
            let message = format!("`{name}` exchanges the token of the caller, and no caller has one");
            let fault = Diagnostic::error(Code::NoToken, context.key(&at), message);
            context.push(fault.help("let callers sign in: `server.auth.oauth`"));
        }
    }
}
