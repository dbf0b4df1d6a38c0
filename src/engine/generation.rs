//! Floor 6. A plan with its connected sources: what a call runs against, as a whole.

use std::sync::Arc;

use super::{
    cache::{Cache, Caches},
    gate::Gates,
    places::Places,
    record,
};
use crate::{
    check,
    plan::{Plan, SourceId, Tool},
    secret::Vault,
    state::State,
    telemetry::Audit,
    upstream::{Readiness, Upstream, UpstreamError, Upstreams},
};

/// A plan with its connected sources. Never changed, only replaced.
#[derive(Debug)]
pub struct Generation {
    plan: Arc<Plan>,
    upstreams: Upstreams,
    places: Places,
    caches: Caches,
    gates: Gates,
    state: Option<Arc<State>>,
    audit: Option<Arc<Audit>>,
}

impl Generation {
    /// Connects a plan's sources and asks the databases for their columns. A database that is
    /// not there costs only the columns of its tools.
    ///
    /// # Errors
    /// When a client cannot be made at all.
    pub async fn build(plan: Plan, vault: &Vault) -> Result<Self, UpstreamError> {
        let upstreams = Upstreams::connect(&plan, vault)?;
        Self::assemble(plan, vault, upstreams).await
    }

    /// As [`Self::build`], to take the place of another: databases that are declared as they were keep
    /// their connections, and calls that run go on.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn follow(plan: Plan, vault: &Vault, before: &Self) -> Result<Self, UpstreamError> {
        let upstreams = Upstreams::connect_beside(&plan, vault, &before.upstreams)?;
        Self::assemble(plan, vault, upstreams).await
    }

    async fn assemble(mut plan: Plan, vault: &Vault, upstreams: Upstreams) -> Result<Self, UpstreamError> {
        let catalog = upstreams.catalog(&plan).await;
        check::apply_catalog(&mut plan, &catalog);
        let audit = record::open(&plan, vault).await?;
        let state = match &plan.server.state {
            Some(place) => Some(Arc::new(record::state(place, vault).await?)),
            None => None,
        };
        let gates = Gates::new(&plan, state.as_ref());
        Ok(Self { gates, state, audit, ..Self::over(Arc::new(plan), upstreams) })
    }

    /// A plan over sources that are connected already, or that only play. Nothing is asked of them, nothing is
    /// remembered and nothing recorded.
    #[must_use]
    pub fn over(plan: Arc<Plan>, upstreams: Upstreams) -> Self {
        let places = Places::new(&plan);
        let caches = Caches::new(&plan);
        let gates = Gates::new(&plan, None);
        Self { plan, upstreams, places, caches, gates, state: None, audit: None }
    }

    /// What the server remembers, where it is asked to.
    #[must_use]
    pub const fn state(&self) -> Option<&Arc<State>> {
        self.state.as_ref()
    }

    /// The record of who did what, where one is kept.
    #[must_use]
    pub fn audit(&self) -> Option<&Arc<Audit>> {
        self.audit.as_ref()
    }

    /// Records that this is served from now on.
    pub fn record(&self) {
        if let Some(audit) = &self.audit {
            record::served(&self.plan, audit);
        }
    }

    /// What is kept of the tool's results, where it has a cache.
    pub(super) fn cache(&self, tool: &Tool) -> Option<&Cache> {
        self.caches.of(tool)
    }

    /// The places of tools that have a cap.
    pub(super) const fn places(&self) -> &Places {
        &self.places
    }

    /// How often tools may be called.
    pub(super) const fn gates(&self) -> &Gates {
        &self.gates
    }

    /// What is served.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The connected source an id of the plan stands for.
    pub(super) fn upstream(&self, id: SourceId) -> Option<&Upstream> {
        self.upstreams.get(id)
    }

    /// Closes what is connected, when no call needs it any more.
    pub async fn close(&self) {
        self.upstreams.close().await;
        if let Some(audit) = &self.audit {
            audit.flush().await;
        }
    }

    /// Whether each source can be used.
    pub async fn readiness(&self) -> Vec<Readiness> {
        self.upstreams.readiness().await
    }
}
