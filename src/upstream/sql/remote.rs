//! Floor 5. What engines behind a connection share: patience, the gate in front of a server that is
//! down, rows as JSON text, and the sentences about all that. Serves `postgres` and `mysql`.

mod gate;
mod rows;

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

pub(super) use self::{
    gate::Gate,
    rows::{Cells, Leads, Rows, wanted},
};
use crate::{
    plan::sql::ExpectedRows,
    upstream::error::{FailureClass, UpstreamError},
};

/// How much later than the server the caller gives up: a statement that the server stops by itself
/// keeps its connection.
const GRACE: Duration = Duration::from_millis(200);

/// For statements of this program outside a call.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the making of a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to say that a change is kept. The time of the call does not count
/// there: to give up would leave open whether it is.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a write is tried that collides with others.
pub(super) const MAX_ATTEMPTS: usize = 4;

/// The sentence about a write where none is permitted.
pub(super) const READ_ONLY: &str = "the source is read-only";

/// Until when the work may go on, and how long that was at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) deadline: Instant,
    pub(super) allowed: Duration,
}

impl Patience {
    pub(super) fn new(deadline: Instant, timeout: Duration) -> Self {
        let now = Instant::now();
        let allowed = deadline.saturating_duration_since(now).min(timeout);
        Self { deadline: now + allowed, allowed }
    }

    /// When work is given up that the server has not stopped by itself.
    pub(super) fn end(self) -> Instant {
        self.deadline + GRACE
    }

    pub(super) fn left(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The work, unless it takes too long. What it holds is dropped then.
    pub(super) async fn with<T>(
        self,
        work: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        match timeout_at(self.end(), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(timed_out(self.allowed)),
        }
    }
}

/// A database that is not there.
#[cold]
pub(super) fn unavailable(source: &str, what: &str) -> UpstreamError {
    UpstreamError::new(FailureClass::Unreachable, format!("source `{source}` is not available: {what}"))
}

/// A statement that took longer than it could.
#[cold]
pub(super) fn timed_out(allowed: Duration) -> UpstreamError {
    UpstreamError::new(FailureClass::Timeout, format!("the query took longer than {} and was stopped", spoken(allowed)))
}

/// No connection became free in time.
#[cold]
pub(super) fn all_in_use(source: &str, connections: usize) -> UpstreamError {
    let public = match connections {
        1 => format!("the connection of source `{source}` is in use"),
        _ => format!("all {connections} connections of source `{source}` are in use"),
    };
    UpstreamError::new(FailureClass::Busy, public)
}

/// A row that does not fit, even with its texts cut.
#[cold]
pub(super) fn too_wide(max_bytes: usize) -> UpstreamError {
    let public = format!("the row has too many columns for {max_bytes} bytes, even with its texts cut");
    UpstreamError::new(FailureClass::TooLarge, public)
}

/// Like [`too_wide`], of a write that is kept.
pub(super) fn too_wide_but_kept() -> UpstreamError {
    let public = "the change was made and is kept, but the row that it gives has too many columns to be shown";
    UpstreamError::new(FailureClass::TooLarge, public)
}

/// A write that affected another number of rows than it may. It is undone.
#[cold]
pub(super) fn unexpected(expected: ExpectedRows, affected: u64) -> UpstreamError {
    let rows = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    let expected = match expected {
        ExpectedRows::Exactly(count) => format!("exactly {}", rows(count)),
        ExpectedRows::AtMost(count) => format!("at most {}", rows(count)),
    };
    let public = format!("nothing was changed: {} would have been affected, and {expected} may be", rows(affected));
    let class = if affected == 0 { FailureClass::Missing } else { FailureClass::Refused };
    UpstreamError::new(class, public)
}

/// A change that nobody knows of whether it is kept.
#[cold]
pub(super) fn unsure(source: &str) -> UpstreamError {
    let public = format!(
        "the connection to source `{source}` was lost while the change was being kept: whether it was made is not \
         known. Look before you repeat it"
    );
    UpstreamError::new(FailureClass::Unreachable, public)
}

/// `250 ms`, `1.5 s`, `15 s`.
fn spoken(time: Duration) -> String {
    let tenths = (time + Duration::from_millis(50)).as_millis() / 100;
    match (tenths / 10, tenths % 10) {
        (0, _) => format!("{} ms", (time + Duration::from_micros(500)).as_millis()),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}
