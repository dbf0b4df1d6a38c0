//! Floor 6. REST answers that are no JSON: nothing, text, pages, pictures and files.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{
    CallError, ErrorClass, Outcome,
    outcome::{Block, Body, Contents, ContentsBody},
};
use crate::{
    plan::{Media, Output, SentAs, Structured},
    select,
    upstream::rest::{Answer, ContentKind},
};

/// The value that an answer stands for.
///
/// # Errors
/// When it is no value: bytes, or not what it was to be read as.
pub(super) fn value(answer: &Answer) -> Result<Value, CallError> {
    match answer.kind {
        ContentKind::Json => {
            serde_json::from_slice(&answer.body).map_err(|error| not("JSON").caused_by(error.to_string()))
        }
        ContentKind::Empty => Ok(Value::Null),
        ContentKind::Html => Ok(Value::String(select::html_to_text(&answer.text()))),
        ContentKind::Text => Ok(Value::String(answer.text().into_owned())),
        ContentKind::Binary => Err(CallError::new(
            ErrorClass::Upstream,
            "The API answered with a file, and this tool was to find values in it.",
        )),
        ContentKind::Unreadable(what) => Err(not(what)),
    }
}

/// An answer that is not what it was to be.
#[cold]
pub(super) fn not(what: &str) -> CallError {
    let told = format!("The API was to answer with {what}, and what it sent is not valid {what}.");
    CallError::new(ErrorClass::Upstream, told)
}

/// What an answer without content says.
pub(super) fn done(answer: &Answer) -> String {
    let status = answer.status;
    let place = answer.location.as_ref().map_or(String::new(), |path| format!(" See {path}."));
    match status {
        202 => format!("Accepted: the API is still working on it (status 202 and no content).{place}"),
        _ => format!("Done: the API answered with status {status} and no content.{place}"),
    }
}

/// An answer that is shown as it came: a picture, a sound or a file.
pub(super) fn file(content: SentAs, answer: &Answer) -> Outcome {
    let media = answer.media_type();
    let is = |top: &str| media.starts_with(top);
    let mut blocks = Vec::new();
    let data = || Media { data: STANDARD.encode(&answer.body).into(), mime_type: media.as_str().into() };
    match content {
        SentAs::Image => blocks.push(Block::Image(data())),
        SentAs::Audio => blocks.push(Block::Audio(data())),
        SentAs::Auto if is("image/") => blocks.push(Block::Image(data())),
        SentAs::Auto if is("audio/") => blocks.push(Block::Audio(data())),
        SentAs::Text => return Outcome::fine(Body::Text(answer.text().into_owned())),
        SentAs::Auto | SentAs::File => {
            let name = answer.filename().unwrap_or_else(|| format!("answer.{}", extension(&media)));
            // Clients that cannot show a resource still tell that there is one.
            blocks.push(Block::Text(format!("{name} ({media}, {} bytes)", answer.body.len())));
            let is_text = is("text/") || media.ends_with("json") || media.ends_with("xml") || media.ends_with("yaml");
            let body = if is_text {
                ContentsBody::Text(answer.text().into_owned())
            } else {
                ContentsBody::Blob(STANDARD.encode(&answer.body).into())
            };
            let uri = Some(format!("attachment:///{}", utf8_percent_encode(&name, NON_ALPHANUMERIC)));
            blocks.push(Block::Resource(Contents { uri, mime_type: Some(media.as_str().into()), body }));
        }
    }
    Outcome::fine(Body::Blocks(blocks))
}

/// How the name of a file of this type ends.
fn extension(media: &str) -> &str {
    const KNOWN: [(&str, &str); 9] = [
        ("application/octet-stream", "bin"),
        ("text/plain", "txt"),
        ("text/markdown", "md"),
        ("image/jpeg", "jpg"),
        ("image/svg+xml", "svg"),
        ("audio/mpeg", "mp3"),
        ("application/gzip", "gz"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ];
    let known = KNOWN.iter().find(|(known, _)| *known == media).map(|(_, extension)| *extension);
    let plain = |sub: &&str| sub.len() <= 5 && sub.bytes().all(|byte| byte.is_ascii_alphanumeric());
    known.or_else(|| media.split_once('/').map(|(_, sub)| sub).filter(plain)).unwrap_or("bin")
}

/// A change was made, and what came back cannot be shown: a model that took it for a failure would
/// make it again (rest.md §9.15).
pub(super) fn after_change(error: &CallError, output: &Output, status: u16) -> Result<Outcome, CallError> {
    let told = format!("Done: the API answered with status {status}. What it sent cannot be shown: {}", error.public());
    match output.structured {
        Structured::Left => Ok(Outcome::fine(Body::Text(told))),
        // Clients refuse a result without the structured content that its schema promises.
        Structured::Sent => Err(CallError::new(error.class(), format!("{told} Do not make the change again."))),
    }
}
