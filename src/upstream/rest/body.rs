//! Floor 5. Reads answers: status, kind of content and a body that is never larger than the
//! source permits, counted after decompression.

use std::{borrow::Cow, time::Duration};

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout_at};

use super::{
    compression,
    lane::{Fault, Reply},
    pages::{Origin, Unfinished},
    wait,
};
use crate::{
    document::{self, Charset, CsvForm, XmlForm},
    plan::rest::Parse,
};

/// How much of an error's body is read: enough for a message, never a page. The rest is cut off,
/// because what matters about an error is its status.
const ERROR_BODY: usize = 64 * 1024;

/// How long the body of an error is waited for: its status is known, and would be lost at the deadline of the call.
const ERROR_TIME: Duration = Duration::from_secs(2);

/// The longest name of a file that is taken from an answer, in characters.
const MAX_FILENAME: usize = 120;

/// What a source answered, with any status but a redirect.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How the body is to be read.
    pub kind: ContentKind,
    /// How the characters of the body are encoded.
    pub charset: Charset,
    /// The body, decompressed. Of one that is no result only the first 64 KiB.
    pub body: Bytes,
    /// The headers, as they came.
    pub headers: HeaderMap,
    /// How long the source asks to wait (RFC 9110 §10.2.3, or the end of a quota), a week at most.
    pub retry_after: Option<Duration>,
    /// The place below the source's base that the answer names, as 201 and 202 do: a path without
    /// its query.
    pub location: Option<String>,
    /// Where it came from, for a request that has pages.
    pub origin: Option<Box<Origin>>,
    /// Why not all pages are in it, if they are not.
    pub unfinished: Option<Unfinished>,
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// As JSON, in UTF-8 and without a byte order mark. Whether it is well formed is not known
    /// yet. XML, comma-separated values, lines of JSON and event streams have become this.
    Json,
    /// As text.
    Text,
    /// As a page.
    Html,
    /// There is nothing to read.
    Empty,
    /// As bytes.
    Binary,
    /// It was to be read as this, and cannot be.
    Unreadable(&'static str),
}

impl Answer {
    /// The body as text. What is no character in its encoding is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.charset.text(&self.body)
    }

    /// The type of the content without its parameters, in lower case.
    #[must_use]
    pub fn media_type(&self) -> String {
        let named = content_type(&self.headers).map(|written| essence(written).to_ascii_lowercase());
        named.filter(|media| media.contains('/')).unwrap_or_else(|| "application/octet-stream".into())
    }

    /// The name that the answer gives its file (RFC 6266), without folders.
    #[must_use]
    pub fn filename(&self) -> Option<String> {
        let written = self.headers.get(CONTENT_DISPOSITION)?.to_str().ok()?;
        let name = parameter(written, "filename*").and_then(|it| it.rsplit_once("''").map(|(_, name)| name.to_owned()));
        let name = match name {
            Some(encoded) => percent_encoding::percent_decode_str(&encoded).decode_utf8_lossy().into_owned(),
            None => parameter(written, "filename")?,
        };
        let last = name.rsplit(['/', '\\']).next().unwrap_or("");
        let plain: String = last.chars().filter(|it| !it.is_control()).take(MAX_FILENAME).collect();
        Some(plain.trim().to_owned()).filter(|name| !name.is_empty() && name != "." && name != "..")
    }
}

/// Why an answer could not be read.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// It is larger than the source permits.
    TooLarge,
    /// It broke off or could not be decompressed.
    Broken(Fault),
    /// It is compressed in a way that nobody here knows.
    Compressed(HeaderValue),
    /// Its compression cannot be undone.
    Torn,
}

/// How much of a body is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// All of it, of at most so many bytes.
    Whole(usize),
    /// What comes of an error's body in half of the time until then.
    Start(Instant),
}

/// Reads an answer. How its body is to be read is not known yet.
pub(super) async fn read(reply: &mut Reply, extent: Extent) -> Result<Box<Answer>, ReadFault> {
    let status = reply.status().as_u16();
    let packed = reply.compression();
    let headers = reply.take_headers();
    let body = match (extent, packed) {
        (Extent::Start(deadline), packed) => {
            let start = read_start(reply, deadline).await;
            match packed {
                None => start,
                Some(encoding) => compression::start(encoding.as_bytes(), &start, ERROR_BODY),
            }
        }
        (Extent::Whole(cap), None) => read_all(reply, cap).await?,
        (Extent::Whole(cap), Some(encoding)) => {
            let body = read_all(reply, cap).await?;
            compression::undo(encoding.as_bytes(), &body, cap).map_err(|fault| match fault {
                compression::Fault::Unknown => ReadFault::Compressed(encoding),
                compression::Fault::TooLarge => ReadFault::TooLarge,
                compression::Fault::Broken => ReadFault::Torn,
            })?
        }
    };
    let retry_after = wait::asked(status, &headers, Utc::now);
    Ok(Box::new(Answer {
        status,
        kind: ContentKind::Empty,
        charset: Charset::UTF_8,
        body,
        headers,
        retry_after,
        location: None,
        origin: None,
        unfinished: None,
    }))
}

/// Finds out how the body is to be read, and turns what is structured but no JSON into JSON.
pub(super) fn classify(answer: &mut Answer, parse: &Parse) {
    if answer.body.is_empty() {
        return;
    }
    let written = content_type(&answer.headers);
    let form = match (parse, written) {
        (Parse::Auto, Some(written)) => kind(written),
        (Parse::Auto, None) => sniff(&answer.body),
        (Parse::Json, _) => Reading::Json,
        (Parse::Text, _) => Reading::Text,
        (Parse::Html, _) => Reading::Html,
        (Parse::Binary, _) => Reading::Binary,
        (Parse::Xml(form), _) => Reading::Xml(form.clone()),
        (Parse::Csv(form), _) => Reading::Csv(form.clone()),
        (Parse::Lines, Some(written)) if essence(written).eq_ignore_ascii_case("text/event-stream") => Reading::Events,
        (Parse::Lines, _) => Reading::Lines,
    };
    let named = written.and_then(|written| parameter(written, "charset")).and_then(|label| Charset::named(&label));
    let says_itself = matches!(form, Reading::Xml(_) | Reading::Html);
    let declared = || says_itself.then(|| Charset::declared(&answer.body)).flatten();
    answer.charset = named.or_else(declared).unwrap_or(Charset::UTF_8);
    let read = match &form {
        Reading::Json => {
            if !answer.charset.is_plain(&answer.body) {
                answer.body = Bytes::from(answer.text().into_owned());
                answer.charset = Charset::UTF_8;
            }
            answer.kind = ContentKind::Json;
            return;
        }
        Reading::Text => {
            answer.kind = ContentKind::Text;
            return;
        }
        Reading::Html => {
            answer.kind = ContentKind::Html;
            return;
        }
        Reading::Binary => {
            answer.kind = ContentKind::Binary;
            return;
        }
        Reading::Xml(form) => document::xml(&answer.text(), form).map_err(|_| "XML"),
        Reading::Csv(form) => document::csv(&answer.text(), form).map_err(|_| "CSV"),
        Reading::Lines => document::ndjson(&answer.text()).map_err(|_| "lines of JSON"),
        Reading::Events => Ok(document::events(&answer.text())),
    };
    match read.map(|value| serde_json::to_vec(&value)) {
        Ok(Ok(json)) => {
            (answer.body, answer.charset, answer.kind) = (json.into(), Charset::UTF_8, ContentKind::Json);
        }
        // What only its content type calls so may still be worth reading.
        _ if *parse == Parse::Auto => answer.kind = ContentKind::Text,
        Err(what) => answer.kind = ContentKind::Unreadable(what),
        Ok(Err(_)) => answer.kind = ContentKind::Unreadable("JSON"),
    }
}

/// What a body is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reading {
    Json,
    Xml(XmlForm),
    Csv(CsvForm),
    Lines,
    Events,
    Html,
    Text,
    Binary,
}

/// Reads a small answer of another server than a source, such as a token endpoint.
pub(super) async fn read_small(reply: &mut Reply, cap: usize) -> Result<Bytes, Fault> {
    read_all(reply, cap).await.map_err(|fault| match fault {
        ReadFault::TooLarge => Fault::told("the answer is too large"),
        ReadFault::Broken(fault) => fault,
        ReadFault::Compressed(_) | ReadFault::Torn => Fault::told("the answer is compressed"),
    })
}

/// Reads everything. A body of one chunk is handed on as it came.
async fn read_all(reply: &mut Reply, cap: usize) -> Result<Bytes, ReadFault> {
    let announced = reply.announced().map(usize::try_from).transpose().map_err(|_| ReadFault::TooLarge)?;
    if announced.is_some_and(|length| length > cap) {
        return Err(ReadFault::TooLarge);
    }
    let Some(first) = reply.chunk().await.map_err(ReadFault::Broken)? else { return Ok(Bytes::new()) };
    if first.len() > cap {
        return Err(ReadFault::TooLarge);
    }
    let Some(second) = reply.chunk().await.map_err(ReadFault::Broken)? else { return Ok(first) };
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).max(first.len() + second.len()).min(cap));
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if chunk.len() > cap - body.len() {
            return Err(ReadFault::TooLarge);
        }
        body.extend_from_slice(&chunk);
        next = reply.chunk().await.map_err(ReadFault::Broken)?;
    }
    Ok(body.freeze())
}

/// Reads the first bytes and drops the rest. A body that breaks off is as good as it goes: the
/// status is what counts.
async fn read_start(reply: &mut Reply, deadline: Instant) -> Bytes {
    let now = Instant::now();
    let until = now + ERROR_TIME.min(deadline.saturating_duration_since(now) / 2);
    let mut body = BytesMut::new();
    while body.len() < ERROR_BODY {
        let Ok(Ok(Some(mut chunk))) = timeout_at(until, reply.chunk()).await else { break };
        chunk.truncate(ERROR_BODY - body.len());
        body.extend_from_slice(&chunk);
    }
    body.freeze()
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or("").trim()
}

fn kind(content_type: &str) -> Reading {
    let essence = essence(content_type);
    if essence.eq_ignore_ascii_case("application/json") {
        return Reading::Json;
    }
    let essence = essence.to_ascii_lowercase();
    let (top, sub) = essence.split_once('/').unwrap_or((&essence, ""));
    match (top, sub) {
        ("text", "event-stream") => Reading::Events,
        ("text", "html") | ("application", "xhtml+xml") => Reading::Html,
        // Models read drawings as text, and most clients cannot show them.
        ("image", "svg+xml") => Reading::Text,
        (_, "x-ndjson" | "ndjson" | "jsonl" | "x-jsonlines" | "jsonlines" | "json-seq") => Reading::Lines,
        (_, sub) if sub == "json" || sub.ends_with("+json") => Reading::Json,
        (_, sub) if sub == "xml" || sub.ends_with("+xml") => Reading::Xml(XmlForm::default()),
        (_, "csv") => Reading::Csv(CsvForm::default()),
        ("text", "tab-separated-values") => Reading::Csv(CsvForm { delimiter: b'\t', ..CsvForm::default() }),
        ("text", _) | (_, "yaml" | "x-yaml" | "javascript" | "x-www-form-urlencoded" | "graphql" | "sql") => {
            Reading::Text
        }
        (_, sub) if sub.ends_with("+yaml") => Reading::Text,
        _ => Reading::Binary,
    }
}

/// A body without a content type: what its first characters begin, else text where it is text.
fn sniff(body: &[u8]) -> Reading {
    let start = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    let head = start.get(..start.len().min(16)).unwrap_or(start).to_ascii_lowercase();
    match start.first() {
        Some(b'{' | b'[') => Reading::Json,
        _ if head.starts_with(b"<?xml") => Reading::Xml(XmlForm::default()),
        _ if head.starts_with(b"<!doctype html") || head.starts_with(b"<html") => Reading::Html,
        _ if std::str::from_utf8(body).is_ok_and(|text| !text.contains('\0')) => Reading::Text,
        _ => Reading::Binary,
    }
}

/// A parameter of a header, without its quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (known, value) = parameter.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_how_to_read() {
        let xml = || Reading::Xml(XmlForm::default());
        for (written, expected) in [
            ("application/json", Reading::Json),
            ("Application/JSON; charset=utf-8", Reading::Json),
            ("application/problem+json", Reading::Json),
            ("application/geo+json;v=1", Reading::Json),
            ("text/json", Reading::Json),
            ("text/html; charset=utf-8", Reading::Html),
            ("application/xhtml+xml", Reading::Html),
            ("text/plain", Reading::Text),
            ("text/csv", Reading::Csv(CsvForm::default())),
            ("text/tab-separated-values", Reading::Csv(CsvForm { delimiter: b'\t', columns: None })),
            ("application/atom+xml", xml()),
            ("text/xml; charset=latin1", xml()),
            ("application/x-ndjson", Reading::Lines),
            ("text/event-stream", Reading::Events),
            ("image/png", Reading::Binary),
            ("image/svg+xml", Reading::Text),
            ("application/octet-stream", Reading::Binary),
            ("", Reading::Binary),
        ] {
            assert_eq!(kind(written), expected, "{written}");
        }
    }

    #[test]
    fn without_a_content_type_the_body_says_it() {
        for (body, expected) in [
            (&b" {\"a\":1}"[..], Reading::Json),
            (b"\xEF\xBB\xBF[1]", Reading::Json),
            (b"<?xml version=\"1.0\"?><a/>", Reading::Xml(XmlForm::default())),
            (b"\n<!DOCTYPE HTML><p>", Reading::Html),
            (b"hello", Reading::Text),
            (b"\xFF\xD8\xFF", Reading::Binary),
            (b"a\0b", Reading::Binary),
        ] {
            assert_eq!(sniff(body), expected, "{body:?}");
        }
    }

    fn answer(headers: &[(&'static str, &str)], body: &'static [u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer {
            status: 200,
            kind: ContentKind::Empty,
            charset: Charset::UTF_8,
            body: Bytes::from_static(body),
            headers: headers.collect(),
            retry_after: None,
            location: None,
            origin: None,
            unfinished: None,
        }
    }

    #[test]
    fn what_is_structured_becomes_json() {
        let lists = Parse::Xml(XmlForm { lists: vec!["b".into()] });
        let semicolons = Parse::Csv(CsvForm { delimiter: b';', columns: Some(vec!["x".into(), "y".into()]) });
        for (content_type, body, parse, kind, expected) in [
            ("application/xml", &b"<a><b>1</b></a>"[..], Parse::Auto, ContentKind::Json, r#"{"a":{"b":"1"}}"#),
            ("text/html", b"<a><b>1</b></a>", lists, ContentKind::Json, r#"{"a":{"b":["1"]}}"#),
            (
                "text/xml",
                b"<?xml version='1.0' encoding='latin1'?><a>\xE9</a>",
                Parse::Auto,
                ContentKind::Json,
                r#"{"a":"é"}"#,
            ),
            ("application/xml; charset=windows-1251", b"<a>\xCF</a>", Parse::Auto, ContentKind::Json, r#"{"a":"П"}"#),
            ("application/xml", b"<a>", Parse::Auto, ContentKind::Text, "<a>"),
            ("text/plain", b"<a>", Parse::Xml(XmlForm::default()), ContentKind::Unreadable("XML"), "<a>"),
            ("text/csv", b"a,b\n1,2\n", Parse::Auto, ContentKind::Json, r#"[{"a":"1","b":"2"}]"#),
            ("text/plain", b"1;2\n", semicolons, ContentKind::Json, r#"[{"x":"1","y":"2"}]"#),
            ("application/x-ndjson", b"{\"a\":1}\n2\n", Parse::Auto, ContentKind::Json, r#"[{"a":1},2]"#),
            ("text/event-stream", b"data: 1\n\n", Parse::Lines, ContentKind::Json, "[1]"),
            ("text/plain", b"{\n", Parse::Lines, ContentKind::Unreadable("lines of JSON"), "{\n"),
            ("application/json; charset=latin1", b"\"\xE9\"", Parse::Auto, ContentKind::Json, "\"é\""),
            ("application/json", b"\xEF\xBB\xBF[1]", Parse::Auto, ContentKind::Json, "[1]"),
            ("application/json", b"\xFF\xFE[\x001\x00]\x00", Parse::Auto, ContentKind::Json, "[1]"),
            ("application/pdf", b"%PDF", Parse::Auto, ContentKind::Binary, "%PDF"),
            ("application/json", b"[1]", Parse::Binary, ContentKind::Binary, "[1]"),
            ("text/plain; charset=shift_jis", b"\x93\xFA", Parse::Auto, ContentKind::Text, "日"),
            ("text/html", b"<meta charset=latin1>\xE9", Parse::Auto, ContentKind::Html, "<meta charset=latin1>é"),
        ] {
            let mut found = answer(&[("content-type", content_type)], body);
            classify(&mut found, &parse);
            assert_eq!((found.kind, &*found.text()), (kind, expected), "{content_type} {parse:?}");
        }
    }

    #[test]
    fn files_have_a_type_and_a_name() {
        for (disposition, expected) in [
            ("attachment; filename=\"report 1.pdf\"", Some("report 1.pdf")),
            ("attachment; filename=a.pdf; filename*=UTF-8''%C3%BC.pdf", Some("ü.pdf")),
            ("attachment; filename=\"..\\..\\x/evil.sh\"", Some("evil.sh")),
            ("attachment; filename*=UTF-8''%2e%2e%2f..", None),
            ("inline", None),
        ] {
            let found = answer(&[("content-disposition", disposition)], b"x");
            assert_eq!(found.filename().as_deref(), expected, "{disposition}");
        }
        assert_eq!(answer(&[("content-type", "Image/PNG; x=y")], b"x").media_type(), "image/png");
        assert_eq!(answer(&[], b"x").media_type(), "application/octet-stream");
    }
}
