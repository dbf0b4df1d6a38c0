//! Floor 5. One session on a MySQL or MariaDB server, over a bare connection of the driver. What an
//! author wrote is only ever sent as a prepared statement, which holds one statement and no more;
//! texts of our own go out together, so that a transaction is begun with one round trip.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, MySqlConnection, Row as _, SqlSafeStr as _,
    Statement as _,
    mysql::{MySqlColumn, MySqlTypeInfo},
};
use tokio::time::timeout;

use super::{
    super::{
        pool::Pooled,
        remote::{CONNECT_TIMEOUT, Leads},
    },
    bind::{self, Bound},
    fault::Failure,
    leading,
    reading::Reading,
    shape::Shape,
    site::{Locks, Product, Session, Site},
};
use crate::plan::sql::Access;

/// Statements that a session keeps prepared at most.
pub(super) const MAX_PREPARED: usize = 256;

/// A session on the server.
#[derive(Debug)]
pub(super) struct Connection {
    inner: MySqlConnection,
    session: Session,
    site: Arc<Site>,
    /// What the next statement finds.
    state: State,
    known: HashMap<Arc<str>, Arc<Known>>,
}

/// What runs in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, and no transaction is open.
    Idle,
    /// A statement, or a transaction is open.
    Busy,
    /// A commit: to stop it would leave open whether it happened.
    Committing,
}

/// A statement that the server has parsed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `None` for a statement without rows, or of which nobody knows yet whether it has some.
    pub(super) columns: Option<Arc<Columns>>,
    /// Whether it has rows and begins as a read does: it affects none of them.
    pub(super) reads: bool,
    /// Columns that MariaDB keeps JSON in, by table and name.
    json: Vec<Origin>,
}

/// A table with its database, and a column of it.
type Origin = (Arc<str>, Arc<str>);

/// The columns of a statement, made ready once for all its rows.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) leads: Leads,
    pub(super) fields: Vec<Field>,
}

/// A column as the server describes it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) told: MySqlTypeInfo,
    /// All that is told about its type, to see when it changes.
    all: Vec<u8>,
    pub(super) shape: Shape,
}

impl Columns {
    pub(super) fn new(columns: &[MySqlColumn], json: &[Origin]) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| {
                let told = column.type_info().clone();
                let shape = match origin(column) {
                    Some(origin) if json.contains(&origin) => Shape::Json,
                    Some(_) | None => Shape::of(&told),
                };
                let all = serde_json::to_vec(&told).unwrap_or_default();
                Field { name: column.name().to_owned(), told, all, shape }
            })
            .collect();
        Self { leads: Leads::new(fields.iter().map(|field| field.name.as_str())), fields }
    }

    /// Whether these are the columns that rows have now. They can be others than when the statement was
    /// prepared: what a placeholder is shows with its value, and tables are changed.
    pub(super) fn fit(&self, columns: &[MySqlColumn]) -> bool {
        let mut all = Vec::with_capacity(96);
        let mut is_same = |field: &Field, column: &MySqlColumn| {
            all.clear();
            serde_json::to_writer(&mut all, column.type_info()).is_ok()
                && field.all == all
                && field.name == column.name()
        };
        self.fields.len() == columns.len()
            && self.fields.iter().zip(columns).all(|(field, column)| is_same(field, column))
    }
}

impl Known {
    /// The columns as a row has them.
    pub(super) fn columns_of(&self, columns: &[MySqlColumn]) -> Arc<Columns> {
        match &self.columns {
            Some(known) if known.fit(columns) => Arc::clone(known),
            Some(_) | None => Arc::new(Columns::new(columns, &self.json)),
        }
    }
}

fn origin(column: &MySqlColumn) -> Option<Origin> {
    let origin = column.origin();
    origin.table_column().map(|origin| (Arc::clone(&origin.table), Arc::clone(&origin.name)))
}

impl Connection {
    pub(super) fn new((inner, session): (MySqlConnection, Session), site: Arc<Site>) -> Self {
        Self { inner, session, site, state: State::Idle, known: HashMap::new() }
    }

    /// What names the session when a statement of it is to be stopped.
    pub(super) const fn id(&self) -> u64 {
        self.session.id
    }

    /// Whether the connection can be given back.
    pub(super) fn is_clean(&self) -> bool {
        self.state == State::Idle
    }

    /// Begins a transaction that reads and gives `rows` rows at most, or one that writes.
    pub(super) async fn begin(&mut self, access: Access, allowed: Duration, rows: u64) -> Result<(), Failure> {
        self.state = State::Busy;
        let settings = self.session.settings(allowed);
        let text = match access {
            // MariaDB lets what defines tables through a transaction that only reads, and not through a session
            // that does; and a function can change the session.
            Access::Read => format!(
                "{settings},sql_select_limit={rows};SET SESSION TRANSACTION READ ONLY;START TRANSACTION READ ONLY"
            ),
            Access::Write => {
                format!("{settings};SET SESSION TRANSACTION READ WRITE;START TRANSACTION READ WRITE")
            }
        };
        self.inner.execute(sqlx::raw_sql(AssertSqlSafe(text))).await?;
        Ok(())
    }

    /// Sets variables of the session, which each call of the source sets anew. They are bound as values.
    pub(super) async fn set(&mut self, variables: &[(String, String)]) -> Result<(), Failure> {
        if variables.is_empty() {
            return Ok(());
        }
        let parts = variables.iter().map(|(name, _)| format!("@`{}`=?", name.replace('`', "``")));
        let text = format!("SET {}", parts.collect::<Vec<_>>().join(","));
        let values: Vec<Bound> = variables.iter().map(|(_, value)| Bound::Text(value.clone())).collect();
        self.inner.execute(sqlx::query_with(AssertSqlSafe(text), bind::arguments(&values)?)).await?;
        Ok(())
    }

    /// The statement as the server knows it, prepared now if it does not.
    pub(super) async fn prepare(&mut self, sql: &Arc<str>) -> Result<Arc<Known>, Failure> {
        if let Some(known) = self.known.get(sql) {
            return Ok(Arc::clone(known));
        }
        let statement = self.inner.prepare(AssertSqlSafe(Arc::clone(sql)).into_sql_str()).await?;
        let columns = statement.columns();
        let json = match self.session.product {
            Product::Mariadb => self.json_of(columns).await?,
            Product::Mysql => Vec::new(),
        };
        let columns = (!columns.is_empty()).then(|| Arc::new(Columns::new(columns, &json)));
        let known = Arc::new(Known { reads: columns.is_some() && leading::is_read(sql), columns, json });
        if self.known.len() >= MAX_PREPARED {
            self.known.clear();
        }
        self.known.insert(Arc::clone(sql), Arc::clone(&known));
        Ok(known)
    }

    /// Those of the columns that MariaDB keeps JSON in. Its type `JSON` is a `LONGTEXT` with a check.
    async fn json_of(&mut self, columns: &[MySqlColumn]) -> Result<Vec<Origin>, Failure> {
        let mut json = Vec::new();
        for column in columns.iter().filter(|column| Shape::may_be_json(column.type_info())) {
            let Some((table, name)) = origin(column) else { continue };
            let Some((schema, of)) = table.split_once('.') else { continue };
            let asked = "SELECT COUNT(*) FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? \
                         AND TABLE_NAME = ? AND CONSTRAINT_NAME = ? AND LEVEL = 'Column' AND CHECK_CLAUSE = ?";
            let clause = format!("json_valid(`{}`)", name.replace('`', "``"));
            let query = sqlx::query(asked).bind(schema).bind(of).bind(name.as_ref()).bind(clause);
            let found: i64 = self.inner.fetch_one(query).await?.try_get(0)?;
            if found > 0 {
                json.push((table, name));
            }
        }
        Ok(json)
    }

    /// Runs a statement and hands its rows on. Where more comes than is wanted, the server is told.
    pub(super) async fn fetch(
        &mut self,
        sql: &Arc<str>,
        values: &[Bound],
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), bind::arguments(values)?);
        let mut results = self.inner.fetch_many(query);
        let mut is_stopped = false;
        loop {
            match results.try_next().await {
                Ok(Some(Either::Right(row))) => reading.row(&row),
                Ok(Some(Either::Left(done))) => reading.end(&done),
                Ok(None) => return Ok(()),
                Err(error) => match Failure::from(error) {
                    // What was stopped because nobody wanted more of it has failed nobody.
                    Failure::Refused(refusal) if is_stopped && refusal.is_interruption() => return Ok(()),
                    failure => return Err(failure),
                },
            }
            if reading.is_flooded() && !is_stopped {
                is_stopped = true;
                self.site.stop(self.session.id).await;
            }
        }
    }

    /// Rows of a statement about a statement, all columns as text.
    pub(super) async fn ask(&mut self, sql: String, values: &[Bound]) -> Result<Vec<sqlx::mysql::MySqlRow>, Failure> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bind::arguments(values)?).persistent(false);
        Ok(self.inner.fetch_all(query).await?)
    }

    /// Whether the server answers.
    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        Ok(self.inner.ping().await?)
    }

    /// Keeps what was written. From here on nothing stops it.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.state = State::Committing;
        self.inner.execute(sqlx::raw_sql("COMMIT")).await?;
        self.state = State::Busy;
        Ok(())
    }

    /// Ends what is open, and gives back locks that a function took for the session.
    pub(super) async fn undo(&mut self) -> Result<(), Failure> {
        for attempt in 0.. {
            let text = match self.session.locks {
                Locks::Released => "ROLLBACK;DO RELEASE_ALL_LOCKS()",
                Locks::Kept => "ROLLBACK",
            };
            match self.inner.execute(sqlx::raw_sql(text)).await.map_err(Failure::from) {
                Ok(_) => break,
                // Being told to stop may come late, and then hits what runs next.
                Err(Failure::Refused(refusal)) if attempt == 0 && refusal.is_interruption() => {}
                Err(failure) => return Err(failure),
            }
        }
        self.state = State::Idle;
        Ok(())
    }
}

impl Pooled for Connection {
    /// Stopping takes a connection of its own, so it is a part of retiring.
    fn interrupt(&self) {}

    async fn retire(self) -> Option<Self> {
        match self.state {
            State::Idle => {
                let _ = timeout(CONNECT_TIMEOUT, self.inner.close()).await;
            }
            State::Busy => self.site.stop(self.session.id).await,
            State::Committing => {}
        }
        None
    }
}
