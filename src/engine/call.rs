//! Floor 6. One call: arguments, then the source under a deadline, then the shape.

use http::HeaderValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    CallError, CallerHeaders, ErrorClass, Generation, Outcome, Peer, Principal,
    scope::{CallScope, Known},
    shape,
};
use crate::{
    plan::{CallerPart, Operation, Query, Tool, rest::Request},
    upstream::{
        FailureClass, Upstream,
        rest::RestCall,
        sql::{Limits, Run},
    },
};

/// One tool invocation.
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a Tool,
    /// The `arguments` member as it came, not yet looked at; `None` when it was left out.
    pub arguments: Option<&'a str>,
    /// Who is calling.
    pub principal: &'a Principal,
    /// The caller's own headers.
    pub headers: &'a dyn CallerHeaders,
    /// The id under which logs tell of the call.
    pub request: u64,
    /// The client, for what is told or asked before the result.
    pub peer: &'a dyn Peer,
}

/// Runs one call. Every failure is a result that the model can act on; its cause is logged.
pub async fn call(generation: &Generation, call: &Call<'_>) -> Outcome {
    match run(generation, call).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if let Some(cause) = error.cause() {
                let (tool, class) = (call.tool.name.as_str(), error.class().name());
                tracing::warn!(request = call.request, tool, class, cause, "a call failed");
            }
            error.into()
        }
    }
}

async fn run(generation: &Generation, call: &Call<'_>) -> Result<Outcome, CallError> {
    let mut arguments = call.tool.arguments.read(call.arguments)?;
    bind_identity(call, &mut arguments)?;
    let deadline = Instant::now() + call.tool.timeout;
    match (&call.tool.operation, generation.upstream(call.tool.source())) {
        (Operation::Rest(request), Some(Upstream::Rest(upstream))) => {
            let scope = scope(call, &arguments, &request.placed);
            let credential = |name: &str| call.headers.get(name).and_then(|value| HeaderValue::from_bytes(value).ok());
            let sent = RestCall { scope: &scope, credential: &credential, deadline };
            let answer = upstream.send(request, &sent).await?;
            if let Some(error) = refused(request, &answer, &scope)? {
                return Err(error);
            }
            shape::rest(&call.tool.output, answer, &scope)
        }
        (Operation::Sql(query), Some(Upstream::Sql(upstream))) => {
            let run = run_of(query, call.tool, &arguments, deadline);
            let scope = scope(call, &arguments, &[]);
            let answer = match (upstream.run(run).await, &query.not_found) {
                (Err(error), Some(text)) if error.class() == FailureClass::Missing => {
                    let text = text.render(&scope).map_err(|error| shape::template_failed(&error))?;
                    return Err(CallError::new(ErrorClass::Upstream, text));
                }
                (answer, _) => answer?,
            };
            shape::sql(query, &call.tool.output, &answer, &scope)
        }
        _ => Err(CallError::new(ErrorClass::Internal, "The tool's source is not connected.")),
    }
}

fn scope<'a>(call: &Call<'a>, arguments: &'a Map<String, Value>, placed: &'a [String]) -> CallScope<'a> {
    let declared = &call.tool.declared;
    CallScope { arguments, declared, placed, principal: call.principal, request: call.request, result: Known::Nothing }
}

fn run_of<'a>(query: &'a Query, tool: &Tool, arguments: &'a Map<String, Value>, deadline: Instant) -> Run<'a> {
    Run {
        statement: &query.statement,
        access: query.access,
        arguments,
        returns: query.returns,
        expect_rows: query.expect_rows,
        limits: Limits { max_rows: query.max_rows, max_bytes: tool.output.max_bytes },
        deadline,
    }
}

/// Params with `from:` take the caller's identity. A caller without the part is refused, also
/// when only a template names it: an empty value would show one tenant another one's rows.
fn bind_identity(call: &Call<'_>, arguments: &mut Map<String, Value>) -> Result<(), CallError> {
    let lacks = |part: &CallerPart| {
        let message = format!("This tool needs to know the caller's {}, and this caller has none.", part.name());
        CallError::new(ErrorClass::Denied, message)
    };
    for bound in &call.tool.bound {
        let value = call.principal.part(&bound.part).ok_or_else(|| lacks(&bound.part))?;
        arguments.insert(bound.param.clone(), value.clone());
    }
    match call.tool.needs.iter().find(|part| call.principal.part(part).is_none()) {
        Some(part) => Err(lacks(part)),
        None => Ok(()),
    }
}

/// The error that an answer's status stands for, if it does.
fn refused(
    request: &Request,
    answer: &crate::upstream::rest::Answer,
    scope: &CallScope<'_>,
) -> Result<Option<CallError>, CallError> {
    let status = answer.status;
    if request.success.iter().any(|range| range.holds(status)) {
        return Ok(None);
    }
    if let Some((_, text)) = request.errors.iter().find(|(range, _)| range.holds(status)) {
        let scope = CallScope { result: Known::Status(status), ..*scope };
        let text = text.render(&scope).map_err(|error| shape::template_failed(&error))?;
        return Ok(Some(CallError::new(ErrorClass::Upstream, text)));
    }
    let (method, path) = (request.method.as_str(), &request.path.source);
    let told = crate::upstream::rest::explain(answer)
        .map_or(String::new(), |reason| format!(": {}", reason.trim_end_matches('.')));
    let advice = match status {
        401 | 403 => " The credential for this API was not accepted.",
        429 => match answer.retry_after {
            Some(wait) => &format!(" The API asks to wait {} s before the next call.", wait.as_secs()),
            None => " The API asks for fewer calls; wait before the next one.",
        },
        500..=599 => " The fault is on the side of the API; trying again later may help.",
        _ => "",
    };
    let message = format!("{method} {path} was answered with status {status}{told}.{advice}");
    let class = if status == 429 { ErrorClass::Limited } else { ErrorClass::Upstream };
    Ok(Some(CallError::new(class, message)))
}
