//! Floor 5. Messages to and from a PostgreSQL server: many go out with one write, and are read one
//! by one. Protocol 3.0 (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::BytesMut;
use postgres_protocol::message::backend::{Header, Message};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::client::TlsStream;

/// The largest message that is taken: a larger row is not for a model, and memory stays bounded.
const MAX_MESSAGE: i32 = 64 << 20;

/// What is kept of the input between answers.
const INPUT: usize = 16 << 10;

/// A connection in one of its forms.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the server has said or done something while nobody asked: it is closing then.
    fn stirred(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut byte),
            Self::Unix(stream) => stream.try_read(&mut byte),
            Self::Tls(stream) => stream.get_ref().0.try_read(&mut byte),
        };
        !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A connection with what waits to be sent and to be read.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    input: BytesMut,
    /// Messages that go out with the next [`Wire::send`].
    pub(super) output: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, input: BytesMut::with_capacity(INPUT), output: BytesMut::with_capacity(1 << 10) }
    }

    /// Sends everything that waits.
    pub(super) async fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }

    /// The next message, but for those that are only news.
    pub(super) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(header) = Header::parse(&self.input)?
                && header.len() > MAX_MESSAGE
            {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a row is larger than 64 MiB"));
            }
            match Message::parse(&mut self.input)? {
                Some(Message::NoticeResponse(_) | Message::NotificationResponse(_) | Message::ParameterStatus(_)) => {}
                Some(message) => return Ok(message),
                None => {
                    self.input.reserve(INPUT);
                    if self.stream.read_buf(&mut self.input).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }

    /// One byte, as it answers the question for TLS.
    pub(super) async fn byte(&mut self) -> io::Result<u8> {
        self.stream.read_u8().await
    }

    /// Waits until the other side closes, as it does after a request to cancel.
    pub(super) async fn drained(&mut self) -> io::Result<()> {
        let mut rest = [0; 64];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(())
    }

    /// Whether an idle connection is as it was left.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && !self.stream.stirred()
    }

    /// The connection itself, with nothing read that is not used.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}
