//! Floor 5. Requests as they arrive at a stand-in, and answers as they are read from one.

mod lanes;
mod stand_in;

use std::{convert::Infallible, sync::Mutex, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::IntoResponse,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use self::stand_in::{StandIn, broken_off};
use super::*;
use crate::{
    plan::{
        Auth, Bounds, Care, SourceId,
        rest::{
            Body as Sent, Method, Parameter, Parse, PathTemplate, Piece, Request, Segment, Separator, StatusRange,
            Style,
        },
    },
    secret::Secret,
    template::Tree,
};

fn source(address: &str) -> RestSource {
    RestSource {
        base: format!("{address}/v1").parse().unwrap(),
        headers: Vec::new(),
        query: Vec::new(),
        auth: Auth::None,
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(3),
        max_response: 64 * 1024,
        concurrency: 8,
        bounds: Bounds::default(),
        network: Box::default(),
        redirects: plan::Redirects::Refused,
    }
}

fn get(segments: Vec<Segment>) -> Request {
    Request {
        source: SourceId(0),
        method: Method::Get,
        path: PathTemplate { segments, source: "/the/template".into() },
        query: Vec::new(),
        headers: Vec::new(),
        cookies: Vec::new(),
        body: None,
        parse: Parse::Auto,
        success: vec![StatusRange { first: 200, last: 299 }],
        error_when: None,
        errors: Vec::new(),
        placed: Vec::new(),
        care: Care::default(),
    }
}

fn literal(text: &str) -> Segment {
    Segment::Pieces(vec![Piece::Literal(text.into())])
}

fn param(name: &str) -> Segment {
    Segment::Pieces(vec![Piece::Param(name.into())])
}

fn tree(value: &Value) -> Tree {
    Tree::compile(value).unwrap()
}

fn query(name: &str, value: &Value, style: Style) -> Parameter {
    Parameter { name: name.into(), value: tree(value), style }
}

fn scope(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("a scope is an object") };
    map
}

async fn send(source: &RestSource, request: &Request, arguments: Value) -> Result<Box<Answer>, UpstreamError> {
    send_as(source, &Vault::default(), request, (arguments, &|_| None)).await
}

type Credential<'a> = &'a (dyn Fn(&str) -> Option<HeaderValue> + Sync);

async fn send_as(
    source: &RestSource,
    vault: &Vault,
    request: &Request,
    (arguments, credential): (Value, Credential<'_>),
) -> Result<Box<Answer>, UpstreamError> {
    let upstream = RestUpstream::new("shop", source, vault).unwrap();
    ask(&upstream, request, (arguments, credential)).await
}

async fn ask(
    upstream: &RestUpstream,
    request: &Request,
    (arguments, credential): (Value, Credential<'_>),
) -> Result<Box<Answer>, UpstreamError> {
    let scope = scope(arguments);
    let deadline = Instant::now() + Duration::from_secs(20);
    upstream.send(request, &RestCall { scope: &scope, credential, deadline, tell: &|_| {} }).await
}

/// The lane of `https`, also for a stand-in that speaks plain `http`.
async fn send_as_https(source: &RestSource, request: &Request) -> Result<Box<Answer>, UpstreamError> {
    let upstream = RestUpstream::over(Lane::tls(source), "shop", source, &Vault::default()).unwrap();
    ask(&upstream, request, (json!({}), &|_| None)).await
}

#[tokio::test]
async fn paths_arrive_as_they_were_placed() {
    let server = StandIn::fine().await;
    let source = source(&server.address);
    for (value, expected) in [
        (json!("7"), "/v1/items/7"),
        (json!("AC/DC"), "/v1/items/AC%2FDC"),
        (json!("a?x=1#f"), "/v1/items/a%3Fx%3D1%23f"),
        (json!("//evil.test/x"), "/v1/items/%2F%2Fevil.test%2Fx"),
        (json!("http://evil.test/x"), "/v1/items/http:%2F%2Fevil.test%2Fx"),
        (json!("user:pw@evil.test"), "/v1/items/user:pw@evil.test"),
        (json!("..."), "/v1/items/..."),
        (json!("a\\b"), "/v1/items/a%5Cb"),
        (json!("39.7456,-97.0892"), "/v1/items/39.7456,-97.0892"),
    ] {
        let request = get(vec![literal("items"), param("id")]);
        let answer = send(&source, &request, json!({ "id": value })).await.unwrap();
        assert_eq!((answer.status, answer.kind), (200, ContentKind::Json));
        assert_eq!(server.last().target, expected);
    }
    for (segments, expected) in [
        (vec![literal("")], "/v1/"),
        (vec![literal("pokemon"), param("id"), literal("")], "/v1/pokemon/7/"),
        (vec![Segment::Rest("path".into())], "/v1/src/main.rs"),
        (
            vec![Segment::Pieces(vec![
                Piece::Param("id".into()),
                Piece::Literal(",".into()),
                Piece::Param("id".into()),
                Piece::Literal(".json".into()),
            ])],
            "/v1/7,7.json",
        ),
    ] {
        send(&source, &get(segments), json!({ "id": 7, "path": "src/main.rs" })).await.unwrap();
        assert_eq!(server.last().target, expected);
    }
}

#[tokio::test]
async fn refused_values_are_never_sent_and_never_repeated() {
    let server = StandIn::fine().await;
    let source = source(&server.address);
    for value in [
        "",
        ".",
        "..",
        "../admin",
        "%2e%2e",
        "%2E%2e/x",
        "%252e%252e",
        "a\\..\\..\\secret",
        "..%2fx",
        "..%5cx",
        "..;/x",
        "\t../x",
        "a\r\nHost: evil",
        "a%0d%0aHost: evil",
        "a\0b",
        "a%00b",
        "%c0%ae%c0%ae",
    ] {
        for segment in [param("id"), Segment::Rest("id".into())] {
            let request = get(vec![literal("items"), segment]);
            let error = send(&source, &request, json!({ "id": value })).await.unwrap_err();
            assert_eq!(error.class(), FailureClass::Arguments, "{value:?}");
            assert!(error.public().contains("`id`") && !error.public().contains("evil"), "{}", error.public());
        }
    }
    let mut request = get(vec![literal("items")]);
    request.headers = vec![("x-trace".into(), tree(&json!("{{t}}")))];
    for value in [
        json!("a\r\nX-Evil: 1"),
        json!("a\nb"),
        json!("a\0"),
        json!("a\tb"),
        json!("ü"),
        json!("x".repeat(9000)),
        json!([1]),
    ] {
        let error = send(&source, &request, json!({ "t": value })).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Arguments, "{value}");
        assert!(error.public().contains("`x-trace`"), "{}", error.public());
    }
    let mut request = get(vec![literal("items")]);
    request.query = vec![query("q", &json!("{{q}}"), Style::Repeated)];
    let error = send(&source, &request, json!({ "q": "x".repeat(40_000) })).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Arguments);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn queries_keep_the_authors_order_and_every_style() {
    let server = StandIn::fine().await;
    let mut source = source(&server.address);
    source.query = vec![("api version".into(), "2".into())];
    for (value, list, given, expected) in [
        (json!("{{x}}"), Style::Repeated, json!("a b&c=d+e%"), "a%20b%26c%3Dd%2Be%25"),
        (json!("{{x}}"), Style::Repeated, json!(""), ""),
        (json!("{{x}}"), Style::Repeated, json!(5.0), "5"),
        (json!("{{x}}"), Style::Repeated, json!(1.5), "1.5"),
        (json!("{{x}}"), Style::Repeated, json!(false), "false"),
        (json!("{{x}}"), Style::Repeated, json!(["a", "b,c", null, 3]), "a&x=b%2Cc&x=3"),
        (json!("{{x}}"), Style::Joined(Separator::Comma), json!(["a", "b,c", null, 3]), "a,b%2Cc,3"),
        (json!(["temperature_2m", "rain"]), Style::Joined(Separator::Comma), json!(0), "temperature_2m,rain"),
        (json!("{{x}}"), Style::Json, json!({"a": [1]}), "%7B%22a%22%3A%5B1%5D%7D"),
        (json!("n={{x}}"), Style::Repeated, json!("é"), "n%3D%C3%A9"),
    ] {
        let mut request = get(vec![literal("a")]);
        request.query = vec![query("z", &json!(1), Style::Repeated), query("x", &value, list)];
        send(&source, &request, json!({ "x": given })).await.unwrap();
        assert_eq!(server.last().target, format!("/v1/a?z=1&x={expected}&api%20version=2"), "{value}");
    }
    source.query.clear();
    for given in [json!({ "x": null }), json!({}), json!({ "x": [] }), json!({ "x": [null] })] {
        let mut request = get(vec![literal("a")]);
        let value = json!("{{x}}");
        request.query = vec![query("x", &value, Style::Repeated), query("y", &value, Style::Joined(Separator::Comma))];
        send(&source, &request, given).await.unwrap();
        assert_eq!(server.last().target, "/v1/a");
    }
}

#[tokio::test]
async fn only_declared_headers_are_sent() {
    let server = StandIn::fine().await;
    let mut source = source(&server.address);
    send(&source, &get(vec![literal("a")]), json!({})).await.unwrap();
    let seen = server.last();
    let mut names: Vec<&str> = seen.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "user-agent"]);
    assert_eq!(seen.header("accept"), Some("application/json, */*;q=0.8"));
    assert_eq!(seen.header("user-agent"), Some(concat!("mcp-bridge/", env!("CARGO_PKG_VERSION"))));

    source.headers = vec![("accept".into(), "application/vnd.x+json".into()), ("user-agent".into(), "mine".into())];
    let mut request = get(vec![literal("a")]);
    request.headers = vec![
        ("x-number".into(), tree(&json!("{{n}}"))),
        ("x-empty".into(), tree(&json!("{{e}}"))),
        ("x-absent".into(), tree(&json!("{{absent}}"))),
        ("x-null".into(), tree(&json!("{{null}}"))),
    ];
    send(&source, &request, json!({ "n": 7, "e": "", "null": null })).await.unwrap();
    let seen = server.last();
    for (name, expected) in [
        ("accept", Some("application/vnd.x+json")),
        ("user-agent", Some("mine")),
        ("x-number", Some("7")),
        ("x-empty", Some("")),
        ("x-absent", None),
        ("x-null", None),
    ] {
        assert_eq!(seen.header(name), expected, "{name}");
    }
    for denied in [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "cookie",
        "authorization",
        "x-forwarded-for",
        "proxy-x",
    ] {
        request.headers = vec![(denied.into(), tree(&json!("evil")))];
        assert_eq!(send(&source, &request, json!({})).await.unwrap_err().class(), FailureClass::Internal, "{denied}");
        source.headers = vec![(denied.into(), "evil".into())];
        assert!(RestUpstream::new("shop", &source, &Vault::default()).is_err(), "{denied}");
        source.headers.clear();
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn bodies_are_json_unless_the_author_says_otherwise() {
    let server = StandIn::fine().await;
    let source = source(&server.address);
    for (body, arguments, expected) in [
        (
            json!({"t": "{{t}}", "n": "{{n}}", "l": ["{{n}}", "{{no}}"]}),
            json!({"t": "\"\\\n", "n": 5}),
            r#"{"t":"\"\\\n","n":5,"l":[5]}"#,
        ),
        (json!("{{args}}"), json!({}), "{}"),
        (json!({"t": "{{t}}"}), json!({}), "{}"),
        (json!({"big": "{{n}}"}), json!({"n": 12_345_678_901_234_567_890_u64}), r#"{"big":12345678901234567890}"#),
    ] {
        let mut request = get(vec![literal("a")]);
        request.method = Method::Post;
        request.body = Some(Sent::Json(tree(&body)));
        send(&source, &request, arguments.clone()).await.unwrap();
        let seen = server.last();
        assert_eq!(seen.body, expected);
        assert_eq!((seen.method.as_str(), seen.header("content-type")), ("POST", Some("application/json")));

        request.headers = vec![("content-type".into(), tree(&json!("application/merge-patch+json")))];
        send(&source, &request, arguments).await.unwrap();
        assert_eq!(server.last().header("content-type"), Some("application/merge-patch+json"));
    }
    let mut request = get(vec![literal("a")]);
    request.method = Method::Delete;
    send(&source, &request, json!({})).await.unwrap();
    let seen = server.last();
    assert_eq!((seen.method.as_str(), seen.header("content-type"), seen.body.len()), ("DELETE", None, 0));
}

#[tokio::test]
async fn every_kind_of_credential_is_sent_in_its_own_way() {
    let server = StandIn::fine().await;
    let mut vault = Vault::default();
    let id = vault.store(Secret::new("s3cr&t".into()));
    for (auth, target, header) in [
        (Auth::None, "/v1/a?z=1&f=2", None),
        (Auth::Bearer(id), "/v1/a?z=1&f=2", Some(("authorization", "Bearer s3cr&t"))),
        (
            Auth::Basic { username: "u".into(), password: id },
            "/v1/a?z=1&f=2",
            Some(("authorization", "Basic dTpzM2NyJnQ=")),
        ),
        (Auth::HeaderKey { header: "x-api-key".into(), value: id }, "/v1/a?z=1&f=2", Some(("x-api-key", "s3cr&t"))),
        (Auth::QueryKey { name: "key".into(), value: id }, "/v1/a?z=1&f=2&key=s3cr%26t", None),
    ] {
        let source = RestSource { auth, query: vec![("f".into(), "2".into())], ..source(&server.address) };
        let mut request = get(vec![literal("a")]);
        request.query = vec![query("z", &json!(1), Style::Repeated)];
        // What an argument puts under the name of the key does not win.
        request.headers = vec![("x-api-key".into(), tree(&json!("{{forged}}")))];
        let forged =
            if matches!(source.auth, Auth::HeaderKey { .. }) { json!({ "forged": "mine" }) } else { json!({}) };
        send_as(&source, &vault, &request, (forged, &|_| None)).await.unwrap();
        let seen = server.last();
        assert_eq!(seen.target, target);
        for name in ["authorization", "x-api-key"] {
            let expected = header.filter(|(expected, _)| *expected == name).map(|(_, value)| value);
            assert_eq!(seen.header(name), expected, "{name}");
        }
        let upstream = RestUpstream::new("shop", &source, &vault).unwrap();
        assert!(!format!("{upstream:?}").contains("s3cr"));
    }
}

#[tokio::test]
async fn a_key_is_in_no_error() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let mut vault = Vault::default();
    let value = vault.store(Secret::new("s3cret".into()));
    let source = RestSource { auth: Auth::QueryKey { name: "key".into(), value }, ..source(&address) };
    let error = send_as(&source, &vault, &get(vec![literal("a")]), (json!({}), &|_| None)).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Unreachable);
    assert_eq!(error.public(), "`shop` could not be reached: the connection was refused.");
    let cause = error.cause().unwrap();
    assert!(cause.contains("refused") && !cause.contains("s3cret") && !cause.contains("127.0.0.1"), "{cause}");

    let bad = vault.store(Secret::new("s3cret\nX: 1".into()));
    let source = RestSource { auth: Auth::Bearer(bad), ..source };
    let error = RestUpstream::new("shop", &source, &vault).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn the_callers_credential_goes_to_its_own_source_only() {
    let (own, other) = (StandIn::fine().await, StandIn::fine().await);
    let vault = Vault::default();
    let asked = Mutex::new(Vec::new());
    let credential = |name: &str| {
        asked.lock().unwrap().push(name.to_owned());
        (name == "x-shop-token").then(|| HeaderValue::from_static("Bearer mine"))
    };
    let auth = Auth::Passthrough { from: "x-shop-token".into(), to: "authorization".into() };
    let passing = RestSource { auth, ..source(&own.address) };
    let request = get(vec![literal("a")]);
    send_as(&passing, &vault, &request, (json!({}), &credential)).await.unwrap();
    let seen = own.last();
    assert_eq!((seen.header("authorization"), seen.header("x-shop-token")), (Some("Bearer mine"), None));
    assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>(), ["x-shop-token"]);

    send_as(&source(&other.address), &vault, &request, (json!({}), &credential)).await.unwrap();
    assert_eq!(other.last().header("authorization"), None);
    assert!(asked.lock().unwrap().is_empty());

    for absent in [None, Some(HeaderValue::from_static(""))] {
        let error = send_as(&passing, &vault, &request, (json!({}), &|_: &str| absent.clone())).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Credential);
        assert_eq!(error.public(), "`shop` is asked with your own credential: send it in the header `x-shop-token`.");
    }
    assert_eq!(own.count(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let second = StandIn::fine().await;
    let elsewhere = second.address.clone();
    for (place, expected) in [
        (elsewhere, "`shop` answered with a redirect to another host, which is not followed."),
        ("/v1/b".to_owned(), "`shop` answered with a redirect to the same host, which is not followed."),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let place = place.clone();
            let first = StandIn::start(move || {
                (StatusCode::from_u16(status).unwrap(), [("location", place.clone())]).into_response()
            })
            .await;
            let (source, request) = (source(&first.address), get(vec![literal("a")]));
            for sent in [send(&source, &request, json!({})).await, send_as_https(&source, &request).await] {
                let error = sent.unwrap_err();
                assert_eq!((error.class(), error.public()), (FailureClass::Refused, expected));
            }
            assert_eq!((first.count(), second.count()), (2, 0));
        }
    }
}

#[tokio::test]
async fn answers_are_read_up_to_the_cap() {
    let endless = || {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 4096])));
        Body::from_stream(chunks).into_response()
    };
    let announced = || vec![b' '; 64 * 1024 + 1].into_response();
    let request = get(vec![literal("a")]);
    for server in [StandIn::start(endless).await, StandIn::start(announced).await] {
        let source = source(&server.address);
        for sent in [send(&source, &request, json!({})).await, send_as_https(&source, &request).await] {
            let error = sent.unwrap_err();
            assert_eq!((error.class(), error.public()), (FailureClass::TooLarge, TOO_LARGE));
        }
    }
    let exact = StandIn::start(|| vec![b' '; 64 * 1024].into_response()).await;
    let failing = StandIn::start(|| (StatusCode::BAD_GATEWAY, vec![b' '; 200 * 1024]).into_response()).await;
    for (server, status) in [(exact, 200), (failing, 502)] {
        let source = source(&server.address);
        for sent in [send(&source, &request, json!({})).await, send_as_https(&source, &request).await] {
            let answer = sent.unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 64 * 1024));
        }
    }
}

const TOO_LARGE: &str = "`shop` answered with more than 64 KiB, which is the most that is read; ask for less.";

#[tokio::test]
async fn answers_are_classified() {
    for (reply, parse, kind, body) in [
        ((200, "application/json", r#"{"a":1}"#), Parse::Auto, ContentKind::Json, r#"{"a":1}"#),
        ((200, "application/json", "\u{FEFF}[1]"), Parse::Auto, ContentKind::Json, "[1]"),
        ((200, "text/html", r#"{"a":1}"#), Parse::Json, ContentKind::Json, r#"{"a":1}"#),
        ((200, "application/json", "[1]"), Parse::Text, ContentKind::Text, "[1]"),
        ((200, "text/html", "<p>x"), Parse::Auto, ContentKind::Html, "<p>x"),
        ((200, "image/png", "PNG"), Parse::Auto, ContentKind::Binary, "PNG"),
        ((200, "application/json", ""), Parse::Json, ContentKind::Empty, ""),
        ((404, "application/problem+json", r#"{"title":"No"}"#), Parse::Auto, ContentKind::Json, r#"{"title":"No"}"#),
    ] {
        let (status, content_type, text) = reply;
        let server = StandIn::start(move || {
            let headers = [("content-type", content_type), ("retry-after", "7"), ("location", "/v1/x?y=1")];
            (StatusCode::from_u16(status).unwrap(), headers, text).into_response()
        })
        .await;
        let mut request = get(vec![literal("a")]);
        request.parse = parse.clone();
        let source = source(&server.address);
        for sent in [send(&source, &request, json!({})).await, send_as_https(&source, &request).await] {
            let answer = sent.unwrap();
            assert_eq!((answer.status, answer.kind, &*answer.body), (status, kind, body.as_bytes()));
            assert_eq!((answer.retry_after, answer.location), (Some(Duration::from_secs(7)), Some("/x".to_owned())));
        }
    }
    let nothing = StandIn::start(|| StatusCode::NO_CONTENT.into_response()).await;
    let answer = send(&source(&nothing.address), &get(vec![literal("a")]), json!({})).await.unwrap();
    assert_eq!((answer.status, answer.kind, answer.location), (204, ContentKind::Empty, None));
}

#[tokio::test]
async fn slow_answers_end_at_the_deadline_and_say_what_may_have_happened() {
    let silent = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>()).into_response();
    let server = StandIn::start(silent).await;
    let upstream = RestUpstream::new("shop", &source(&server.address), &Vault::default()).unwrap();
    let scope = Map::new();
    for (method, expected) in [
        (Method::Get, "`shop` did not answer in time."),
        (
            Method::Post,
            "`shop` did not answer in time. The change may have been made all the same: look before trying again.",
        ),
    ] {
        let request = Request { method, ..get(vec![literal("a")]) };
        let deadline = Instant::now() + Duration::from_millis(60);
        let call = RestCall { scope: &scope, credential: &|_| None, deadline, tell: &|_| {} };
        let error = upstream.send(&request, &call).await.unwrap_err();
        assert_eq!((error.class(), error.public()), (FailureClass::Timeout, expected));
    }
    // A call whose time is over is not sent.
    let call = RestCall { scope: &scope, credential: &|_| None, deadline: Instant::now(), tell: &|_| {} };
    let error = upstream.send(&get(vec![literal("a")]), &call).await.unwrap_err();
    let expected = "`shop` was not asked, because the time for this call is over.";
    assert_eq!((error.class(), error.public(), server.count()), (FailureClass::Timeout, expected, 2));
}

#[tokio::test]
async fn waiting_for_a_place_ends_at_the_deadline() {
    let silent = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>()).into_response();
    let server = StandIn::start(silent).await;
    let source = RestSource { concurrency: 1, ..source(&server.address) };
    let upstream = RestUpstream::new("shop", &source, &Vault::default()).unwrap();
    let (scope, request) = (Map::new(), get(vec![literal("a")]));
    let call = |wait| RestCall {
        scope: &scope,
        credential: &|_| None,
        deadline: Instant::now() + Duration::from_millis(wait),
        tell: &|_| {},
    };
    let (first, second) = (call(300), call(60));
    let (first, second) = tokio::join!(upstream.send(&request, &first), upstream.send(&request, &second));
    assert_eq!(first.unwrap_err().class(), FailureClass::Timeout);
    assert_eq!(second.unwrap_err().class(), FailureClass::Busy);
    assert_eq!(server.count(), 1);
    // The place is free again.
    assert_eq!(upstream.send(&request, &call(60)).await.unwrap_err().class(), FailureClass::Timeout);
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    let (half, _serving_half) = broken_off("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[1,").await;
    let (closed, _serving_closed) = broken_off("").await;
    let mut named = source("http://127.0.0.1:1");
    let request = get(vec![literal("a")]);
    for (address, expected) in [
        (&*half, "`shop` broke its answer off."),
        (&*closed, "`shop` closed the connection without an answer."),
        ("http://127.0.0.1:1", "`shop` could not be reached: the connection was refused."),
        ("http://no-such-host.invalid", "`shop` could not be reached: its host name was not found."),
    ] {
        named.base = address.parse().unwrap();
        for sent in [send(&named, &request, json!({})).await, send_as_https(&named, &request).await] {
            let error = sent.unwrap_err();
            assert_eq!((error.class(), error.public()), (FailureClass::Unreachable, expected));
        }
    }
    let plain = StandIn::fine().await;
    named.base = plain.address.replace("http:", "https:").parse().unwrap();
    let error = send(&named, &get(vec![literal("a")]), json!({})).await.unwrap_err();
    assert_eq!(error.public(), "`shop` could not be reached: no trusted TLS connection could be made.");
}
