//! Floor 7. Messages to a client, one after the other: what precedes a result and the result
//! itself, or what a client listens for.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, Stream, future::BoxFuture};
use tokio::sync::mpsc;

use super::Payload;

/// Messages that wait for a client at most. A client that reads slower than it is told things
/// misses some of them, and nobody waits for it.
pub(super) const WAITING: usize = 64;

/// What comes last, when it is known; nothing when the client took its request back.
pub(super) type Last = BoxFuture<'static, Option<Payload>>;

/// The messages of one stream. The stream has ended when there is no next one.
pub struct Messages {
    /// Lasts as long as the stream.
    kept: Option<Box<dyn Kept>>,
    ready: VecDeque<Payload>,
    coming: Option<mpsc::Receiver<Payload>>,
    last: Option<Last>,
}

impl Messages {
    /// Messages as they come, and then the last one. What is `ready` goes first.
    pub(super) fn new(ready: Vec<Payload>, coming: mpsc::Receiver<Payload>, last: Option<Last>) -> Self {
        Self { kept: None, ready: ready.into(), coming: Some(coming), last }
    }

    /// Messages that end when nobody can send any more, to look at how they travel.
    #[cfg(test)]
    pub(crate) fn channel() -> (mpsc::Sender<Payload>, Self) {
        let (sender, coming) = mpsc::channel(WAITING);
        (sender, Self::new(Vec::new(), coming, None))
    }

    /// The same messages, with something that is dropped when the stream is.
    #[must_use]
    pub fn with<K: Send + 'static>(mut self, kept: K) -> Self {
        self.kept = Some(Box::new((self.kept, kept)));
        self
    }

    fn take_coming(&mut self) {
        if let Some(mut coming) = self.coming.take() {
            coming.close();
            while let Ok(message) = coming.try_recv() {
                self.ready.push_back(message);
            }
        }
    }
}

/// Something that is only kept.
trait Kept: Send {}

impl<K: Send> Kept for K {}

impl Stream for Messages {
    type Item = Payload;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Payload>> {
        if let Some(message) = self.ready.pop_front() {
            return Poll::Ready(Some(message));
        }
        if let Some(coming) = &mut self.coming {
            match coming.poll_recv(context) {
                Poll::Ready(Some(message)) => return Poll::Ready(Some(message)),
                Poll::Ready(None) => self.coming = None,
                Poll::Pending => {}
            }
        }
        let Some(last) = &mut self.last else {
            return if self.coming.is_some() { Poll::Pending } else { Poll::Ready(None) };
        };
        let result = ready!(last.poll_unpin(context));
        // Nothing may follow the result, so what was told before it goes first.
        self.last = None;
        self.take_coming();
        self.ready.extend(result);
        Poll::Ready(self.ready.pop_front())
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Messages").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn message(text: &str) -> Payload {
        Payload::from(text.as_bytes().to_vec())
    }

    async fn texts(messages: Messages) -> Vec<String> {
        let texts = messages.map(|payload| String::from_utf8_lossy(&payload.head).into_owned());
        texts.collect().await
    }

    #[tokio::test]
    async fn the_result_comes_last_and_ends_the_stream() {
        let (sender, coming) = mpsc::channel(WAITING);
        let last = async move {
            for text in ["one", "two"] {
                sender.send(message(text)).await.unwrap();
            }
            Some(message("result"))
        };
        let messages = Messages::new(vec![message("zero")], coming, Some(last.boxed()));
        assert_eq!(texts(messages).await, ["zero", "one", "two", "result"]);
    }

    #[tokio::test]
    async fn a_request_that_was_taken_back_has_no_result() {
        let (sender, coming) = mpsc::channel(WAITING);
        sender.send(message("one")).await.unwrap();
        // The sender lives on, as it does while a call ends.
        let last = async { None }.boxed();
        assert_eq!(texts(Messages::new(Vec::new(), coming, Some(last))).await, ["one"]);
        drop(sender);
    }

    #[tokio::test]
    async fn without_a_result_the_stream_ends_with_its_sender() {
        let (sender, coming) = mpsc::channel(WAITING);
        sender.send(message("one")).await.unwrap();
        drop(sender);
        assert_eq!(texts(Messages::new(Vec::new(), coming, None)).await, ["one"]);
    }
}
