//! Floor 8. The time that a client has for the head of a request, on one alarm a connection. hyper asks for a
//! new one with every request; to set the one there is anew only when it has rung costs a fraction of that.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use tokio::time;

use crate::alarm;

type Shared = Arc<Mutex<alarm::Alarm>>;

/// The alarm of one connection. It may ring early, and for nobody.
#[derive(Clone, Debug)]
pub(super) struct Alarm(Shared);

impl Alarm {
    /// An alarm that rings at first after `wait`.
    pub(super) fn new(wait: Duration) -> Self {
        Self(Arc::new(Mutex::new(alarm::Alarm::new(time::Instant::now() + wait))))
    }
}

impl Timer for Alarm {
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + wait)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { deadline: deadline.into(), alarm: Arc::clone(&self.0) })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

/// The wait for one head.
struct Wait {
    deadline: time::Instant,
    alarm: Shared,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.alarm.lock().poll(self.deadline, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_deadline() {
        let alarm = Alarm::new(Duration::from_secs(10));
        let since = time::Instant::now();
        for (pause, wait) in [(0, 10), (7, 10), (30, 10), (0, 3), (1, 4), (0, 0)] {
            time::sleep(Duration::from_secs(pause)).await;
            let begun = time::Instant::now();
            // A wait that nobody awaits any more leaves nothing behind.
            drop(alarm.sleep(Duration::from_secs(1)));
            alarm.sleep(Duration::from_secs(wait)).await;
            assert_eq!(begun.elapsed().as_secs(), wait);
        }
        assert_eq!(since.elapsed().as_secs(), 75);
    }
}
