//! Floor 6. The person's word before a tool runs: asked for through the client where it can ask,
//! and demanded as an argument where it cannot (protocol.md M-01 to M-05).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Asked, Body, Call, CallError, ErrorClass, Outcome, Proof, Question, QuestionKind,
    call::{prepare, scope},
    shape,
};
use crate::{plan::Confirmation, schema::Arguments, template::Text};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whether the person behind the client can be asked.
fn can_be_asked(call: &Call<'_>) -> bool {
    call.peer.abilities().has(QuestionKind::Elicit)
}

/// What reads the arguments of a call: what its client was shown.
pub(super) fn reader<'a>(call: &Call<'a>) -> &'a Arguments {
    match &call.tool.confirm {
        Some(confirmation) if !can_be_asked(call) => &confirmation.arguments,
        Some(_) | None => &call.tool.arguments,
    }
}

/// Gets the person's agreement. What ends the call is an error, or the question whose answer comes
/// with a later request.
pub(super) async fn obtain(
    confirmation: &Confirmation,
    call: &Call<'_>,
    arguments: &mut Map<String, Value>,
) -> Result<Option<Outcome>, CallError> {
    if !can_be_asked(call) {
        let given = arguments.remove(Confirmation::ARGUMENT);
        if given == Some(Value::Bool(true)) {
            return Ok(None);
        }
        let sentence = said(&confirmation.sentence, call, arguments)?;
        let words = format!(
            "Nothing was done: this needs the person's agreement first.\n\n{sentence}\n\nAsk them in these words. When they agree, call again with the same arguments and `confirm: true`; otherwise do not call again."
        );
        return Err(CallError::new(ErrorClass::Declined, words));
    }
    let sentence = said(&confirmation.sentence, call, arguments)?;
    let question = Question {
        key: Confirmation::ARGUMENT.into(),
        kind: QuestionKind::Elicit,
        params: json!({ "message": sentence, "requestedSchema": { "type": "object", "properties": {} } }),
        proof: Proof::Needed,
    };
    let asked = tokio::time::timeout(PATIENCE, call.peer.ask(&question)).await;
    let words = match asked.unwrap_or(Asked::Unanswered) {
        Asked::Later => return Ok(Some(Outcome::fine(Body::Questions(vec![question])))),
        Asked::Impossible => "The person could not be asked just now, so nothing was done.",
        Asked::Unanswered => "The person did not answer in time, or the client reported an error, so nothing was done.",
        Asked::Answered(answer) => match answer.get("action").and_then(Value::as_str) {
            Some("accept") => return Ok(None),
            Some("decline") => "The person declined, so nothing was done. Do not call again unless they ask for it.",
            Some("cancel") => "The person closed the question without an answer, so nothing was done.",
            // What is no answer is asked for again, where that can be (protocol.md M-06).
            Some(_) | None => return Ok(Some(Outcome::fine(Body::Questions(vec![question])))),
        },
    };
    Err(CallError::new(ErrorClass::Declined, words))
}

fn said(sentence: &Text, call: &Call<'_>, arguments: &Map<String, Value>) -> Result<String, CallError> {
    sentence.render(&scope(call, arguments, &[])).map_err(|error| shape::template_failed(&error))
}

/// What the person is to agree to before a call runs; `None` when nothing is asked.
///
/// # Errors
/// As for the call itself, up to the moment of asking.
pub fn consent(call: &Call<'_>) -> Result<Option<String>, CallError> {
    let Some(confirmation) = &call.tool.confirm else { return Ok(None) };
    let mut arguments = prepare(call)?;
    arguments.remove(Confirmation::ARGUMENT);
    said(&confirmation.sentence, call, &arguments).map(Some)
}
