//! Floor 4. Sources: addresses, credentials, bounds.

mod database;
mod session;

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use indexmap::IndexMap;
use url::Url;

use super::{care, context::Context, credentials};
use crate::{
    bridge,
    diag::{Code, Diagnostic},
    plan::{Auth, BridgeId, Grant, Redirects, RestSource, Source, SourceId, SourceKind, sql::Dialect},
    yaml::Pointer,
};

/// Poke gives up after 30 s; this leaves it time to hear why (poke-and-poggio.md).
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// Clients give up after 60 s, some after 30 (protocol.md U-08).
const LONGEST_CALL: Duration = Duration::from_secs(55);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_RESPONSE: usize = 2 << 20;
/// The cap protects this process; how much an API bears, only its author knows.
const CONCURRENCY: usize = 1024;
const MAX_ROWS: usize = 200;

/// The two kinds of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rest,
    Sql,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Rest => "a REST source",
            Self::Sql => "a database",
        }
    }
}

/// What the tools of a file need to know of its sources.
pub(super) struct Sources {
    pub(super) bridge: BridgeId,
    pub(super) prefix: String,
    known: IndexMap<String, Known>,
    /// Names of sources that have a fault of their own: naming them is no second one.
    faulty: BTreeSet<String>,
    used: RefCell<BTreeSet<String>>,
}

/// A source that could be built.
pub(super) struct Known {
    pub(super) id: SourceId,
    pub(super) kind: Kind,
    /// How long a call may take.
    pub(super) timeout: Duration,
    /// Names of the fixed query parameters of a REST source.
    pub(super) fixed_query: Vec<String>,
    /// Names of its fixed headers, in lower case.
    pub(super) fixed_headers: Vec<String>,
    pub(super) max_rows: usize,
    pub(super) writable: bool,
    /// The SQL family of a database.
    pub(super) dialect: Option<Dialect>,
    /// The header that carries the credential of a REST source, in lower case.
    pub(super) signed: Option<String>,
    /// The caller's header that is passed on.
    pub(super) passthrough: Option<String>,
    /// Whether what is known of the caller reaches the source with every call.
    pub(super) knows_caller: bool,
    /// When requests are repeated.
    pub(super) retry: Option<care::Policy>,
}

impl Sources {
    /// The source a tool works on, by name or because it is the only one of its kind.
    pub(super) fn find(
        &self,
        name: Option<&str>,
        kind: Kind,
        at: &Pointer,
        context: &mut Context<'_>,
    ) -> Option<&Known> {
        if let Some(name) = name {
            self.used.borrow_mut().insert(name.to_owned());
            return self.named(name, kind, &at.at("source"), context);
        }
        if context.is_lost(name, &at.at("source")) {
            return None;
        }
        let mut of_kind = self.known.iter().filter(|(_, source)| source.kind == kind);
        match (of_kind.next(), of_kind.next()) {
            (Some((name, only)), None) => {
                self.used.borrow_mut().insert(name.clone());
                Some(only)
            }
            (None, _) if !self.faulty.is_empty() => None,
            (None, _) => {
                let message = format!("this needs {}, and the file declares none", kind.words());
                context.push(Diagnostic::error(Code::UnknownSource, context.key(at), message));
                None
            }
            (Some(_), Some(_)) => {
                let names: Vec<_> =
                    self.known.iter().filter(|(_, it)| it.kind == kind).map(|(name, _)| name.as_str()).collect();
                let message = format!("`source` must say which is meant: {}", names.join(", "));
                context.push(Diagnostic::error(Code::WrongSource, context.key(at), message));
                None
            }
        }
    }

    fn named(&self, name: &str, kind: Kind, at: &Pointer, context: &mut Context<'_>) -> Option<&Known> {
        match self.known.get(name) {
            Some(source) if source.kind == kind => Some(source),
            Some(source) => {
                let message = format!("`{name}` is {}, and this needs {}", source.kind.words(), kind.words());
                context.fault(Code::WrongSource, at, message);
                None
            }
            None if self.faulty.contains(name) => None,
            None => {
                let span = context.value(at);
                let fault = Diagnostic::error(Code::UnknownSource, span, format!("unknown source `{name}`"));
                let hinted = fault.clone().did_you_mean(name, self.known.keys().map(String::as_str));
                let of_kind = self.known.iter().filter(|(_, source)| source.kind == kind);
                let known: Vec<_> = of_kind.map(|(name, _)| name.as_str()).collect();
                context.push(match (hinted.help.is_empty(), known.is_empty()) {
                    (true, false) => fault.help(format!("known: {}", known.join(", "))),
                    (true, true) | (false, _) => hinted,
                });
                None
            }
        }
    }

    /// How long a call to a source may take; `None` when it cannot be told which is meant.
    pub(super) fn timeout(&self, name: Option<&str>, kind: Kind) -> Option<Duration> {
        match name {
            Some(name) => self.known.get(name).map(|source| source.timeout),
            None => self.known.values().find(|source| source.kind == kind).map(|source| source.timeout),
        }
    }

    /// The source that an id stands for.
    pub(super) fn by_id(&self, id: SourceId) -> Option<&Known> {
        self.known.values().find(|source| source.id == id)
    }

    /// Whether a source of this name is declared, built or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains_key(name) || self.faulty.contains(name)
    }

    /// The source of a name, if it could be built.
    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// Every source that could be built.
    pub(super) fn each(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    /// Sources that pass the caller's header on, each with its name.
    pub(super) fn passing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().filter_map(|(name, source)| Some((name.as_str(), source.passthrough.as_deref()?)))
    }

    /// As long as a tool has an error, nobody can tell which sources it would use.
    pub(super) fn advise_on_unused(&self, context: &mut Context<'_>) {
        if ["tools", "resources", "prompts"].iter().any(|part| context.is_faulty(&Pointer::root().at(part))) {
            return;
        }
        let used = self.used.borrow();
        let unused: Vec<_> = self.known.keys().filter(|name| !used.contains(*name)).collect();
        for name in unused {
            let span = context.key(&Pointer::root().at("sources").at(name));
            context.push(Diagnostic::warning(Code::UnusedSource, span, format!("no tool uses the source `{name}`")));
        }
    }
}

/// Builds every source of a file.
pub(super) fn build(
    file: &bridge::File,
    bridge: BridgeId,
    context: &mut Context<'_>,
    all: &mut Vec<Source>,
) -> Sources {
    let at = Pointer::root().at("sources");
    let mut faulty: BTreeSet<String> = context.names(&at).into_iter().map(str::to_owned).collect();
    if file.sources.is_empty() && context.is_faulty(&at) {
        // A list of sources, for example: that there is none is no second fault.
        faulty.insert(String::new());
    }
    let mut known = IndexMap::new();
    for (name, source) in &file.sources {
        let at = at.at(name);
        let built = match (&source.rest, &source.sql) {
            (Some(rest), _) => rest_source(rest, &at.at("rest"), context).map(SourceKind::Rest),
            (None, Some(sql)) => database::build(sql, &at.at("sql"), context).map(SourceKind::Sql),
            (None, None) => None,
        };
        let Some(kind) = built else { continue };
        faulty.remove(name);
        let id = SourceId(all.len());
        let retry = match &source.rest {
            Some(bridge::RestSource::Spec(spec)) => spec.retry.as_ref(),
            Some(bridge::RestSource::Url(_)) | None => None,
        };
        let retry = retry.map(|retry| care::policy(retry, &at.at("rest").at("retry"), context));
        let has_session = match &source.sql {
            Some(bridge::SqlSource::Spec(spec)) => !spec.session.is_empty(),
            Some(bridge::SqlSource::Url(_)) | None => false,
        };
        let described = describe(id, &kind);
        let knows_caller = described.knows_caller || has_session;
        known.insert(name.clone(), Known { knows_caller, retry, ..described });
        all.push(Source { name: name.clone(), bridge, kind });
    }
    let prefix = file.prefix.clone().unwrap_or_default();
    Sources { bridge, prefix, known, faulty, used: RefCell::default() }
}

fn describe(id: SourceId, kind: &SourceKind) -> Known {
    match kind {
        SourceKind::Rest(rest) => Known {
            id,
            kind: Kind::Rest,
            timeout: rest.timeout,
            fixed_query: rest
                .query
                .iter()
                .map(|(name, _)| name.clone())
                .chain(match &rest.auth {
                    Auth::QueryKey { name, .. } => Some(name.clone()),
                    _ => None,
                })
                .collect(),
            fixed_headers: rest.headers.iter().map(|(name, _)| name.clone()).collect(),
            max_rows: MAX_ROWS,
            writable: true,
            dialect: None,
            signed: signed(&rest.auth).map(str::to_owned),
            passthrough: match &rest.auth {
                Auth::Passthrough { from, .. } => Some(from.clone()),
                _ => None,
            },
            knows_caller: matches!(&rest.auth, Auth::Tokens(request) if request.grant == Grant::Exchange),
            retry: None,
        },
        SourceKind::Sql(sql) => Known {
            id,
            kind: Kind::Sql,
            timeout: sql.statement_timeout + sql.pool.acquire_timeout,
            fixed_query: Vec::new(),
            fixed_headers: Vec::new(),
            max_rows: sql.max_rows,
            writable: !sql.read_only,
            dialect: Some(sql.engine.dialect()),
            signed: None,
            passthrough: None,
            knows_caller: false,
            retry: None,
        },
    }
}

/// The header that a credential is sent in.
fn signed(auth: &Auth) -> Option<&str> {
    match auth {
        Auth::HeaderKey { header, .. } => Some(header),
        Auth::Passthrough { to, .. } => Some(to),
        Auth::Bearer(_) | Auth::Basic { .. } | Auth::Tokens(_) => Some("authorization"),
        Auth::None | Auth::QueryKey { .. } => None,
    }
}

fn rest_source(source: &bridge::RestSource, at: &Pointer, context: &mut Context<'_>) -> Option<RestSource> {
    let (text, spec, url_at) = match source {
        bridge::RestSource::Url(url) => (url, None, at.clone()),
        bridge::RestSource::Spec(spec) => (&spec.base_url, Some(&**spec), at.at("base_url")),
    };
    let base = base_url(text, &url_at, context)?;
    let mut headers = Vec::new();
    let mut auth = Auth::None;
    if let Some(spec) = spec {
        for (name, value) in &spec.headers {
            let at = at.at("headers").at(name);
            if super::rest::header_name(name, super::rest::HeaderUse::Fixed, &at, context) {
                super::rest::header_text(value, &at, context);
                headers.push((name.to_ascii_lowercase(), value.clone()));
            }
        }
        if let Some(time) = spec.timeout {
            call_timeout(time.0, &at.at("timeout"), context);
        }
        if let Some(time) = spec.connect_timeout {
            more_than_nothing(time.0, &at.at("connect_timeout"), context);
        }
        if let Some(given) = &spec.auth {
            auth = rest_auth(given, &at.at("auth"), context)?;
        }
    }
    if let Some(spec) = spec {
        overshadowed(spec, &auth, at, context);
        impossible(spec, at, context);
    }
    let query = spec.map(|spec| spec.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    let network = spec.map(|spec| Box::new(credentials::network(spec, &base, at, context))).unwrap_or_default();
    Some(RestSource {
        base,
        headers,
        query: query.unwrap_or_default(),
        auth,
        timeout: spec.and_then(|spec| spec.timeout).map_or(TIMEOUT, |it| it.0),
        connect_timeout: spec.and_then(|spec| spec.connect_timeout).map_or(CONNECT_TIMEOUT, |it| it.0),
        max_response: spec.and_then(|spec| spec.max_response).map_or(MAX_RESPONSE, |it| it.0),
        concurrency: spec.and_then(|spec| spec.concurrency).map_or(CONCURRENCY, |it| it as usize),
        bounds: spec.map(|spec| care::bounds(spec, at, context)).unwrap_or_default(),
        network,
        redirects: match spec.and_then(|spec| spec.redirects) {
            Some(bridge::Redirects::SameOrigin) => Redirects::SameOrigin,
            Some(bridge::Redirects::None) | None => Redirects::Refused,
        },
    })
}

/// Refuses headers and parameters in whose place another one would be sent.
fn overshadowed(spec: &bridge::RestSpec, auth: &Auth, at: &Pointer, context: &mut Context<'_>) {
    let mut seen = BTreeSet::new();
    for name in spec.headers.keys() {
        let lower = name.to_ascii_lowercase();
        let reason = match signed(auth) {
            Some(signed) if signed == lower => "is the source's credential",
            _ if !seen.insert(lower) => "stands here twice",
            _ => continue,
        };
        let span = context.key(&at.at("headers").at(name));
        context.push(Diagnostic::error(Code::Header, span, format!("`{name}` {reason}")));
    }
    if let Auth::QueryKey { name, .. } = auth
        && spec.query.contains_key(name)
    {
        let span = context.key(&at.at("query").at(name));
        let fault = Diagnostic::error(Code::QueryFixed, span, format!("`{name}` is the source's credential"));
        context.push(fault.context(context.value(&at.at("auth").at("api_key").at("query")), "here"));
    }
}

/// Refuses bounds that no call could keep.
fn impossible(spec: &bridge::RestSpec, at: &Pointer, context: &mut Context<'_>) {
    if spec.max_response.is_some_and(|size| size.0 == 0) {
        context.fault(Code::NotAccepted, &at.at("max_response"), "`max_response` must be more than 0");
    }
    let whole = spec.timeout.map_or(TIMEOUT, |time| time.0);
    if spec.connect_timeout.is_some_and(|connecting| connecting.0 > whole) {
        let message =
            format!("connecting may not take longer than the whole call, which has {} s", whole.as_secs_f64());
        context.fault(Code::NotAccepted, &at.at("connect_timeout"), message);
    }
}

/// Refuses a time that no call can keep within, or that outlasts the patience of every client.
pub(super) fn call_timeout(time: Duration, at: &Pointer, context: &mut Context<'_>) {
    more_than_nothing(time, at, context);
    if time > LONGEST_CALL {
        let seconds = LONGEST_CALL.as_secs();
        let message = format!("a call may take up to {seconds} s: clients give up before the answer comes");
        context.fault(Code::NotAccepted, at, message);
    }
}

pub(super) fn more_than_nothing(time: Duration, at: &Pointer, context: &mut Context<'_>) {
    if time.is_zero() {
        let name = at.steps().last().map_or("", String::as_str);
        context.fault(Code::NotAccepted, at, format!("`{name}` must be more than 0"));
    }
}

fn base_url(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Url> {
    let fault = |context: &mut Context<'_>, message: &str| {
        let span = context.value(at);
        let fault = Diagnostic::error(Code::Url, span, message);
        context.push(fault.help("write scheme, host and path prefix: `https://api.example.com/v1`"));
        None
    };
    if text.contains("{{") || text.contains('{') {
        return fault(context, "the base of a source is fixed: no argument can be part of it");
    }
    let Ok(mut url) = Url::parse(text) else { return fault(context, "this is not an absolute address") };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return fault(context, "a base begins with `https://` or `http://` and a host");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fault(context, "a base has no `?` and no `#`: fixed parameters go under `query`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fault(context, "a base carries no credentials: they go under `auth`");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

fn rest_auth(auth: &bridge::Auth, at: &Pointer, context: &mut Context<'_>) -> Option<Auth> {
    let mut empty = |secret: &crate::secret::Secret<String>, at: Pointer| {
        let is_empty = secret.expose().is_empty();
        if is_empty {
            context.fault(Code::NotAccepted, &at, "the credential is empty");
        }
        (!is_empty).then(|| context.store(secret))
    };
    if let Some(token) = &auth.bearer {
        return empty(token, at.at("bearer")).map(Auth::Bearer);
    }
    if let Some(basic) = &auth.basic {
        return Some(Auth::Basic { username: basic.username.clone(), password: context.store(&basic.password) });
    }
    if let Some(key) = &auth.api_key {
        let value = empty(&key.value, at.at("api_key").at("value"))?;
        return match (&key.header, &key.query) {
            (Some(header), _) => {
                let at = at.at("api_key").at("header");
                super::rest::header_name(header, super::rest::HeaderUse::Credential, &at, context)
                    .then(|| Auth::HeaderKey { header: header.to_ascii_lowercase(), value })
            }
            (None, Some(name)) => Some(Auth::QueryKey { name: name.clone(), value }),
            (None, None) => None,
        };
    }
    if let Some(client) = &auth.client_credentials {
        let request = credentials::client(client, &at.at("client_credentials"), context);
        return request.map(|request| Auth::Tokens(Box::new(request)));
    }
    if let Some(exchange) = &auth.token_exchange {
        let request = credentials::exchange(exchange, &at.at("token_exchange"), context);
        return request.map(|request| Auth::Tokens(Box::new(request)));
    }
    if let Some(passthrough) = &auth.passthrough {
        let at = at.at("passthrough");
        let from = passthrough.from.as_deref().unwrap_or("authorization");
        let to = passthrough.to.as_deref().unwrap_or("authorization");
        let fine = super::rest::header_name(from, super::rest::HeaderUse::Credential, &at.at("from"), context)
            & super::rest::header_name(to, super::rest::HeaderUse::Credential, &at.at("to"), context);
        return fine.then(|| Auth::Passthrough { from: from.to_ascii_lowercase(), to: to.to_ascii_lowercase() });
    }
    Some(Auth::None)
}
