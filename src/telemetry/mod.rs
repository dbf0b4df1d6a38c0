//! Floor 4. What happened, as events with fixed fields; and the one place that starts tasks.

mod audit;
mod lines;

pub use audit::{AccountChanged, Audit, CallRecord, Called, Decision, KeyChanged, Ledger, Unwritten, Who};
pub use lines::Lines;

use std::{future::Future, time::Instant};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// One tool call has ended. Told when it is dropped, so that a call that was taken back is
/// told too. Names only: no argument, no result.
#[derive(Debug)]
pub struct ToolCallFinished<'a> {
    tool: &'a str,
    caller: &'a str,
    request: u64,
    started: Instant,
    outcome: &'static str,
}

impl<'a> ToolCallFinished<'a> {
    /// A call that began just now, and counts as cancelled until its outcome is known.
    #[must_use]
    pub const fn new(tool: &'a str, caller: &'a str, request: u64, started: Instant) -> Self {
        Self { tool, caller, request, started, outcome: "cancelled" }
    }

    /// How the call ended.
    pub const fn outcome(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for ToolCallFinished<'_> {
    fn drop(&mut self) {
        tracing::debug!(
            request = self.request,
            tool = self.tool,
            caller = self.caller,
            outcome = self.outcome,
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "tool call finished",
        );
    }
}

/// Tasks that must come to their end before the server does, such as a call that changes
/// something and whose client has gone. Clones stand for the same tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Starts a task that is waited for.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(task)
    }

    /// How many have not ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Waits until no task is left; for how long is the caller's affair.
    pub async fn ended(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

/// Starts a task that nobody waits for. Tasks are bounded by the requests that start them and by their deadlines.
#[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}
