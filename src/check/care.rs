//! Floor 4. How requests are cared for: when they are repeated, at which pace they are sent.

use std::time::Duration;

use super::{
    context::Context,
    pages,
    rest::{self, HeaderUse},
    source::{self, Known, Sources},
};
use crate::{
    bridge::{RestOperation, RestSpec, Retry as Written, Tool},
    diag::{Code, Diagnostic, closest},
    plan::{
        Bounds, Breaker, Caching, Care, Operation, Rate, Retry, Sharing,
        rest::{Method, StatusRange},
    },
    yaml::Pointer,
};

/// How many attempts there are altogether, unless the author says so.
const ATTEMPTS: u32 = 3;
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
/// Statuses that say that the same request may go well a little later.
const STATUSES: [u16; 4] = [429, 502, 503, 504];
/// What the slots of a pace are kept for: each is 16 bytes.
const MOST_IN_A_PACE: u32 = 100_000;
const LONGEST_CACHE: Duration = Duration::from_hours(24);

/// When requests to a source are repeated.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    attempts: u32,
    connect: bool,
    statuses: Vec<StatusRange>,
    methods: Vec<Method>,
}

/// Reads when requests to a source are repeated.
pub(super) fn policy(written: &Written, at: &Pointer, context: &mut Context<'_>) -> Policy {
    let mut statuses = Vec::new();
    let mut connect = written.on.is_empty();
    if written.on.is_empty() {
        statuses.extend(STATUSES.map(|status| StatusRange { first: status, last: status }));
    }
    for (index, event) in written.on.iter().enumerate() {
        let text = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        match rest::status(&text).filter(|range| range.first >= 400) {
            _ if text == "connect" => connect = true,
            Some(range) => statuses.push(range),
            None => {
                let span = context.value(&at.at("on").at(index));
                let fault = Diagnostic::error(Code::Retry, span, format!("nothing is tried again on `{text}`"));
                context.push(fault.help("write `connect`, an error status such as `503`, or a class such as `5xx`"));
            }
        }
    }
    let mut methods = Vec::new();
    for (index, name) in written.methods.iter().enumerate() {
        methods.extend(method(name, &at.at("methods").at(index), context));
    }
    if written.methods.is_empty() {
        methods.extend([Method::Get, Method::Head]);
    }
    Policy { attempts: written.attempts.unwrap_or(ATTEMPTS), connect, statuses, methods }
}

fn method(name: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Method> {
    let all = [Method::Get, Method::Head, Method::Put, Method::Delete];
    if let Some(known) = all.into_iter().find(|method| method.as_str() == name) {
        return Some(known);
    }
    let span = context.value(at);
    let upper = name.to_ascii_uppercase();
    context.push(if METHODS.contains(&name) {
        let fault = Diagnostic::error(Code::Retry, span, format!("a {name} that is sent twice may be done twice"));
        fault.help("say `idempotency_key` at the tool: requests with one are tried again without being listed here")
    } else {
        let fault = Diagnostic::error(Code::Retry, span, format!("`{name}` is not a method"));
        match closest(&upper, METHODS).or_else(|| METHODS.into_iter().find(|it| *it == upper)) {
            Some(near) => fault.guess(near, span, near),
            None => fault.help("known: GET, HEAD, PUT, DELETE"),
        }
    });
    None
}

/// How often a source is asked, and when it is left alone.
pub(super) fn bounds(spec: &RestSpec, at: &Pointer, context: &mut Context<'_>) -> Bounds {
    let rate = spec.rate_limit.map(|rate| Rate { count: rate.count, per: rate.per });
    if rate.is_some_and(|rate| rate.count > MOST_IN_A_PACE) {
        let message = format!("a rate has {MOST_IN_A_PACE} requests at most; a source without one has no such bound");
        context.fault(Code::NotAccepted, &at.at("rate_limit"), message);
    }
    let usual = Breaker::default();
    let Some(written) = spec.breaker else { return Bounds { rate, breaker: usual } };
    let breaker = Breaker {
        failures: written.failures.unwrap_or(usual.failures),
        pause: written.pause.map_or(usual.pause, |pause| pause.0),
    };
    source::more_than_nothing(breaker.pause, &at.at("breaker").at("pause"), context);
    Bounds { rate, breaker }
}

/// How long the results of a tool are kept, and who is given them.
pub(super) fn caching(
    written: &Tool,
    operation: &Operation,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Caching> {
    let named = context.takes_caller();
    let keep = written.cache?.0;
    let at = at.at("cache");
    source::more_than_nothing(keep, &at, context);
    if keep > LONGEST_CACHE {
        context.fault(Code::Cache, &at, "a result is kept for 24 h at most");
    }
    if matches!(operation, Operation::Reply(_)) {
        let fault = Diagnostic::error(Code::Cache, context.key(&at), "a fixed answer is given each time anew");
        context.push(fault.help("`cache` is for tools that ask a source"));
    }
    if operation.writes() {
        let span = context.key(&at);
        let fault = Diagnostic::error(Code::Cache, span, "the tool changes something: each of its calls must do so");
        context.push(fault.help("`cache` is for tools that only read"));
    }
    let used: Vec<_> = operation.sources().into_iter().filter_map(|id| sources.by_id(id)).collect();
    // A token that is exchanged came in this header.
    let exchanged = used.iter().any(|source| source.knows_caller).then(|| "authorization".to_owned());
    let passed = used.iter().filter_map(|source| source.passthrough.clone());
    let headers: Vec<String> = passed.chain(exchanged).collect();
    let known = named || !headers.is_empty();
    let sharing = if known { Sharing::PerCaller { headers } } else { Sharing::All };
    Some(Caching { keep, sharing })
}

/// How a request is cared for.
pub(super) fn build(
    operation: &RestOperation,
    method: Method,
    source: &Known,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Care {
    let idempotency_key = operation.idempotency_key.as_ref().and_then(|name| {
        let at = at.at("idempotency_key");
        let taken = operation.headers.keys().find(|header| header.eq_ignore_ascii_case(name));
        if method.is_safe() {
            let message = format!("a {} request changes nothing: it needs no key", method.as_str());
            context.push(Diagnostic::error(Code::IdempotencyKey, context.key(&at), message));
        } else if let Some(header) = taken {
            let other = context.key(&at.above().at("headers").at(header));
            let fault = Diagnostic::error(Code::IdempotencyKey, context.value(&at), "this header is set already");
            context.push(fault.context(other, "here"));
        } else if rest::header_name(name, HeaderUse::Credential, &at, context) {
            return Some(name.to_ascii_lowercase());
        }
        None
    });
    let retry = source.retry.as_ref().filter(|policy| policy.attempts > 1).map(|policy| Retry {
        attempts: policy.attempts,
        connect: policy.connect,
        statuses: policy.statuses.clone(),
        repeatable: idempotency_key.is_some() || policy.methods.contains(&method),
    });
    let paginate = pages::build(operation, method, source, at, context).map(Box::new);
    Care { retry, idempotency_key, paginate }
}
