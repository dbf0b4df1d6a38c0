//! Floor 7. JSON-RPC messages: one parse, ids and arguments kept as they came (protocol.md §2.6).

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, value::RawValue};

/// A member that tells `null` from nothing.
fn raw<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A member that is an object or nothing. Left to itself serde would read lists too, their items
/// for the members in order.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Option<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Option<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members)).map(Some)
        }
    }
    deserializer.deserialize_any(Object(PhantomData))
}

/// A message as it came. Members nobody knows are ignored (protocol.md J-07).
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "raw")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "object")]
    params: Option<Params<'a>>,
    #[serde(borrow, default, deserialize_with = "raw")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    error: Option<&'a RawValue>,
}

/// The params that any method here looks at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) uri: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) cursor: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "protocolVersion")]
    pub(super) protocol_version: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) level: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) notifications: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "ref")]
    pub(super) reference: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    pub(super) argument: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "inputResponses")]
    pub(super) input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "requestState")]
    pub(super) request_state: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "requestId")]
    pub(super) request_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "_meta")]
    pub(super) meta: Option<&'a RawValue>,
}

/// The envelope of a stateless request, and what requests of every revision wish for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default, deserialize_with = "raw", rename = "progressToken")]
    pub(super) progress_token: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "io.modelcontextprotocol/logLevel")]
    pub(super) level: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "io.modelcontextprotocol/protocolVersion")]
    pub(super) version: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw", rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(super) capabilities: Option<&'a RawValue>,
}

/// What a message is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Request<'a>),
    /// Is an answer.
    Response(Response<'a>),
}

/// An answer to a request of the server.
#[derive(Debug)]
pub(super) struct Response<'a> {
    /// The id as it came; empty for an error that names no request.
    pub(super) id: &'a str,
    /// The result; `None` for an error.
    pub(super) result: Option<&'a RawValue>,
}

/// A request, or a notification whose id is empty.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The id as it came: value and type (protocol.md J-01).
    pub(super) id: &'a str,
    pub(super) method: Cow<'a, str>,
    pub(super) params: Params<'a>,
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotAMessage {
    /// They are not JSON.
    NotJson,
    /// They are JSON of another shape.
    Shape {
        /// What is odd.
        words: &'static str,
        /// The id, where it can be read all the same (protocol.md H-18).
        id: Option<String>,
    },
}

/// The body of a POST.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every body is one message, which a box would cost more")]
pub(super) enum Body<'a> {
    One(Kind<'a>),
    Many(Vec<&'a RawValue>),
}

/// Reads the body of a POST.
pub(super) fn read(bytes: &[u8]) -> Result<Body<'_>, NotAMessage> {
    let text = std::str::from_utf8(bytes).map_err(|_| NotAMessage::NotJson)?;
    if text.trim_ascii_start().starts_with('[') {
        return serde_json::from_str(text).map(Body::Many).map_err(|_| NotAMessage::NotJson);
    }
    read_text(text).map(Body::One)
}

/// The id of the one request in a body, for an answer that is given before anything else is read.
#[must_use]
pub fn id(bytes: &[u8]) -> Option<String> {
    match read(bytes) {
        Ok(Body::One(Kind::Request(request))) => Some(request.id.to_owned()),
        Ok(_) | Err(_) => None,
    }
}

/// Whether a body is the first message of a client with a handshake.
#[must_use]
pub fn is_handshake(bytes: &[u8]) -> bool {
    matches!(read(bytes), Ok(Body::One(Kind::Request(request))) if request.method == "initialize")
}

/// How many messages a body holds. What cannot be read counts as one.
#[must_use]
pub fn messages(bytes: &[u8]) -> usize {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return 1;
    }
    serde_json::from_slice::<Vec<&RawValue>>(bytes).map_or(1, |messages| messages.len())
}

/// Reads one message of a batch.
pub(super) fn read_one(raw: &RawValue) -> Result<Kind<'_>, NotAMessage> {
    read_text(raw.get())
}

fn read_text(text: &str) -> Result<Kind<'_>, NotAMessage> {
    // Left to itself serde would read a list as a message, its items for the members in order.
    if text.trim_ascii_start().starts_with('[') {
        return Err(NotAMessage::Shape { words: "a message is a JSON object", id: None });
    }
    let message = serde_json::from_str::<Message<'_>>(text).map_err(|_| diagnose(text))?;
    message.kind().map_err(|words| shape(words, text))
}

impl<'a> Message<'a> {
    fn kind(self) -> Result<Kind<'a>, &'static str> {
        if self.jsonrpc != "2.0" {
            return Err("`jsonrpc` must be \"2.0\"");
        }
        let id = match self.id.map(RawValue::get) {
            // An error whose request could not be read has no id, or none but `null` (protocol.md J-05): it is
            // an answer all the same, and to answer it in turn would never end between two servers like this.
            None | Some("null") if self.method.is_none() && self.result.is_none() && self.error.is_some() => {
                return Ok(Kind::Response(Response { id: "", result: None }));
            }
            None => None,
            Some(id) if is_id(id) => Some(id),
            Some(_) => return Err("`id` must be a string or an integer, of 1024 bytes at most"),
        };
        match (self.method, id) {
            (Some(method), id) => {
                let params = self.params.unwrap_or_default();
                let request = Request { id: id.unwrap_or_default(), method, params };
                Ok(if id.is_some() { Kind::Request(request) } else { Kind::Notification(request) })
            }
            (None, Some(id)) if self.result.is_some() != self.error.is_some() => {
                Ok(Kind::Response(Response { id, result: self.result }))
            }
            (None, _) => Err("`method` is missing"),
        }
    }
}

/// The one spelling of an id: what JSON takes for the same text is the same id.
pub(super) fn spelled(id: &str) -> Cow<'_, str> {
    let plain = || serde_json::from_str::<String>(id).ok().and_then(|text| serde_json::to_string(&text).ok());
    if id.contains('\\') { plain().map_or(Cow::Borrowed(id), Cow::Owned) } else { Cow::Borrowed(id) }
}

/// Whether bytes that are no message were meant as one that wants no answer: as a notification or as an
/// answer. Such a one is not answered either (protocol.md J-03).
pub(super) fn wants_nothing(bytes: &[u8]) -> bool {
    let Ok(Value::Object(message)) = serde_json::from_slice(bytes) else { return false };
    match message.get("method") {
        Some(method) => method.is_string() && !message.contains_key("id"),
        None => message.contains_key("error") || message.contains_key("result"),
    }
}

/// A string or an integer, of a length that can be echoed.
pub(super) fn is_id(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (raw.starts_with('"') || integer) && raw.len() <= 1024
}

/// Tells what is wrong with text that is no message.
fn diagnose(text: &str) -> NotAMessage {
    match serde_json::from_str::<Value>(text) {
        Err(_) => NotAMessage::NotJson,
        Ok(Value::Object(message)) => match message.get("params") {
            Some(params) if !params.is_object() => shape("`params` must be an object", text),
            _ if message.get("method").is_some_and(|it| !it.is_string()) => shape("`method` must be a string", text),
            _ => shape("a member stands there twice or has the wrong type", text),
        },
        Ok(_) => NotAMessage::Shape { words: "a message is a JSON object", id: None },
    }
}

/// A fault of the shape, with the id if there is exactly one.
fn shape(words: &'static str, text: &str) -> NotAMessage {
    #[derive(Deserialize)]
    struct Numbered<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let numbered = serde_json::from_str::<Numbered<'_>>(text).ok();
    let id = numbered.map(|numbered| numbered.id.get()).filter(|id| is_id(id));
    NotAMessage::Shape { words, id: id.map(str::to_owned) }
}

/// The text of a raw member that must be a string.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))?;
    if inner.contains('\\') { serde_json::from_str(raw.get()).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        for (text, kind) in [
            (r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#, "request 0"),
            (r#"{"method":"ping","id":"","jsonrpc":"2.0","extra":[1]}"#, "request \"\""),
            (r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"ping","params":{}}"#, "request 9007199254740993"),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "notification"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, "response"),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#, "response"),
            (r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#, "response"),
            (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping","error":{}}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "shape"),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, "shape"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "shape"),
            ("7", "shape"),
            ("{\"jsonrpc\":", "not json"),
            ("\u{1}", "not json"),
        ] {
            let found = match read(text.as_bytes()) {
                Ok(Body::One(Kind::Request(request))) => format!("request {}", request.id),
                Ok(Body::One(Kind::Notification(_))) => "notification".into(),
                Ok(Body::One(Kind::Response(_))) => "response".into(),
                Ok(Body::Many(_)) => "batch".into(),
                Err(NotAMessage::Shape { .. }) => "shape".into(),
                Err(NotAMessage::NotJson) => "not json".into(),
            };
            assert_eq!(found, kind, "{text}");
        }
    }

    #[test]
    fn what_was_meant_to_want_no_answer_gets_none() {
        for (text, quiet) in [
            (r#"{"jsonrpc":"2.0","method":"x","params":[]}"#, true),
            (r#"{"method":"x"}"#, true),
            (r#"{"jsonrpc":"2.0","id":{},"error":{}}"#, true),
            (r#"{"jsonrpc":"2.0","result":{}}"#, true),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, false),
            (r#"{"jsonrpc":"2.0","method":7}"#, false),
            ("{}", false),
            ("[]", false),
            ("{", false),
        ] {
            assert_eq!(wants_nothing(text.as_bytes()), quiet, "{text}");
        }
    }
}
