//! Floor 7. Which era a message belongs to: the body decides, the headers are held against it
//! (protocol.md §2.0, steps 6 to 13).

use serde_json::value::RawValue;

use super::{
    Headers, Refusal, Revision,
    headers::{decoded, trimmed},
    wire::{self, Meta, Request},
};
use crate::engine::Level;

/// The era of one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// A revision with a handshake.
    Legacy(Revision),
    /// A revision in which each request says everything.
    Stateless(Revision),
}

/// The claim in the envelope of a request.
enum Claim<'a> {
    None,
    Malformed(&'static str),
    Version(std::borrow::Cow<'a, str>),
}

/// Decides the era of a request. Where neither says a revision, it is the assumed one.
pub(super) fn request(request: &Request<'_>, headers: Headers<'_>, assumed: Revision) -> Result<Era, Refusal> {
    let claim = claim(request.params.meta);
    let header = headers.version.map(trimmed);
    if request.method == "initialize" {
        return initialize(&claim, header);
    }
    match claim {
        Claim::Malformed(words) => Err(Refusal::envelope(words)),
        Claim::Version(version) => claimed(request, headers, &version),
        Claim::None => match header.map(|header| (header, Revision::parse(header))) {
            None => Ok(Era::Legacy(assumed)),
            Some((_, Some(revision))) if !revision.is_stateless() => Ok(Era::Legacy(revision)),
            Some((_, Some(_))) => Err(Refusal::envelope(
                "The request needs params._meta with io.modelcontextprotocol/protocolVersion and io.modelcontextprotocol/clientCapabilities",
            )),
            Some((header, None)) => Err(Refusal::legacy_version(header)),
        },
    }
}

/// Decides the era of a request that came without headers, as over stdio (protocol.md D-03, D-04).
pub(super) fn unheaded(request: &Request<'_>, assumed: Revision) -> Result<Era, Refusal> {
    let claim = claim(request.params.meta);
    if request.method == "initialize" {
        return initialize(&claim, None);
    }
    match claim {
        Claim::None => Ok(Era::Legacy(assumed)),
        Claim::Malformed(words) => Err(Refusal::envelope(words)),
        Claim::Version(version) => match Revision::parse(&version) {
            None => Err(Refusal::version(&version)),
            Some(revision) if revision.is_stateless() => Ok(Era::Stateless(revision)),
            Some(revision) => Ok(Era::Legacy(revision)),
        },
    }
}

/// Decides the era of a notification, from which no headers are demanded (protocol.md H-05). One that comes
/// all the same names a revision that is served.
pub(super) fn notification(request: &Request<'_>, headers: Headers<'_>) -> Result<Era, Refusal> {
    let header = named(headers)?;
    Ok(match (claim(request.params.meta), header) {
        (Claim::Version(_) | Claim::Malformed(_), _) => Era::Stateless(Revision::V2026_07_28),
        (Claim::None, Some(revision)) if revision.is_stateless() => Era::Stateless(revision),
        (Claim::None, revision) => Era::Legacy(revision.unwrap_or(Revision::ASSUMED)),
    })
}

/// The revision in the header of what is no request. One that is not served is refused whatever the message
/// is (protocol.md L-08, S-18).
pub(super) fn named(headers: Headers<'_>) -> Result<Option<Revision>, Refusal> {
    let header = headers.version.map(trimmed);
    header.map(|header| Revision::parse(header).ok_or_else(|| Refusal::legacy_version(header))).transpose()
}

/// Whether a message claims a stateless revision; such a one cannot be part of a batch.
pub(super) fn claims(request: &Request<'_>) -> bool {
    !matches!(claim(request.params.meta), Claim::None)
}

fn initialize(claim: &Claim<'_>, header: Option<&str>) -> Result<Era, Refusal> {
    let stateless = |text: &str| Revision::parse(text).filter(|revision| revision.is_stateless());
    if let Claim::Version(version) = claim
        && let Some(revision) = stateless(version)
    {
        // The revision has no such method, which is what its dispatch will say.
        return Ok(Era::Stateless(revision));
    }
    match header.and_then(stateless) {
        Some(revision) => {
            Err(Refusal::header(format!("{revision} has no initialize: send no MCP-Protocol-Version with it")))
        }
        // Any other header does not matter, served or not: the revision is about to be agreed on (protocol.md
        // L-03, L-07), and a client of a later one is to get that far.
        None => Ok(Era::Legacy(Revision::LATEST_LEGACY)),
    }
}

fn claim(meta: Option<&RawValue>) -> Claim<'_> {
    let Some(meta) = meta.filter(|meta| meta.get().starts_with('{')) else { return Claim::None };
    let Ok(meta) = serde_json::from_str::<Meta<'_>>(meta.get()) else {
        return Claim::Malformed("a member of params._meta stands there twice, or its name is no text");
    };
    let Some(version) = meta.version else { return Claim::None };
    let Some(version) = wire::text(version) else {
        return Claim::Malformed("io.modelcontextprotocol/protocolVersion must be a string");
    };
    // Of the other revisions nothing is known about their envelope.
    let is_known = Revision::parse(&version).is_some_and(Revision::is_stateless);
    let level = meta.level.filter(|level| is_known && level.get() != "null");
    if level.is_some_and(|level| wire::text(level).and_then(|level| Level::parse(&level)).is_none()) {
        // Whether or not anything would be logged (protocol.md U-02).
        return Claim::Malformed("io.modelcontextprotocol/logLevel is no level of RFC 5424");
    }
    let complete = meta.capabilities.is_some_and(|it| it.get().starts_with('{'));
    if complete || Revision::parse(&version).is_some_and(|revision| !revision.is_stateless()) {
        Claim::Version(version)
    } else {
        Claim::Malformed("io.modelcontextprotocol/clientCapabilities must be an object")
    }
}

fn claimed(request: &Request<'_>, headers: Headers<'_>, version: &str) -> Result<Era, Refusal> {
    let header = headers.version.map(trimmed);
    if let Some(header) = header.filter(|header| *header != version) {
        let [header, version] = [header, version].map(|text| text.chars().take(40).collect::<String>());
        return Err(Refusal::header(format!("MCP-Protocol-Version is {header}, and the body says {version}")));
    }
    let method = headers.method.map(trimmed);
    if method.is_some_and(|method| method != request.method) {
        return Err(Refusal::header("Mcp-Method differs from the method of the body"));
    }
    let revision = match Revision::parse(version) {
        None => return Err(Refusal::version(version)),
        Some(revision) if !revision.is_stateless() => return Ok(Era::Legacy(revision)),
        Some(revision) => revision,
    };
    if header.is_none() {
        return Err(Refusal::header("MCP-Protocol-Version is missing"));
    }
    if method.is_none() {
        return Err(Refusal::header("Mcp-Method is missing"));
    }
    match &*request.method {
        "tools/call" | "prompts/get" => name(request.params.name, headers.name)?,
        "resources/read" => name(request.params.uri, headers.name)?,
        _ => {}
    }
    Ok(Era::Stateless(revision))
}

/// What the body names must stand in the header too (protocol.md H-10, H-12).
fn name(body: Option<&RawValue>, header: Option<&str>) -> Result<(), Refusal> {
    let Some(header) = header else { return Err(Refusal::header("Mcp-Name is missing")) };
    let Some(header) = decoded(header) else { return Err(Refusal::header("Mcp-Name is not valid base64")) };
    if body.and_then(wire::text).is_some_and(|body| body != header) {
        return Err(Refusal::header("Mcp-Name differs from what the body names"));
    }
    Ok(())
}
