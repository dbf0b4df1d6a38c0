//! Floor 8. stdio: one message in a line, in both directions, for clients that start the server
//! themselves (protocol.md §2.5). Nothing else goes to the standard output.

use std::{io, sync::Arc, time::Duration};

use axum::body::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::{
    Drained,
    reload::{self, Outcome, Swap, Watch},
};
use crate::{
    access::{Authenticator, Presented, Verdict},
    engine::{CallerHeaders, Generation, Principal},
    mcp::{self, Channel, Eras, Messages, Posted, Refusal, Status},
    plan::Plan,
    secret::{Secret, Vault},
    telemetry,
};

/// Bytes of a message at most, as over HTTP.
const LINE_MAX: u64 = 4 << 20;

/// A server for the one client that started it.
#[derive(Debug)]
pub struct Stdio {
    protocol: Arc<mcp::Server>,
    principal: Arc<Principal>,
    grace: Duration,
    watch: Option<Watch>,
}

/// What of a stdio server can be replaced.
struct Served(Arc<mcp::Server>);

impl Swap for Served {
    fn accepts(&self, _: &Plan) -> Result<(), String> {
        Ok(())
    }

    fn current(&self) -> Arc<Generation> {
        self.0.generation()
    }

    fn swap(&self, generation: Generation, _: &Vault) -> Result<(), String> {
        generation.record();
        self.0.replace(Arc::new(generation));
        Ok(())
    }

    fn settled(&self, _: Outcome) {}
}

/// A client without headers.
#[derive(Clone, Copy, Debug)]
struct NoHeaders;

impl CallerHeaders for NoHeaders {
    fn get(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

impl Stdio {
    /// Serves a generation to whoever started the process: with a key as its caller, and without
    /// one as somebody who did not have to identify themselves (protocol.md D-07).
    ///
    /// # Errors
    /// When the key is not one of this server, or where it keeps them cannot be read.
    pub fn new(generation: Generation, vault: &Vault, key: Option<&Secret<String>>) -> io::Result<Self> {
        let server = &generation.plan().server;
        let grace = server.shutdown_grace;
        let principal = match key.filter(|_| server.api_keys.is_some()) {
            None => Arc::new(Principal::anonymous()),
            Some(key) => {
                let authorization = Secret::new(format!("Bearer {}", key.expose()));
                let presented =
                    Presented { authorization: Some(authorization.expose().as_bytes()), ..Presented::default() };
                match Authenticator::new(generation.plan(), vault, generation.state())?.identify(presented) {
                    Verdict::Known(principal) => principal,
                    Verdict::Refused(_) | Verdict::Ask(_) => {
                        return Err(io::Error::other("the key is none of this server"));
                    }
                }
            }
        };
        generation.record();
        Ok(Self { protocol: mcp::Server::new(Arc::new(generation), None), principal, grace, watch: None })
    }

    /// Serves changed files without a new start, and tells the client.
    #[must_use]
    pub fn watching(mut self, watch: Watch) -> Self {
        self.protocol.expect_changes();
        self.watch = Some(watch);
        self
    }

    /// Serves until the input ends or `stop`, then lets what was asked be answered within the
    /// grace period.
    pub async fn serve<I, O>(self, input: I, output: O, stop: CancellationToken) -> Drained
    where
        I: AsyncRead,
        O: AsyncWrite + Send + Unpin + 'static,
    {
        // The path of all bridges is always there.
        let Ok((channel, messages)) = self.protocol.channel(None, self.principal.clone(), Eras::Both) else {
            return Drained::Whole;
        };
        let over = stop.child_token();
        if let Some(watch) = self.watch {
            let served = Arc::new(Served(Arc::clone(&self.protocol)));
            telemetry::spawn(reload::watch(watch, served, over.clone()));
        }
        let mut writing = telemetry::spawn(write(messages, output));
        tokio::select! {
            () = read(input, &channel, &self.principal) => {}
            // Nobody reads the answers any more.
            _ = &mut writing => {}
            () = stop.cancelled() => {}
        }
        over.cancel();
        let ended = async {
            self.protocol.end_streams();
            channel.finish().await;
            if !writing.is_finished() {
                let _ = writing.await;
            }
            self.protocol.tasks().ended().await;
        };
        let drained = match tokio::time::timeout(self.grace, ended).await {
            Ok(()) => Drained::Whole,
            Err(_) => Drained::CutOff,
        };
        // A database that does not let go is not waited for: its files survive that.
        let _ = tokio::time::timeout(super::CLOSE_TIMEOUT, self.protocol.generation().close()).await;
        drained
    }
}

/// Takes the lines of the client until there are no more.
async fn read<I: AsyncRead>(input: I, channel: &Arc<Channel>, principal: &Arc<Principal>) {
    let mut input = std::pin::pin!(BufReader::new(input));
    let mut request = 0;
    loop {
        let refused = match line(&mut input).await {
            Ok(Line::End) | Err(_) => return,
            Ok(Line::Empty) => continue,
            Ok(Line::TooLong) => {
                let words = format!("The message is larger than {} MiB", LINE_MAX >> 20);
                Err(Refusal::transport(Status::PayloadTooLarge, words))
            }
            Ok(Line::Text(body)) => {
                request += 1;
                let principal = Arc::clone(principal);
                channel.receive(Posted { body, principal, headers: NoHeaders, request }).await
            }
        };
        if let Err(refusal) = refused
            && !refusal.is_unasked()
        {
            channel.refuse(&refusal).await;
        }
    }
}

enum Line {
    Text(Bytes),
    Empty,
    TooLong,
    End,
}

async fn line<I: AsyncBufRead + Unpin>(input: &mut I) -> io::Result<Line> {
    let mut text = Vec::new();
    if input.take(LINE_MAX).read_until(b'\n', &mut text).await? == 0 {
        return Ok(Line::End);
    }
    if text.len() as u64 == LINE_MAX && !text.ends_with(b"\n") {
        // The rest of it belongs to no message.
        loop {
            let mut rest = Vec::new();
            let read = input.take(LINE_MAX).read_until(b'\n', &mut rest).await?;
            if read == 0 || rest.ends_with(b"\n") {
                return Ok(Line::TooLong);
            }
        }
    }
    let is_empty = text.trim_ascii().is_empty();
    Ok(if is_empty { Line::Empty } else { Line::Text(text.into()) })
}

/// Writes messages as lines. Ends with them, or when nobody reads.
async fn write<O: AsyncWrite + Unpin>(mut messages: Messages, mut output: O) {
    let mut line = Vec::new();
    while let Some(message) = messages.next().await {
        line.clear();
        message.write_line(&mut line);
        line.push(b'\n');
        let written = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}
