//! Floor 8. Messages as an event stream: one event for each, and a sign of life when there are
//! none (protocol.md H-08, E-03, E-06).

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Response, header},
};
use futures_util::{FutureExt, StreamExt};
use hyper::body::Frame;
use tokio::time::{Instant, Sleep};

use crate::mcp::{Messages, Payload};

/// How long a stream is silent before it says that it is still there.
const BEAT: Duration = Duration::from_secs(15);
/// A comment, which clients skip.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
const BEFORE: &[u8] = b"event: message\ndata: ";
const AFTER: &[u8] = b"\n\n";

/// Messages on their way as events.
struct Events {
    /// What goes before the first message.
    ahead: Option<Bytes>,
    messages: Messages,
    beat: Pin<Box<Sleep>>,
}

/// A response that carries messages as they come. `ahead` goes first, such as the address of a
/// channel, or a comment so that the client has its answer at once.
pub(super) fn stream(messages: Messages, ahead: Option<Bytes>) -> Response<Body> {
    let beat = Box::pin(tokio::time::sleep(BEAT));
    let mut response = Response::new(Body::new(Events { ahead, messages, beat }));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The event that says where the messages of a channel are posted (protocol.md E-02).
pub(super) fn endpoint(path: &str) -> Bytes {
    format!("event: endpoint\ndata: {path}\n\n").into()
}

/// What is sent first on a stream that may stay silent for long: without a byte of the body some
/// proxies keep the head of the response back.
pub(super) const fn opening() -> Bytes {
    COMMENT
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        let data = match self.messages.poll_next_unpin(context) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(message)) => event(&message),
            Poll::Pending => match self.beat.poll_unpin(context) {
                Poll::Ready(()) => COMMENT,
                Poll::Pending => return Poll::Pending,
            },
        };
        self.beat.as_mut().reset(Instant::now() + BEAT);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

/// A message as an event.
fn event(message: &Payload) -> Bytes {
    let mut event = Vec::with_capacity(BEFORE.len() + message.len() + AFTER.len());
    event.extend_from_slice(BEFORE);
    message.write_line(&mut event);
    event.extend_from_slice(AFTER);
    event.into()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_says_that_it_is_there() {
        let (sender, messages) = Messages::channel();
        let mut body = stream(messages, Some(opening())).into_body();
        let begin = Instant::now();
        let mut told = Vec::new();
        for at in 0..5 {
            if at == 3 {
                sender.try_send(Payload::from(b"{}".to_vec())).unwrap();
            }
            let frame = body.frame().await.unwrap().unwrap();
            told.push((begin.elapsed().as_secs(), frame.into_data().unwrap()));
        }
        let message = Bytes::from_static(b"event: message\ndata: {}\n\n");
        assert_eq!(told, [(0, COMMENT), (15, COMMENT), (30, COMMENT), (30, message), (45, COMMENT)]);
        drop(sender);
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn an_event_has_one_line_of_data() {
        let message = Payload::from(b"{\r\n  \"a\": \"b\\n\"\n}".to_vec());
        assert_eq!(event(&message), "event: message\ndata: {    \"a\": \"b\\n\" }\n\n");
    }
}
