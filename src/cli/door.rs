//! Floor 9. One call of a tool through the door that clients come in by, so that what `call` shows and
//! `test` looks at is what a client gets.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    engine::{CallerHeaders, Generation, Principal},
    mcp::{Accepts, Content, Headers, Incoming, Server},
};

/// Calls a tool with the params of `tools/call`, and returns its result.
///
/// # Errors
/// When the protocol refuses the call, in its words.
pub(super) async fn call(
    generation: &Arc<Generation>,
    params: &Value,
    (principal, headers): (Principal, impl CallerHeaders + Clone + Send + 'static),
) -> Result<Value, String> {
    let server = Server::new(Arc::clone(generation), None);
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let incoming = Incoming {
        bridge: None,
        protocol: Headers { version: None, method: None, name: None, session: None },
        headers,
        accepts: Accepts::Documents,
        body: message.to_string().into(),
        principal: Arc::new(principal),
        request: 1,
    };
    let mut answer = Vec::new();
    if let Content::Document(payload) = server.handle(&incoming).await.content {
        payload.write_line(&mut answer);
    }
    let mut answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if let Some(result) = answer.get_mut("result") {
        return Ok(result.take());
    }
    let message = answer.pointer("/error/message").and_then(Value::as_str);
    Err(message.unwrap_or("there was no answer").to_owned())
}

/// The content as a model reads it; what is not text is named.
pub(super) fn text(result: &Value) -> String {
    let block = |block: &Value| {
        let word = |name: &str| block.pointer(name).and_then(Value::as_str);
        let coded = |name: &str| word(name).map_or(0, |data| data.len() / 4 * 3);
        match word("/type").unwrap_or_default() {
            "text" => word("/text").unwrap_or_default().to_owned(),
            "resource_link" => format!("[resource at {}]", word("/uri").unwrap_or_default()),
            "resource" => match word("/resource/text") {
                Some(text) => format!("[resource {}]\n{text}", word("/resource/uri").unwrap_or_default()),
                None => format!(
                    "[resource {}, {}, about {} bytes]",
                    word("/resource/uri").unwrap_or_default(),
                    word("/resource/mimeType").unwrap_or("unknown type"),
                    coded("/resource/blob")
                ),
            },
            kind => {
                format!("[{kind}, {}, about {} bytes]", word("/mimeType").unwrap_or("unknown type"), coded("/data"))
            }
        }
    };
    let blocks = result.get("content").and_then(Value::as_array).into_iter().flatten();
    blocks.map(block).collect::<Vec<_>>().join("\n")
}

/// A caller that sends no headers of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoHeaders;

impl CallerHeaders for NoHeaders {
    fn get(&self, _: &str) -> Option<&[u8]> {
        None
    }
}
