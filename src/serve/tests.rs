//! Floor 8. Clients that say nothing, half of something, or never read: they are closed. The
//! deadlines are shorter than those of a server.

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{Bound, Limits};
use crate::{check::check, engine::Generation, telemetry, text::FileSet, yaml::Variables};

const BRIDGE: &str = "
bridge: quiet
sources: { api: { rest: \"http://127.0.0.1:9\" } }
tools: { fetch: { description: Fetches., rest: { get: /x } } }
";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &str = "\0\0\0\x04\0\0\0\0\0";
const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Longer than any of it takes, so that a fault does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

struct Nothing;

impl Variables for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path, _: &str) -> Result<String, String> {
        Err("there are no files".into())
    }
}

/// A server with these limits; it runs as long as the test does.
async fn serve(limits: Limits) -> SocketAddr {
    let mut files = FileSet::new();
    files.add("quiet.yaml", BRIDGE);
    let (plan, vault) = check(&files, &Nothing).plan.unwrap();
    let generation = Generation::build(plan, &vault).await.unwrap();
    let mut bound = Bound::bind(generation, &vault, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    bound.limits = limits;
    let address = bound.address().unwrap();
    telemetry::spawn(bound.serve(CancellationToken::new()));
    address
}

fn short() -> Limits {
    let short = Duration::from_millis(100);
    Limits { head: short, write: short, ping: short, pong: short, ..Limits::new(short) }
}

/// Reads until the server closes, and fails when it does not.
async fn closed(mut stream: TcpStream, what: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    // A reset is a way to close.
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "{what:?} was not closed");
    answer
}

#[tokio::test]
async fn a_client_that_does_not_go_on_is_closed() {
    let address = serve(short()).await;
    let settled = format!("{PREFACE}{SETTINGS}");
    for begun in ["", "P", "PRI * HT", PREFACE, &settled, "G", "GET /healthz HT", HEALTHZ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = closed(stream, begun).await;
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), begun == HEALTHZ, "{begun:?}");
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let address = serve(short()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let many = HEALTHZ.repeat(100);
    let writing = async { while stream.write_all(many.as_bytes()).await.is_ok() {} };
    let end = tokio::time::timeout(PATIENCE, writing).await;
    assert!(end.is_ok(), "the client can still write");
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let address = serve(Limits { per_address: 1, ..Limits::new(PATIENCE) }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(HEALTHZ.as_bytes()).await.unwrap();
    first.read_exact(&mut [0; 15]).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    assert_eq!(closed(second, "a second connection").await, b"");
    drop(first);
    let again = async {
        loop {
            let mut next = TcpStream::connect(address).await.unwrap();
            let asked = next.write_all(HEALTHZ.as_bytes()).await;
            if asked.is_ok() && next.read_exact(&mut [0; 15]).await.is_ok() {
                break;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, again).await.is_ok(), "the place was not given back");
}

#[tokio::test]
async fn both_versions_are_served_however_they_come_in_pieces() {
    let address = serve(Limits::new(PATIENCE)).await;
    // The fields of the head in HPACK: two of its table, and two with a value.
    let head = "\x04\x08/healthz\x01\x09localhost";
    let mut get = Vec::from([0, 0, u8::try_from(head.len() + 2).unwrap(), 1, 5, 0, 0, 0, 1, 0x82, 0x86]);
    get.extend_from_slice(head.as_bytes());
    let second = [PREFACE.as_bytes(), SETTINGS.as_bytes(), &get].concat();
    for (request, cut) in [(HEALTHZ.as_bytes(), 1), (HEALTHZ.as_bytes(), 30), (&second, 3), (&second, 30)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (begin, rest) = request.split_at(cut);
        stream.write_all(begin).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(rest).await.unwrap();
        let mut answer = Vec::new();
        let reading = async {
            while !answer.ends_with(b"ok\n") {
                assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
            }
        };
        assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "no answer");
    }
}
