//! Floor 7. Requests that may tell or ask something before their result: the first message makes
//! the answer a stream, and without one it stays a document (protocol.md S-04, S-07, H-06).

use futures_util::future::FutureExt;
use tokio::sync::mpsc;

use super::{
    Messages, Payload, Refusal, Revision,
    dispatch::{Answer, Context, Way},
    messages::{Last, WAITING},
    outlet::{self, Outlet},
    wire::Request,
};
use crate::engine::CallerHeaders;

/// Answers a request by work that speaks to the client through an outlet.
pub(super) async fn converse<H, W, F>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
    work: W,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
    W: FnOnce(Outlet) -> F,
    F: Future<Output = Payload> + Send + 'static,
{
    let ticket = context.ticket(request, revision);
    let (sender, coming) = match context.way {
        Way::Stream => Some(mpsc::channel(WAITING)).unzip(),
        Way::Channel(_) | Way::Document => (outlet::channel(&context.way), None),
    };
    let work = work(Outlet::new(context, request, revision, sender)?);
    let last = async move {
        match ticket {
            None => Some(work.await),
            Some(ticket) => tokio::select! {
                biased;
                () = ticket.cancelled() => None,
                result = work => Some(result),
            },
        }
    };
    let Some(coming) = coming else {
        return Ok(last.await.map_or(Answer::Withdrawn, Answer::Message));
    };
    let last = if revision.is_stateless() {
        // It ends with its stream (protocol.md H-17).
        last.boxed()
    } else {
        // A lost connection is no cancellation (protocol.md S-08).
        let failed = Refusal::internal().of(Some(request.id)).printed();
        let task = context.server.tasks.spawn(last);
        async move { task.await.unwrap_or(Some(failed)) }.boxed()
    };
    Ok(begin(coming, last).await)
}

/// Waits for whatever comes first.
async fn begin(mut coming: mpsc::Receiver<Payload>, mut last: Last) -> Answer {
    let first = tokio::select! {
        biased;
        Some(message) = coming.recv() => message,
        result = &mut last => {
            let mut told = Vec::new();
            while let Ok(message) = coming.try_recv() {
                told.push(message);
            }
            return match (told.is_empty(), result) {
                (true, Some(result)) => Answer::Message(result),
                (true, None) => Answer::Withdrawn,
                (false, result) => {
                    told.extend(result);
                    Answer::Messages(Messages::new(told, coming, Some(async { None }.boxed())))
                }
            };
        }
    };
    Answer::Messages(Messages::new(vec![first], coming, Some(last)))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn message(text: &str) -> Payload {
        Payload::from(text.as_bytes().to_vec())
    }

    async fn outcome(told: usize, result: Option<Payload>) -> String {
        let (sender, coming) = mpsc::channel(WAITING);
        let work = async move {
            for at in 0..told {
                let _ = sender.try_send(message(&at.to_string()));
            }
            result
        };
        match begin(coming, work.boxed()).await {
            Answer::Message(payload) => format!("document {}", String::from_utf8_lossy(&payload.head)),
            Answer::Withdrawn => "nothing".into(),
            Answer::Messages(messages) => {
                let texts = messages.map(|payload| String::from_utf8_lossy(&payload.head).into_owned());
                format!("stream {}", texts.collect::<Vec<_>>().await.join(" "))
            }
        }
    }

    #[tokio::test]
    async fn only_what_precedes_a_result_makes_a_stream() {
        assert_eq!(outcome(0, Some(message("r"))).await, "document r");
        assert_eq!(outcome(0, None).await, "nothing");
        assert_eq!(outcome(2, Some(message("r"))).await, "stream 0 1 r");
        assert_eq!(outcome(2, None).await, "stream 0 1");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_in_time_misses_messages_and_gets_the_result() {
        let all = outcome(WAITING * 2, Some(message("r"))).await;
        assert_eq!(all.split(' ').count(), WAITING + 2);
        assert!(all.ends_with(" r"));
    }
}
