//! Floor 5. Reads answers: status, kind of content and a body that is never larger than the
//! source permits, counted after decompression.

use std::{borrow::Cow, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http::{
    HeaderMap,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};

use super::{
    lane::{Fault, Reply},
    pages::{Origin, Unfinished},
};
use crate::plan::rest::Parse;

/// How much of an error's body is read: enough for a message, never a page. The rest is cut off,
/// because what matters about an error is its status.
const ERROR_BODY: usize = 64 * 1024;

/// The longest wait that is taken from an answer.
const MAX_WAIT: Duration = Duration::from_hours(7 * 24);

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What a source answered, with any status but a redirect.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How the body is to be read.
    pub kind: ContentKind,
    /// How the characters of the body are encoded.
    pub charset: Charset,
    /// The body, decompressed. Of an error only the first 64 KiB.
    pub body: Bytes,
    /// How long the source asks to wait (RFC 9110 §10.2.3), a week at most.
    pub retry_after: Option<Duration>,
    /// Whether the answer names another place, as 201 and 202 do.
    pub location: bool,
    /// Where it came from, for a request that has pages.
    pub origin: Option<Box<Origin>>,
    /// Why not all pages are in it, if they are not.
    pub unfinished: Option<Unfinished>,
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// As JSON, in UTF-8 and without a byte order mark. Whether it is well formed is not known yet.
    Json,
    /// As text.
    Text,
    /// As a page.
    Html,
    /// There is nothing to read.
    Empty,
    /// Not as text.
    Other,
}

/// How the characters of a body are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, also where nothing is said.
    Utf8,
    /// One byte each (ISO 8859-1).
    Latin1,
}

impl Answer {
    /// The body as text. What is no character in its encoding is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self.charset {
            Charset::Utf8 => String::from_utf8_lossy(self.body.strip_prefix(BOM).unwrap_or(&self.body)),
            Charset::Latin1 => Cow::Owned(self.body.iter().copied().map(char::from).collect()),
        }
    }
}

/// Why an answer could not be read.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// It is larger than the source permits.
    TooLarge,
    /// It broke off or could not be decompressed.
    Broken(Fault),
}

/// Reads an answer of at most `cap` bytes.
pub(super) async fn read(reply: Reply, parse: Parse, cap: usize) -> Result<Answer, ReadFault> {
    let status = reply.status().as_u16();
    let headers = reply.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let charset = content_type.map_or(Charset::Utf8, charset);
    let written = content_type.map(kind);
    let retry_after = retry_after(headers, Utc::now);
    let location = headers.contains_key(LOCATION);

    let body = if status >= 400 { read_start(reply).await? } else { read_all(reply, cap).await? };
    let kind = match (parse, written) {
        _ if body.is_empty() => ContentKind::Empty,
        (Parse::Json, _) => ContentKind::Json,
        (Parse::Text, _) => ContentKind::Text,
        (Parse::Auto, Some(kind)) => kind,
        (Parse::Auto, None) => sniff(&body),
    };
    let answer = Answer { status, kind, charset, body, retry_after, location, origin: None, unfinished: None };
    Ok(if kind == ContentKind::Json { in_utf8(answer) } else { answer })
}

/// Reads a small answer of another server than a source, such as a token endpoint.
pub(super) async fn read_small(reply: Reply, cap: usize) -> Result<Bytes, Fault> {
    read_all(reply, cap).await.map_err(|fault| match fault {
        ReadFault::TooLarge => Fault::told("the answer is too large"),
        ReadFault::Broken(fault) => fault,
    })
}

/// Reads everything. A body of one chunk is handed on as it came.
async fn read_all(mut reply: Reply, cap: usize) -> Result<Bytes, ReadFault> {
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

/// Reads the first bytes and drops the rest.
async fn read_start(mut reply: Reply) -> Result<Bytes, ReadFault> {
    let mut body = BytesMut::new();
    while body.len() < ERROR_BODY {
        let Some(mut chunk) = reply.chunk().await.map_err(ReadFault::Broken)? else { break };
        chunk.truncate(ERROR_BODY - body.len());
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Readers of JSON expect UTF-8 and stumble over a byte order mark.
fn in_utf8(mut answer: Answer) -> Answer {
    if answer.charset == Charset::Latin1 {
        answer.body = Bytes::from(answer.text().into_owned());
        answer.charset = Charset::Utf8;
    } else if answer.body.starts_with(BOM) {
        answer.body.advance(BOM.len());
    }
    answer
}

fn kind(content_type: &str) -> ContentKind {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return ContentKind::Json;
    }
    let essence = essence.to_ascii_lowercase();
    let (top, sub) = essence.split_once('/').unwrap_or((&essence, ""));
    match (top, sub) {
        (_, sub) if sub == "json" || sub.ends_with("+json") => ContentKind::Json,
        ("text", "html") | ("application", "xhtml+xml") => ContentKind::Html,
        ("text", _) | (_, "xml" | "yaml" | "x-yaml" | "x-ndjson" | "jsonl" | "csv" | "javascript") => ContentKind::Text,
        (_, sub) if sub.ends_with("+xml") || sub.ends_with("+yaml") => ContentKind::Text,
        _ => ContentKind::Other,
    }
}

/// A body without a content type: JSON where it begins as JSON, else text where it is text.
fn sniff(body: &[u8]) -> ContentKind {
    match body.strip_prefix(BOM).unwrap_or(body).trim_ascii_start().first() {
        Some(b'{' | b'[') => ContentKind::Json,
        _ if std::str::from_utf8(body).is_ok_and(|text| !text.contains('\0')) => ContentKind::Text,
        _ => ContentKind::Other,
    }
}

fn charset(content_type: &str) -> Charset {
    let named = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    match named {
        Some(name) if ["iso-8859-1", "iso8859-1", "latin1"].iter().any(|it| name.eq_ignore_ascii_case(it)) => {
            Charset::Latin1
        }
        _ => Charset::Utf8,
    }
}

/// `Retry-After` as seconds or as a date.
fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A date that has passed asks for no wait.
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now()).to_std().unwrap_or_default(),
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_how_to_read() {
        for (written, expected) in [
            ("application/json", ContentKind::Json),
            ("Application/JSON; charset=utf-8", ContentKind::Json),
            ("application/problem+json", ContentKind::Json),
            ("application/geo+json;v=1", ContentKind::Json),
            ("text/json", ContentKind::Json),
            ("text/html; charset=utf-8", ContentKind::Html),
            ("application/xhtml+xml", ContentKind::Html),
            ("text/plain", ContentKind::Text),
            ("text/csv", ContentKind::Text),
            ("application/atom+xml", ContentKind::Text),
            ("application/x-ndjson", ContentKind::Text),
            ("image/png", ContentKind::Other),
            ("application/octet-stream", ContentKind::Other),
            ("", ContentKind::Other),
        ] {
            assert_eq!(kind(written), expected, "{written}");
        }
    }

    #[test]
    fn without_a_content_type_the_body_says_it() {
        for (body, expected) in [
            (&b" {\"a\":1}"[..], ContentKind::Json),
            (b"\xEF\xBB\xBF[1]", ContentKind::Json),
            (b"hello", ContentKind::Text),
            (b"\xFF\xD8\xFF", ContentKind::Other),
            (b"a\0b", ContentKind::Other),
        ] {
            assert_eq!(sniff(body), expected, "{body:?}");
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let now = || DateTime::parse_from_rfc2822("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().to_utc();
        for (written, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999", Some(MAX_WAIT.as_secs())),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, written.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{written}");
        }
    }

    #[test]
    fn text_is_read_in_its_charset() {
        for (content_type, body, expected) in [
            ("text/plain", &b"Z\xC3\xBCrich"[..], "Zürich"),
            ("text/plain; charset=UTF-8", b"\xEF\xBB\xBFa", "a"),
            ("text/plain; charset=\"ISO-8859-1\"", b"Z\xFCrich", "Zürich"),
            ("text/plain; charset=latin1", b"caf\xE9", "café"),
            ("text/plain", b"caf\xE9", "caf\u{FFFD}"),
        ] {
            let answer = Answer {
                status: 200,
                kind: ContentKind::Text,
                charset: charset(content_type),
                body: Bytes::from_static(body),
                retry_after: None,
                location: false,
                origin: None,
                unfinished: None,
            };
            assert_eq!(answer.text(), expected, "{content_type}");
        }
    }
}
