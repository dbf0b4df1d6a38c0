//! Floor 9. `mcp-bridge schema`: what editors complete bridge files by.

use clap::{Args, ValueEnum};

use super::{Exit, report};
use crate::bridge::{self, Holds};

/// `mcp-bridge schema`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// What the files hold
    #[arg(value_enum, default_value_t = Of::Bridge)]
    of: Of,
}

/// What files hold.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// A bridge, and settings of the server
    Bridge,
    /// Settings of the server alone
    Server,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge schema > bridges/bridge.schema.json
  mcp-bridge schema server > bridges/server.schema.json

A file names its schema in its first line: # yaml-language-server: $schema=bridge.schema.json";

pub(super) fn run(options: &Options) -> Exit {
    report::show(&print(match options.of {
        Of::Bridge => Holds::Bridge,
        Of::Server => Holds::Server,
    }));
    Exit::Fine
}

/// The schema as it is committed to `schemas/`.
#[must_use]
pub fn print(holds: Holds) -> String {
    // A schema is a value, and every value can be printed.
    serde_json::to_string_pretty(&bridge::editor_schema(holds)).unwrap_or_default()
}
