//! Floor 9. `mcp-bridge schema`: what editors complete bridge files by.

use super::{Exit, report};
use crate::bridge;

pub(super) fn run() -> Exit {
    report::show(&print());
    Exit::Fine
}

/// The schema as it is committed to `schemas/`.
#[must_use]
pub fn print() -> String {
    // A schema is a value, and every value can be printed.
    serde_json::to_string_pretty(&bridge::json_schema()).unwrap_or_default()
}
