//! Floor 8. What callers are told that cannot be let in, or not just now.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use http_body_util::{BodyExt, Limited};

use super::{
    callers::{Head, Turned},
    challenge::{Challenges, Refused as Challenge},
    http::{BODY_TIMEOUT, send},
};
use crate::{
    access::Refused,
    engine::seconds,
    mcp::{self, Refusal, Status},
};

/// When to ask again after whoever knows callers could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How much is read of a request that is refused, to find the id that its answer is for.
const ID_WITHIN: usize = 64 << 10;
/// A library whose clients end with any status but success: they are told in the message alone
/// (protocol.md §2.12).
const FRAGILE: &str = "python-httpx/";

/// The answer to a caller that is not let in.
pub(super) async fn turned(turned: Turned, challenges: &Challenges, head: &Head, body: &mut Body) -> Response<Body> {
    let exhausted = match turned {
        Turned::Unknown(why) => return unknown_caller(why, challenges, head.uri.path()),
        Turned::Exhausted(exhausted) => exhausted,
    };
    let (whose, seconds) = (exhausted.whose, seconds(exhausted.wait));
    let words = format!("Too many requests {whose}: try again in {seconds} s");
    let id = id(body).await;
    let refusal = Refusal::transport(Status::TooManyRequests, words).of(id.as_deref());
    let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if id.is_some() && agent.is_some_and(|agent| agent.starts_with(FRAGILE)) {
        return send(refusal.in_band().reply());
    }
    wait(&refusal, exhausted.wait)
}

/// The id of the request that is refused, as far as it can be had cheaply.
async fn id(body: &mut Body) -> Option<String> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, ID_WITHIN).collect()).await;
    mcp::id(&read.ok()?.ok()?.to_bytes())
}

/// The answer to a caller that nobody knows.
fn unknown_caller(why: Refused, challenges: &Challenges, path: &str) -> Response<Body> {
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
    response.headers_mut().insert(Challenges::NAME, challenges.value(because, path));
    response
}

/// A refusal with the time after which to try again, in whole seconds.
fn wait(refusal: &Refusal, time: Duration) -> Response<Body> {
    let mut response = send(refusal.reply());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(time)));
    response
}
