//! Floor 6. Answers that are errors: by their status, by what the author looks for in them, or by
//! the errors of GraphQL. The model reads a sentence it can act on, and never the page around it.

use serde::Deserialize;
use serde_json::Value;

use super::{
    CallError, ErrorClass,
    scope::{CallScope, Known},
};
use crate::{
    plan::rest::{Body, ErrorTest, ErrorWhen, Request},
    upstream::rest::{Answer, ContentKind, RestUpstream, explain, plain_reason},
};

/// The error that an answer stands for, if it does.
pub(super) fn refused(
    (request, upstream): (&Request, &RestUpstream),
    answer: &Answer,
    scope: &CallScope<'_>,
) -> Option<CallError> {
    if request.succeeds(answer.status) {
        return disguised(request, answer, scope);
    }
    Some(authors(request, answer, scope).unwrap_or_else(|| by_status(request, answer, upstream)))
}

/// The author's words for a status.
fn authors(request: &Request, answer: &Answer, scope: &CallScope<'_>) -> Option<CallError> {
    let (_, text) = request.errors.iter().find(|(range, _)| range.holds(answer.status))?;
    let names_body = text.variables().iter().any(|variable| variable.path.first().is_some_and(|name| name == "body"));
    let body = if names_body { json(answer).unwrap_or_default() } else { Value::Null };
    let scope = CallScope { result: Known::Failure { status: answer.status, body: &body }, ..*scope };
    match text.render(&scope) {
        Ok(text) => Some(CallError::new(class(answer), text)),
        // The answer lacks what the author's words are made of: ours stand in.
        Err(error) => {
            tracing::debug!(%error, "the words for a status could not be put together");
            None
        }
    }
}

#[cold]
fn by_status(request: &Request, answer: &Answer, upstream: &RestUpstream) -> CallError {
    let (method, path, status) = (request.method.as_str(), &request.path.source, answer.status);
    let told = explain(answer).map_or(String::new(), |reason| format!(": {}", reason.trim_end_matches('.')));
    let wait =
        answer.retry_after.map(|wait| format!(" The API asks to wait {} s before the next call.", wait.as_secs()));
    let advice = match (status, &wait) {
        // Some APIs refuse for a quota as they refuse strangers.
        (403 | 429, Some(wait)) => wait,
        (401 | 403, _) if upstream.is_operators() => &format!(
            " `{}` did not accept the credential that this server has for it; its operator must look.",
            upstream.name()
        ),
        (401 | 403, _) => " Your credential for this API was not accepted.",
        (429, None) => " The API asks for fewer calls; wait before the next one.",
        (500..=599, _) => " The fault is on the side of the API; trying again later may help.",
        _ => "",
    };
    CallError::new(class(answer), format!("{method} {path} was answered with status {status}{told}.{advice}"))
}

const fn class(answer: &Answer) -> ErrorClass {
    match answer.status {
        403 if answer.retry_after.is_some() => ErrorClass::Limited,
        404 | 410 => ErrorClass::Missing,
        429 => ErrorClass::Limited,
        _ => ErrorClass::Upstream,
    }
}

/// An error in an answer whose status is none (rest.md §9.9).
fn disguised(request: &Request, answer: &Answer, scope: &CallScope<'_>) -> Option<CallError> {
    let told = match (&request.error_when, &request.body) {
        (Some(when), _) if holds(when, answer) => explain(answer),
        (_, Some(Body::Graphql(_))) => {
            let first = graphql_error(answer)?;
            first.get("message").and_then(Value::as_str).and_then(plain_reason)
        }
        _ => return None,
    };
    if let Some(error) = authors(request, answer, scope) {
        return Some(error);
    }
    let (method, path) = (request.method.as_str(), &request.path.source);
    let told = told.map_or(String::new(), |reason| format!(": {}", reason.trim_end_matches('.')));
    Some(CallError::new(ErrorClass::Upstream, format!("{method} {path} was answered with an error{told}.")))
}

fn holds(when: &ErrorWhen, answer: &Answer) -> bool {
    let body = json(answer).unwrap_or_default();
    let found = when.path.first(&body);
    match &when.test {
        ErrorTest::Equals(value) => found == Some(value),
        ErrorTest::Exists => found.is_some_and(|value| !value.is_null()),
        ErrorTest::Absent => found.is_none_or(Value::is_null),
    }
}

/// The first error of a GraphQL answer.
fn graphql_error(answer: &Answer) -> Option<Value> {
    /// What matters of an answer (GraphQL §7.1); the data is passed over.
    #[derive(Deserialize)]
    struct Reply {
        errors: Option<Vec<Value>>,
    }
    serde_json::from_slice::<Reply>(&answer.body).ok()?.errors?.into_iter().next()
}

fn json(answer: &Answer) -> Option<Value> {
    (answer.kind == ContentKind::Json).then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}
