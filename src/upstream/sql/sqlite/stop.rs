//! Floor 5. Decides how long a statement may run. Shared by a call, which gives up, and the engine,
//! which looks at it every few microseconds of work.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;

/// The switch of one connection. Clones stand for the same switch.
#[derive(Clone, Debug)]
pub(super) struct StopSwitch(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Counts the turns, so that a call that is late cannot stop the next one on its connection.
    turn: u64,
    until: Until,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    At(Instant),
    /// For so many more looks at the switch.
    Looks(u32),
    Stopped,
    End,
}

/// One use of a connection, which can be stopped. Dropping it stops what still runs.
#[derive(Debug)]
pub(super) struct Turn {
    switch: StopSwitch,
    number: u64,
}

/// What became of a wish to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    /// What runs ends soon.
    Soon,
    /// It is past the point where it could be stopped, or has ended.
    TooLate,
}

impl StopSwitch {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { turn: 0, until: Until::End })))
    }

    /// Begins a turn in which statements may run until then.
    pub(super) fn begin(&self, until: Instant) -> Turn {
        self.turn(Until::At(until))
    }

    /// Begins a turn in which statements may run until the engine has looked at the switch so many
    /// times: work, and not time, which others take away.
    pub(super) fn glance(&self, looks: u32) -> Turn {
        self.turn(Until::Looks(looks))
    }

    fn turn(&self, until: Until) -> Turn {
        let mut state = self.0.lock();
        state.turn += 1;
        state.until = until;
        Turn { switch: self.clone(), number: state.turn }
    }

    /// Lets what follows in this turn run to its end. False when it was stopped before.
    pub(super) fn keep(&self) -> bool {
        let mut state = self.0.lock();
        let is_due = state.is_due();
        if !is_due {
            state.until = Until::End;
        }
        !is_due
    }

    /// Lets what cleans up run to its end, whatever was before. Ends the turn.
    pub(super) fn end(&self) {
        let mut state = self.0.lock();
        state.turn += 1;
        state.until = Until::End;
    }

    /// One look: whether what runs must stop.
    pub(super) fn is_due(&self) -> bool {
        self.0.lock().is_due()
    }
}

impl State {
    fn is_due(&mut self) -> bool {
        match &mut self.until {
            Until::At(due) => Instant::now() >= *due,
            Until::Looks(0) | Until::Stopped => true,
            Until::Looks(left) => {
                *left -= 1;
                false
            }
            Until::End => false,
        }
    }
}

impl Turn {
    /// Stops what runs in this turn.
    pub(super) fn stop(&self) -> Stopping {
        let mut state = self.switch.0.lock();
        match state.until {
            Until::At(_) | Until::Looks(_) | Until::Stopped if state.turn == self.number => {
                state.until = Until::Stopped;
                Stopping::Soon
            }
            Until::At(_) | Until::Looks(_) | Until::Stopped | Until::End => Stopping::TooLate,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_hours(1)
    }

    #[test]
    fn a_turn_that_is_dropped_stops_its_statement_and_no_later_one() {
        let switch = StopSwitch::new();
        let first = switch.begin(later());
        assert!(!switch.is_due());
        let second = switch.begin(later());
        drop(first);
        assert!(!switch.is_due());
        assert_eq!(second.stop(), Stopping::Soon);
        assert!(switch.is_due());
        assert!(!switch.keep());
        switch.end();
        assert!(!switch.is_due());
        assert_eq!(second.stop(), Stopping::TooLate);
    }

    #[test]
    fn what_is_kept_is_not_stopped() {
        let switch = StopSwitch::new();
        let turn = switch.begin(later());
        assert!(switch.keep());
        assert_eq!(turn.stop(), Stopping::TooLate);
        assert!(!switch.is_due());
    }

    #[test]
    fn a_glance_ends_after_its_looks() {
        let switch = StopSwitch::new();
        let _turn = switch.glance(2);
        assert_eq!([switch.is_due(), switch.is_due(), switch.is_due(), switch.is_due()], [false, false, true, true]);
    }

    #[test]
    fn a_turn_ends_by_itself_when_its_time_is_up() {
        let switch = StopSwitch::new();
        let _turn = switch.begin(Instant::now());
        assert!(switch.is_due() && !switch.keep());
    }
}
