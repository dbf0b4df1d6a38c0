//! Floor 5. What the statements of a transaction ask, for a tape: their texts, and what is bound, where
//! a value of an earlier statement is taken from what that one answered. Serves `mcp-bridge test`.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{
    Answer, Preview, Transact, preview,
    transaction::{Earlier, Wanted, What, Which, wanted},
};
use crate::{
    plan::test::StubRows,
    upstream::{
        error::UpstreamError,
        tape::{Asked, Tape},
    },
};

/// The statements of a transaction that have not been asked yet.
#[derive(Debug)]
pub(super) struct Asking {
    left: VecDeque<Statement>,
    earlier: Earlier<Value>,
}

#[derive(Debug)]
struct Statement {
    looked: Preview,
    wanted: Vec<Wanted>,
    which: Which,
}

impl Asking {
    /// All statements of a transaction.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit one of them.
    pub(super) fn of(request: &Transact<'_>) -> Result<Self, UpstreamError> {
        let texts = request.render()?;
        let left = request.parts.iter().enumerate().map(|(at, part)| {
            let looked = preview(&part.query, request.arguments)?;
            Ok(Statement { looked, wanted: wanted(request.parts, &texts, at), which: Which::new(at, part) })
        });
        Ok(Self { left: left.collect::<Result<_, UpstreamError>>()?, earlier: Earlier::default() })
    }

    /// Takes down the next statement, has it answered, and keeps what later ones bind of the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it has not what a later statement binds.
    pub(super) fn next(
        &mut self,
        tape: &Tape,
        answer: impl FnOnce(&Which) -> Result<StubRows, UpstreamError>,
    ) -> Result<Option<StubRows>, UpstreamError> {
        let Some(Statement { looked, wanted, which }) = self.left.pop_front() else { return Ok(None) };
        let values = looked.values.into_iter().map(|bound| {
            let earlier = self.earlier.get(&bound.param).cloned();
            earlier.unwrap_or(bound.value)
        });
        tape.ask(Asked::Statement { sql: looked.sql.to_string(), values: values.collect() });
        let rows = answer(&which)?;
        for wanted in wanted {
            let value = match &wanted.what {
                What::Column(column) => first(&rows.rows, column, &which)?,
                What::Affected => rows.affected.unwrap_or(0).into(),
                What::LastInsertId => rows.last_insert_id.map_or(Value::Null, Value::from),
            };
            self.earlier.keep(&wanted.whole, value);
        }
        Ok(Some(rows))
    }

    /// Takes down all statements with the answers of a database that has run them. Where it refused, there
    /// are none, and of the first statement alone all that was bound is known.
    pub(super) fn take_down(mut self, tape: &Tape, answers: &[Answer]) {
        for answer in answers {
            let rows = serde_json::from_slice(&answer.rows).unwrap_or_default();
            let played = StubRows { rows, affected: answer.affected, last_insert_id: answer.last_insert_id };
            if let Ok(Some(rows)) = self.next(tape, |_| Ok(played)) {
                tape.rows(rows.rows, (rows.affected, rows.last_insert_id));
            }
        }
        for Statement { looked, .. } in self.left {
            let values = looked.values.into_iter().map(|bound| bound.value).collect();
            tape.ask(Asked::Statement { sql: looked.sql.to_string(), values });
        }
    }
}

/// A column of the first row. As in SQL a name is the same in any case, and exact first.
fn first(rows: &[Map<String, Value>], column: &str, which: &Which) -> Result<Value, UpstreamError> {
    let row = rows.first().ok_or_else(|| which.no_row())?;
    let exact = row.get(column);
    let found =
        exact.or_else(|| row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value));
    found.cloned().ok_or_else(|| which.no_column(column))
}
