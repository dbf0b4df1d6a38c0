//! Floor 8. Requests that go on when their client has gone: in the revisions with a handshake a
//! lost connection is no cancellation (protocol.md S-08).

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt;

use crate::{mcp::Reply, telemetry::Tasks};

/// Requests whose clients have gone, at most: then a lost connection does end them, or a client
/// that comes and goes could make the server work for it without end.
const LEFT_MAX: usize = 10_000;

type Work = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A request that ends by itself, whoever still waits for it.
pub(super) struct Lasting {
    work: Option<Work>,
    tasks: Tasks,
}

impl Lasting {
    /// Runs where the connection does, and among the tasks from when that is lost.
    pub(super) fn new(work: Work, tasks: Tasks) -> Self {
        Self { work: Some(work), tasks }
    }
}

impl Future for Lasting {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let reply = std::task::ready!(work.poll_unpin(context));
        self.work = None;
        Poll::Ready(reply)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // At the very end there is nothing left to run on.
        if self.tasks.count() < LEFT_MAX && tokio::runtime::Handle::try_current().is_ok() {
            self.tasks.spawn(work);
        }
    }
}
