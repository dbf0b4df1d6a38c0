//! Answers of every kind an API gives, below `/bin`: content types, charsets, compression, errors
//! of several houses, redirects. What comes is remembered like everything else.

use std::io::Write as _;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::Response,
};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use serde_json::json;

use super::upstream::{Memory, Seen, note};

/// A picture of one point.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

struct Canned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Canned {
    fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers =
            if content_type.is_empty() { Vec::new() } else { vec![("content-type", content_type.to_owned())] };
        Self { status, headers, body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn deflated(mut self) -> Self {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.body).expect("memory");
        self.body = encoder.finish().expect("memory");
        self.with("content-encoding", "deflate")
    }

    /// Brotli with the body as one uncompressed piece (RFC 7932 §9.2).
    fn brotlied(mut self) -> Self {
        let length = u32::try_from(self.body.len()).expect("a short body") - 1;
        let head = (length << 4 | 1 << 20).to_le_bytes();
        self.body = [&head[..3], &self.body, &[0x03]].concat();
        self.with("content-encoding", "br")
    }

    fn gzipped(mut self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.body).expect("memory");
        self.body = encoder.finish().expect("memory");
        self.with("content-encoding", "gzip")
    }
}

pub(super) async fn answer(State(memory): State<Memory>, Path(rest): Path<String>, request: Request) -> Response<Body> {
    let (seen, _) = note(&memory, request).await;
    let canned = canned(&rest, &seen);
    let mut response = Response::builder().status(canned.status);
    for (name, value) in canned.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(canned.body)).expect("a response")
}

fn canned(rest: &str, seen: &Seen) -> Canned {
    const JSON: &str = "application/json";
    let (name, argument) = rest.split_once('/').unwrap_or((rest, ""));
    let xml = "<?xml version=\"1.0\"?><feed><entry id=\"1\"><title>A &amp; B</title></entry></feed>";
    let problem = json!({ "title": "Out of stock", "detail": "None of SKU-7 is left.", "status": 409 }).to_string();
    match name {
        "xml" => Canned::new(200, "application/atom+xml", xml),
        "xml-as-text" => Canned::new(200, "text/plain", xml),
        "csv" => Canned::new(200, "text/csv", "id,name\n007,\"Cup, red\"\n8,Pot\n"),
        "semicolons" => Canned::new(200, "application/octet-stream", "7;Cup\n8;Pot\n"),
        "ndjson" => Canned::new(200, "application/x-ndjson", "{\"id\":1}\n{\"id\":2}\n"),
        "sse" => Canned::new(200, "text/event-stream", "data: {\"id\":1}\n\nevent: end\ndata: bye\n\ndata: [DONE]\n\n"),
        "html" => Canned::new(200, "text/html", "<html><script>evil()</script><p>One</p><p>Two &amp; three</p></html>"),
        "latin1" => Canned::new(200, "text/plain; charset=iso-8859-1", b"caf\xE9".as_slice()),
        "sjis-json" => Canned::new(200, "application/json; charset=shift_jis", b"{\"n\":\"\x93\xFA\"}".as_slice()),
        "utf16" => {
            Canned::new(200, JSON, "\u{FEFF}{\"n\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
        }
        "untyped" => Canned::new(200, "", "{\"n\":1}"),
        "png" => Canned::new(200, "image/png", PNG),
        "wav" => Canned::new(200, "audio/wav", "RIFF"),
        "svg" => Canned::new(200, "image/svg+xml", "<svg/>"),
        "pdf" => {
            let name = "attachment; filename=\"../../Report 7.pdf\"";
            Canned::new(200, "application/pdf", "%PDF-1.7").with("content-disposition", name)
        }
        "gzip" => Canned::new(200, JSON, "{\"packed\":true}").gzipped(),
        "gzip-bomb" => Canned::new(200, JSON, vec![b' '; 8 << 20]).gzipped(),
        "gzip-problem" => Canned::new(409, "application/problem+json", problem).gzipped(),
        "br-problem" => Canned::new(409, "application/problem+json", problem).brotlied(),
        "deflate-problem" => Canned::new(409, "application/problem+json", problem).deflated(),
        "quota" => Canned::new(403, JSON, "{\"message\":\"API rate limit exceeded\"}")
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", "4102444800"),
        "quota-left" => Canned::new(403, JSON, "{\"message\":\"Not yours\"}")
            .with("x-ratelimit-remaining", "12")
            .with("x-ratelimit-reset", "4102444800"),
        "zstd-error" => Canned::new(502, "text/html", "\u{1}\u{2}").with("content-encoding", "zstd"),
        "problem" => Canned::new(409, "application/problem+json", problem),
        "validation" => {
            Canned::new(422, JSON, json!({ "code": "E7", "fields": { "name": "is too long" } }).to_string())
        }
        "error-page" => Canned::new(500, "text/html", "<html><title>secret-host</title>Traceback at /srv/app</html>"),
        "retry-after" => Canned::new(429, JSON, "{}").with("retry-after", argument),
        "no-content" => Canned::new(204, "", ""),
        "accepted" => Canned::new(202, "", "").with("location", "/bin/jobs/7?token=secret"),
        "created" => Canned::new(201, "", "").with("location", format!("http://{}/bin/things/9", host(seen))),
        "created-elsewhere" => Canned::new(201, "", "").with("location", "http://127.0.0.2:1/bin/things/9"),
        "partial" => Canned::new(206, JSON, "{\"part\":1}"),
        "slack" => Canned::new(200, JSON, "{\"ok\":false,\"error\":\"channel_not_found\"}"),
        "graphql-error" => Canned::new(200, JSON, "{\"data\":null,\"errors\":[{\"message\":\"No such order\"}]}"),
        "graphql" => Canned::new(200, JSON, "{\"data\":{\"order\":{\"total\":7}}}"),
        "page-for-json" => Canned::new(200, "text/html", "<html>Please sign in at secret-host</html>"),
        "people" => {
            let people = json!([{ "id": 1, "name": "Ada", "ssn": "123-45", "salary": 7, "address": { "ssn": "678" } }]);
            Canned::new(200, JSON, people.to_string()).with("x-total", "375").with("set-cookie", "sid=secret")
        }
        "hop" => match argument.parse::<u32>().unwrap_or(0) {
            0 => Canned::new(200, JSON, "{\"arrived\":true}"),
            more => Canned::new(302, "", "").with("location", format!("/bin/hop/{}?key=reflected&x=1", more - 1)),
        },
        "redirect-to" => {
            let query = seen.target.split_once('?').map_or("", |(_, query)| query);
            let target = query.split('&').find_map(|pair| pair.strip_prefix("url=")).unwrap_or_default();
            let target = percent_encoding::percent_decode_str(target).decode_utf8_lossy().into_owned();
            Canned::new(argument.parse().unwrap_or(302), "", "").with("location", target)
        }
        _ => Canned::new(404, JSON, json!({ "message": format!("no such answer: {name}") }).to_string()),
    }
}

fn host(seen: &Seen) -> &str {
    seen.header("host").unwrap_or_default()
}
