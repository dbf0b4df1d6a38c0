//! Floor 5. The statement of a call as it would be run, with the values that would be bound,
//! without a database. Serves `call --dry-run`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::bind::{Bindable, Given, bindable};
use crate::{
    plan::{Query, Transaction, sql::Statement},
    upstream::{FailureClass, UpstreamError},
};

/// A statement that was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its text, with the placeholders of the engine.
    pub sql: Arc<str>,
    /// What would be bound to them, in order.
    pub values: Vec<BoundValue>,
}

/// One value that would be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundValue {
    /// The param it comes from.
    pub param: Arc<str>,
    /// As what it is sent: null, integer, real or text; `later` for a value that an earlier statement of the
    /// transaction gives.
    pub kind: &'static str,
    /// The value as JSON.
    pub value: Value,
}

/// Renders the statements of one call of a transaction, in their order.
///
/// # Errors
/// As for a call, up to the moment of running it.
pub fn preview_all(transaction: &Transaction, arguments: &Map<String, Value>) -> Result<Vec<Preview>, UpstreamError> {
    transaction.parts.iter().map(|part| preview(&part.query, arguments)).collect()
}

/// Renders the statement of one call.
///
/// # Errors
/// As for a call, up to the moment of running it.
pub fn preview(query: &Query, arguments: &Map<String, Value>) -> Result<Preview, UpstreamError> {
    of(&query.statement, arguments)
}

/// Renders a statement.
pub(super) fn of(statement: &Statement, arguments: &Map<String, Value>) -> Result<Preview, UpstreamError> {
    let rendered = statement.render(&Given(arguments));
    let rendered = rendered.map_err(|error| UpstreamError::new(FailureClass::Arguments, error.to_string()))?;
    let bound = rendered.slots.iter().map(|slot| {
        let param = Arc::clone(&slot.param);
        if slot.param.contains('.') {
            // What an earlier statement of the transaction will have found.
            return Ok(BoundValue { param, kind: "later", value: Value::Null });
        }
        let (kind, value) = match bindable(slot, arguments.get(slot.param.as_ref()))? {
            Bindable::Null => ("null", Value::Null),
            Bindable::Integer(number) => ("integer", number.into()),
            Bindable::Real(number) => ("real", number.into()),
            Bindable::Text(text) => ("text", text.into()),
        };
        Ok(BoundValue { param, kind, value })
    });
    Ok(Preview { values: bound.collect::<Result<_, UpstreamError>>()?, sql: rendered.sql })
}
