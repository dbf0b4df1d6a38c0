//! Floor 5. What differs between the lane of `https` and that of plain `http`.

use std::{
    io::{Read as _, Write as _},
    sync::mpsc,
    thread,
};

use super::*;

/// `{"a":1}`, compressed.
const PACKED: &[u8] = &[
    0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xAB, 0x56, 0x4A, 0x54, 0xB2, 0x32, 0xAC, 0x05, 0x00,
    0xAF, 0xAC, 0x1B, 0x56, 0x07, 0x00, 0x00, 0x00,
];

/// A gzip stream whose one deflate block repeats a zero byte: every 13 bits stand for 258 bytes.
fn gzipped_zeros() -> Bytes {
    let mut bits: Vec<bool> = Vec::new();
    // Last block, fixed codes; then the literal 0, which is `00110000`.
    bits.extend([true, true, false]);
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..40_000 {
        // Length 258 is code 285 (`11000101`), distance 1 is code 0 (`00000`).
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    let packed = bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum::<u8>());
    let mut stream = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    stream.extend(packed);
    stream.extend([0; 8]);
    stream.into()
}

#[tokio::test]
async fn compression_is_asked_for_and_undone_under_the_cap_over_https() {
    let fine = StandIn::fine().await;
    send_as_https(&source(&fine.address), &get(vec![literal("a")])).await.unwrap();
    assert_eq!(fine.last().header("accept-encoding"), Some("gzip,deflate,br"));
    // 10 MiB of zeros in 64 KiB.
    for (body, expected) in [
        (Bytes::from_static(PACKED), Ok(Bytes::from_static(br#"{"a":1}"#))),
        (gzipped_zeros(), Err(TOO_LARGE)),
        (Bytes::from_static(b"plain"), Err("`shop` broke its answer off.")),
    ] {
        let server = StandIn::start(move || ([("content-encoding", "gzip")], body.clone()).into_response()).await;
        let sent = send_as_https(&source(&server.address), &get(vec![literal("a")])).await;
        let read = sent.as_ref().map(|answer| answer.body.clone()).map_err(UpstreamError::public);
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn compression_nobody_asked_for_is_undone_over_http_and_hides_no_status() {
    let whole = Bytes::from_static(br#"{"a":1}"#);
    for (encoding, status, method, sent, expected) in [
        ("gzip", 200, Method::Get, Bytes::from_static(PACKED), Ok((200, whole.clone()))),
        ("GZIP", 404, Method::Get, Bytes::from_static(PACKED), Ok((404, whole.clone()))),
        ("gzip", 500, Method::Post, Bytes::from_static(&PACKED[..20]), Ok((500, whole.clone()))),
        ("br", 503, Method::Get, Bytes::from_static(PACKED), Ok((503, Bytes::new()))),
        ("zstd", 503, Method::Post, Bytes::from_static(PACKED), Ok((503, Bytes::new()))),
        ("Identity", 200, Method::Get, whole.clone(), Ok((200, whole.clone()))),
        ("gzip", 200, Method::Head, Bytes::from_static(PACKED), Ok((200, Bytes::new()))),
        ("gzip", 204, Method::Get, Bytes::new(), Ok((204, Bytes::new()))),
        ("gzip", 200, Method::Get, gzipped_zeros(), Err(TOO_LARGE)),
        (
            "gzip",
            200,
            Method::Get,
            Bytes::from_static(b"plain"),
            Err("`shop` answered with a compression that could not be undone."),
        ),
        (
            "zstd",
            200,
            Method::Post,
            Bytes::from_static(PACKED),
            Err("`shop` answered with a compression that was not asked for. The change may have been made all the \
                 same: look before trying again."),
        ),
    ] {
        let server = StandIn::start(move || {
            (StatusCode::from_u16(status).unwrap(), [("content-encoding", encoding)], sent.clone()).into_response()
        })
        .await;
        let request = Request { method, ..get(vec![literal("a")]) };
        let sent = send(&source(&server.address), &request, json!({})).await;
        let found = sent.as_ref().map(|answer| (answer.status, answer.body.clone())).map_err(UpstreamError::public);
        assert_eq!(found, expected, "{encoding} {status}");
    }
}

#[tokio::test]
async fn authors_may_ask_for_an_encoding_by_name() {
    let server = StandIn::fine().await;
    let mut source = source(&server.address);
    source.headers = vec![("accept-encoding".into(), "identity".into())];
    send(&source, &get(vec![literal("a")]), json!({})).await.unwrap();
    assert_eq!(server.last().header("accept-encoding"), Some("identity"));
}

/// What a server does with its first connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// It closes it, while the client does not look.
    Closes,
    /// It says something else, while the client does not look.
    SaysMore,
    /// It takes another request, and closes it.
    Hears,
}

/// A server that answers once, and does something with its connection when it is told to. Hands back how many
/// requests arrived.
fn leaving(then: Then) -> (String, mpsc::SyncSender<()>, thread::JoinHandle<usize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::sync_channel::<()>(0);
    let serving = thread::spawn(move || {
        let hear = |stream: &mut std::net::TcpStream| usize::from(stream.read(&mut [0; 4096]).unwrap_or(0) > 0);
        let say = |stream: &mut std::net::TcpStream, word: &str| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{word}", word.len());
        };
        let (mut first, _) = listener.accept().unwrap();
        let mut seen = hear(&mut first);
        say(&mut first, "1");
        told.recv().unwrap();
        match then {
            Then::Closes => drop(first.shutdown(std::net::Shutdown::Both)),
            Then::SaysMore => say(&mut first, "2"),
            Then::Hears => {}
        }
        told.recv().unwrap();
        if then == Then::Hears {
            seen += hear(&mut first);
            drop(first);
        }
        // A client that does not ask again ends this connection without a request.
        let (mut second, _) = listener.accept().unwrap();
        seen += hear(&mut second);
        say(&mut second, "3");
        seen
    });
    (address, tell, serving)
}

#[tokio::test]
async fn what_happened_to_a_connection_that_nobody_used_is_seen_before_the_next_request() {
    for (method, then, expected, arrived) in [
        (Method::Get, Then::Closes, Ok("3"), 2),
        (Method::Post, Then::Closes, Ok("3"), 2),
        (Method::Get, Then::SaysMore, Ok("3"), 2),
        (Method::Post, Then::SaysMore, Ok("3"), 2),
        (Method::Get, Then::Hears, Ok("3"), 3),
        (
            Method::Post,
            Then::Hears,
            Err("`shop` closed the connection without an answer. The change may have been made all the same: look \
                 before trying again."),
            2,
        ),
    ] {
        let (address, tell, serving) = leaving(then);
        let upstream = RestUpstream::new("shop", &source(&address), &Vault::default()).unwrap();
        let request = Request { method, ..get(vec![literal("a")]) };
        let ask = async || ask(&upstream, &request, (json!({}), &|_| None)).await;
        assert_eq!(ask().await.unwrap().body, "1");
        // This thread waits, and the runtime with it: it hears nothing of what the server does.
        tell.send(()).unwrap();
        tell.send(()).unwrap();
        let sent = ask().await;
        let found = sent.as_ref().map(|answer| answer.text()).map_err(UpstreamError::public);
        assert_eq!(found, expected.map(Into::into), "{method:?} {then:?}");
        if expected.is_err() {
            drop(std::net::TcpStream::connect(address.trim_start_matches("http://")).unwrap());
        }
        assert_eq!(serving.join().unwrap(), arrived, "{method:?} {then:?}");
    }
}
