//! Floor 5. In front of a server that is down: one caller at a time tries to reach it, the others
//! are told at once what that one found. Reference: `sql.md` §9.15.

use std::{future::Future, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::upstream::error::{FailureClass, UpstreamError};

/// How long nobody tries after a failure; doubled with each further one.
const COOLDOWN: Duration = Duration::from_millis(250);

/// The cooldown at most: a server that comes back is found within it.
const MAX_COOLDOWN: Duration = Duration::from_secs(4);

/// What stands between calls and a server that may be down.
#[derive(Debug, Default)]
pub(in crate::upstream::sql) struct Gate {
    down: Mutex<Option<Down>>,
    turn: tokio::sync::Mutex<()>,
}

/// The last attempt failed.
#[derive(Debug)]
struct Down {
    class: FailureClass,
    public: String,
    until: Instant,
    cooldown: Duration,
}

impl Gate {
    /// Makes a connection, unless the server was down a moment ago.
    ///
    /// # Errors
    ///
    /// What `connect` or the last attempt before it failed with.
    pub(in crate::upstream::sql) async fn pass<T>(
        &self,
        connect: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        if self.down.lock().is_none() {
            return self.attempt(connect).await;
        }
        if let Some(error) = self.cooling() {
            return Err(error);
        }
        let turn = self.turn.lock().await;
        // Whoever had the turn before has found something out.
        if let Some(error) = self.cooling() {
            return Err(error);
        }
        let outcome = self.attempt(connect).await;
        drop(turn);
        outcome
    }

    async fn attempt<T>(&self, connect: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
        let outcome = connect.await;
        let mut down = self.down.lock();
        match &outcome {
            Ok(_) => *down = None,
            Err(error) if error.class() == FailureClass::Unreachable => {
                let before = down.take().map(|down| down.cooldown * 2);
                let cooldown = before.unwrap_or(COOLDOWN).min(MAX_COOLDOWN);
                let until = Instant::now() + cooldown;
                *down = Some(Down { class: error.class(), public: error.public().to_owned(), until, cooldown });
            }
            Err(_) => {}
        }
        outcome
    }

    fn cooling(&self) -> Option<UpstreamError> {
        let down = self.down.lock();
        let down = down.as_ref().filter(|down| Instant::now() < down.until)?;
        Some(UpstreamError::new(down.class, down.public.clone()).caused_by("the attempt before this one failed"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn failure() -> UpstreamError {
        UpstreamError::new(FailureClass::Unreachable, "down")
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_tries_and_the_others_are_told() {
        let (gate, attempts) = (Gate::default(), AtomicUsize::new(0));
        let fails = || async {
            attempts.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            Err::<(), _>(failure())
        };
        assert!(gate.pass(fails()).await.is_err());
        assert!(gate.pass(fails()).await.is_err());
        assert_eq!(attempts.load(Ordering::Relaxed), 1, "the second call is told at once");
        tokio::time::advance(COOLDOWN).await;
        let (first, second) = tokio::join!(gate.pass(fails()), gate.pass(fails()));
        assert!(first.is_err() && second.is_err());
        assert_eq!(attempts.load(Ordering::Relaxed), 2, "only one of two tries");
        tokio::time::advance(COOLDOWN * 2).await;
        assert!(gate.pass(async { Ok(()) }).await.is_ok());
        assert!(gate.pass(async { Ok(()) }).await.is_ok(), "a success opens the gate");
    }

    #[tokio::test]
    async fn a_refusal_is_no_outage() {
        let gate = Gate::default();
        let busy = async { Err::<(), _>(UpstreamError::new(FailureClass::Busy, "full")) };
        assert!(gate.pass(busy).await.is_err());
        assert!(gate.pass(async { Ok(()) }).await.is_ok());
    }
}
