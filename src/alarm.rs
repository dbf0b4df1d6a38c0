//! Floor 4. Alarms that outlive what waits for them. The timers of the runtime are a list behind a lock: to
//! set one anew only when it has rung costs a fraction of setting one for every wait. Serves calls and connections.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep_until},
};

/// An alarm for one wait after the other. It may ring early, and for nobody.
#[derive(Debug)]
pub struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// An alarm that is set to a time already.
    #[must_use]
    pub fn new(first: Instant) -> Self {
        Self(Box::pin(sleep_until(first)))
    }

    /// Waits for a time, which may be another one with every wait.
    pub fn poll(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        if self.0.deadline() > until {
            self.0.as_mut().reset(until);
        }
        loop {
            // Also when its task has used up all that it may do at a stretch: it may do so each time.
            ready!(pin!(coop::unconstrained(self.0.as_mut())).poll(context));
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(until);
        }
    }
}

/// Alarms that are kept for later calls, at most: one that still has to ring keeps room of the task that it
/// would wake.
const KEPT: usize = 256;

/// The alarms of a source that no call waits for.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<Vec<Alarm>>);

/// The time was over before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

impl Alarms {
    /// Does some work, and gives it up at a deadline. Work that never waits is done whatever the time is.
    pub const fn until<W>(&self, deadline: Instant, work: W) -> Until<'_, W> {
        Until { alarms: self, alarm: None, deadline, work }
    }

    fn take(&self, deadline: Instant) -> Alarm {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| Alarm::new(deadline))
    }

    fn give(&self, alarm: Alarm) {
        let mut kept = self.0.lock();
        if kept.len() < KEPT {
            kept.push(alarm);
        }
    }
}

/// Work with a deadline.
#[must_use]
pub struct Until<'a, W> {
    alarms: &'a Alarms,
    /// `None` until the work has to wait.
    alarm: Option<Alarm>,
    deadline: Instant,
    work: W,
}

impl<W: Future + Unpin> Future for Until<'_, W> {
    type Output = Result<W::Output, Late>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(done) = Pin::new(&mut this.work).poll(context) {
            return Poll::Ready(Ok(done));
        }
        let alarm = this.alarm.get_or_insert_with(|| this.alarms.take(this.deadline));
        alarm.poll(this.deadline, context).map(|()| Err(Late))
    }
}

impl<W> Drop for Until<'_, W> {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            self.alarms.give(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::time::{advance, sleep};

    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_at_its_own_deadline_whoever_had_the_alarm_before() {
        let alarms = Alarms::default();
        // The pause before it, how long it works and may work, and what comes of it after how long.
        for (pause, works, may, expected) in [
            (0, 1, 10, (Ok(()), 1)),
            (0, 20, 10, (Err(Late), 10)),
            (0, 2, 3, (Ok(()), 2)),
            (30, 9, 10, (Ok(()), 9)),
            (0, 9, 2, (Err(Late), 2)),
            (0, 0, 0, (Ok(()), 0)),
            (0, 1, 0, (Err(Late), 0)),
        ] {
            sleep(seconds(pause)).await;
            let begun = Instant::now();
            let done = alarms.until(begun + seconds(may), Box::pin(sleep(seconds(works)))).await;
            assert_eq!((done, begun.elapsed().as_secs()), expected, "{works} of {may}");
        }
        assert_eq!(alarms.0.lock().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_all_the_time_of_its_task_ends_at_its_deadline() {
        let alarms = Alarms::default();
        let mut steps = 0;
        let greedy = poll_fn(|context| {
            steps += 1;
            assert!(steps < 1000, "it goes on for ever");
            while let Poll::Ready(step) = coop::poll_proceed(context) {
                step.made_progress();
            }
            Poll::<()>::Pending
        });
        let (late, ()) = tokio::join!(alarms.until(Instant::now() + seconds(3), greedy), advance(seconds(3)));
        assert_eq!(late, Err(Late));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_at_once_have_an_alarm_each() {
        let alarms = Alarms::default();
        let begun = Instant::now();
        let calls = (1..=KEPT as u64 + 44).map(|may| {
            let alarms = &alarms;
            async move {
                let late = alarms.until(begun + seconds(may), Box::pin(sleep(seconds(1000)))).await;
                (late, begun.elapsed().as_secs()) == (Err(Late), may)
            }
        });
        assert!(futures_util::future::join_all(calls).await.into_iter().all(|is_right| is_right));
        assert_eq!(alarms.0.lock().len(), KEPT);
    }
}
