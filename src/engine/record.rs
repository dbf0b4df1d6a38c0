//! Floor 6. What is recorded of calls: where it is kept, and what a call that changes something
//! needs before it may begin (auth.md §4.11).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::json;

use crate::{
    plan::{AuditPlace, Plan, StatePlace},
    secret::Vault,
    state::{State, StateFault},
    telemetry::{Audit, Lines},
    upstream::{FailureClass, UpstreamError},
};

/// What a call counts on its way, for its record.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }

    /// Adds rows of a database.
    pub(super) fn rows(&self, count: usize) {
        let before = self.rows_so_far().unwrap_or(0);
        self.0.store(before.saturating_add(count as u64), Ordering::Relaxed);
    }

    /// The rows of a call that read or changed any.
    #[must_use]
    pub fn rows_so_far(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|rows| *rows != u64::MAX)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens the record of a plan.
///
/// # Errors
/// When it cannot be kept where the author wants it.
pub async fn open(plan: &Plan, vault: &Vault) -> Result<Option<Arc<Audit>>, UpstreamError> {
    let Some(declared) = &plan.server.audit else { return Ok(None) };
    let key = plan.server.signing_key.and_then(|key| vault.get(key));
    let unusable = |why: String| UpstreamError::new(FailureClass::Internal, format!("the audit cannot be kept: {why}"));
    let audit = match &declared.place {
        AuditPlace::File { path, most, keep } => {
            let lines = Lines::open(path, *most, *keep);
            let lines = lines.map_err(|error| unusable(format!("{}: {error}", path.display())))?;
            Audit::new(lines, declared.arguments, key)
        }
        AuditPlace::State => {
            let place = plan.server.state.as_ref().ok_or_else(|| unusable("there is no state".into()))?;
            // A connection of its own, so that entries wait for nobody.
            state(place, vault).await?.audit(declared.arguments, key)
        }
    };
    audit.map(Some).map_err(|error| unusable(error.to_string()))
}

/// Notes what a plan offers, as models are told of it.
pub(super) fn served(plan: &Plan, audit: &Audit) {
    let told = plan.tools.iter().map(|tool| {
        json!({
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "input": tool.input_schema,
            "output": tool.output_schema,
            "reads": tool.annotations.read_only,
        })
    });
    audit.served(&told.collect::<Vec<_>>());
}

/// Opens what the server remembers.
///
/// # Errors
/// When it cannot be used or should not be.
pub(super) async fn state(place: &StatePlace, vault: &Vault) -> Result<State, UpstreamError> {
    let unusable = |error: StateFault| UpstreamError::new(FailureClass::Internal, error.to_string());
    State::open(place, vault).await.map_err(unusable)
}
