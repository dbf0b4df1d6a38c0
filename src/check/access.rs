//! Floor 4. The server's settings: where it listens and who may call.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use url::Url;

use super::{admission, context::Context, listener, rest, source::Sources};
use crate::{
    bridge::{ApiKey as WrittenKey, ApiKeys as WrittenKeys, OauthMode, RateLimits, Server as Written},
    diag::{Code, Diagnostic},
    plan::{
        ApiKey, ApiKeys, Assertion, AuditPlace, CallerPart, KeyProof, Plan, Public, Reload, Server, StatePlace, Stored,
    },
    secret::{Secret, SecretId},
    yaml::Pointer,
};

/// Where the state is kept when nobody says.
const STATE: &str = "mcp-bridge-state.db";
/// Shorter keys can be guessed (auth.md §4.8).
const SHORTEST_KEY: usize = 20;
/// The same for what everything is signed with.
const SHORTEST_SIGNING_KEY: usize = 32;

/// Builds the server's settings.
pub(super) fn server(written: &Written, context: &mut Context<'_>) -> Server {
    let at = Pointer::root().at("server");
    let mut server = Server::default();
    if let Some(listen) = &written.listen {
        server.listen = self::listen(listen, &at.at("listen"), context).unwrap_or(server.listen);
    }
    server.allowed_hosts = written.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    for (index, origin) in written.allowed_origins.iter().enumerate() {
        server.allowed_origins.extend(self::origin(origin, &at.at("allowed_origins").at(index), context));
    }
    if let Some(url) = &written.public_url {
        public_url(url, &at.at("public_url"), &mut server, context);
    }
    if written.unsafe_public == Some(true) {
        server.public = Public::Unsafe;
    }
    if written.reload == Some(false) {
        server.reload = Reload::Never;
    }
    if let Some(grace) = written.shutdown_grace {
        server.shutdown_grace = grace.0;
    }
    if let Some(key) = &written.signing_key {
        server.signing_key = long_enough(key, SHORTEST_SIGNING_KEY, &at.at("signing_key"), context);
    }
    if let Some(keys) = written.auth.as_ref().and_then(|auth| auth.api_keys.as_ref()) {
        server.api_keys = Some(api_keys(keys, &at.at("auth").at("api_keys"), context));
    }
    server.tls = written.tls.as_ref().and_then(|tls| listener::tls(tls, &at.at("tls"), context));
    server.audit = written.audit.as_ref().and_then(|audit| listener::audit(audit, &at.at("audit"), context));
    if written.state.is_some() || remembers(written, &server) {
        server.state = state(written, &at.at("state"), context);
    }
    if let Some(limits) = &written.rate_limit {
        limit((limits, written), &at, &mut server, context);
    }
    if let Some(header) = &written.end_user_header {
        let at = at.at("end_user_header");
        if rest::header_name(header, rest::HeaderUse::Credential, &at, context) {
            server.end_user_header = Some(header.to_ascii_lowercase());
        }
    }
    for (index, network) in written.trusted_proxies.iter().enumerate() {
        server.trusted_proxies.extend(self::network(network, &at.at("trusted_proxies").at(index), context));
    }
    let auth = at.at("auth");
    if let Some(oauth) = written.auth.as_ref().and_then(|auth| auth.oauth.as_ref()) {
        server.oauth = super::oauth::build(oauth, &server, &auth.at("oauth"), context);
        server.authority = super::authority::build(oauth, &server, &auth.at("oauth"), context);
    }
    if let Some(written) = &written.auth {
        server.scopes = admission::hierarchy(&written.scopes, &auth.at("scopes"), context);
        let titles = written.scopes.iter().filter_map(|(name, scope)| Some((name.clone(), scope.title.clone()?)));
        server.scope_titles = titles.collect();
    }
    // Whether credentials of an upstream keep strangers out is known when every source is.
    let waits = written.auth.as_ref().is_some_and(|auth| auth.passthrough.is_some());
    let is_told = waits
        || (written.auth.is_none() && context.has(&auth))
        || !context.names(&auth).is_empty()
        || context.is_lost(written.unsafe_public.as_ref(), &at.at("unsafe_public"));
    let is_open = !server.asks_callers() && server.public == Public::Guarded;
    if is_open && !is_told && !server.listen.ip().is_loopback() {
        let span = context.value(&at.at("listen"));
        let fault = Diagnostic::error(Code::Open, span, "anybody who reaches this address could call the tools");
        context.push(fault.help("add `auth:`, listen on 127.0.0.1, or say `unsafe_public: true`"));
    }
    server
}

/// Whether something is asked for that the server has to remember.
fn remembers(written: &Written, server: &Server) -> bool {
    let oauth = written.auth.as_ref().and_then(|auth| auth.oauth.as_ref());
    oauth.is_some_and(|it| it.mode == OauthMode::Embedded)
        || server.audit.as_ref().is_some_and(|audit| audit.place == AuditPlace::State)
        || server.api_keys.as_ref().is_some_and(|it| it.stored == Stored::Accepted)
}

fn limit((limits, written): (&RateLimits, &Written), at: &Pointer, server: &mut Server, context: &mut Context<'_>) {
    people_count(written, at, context);
    server.limits.caller = limits.per_caller.map(admission::rate);
    server.limits.end_user = limits.per_end_user.map(admission::rate);
    server.limits.stranger = limits.per_ip_unauthenticated.map_or(server.limits.stranger, admission::rate);
}

/// A limit for people counts only where they are named, and holds only where those who name them have
/// one, too: whoever makes people up would have a share for each (auth.md §4.9).
fn people_count(written: &Written, at: &Pointer, context: &mut Context<'_>) {
    let Some(limits) = written.rate_limit.as_ref().filter(|limits| limits.per_end_user.is_some()) else { return };
    let limit = at.at("rate_limit").at("per_end_user");
    if written.end_user_header.is_none() && !context.has(&at.at("end_user_header")) {
        let fault =
            Diagnostic::error(Code::EndUserLimit, context.key(&limit), "no caller names people, so nothing counts");
        context.push(fault.help("name the header that they stand in: `end_user_header: x-poke-user-id`"));
    } else if limits.per_caller.is_none() && !context.has(&at.at("rate_limit").at("per_caller")) {
        let message = "a caller that makes people up has a share for each of them";
        let advice = Diagnostic::warning(Code::EndUserLimit, context.key(&limit), message);
        context.push(advice.help("limit the caller, too: `per_caller: 600/min`"));
    }
}

fn listen(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<SocketAddr> {
    let address = address(text);
    if address.is_none() {
        let span = context.value(at);
        let fault = Diagnostic::error(Code::Address, span, format!("`{text}` is not an address and port"));
        let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
        context.push(match port {
            Ok(port) => fault.replace(format!("write `127.0.0.1:{port}`"), span, format!("127.0.0.1:{port}")),
            Err(_) => fault.help("write `127.0.0.1:8080`, or `0.0.0.0:8080` for every address"),
        });
    }
    address
}

/// Reads an address and port; `localhost` is understood.
#[must_use]
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok()
}

fn public_url(text: &str, at: &Pointer, server: &mut Server, context: &mut Context<'_>) {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(host) = url.as_ref().and_then(Url::host_str) else {
        let fault = Diagnostic::error(Code::Address, context.value(at), "this is not an address that clients can use");
        context.push(fault.help("write scheme and host: `https://mcp.example.com`"));
        return;
    };
    let Some(url) = &url else { return };
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if url.scheme() == "http" && !loopback {
        let scheme = context.part(at, 0.."http".len());
        let fault = Diagnostic::error(Code::Address, context.value(at), "credentials would travel in the clear");
        context.push(fault.replace("use `https://`", scheme, "https"));
    }
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    // Identifiers are texts: what clients compare must not be written in two ways (auth.md T1).
    let plain = format!("{}://{host}", url.scheme());
    if text != plain {
        let span = context.value(at);
        let fault = Diagnostic::error(
            Code::Address,
            span,
            "this address is scheme and host alone, in lower case, without a slash at the end",
        );
        context.push(fault.replace(format!("write `{plain}`"), span, plain.clone()));
    }
    server.public_url = Some(plain.clone());
    server.allowed_origins.push(plain);
    server.allowed_hosts.push(host);
}

fn origin(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<String> {
    let url = Url::parse(text).ok();
    let printed = url.as_ref().map(|url| url.origin().ascii_serialization());
    match printed {
        Some(printed) if printed == text.trim_end_matches('/') && printed != "null" => Some(printed),
        _ => {
            let fault = Diagnostic::error(Code::Address, context.value(at), "this is not the origin of a page");
            context.push(fault.help("write scheme and host alone: `https://app.example.com`"));
            None
        }
    }
}

fn api_keys(written: &WrittenKeys, at: &Pointer, context: &mut Context<'_>) -> ApiKeys {
    let mut keys = Vec::new();
    let is_stored = written.store == Some(true);
    if written.fixed.is_empty() && !is_stored && !context.is_lost(None::<&()>, &at.at("static")) {
        let fault = Diagnostic::error(Code::Open, context.value(at), "no key is declared, so nobody could call");
        context.push(fault.help("add one under `static`, or say `store: true`"));
    }
    for (index, key) in written.fixed.iter().enumerate() {
        let at = at.at("static").at(index);
        if written.fixed.iter().take(index).any(|other| other.name == key.name) {
            context.fault(Code::NotAccepted, &at.at("name"), "two keys have this name");
        }
        if let Some(proof) = proof(key, &at, context) {
            for (index, scope) in key.scopes.iter().enumerate() {
                admission::scope_name(scope, &at.at("scopes").at(index), context);
            }
            let (name, workspace, scopes) = (key.name.clone(), key.workspace.clone(), key.scopes.clone());
            keys.push(ApiKey { name, proof, workspace, scopes, end_users: believed(key.asserts_end_user) });
        }
    }
    let header = written
        .header
        .as_ref()
        .filter(|header| rest::header_name(header, rest::HeaderUse::Credential, &at.at("header"), context));
    let stored = if is_stored { Stored::Accepted } else { Stored::Refused };
    ApiKeys { keys, stored, header: header.map(|header| header.to_ascii_lowercase()) }
}

/// Addresses as `10.0.0.0/8`, or one of them.
fn network(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<IpNet> {
    let read = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    if read.is_none() {
        let fault = Diagnostic::error(Code::Address, context.value(at), format!("`{text}` is not an address"));
        context.push(fault.help("write an address, or several as `10.0.0.0/8`"));
    }
    read
}

/// A tool that wants to know the person behind the caller needs callers that name one and are believed.
pub(super) fn end_users_are_named(plan: &Plan, document: &super::Document, context: &mut Context<'_>) {
    let server = &plan.server;
    let believed = server.api_keys.as_ref().is_some_and(|keys| {
        keys.stored == Stored::Accepted || keys.keys.iter().any(|key| key.end_users == Assertion::Believed)
    });
    let help = match (&server.end_user_header, believed) {
        (Some(_), true) => return,
        (None, _) => "name the header that they stand in: `server.end_user_header: x-poke-user-id`",
        (Some(_), false) => "believe a caller that is known to say the truth: `asserts_end_user: true`",
    };
    for name in document.file.tools.keys() {
        let full = format!("{}{name}", document.file.prefix.as_deref().unwrap_or_default());
        let Some(tool) = plan.tools.iter().find(|tool| tool.name == full) else { continue };
        let bound = tool.bound.iter().map(|bound| &bound.part);
        if bound.chain(&tool.needs).any(|part| *part == CallerPart::EndUser) {
            let span = context.key(&Pointer::root().at("tools").at(name));
            let message = format!("`{name}` needs to know the person behind the caller, and no caller can tell");
            context.push(Diagnostic::error(Code::EndUser, span, message).help(help));
        }
    }
}

/// Whether a caller is believed when it names the person behind it.
pub(super) fn believed(written: Option<bool>) -> Assertion {
    if written == Some(true) { Assertion::Believed } else { Assertion::Hearsay }
}

/// The place of the state. Relative paths start from the folder of the bridge file.
fn state(written: &Written, at: &Pointer, context: &mut Context<'_>) -> Option<StatePlace> {
    let Some(text) = &written.state else { return Some(StatePlace::File(context.folder().join(STATE))) };
    let text = text.expose();
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        let url = Url::parse(text).ok().filter(|url| url.has_host() && url.path().len() > 1);
        if url.is_none() {
            let fault = Diagnostic::error(Code::State, context.value(at), "this is not the address of a database");
            context.push(fault.help("write host, user and database: `postgres://mcp@db.example.com/mcp`"));
            return None;
        }
        return Some(StatePlace::Postgres(context.store(&Secret::new(text.to_owned()))));
    }
    let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    if let Some(path) = path.filter(|path| !path.is_empty() && *path != ":memory:") {
        return Some(StatePlace::File(context.folder().join(path)));
    }
    let fault = Diagnostic::error(Code::State, context.value(at), "the state cannot be kept there");
    context.push(fault.help(format!("name a file, `sqlite:{STATE}`, or a database, `postgres://…`")));
    None
}

fn proof(key: &WrittenKey, at: &Pointer, context: &mut Context<'_>) -> Option<KeyProof> {
    if let Some(hash) = &key.hash {
        let digits = hash.strip_prefix("sha256:")?;
        let mut digest = [0_u8; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(KeyProof::Digest(digest));
    }
    long_enough(key.value.as_ref()?, SHORTEST_KEY, &at.at("value"), context).map(KeyProof::Value)
}

fn long_enough(key: &Secret<String>, least: usize, at: &Pointer, context: &mut Context<'_>) -> Option<SecretId> {
    if key.expose().chars().count() < least {
        let message = format!("a key of fewer than {least} characters can be guessed");
        let fault = Diagnostic::error(Code::WeakKey, context.value(at), message);
        context.push(fault.help("make one with `openssl rand -hex 24`"));
        return None;
    }
    Some(context.store(key))
}

/// With keys in `Authorization`, passing that header on would hand our own key to the upstream.
pub(super) fn refuse_key_forwarding(server: &Server, sources: &Sources, context: &mut Context<'_>) {
    let signs_in = server.signs_in();
    if server.passthrough.as_ref().is_some_and(|it| it.headers.iter().any(|header| header == "authorization")) {
        // Then it is told apart by its form, and what is the server's own is never passed on.
        return;
    }
    if !signs_in && server.api_keys.as_ref().is_none_or(|keys| keys.header.is_some()) {
        return;
    }
    let passing: Vec<String> =
        sources.passing().filter(|(_, from)| *from == "authorization").map(|(name, _)| name.to_owned()).collect();
    for name in passing {
        let at = Pointer::root().at("sources").at(&name).at("rest").at("auth").at("passthrough");
        let span = context.key(&at);
        let what = if signs_in { "token" } else { "key" };
        let message = format!("`{name}` would be sent the {what} that callers of this server identify themselves with");
        let fault = Diagnostic::error(Code::Passthrough, span, message);
        if signs_in {
            // A token of this server in other hands is as good as the caller (auth.md §1.4).
            context.push(fault.help("get a token for the API with `token_exchange`, or take the caller's credential from another header (`from: x-upstream-authorization`)"));
            continue;
        }
        context.push(fault.help("take the caller's credential from another header (`from: x-upstream-authorization`), or accept the key in another one (`api_keys.header`)"));
    }
}
