//! Floor 7. Resources: lists, reading by address, and who wants to be told of changes
//! (protocol.md ).

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    Payload, Refusal, Revision, content,
    dispatch::{Answer, Context},
    invoke::{self, Target},
    listing::Endpoint,
    printing, tools,
    watches::ADDRESS_MAX,
    wire::{self, Request},
};
use crate::{
    engine::{Block, Body, CallerHeaders, Contents, ContentsBody, ErrorClass, Outcome},
    plan::{Operation, Resource, Watch},
};

/// How long a client may keep a fixed content, in milliseconds.
const FIXED_TTL_MS: u64 = 60_000;

/// Reads a resource.
pub(super) async fn read<H>(
    context: &Context<'_, H>,
    request: &Request<'_>,
    revision: Revision,
) -> Result<Answer, Refusal>
where
    H: CallerHeaders + Clone + Send + Sync + 'static,
{
    let uri = uri(request)?;
    let plan = context.live.generation.plan();
    let Some((index, values)) = context.endpoint.shelf().find(plan, &uri) else {
        let locked = context.endpoint.shelf().locked_resource(plan, &uri).map(|resource| &resource.tool);
        return Err(tools::locked_by(context, locked).unwrap_or_else(|| Refusal::resource(&uri, revision)));
    };
    let arguments = Value::Object(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect());
    let live = context.live.clone();
    let print = move |id: &str, outcome: &Outcome, endpoint: &Endpoint| {
        let Some(resource) = live.generation.plan().resources.get(index) else {
            return Refusal::internal().of(Some(id)).printed();
        };
        match refused(outcome, &uri, revision) {
            Some(refusal) => refusal.of(Some(id)).printed(),
            None => print(id, &contents(outcome, resource, &uri), resource, (revision, endpoint)),
        }
    };
    invoke::run(context, request, revision, (Target::Resource(index), Some(Cow::Owned(arguments.to_string()))), print)
        .await
}

/// Remembers that a session wants to be told of changes of a resource (protocol.md R-05). Without
/// a session there is no stream on which it could be told.
pub(super) fn subscribe<H>(context: &Context<'_, H>, request: &Request<'_>, revision: Revision) -> Result<(), Refusal> {
    let uri = uri(request)?;
    let plan = context.live.generation.plan();
    let found = context.endpoint.shelf().find(plan, &uri).and_then(|(at, _)| plan.resources.get(at));
    match found {
        Some(resource) if resource.watch == Watch::Offered => {
            let Some(session) = context.session.filter(|_| context.live.surface.changes()) else { return Ok(()) };
            let too_many = || Refusal::crowded("Too many resources are subscribed to: unsubscribe from others first");
            let fits = uri.len() <= ADDRESS_MAX;
            let watched = (context.bridge.map(str::to_owned), uri);
            fits.then(|| context.server.hub.watch(session.key, watched)).flatten().ok_or_else(too_many)
        }
        Some(_) => Err(Refusal::params("This resource offers no subscription")),
        None => Err(Refusal::resource(&uri, revision)),
    }
}

/// Forgets that a session wants to be told of changes of a resource, which may be gone by now.
pub(super) fn unsubscribe<H>(context: &Context<'_, H>, request: &Request<'_>) -> Result<(), Refusal> {
    let watched = (context.bridge.map(str::to_owned), uri(request)?);
    if let Some(session) = context.session {
        context.server.hub.unwatch(session.key, &watched);
    }
    Ok(())
}

fn uri(request: &Request<'_>) -> Result<String, Refusal> {
    let uri = request.params.uri.and_then(wire::text);
    uri.map(Cow::into_owned).ok_or_else(|| Refusal::params("params.uri must be the address of a resource"))
}

/// The error that a failed reading is: there is no content that could say it (protocol.md R-02).
fn refused(outcome: &Outcome, uri: &str, revision: Revision) -> Option<Refusal> {
    Some(match invoke::failure(outcome)? {
        (ErrorClass::Missing, _) => Refusal::resource(uri, revision),
        (ErrorClass::Arguments, words) => Refusal::params(words),
        (_, words) => Refusal::failed(words),
    })
}

/// The content of a resource. Every text and every blob is a part of its own.
fn contents(outcome: &Outcome, resource: &Resource, uri: &str) -> Vec<Value> {
    let kind = resource.mime_type.as_deref();
    let text = |text: String, kind: Option<&str>| {
        let contents = Contents { uri: None, mime_type: kind.map(Into::into), body: ContentsBody::Text(text) };
        content::contents(&contents, uri)
    };
    match &outcome.body {
        Body::Text(words) | Body::Both { text: words, .. } => vec![text(words.clone(), kind)],
        Body::Document(json) | Body::Structured(json) => vec![text(String::from_utf8_lossy(json).into_owned(), kind)],
        Body::Questions(_) => Vec::new(),
        Body::Blocks(blocks) => blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text(words) => Some(text(words.clone(), kind.or(Some("text/plain")))),
                Block::Image(media) | Block::Audio(media) => {
                    let mime_type = Some(media.mime_type.clone());
                    let body = ContentsBody::Blob(media.data.clone());
                    Some(content::contents(&Contents { uri: None, mime_type, body }, uri))
                }
                Block::Resource(contents) => {
                    let mime_type = contents.mime_type.clone().or_else(|| kind.map(Into::into));
                    Some(content::contents(&Contents { mime_type, ..contents.clone() }, uri))
                }
                Block::Link { .. } => None,
            })
            .collect(),
    }
}

fn print(id: &str, contents: &[Value], resource: &Resource, (revision, endpoint): (Revision, &Endpoint)) -> Payload {
    let mut result = Map::new();
    if revision.is_stateless() {
        result.insert("resultType".into(), json!("complete"));
    }
    result.insert("contents".into(), json!(contents));
    if revision.is_stateless() {
        // What comes from a source may be another tomorrow, and another for the next caller.
        let ttl = if matches!(resource.tool.operation, Operation::Reply(_)) { FIXED_TTL_MS } else { 0 };
        result.insert("ttlMs".into(), json!(ttl));
        result.insert("cacheScope".into(), json!("private"));
    }
    printing::result(id, result, revision.is_stateless().then(|| endpoint.identity())).into()
}
