//! Floor 9. What a tool asks before it runs, asked at the terminal.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::{
    super::{Exit, report},
    CallerLines,
};
use crate::{
    engine::{Call, Principal, Silent, Tally, consent},
    plan::Tool,
};

/// Whether the person at the terminal agrees. Where nobody can be asked nobody has agreed, and the
/// tool says by itself what it would do.
pub(super) fn asked(
    tool: &Tool,
    (given, principal, headers): (&Value, &Principal, &CallerLines),
) -> Result<bool, Exit> {
    let arguments = given.to_string();
    let tally = Tally::new();
    let call = Call { tool, arguments: Some(&arguments), principal, headers, request: 1, peer: &Silent, tally: &tally };
    // Arguments that are not accepted are told by the call.
    let Ok(Some(sentence)) = consent(&call) else { return Ok(false) };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        report::tell("note: nobody is at the terminal to agree; --yes does");
        return Ok(false);
    }
    let mut stderr = io::stderr();
    // A closed stream is the reader's choice.
    let _ = write!(stderr, "{sentence} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(true);
    }
    report::tell("Nothing was done.");
    Err(Exit::Faulty)
}
