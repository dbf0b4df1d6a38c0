//! `mcp-bridge` serves REST endpoints and SQL queries as MCP tools, from YAML files.
//!
//! The modules stand on floors: each may use itself and strictly lower ones. `ARCHITECTURE.md`
//! tells what stands where and why.

pub mod access;
pub mod alarm;
pub mod authority;
pub mod bridge;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod diag;
pub mod document;
pub mod engine;
pub mod heap;
pub mod import;
pub mod issuer;
pub mod load;
pub mod mcp;
pub mod plan;
pub mod schema;
pub mod secret;
pub mod select;
pub mod serve;
pub mod state;
pub mod telemetry;
pub mod template;
pub mod text;
pub mod upstream;
pub mod yaml;
