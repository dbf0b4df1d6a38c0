//! Floor 6. What stands before every call of a tool: whether this caller may call it once more.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Admitted, Call, CallError, ErrorClass, Generation, Outcome, Share, call};
use crate::{
    plan::{Plan, Rate},
    state::State,
};

/// Callers of one tool that are told apart.
const CALLERS: usize = 1024;

/// The limits of the tools that have one.
#[derive(Debug, Default)]
pub(super) struct Gates(HashMap<String, (Rate, Share)>);

impl Gates {
    pub(super) fn new(plan: &Plan, state: Option<&Arc<State>>) -> Self {
        let limited = plan.tools.iter().filter_map(|tool| Some((tool.name.clone(), tool.admission.rate?)));
        let share = |name: &str, rate| Share::new(format!("tool {name}"), rate, CALLERS, state);
        Self(limited.map(|(name, rate)| (name.clone(), (rate, share(&name, rate)))).collect())
    }

    /// Lets a call pass, and counts it.
    async fn pass(&self, call: &Call<'_>) -> Result<(), CallError> {
        // Whoever lists tools shows the caller's own; this holds for whoever forgets to.
        if call.principal.admitted(&call.tool.admission) != Admitted::Yes {
            return Err(CallError::new(ErrorClass::Denied, "This caller may not call this tool."));
        }
        // One that asks the person counts when they have agreed; they are not asked for what would
        // be refused then.
        self.limited(call, u32::from(call.tool.confirm.is_none())).await
    }

    /// Counts a call that the person has agreed to.
    pub(super) async fn count(&self, call: &Call<'_>) -> Result<(), CallError> {
        self.limited(call, 1).await
    }

    async fn limited(&self, call: &Call<'_>, events: u32) -> Result<(), CallError> {
        let Some((rate, share)) = self.0.get(&call.tool.name).filter(|_| call.tool.admission.rate.is_some()) else {
            return Ok(());
        };
        share.take(&call.principal.key(), events).await.map_err(|wait| {
            let (count, per) = (rate.count, in_words(rate.per));
            let told = format!(
                "This tool may be called {count} times {per}, and it has been. Try again in {} s.",
                seconds(wait)
            );
            CallError::new(ErrorClass::Limited, told)
        })
    }
}

/// Runs one call, if the caller may make it now. That it may not is a result like others, because
/// a model can wait and some clients do not survive a status that says so (protocol.md §2.12).
pub async fn admit(generation: &Generation, call: &Call<'_>) -> Outcome {
    if let Err(error) = generation.gates().pass(call).await {
        return error.into();
    }
    call::call(generation, call).await
}

/// Whole seconds, at least one, after which waiting is over.
#[must_use]
pub fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn in_words(per: Duration) -> &'static str {
    match per.as_secs() {
        0 | 1 => "a second",
        2..=60 => "a minute",
        _ => "an hour",
    }
}
