//! Floor 5. Asks an MCP server that the person at the terminal named: one message, one answer, bounded in size and
//! time. A key goes to that address alone: redirects are not followed.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

use super::download::{client, in_words, whole};
use crate::secret::Secret;

/// Bytes of an answer at most.
const LARGEST: usize = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends a message of revision 2026-07-28, and returns the whole answer.
///
/// # Errors
/// A sentence without a full stop: nobody is there, or what answers does not speak the protocol.
pub async fn exchange(url: &Url, key: Option<&Secret<String>>, message: &Value) -> Result<Value, String> {
    let client = client(Policy::none(), (CONNECT_TIMEOUT, TIMEOUT))?;
    let mut request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message.get("method").and_then(Value::as_str).unwrap_or_default())
        .body(message.to_string());
    if let Some(key) = key {
        let value = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
        let mut value = value.map_err(|_| "the key cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let response = request.send().await.map_err(|error| in_words(&error))?;
    let status = response.status();
    let too_large = || format!("the answer has more than {} MiB", LARGEST >> 20);
    let body = whole(response, LARGEST).await?.ok_or_else(too_large)?;
    let answer = serde_json::from_slice::<Value>(&body).ok().filter(|answer| answer.get("jsonrpc").is_some());
    match (answer, status.as_u16()) {
        (_, 401 | 403) => Err("it wants a key, or another one".into()),
        (Some(answer), _) => Ok(answer),
        (None, code) => Err(format!("what answers there, with the status {code}, is no MCP server of this kind")),
    }
}
