//! Floor 5. Which statements are so quick that a thread switch would cost more than they do. Serves
//! the choice between running one where it was asked for and on a thread that may wait.

use std::time::Duration;

/// A statement that needs less than this is quick.
const QUICK: Duration = Duration::from_micros(300);

/// How long a statement that is taken for quick may run where it was asked for. Then it is stopped,
/// and begins again on a thread that may wait: it only reads.
pub(super) const GLANCE: Duration = Duration::from_micros(600);

/// Runs in a row that must have been quick, at most.
const MOST: u32 = 4096;

/// How quick a statement was so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Quick runs in a row.
    seen: u32,
    /// Quick runs in a row that are asked for.
    asked: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { seen: 0, asked: 1 }
    }
}

impl Pace {
    /// Whether the next run will be quick, as far as one can tell.
    pub(super) const fn is_quick(self) -> bool {
        self.seen >= self.asked
    }

    /// Notes how long a run took on a thread that may wait.
    pub(super) fn note(&mut self, taken: Duration) {
        self.seen = if taken < QUICK { self.seen.saturating_add(1).min(MOST) } else { 0 };
    }

    /// Notes that a run was taken for quick and was not. It is trusted later each time.
    pub(super) const fn mistaken(&mut self) {
        self.seen = 0;
        self.asked = if self.asked >= MOST / 4 { MOST } else { self.asked * 4 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_trusted_after_it_was_quick_and_later_after_each_mistake() {
        let mut pace = Pace::default();
        assert!(!pace.is_quick());
        pace.note(QUICK);
        assert!(!pace.is_quick());
        pace.note(Duration::ZERO);
        assert!(pace.is_quick());
        for runs in [4, 16, 64, 256, 1024, 4096, 4096] {
            pace.mistaken();
            for _ in 1..runs {
                pace.note(Duration::ZERO);
            }
            assert!(!pace.is_quick(), "{runs}");
            pace.note(Duration::ZERO);
            assert!(pace.is_quick(), "{runs}");
        }
    }
}
