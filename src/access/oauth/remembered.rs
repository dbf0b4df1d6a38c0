//! Floor 7. Verdicts on credentials, for a short time, by digest: so that neither a signature nor
//! a question is repeated for every request, and so that one question answers all who wait for it.

use std::{
    collections::HashMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::super::Refused;
use crate::engine::Principal;

/// Verdicts at once at most.
const LARGEST: usize = 10_000;

type Verdict = Result<Arc<Principal>, Refused>;
type Slot = Arc<OnceCell<(Verdict, Instant)>>;

/// Verdicts that are still believed.
#[derive(Debug, Default)]
pub(in crate::access) struct Remembered(Mutex<HashMap<[u8; 32], Slot>>);

impl Remembered {
    /// The verdict on a digest, or the one that is found now and how long it is to be believed.
    pub(in crate::access) async fn or_find(
        &self,
        digest: [u8; 32],
        find: impl Future<Output = (Verdict, Duration)>,
    ) -> Verdict {
        let slot = self.slot(digest);
        let found = slot.get_or_init(|| async {
            let (verdict, time) = find.await;
            (verdict, Instant::now() + time)
        });
        let (verdict, until) = found.await;
        if *until <= Instant::now() {
            // Not to be believed again: whoever comes next asks anew.
            let mut all = self.0.lock();
            if all.get(&digest).is_some_and(|kept| Arc::ptr_eq(kept, &slot)) {
                all.remove(&digest);
            }
        }
        verdict.clone()
    }

    /// What was found about a digest counts no more.
    pub(in crate::access) fn forget(&self, digest: &[u8; 32]) {
        self.0.lock().remove(digest);
    }

    fn slot(&self, digest: [u8; 32]) -> Slot {
        let now = Instant::now();
        let is_over = |slot: &Slot| slot.get().is_some_and(|(_, until)| *until <= now);
        let mut all = self.0.lock();
        if let Some(kept) = all.get(&digest).filter(|kept| !is_over(kept)) {
            return Arc::clone(kept);
        }
        if all.len() >= LARGEST {
            all.retain(|_, slot| !is_over(slot));
        }
        if all.len() >= LARGEST {
            // Somebody floods us: what was known is found again.
            all.clear();
        }
        let slot = Slot::default();
        all.insert(digest, Arc::clone(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_question_answers_all_who_wait_and_is_asked_again_later() {
        let remembered = Remembered::default();
        let asked = AtomicUsize::new(0);
        let find = |time| {
            let asked = &asked;
            async move {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed);
                (Ok(Arc::new(Principal::anonymous())), time)
            }
        };
        let long = Duration::from_mins(1);
        let all = (0..10).map(|_| remembered.or_find([1; 32], find(long)));
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        for _ in 0..3 {
            remembered.or_find([2; 32], find(Duration::ZERO)).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 4, "what is not to be believed is asked about each time");
        assert_eq!(remembered.0.lock().len(), 1);
    }
}
