//! Floor 3. How requests are cared for: repeated where that is safe, sent at a pace, and not sent
//! to a source that fails again and again.

use std::time::Duration;

use super::{Rate, rest::StatusRange};
use crate::select::Path;

/// How a request is cared for. Most are sent once, and that is that.
#[derive(Debug, Default)]
pub struct Care {
    /// When it is sent again.
    pub retry: Option<Retry>,
    /// The header, in lower case, that makes all attempts of one call the same to the API.
    pub idempotency_key: Option<String>,
    /// How its pages are turned.
    pub paginate: Option<Box<Paginate>>,
}

impl Care {
    /// Whether the request is sent once and its answer taken as it is.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.retry.is_none() && self.idempotency_key.is_none() && self.paginate.is_none()
    }
}

/// How pages are turned.
#[derive(Debug)]
pub struct Paginate {
    /// Where the next page is.
    pub next: Next,
    /// The members that lead to the items; where nothing is said, the answer or its only list.
    pub items: Option<Vec<String>>,
    /// What must find `true` for there to be another page.
    pub more: Option<Path>,
    /// Pages of one call at most.
    pub max_pages: usize,
    /// Items of one call at most.
    pub max_items: usize,
    /// Who turns them.
    pub turning: Turning,
}

/// Where the next page is.
#[derive(Debug)]
pub enum Next {
    /// In the header `Link`.
    Link,
    /// At the address that is found in the answer.
    Address(Path),
    /// At the cursor that is found in the answer.
    Cursor {
        /// Where it is found.
        path: Path,
        /// The query parameter that takes it.
        param: String,
    },
    /// One further.
    Page {
        /// The query parameter that takes the number.
        param: String,
        /// The number of the first.
        start: u64,
    },
    /// As many items further as came.
    Offset {
        /// The query parameter that takes how many come before.
        param: String,
        /// The query parameter that says how many items a page has.
        size: Option<String>,
    },
}

/// Who turns the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turning {
    /// The server, as far as time and bounds reach.
    Server,
    /// The model, one page a call.
    Model,
}

/// When a request is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts there are altogether, 2 or more.
    pub attempts: u32,
    /// Whether there is another after a connection that failed or closed without an answer.
    pub connect: bool,
    /// The statuses that there is another after.
    pub statuses: Vec<StatusRange>,
    /// Whether the request may reach the API twice. Others are repeated only when no byte was sent.
    pub repeatable: bool,
}

/// How long the results of a tool are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caching {
    /// How long.
    pub keep: Duration,
    /// Who is given a kept result.
    pub sharing: Sharing,
}

/// Who is given the kept result of a call with the same arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody: nothing of the caller reaches a source or the result.
    All,
    /// Only the same caller.
    PerCaller {
        /// Headers of the caller, in lower case, that reach a source.
        headers: Vec<String>,
    },
}

/// What is asked of a source, and when it is asked nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Requests in any stretch of a time at most.
    pub rate: Option<Rate>,
    /// When it is left alone.
    pub breaker: Breaker,
}

/// When a source that fails is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row, 1 or more.
    pub failures: u32,
    /// How long it is left alone.
    pub pause: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, pause: Duration::from_secs(10) }
    }
}
