//! Floor 5. Which statements are so quick that a thread switch would cost more than they do. Serves
//! the choice between running one where it was asked for and on a thread that may wait.

use std::time::Duration;

/// A statement that takes fewer steps of the engine's machine than this is quick: some 300
/// microseconds. Steps are counted and not time, because time is also taken by others.
const QUICK: u32 = 20_000;

/// How often the engine looks at the switch while a statement that is taken for quick runs where it
/// was asked for: every [`STEPS`](super::connection::STEPS). Then it is stopped, and begins again on a
/// thread that may wait: it only reads.
pub(super) const GLANCE: u32 = 40;

/// A statement that takes longer than this is not quick, whatever its steps are: it waits for a disk,
/// or works on large values.
pub(super) const LONG: Duration = Duration::from_millis(20);

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

    /// Notes how many steps and how long a run took on a thread that may wait.
    pub(super) fn note(&mut self, steps: u32, taken: Duration) {
        let quick = steps < QUICK && taken < LONG;
        self.seen = if quick { self.seen.saturating_add(1).min(MOST) } else { 0 };
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
        pace.note(QUICK, Duration::ZERO);
        assert!(!pace.is_quick());
        pace.note(1, LONG);
        assert!(!pace.is_quick());
        pace.note(1, Duration::ZERO);
        assert!(pace.is_quick());
        for runs in [4, 16, 64, 256, 1024, 4096, 4096] {
            pace.mistaken();
            for _ in 1..runs {
                pace.note(1, Duration::ZERO);
            }
            assert!(!pace.is_quick(), "{runs}");
            pace.note(1, Duration::ZERO);
            assert!(pace.is_quick(), "{runs}");
        }
    }
}
