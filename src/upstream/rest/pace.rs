//! Floor 5. Keeps to the number of requests that a source permits in a time: never more than that
//! many in any stretch of it, however a server counts.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::plan::Rate;

/// When the last requests were sent, or will be.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    sent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, sent: Mutex::new(VecDeque::new()) }
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes the next place, which must come before `latest`, and says when it is.
    ///
    /// # Errors
    /// How long it is until a place is free.
    pub(super) fn place(&self, now: Instant, latest: Instant) -> Result<Instant, Duration> {
        let mut sent = self.sent.lock();
        while sent.front().is_some_and(|first| *first + self.rate.per <= now) {
            sent.pop_front();
        }
        let free = match sent.len().checked_sub(self.rate.count as usize).and_then(|at| sent.get(at)) {
            Some(before) => *before + self.rate.per,
            None => now,
        };
        if free >= latest {
            return Err(free - now);
        }
        sent.push_back(free);
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_has_more_than_its_number() {
        let pace = Pace::new(Rate { count: 2, per: Duration::from_secs(10) });
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut places = Vec::new();
        for now in [0, 0, 1, 1, 2] {
            places.push(pace.place(after(now), after(100)).unwrap() - start);
        }
        assert_eq!(places.iter().map(Duration::as_secs).collect::<Vec<_>>(), [0, 0, 10, 10, 20]);
        assert_eq!(pace.place(after(3), after(20)), Err(Duration::from_secs(17)));
        // Who was refused has taken no place.
        assert_eq!(pace.place(after(3), after(21)), Ok(after(20)));
        assert_eq!(pace.place(after(90), after(100)), Ok(after(90)));
    }
}
