//! Floor 4. Content that is no text: base64 in the file or a file beside it, and its type.

use std::sync::Arc;

use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD};

use super::context::Context;
use crate::{
    bridge::Media as Written,
    diag::{Code, Diagnostic},
    plan::Media,
    yaml::Pointer,
};

/// Bytes of a content at most, before base64 makes them longer by a third.
const CONTENT_MAX: usize = 1 << 20;

/// Builds a picture or a sound; `family` is how its type begins.
pub(super) fn media(written: &Written, family: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Media> {
    let is_type = mime_type(&written.mime_type, &at.at("mime_type"), context);
    let is_family = written.mime_type.strip_prefix(family).is_some_and(|rest| rest.starts_with('/'));
    if is_type && !is_family {
        let message = format!("`{}` is not a type of {family}", written.mime_type);
        let span = context.value(&at.at("mime_type"));
        let fault = Diagnostic::error(Code::MimeType, span, message);
        context.push(fault.help(format!("write `{family}/…`, or send it as a `resource`")));
    }
    let data = blob(written.data.as_deref(), written.file.as_deref(), at, context)?;
    (is_type && is_family).then(|| Media { data, mime_type: written.mime_type.as_str().into() })
}

/// Builds content that is no text from one of the keys `data` and `file`.
pub(super) fn blob(
    data: Option<&str>,
    file: Option<&str>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Arc<str>> {
    match (data, file) {
        (Some(data), _) => inline(data, &at.at("data"), context),
        (None, Some(path)) => {
            let at = at.at("file");
            match context.read(path) {
                Ok(bytes) if bytes.len() > CONTENT_MAX => {
                    context.fault(Code::Data, &at, "the file is larger than 1 MiB");
                    None
                }
                Ok(bytes) => Some(STANDARD.encode(bytes).into()),
                Err(reason) => {
                    context.fault(Code::Data, &at, format!("the file cannot be read: {reason}"));
                    None
                }
            }
        }
        (None, None) => None,
    }
}

fn inline(text: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Arc<str>> {
    let data: String = text.chars().filter(|it| !it.is_ascii_whitespace()).collect();
    let error = match STANDARD.decode(&data) {
        Ok(bytes) if bytes.len() > CONTENT_MAX => {
            context.fault(Code::Data, at, "the content is larger than 1 MiB");
            return None;
        }
        Ok(_) if data.is_empty() => {
            context.fault(Code::Data, at, "there is no content");
            return None;
        }
        Ok(_) => return Some(data.into()),
        Err(error) => error,
    };
    let fault = match error {
        DecodeError::InvalidByte(offset, _) | DecodeError::InvalidLastSymbol(offset, _) => {
            let odd = data.get(offset..).and_then(|rest| rest.chars().next()).unwrap_or('=');
            // In a text of several lines the places of the file are others.
            let whole = data.len() < text.len();
            let span = if whole { context.value(at) } else { context.part(at, offset..offset + odd.len_utf8()) };
            Diagnostic::error(Code::Data, span, format!("`{odd}` cannot stand here in base64"))
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            Diagnostic::error(Code::Data, context.value(at), "this is not base64: its end is missing")
        }
    };
    context.push(fault.help("`base64 -w0 FILE` prints a file in base64; `file: PATH` reads it as it is"));
    None
}

/// Whether a text names a type of content; a fault otherwise (RFC 6838 §4.2).
pub(super) fn mime_type(text: &str, at: &Pointer, context: &mut Context<'_>) -> bool {
    let name = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        part.starts_with(|it: char| it.is_ascii_alphanumeric()) && part.bytes().all(plain)
    };
    let essence = text.split(';').next().unwrap_or(text).trim_end();
    let fits = essence.split_once('/').is_some_and(|(family, kind)| name(family) && name(kind));
    if !fits {
        let fault = Diagnostic::error(Code::MimeType, context.value(at), format!("`{text}` is not a type of content"));
        context.push(fault.help("write one such as `image/png` or `text/markdown`"));
    }
    fits
}
