//! Floor 6. Results that one pass over the bytes of an answer can make: selected, projected and
//! cut without a tree. Anything else goes the way of `shape`.

use serde_json::Value;

use super::{
    CallError, answer,
    cut::{Cut, NOTE_ROOM},
    outcome::Body,
    shape,
};
use crate::{
    plan::{Output, Structured, TextForm},
    select::Streamed,
    upstream::rest::{Answer, ContentKind},
};

/// What is kept of a JSON answer. `None` when only a tree can tell, or tell what is wrong with it.
pub(super) fn run(output: &Output, answer: &Answer) -> Option<Streamed> {
    let stream = output.stream.as_ref().filter(|_| answer.kind == ContentKind::Json)?;
    stream.run(&answer.body, output.max_items.unwrap_or(usize::MAX))
}

/// What is kept, as a value.
pub(super) fn value(streamed: &Streamed) -> Result<(Value, Option<Cut>), CallError> {
    let value = streamed.value().ok_or_else(|| answer::not("JSON"))?;
    let shown = streamed.ends.as_ref().map_or(streamed.total, Vec::len);
    Ok((value, (shown < streamed.total).then_some(Cut { shown, of: streamed.total })))
}

/// The result, where it is JSON and has room. `None` when it has another form, or can only be cut inside.
///
/// # Errors
/// When it is not what the tool promises.
pub(super) fn printed(output: &Output, streamed: &Streamed) -> Result<Option<Body>, CallError> {
    if !matches!(output.text, TextForm::Json) {
        return Ok(None);
    }
    let Some(kept) = fitting(streamed, output.max_bytes.saturating_sub(NOTE_ROOM)) else { return Ok(None) };
    let body = match output.structured {
        Structured::Left => Body::Document(kept.as_it_is().into()),
        Structured::Sent => Body::Structured(kept.object().into()),
    };
    if let Some(contract) = &output.contract {
        let promised = Kept { cut: None, ..kept }.object();
        let holds = serde_json::from_slice(&promised).is_ok_and(|value| contract.accepts(&value));
        if !holds {
            return Err(shape::unpromised(&String::from_utf8_lossy(&kept.as_it_is())));
        }
    }
    Ok(Some(body))
}

/// As much of a result as there is room for.
#[derive(Clone, Copy)]
struct Kept<'s> {
    /// A value, or the items of a list.
    json: &'s [u8],
    is_list: bool,
    cut: Option<Cut>,
}

fn fitting(streamed: &Streamed, room: usize) -> Option<Kept<'_>> {
    let Some(ends) = &streamed.ends else {
        return (streamed.json.len() <= room).then_some(Kept { json: &streamed.json, is_list: false, cut: None });
    };
    // Two brackets stand around the items.
    let shown = ends.partition_point(|end| end + 2 <= room);
    let end = shown.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
    let cut = (shown < streamed.total).then_some(Cut { shown, of: streamed.total });
    Some(Kept { json: streamed.json.get(..end)?, is_list: true, cut })
}

impl Kept<'_> {
    /// The value, or the list; one that was cut says so in an object.
    fn as_it_is(self) -> Vec<u8> {
        match (self.is_list, self.cut) {
            (false, _) => self.json.to_vec(),
            (true, None) => around(b"[", self.json, b"]"),
            (true, Some(_)) => self.object(),
        }
    }

    /// Structured content is always an object (protocol.md T-12).
    fn object(self) -> Vec<u8> {
        match (self.is_list, self.cut) {
            (false, _) if self.json.first() == Some(&b'{') => self.json.to_vec(),
            (false, _) => around(b"{\"result\":", self.json, b"}"),
            (true, None) => around(b"{\"items\":[", self.json, b"]}"),
            (true, Some(cut)) => {
                around(b"{\"items\":[", self.json, format!("],\"truncated\":{}}}", cut.note()).as_bytes())
            }
        }
    }
}

fn around(before: &[u8], json: &[u8], after: &[u8]) -> Vec<u8> {
    [before, json, after].concat()
}
