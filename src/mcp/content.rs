//! Floor 7. Content blocks in the words of a revision: what an older client does not know comes
//! to it as text, because it would refuse the whole result (protocol.md T-14).

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Revision, printing};
use crate::{
    engine::{Block, Body, Contents, ContentsBody},
    plan::LinkAbout,
};

/// Writes what a call said between the brackets of `content`, and returns the structured content.
pub(super) fn print<'o>(body: &'o Body, revision: Revision, out: &mut Vec<u8>) -> Option<&'o Bytes> {
    if let Body::Blocks(all) = body {
        blocks(all, revision, out);
        return None;
    }
    out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
    match body {
        Body::Text(text) | Body::Both { text, .. } => printing::string(text, out),
        Body::Document(json) | Body::Structured(json) => printing::document(json, out),
        Body::Blocks(_) => {}
        Body::Questions(_) => {
            printing::string(
                "The client's answer does not have the form that was asked for, so nothing was done.",
                out,
            );
        }
    }
    out.push(b'}');
    match body {
        Body::Structured(structured) | Body::Both { structured, .. } => Some(structured),
        Body::Text(_) | Body::Document(_) | Body::Blocks(_) | Body::Questions(_) => None,
    }
}

/// Bytes of the content on the wire, roughly; those of the structured content are not copied.
pub(super) fn size(body: &Body) -> usize {
    match body {
        Body::Text(text) | Body::Both { text, .. } => text.len(),
        Body::Document(json) | Body::Structured(json) => json.len(),
        Body::Blocks(blocks) => blocks.iter().map(block_size).sum(),
        Body::Questions(_) => 0,
    }
}

fn block_size(block: &Block) -> usize {
    64 + match block {
        Block::Text(text) => text.len(),
        Block::Image(media) | Block::Audio(media) => media.data.len(),
        Block::Resource(contents) => match &contents.body {
            ContentsBody::Text(text) => text.len(),
            ContentsBody::Blob(data) => data.len(),
        },
        Block::Link { .. } => 256,
    }
}

fn blocks(all: &[Block], revision: Revision, out: &mut Vec<u8>) {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // Every value can be printed, and writing to a Vec cannot fail.
        let _ = serde_json::to_writer(&mut *out, &block(one, revision));
    }
}

/// One block.
pub(super) fn block(block: &Block, revision: Revision) -> Value {
    match block {
        Block::Text(text) => json!({ "type": "text", "text": text }),
        Block::Image(media) => json!({ "type": "image", "data": *media.data, "mimeType": *media.mime_type }),
        Block::Audio(media) if revision.has_audio() => {
            json!({ "type": "audio", "data": *media.data, "mimeType": *media.mime_type })
        }
        Block::Audio(media) => {
            let words = format!("[A sound of type {}, which this client cannot be sent]", media.mime_type);
            json!({ "type": "text", "text": words })
        }
        Block::Resource(contents) => json!({ "type": "resource", "resource": self::contents(contents, "") }),
        Block::Link { uri, about } => link(uri, about, revision),
    }
}

/// The content of a resource; `own` is the address of the resource that is read.
pub(super) fn contents(contents: &Contents, own: &str) -> Value {
    let mut printed = json!({ "uri": contents.uri.as_deref().unwrap_or(own) });
    if let Some(printed) = printed.as_object_mut() {
        if let Some(mime_type) = &contents.mime_type {
            printed.insert("mimeType".into(), json!(**mime_type));
        }
        let (member, content) = match &contents.body {
            ContentsBody::Text(text) => ("text", json!(text)),
            ContentsBody::Blob(data) => ("blob", json!(**data)),
        };
        printed.insert(member.into(), content);
    }
    printed
}

fn link(uri: &str, about: &LinkAbout, revision: Revision) -> Value {
    if !revision.has_resource_links() {
        let words = about.description.as_deref().map_or(String::new(), |words| format!(" ({words})"));
        let name = about.title.as_deref().unwrap_or(&about.name);
        return json!({ "type": "text", "text": format!("{name}: {uri}{words}") });
    }
    let mut printed = json!({ "type": "resource_link", "uri": uri, "name": about.name });
    let known = [
        ("title", about.title.as_deref().map(Value::from)),
        ("description", about.description.as_deref().map(Value::from)),
        ("mimeType", about.mime_type.as_deref().map(Value::from)),
        ("size", about.size.map(Value::from)),
    ];
    if let Some(printed) = printed.as_object_mut() {
        printed.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    printed
}
