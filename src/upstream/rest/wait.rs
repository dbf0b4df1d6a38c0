//! Floor 5. How long an answer asks to wait before the next call: in `Retry-After`, or in the
//! headers by which APIs tell what is left of a quota (rest.md §9.11).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, header::RETRY_AFTER};

/// The longest wait that is taken from an answer.
const MAX_WAIT: Duration = Duration::from_hours(7 * 24);
/// Larger numbers are seconds since 1970, and not seconds from now.
const EPOCH_FROM: f64 = 1e9;
/// Names of the header that says when the quota is whole again.
const RESETS: [&str; 4] = ["ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset"];
/// Names of the header that says what is left of it.
const LEFT: [&str; 3] = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];

/// How long the source asks to wait, a week at most. Quotas are looked at only in an answer that
/// refuses the call for one: others tell of them, too.
pub(super) fn asked(status: u16, headers: &HeaderMap, now: impl FnOnce() -> DateTime<Utc>) -> Option<Duration> {
    let wait = match text(headers, RETRY_AFTER.as_str()) {
        Some(written) => after(written, now)?,
        None if is_used_up(status, headers) => reset(headers, now)?,
        None => return None,
    };
    Some(wait.min(MAX_WAIT))
}

/// Whether an answer with this status refuses the call for its quota.
fn is_used_up(status: u16, headers: &HeaderMap) -> bool {
    let nothing_left = || LEFT.iter().any(|name| text(headers, name) == Some("0"));
    // Some refuse for a quota as they refuse strangers.
    status == 429 || (status == 403 && nothing_left())
}

/// Seconds, or a date; one that has passed asks for no wait.
fn after(written: &str, now: impl FnOnce() -> DateTime<Utc>) -> Option<Duration> {
    match written.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some((DateTime::parse_from_rfc2822(written).ok()?.to_utc() - now()).to_std().unwrap_or_default()),
    }
}

fn reset(headers: &HeaderMap, now: impl FnOnce() -> DateTime<Utc>) -> Option<Duration> {
    let in_one =
        || text(headers, "ratelimit").and_then(|written| item(written, "t").or_else(|| item(written, "reset")));
    let written = RESETS.iter().find_map(|name| text(headers, name)).or_else(in_one)?;
    let seconds = written.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    let seconds = if seconds < EPOCH_FROM {
        seconds
    } else {
        #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
        let now = now().timestamp() as f64;
        (seconds - now).max(0.0)
    };
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

/// A member of a list such as `"default";r=0;t=30`.
fn item<'h>(written: &'h str, name: &str) -> Option<&'h str> {
    written.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates_or_the_end_of_a_quota() {
        // 1994-11-06, 08:49:37.
        let now = || DateTime::parse_from_rfc2822("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().to_utc();
        let epoch = |seconds: i64| (now().timestamp() + 1_000_000_000 + seconds).to_string();
        let later = || now() + chrono::TimeDelta::seconds(1_000_000_000);
        for (status, headers, expected) in [
            (503, vec![("retry-after", "120".to_owned())], Some(120)),
            (200, vec![("retry-after", "0".into())], Some(0)),
            (429, vec![("retry-after", "99999999999".into())], Some(MAX_WAIT.as_secs())),
            (429, vec![("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT".into())], Some(0)),
            (429, vec![("retry-after", "-1".into())], None),
            (429, vec![("retry-after", "soon".into()), ("x-ratelimit-reset", "5".into())], None),
            (429, vec![("retry-after", "7".into()), ("x-ratelimit-reset", "99".into())], Some(7)),
            (429, vec![("x-ratelimit-reset", epoch(30))], Some(30)),
            (429, vec![("x-ratelimit-reset", epoch(-30))], Some(0)),
            (429, vec![("x-ratelimit-reset-after", "1.2".into())], Some(2)),
            (429, vec![("ratelimit-reset", "50".into())], Some(50)),
            (429, vec![("ratelimit", "\"default\";r=0;t=40".into())], Some(40)),
            (429, vec![("ratelimit", "limit=100, remaining=0, reset=20".into())], Some(20)),
            (403, vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", epoch(60))], Some(60)),
            (403, vec![("x-ratelimit-remaining", "12".into()), ("x-ratelimit-reset", epoch(60))], None),
            (200, vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", epoch(60))], None),
            (429, vec![("x-ratelimit-reset", "NaN".into())], None),
            (429, vec![("x-ratelimit-reset", "-5".into())], None),
            (429, vec![], None),
        ] {
            let map: HeaderMap =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(asked(status, &map, later), expected.map(Duration::from_secs), "{status} {headers:?}");
        }
        let date = HeaderMap::from_iter([(RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT".parse().unwrap())]);
        assert_eq!(asked(429, &date, now), Some(Duration::from_secs(30)));
    }
}
