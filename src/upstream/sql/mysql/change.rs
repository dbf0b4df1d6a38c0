//! Floor 5. Statements that write, in one transaction: one for most tools, several for `transaction:`.
//! What later ones take of earlier ones stays in the form in which the server gave it.

use std::sync::Arc;

use tokio::time::timeout;

use super::{
    Inner, Stop, Wrong,
    bind::{self, Bound},
    connection,
    connection::Connection,
    finish,
    reading::{Reading, Stops},
};
use crate::{
    plan::sql::{Access, ExpectedRows, Rendered, Returns, Statement},
    upstream::{
        error::UpstreamError,
        sql::{
            Answer, Limits, Repeat, Run, Transact,
            pool::Lease,
            remote::{COMMIT_TIMEOUT, MAX_ATTEMPTS, too_wide_but_kept, unexpected, unsure},
            row::Written,
            transaction::{Earlier, Wanted, What, Which, wanted},
        },
    },
};

/// A call that writes, on its way: all that it wants, owned.
pub(super) struct Change {
    parts: Vec<Planned>,
    variables: Vec<(String, String)>,
    repeat: Repeat,
}

/// One statement, with all that can be known before it runs.
struct Planned {
    sql: Arc<str>,
    values: Vec<Slotted>,
    returns: Returns,
    limits: Limits,
    expected: Option<ExpectedRows>,
    /// What later statements take of it.
    wanted: Vec<Wanted>,
    /// `None` for one that stands alone.
    which: Option<Which>,
}

/// What is bound to a placeholder.
enum Slotted {
    Given(Bound),
    /// A value of an earlier statement, such as `order.id`.
    Earlier(Arc<str>),
}

impl Change {
    /// The one statement of a call.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit.
    pub(super) fn one(request: &Run<'_>, text: &Rendered) -> Result<Self, UpstreamError> {
        let values = bind::values(request.statement, &text.slots, request.arguments)?;
        let part = Planned {
            sql: Arc::clone(&text.sql),
            values: values.into_iter().map(Slotted::Given).collect(),
            returns: request.returns,
            limits: request.limits,
            expected: request.expect_rows,
            wanted: Vec::new(),
            which: None,
        };
        Ok(Self { parts: vec![part], variables: request.session.to_vec(), repeat: request.repeat })
    }

    /// The statements of a transaction.
    ///
    /// # Errors
    ///
    /// As for [`Change::one`].
    pub(super) fn several(request: &Transact<'_>) -> Result<Self, UpstreamError> {
        let texts = request.render()?;
        let parts = request.parts.iter().zip(&texts).enumerate().map(|(at, (part, text))| {
            Ok(Planned {
                sql: Arc::clone(&text.sql),
                values: slotted(&part.query.statement, text, request)?,
                returns: part.query.returns,
                limits: request.limits(part),
                expected: part.query.expect_rows,
                wanted: wanted(request.parts, &texts, at),
                which: Some(Which::new(at, part)),
            })
        });
        let parts = parts.collect::<Result<_, UpstreamError>>()?;
        Ok(Self { parts, variables: request.session.to_vec(), repeat: request.repeat })
    }
}

fn slotted(statement: &Statement, text: &Rendered, request: &Transact<'_>) -> Result<Vec<Slotted>, UpstreamError> {
    let slots = text.slots.iter().map(|slot| {
        if slot.param.contains('.') {
            return Ok(Slotted::Earlier(Arc::clone(&slot.param)));
        }
        bind::value(statement, slot, request.arguments).map(Slotted::Given)
    });
    slots.collect()
}

impl Planned {
    fn values(&self, earlier: &Earlier<Bound>) -> Vec<Bound> {
        let value = |slotted: &Slotted| match slotted {
            Slotted::Given(value) => value.clone(),
            Slotted::Earlier(whole) => earlier.get(whole).cloned().unwrap_or(Bound::Null),
        };
        self.values.iter().map(value).collect()
    }

    /// Whether it came to as many rows as it may.
    fn counted(&self, reading: &Reading) -> Result<(), Wrong> {
        match (self.expected, &self.which) {
            (Some(expected), None) if !expected.allows(reading.affected()) => {
                Err(unexpected(expected, reading.affected()).into())
            }
            (Some(expected), Some(which)) if !expected.allows(reading.came_to()) => {
                Err(which.unexpected(expected, reading.came_to()).into())
            }
            _ => Ok(()),
        }
    }

    /// Keeps what later statements take.
    fn keep(&self, reading: &mut Reading, earlier: &mut Earlier<Bound>) -> Result<(), Wrong> {
        let Some(which) = &self.which else { return Ok(()) };
        let mut first = reading.first.take().map(Vec::into_iter);
        for wanted in &self.wanted {
            let value = match (&wanted.what, &mut first) {
                (What::Column(column), Some(values)) => {
                    values.next().flatten().ok_or_else(|| which.no_column(column))?
                }
                (What::Column(_), None) => return Err(which.no_row().into()),
                (What::Affected, _) => Bound::Unsigned(reading.affected()),
                (What::LastInsertId, _) => reading.last_insert_id().map_or(Bound::Null, Bound::Signed),
            };
            earlier.keep(&wanted.whole, value);
        }
        Ok(())
    }

    /// The columns of its first row that later statements take.
    fn taken(&self) -> Vec<String> {
        let columns = self.wanted.iter().filter_map(|wanted| match &wanted.what {
            What::Column(column) => Some(column.clone()),
            What::Affected | What::LastInsertId => None,
        });
        columns.collect()
    }

    fn answer(&self, reading: Reading) -> Result<Answer, UpstreamError> {
        let (affected, last_insert_id) = (reading.affected(), reading.last_insert_id());
        let Some(Written { text, count, cut, cells_cut }) = reading.rows.finish() else {
            return Err(too_wide_but_kept());
        };
        let cut = cut.filter(|_| self.returns == Returns::Rows);
        Ok(Answer { rows: text, row_count: count, cut, cells_cut, affected: Some(affected), last_insert_id })
    }
}

impl Inner {
    /// Keeps what all statements did, or nothing; the answers are in their order.
    pub(super) async fn change(&self, change: &Change, stop: &Stop) -> Result<Vec<Answer>, UpstreamError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut lease = self.begun(Access::Write, stop, 0).await?;
            let outcome = self.change_on(&mut lease, change, stop).await;
            finish(lease).await;
            let is_repeated = matches!(&outcome, Err(wrong) if wrong.is_collision())
                && change.repeat == Repeat::AfterCollision
                && attempt < MAX_ATTEMPTS
                && !stop.is_reached();
            if !is_repeated {
                return outcome.map_err(|wrong| self.error(wrong, stop));
            }
        }
    }

    async fn change_on(
        &self,
        lease: &mut Lease<Connection>,
        change: &Change,
        stop: &Stop,
    ) -> Result<Vec<Answer>, Wrong> {
        let mut earlier = Earlier::default();
        let mut done = Vec::with_capacity(change.parts.len());
        for (at, part) in change.parts.iter().enumerate() {
            let variables = if at == 0 { change.variables.as_slice() } else { &[] };
            let ran = self.part(lease, (part, variables), &earlier, stop).await;
            let mut reading = ran.map_err(|wrong| match &part.which {
                Some(which) => Wrong::Within(which.clone(), Box::new(wrong)),
                None => wrong,
            })?;
            part.counted(&reading)?;
            part.keep(&mut reading, &mut earlier)?;
            done.push(reading);
        }
        if stop.is_reached() {
            return Err(stop.error().into());
        }
        self.commit(connection(lease)?).await?;
        let answers = change.parts.iter().zip(done).map(|(part, reading)| part.answer(reading));
        Ok(answers.collect::<Result<_, _>>()?)
    }

    async fn part(
        &self,
        lease: &mut Lease<Connection>,
        (part, variables): (&Planned, &[(String, String)]),
        earlier: &Earlier<Bound>,
        stop: &Stop,
    ) -> Result<Reading, Wrong> {
        let connection = connection(lease)?;
        let id = connection.id();
        let work = async {
            connection.set(variables).await?;
            let known = connection.prepare(&part.sql).await?;
            let mut reading = Reading::new(known, (part.returns, part.limits), Stops::AtTheEnd).taking(part.taken());
            connection.fetch(&part.sql, &part.values(earlier), &mut reading).await?;
            Ok(reading)
        };
        Ok(self.within((id, stop), work).await?)
    }

    /// Keeps what was written. Where no answer comes, nobody knows whether it is kept, and that is said.
    async fn commit(&self, connection: &mut Connection) -> Result<(), Wrong> {
        let lost = |cause: String| Wrong::Told(unsure(&self.site.source).caused_by(cause));
        match timeout(COMMIT_TIMEOUT, connection.commit()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(super::Failure::Lost(cause))) => Err(lost(cause)),
            Ok(Err(failure)) => Err(failure.into()),
            Err(_) => Err(lost("the server did not answer in time".to_owned())),
        }
    }
}
