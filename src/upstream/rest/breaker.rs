//! Floor 5. Leaves a source alone that fails call after call: whoever asks is told so at once,
//! until one call in the place of all has found it well again (rest.md §9.11).

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Counts failures in a row, and opens when there are too many of them.
#[derive(Debug)]
pub(super) struct Breaker {
    most: u32,
    pause: Duration,
    /// Failures in a row. Below `most` nothing else is looked at.
    failures: AtomicU32,
    open: Mutex<Open>,
}

/// What is known while the breaker is open.
#[derive(Debug)]
struct Open {
    until: Instant,
    /// Whether the one call that finds out is under way.
    probing: bool,
}

/// The leave to ask the source once. It is told how that went, or is dropped when nobody knows.
#[derive(Debug)]
pub(super) struct Ticket<'b> {
    breaker: &'b Breaker,
    probe: bool,
}

impl Breaker {
    pub(super) fn new(most: u32, pause: Duration) -> Self {
        let open = Mutex::new(Open { until: Instant::now(), probing: false });
        Self { most: most.max(1), pause, failures: AtomicU32::new(0), open }
    }

    /// How many failures in a row open it.
    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    /// Asks for leave.
    ///
    /// # Errors
    /// How long the source is left alone yet.
    pub(super) fn enter(&self) -> Result<Ticket<'_>, Duration> {
        self.enter_at(Instant::now)
    }

    /// As [`Self::enter`]. The clock is looked at only when the source has failed.
    fn enter_at(&self, now: impl FnOnce() -> Instant) -> Result<Ticket<'_>, Duration> {
        if self.failures.load(Ordering::Relaxed) < self.most {
            return Ok(Ticket { breaker: self, probe: false });
        }
        let mut open = self.open.lock();
        let now = now();
        if now < open.until {
            return Err(open.until - now);
        }
        if open.probing {
            // The call that finds out will end soon, one way or the other.
            return Err(Duration::from_secs(1));
        }
        open.probing = true;
        Ok(Ticket { breaker: self, probe: true })
    }
}

impl Ticket<'_> {
    /// The source answered.
    pub(super) fn fine(self) {
        if self.breaker.failures.load(Ordering::Relaxed) != 0 {
            self.breaker.failures.store(0, Ordering::Relaxed);
        }
    }

    /// The source did not answer, or said that it cannot.
    pub(super) fn failed(self) {
        self.failed_at(Instant::now);
    }

    fn failed_at(self, now: impl FnOnce() -> Instant) {
        let failures = self.breaker.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= self.breaker.most {
            // A count that grows on and on would begin again at 0.
            self.breaker.failures.store(self.breaker.most, Ordering::Relaxed);
            self.breaker.open.lock().until = now() + self.breaker.pause;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.open.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn failures_in_a_row_open_it_and_one_call_closes_it() {
        let start = Instant::now();
        let (now, later, last) = (|| start, || start + PAUSE, || start + PAUSE * 2);
        let breaker = Breaker::new(3, PAUSE);
        for _ in 0..2 {
            breaker.enter_at(now).unwrap().failed_at(now);
        }
        breaker.enter_at(now).unwrap().fine();
        for _ in 0..3 {
            breaker.enter_at(now).unwrap().failed_at(now);
        }
        assert_eq!(breaker.enter_at(now).unwrap_err(), PAUSE);
        let probe = breaker.enter_at(later).unwrap();
        assert!(breaker.enter_at(later).is_err(), "one call finds out");
        probe.failed_at(later);
        assert_eq!(breaker.enter_at(later).unwrap_err(), PAUSE);
        // A call that is taken back found nothing out.
        drop(breaker.enter_at(last).unwrap());
        breaker.enter_at(last).unwrap().fine();
        breaker.enter_at(last).unwrap().failed_at(last);
        assert!(breaker.enter_at(last).is_ok());
    }
}
