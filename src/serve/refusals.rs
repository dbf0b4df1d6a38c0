//! Floor 8. What callers are told that cannot be let in, or not just now.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};

use super::{
    challenge::{Challenges, Refused as Challenge},
    http::send,
};
use crate::{
    access::Refused,
    mcp::{Refusal, Status},
};

/// When to ask again after whoever knows callers could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The answer to a caller that nobody knows.
pub(super) fn unknown_caller(why: Refused, challenges: &Challenges) -> Response<Body> {
    let (words, because) = match why {
        Refused::Missing => {
            ("Authentication is required: send Authorization: Bearer with a credential", Challenge::Missing)
        }
        Refused::Invalid => ("The credential is not valid", Challenge::Invalid("The credential is not valid")),
        Refused::Expired => ("The credential has expired", Challenge::Invalid("The credential has expired")),
        Refused::Unavailable => {
            let words = "The credential cannot be checked just now; try again soon";
            return wait(&Refusal::transport(Status::Unavailable, words), ASK_AGAIN);
        }
    };
    let mut response = send(Refusal::transport(Status::Unauthorized, words).reply());
    response.headers_mut().insert(Challenges::NAME, challenges.value(because));
    response
}

/// A refusal with the time after which to try again, in whole seconds.
pub(super) fn wait(refusal: &Refusal, time: Duration) -> Response<Body> {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let mut response = send(refusal.reply());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}
