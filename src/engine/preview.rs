//! Floor 6. What a call would do, without doing it: arguments are read and the caller's identity
//! is bound as always, and nothing is connected to.

use super::{Call, CallError, call::prepare, call::scope};
use crate::{
    plan::{Confirmation, Operation, Plan, SourceKind},
    upstream::{rest, sql},
};

/// What a call would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// Send one request.
    Request(rest::Preview),
    /// Run one statement.
    Statement(sql::Preview),
    /// Run several statements in one transaction.
    Transaction(Vec<sql::Preview>),
    /// Run several steps, each with the results of those before it: their names.
    Steps(Vec<String>),
    /// Answer without any source.
    Nothing,
}

/// Looks ahead at one call.
///
/// # Errors
/// As for the call itself, up to the moment of asking a source.
pub fn preview(plan: &Plan, call: &Call<'_>) -> Result<Preview, CallError> {
    let mut arguments = prepare(call)?;
    if call.tool.confirm.is_some() {
        arguments.remove(Confirmation::ARGUMENT);
    }
    Ok(match &call.tool.operation {
        Operation::Rest(request) => {
            let scope = scope(call, &arguments, &request.placed);
            let source = plan.sources.get(request.source.index());
            match source.map(|source| (source.name.as_str(), &source.kind)) {
                Some((name, SourceKind::Rest(source))) => {
                    Preview::Request(rest::preview((name, source), request, &scope)?)
                }
                Some((_, SourceKind::Sql(_))) | None => Preview::Nothing,
            }
        }
        Operation::Sql(query) => Preview::Statement(sql::preview(query, &arguments)?),
        Operation::Transaction(transaction) => Preview::Transaction(sql::preview_all(transaction, &arguments)?),
        Operation::Steps(steps) => Preview::Steps(steps.all.iter().map(|step| step.name.clone()).collect()),
        Operation::Reply(_) => Preview::Nothing,
    })
}
