//! Floor 5. The bytes of a connection of `plain`, which can be looked at without being read while nobody
//! uses the connection.

use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::{net::TcpStream, task::coop};

/// Bytes that cost as much of a task's time before others get theirs as one step of any other kind. Without it
/// a step is as many bytes as there are, and a source that says nothing but interim answers holds a thread.
const STEP: usize = 8 << 10;

/// Whether nobody waits for bytes of a connection: whatever comes then is the end of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rest(Arc<AtomicBool>);

impl Rest {
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A connection.
pub(super) struct Wire {
    stream: TokioIo<TcpStream>,
    rest: Rest,
}

impl Wire {
    pub(super) fn new(stream: TokioIo<TcpStream>, rest: Rest) -> Self {
        Self { stream, rest }
    }

    /// Asks the kernel. The runtime learns of what came only when it has time to, which can be many
    /// requests later.
    fn is_silent(&self) -> bool {
        let looked = SockRef::from(self.stream.inner()).peek(&mut [MaybeUninit::uninit()]);
        looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.rest.0.load(Ordering::Relaxed) {
            for _ in 0..buffer.remaining() / STEP {
                ready!(coop::poll_proceed(context)).made_progress();
            }
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        if self.is_silent() { Poll::Pending } else { Poll::Ready(Err(ErrorKind::ConnectionAborted.into())) }
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }
}
