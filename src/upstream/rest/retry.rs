//! Floor 5. Sends a request again where that is safe: after failures and statuses that the author
//! names, with pauses that grow and never meet those of others, within the deadline (rest.md §9.11).

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use tokio::time::{Instant, sleep};

use super::{Answer, Extra, Place, RestCall, RestUpstream};
use crate::{
    plan::{Retry, rest::Request},
    upstream::{FailureClass, Relay, UpstreamError},
};

/// The longest pause after the first attempt; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What is left of the time must be more than the pause by this, or the last attempt is for nothing.
const LEAST_LEFT: Duration = Duration::from_millis(100);
/// Pauses from here on are told to the client.
const TOLD_PAUSE: Duration = Duration::from_millis(500);

/// How many attempts beyond the first a source may be burdened with: a tenth of all calls, and ten
/// at once. When a source is down, everybody's retries together would keep it there.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Budget {
    /// In tenths of an attempt.
    const MOST: u32 = 100;
    const ATTEMPT: u32 = 10;

    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(Self::MOST))
    }

    fn earn(&self) {
        let more = |now: u32| (now < Self::MOST).then_some(now + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn spend(&self) -> bool {
        let less = |now: u32| now.checked_sub(Self::ATTEMPT);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl RestUpstream {
    /// Sends a request until there is an answer to keep, or no sense in another attempt.
    pub(super) async fn patiently(
        &self,
        request: &Request,
        call: &RestCall<'_>,
        place: Option<&Place>,
    ) -> Result<Box<Answer>, UpstreamError> {
        let key = request.care.idempotency_key.as_deref().map(fresh_key).transpose()?;
        self.budget.earn();
        let mut attempt = 1;
        let mut renewed = false;
        let mut reached = None;
        loop {
            let token = match &self.tokens {
                Some(tokens) => Some(tokens.token(call).await?),
                None => None,
            };
            let extra = Extra { key: key.as_ref().map(|(name, value)| (name, value)), token: token.as_ref(), place };
            let result = self.attempt(request, call, extra).await;
            if let Some((tokens, token)) = self.tokens.as_ref().zip(token.as_ref())
                && !renewed
                && is_refused(&result)
            {
                // A token may be taken back before it expires. What is refused for that was not done.
                tokens.forget(call, token).await;
                renewed = true;
                continue;
            }
            let is_unsent = result.as_ref().is_err_and(UpstreamError::is_unsent);
            let Some(pause) = self.again(request, &result, attempt, call.deadline) else {
                // An attempt that was not sent says nothing of the change that one before it may have made.
                return reached.filter(|_| is_unsent && !request.reads()).unwrap_or(result);
            };
            if !is_unsent {
                reached = Some(result);
            }
            if pause >= TOLD_PAUSE {
                let seconds = pause.as_secs_f32();
                (call.tell)(&format!("`{}` is asked again in {seconds:.1} s", self.name));
            }
            tracing::debug!(source = %self.name, attempt, pause_ms = pause.as_millis(), "a source is asked again");
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn again(
        &self,
        request: &Request,
        result: &Result<Box<Answer>, UpstreamError>,
        attempt: u32,
        deadline: Instant,
    ) -> Option<Duration> {
        let retry = request.care.retry.as_ref().filter(|retry| attempt < retry.attempts)?;
        let asked = match result {
            Ok(answer) => wanted(retry, answer)?,
            Err(error) if error.class() == FailureClass::Unreachable && retry.connect => {
                (retry.repeatable || error.is_unsent()).then_some(None)?
            }
            Err(_) => return None,
        };
        let pause = asked.unwrap_or_else(|| jittered(attempt));
        let left = deadline.saturating_duration_since(Instant::now());
        (pause + LEAST_LEFT < left && self.budget.spend()).then_some(pause)
    }
}

/// Whether the source did not accept the token.
fn is_refused(result: &Result<Box<Answer>, UpstreamError>) -> bool {
    match result {
        Ok(answer) => answer.status == 401,
        Err(error) => matches!(error.relay(), Some(Relay::SignIn)),
    }
}

/// The pause that an answer asks for, if it is one to ask again after.
#[expect(clippy::option_option, reason = "whether to ask again, and whether the answer says when")]
fn wanted(retry: &Retry, answer: &Answer) -> Option<Option<Duration>> {
    let holds = retry.statuses.iter().any(|range| range.holds(answer.status));
    (holds && retry.repeatable).then_some(answer.retry_after)
}

/// A pause anywhere from nothing to the longest: calls that failed together do not come back together.
fn jittered(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let mut bytes = [0_u8; 4];
    // Without randomness every pause is the longest.
    let part = getrandom::fill(&mut bytes).map_or(1.0, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
    longest.mul_f64(part)
}

/// The header that makes all attempts of one call the same to the API.
fn fresh_key(header: &str) -> Result<(HeaderName, HeaderValue), UpstreamError> {
    let internal = |cause: &dyn std::fmt::Display| {
        UpstreamError::new(FailureClass::Internal, "A key for this request could not be made.").caused_by(cause)
    };
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| internal(&error))?;
    let name = HeaderName::from_bytes(header.as_bytes()).map_err(|error| internal(&error))?;
    let value = HeaderValue::from_str(&hex::encode(bytes)).map_err(|error| internal(&error))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        for (attempt, longest) in [(1, FIRST_PAUSE), (3, FIRST_PAUSE * 4), (99, LONGEST_PAUSE)] {
            let pauses: Vec<_> = (0..100).map(|_| jittered(attempt)).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > longest / 2), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause < longest / 2), "{attempt}");
        }
    }

    #[test]
    fn a_tenth_of_all_calls_may_be_repeated() {
        let budget = Budget::new();
        let spent = (0..100).filter(|_| budget.spend()).count();
        assert_eq!(spent, 10);
        (0..30).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 3);
    }

    #[test]
    fn keys_differ_from_call_to_call() {
        let [one, other] = [(), ()].map(|()| fresh_key("Idempotency-Key").unwrap().1);
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }
}
