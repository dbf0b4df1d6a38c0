//! Floor 5. Several statements of one call in one transaction: all are prepared before it begins, and
//! what later ones take of earlier ones travels as the text that the server wrote.

use std::sync::Arc;

use super::{
    Postgres, Stop,
    bind::texts_behind,
    changed, connection,
    connection::{Connection, Known, Purpose, Work},
    finish, is_repeatable,
    reading::{Reading, Stops},
    shape::{INT8, Oid},
};
use crate::{
    plan::sql::{Access, Rendered},
    upstream::{
        error::UpstreamError,
        sql::{
            Answer, Transact,
            pool::Lease,
            remote::Patience,
            row::Written,
            transaction::{Earlier, What, Which, wanted},
        },
    },
};

/// A transaction on its way: its texts and settings.
struct Whole<'a> {
    request: &'a Transact<'a>,
    texts: Vec<Rendered>,
    settings: Vec<String>,
}

/// What the statements gave: the rows of each, and how many it affected.
type Given = Vec<(Option<Written>, u64)>;

impl Postgres {
    pub(in crate::upstream::sql) async fn transact(&self, request: Transact<'_>) -> Result<Vec<Answer>, UpstreamError> {
        let patience = Patience::new(request.deadline, self.statement_timeout);
        let (texts, settings) = (request.render()?, self.settings(request.session)?);
        let whole = Whole { request: &request, texts, settings };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut lease = patience.with(self.lease(Access::Write, patience)).await?;
            let stop = match self.transact_once(&mut lease, &whole, patience).await {
                Ok(answers) => {
                    finish(lease);
                    return answers;
                }
                Err(stop) => stop,
            };
            if !is_repeatable(&stop, request.repeat, attempt) || patience.left().is_zero() {
                return Err(self.failed(stop, lease, patience));
            }
            self.recover(lease, &whole.texts.iter().collect::<Vec<_>>(), &stop);
        }
    }

    /// Runs a transaction to its end. Answers may be an error: it is kept all the same.
    async fn transact_once(
        &self,
        lease: &mut Lease<Connection>,
        whole: &Whole<'_>,
        patience: Patience,
    ) -> Result<Result<Vec<Answer>, UpstreamError>, Stop> {
        let given = patience.with(async { Ok(self.run_all(connection(lease)?, whole).await) }).await?;
        let connection = connection(lease)?;
        let given = match given {
            Ok(given) => given,
            Err(stop) => {
                // What the server refused is undone already; a number of rows is refused here.
                if !connection.is_clean() && matches!(stop, Stop::Kept(_)) {
                    connection.undo().await?;
                }
                return Err(stop);
            }
        };
        self.commit(connection).await?;
        let parts = whole.request.parts.iter().zip(given);
        Ok(parts.map(|(part, (written, affected))| changed(written, (part.query.returns, affected))).collect())
    }

    async fn run_all(&self, connection: &mut Connection, whole: &Whole<'_>) -> Result<Given, Stop> {
        let all = self.prepare_all(connection, whole).await?;
        let mut earlier = Earlier::default();
        let mut given = Vec::with_capacity(all.len());
        for (at, known) in all.iter().enumerate() {
            given.push(run_part(connection, whole, (at, known), &mut earlier).await?);
        }
        Ok(given)
    }

    /// Every statement, prepared: one that the server refuses later would end the transaction.
    async fn prepare_all(&self, connection: &mut Connection, whole: &Whole<'_>) -> Result<Vec<Arc<Known>>, Stop> {
        let parts = whole.request.parts;
        let mut all: Vec<Arc<Known>> = Vec::with_capacity(parts.len());
        for (at, (part, text)) in parts.iter().zip(&whole.texts).enumerate() {
            let before = parts.iter().zip(&all);
            let types: Vec<(&str, &Known)> =
                before.filter_map(|(part, known)| Some((part.name.as_deref()?, &**known))).collect();
            let earlier = |param: &str| type_of(param, &types);
            let prepared = self.prepare_behind(connection, (&part.query.statement, text), &earlier).await;
            all.push(prepared.map_err(|stop| Stop::Within(Which::new(at, part), Box::new(stop)))?);
        }
        Ok(all)
    }
}

/// The type of `order.id`.
fn type_of(param: &str, before: &[(&str, &Known)]) -> Option<Oid> {
    let (name, column) = param.split_once('.')?;
    let (_, known) = before.iter().find(|(other, _)| *other == name)?;
    match &known.columns {
        Some(columns) => Some(columns.fields.iter().find(|field| field.name == column)?.oid),
        None => Some(INT8),
    }
}

async fn run_part(
    connection: &mut Connection,
    whole: &Whole<'_>,
    (at, known): (usize, &Known),
    earlier: &mut Earlier<Option<String>>,
) -> Result<(Option<Written>, u64), Stop> {
    let request = whole.request;
    let (Some(part), Some(text)) = (request.parts.get(at), whole.texts.get(at)) else { return Ok((None, 0)) };
    let which = Which::new(at, part);
    let wanted = wanted(request.parts, &whole.texts, at);
    let mut taken = Vec::new();
    for wanted in &wanted {
        if let What::Column(column) = &wanted.what {
            let fields = known.columns.iter().flat_map(|columns| &columns.fields);
            let found = fields.enumerate().find(|(_, field)| field.name == *column);
            taken.push(found.ok_or_else(|| Stop::Kept(which.no_column(column)))?.0);
        }
    }
    let values = texts_behind(&text.slots, (request.arguments, earlier), &known.params)?;
    let work = Work { known, values: &values, settings: &whole.settings, max_rows: 0 };
    let limits = (part.query.returns, request.limits(part));
    let mut reading = Reading::new(known.columns.as_ref(), limits, Stops::AtTheEnd).taking(taken);
    let purpose = if at == 0 { Purpose::Write } else { Purpose::Further };
    let ran = connection.run(purpose, &work, &mut reading).await;
    ran.map_err(|failure| Stop::Within(which.clone(), Box::new(failure.into())))?;
    let (affected, came_to) = (reading.affected(), reading.came_to());
    if let Some(expected) = part.query.expect_rows.filter(|expected| !expected.allows(came_to)) {
        return Err(Stop::Kept(which.unexpected(expected, came_to)));
    }
    let mut first = reading.first.take().map(Vec::into_iter);
    for wanted in &wanted {
        let value = match (&wanted.what, &mut first) {
            (What::Column(_), Some(values)) => values.next().flatten(),
            (What::Column(_), None) => return Err(Stop::Kept(which.no_row())),
            (What::Affected, _) => Some(affected.to_string()),
            // No statement of this engine has one, and `check` says so.
            (What::LastInsertId, _) => None,
        };
        earlier.keep(&wanted.whole, value);
    }
    Ok((reading.rows.finish(), affected))
}
