//! Sources that speak HTTP badly, or stop in the middle of it: each caller gets its own answer or an error, what
//! changes something is sent once, and a connection is used again only if nothing is left in it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Barrier,
};

use crate::support::{Served, call_message, serve, spawn, until};

const BRIDGE: &str = r#"
bridge: rough
sources:
  api: { rest: { base_url: "${API}", breaker: { failures: 100000 } } }
  hasty: { rest: { base_url: "${API}", timeout: 200ms } }
  brief: { rest: { base_url: "${API}", timeout: 3s } }
  moving: { rest: { base_url: "${API}", redirects: same_origin } }
tools:
  get: { description: Gets., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: api, get: "/{what}/{id}" } }
  post: { description: Posts., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: api, post: "/{what}/{id}", json: { a: 1 } } }
  head: { description: Heads., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: api, head: "/{what}/{id}" } }
  hasty: { description: Gets., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: hasty, get: "/{what}/{id}" } }
  brief: { description: Gets., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: brief, get: "/{what}/{id}" } }
  taken: { description: Gets., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: brief, get: "/{what}/{id}", success: [2xx, 409] }, output: { max_bytes: 200KiB } }
  moving: { description: Gets., params: { what: { type: string, description: What. }, id: { type: string, description: Id. } }, rest: { source: moving, get: "/{what}/{id}" } }
"#;

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Asked {
    what: String,
    id: String,
    /// How many came before it on the same connection.
    before: usize,
}

/// What happens to a connection after something was said on it.
#[derive(Clone, Copy, Debug)]
enum Then {
    Stays,
    Closes,
    Resets,
    /// Nothing is said any more, until the client closes it.
    Waits,
}

type Script = Arc<dyn Fn(&Asked) -> (String, Then) + Send + Sync>;

/// A source that says what it is told to, letter for letter.
#[derive(Clone)]
struct Rough {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    /// Requests are answered when so many wait.
    together: Arc<Barrier>,
}

impl Rough {
    async fn start(together: usize, script: impl Fn(&Asked) -> (String, Then) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let together = Arc::new(Barrier::new(together));
        let rough =
            Self { address, seen: Arc::default(), connections: Arc::default(), ended: Arc::default(), together };
        let (serving, script): (_, Script) = (rough.clone(), Arc::new(script));
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                spawn(serving.clone().converse(stream, Arc::clone(&script)));
            }
        });
        rough
    }

    async fn converse(self, stream: TcpStream, script: Script) {
        let mut reader = BufReader::new(stream);
        for before in 0.. {
            let Some(asked) = read(&mut reader, before).await else { break };
            self.seen.lock().expect("no panic holds it").push(asked.clone());
            if asked.what == "together" {
                self.together.wait().await;
            }
            let (said, then) = script(&asked);
            if reader.get_mut().write_all(said.as_bytes()).await.is_err() {
                break;
            }
            match then {
                Then::Stays => {}
                Then::Closes => break,
                Then::Resets => {
                    reader.get_mut().set_zero_linger().expect("an open connection");
                    break;
                }
                Then::Waits => {
                    let _ = reader.read_to_end(&mut Vec::new()).await;
                    break;
                }
            }
        }
        drop(reader);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    async fn bridge(&self) -> Served {
        serve(&[("rough.yaml", BRIDGE)], &[("API", &format!("http://{}", self.address))]).await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn arrived(&self, id: &str) -> usize {
        self.seen.lock().expect("no panic holds it").iter().filter(|asked| asked.id == id).count()
    }
}

async fn read(reader: &mut BufReader<TcpStream>, before: usize) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let target = words.nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    reader.read_exact(&mut vec![0; length]).await.ok()?;
    let (what, id) = target.trim_start_matches('/').split_once('/')?;
    Some(Asked { what: what.to_owned(), id: id.to_owned(), before })
}

fn own(id: &str) -> String {
    json!({ "id": id }).to_string()
}

/// What the source says, with what depends on the id filled in.
fn filled(said: &str, id: &str) -> String {
    let body = own(id);
    let pieces: Vec<String> = body.chars().map(|it| format!("1;of=\"many\"\r\n{it}\r\n")).collect();
    said.replace("WHOLE", &format!("content-length: {}\r\n\r\n{body}", body.len()))
        .replace("PIECES", &format!("transfer-encoding: chunked\r\n\r\n{}0\r\nx-end: 1\r\n\r\n", pieces.concat()))
        .replace("LARGE", &format!("content-length: 100000\r\n\r\n{}", "x".repeat(100_000)))
        .replace("MANY", &"x: y\r\n".repeat(150))
        .replace("BODY", &body)
}

fn fine(id: &str) -> String {
    filled("HTTP/1.1 200 OK\r\nWHOLE", id)
}

/// The text of a result, and whether it is one.
async fn asked(server: &Served, tool: &str, what: &str, id: &str) -> Result<String, String> {
    let result = server.call(tool, &json!({ "what": what, "id": id })).await;
    let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    if result.get("isError") == Some(&Value::Bool(true)) { Err(text) } else { Ok(text) }
}

const OWN: Result<&str, &str> = Ok("BODY");
const NO_HTTP: Result<&str, &str> = Err("`api` answered with what is no answer of HTTP.");
const BROKEN: Result<&str, &str> = Err("`api` broke its answer off.");
const SILENT: Result<&str, &str> = Err("`api` closed the connection without an answer.");
const EMPTY: Result<&str, &str> = Ok("Done: the API answered with status 204 and no content.");

/// How many connections are made by a call and the one after it, where there is one from before.
type Made = usize;

/// What the source says to a request, what it does then, and what comes of it.
#[rustfmt::skip]
const STRANGE: [(&str, Then, Result<&str, &str>, Made); 38] = [
    ("HTTP/1.1 200 OK\r\nWHOLE", Then::Stays, OWN, 0),
    ("HTTP/1.1 200\r\nWHOLE", Then::Stays, OWN, 0),
    ("\r\nHTTP/1.1 200 OK\nWHOLE", Then::Stays, OWN, 0),
    ("HTTP/1.1 200 OK\r\nPIECES", Then::Stays, OWN, 0),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nWHOLE", Then::Stays, OWN, 0),
    ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\nWHOLE", Then::Stays, OWN, 0),
    ("HTTP/1.1 204 No Content\r\n\r\n", Then::Stays, EMPTY, 0),
    ("HTTP/1.1 500 Oh\r\nWHOLE", Then::Stays, Err("with status 500"), 0),
    ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", Then::Stays, Err("with status 304"), 0),
    // The connection ends with the answer, or has to.
    ("HTTP/1.1 200 OK\r\nWHOLE", Then::Closes, OWN, 1),
    ("HTTP/1.1 200 OK\r\nPIECES", Then::Closes, OWN, 1),
    ("HTTP/1.1 200 OK\r\nconnection: close\r\nWHOLE", Then::Stays, OWN, 1),
    ("HTTP/1.0 200 OK\r\nWHOLE", Then::Stays, OWN, 1),
    ("HTTP/1.1 200 OK\r\n\r\nBODY", Then::Closes, OWN, 1),
    ("HTTP/1.1 500 Oh\r\nLARGE", Then::Stays, Err("with status 500"), 1),
    ("HTTP/1.1 302 Found\r\nlocation: /a\r\nLARGE", Then::Stays, Err("with a redirect to the same host"), 1),
    ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Then::Stays, Err("with status 101"), 1),
    // More comes than was asked for, and goes to nobody.
    ("HTTP/1.1 200 OK\r\nWHOLEHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"another\"", Then::Stays, OWN, 1),
    ("HTTP/1.1 200 OK\r\nPIECESHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"another\"", Then::Stays, OWN, 1),
    ("HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n\"another\"", Then::Stays, EMPTY, 1),
    ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"another\"", Then::Stays, EMPTY, 1),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"another\"", Then::Stays, Ok("[]"), 1),
    // Less comes.
    ("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nBODY", Then::Closes, BROKEN, 1),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n", Then::Closes, BROKEN, 1),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf000\r\n1234", Then::Closes, BROKEN, 1),
    // What cannot be read.
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\n[][]", Then::Stays, NO_HTTP, 1),
    ("HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n[]", Then::Stays, NO_HTTP, 1),
    ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n[]", Then::Stays, NO_HTTP, 1),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n[]", Then::Stays, BROKEN, 1),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n[]", Then::Stays, BROKEN, 1),
    ("HTTP/1.1 2x0 OK\r\nWHOLE", Then::Stays, NO_HTTP, 1),
    ("HTTP/1.1 200 OK\r\na: b\0c\r\nWHOLE", Then::Stays, NO_HTTP, 1),
    ("HTTP/1.1 200 OK\r\nMANYWHOLE", Then::Stays, NO_HTTP, 1),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Then::Stays, NO_HTTP, 1),
    ("SSH-2.0-OpenSSH_9.2\r\n", Then::Stays, NO_HTTP, 1),
    // Nothing comes, or nothing whole: what only reads is asked for once more, over a connection of its own.
    ("", Then::Closes, SILENT, 2),
    ("", Then::Resets, SILENT, 2),
    ("HTTP/1.1 200 O", Then::Closes, SILENT, 2),
];

#[tokio::test]
async fn every_strange_answer_ends_its_own_call_and_no_other() {
    let api = Rough::start(1, |asked| match asked.what.parse::<usize>() {
        Ok(index) => (filled(STRANGE[index].0, &asked.id), STRANGE[index].1),
        Err(_) => (fine(&asked.id), Then::Stays),
    })
    .await;
    let server = api.bridge().await;
    for (index, (said, then, expected, made)) in STRANGE.iter().enumerate() {
        for tool in ["get", "post"] {
            let what = format!("{tool} {then:?} {said:?}");
            let [before, id, after] = ["before", tool, "after"].map(|word| format!("{word}-{index}-{tool}"));
            assert_eq!(asked(&server, "get", "fine", &before).await, Ok(own(&before)), "{what}");
            let connections = api.connections();
            let found = asked(&server, tool, &index.to_string(), &id).await;
            match expected {
                Ok(text) => assert_eq!(found, Ok(text.replace("BODY", &own(&id))), "{what}"),
                Err(words) => assert!(found.as_ref().is_err_and(|text| text.contains(words)), "{what}: {found:?}"),
            }
            assert_eq!(asked(&server, "get", "fine", &after).await, Ok(own(&after)), "{what}");
            let again = usize::from(tool == "get" && *made == 2);
            assert_eq!(
                (api.arrived(&id), api.connections() - connections),
                (1 + again, (*made).min(1 + again)),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_where_none_may_be_is_not_taken_for_an_answer() {
    let api = Rough::start(1, |asked| match asked.what.as_str() {
        "length" => ("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".to_owned(), Then::Stays),
        _ => (fine(&asked.id), Then::Stays),
    })
    .await;
    let server = api.bridge().await;
    for (what, made) in [("length", 1), ("body", 2)] {
        let text = asked(&server, "head", what, "1").await;
        assert_eq!(text, Ok("Done: the API answered with status 200 and no content.".to_owned()), "{what}");
        assert_eq!(asked(&server, "get", "fine", "2").await, Ok(own("2")), "{what}");
        assert_eq!(api.connections(), made, "{what}");
    }
}

#[tokio::test]
async fn callers_of_a_wild_source_get_their_own_or_an_error() {
    const CALLERS: usize = 64;
    const CALLS: usize = 12;
    let api = Rough::start(1, |asked| {
        let number: usize = asked.id.parse().expect("a number");
        match number % 8 {
            0 => (fine(&asked.id), Then::Closes),
            1 => (format!("{}{}", fine(&asked.id), fine("another")), Then::Stays),
            2 => (String::new(), Then::Resets),
            3 => (filled("HTTP/1.1 200 OK\r\nPIECES", &asked.id), Then::Stays),
            4 => (filled("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nBODY", &asked.id), Then::Closes),
            _ => (fine(&asked.id), Then::Stays),
        }
    })
    .await;
    let server = api.bridge().await;
    let caller = async |number: usize| {
        for call in 0..CALLS {
            let number = 100_000 + number * CALLS + call;
            let (id, tool) = (number.to_string(), if number.is_multiple_of(3) { "post" } else { "get" });
            match asked(&server, tool, "wild", &id).await {
                Ok(text) => assert_eq!(text, own(&id)),
                // What reads is asked for again where its connection failed it; what the source breaks stays broken.
                Err(text) => assert!(tool == "post" || matches!(number % 8, 2 | 4), "{id}: {text}"),
            }
            assert!(tool == "get" || api.arrived(&id) <= 1, "{id} was sent twice");
        }
    };
    futures_util::future::join_all((0..CALLERS).map(caller)).await;
    assert!(api.seen.lock().expect("no panic holds it").len() >= CALLERS * CALLS / 2);
}

#[tokio::test]
async fn what_is_asked_for_again_takes_a_connection_that_cannot_be_stale() {
    // Three connections are kept, and every one ends when it is used a second time.
    let api = Rough::start(3, |asked| match asked.before {
        0 if asked.what == "moved" => {
            (filled("HTTP/1.1 302 Found\r\nlocation: /fine/there\r\nWHOLE", &asked.id), Then::Stays)
        }
        0 => (fine(&asked.id), Then::Stays),
        _ => (String::new(), Then::Closes),
    })
    .await;
    let server = api.bridge().await;
    let three = async |tool: &str| {
        let calls = ["1", "2", "3"].map(|id| asked(&server, tool, "together", id));
        assert_eq!(futures_util::future::join_all(calls).await, ["1", "2", "3"].map(|id| Ok(own(id))));
    };
    three("get").await;
    assert_eq!(asked(&server, "get", "fine", "4").await, Ok(own("4")));
    let text = asked(&server, "post", "fine", "5").await.expect_err("it may have been done");
    assert!(text.contains("closed the connection without an answer") && text.contains("look before"), "{text}");
    assert_eq!((api.arrived("4"), api.arrived("5"), api.connections()), (2, 1, 4));
    // Where a redirect leads is asked for in the same way.
    three("moving").await;
    assert_eq!(asked(&server, "moving", "moved", "6").await, Ok(own("there")));
    assert_eq!((api.arrived("6"), api.arrived("there")), (2, 2));
}

#[tokio::test]
async fn a_call_that_ends_early_takes_its_connection_with_it() {
    let api = Rough::start(1, |asked| match asked.what.as_str() {
        "half" => (filled("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nBODY", &asked.id), Then::Waits),
        "silent" => (String::new(), Then::Waits),
        _ => (fine(&asked.id), Then::Stays),
    })
    .await;
    let server = api.bridge().await;
    for (what, ended) in [("half", 1), ("silent", 2)] {
        // At its deadline.
        let text = asked(&server, "hasty", what, "1").await.expect_err("no answer");
        assert_eq!(text, "`hasty` did not answer in time.", "{what}");
        until("the end of its connection", || api.ended.load(Ordering::Relaxed) == ended).await;
        assert_eq!(asked(&server, "hasty", "fine", "2").await, Ok(own("2")), "{what}");
    }
    for (what, ended) in [("half", 3), ("silent", 4)] {
        // When its caller takes it back.
        let session = server.session("2025-06-18").await;
        let call = server.post(&call_message("get", &json!({ "what": what, "id": what })));
        let call = spawn(call.header("mcp-session-id", &session).send(server.address));
        until("the call", || api.arrived(what) == 1).await;
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
        server.post(&cancel).header("mcp-session-id", &session).send(server.address).await;
        call.await.expect("the call ends");
        until("the end of its connection", || api.ended.load(Ordering::Relaxed) == ended).await;
        assert_eq!(asked(&server, "get", "fine", "3").await, Ok(own("3")), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_a_great_many_small_pieces_ends_at_the_deadline() {
    // Small enough to be read, and more than can be read in the time.
    let api = Rough::start(1, |asked| {
        let many = match asked.what.as_str() {
            "pieces" => format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
                "1\r\n \r\n".repeat(2 << 20) + "0\r\n\r\n"
            ),
            _ => "HTTP/1.1 100 Continue\r\n\r\n".repeat(1 << 20),
        };
        (many + &fine(&asked.id), Then::Stays)
    })
    .await;
    let server = api.bridge().await;
    for what in ["pieces", "interim"] {
        let text = asked(&server, "hasty", what, "1").await.expect_err("no end");
        assert_eq!(text, "`hasty` did not answer in time.", "{what}");
    }
}

#[tokio::test]
async fn an_error_whose_body_does_not_end_is_told_by_its_status() {
    let api = Rough::start(1, |_| {
        let said = "HTTP/1.1 409 Conflict\r\ncontent-type: text/plain\r\ncontent-length: 500\r\n\r\nThe name is taken";
        (said.to_owned(), Then::Waits)
    })
    .await;
    let server = api.bridge().await;
    let text = asked(&server, "brief", "error", "1").await.expect_err("an error");
    assert_eq!(text, "GET /{what}/{id} was answered with status 409: The name is taken.");
    until("the end of its connection", || api.ended.load(Ordering::Relaxed) == 1).await;
}

#[tokio::test]
async fn a_result_is_whole_whatever_its_status_is() {
    let api = Rough::start(1, |asked| match asked.what.as_str() {
        "large" => (filled("HTTP/1.1 409 Conflict\r\ncontent-type: text/plain\r\nLARGE", &asked.id), Then::Stays),
        _ => ("HTTP/1.1 409 Conflict\r\ncontent-length: 500\r\n\r\nthe first half of a res".into(), Then::Waits),
    })
    .await;
    let server = api.bridge().await;
    assert_eq!(asked(&server, "taken", "large", "1").await.map(|text| text.len()), Ok(100_000));
    let text = asked(&server, "taken", "half", "2").await.expect_err("half a result is none");
    assert_eq!(text, "`brief` did not answer in time.");
}
