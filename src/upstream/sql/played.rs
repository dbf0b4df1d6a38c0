//! Floor 5. A database whose answers come from the stubs of a test. The limits of a call hold as for
//! a real one. Serves `mcp-bridge test`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Answer, Cut, Limits, Run, Transact, asking::Asking, remote::unexpected};
use crate::{
    plan::{sql::Returns, test::StubRows},
    upstream::{
        Tape,
        error::{FailureClass, UpstreamError},
    },
};

/// A database that is not there.
#[derive(Debug)]
pub(super) struct Played {
    tape: Arc<Tape>,
}

impl Played {
    pub(super) const fn new(tape: Arc<Tape>) -> Self {
        Self { tape }
    }

    /// Gives the next rows of the tape.
    ///
    /// # Errors
    ///
    /// When there are none, or fewer or more rows would be changed than the tool expects.
    pub(super) fn run(&self, request: &Run<'_>) -> Result<Answer, UpstreamError> {
        let played = self.tape.play_rows().ok_or_else(Self::absent)?;
        let affected = played.affected.unwrap_or(0);
        if let Some(expected) = request.expect_rows.filter(|expected| !expected.allows(affected)) {
            return Err(unexpected(expected, affected));
        }
        Ok(answered(played, request.returns, request.limits))
    }

    /// Gives the next rows of the tape to each statement.
    ///
    /// # Errors
    ///
    /// As for one statement; and when the rows have not what a later statement binds.
    pub(super) fn transact(&self, request: &Transact<'_>) -> Result<Vec<Answer>, UpstreamError> {
        let mut asking = Asking::of(request)?;
        let mut answers = Vec::with_capacity(request.parts.len());
        for part in request.parts {
            let played = asking.next(&self.tape, |which| {
                let played = self.tape.play_rows().ok_or_else(Self::absent)?;
                let found = u64::try_from(played.rows.len()).unwrap_or(u64::MAX);
                let came_to = played.affected.unwrap_or(0).max(found);
                match part.query.expect_rows.filter(|expected| !expected.allows(came_to)) {
                    Some(expected) => Err(which.unexpected(expected, came_to)),
                    None => Ok(played),
                }
            })?;
            answers.extend(played.map(|played| answered(played, part.query.returns, request.limits(part))));
        }
        Ok(answers)
    }

    /// What every question but that of a call is answered with.
    pub(super) fn absent() -> UpstreamError {
        UpstreamError::new(FailureClass::Unreachable, "no rows are written for this in the test")
    }
}

/// What a statement gives of the rows of the tape.
fn answered(played: StubRows, returns: Returns, limits: Limits) -> Answer {
    let most = match returns {
        Returns::Rows => limits.max_rows,
        Returns::Row | Returns::Value => limits.max_rows.min(1),
        Returns::Affected => 0,
    };
    let (rows, cut) = kept(played.rows, most, limits.max_bytes);
    Answer {
        row_count: rows.1,
        rows: rows.0,
        cut: cut.filter(|_| returns == Returns::Rows),
        cells_cut: false,
        affected: played.affected,
        last_insert_id: played.last_insert_id,
    }
}

/// The rows as text with their number, within the limits.
fn kept(rows: Vec<Map<String, Value>>, most: usize, max_bytes: usize) -> ((Vec<u8>, usize), Option<Cut>) {
    let (mut text, mut count, mut cut) = (vec![b'['], 0, None);
    for row in rows {
        if count == most {
            cut = Some(Cut::Rows);
            break;
        }
        let row = Value::Object(row).to_string();
        if count > 0 && text.len() + row.len() + 2 > max_bytes {
            cut = Some(Cut::Bytes);
            break;
        }
        if count > 0 {
            text.push(b',');
        }
        text.extend_from_slice(row.as_bytes());
        count += 1;
    }
    text.push(b']');
    ((text, count), cut)
}
