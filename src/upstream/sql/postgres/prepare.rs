//! Floor 5. Preparing a statement: the server says which types its placeholders and columns have,
//! and types that nobody knows yet are looked up. Where the text leaves the type of a placeholder
//! open, what the bridge file declares about the param decides. Reference: `sql.md` §9.3, §9.4.

use std::sync::Arc;

use super::{
    super::remote::Leads,
    Postgres, Stop,
    bind::declared,
    connection::{Columns, Connection, Described, Failure, Known},
    shape::{self, Found, Oid, Shape},
};
use crate::plan::sql::{Form, ParamType, Rendered, Statement};

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
        if let Some(known) = connection.recall(&rendered.sql) {
            return Ok(known);
        }
        Box::pin(self.prepare_new(connection, statement, rendered)).await
    }

    async fn prepare_new(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        rendered: &Rendered,
    ) -> Result<Arc<Known>, Stop> {
        let described = typed(connection, statement, rendered).await?;
        self.learn(connection, &described).await?;
        let shape = |oid: Oid| self.shapes.get(oid).unwrap_or_else(|| Arc::new(Shape::Text));
        let params = described.types.iter().map(|oid| shape(*oid)).collect();
        let columns = described.fields.as_ref().map(|fields| Columns {
            leads: Leads::new(fields.iter().map(|field| field.name.as_str())),
            shapes: fields.iter().map(|field| shape(field.oid)).collect(),
            fields: fields.clone(),
        });
        Ok(connection.keep(&rendered.sql, described, (params, columns))?)
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

/// Has the server parse a statement, first as it is: what a value is compared with says best which
/// type it has.
async fn typed(connection: &mut Connection, statement: &Statement, rendered: &Rendered) -> Result<Described, Failure> {
    let kinds: Vec<Option<ParamType>> = rendered
        .slots
        .iter()
        .map(|slot| match slot.form {
            Form::Whole => statement.type_of(&slot.param),
            Form::Item(_) => statement.type_of(&slot.param).map(ParamType::item),
            Form::Like(_) => Some(ParamType::Text),
        })
        .collect();
    let described = match connection.describe(&rendered.sql, &[]).await {
        Ok(described) => described,
        Err(Failure::Refused(refusal)) if refusal.is_untyped() && !kinds.is_empty() => {
            let types: Vec<Oid> = kinds.iter().map(|kind| declared(*kind)).collect();
            return match connection.describe(&rendered.sql, &types).await {
                // The first refusal says more about the statement as it is written.
                Err(Failure::Refused(_)) => Err(Failure::Refused(refusal)),
                outcome => outcome,
            };
        }
        Err(failure) => return Err(failure),
    };
    // What nothing is known about becomes a text. A number that is declared as one is better.
    let is_open = |(at, oid): (usize, &Oid)| {
        let kind = kinds.get(at).copied().flatten();
        (*oid == shape::TEXT && kind.is_some_and(|kind| declared(Some(kind)) != shape::TEXT)).then_some((at, kind))
    };
    let open: Vec<_> = described.types.iter().enumerate().filter_map(is_open).collect();
    if open.is_empty() {
        return Ok(described);
    }
    let mut types = vec![0; described.types.len()];
    for (at, kind) in open {
        if let Some(slot) = types.get_mut(at) {
            *slot = declared(kind);
        }
    }
    match connection.describe(&rendered.sql, &types).await {
        Ok(better) => {
            connection.drop_described(&described)?;
            Ok(better)
        }
        // It is a text, after all: the column that it is compared with is one.
        Err(Failure::Refused(_)) => Ok(described),
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
