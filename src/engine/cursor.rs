//! Floor 6. Pages that a model turns itself: each result names the next one by a cursor that only
//! this server can make, and that only the same caller can use with the same arguments.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::{Body, Call, CallError, ErrorClass, Outcome};
use crate::{secret::keyed, upstream::rest::Place};

/// The argument that takes a cursor.
pub(super) const ARGUMENT: &str = "cursor";
/// Bytes of a signature that are kept.
const SIGNATURE: usize = 16;

/// The key of this process. A restart makes cursors invalid, and the model is told to begin anew.
static KEY: OnceLock<[u8; 32]> = OnceLock::new();

/// A cursor for a place.
///
/// # Errors
/// When the system gives no random bytes for the key.
pub(super) fn sign(call: &Call<'_>, arguments: &Map<String, Value>, place: &Place) -> Result<String, CallError> {
    // A place is two texts at most, which can be printed.
    let place = serde_json::to_vec(place).unwrap_or_default();
    let signature = mac(call, arguments, &place)?.finalize().into_bytes();
    let mut whole: Vec<u8> = signature.into_iter().take(SIGNATURE).collect();
    whole.extend_from_slice(&place);
    Ok(URL_SAFE_NO_PAD.encode(whole))
}

/// The place that a cursor stands for.
///
/// # Errors
/// [`ErrorClass::Arguments`] for a cursor of another call, another caller or another process.
pub(super) fn read(call: &Call<'_>, arguments: &Map<String, Value>, cursor: &str) -> Result<Place, CallError> {
    let invalid = || {
        let message = "This `cursor` is not valid here: it belongs to a call with the same other arguments, and not for \
                       ever. Leave it out to begin at the first page.";
        CallError::new(ErrorClass::Arguments, message)
    };
    let whole = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let (signature, place) = whole.split_at_checked(SIGNATURE).ok_or_else(invalid)?;
    mac(call, arguments, place)?.verify_truncated_left(signature).map_err(|_| invalid())?;
    serde_json::from_slice(place).map_err(|_| invalid())
}

fn mac(call: &Call<'_>, arguments: &Map<String, Value>, place: &[u8]) -> Result<Hmac<Sha256>, CallError> {
    let internal = |cause: String| CallError::new(ErrorClass::Internal, "A cursor could not be made.").caused_by(cause);
    let mut fresh = [0_u8; 32];
    if KEY.get().is_none() {
        getrandom::fill(&mut fresh).map_err(|error| internal(error.to_string()))?;
    }
    let key = KEY.get_or_init(|| fresh);
    let mut mac = keyed(key);
    let mut sorted: Vec<(&String, &Value)> = arguments.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let bound = json!([call.tool.name, call.principal.value(), sorted]).to_string();
    mac.update(&(bound.len() as u64).to_be_bytes());
    mac.update(bound.as_bytes());
    mac.update(place);
    Ok(mac)
}

/// Adds the cursor of the next page to a result.
pub(super) fn add(outcome: Outcome, cursor: &str) -> Outcome {
    let words = format!("(There is another page: call again with the same arguments and `cursor`: {cursor})");
    noted(outcome, ("next_cursor", json!(cursor)), &words)
}

/// Says in a result that there are more pages than were fetched.
pub(super) fn unfinished(outcome: Outcome, reason: &str) -> Outcome {
    let hint = format!("There are more items: {reason}. Narrow the request by its arguments to see others.");
    let words = format!("({hint})");
    noted(outcome, ("truncated", json!({ "hint": hint })), &words)
}

/// Adds a member to what is JSON, and words to what is text.
fn noted(outcome: Outcome, (name, value): (&str, Value), words: &str) -> Outcome {
    let Outcome { body, failure, relay } = outcome;
    let body = match body {
        Body::Document(document) => match serde_json::from_slice::<Value>(&document) {
            Ok(whole) => Body::Document(with(whole, name, value).into()),
            Err(_) => Body::Document(document),
        },
        Body::Structured(document) => Body::Structured(match serde_json::from_slice::<Value>(&document) {
            Ok(whole) => with(whole, name, value).into(),
            Err(_) => document,
        }),
        Body::Text(text) => Body::Text(match serde_json::from_str::<Value>(&text) {
            // The text is JSON where no other form was asked for.
            Ok(whole @ (Value::Object(_) | Value::Array(_))) => {
                String::from_utf8(with(whole, name, value)).unwrap_or(text)
            }
            Ok(_) | Err(_) => format!("{text}\n\n{words}"),
        }),
        Body::Both { text, structured } => Body::Both {
            text: format!("{text}\n\n{words}"),
            structured: match serde_json::from_slice::<Value>(&structured) {
                Ok(whole) => with(whole, name, value).into(),
                Err(_) => structured,
            },
        },
        other @ (Body::Blocks(_) | Body::Questions(_)) => other,
    };
    Outcome { body, failure, relay }
}

/// A document with one more member, printed. A list becomes an object that has it.
fn with(whole: Value, name: &str, value: Value) -> Vec<u8> {
    let mut members = match whole {
        Value::Object(members) => members,
        Value::Array(_) => Map::from_iter([("items".to_owned(), whole)]),
        one => Map::from_iter([("result".to_owned(), one)]),
    };
    // What was cut says so itself.
    members.entry(name).or_insert(value);
    // Every value can be printed.
    serde_json::to_vec(&members).unwrap_or_default()
}
