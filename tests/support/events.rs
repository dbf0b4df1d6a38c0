//! A client that reads an event stream, event by event.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Post, Response, http};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {:?}", self.data))
    }
}

/// A response that may be an event stream.
#[derive(Debug)]
pub(crate) struct Events {
    stream: TcpStream,
    /// The head; of the body what came with it, for what is no stream.
    pub(crate) head: Response,
    /// What came and was not taken out of its chunks yet.
    raw: Vec<u8>,
    text: String,
    ended: bool,
}

impl Events {
    /// Sends a request and reads the head of its response.
    pub(crate) async fn open(address: SocketAddr, post: &Post) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        stream.write_all(&post.bytes(address)).await.expect("a request");
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = raw.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut raw)).await.expect("an answer in time");
            assert_ne!(read.expect("a response"), 0, "the server closed");
        };
        let body = raw.split_off(end);
        let head = http::parse(&String::from_utf8_lossy(&raw));
        Self { stream, head, raw: body, text: String::new(), ended: false }
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        // Signs of life do not make a test wait for ever.
        tokio::time::timeout(PATIENCE, self.following()).await.expect("an event in time")
    }

    async fn following(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let (name, data) = (field("event"), field("data"));
                if name.is_empty() && data.is_empty() {
                    // A comment is no event.
                    continue;
                }
                return Some(Event { name, data });
            }
            if self.ended {
                return None;
            }
            self.read().await;
        }
    }

    /// The message of the next event.
    pub(crate) async fn message(&mut self) -> Value {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.name, "message");
        event.json()
    }

    /// The messages up to the end of the stream.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(event) = self.next().await {
            messages.push(event.json());
        }
        messages
    }

    async fn read(&mut self) {
        while !self.chunk() {
            if self.stream.read_buf(&mut self.raw).await.unwrap_or(0) == 0 {
                self.ended = true;
                return;
            }
        }
    }

    /// Takes one chunk out of what came, if it is there as a whole.
    fn chunk(&mut self) -> bool {
        let Some(line) = self.raw.windows(2).position(|end| end == b"\r\n") else { return false };
        let size = String::from_utf8_lossy(&self.raw[..line]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).expect("the size of a chunk");
        if self.raw.len() < line + 2 + size + 2 {
            return false;
        }
        self.text.push_str(&String::from_utf8_lossy(&self.raw[line + 2..line + 2 + size]));
        self.raw.drain(..line + 2 + size + 2);
        self.ended |= size == 0;
        true
    }
}
