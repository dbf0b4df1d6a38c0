//! Floor 5. What tables a database has: its catalog, asked with reads of our own that run as those of a
//! tool do. No row of a table is read. Serves `import sql`. Each engine is asked in its own words for the
//! same six lists, so that one place puts them together.

mod asked;
mod mysql;
mod postgres;
mod sqlite;

use std::{collections::BTreeMap, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use self::asked::{CheckRow, ColumnRow, KeyRow, Place, ReferenceRow, TableRow};
use super::{Engine, Limits, Repeat, Run, SqlUpstream};
use crate::{
    catalog::{Check, Key, Reference, Table, TableColumn, Tables},
    plan::sql::{Access, Dialect, ParamType, Piece, Returns, Statement},
    upstream::error::{FailureClass, UpstreamError},
};

/// How long a catalog may take to answer one question.
const PATIENCE: Duration = Duration::from_mins(1);
/// Entries of a list at most.
const MAX_ROWS: usize = 200_000;
/// Bytes of a list at most.
const MAX_BYTES: usize = 64 << 20;

/// What an engine is asked, each about what is bound as a name: a schema, or a table of its own.
struct Questions {
    dialect: Dialect,
    /// One row: the name of the database, and the schema that needs no name.
    place: &'static str,
    tables: &'static str,
    columns: &'static str,
    /// The columns of one table, where not all tell theirs together.
    alone: Option<&'static str>,
    keys: &'static str,
    references: &'static str,
    checks: &'static str,
}

/// What stands for the name in a question.
const NAME: &str = ":name";
/// Why a table without columns is of no use.
const UNTOLD: &str =
    "the database does not tell its columns: it may name what is not there, or what the user may not use";

impl SqlUpstream {
    /// The family of the database; `None` where stubs of a test answer.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        match &self.engine {
            Engine::Sqlite(_) => Some(Dialect::Sqlite),
            Engine::Postgres(_) => Some(Dialect::Postgres),
            Engine::Mysql(_) => Some(Dialect::Mysql),
            Engine::Played(_) => None,
        }
    }

    /// The tables of the schemas; without any, those that are found by their name alone.
    ///
    /// # Errors
    ///
    /// When the database is not available, refuses its catalog, or has more than anybody could choose from.
    pub async fn tables(&self, schemas: &[String]) -> Result<Tables, UpstreamError> {
        let questions = match &self.engine {
            Engine::Sqlite(_) => &sqlite::QUESTIONS,
            Engine::Postgres(_) => &postgres::QUESTIONS,
            Engine::Mysql(_) => &mysql::MYSQL,
            Engine::Played(_) => return Err(super::Played::absent()),
        };
        let places: Vec<Place> = self.list(questions, questions.place, "").await?;
        let place = places.into_iter().next().unwrap_or_default();
        let questions = if place.is_mariadb { &mysql::MARIADB } else { questions };
        let home = place.home.unwrap_or_default();
        let schemas = if schemas.is_empty() { std::slice::from_ref(&home) } else { schemas };
        let mut tables = Vec::new();
        for schema in schemas {
            tables.extend(self.tables_of(questions, schema).await?);
        }
        Ok(Tables { database: place.database.unwrap_or_default(), home, tables })
    }

    async fn tables_of(&self, questions: &Questions, schema: &str) -> Result<Vec<Table>, UpstreamError> {
        let rows: Vec<TableRow> = self.list(questions, questions.tables, schema).await?;
        let mut found = Found::default();
        for row in rows {
            found.tables.insert(row.table_name.clone(), row.table(schema));
        }
        let columns: Vec<ColumnRow> = self.list(questions, questions.columns, schema).await?;
        for row in columns {
            found.column(row);
        }
        if let Some(alone) = questions.alone {
            for name in found.silent() {
                match self.list::<ColumnRow>(questions, alone, &name).await {
                    Ok(columns) => columns.into_iter().for_each(|row| found.column(row)),
                    Err(error) if error.class() == FailureClass::Unreachable => return Err(error),
                    Err(_) => {}
                }
            }
        }
        let keys: Vec<KeyRow> = self.list(questions, questions.keys, schema).await?;
        for row in keys {
            found.key(row);
        }
        let references: Vec<ReferenceRow> = self.list(questions, questions.references, schema).await?;
        for row in references {
            found.reference(row, schema);
        }
        let checks: Vec<CheckRow> = self.list(questions, questions.checks, schema).await?;
        for row in checks {
            found.check(row);
        }
        Ok(found.whole())
    }

    /// The rows of one question.
    async fn list<T: DeserializeOwned>(
        &self,
        questions: &Questions,
        text: &str,
        name: &str,
    ) -> Result<Vec<T>, UpstreamError> {
        let mut pieces = Vec::new();
        for (at, part) in text.split(NAME).enumerate() {
            if at > 0 {
                pieces.push(Piece::Bind("name".into()));
            }
            pieces.push(Piece::Text(part.to_owned()));
        }
        let types = BTreeMap::from([("name".to_owned(), ParamType::Text)]);
        let statement = Statement::new(questions.dialect, pieces).typed(types);
        let arguments = Map::from_iter([("name".to_owned(), json!(name))]);
        let answer = self
            .run(Run {
                statement: &statement,
                access: Access::Read,
                arguments: &arguments,
                returns: Returns::Rows,
                expect_rows: None,
                repeat: Repeat::Never,
                session: &[],
                limits: Limits { max_rows: MAX_ROWS, max_bytes: MAX_BYTES },
                deadline: Instant::now() + PATIENCE,
            })
            .await?;
        if answer.cut.is_some() {
            let public = "the database has more tables than anybody could choose from: name a schema";
            return Err(UpstreamError::new(FailureClass::TooLarge, public));
        }
        serde_json::from_slice(&answer.rows).map_err(|error| {
            let public = "the catalog of the database is not of the form that is known";
            UpstreamError::new(FailureClass::Internal, public).caused_by(error)
        })
    }
}

/// The tables of a schema, as they come together.
#[derive(Default)]
struct Found {
    tables: BTreeMap<String, Table>,
    /// Which key of which table was added to last.
    key: (String, String),
    reference: (String, String),
}

impl Found {
    /// The tables that could be of use and have not told their columns.
    fn silent(&self) -> Vec<String> {
        let silent = |table: &&Table| table.columns.is_empty() && table.obstacle.is_none();
        self.tables.values().filter(silent).map(|table| table.name.clone()).collect()
    }

    fn column(&mut self, row: ColumnRow) {
        let Some(table) = self.tables.get_mut(&row.table_name) else { return };
        table.columns.push(TableColumn {
            base: row.base.unwrap_or_default(),
            declared: row.declared.unwrap_or_default(),
            not_null: row.not_null,
            comment: row.comment.filter(|comment| !comment.trim().is_empty()),
            labels: row.labels.unwrap_or_default(),
            readable: row.readable,
            name: row.column_name,
        });
    }

    /// The columns of a key come one after the other.
    fn key(&mut self, row: KeyRow) {
        let Some(table) = self.tables.get_mut(&row.table_name) else { return };
        let this = (row.table_name, row.key_name);
        match table.keys.last_mut() {
            Some(key) if self.key == this => key.columns.push(row.column_name),
            _ => table.keys.push(Key { primary: row.is_primary, columns: vec![row.column_name] }),
        }
        self.key = this;
    }

    fn reference(&mut self, row: ReferenceRow, schema: &str) {
        let Some(table) = self.tables.get_mut(&row.table_name) else { return };
        let this = (row.table_name, row.reference_name);
        // Nothing said means the key of the other table, which is looked up when all is there.
        let pair = (row.column_name, row.to_column.unwrap_or_default());
        match table.references.last_mut() {
            Some(reference) if self.reference == this => reference.columns.push(pair),
            _ => table.references.push(Reference {
                schema: row.to_schema.unwrap_or_else(|| schema.to_owned()),
                table: row.to_table,
                columns: vec![pair],
            }),
        }
        self.reference = this;
    }

    fn check(&mut self, row: CheckRow) {
        if let Some(table) = self.tables.get_mut(&row.table_name) {
            table.checks.push(Check { column: row.column_name, clause: row.clause });
        }
    }

    fn whole(mut self) -> Vec<Table> {
        let keys: BTreeMap<String, Vec<String>> = self
            .tables
            .iter()
            .filter_map(|(name, table)| Some((name.to_lowercase(), table.keys.first()?.columns.clone())))
            .collect();
        for table in self.tables.values_mut() {
            if table.columns.is_empty() {
                table.obstacle.get_or_insert_with(|| UNTOLD.to_owned());
            }
            table.keys.sort_by_key(|key| !key.primary);
            for reference in &mut table.references {
                let key = keys.get(&reference.table.to_lowercase());
                for (at, (_, there)) in reference.columns.iter_mut().enumerate().filter(|(_, (_, it))| it.is_empty()) {
                    *there = key.and_then(|key| key.get(at)).cloned().unwrap_or_default();
                }
                reference.columns.retain(|(_, there)| !there.is_empty());
            }
            table.references.retain(|reference| !reference.columns.is_empty());
        }
        self.tables.into_values().collect()
    }
}

/// Engines without booleans say 0 and 1.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64().is_some_and(|number| number != 0))
}
