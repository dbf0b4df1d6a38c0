//! Floor 6. How often something may happen, counted per caller in memory that never grows.
//!
//! Each key has one number: the time at which its last permitted event would have been paid off
//! (the generic cell rate algorithm). Numbers stand in a table of fixed size; where a set of it is
//! full, the key that has been quiet the longest gives way, and begins anew when it comes back.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::plan::Rate;

/// Keys in each set of the table.
const WAYS: usize = 8;

/// Lets so many events of each key happen in a time, all of them at once if need be.
#[derive(Debug)]
pub struct Limiter {
    /// Between two events, in nanoseconds.
    every: u64,
    /// How far ahead of time the last event may be paid off.
    ahead: u64,
    start: Instant,
    hasher: RandomState,
    sets: Box<[Mutex<[Cell; WAYS]>]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    key: u64,
    /// Nanoseconds after `start`; 0 for a place that nobody has.
    paid_off: u64,
}

impl Limiter {
    /// A limiter that tells at least so many keys apart.
    #[must_use]
    pub fn new(rate: Rate, keys: usize) -> Self {
        let every = rate.per.as_nanos() / u128::from(rate.count.max(1));
        let every = u64::try_from(every).unwrap_or(u64::MAX).max(1);
        let ahead = every.saturating_mul(u64::from(rate.count.max(1)));
        let sets = (0..keys.div_ceil(WAYS).max(1)).map(|_| Mutex::default()).collect();
        Self { every, ahead, start: Instant::now(), hasher: RandomState::new(), sets }
    }

    /// Counts one event of a key.
    ///
    /// # Errors
    /// How long to wait, when the key has had its share.
    pub fn take<K: Hash + ?Sized>(&self, key: &K) -> Result<(), Duration> {
        self.take_at(key, 1, Instant::now())
    }

    /// Counts several events of a key at once. More than there may ever be at once count as that many.
    ///
    /// # Errors
    /// How long to wait, when the key has had its share; nothing is counted then.
    pub fn take_several<K: Hash + ?Sized>(&self, key: &K, events: u32) -> Result<(), Duration> {
        self.take_at(key, events, Instant::now())
    }

    /// Whether a key has had its share. Nothing is counted.
    ///
    /// # Errors
    /// How long to wait.
    pub fn look<K: Hash + ?Sized>(&self, key: &K) -> Result<(), Duration> {
        self.take_at(key, 0, Instant::now())
    }

    fn take_at<K: Hash + ?Sized>(&self, key: &K, events: u32, now: Instant) -> Result<(), Duration> {
        let now = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let key = self.hasher.hash_one(key);
        let at = usize::try_from(key % self.sets.len().max(1) as u64);
        let Some(set) = at.ok().and_then(|at| self.sets.get(at)) else { return Ok(()) };
        let mut set = set.lock();
        let known = set.iter().position(|cell| cell.key == key && cell.paid_off > 0);
        let quietest = || set.iter().enumerate().min_by_key(|(_, cell)| cell.paid_off).map(|(at, _)| at);
        let Some(at) = known.or_else(quietest) else { return Ok(()) };
        let Some(cell) = set.get_mut(at) else { return Ok(()) };
        let paid_off = if known.is_some() { cell.paid_off.max(now) } else { now };
        let cost = self.every.saturating_mul(u64::from(events)).min(self.ahead);
        let next = paid_off.saturating_add(cost);
        // To look is to ask for one event.
        let least = paid_off.saturating_add(cost.max(self.every));
        let latest = now.saturating_add(self.ahead);
        if least > latest {
            return Err(Duration::from_nanos(least - latest));
        }
        if events > 0 {
            *cell = Cell { key, paid_off: next.max(1) };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(count: u32, seconds: u64) -> Limiter {
        Limiter::new(Rate { count, per: Duration::from_secs(seconds) }, 8192)
    }

    #[test]
    fn a_key_has_its_share_at_once_and_then_as_time_goes_by() {
        let limiter = limiter(3, 60);
        let at = |seconds: u64| limiter.start + Duration::from_secs(seconds);
        let take = |key: &str, seconds| limiter.take_at(key, 1, at(seconds));
        assert_eq!([take("a", 0), take("a", 0), take("a", 0)], [Ok(()); 3]);
        assert_eq!(take("a", 0), Err(Duration::from_secs(20)));
        assert_eq!(take("b", 0), Ok(()), "another key has its own");
        assert_eq!(take("a", 19), Err(Duration::from_secs(1)));
        assert_eq!(take("a", 20), Ok(()));
        assert_eq!(take("a", 20), Err(Duration::from_secs(20)));
        assert_eq!([take("a", 500), take("a", 500), take("a", 500)], [Ok(()); 3]);
        assert!(take("a", 500).is_err(), "what was not used is not saved up");
    }

    #[test]
    fn several_count_as_several_and_looking_counts_nothing() {
        let limiter = limiter(10, 10);
        let now = limiter.start;
        assert_eq!(limiter.take_at("a", 9, now), Ok(()));
        for _ in 0..5 {
            assert_eq!(limiter.take_at("a", 0, now), Ok(()));
        }
        assert_eq!(limiter.take_at("a", 2, now), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take_at("a", 1, now), Ok(()));
        assert_eq!(limiter.take_at("a", 0, now), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take_at("b", 500, now), Ok(()), "a batch beyond the share takes all of it");
        assert!(limiter.take_at("b", 1, now).is_err());
    }

    #[test]
    fn a_flood_of_keys_takes_no_memory_and_those_that_are_busy_stay_counted() {
        let limiter = limiter(2, 60);
        let now = limiter.start + Duration::from_secs(1);
        assert_eq!((limiter.take_at("busy", 1, now), limiter.take_at("busy", 1, now)), (Ok(()), Ok(())));
        let sets = limiter.sets.len();
        for key in 0..10_000_u32 {
            let _ = limiter.take_at(&key, 1, now);
        }
        assert_eq!(limiter.sets.len(), sets);
        assert!(limiter.take_at("busy", 1, now).is_err(), "keys with less to pay off give way first");
    }
}
