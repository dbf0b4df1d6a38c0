//! Floor 5. The world out: connected sources.

mod error;
pub mod rest;
pub mod sql;
mod tape;
mod ties;

use std::{path::PathBuf, sync::Arc};

use crate::{
    catalog::{Catalog, Entry, Finding},
    check,
    plan::{Operation, Plan, Query, SourceId, SourceKind, Transaction, sql::Access},
    secret::Vault,
};

pub use error::{FailureClass, Relay, UpstreamError};
use rest::RestUpstream;
use sql::SqlUpstream;
pub use tape::{Asked, Tape};
use ties::Ties;

/// A connected source.
#[derive(Debug)]
pub enum Upstream {
    /// A REST base.
    Rest(Box<RestUpstream>),
    /// A database.
    Sql(Arc<SqlUpstream>),
}

/// Every source of a plan, in the order of the plan.
#[derive(Debug)]
pub struct Upstreams {
    all: Vec<Connected>,
}

#[derive(Debug)]
struct Connected {
    bridge: String,
    name: String,
    upstream: Upstream,
    /// What its connections depend on, where they are worth keeping.
    ties: Option<Ties>,
}

/// Whether a source can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The bridge that declares the source.
    pub bridge: String,
    /// The author's name for the source.
    pub source: String,
    /// What keeps it from being used, in words for an operator; `None` when nothing does.
    pub fault: Option<String>,
}

impl Upstreams {
    /// Makes clients and pools. Nothing is connected to yet: a source that is down never
    /// keeps the server from starting.
    ///
    /// # Errors
    /// When a client cannot be made at all, such as without any trusted certificates.
    pub fn connect(plan: &Plan, vault: &Vault) -> Result<Self, UpstreamError> {
        Self::connect_beside(plan, vault, &Self { all: Vec::new() })
    }

    /// As [`Self::connect`]; databases that are the same in `others` share their connections.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_beside(plan: &Plan, vault: &Vault, others: &Self) -> Result<Self, UpstreamError> {
        let mut all = Vec::with_capacity(plan.sources.len());
        for source in &plan.sources {
            let bridge = plan.bridges.get(source.bridge.0).map_or(String::new(), |bridge| bridge.name.clone());
            let (upstream, ties) = match &source.kind {
                SourceKind::Rest(rest) => {
                    (Upstream::Rest(Box::new(RestUpstream::new(&source.name, rest, vault)?)), None)
                }
                SourceKind::Sql(sql) => {
                    let ties = Ties::of((&bridge, &source.name), sql, vault);
                    let kept = ties.as_ref().and_then(|ties| others.held_by(ties));
                    let made = || Arc::new(SqlUpstream::new(&source.name, sql, vault));
                    (Upstream::Sql(kept.unwrap_or_else(made)), ties)
                }
            };
            all.push(Connected { bridge, name: source.name.clone(), upstream, ties });
        }
        Ok(Self { all })
    }

    fn held_by(&self, ties: &Ties) -> Option<Arc<SqlUpstream>> {
        let same = self.all.iter().find(|connected| connected.ties.as_ref().is_some_and(|other| other.hold(ties)))?;
        match &same.upstream {
            Upstream::Sql(sql) => Some(Arc::clone(sql)),
            Upstream::Rest(_) => None,
        }
    }

    /// As [`Self::connect`], with all that is asked and answered taken down.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn recording(plan: &Plan, vault: &Vault, tape: &Arc<Tape>) -> Result<Self, UpstreamError> {
        let mut all = Self::connect(plan, vault)?;
        for connected in &mut all.all {
            match &mut connected.upstream {
                Upstream::Rest(rest) => rest.record(tape),
                // Nobody else has it yet.
                Upstream::Sql(sql) => Arc::get_mut(sql).into_iter().for_each(|sql| sql.record(tape)),
            }
        }
        Ok(all)
    }

    /// Sources that are not there and answer from a tape. `own` gives the file of a database that
    /// makes itself and is asked in earnest.
    ///
    /// # Errors
    /// When the plan holds what `check` would have refused.
    pub fn playing(
        plan: &Plan,
        tape: &Arc<Tape>,
        own: &dyn Fn(SourceId) -> Option<PathBuf>,
    ) -> Result<Self, UpstreamError> {
        let mut all = Vec::with_capacity(plan.sources.len());
        for (id, source) in plan.sources() {
            let upstream = match &source.kind {
                SourceKind::Rest(rest) => Upstream::Rest(Box::new(RestUpstream::played(&source.name, rest, tape)?)),
                SourceKind::Sql(sql) => {
                    Upstream::Sql(Arc::new(SqlUpstream::played((&source.name, sql), own(id).as_deref(), tape)))
                }
            };
            all.push(Connected { bridge: String::new(), name: source.name.clone(), upstream, ties: None });
        }
        Ok(Self { all })
    }

    /// The source an id of the plan stands for.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Upstream> {
        self.all.get(id.index()).map(|connected| &connected.upstream)
    }

    /// Asks every database whether it answers. REST bases are not asked: a call to them may
    /// cost money or count against a quota.
    pub async fn readiness(&self) -> Vec<Readiness> {
        let asked = self.all.iter().map(async |Connected { bridge, name, upstream, .. }| {
            let fault = match upstream {
                Upstream::Sql(sql) => sql.ready().await.err().map(|error| error.public().to_owned()),
                Upstream::Rest(_) => None,
            };
            Readiness { bridge: bridge.clone(), source: name.clone(), fault }
        });
        futures_util::future::join_all(asked).await
    }

    /// Closes the connections that are not in use, so that databases can put their files in order. What
    /// others share goes on.
    pub async fn close(&self) {
        for connected in &self.all {
            if let Upstream::Sql(sql) = &connected.upstream
                && Arc::strong_count(sql) == 1
            {
                sql.close().await;
            }
        }
    }

    /// Asks the databases for the columns of every statement. What cannot be asked is left out.
    pub async fn catalog(&self, plan: &Plan) -> Catalog {
        let mut catalog = Catalog::default();
        for tool in &plan.tools {
            match &tool.operation {
                Operation::Sql(query) => self.describe(tool.name.clone(), query, &mut catalog).await,
                Operation::Transaction(transaction) => {
                    for (at, _, query) in transaction.named() {
                        self.describe(Transaction::key(&tool.name, at), query, &mut catalog).await;
                    }
                }
                Operation::Rest(_) | Operation::Steps(_) | Operation::Reply(_) => {}
            }
        }
        catalog
    }

    async fn describe(&self, key: String, query: &Query, catalog: &mut Catalog) {
        let Some(Upstream::Sql(sql)) = self.get(query.source) else { return };
        let variants = query.statement.variants(&|_| true);
        let Some(form) = variants.first() else { return };
        match sql.describe(&query.statement, form).await {
            Ok(columns) => catalog.insert(key, columns),
            Err(error) => tracing::warn!(tool = key, reason = error.public(), "columns are not known"),
        }
    }

    /// Asks the databases about every text that the statements of the tools can have. Nothing is run.
    pub async fn inspect(&self, plan: &Plan) -> Catalog {
        let mut catalog = Catalog::default();
        for (key, query) in plan.statements() {
            let Some(Upstream::Sql(sql)) = self.get(query.source) else { continue };
            catalog.enter(key, inspect(sql, query).await);
        }
        catalog
    }
}

async fn inspect(sql: &SqlUpstream, query: &Query) -> Entry {
    let mut entry = Entry { digest: check::digest(query), ..Entry::default() };
    for (at, form) in query.statement.variants(&|_| false).iter().enumerate() {
        let prepared = match sql.prepare(&query.statement, form).await {
            Ok(prepared) => prepared,
            Err(error) if error.class() == FailureClass::Unreachable => {
                entry.findings = vec![Finding::Unreachable { words: error.public().to_owned() }];
                return entry;
            }
            Err(error) => {
                let words = error.cause().unwrap_or(error.public()).to_owned();
                note(&mut entry, Finding::Refused { words });
                continue;
            }
        };
        if prepared.writes && query.access == Access::Read {
            note(&mut entry, Finding::Writes);
        }
        for scan in prepared.scans {
            note(&mut entry, Finding::Scans(scan));
        }
        for misfit in prepared.misfits {
            note(&mut entry, Finding::Misfit(misfit));
        }
        if at == 0 {
            entry.columns = prepared.columns;
        }
    }
    entry
}

fn note(entry: &mut Entry, finding: Finding) {
    if !entry.findings.contains(&finding) {
        entry.findings.push(finding);
    }
}
