//! Floor 6. How many calls of one tool may be under way at once.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{CallError, ErrorClass};
use crate::plan::{Plan, Tool};

/// The places of every tool that has a cap, by the name of the tool.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, Semaphore>);

impl Places {
    pub(super) fn new(plan: &Plan) -> Self {
        let capped = plan.tools.iter().filter_map(|tool| Some((tool.name.clone(), tool.concurrency?)));
        Self(capped.map(|(name, most)| (name, Semaphore::new(most))).collect())
    }

    /// Waits for a place, for half of the time that is left: a call that gets one must have the time to use it.
    ///
    /// # Errors
    /// [`ErrorClass::Limited`] when no place is free until then.
    pub(super) async fn enter(&self, tool: &Tool, deadline: Instant) -> Result<Option<SemaphorePermit<'_>>, CallError> {
        let Some((most, places)) = tool.concurrency.zip(self.0.get(&tool.name)) else { return Ok(None) };
        if let Ok(place) = places.try_acquire() {
            return Ok(Some(place));
        }
        let patience: Duration = deadline.saturating_duration_since(Instant::now()) / 2;
        if let Ok(Ok(place)) = timeout(patience, places.acquire()).await {
            return Ok(Some(place));
        }
        let calls = if most == 1 { "call" } else { "calls" };
        let message =
            format!("`{}` has {most} {calls} under way, which is the most it may have; try again later.", tool.name);
        Err(CallError::new(ErrorClass::Limited, message))
    }
}
