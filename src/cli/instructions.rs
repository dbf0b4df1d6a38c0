//! Floor 9. `mcp-bridge instructions`: what clients are sent before anything else.

use clap::Args;

use super::{Exit, Paths, report};
use crate::{engine::instructions, plan::BridgeId};

/// `mcp-bridge instructions`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// Only those of one bridge, as at /mcp/NAME
    #[arg(long, value_name = "NAME")]
    bridge: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge instructions
  mcp-bridge instructions bridges/ --bridge bookstore";

pub(super) fn run(options: &Options) -> Exit {
    let (plan, _) = match report::plan(&options.paths.paths) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let wanted = |name: &str| options.bridge.as_deref().is_none_or(|bridge| bridge == name);
    let bridges: Vec<BridgeId> = plan.bridges().filter(|(_, bridge)| wanted(&bridge.name)).map(|(id, _)| id).collect();
    if bridges.is_empty() {
        report::tell("error: there is no bridge of this name");
        return Exit::CouldNotRun;
    }
    report::show(&instructions(&plan, &bridges, &|_| true));
    Exit::Fine
}
