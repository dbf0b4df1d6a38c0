//! Floor 7. The one table of protocol errors: code, status, words. Nobody else spells a code.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Content, Payload, Reply, Revision, Status};
use crate::plan::QuestionKind;

/// A message that is not handled, or a handler's protocol error.
#[derive(Debug)]
pub struct Refusal {
    code: i32,
    status: Status,
    message: Cow<'static, str>,
    data: Option<Value>,
    /// The id as it came; `None` when it could not be read.
    id: Option<Box<str>>,
    /// Whether it refuses what wants no answer.
    unasked: bool,
}

const PARSE: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const METHOD_NOT_FOUND: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;
const INTERNAL: i32 = -32_603;
const RESOURCE_NOT_FOUND: i32 = -32_002;
const HEADER_MISMATCH: i32 = -32_020;
const MISSING_CAPABILITY: i32 = -32_021;
const UNSUPPORTED_VERSION: i32 = -32_022;
const UNAUTHORIZED: i32 = 401;
const FORBIDDEN: i32 = 403;
const TOO_MANY_REQUESTS: i32 = 429;
const UNAVAILABLE: i32 = 503;

impl Refusal {
    #[cold]
    fn new(code: i32, status: Status, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status, message: message.into(), data: None, id: None, unasked: false }
    }

    /// The body is not JSON.
    pub(super) fn parse() -> Self {
        Self::new(PARSE, Status::BadRequest, "Parse error: the body is not valid JSON")
    }

    /// The body is JSON, and no JSON-RPC message.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(INVALID_REQUEST, Status::BadRequest, message)
    }

    /// A method that the revision does not have (protocol.md H-15, S-19).
    pub(super) fn no_method(method: &str, revision: Revision) -> Self {
        let status = if revision.is_stateless() { Status::NotFound } else { Status::Ok };
        let shown: String = method.chars().take(80).collect();
        Self::new(METHOD_NOT_FOUND, status, format!("Method not found: {shown}"))
    }

    /// The envelope of a stateless request is incomplete.
    pub(super) fn envelope(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(INVALID_PARAMS, Status::BadRequest, message)
    }

    /// A handler does not accept the params.
    pub(super) fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(INVALID_PARAMS, Status::Ok, message)
    }

    /// The caller may not do this yet: it needs all of these scopes (protocol.md A-02).
    pub(super) fn scopes(needed: &[String]) -> Self {
        let scope = needed.join(" ");
        let message = format!("This needs the scope {scope}");
        let data = Some(json!({ "scope": scope }));
        Self { data, ..Self::new(FORBIDDEN, Status::Forbidden, message) }
    }

    /// There is no such resource (protocol.md R-02).
    pub(super) fn resource(uri: &str, revision: Revision) -> Self {
        let code = if revision.is_stateless() { INVALID_PARAMS } else { RESOURCE_NOT_FOUND };
        let shown: String = uri.chars().take(200).collect();
        let data = json!({ "uri": uri });
        Self { data: Some(data), ..Self::new(code, Status::Ok, format!("There is no resource at {shown}")) }
    }

    /// A resource or a prompt failed, in words that can be shown.
    pub(super) fn failed(words: impl Into<Cow<'static, str>>) -> Self {
        Self::new(INTERNAL, Status::Ok, words)
    }

    /// A state that was not handed out for this request (protocol.md M-04).
    pub(super) fn state() -> Self {
        let message = "requestState is not valid for this request, or has expired: call again without it";
        Self::params(message)
    }

    /// The client did not declare what the request needs (protocol.md L-14).
    pub(super) fn capability(kinds: &[QuestionKind]) -> Self {
        let names: Vec<_> = kinds.iter().map(|kind| kind.capability()).collect();
        let needed: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        let message = format!("This request needs the client capability {}", names.join(" and "));
        let data = json!({ "requiredCapabilities": needed });
        Self { data: Some(data), ..Self::new(MISSING_CAPABILITY, Status::BadRequest, message) }
    }

    /// A header says something else than the body.
    pub(super) fn header(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(HEADER_MISMATCH, Status::BadRequest, message)
    }

    /// A header of the protocol came more than once, or its value cannot be read.
    #[must_use]
    pub fn unclear_header(name: &str) -> Self {
        Self::header(format!("{name} must come once at most, in visible ASCII characters"))
    }

    /// A revision that is not served (protocol.md L-15).
    pub(super) fn version(requested: &str) -> Self {
        let requested: String = requested.chars().take(40).collect();
        let message = format!("Unsupported protocol version: {requested}");
        let data = json!({ "supported": [Revision::V2026_07_28.as_str()], "requested": requested });
        Self { data: Some(data), ..Self::new(UNSUPPORTED_VERSION, Status::BadRequest, message) }
    }

    /// A version header that names no revision, on a request without an envelope (protocol.md S-18).
    #[must_use]
    pub fn legacy_version(requested: &str) -> Self {
        let known: Vec<_> = Revision::LEGACY.iter().map(|revision| revision.as_str()).collect();
        let requested: String = requested.chars().take(40).collect();
        Self::invalid(format!("Unsupported MCP-Protocol-Version {requested}; supported: {}", known.join(", ")))
    }

    /// A session that is not one of ours, is another caller's, or has ended (protocol.md S-16).
    pub(super) fn no_session() -> Self {
        Self::new(INVALID_REQUEST, Status::NotFound, "There is no such session: initialize again")
    }

    /// A fault of this program.
    pub(super) fn internal() -> Self {
        Self::new(INTERNAL, Status::Ok, "The request failed for a reason inside of the server")
    }

    /// There is no room, for now. Said within the protocol: clients give up a server that refuses
    /// them by status (protocol.md §2.12).
    pub(super) fn crowded(message: &'static str) -> Self {
        Self::new(INTERNAL, Status::Ok, message)
    }

    /// There is no such bridge.
    #[must_use]
    pub fn no_bridge(name: &str) -> Self {
        let shown: String = name.chars().take(80).collect();
        Self::new(INVALID_REQUEST, Status::NotFound, format!("There is no bridge named {shown} here"))
    }

    /// A refusal by the transport, with its status as the code (poke-and-poggio.md, "Errors").
    #[must_use]
    #[cold]
    pub fn transport(status: Status, message: impl Into<Cow<'static, str>>) -> Self {
        let code = match status {
            Status::Unauthorized => UNAUTHORIZED,
            Status::Forbidden => FORBIDDEN,
            Status::TooManyRequests => TOO_MANY_REQUESTS,
            Status::Unavailable => UNAVAILABLE,
            Status::Ok
            | Status::Accepted
            | Status::BadRequest
            | Status::NotFound
            | Status::MethodNotAllowed
            | Status::NotAcceptable
            | Status::RequestTimeout
            | Status::PayloadTooLarge
            | Status::UnsupportedMediaType => INVALID_REQUEST,
        };
        Self::new(code, status, message)
    }

    /// Whether it answers a request, and refuses no message.
    #[must_use]
    pub const fn is_an_answer(&self) -> bool {
        matches!(self.status, Status::Ok)
    }

    /// Whether it refuses a notification or an answer, neither of which is answered (protocol.md J-03):
    /// only a transport with a status of its own may say so.
    #[must_use]
    pub const fn is_unasked(&self) -> bool {
        self.unasked
    }

    /// The refusal of what wants no answer.
    pub(super) fn unasked(self) -> Self {
        Self { unasked: true, ..self }
    }

    /// The refusal as an answer to a client that survives no other status.
    #[must_use]
    #[cold]
    pub fn in_band(self) -> Self {
        Self { status: Status::Ok, ..self }
    }

    /// Names the request that is refused.
    #[must_use]
    #[cold]
    pub fn of(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// The error as one JSON-RPC message. An id that could not be read is `null`, as JSON-RPC 2.0 wants it, in
    /// every revision: the schema of some has the member left out instead, but there are clients that read the
    /// one and none that reads only the other (protocol.md J-05).
    pub(super) fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        out.extend_from_slice(self.id.as_deref().unwrap_or("null").as_bytes());
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(data), Some(error)) = (&self.data, error.as_object_mut()) {
            error.insert("data".into(), data.clone());
        }
        out.extend_from_slice(b",\"error\":");
        out.extend_from_slice(error.to_string().as_bytes());
        out.push(b'}');
    }

    /// The refusal as a whole response.
    #[must_use]
    #[cold]
    pub fn reply(&self) -> Reply {
        let scope = self.data.as_ref().filter(|_| self.code == FORBIDDEN).and_then(|data| data.get("scope"));
        let scope = scope.and_then(Value::as_str).map(str::to_owned);
        Reply { status: self.status, content: Content::Document(self.printed()), session: None, scope }
    }

    /// The refusal as a message.
    pub(super) fn printed(&self) -> Payload {
        let mut body = Vec::with_capacity(160);
        self.print(&mut body);
        body.into()
    }
}
