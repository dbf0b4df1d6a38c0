//! Floor 5. Preparing a statement: the server says which types its placeholders and columns have,
//! and types that nobody knows yet are looked up. Where the text leaves the type of a placeholder
//! open, what the bridge file declares about the param decides. Reference: `sql.md` §9.3, §9.4.

use std::sync::Arc;

use futures_util::future::FutureExt as _;

use super::{
    Postgres, Stop,
    bind::declared,
    connection::{Columns, Connection, Described, Failure, Known},
    shape::{self, Found, Oid, Shape},
};
use crate::plan::sql::{Form, ParamType, Rendered, Slot, Statement};

/// How many times types are looked up that other types are made of.
const MAX_ROUNDS: usize = 16;

impl Postgres {
    /// The statement as this connection knows it, prepared now if it does not.
    pub(super) async fn prepare(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        rendered: &Rendered,
    ) -> Result<Arc<Known>, Stop> {
        if let Some(known) = connection.recall(rendered)
            && (known.is_of(rendered) || known.fits(&fallbacks(statement, rendered, &|_| None)))
        {
            return Ok(known);
        }
        self.prepare_new(connection, (statement, rendered), &|_| None).boxed().await
    }

    /// The same for a statement of a transaction. `earlier` knows the types of what it takes of those
    /// before it.
    pub(super) async fn prepare_behind(
        &self,
        connection: &mut Connection,
        (statement, rendered): (&Statement, &Rendered),
        earlier: &(dyn Fn(&str) -> Option<Oid> + Sync),
    ) -> Result<Arc<Known>, Stop> {
        if let Some(known) = connection.recall(rendered)
            && known.fits(&fallbacks(statement, rendered, earlier))
        {
            return Ok(known);
        }
        self.prepare_new(connection, (statement, rendered), earlier).boxed().await
    }

    async fn prepare_new(
        &self,
        connection: &mut Connection,
        (statement, rendered): (&Statement, &Rendered),
        earlier: &(dyn Fn(&str) -> Option<Oid> + Sync),
    ) -> Result<Arc<Known>, Stop> {
        let fallbacks = fallbacks(statement, rendered, earlier);
        // The same text of another tool, whose params are of other types.
        connection.close(&rendered.sql)?;
        let (described, leans) = typed(connection, rendered, &fallbacks).await?;
        self.learn(connection, &described).await?;
        let shape = |oid: Oid| self.shapes.get(oid).unwrap_or_else(|| Arc::new(Shape::Text));
        let params = described.types.iter().map(|oid| shape(*oid)).collect();
        let columns = described.fields.as_ref().map(|fields| {
            let shapes = fields.iter().map(|field| shape(field.oid)).collect();
            Columns::new(fields.clone(), shapes)
        });
        let fallbacks = if leans == Leans::OnDeclared { fallbacks } else { Vec::new() };
        Ok(connection.keep(rendered, described, (params, columns, fallbacks))?)
    }

    /// Looks up the types that are not known yet, and those that they are made of.
    async fn learn(&self, connection: &mut Connection, described: &Described) -> Result<(), Failure> {
        let columns = described.fields.iter().flatten().map(|field| field.oid);
        let mut wanted: Vec<Oid> = described.types.iter().copied().chain(columns).collect();
        let mut found: Vec<Found> = Vec::new();
        for _ in 0..MAX_ROUNDS {
            wanted.sort_unstable();
            wanted.dedup();
            wanted.retain(|oid| self.shapes.get(*oid).is_none() && found.iter().all(|found| found.oid != *oid));
            if wanted.is_empty() {
                break;
            }
            let more = look_up(connection, &wanted).await?;
            wanted = more.iter().flat_map(Found::parts).collect();
            found.extend(more);
        }
        self.shapes.learn(&found);
        Ok(())
    }
}

/// Whether the types that the bridge file declares had a say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leans {
    OnDeclared,
    OnNothing,
}

/// The type of each placeholder where the text leaves it open.
fn fallbacks(statement: &Statement, rendered: &Rendered, earlier: &dyn Fn(&str) -> Option<Oid>) -> Vec<Oid> {
    let fallback = |slot: &Slot| match slot.form {
        Form::Whole => earlier(&slot.param).unwrap_or_else(|| declared(statement.type_of(&slot.param))),
        Form::Item(_) => declared(statement.type_of(&slot.param).map(ParamType::item)),
        Form::Like(_) => shape::TEXT,
    };
    rendered.slots.iter().map(fallback).collect()
}

/// Has the server parse a statement, first as it is: what a value is compared with says best which
/// type it has.
async fn typed(
    connection: &mut Connection,
    rendered: &Rendered,
    fallbacks: &[Oid],
) -> Result<(Described, Leans), Failure> {
    let described = match connection.describe(&rendered.sql, &[]).await {
        Ok(described) => described,
        Err(Failure::Refused(refusal)) if refusal.is_untyped() && !fallbacks.is_empty() => {
            return match connection.describe(&rendered.sql, fallbacks).await {
                // The first refusal says more about the statement as it is written.
                Err(Failure::Refused(_)) => Err(Failure::Refused(refusal)),
                outcome => outcome.map(|described| (described, Leans::OnDeclared)),
            };
        }
        Err(failure) => return Err(failure),
    };
    // What nothing is known about becomes a text. A number that is declared as one is better.
    let types = described.types.iter().zip(fallbacks);
    let types: Vec<Oid> = types
        .map(|(oid, fallback)| if *oid == shape::TEXT && *fallback != shape::TEXT { *fallback } else { 0 })
        .collect();
    if types.iter().all(|oid| *oid == 0) {
        let is_open = described.types.contains(&shape::TEXT);
        return Ok((described, if is_open { Leans::OnDeclared } else { Leans::OnNothing }));
    }
    match connection.describe(&rendered.sql, &types).await {
        Ok(better) => {
            connection.drop_described(&described)?;
            Ok((better, Leans::OnDeclared))
        }
        // It is a text, after all: the column that it is compared with is one.
        Err(Failure::Refused(_)) => Ok((described, Leans::OnDeclared)),
        Err(failure) => Err(failure),
    }
}

/// Rows of `pg_type`, with the fields of composite types.
async fn look_up(connection: &mut Connection, oids: &[Oid]) -> Result<Vec<Found>, Failure> {
    let numbers: Vec<String> = oids.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typdelim, t.typelem, t.typbasetype, a.attname, a.atttypid \
         FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_attribute a ON t.typtype = 'c' \
         AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE t.oid IN ({}) ORDER BY t.oid, a.attnum",
        numbers.join(",")
    );
    let mut found: Vec<Found> = Vec::new();
    for row in connection.ask(&sql).await? {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let number = |at: usize| text(at).parse::<Oid>().unwrap_or(0);
        let byte = |at: usize| text(at).bytes().next().unwrap_or_default();
        let oid = number(0);
        if found.last().is_none_or(|last| last.oid != oid) {
            found.push(Found {
                oid,
                name: text(1),
                kind: byte(2),
                category: byte(3),
                delimiter: byte(4),
                element: number(5),
                base: number(6),
                fields: Vec::new(),
            });
        }
        if let Some(last) = found.last_mut().filter(|_| row.get(7).is_some_and(Option::is_some)) {
            last.fields.push((text(7), number(8)));
        }
    }
    Ok(found)
}
