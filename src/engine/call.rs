//! Floor 6. One call: arguments, then the source under a deadline, then the shape.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::FutureExt as _;
use http::HeaderValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    CallError, CallerHeaders, ErrorClass, Generation, Identified, Outcome, Peer, Principal, Progress, Tally, answer,
    confirm, cursor, refusal, reply,
    scope::{CallScope, Known},
    shape,
};
use crate::{
    plan::{
        Auth, CallerPart, Operation, Query, SettingValue, SourceId, SourceKind, Tool, Transaction, Turning,
        rest::Request, sql::Returns,
    },
    template::Text,
    upstream::{
        FailureClass, Upstream,
        rest::{Answer, RestCall, Unfinished},
        sql::{Answer as Rows, Limits, Repeat, Run, Transact},
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
    /// What is counted for the record.
    pub tally: &'a Tally,
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
    let mut arguments = prepare(call)?;
    if let Some(confirmation) = &call.tool.confirm {
        if let Some(question) = confirm::obtain(confirmation, call, &mut arguments).boxed().await? {
            return Ok(question);
        }
        // Only what runs counts: one call of a stateless client takes two requests.
        generation.gates().count(call).await?;
    }
    match generation.cache(call.tool) {
        None => perform(generation, call, &arguments).await,
        Some(cache) => cache.call(call, &arguments, perform(generation, call, &arguments)).boxed().await,
    }
}

/// The arguments, checked and complete, with what the caller's identity binds.
pub(super) fn prepare(call: &Call<'_>) -> Result<Map<String, Value>, CallError> {
    let mut arguments = confirm::reader(call).read(call.arguments)?;
    bind_identity(call, &mut arguments)?;
    Ok(arguments)
}

/// Does what the tool does, with arguments that are checked and complete.
async fn perform(
    generation: &Generation,
    call: &Call<'_>,
    arguments: &Map<String, Value>,
) -> Result<Outcome, CallError> {
    let deadline = Instant::now() + call.tool.timeout;
    let _place = match call.tool.concurrency {
        Some(_) => generation.places().enter(call.tool, deadline).await?,
        None => None,
    };
    let world = World { generation, call, deadline, told: AtomicU32::new(0) };
    match &call.tool.operation {
        Operation::Rest(request) => {
            let scope = scope(call, arguments, &request.placed);
            if request.care.paginate.as_ref().is_some_and(|paginate| paginate.turning == Turning::Model) {
                return world.page(request, arguments).boxed().await;
            }
            let mut answer = world.rest(request, &scope).await?;
            let unfinished = answer.unfinished.take();
            let status = answer.status;
            let outcome = match shape::rest(&call.tool.output, answer, &scope) {
                Err(error) if !request.reads() => answer::after_change(&error, &call.tool.output, status)?,
                shaped => shaped?,
            };
            Ok(match unfinished {
                None => outcome,
                Some(Unfinished(reason)) => cursor::unfinished(outcome, &reason),
            })
        }
        Operation::Sql(query) => {
            let scope = scope(call, arguments, &[]);
            let answer = world.sql(query, &scope).await?;
            shape::sql(query, &call.tool.output, answer, &scope)
        }
        Operation::Transaction(transaction) => {
            let scope = scope(call, arguments, &[]);
            let answers = world.transact(transaction, &scope).boxed().await?;
            shape::transaction(transaction, &call.tool.output, answers, &scope)
        }
        // Its future is as large as all it may do: the others do not carry it along.
        Operation::Steps(steps) => super::steps::run(&world, steps, arguments).boxed().await,
        Operation::Reply(reply) => reply::give(reply, &scope(call, arguments, &[]), call.peer).await,
    }
}

pub(super) fn scope<'a>(call: &Call<'a>, arguments: &'a Map<String, Value>, placed: &'a [String]) -> CallScope<'a> {
    let (declared, principal, request) = (&call.tool.declared, call.principal, call.request);
    CallScope { arguments, declared, placed, principal, request, steps: None, result: Known::Nothing, answers: None }
}

/// What one call works with: the sources, who is calling, and until when.
pub(super) struct World<'a> {
    pub(super) generation: &'a Generation,
    pub(super) call: &'a Call<'a>,
    pub(super) deadline: Instant,
    /// How often the client was told what is waited for.
    pub(super) told: AtomicU32,
}

impl World<'_> {
    /// Tells the client what is waited for. Steps count their progress themselves.
    fn tell(&self, message: &str) {
        if matches!(self.call.tool.operation, Operation::Steps(_)) {
            return;
        }
        let value = f64::from(self.told.fetch_add(1, Ordering::Relaxed) + 1);
        self.call.peer.progress(&Progress { value, total: None, message: Some(message.to_owned()) });
    }

    /// The credential that a source may be given: what an issuer made for this server is exchanged and
    /// never passed on, and what an upstream vouched for goes to nobody else (auth.md §1.4).
    fn lent(&self, source: SourceId, header: &str) -> Option<HeaderValue> {
        let auth = match self.generation.plan().sources.get(source.index()).map(|source| &source.kind) {
            Some(SourceKind::Rest(rest)) => &rest.auth,
            Some(SourceKind::Sql(_)) | None => return None,
        };
        let is_passed = matches!(auth, Auth::Passthrough { .. });
        let is_not_its = match self.call.principal.kind() {
            Identified::Token => is_passed && header == "authorization",
            Identified::Upstream => !is_passed,
            Identified::Anonymous | Identified::ApiKey => false,
        };
        if is_not_its {
            return None;
        }
        self.call.headers.get(header).and_then(|value| HeaderValue::from_bytes(value).ok())
    }

    /// Fetches the page that the model asks for, and tells it how to ask for the next one.
    async fn page(&self, request: &Request, arguments: &Map<String, Value>) -> Result<Outcome, CallError> {
        let Some(Upstream::Rest(upstream)) = self.generation.upstream(request.source) else {
            return Err(unconnected());
        };
        let mut others = arguments.clone();
        let place = match others.remove(cursor::ARGUMENT).as_ref().and_then(Value::as_str) {
            Some(text) => Some(cursor::read(self.call, &others, text)?),
            None => None,
        };
        let scope = scope(self.call, &others, &request.placed);
        let credential = |name: &str| self.lent(request.source, name);
        let tell = |message: &str| self.tell(message);
        let sent = RestCall { scope: &scope, credential: &credential, deadline: self.deadline, tell: &tell };
        let (answer, next) = upstream.one_page(request, &sent, place.as_ref()).await?;
        if let Some(error) = refusal::refused((request, upstream), &answer, &scope) {
            return Err(error);
        }
        let outcome = shape::rest(&self.call.tool.output, answer, &scope)?;
        Ok(match next {
            None => outcome,
            Some(next) => cursor::add(outcome, &cursor::sign(self.call, &others, &next)?),
        })
    }

    /// Sends a request. An answer whose status is an error is one here too.
    pub(super) async fn rest(&self, request: &Request, scope: &CallScope<'_>) -> Result<Box<Answer>, CallError> {
        let Some(Upstream::Rest(upstream)) = self.generation.upstream(request.source) else {
            return Err(unconnected());
        };
        let credential = |name: &str| self.lent(request.source, name);
        let tell = |message: &str| self.tell(message);
        let sent = RestCall { scope, credential: &credential, deadline: self.deadline, tell: &tell };
        let answer = upstream.send(request, &sent).await?;
        match refusal::refused((request, upstream), &answer, scope) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Runs a statement with the values of a scope.
    pub(super) async fn sql(&self, query: &Query, scope: &CallScope<'_>) -> Result<Rows, CallError> {
        let Some(Upstream::Sql(upstream)) = self.generation.upstream(query.source) else {
            return Err(unconnected());
        };
        let session = session(self.generation, self.call.principal, query.source)?;
        let run = Run {
            statement: &query.statement,
            access: query.access,
            arguments: scope.arguments,
            returns: query.returns,
            expect_rows: query.expect_rows,
            repeat: self.repeat(),
            session: &session,
            limits: Limits { max_rows: query.max_rows, max_bytes: self.call.tool.output.max_bytes },
            deadline: self.deadline,
        };
        match (upstream.run(run).await, &query.not_found) {
            (Err(error), Some(text)) if error.class() == FailureClass::Missing => Err(missing(text, scope)?),
            (answer, _) => {
                let answer = answer?;
                self.count(&answer);
                Ok(answer)
            }
        }
    }

    /// Runs the statements of a transaction with the values of a scope.
    pub(super) async fn transact(
        &self,
        transaction: &Transaction,
        scope: &CallScope<'_>,
    ) -> Result<Vec<Rows>, CallError> {
        let Some(Upstream::Sql(upstream)) = self.generation.upstream(transaction.source) else {
            return Err(unconnected());
        };
        let session = session(self.generation, self.call.principal, transaction.source)?;
        // Each statement with rows may fill its share of the answer.
        let shares = transaction.named().filter(|(_, _, query)| query.returns != Returns::Affected).count();
        let request = Transact {
            parts: &transaction.parts,
            arguments: scope.arguments,
            repeat: self.repeat(),
            session: &session,
            max_bytes: self.call.tool.output.max_bytes / shares.max(1),
            deadline: self.deadline,
        };
        match (upstream.transact(request).await, &transaction.not_found) {
            (Err(error), Some(text)) if error.class() == FailureClass::Missing => Err(missing(text, scope)?),
            (answers, _) => {
                let answers = answers?;
                for answer in &answers {
                    self.count(answer);
                }
                Ok(answers)
            }
        }
    }

    /// Counts what a statement returned or changed, for the audit.
    fn count(&self, answer: &Rows) {
        let affected = answer.affected.map_or(0, |rows| usize::try_from(rows).unwrap_or(usize::MAX));
        self.call.tally.rows(answer.row_count.max(affected));
    }

    fn repeat(&self) -> Repeat {
        if self.call.tool.annotations.idempotent { Repeat::AfterCollision } else { Repeat::Never }
    }
}

/// What the author says where nothing was found.
fn missing(text: &Text, scope: &CallScope<'_>) -> Result<CallError, CallError> {
    let text = text.render(scope).map_err(|error| shape::template_failed(&error))?;
    Ok(CallError::new(ErrorClass::Missing, text))
}

#[cold]
fn unconnected() -> CallError {
    CallError::new(ErrorClass::Internal, "The tool's source is not connected.")
}

/// Params with `from:` take the caller's identity. A caller without the part is refused, also
/// when only a template names it: an empty value would show one tenant another one's rows.
fn bind_identity(call: &Call<'_>, arguments: &mut Map<String, Value>) -> Result<(), CallError> {
    for bound in &call.tool.bound {
        let value = call.principal.part(&bound.part).ok_or_else(|| without(&bound.part))?;
        arguments.insert(bound.param.clone(), value.clone());
    }
    match call.tool.needs.iter().find(|part| call.principal.part(part).is_none()) {
        Some(part) => Err(without(part)),
        None => Ok(()),
    }
}

/// Settings of the database session for this caller. One without a part that a setting takes is
/// refused: row-level security would go by nothing.
fn session(
    generation: &Generation,
    principal: &Principal,
    source: SourceId,
) -> Result<Vec<(String, String)>, CallError> {
    let source = generation.plan().sources.get(source.index());
    let Some(SourceKind::Sql(source)) = source.map(|source| &source.kind) else { return Ok(Vec::new()) };
    let settings = source.engine.session().iter().map(|setting| {
        let value = match &setting.value {
            SettingValue::Text(text) => text.clone(),
            SettingValue::Caller(part) => match principal.part(part).ok_or_else(|| without(part))? {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        };
        Ok((setting.name.clone(), value))
    });
    settings.collect()
}

#[cold]
fn without(part: &CallerPart) -> CallError {
    let message = format!("This tool needs to know the caller's {}, and this caller has none.", part.name());
    CallError::new(ErrorClass::Denied, message)
}
