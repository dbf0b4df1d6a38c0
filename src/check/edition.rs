//! Floor 4. What tells one definition of a resource from a later one, so that those who read it can
//! be told that it has changed.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::plan::{Content, EmbeddedBody, Item, Operation, Reply, Resource, Source, SourceKind};

/// A digest of all that a resource is made of: its definition, the files it shows, and the address
/// of its source. Credentials are no part of it: a new one does not change what is read.
pub(super) fn of(definition: Option<&Value>, resource: &Resource, sources: &[Source]) -> [u8; 32] {
    let mut digest = Sha256::new();
    if let Some(definition) = definition {
        feed(definition, &mut digest);
    }
    if let Operation::Reply(reply) = &resource.tool.operation {
        files(reply, &mut digest);
    }
    for id in resource.tool.operation.sources() {
        if let Some(SourceKind::Rest(source)) = sources.get(id.index()).map(|source| &source.kind) {
            digest.update(source.base.as_str());
        }
    }
    digest.finalize().into()
}

/// A value in one form, in whatever order its keys stand.
fn feed(value: &Value, digest: &mut Sha256) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.keys().collect();
            names.sort_unstable();
            digest.update("{");
            for name in names {
                digest.update(Value::from(name.as_str()).to_string());
                if let Some(member) = members.get(name) {
                    feed(member, digest);
                }
            }
            digest.update("}");
        }
        Value::Array(items) => {
            digest.update("[");
            for item in items {
                feed(item, digest);
            }
            digest.update("]");
        }
        other => {
            digest.update(other.to_string());
            digest.update(",");
        }
    }
}

/// Content that may come from a file beside the definition.
fn files(reply: &Reply, digest: &mut Sha256) {
    for item in &reply.items {
        match item {
            Item::Say(Content::Image(media) | Content::Audio(media)) => digest.update(media.data.as_bytes()),
            Item::Say(Content::Resource { body: EmbeddedBody::Blob(data), .. }) => digest.update(data.as_bytes()),
            Item::Say(
                Content::Resource { body: EmbeddedBody::Text(_), .. } | Content::Text(_) | Content::Link { .. },
            )
            | Item::Log(_)
            | Item::Progress(_)
            | Item::Delay(_)
            | Item::Ask(_) => {}
        }
    }
}
