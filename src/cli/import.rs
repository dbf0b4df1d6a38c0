//! Floor 9. `mcp-bridge import`: makes a bridge file of what others have described.

mod openapi;
mod sql;
mod written;

use clap::Subcommand;

use super::{Exit, report};

/// `mcp-bridge import`
#[derive(Debug, Subcommand)]
pub(super) enum Options {
    /// Makes a bridge file of an OpenAPI document: OpenAPI 3.0, 3.1 or Swagger 2.0, in JSON or YAML
    Openapi(openapi::Options),
    /// Makes a bridge file of the tables of a database: SQLite, PostgreSQL, MySQL or MariaDB
    Sql(sql::Options),
}

pub(super) fn run(options: &Options) -> Exit {
    match options {
        Options::Openapi(options) => openapi::run(options),
        Options::Sql(options) => sql::run(options),
    }
}

fn refuse(words: &str) -> Exit {
    report::tell(&format!("error: {words}"));
    Exit::CouldNotRun
}
