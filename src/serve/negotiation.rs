//! Floor 8. What the headers of a POST must say before its message is looked at (protocol.md §2.0,
//! steps 3 to 5): JSON in both directions, and each header of the protocol once. Only what is not sent as
//! JSON is refused before the body is read: all else is answered under the id that stands there.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::mcp::{Accepts, Refusal, Revision, Status};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The headers of the protocol, with their names in its own spelling.
static OWN: [(HeaderName, &str); 4] = [
    (HeaderName::from_static("mcp-protocol-version"), "MCP-Protocol-Version"),
    (HeaderName::from_static("mcp-method"), "Mcp-Method"),
    (HeaderName::from_static("mcp-name"), "Mcp-Name"),
    (SESSION, "Mcp-Session-Id"),
];

/// What nearly every client sends as `Accept`, which need not be taken apart.
const USUAL: [&str; 2] = ["application/json, text/event-stream", "text/event-stream, application/json"];

fn is_usual(headers: &HeaderMap) -> bool {
    single(headers, &header::ACCEPT).is_ok_and(|line| line.is_some_and(|line| USUAL.iter().any(|usual| line == usual)))
}

/// Holds `Accept` against JSON.
pub(super) fn takes_json(headers: &HeaderMap) -> Result<(), Refusal> {
    if is_usual(headers) || accepts_json(headers) {
        Ok(())
    } else {
        Err(Refusal::transport(Status::NotAcceptable, "Accept must include application/json"))
    }
}

/// Holds `Content-Type` against JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let content = single(headers, &header::CONTENT_TYPE).map_err(|()| {
        Refusal::transport(Status::BadRequest, "Content-Type must come once at most, in visible ASCII characters")
    })?;
    let content = content.and_then(|content| content.to_str().ok());
    if !content.is_some_and(|content| media(content).eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::transport(Status::UnsupportedMediaType, "Content-Type must be application/json"));
    }
    Ok(())
}

/// Whether an event stream can be sent: it is named, or nothing else is.
pub(super) fn may_stream(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut parts = lines.flat_map(|line| line.split(',')).filter(|part| !part.trim().is_empty()).peekable();
    parts.peek().is_none()
        || parts.any(|part| {
            !excluded(part) && ["text/event-stream", "text/*", "*/*"].contains(&&*media(part).to_ascii_lowercase())
        })
}

/// What a client takes besides JSON. One that does not say it takes streams is not sent any: it
/// may be a script.
pub(super) fn accepts(headers: &HeaderMap) -> Accepts {
    if is_usual(headers) {
        return Accepts::Streams;
    }
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut parts = lines.flat_map(|line| line.split(','));
    let streams = parts.any(|part| media(part).eq_ignore_ascii_case("text/event-stream") && !excluded(part));
    if streams { Accepts::Streams } else { Accepts::Documents }
}

/// The values of the protocol's own headers: revision, method, name and session. They are
/// shared, not copied, and all of them are text.
pub(super) fn own(headers: &HeaderMap) -> Result<[Option<HeaderValue>; 4], Refusal> {
    let mut values = [const { None }; 4];
    // All at once: to look for each costs as much as to look at every header that a client sends.
    for (name, sent) in headers {
        let Some((value, (_, spelled))) = values.iter_mut().zip(&OWN).find(|(_, (own, _))| own == name) else {
            continue;
        };
        if sent.to_str().is_err() || value.replace(sent.clone()).is_some() {
            return Err(Refusal::unclear_header(spelled));
        }
    }
    Ok(values)
}

/// Refuses a revision that is not served, whatever comes with it (protocol.md L-08, S-18).
pub(super) fn is_served(version: Option<&HeaderValue>) -> Result<(), Refusal> {
    let named = version.and_then(|version| version.to_str().ok()).map(str::trim);
    match named.filter(|named| Revision::parse(named).is_none()) {
        Some(unknown) => Err(Refusal::legacy_version(unknown)),
        None => Ok(()),
    }
}

/// The one value of a header, if it came; an error when there are more or it is no text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.to_str().is_ok() => Ok(Some(value)),
        (Some(_), _) => Err(()),
    }
}

fn media(part: &str) -> &str {
    part.split(';').next().unwrap_or_default().trim()
}

/// Whether a client takes JSON: without `Accept` it takes everything, and of several parts that
/// match the most exact one counts (RFC 9110 §12.5.1).
fn accepts_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let parts = lines.flat_map(|line| line.split(',')).filter(|part| !part.trim().is_empty());
    let mut named = false;
    let mut best = None;
    for part in parts {
        named = true;
        let media = media(part);
        let exactness = if media.eq_ignore_ascii_case("application/json") {
            3
        } else if media.eq_ignore_ascii_case("application/*") {
            2
        } else if media == "*/*" {
            1
        } else {
            continue;
        };
        let taken = !excluded(part);
        if taken && exactness == 3 {
            return true;
        }
        best = best.max(Some((exactness, taken)));
    }
    best.map_or(!named, |(_, taken)| taken)
}

/// Whether a part of `Accept` has the weight zero.
fn excluded(part: &str) -> bool {
    let weight = part.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut weight = weight.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q")).map(|(_, value)| value.trim());
    weight.next().is_some_and(|value| value.parse::<f32>().is_ok_and(|value| value <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn json_is_sent_unless_it_is_excluded() {
        for (accept, expected) in [
            (&[][..], true),
            (&[""], true),
            (&[" , "], true),
            (&["application/json"], true),
            (&["application/json, text/event-stream"], true),
            (&["text/event-stream", "application/json"], true),
            (&["Application/JSON ; charset=utf-8"], true),
            (&["application/*"], true),
            (&["text/html, */*;q=0.1"], true),
            (&["application/json;q=0.001"], true),
            (&["text/event-stream"], false),
            (&["image/png", "text/html"], false),
            (&["application/jsonp"], false),
            (&["application/json;q=0"], false),
            (&["application/json;q=0.000, */*"], false),
            (&["*/*", "application/*; Q=0"], false),
            (&["*/*;q=0"], false),
        ] {
            let lines: Vec<_> = accept.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(accepts_json(&headers(&header::ACCEPT, &lines)), expected, "{accept:?}");
        }
    }

    #[test]
    fn a_header_that_can_be_read_in_two_ways_is_none() {
        for (name, _) in &OWN {
            for (values, expected) in [
                (&[][..], true),
                (&[&b"one"[..]], true),
                (&[b"one", b"two"], false),
                (&[b"one", b"one"], false),
                (&[b"caf\xe9"], false),
            ] {
                assert_eq!(own(&headers(name, values)).is_ok(), expected, "{name} {values:?}");
            }
        }
    }
}
