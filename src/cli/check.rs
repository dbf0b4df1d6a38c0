//! Floor 9. `mcp-bridge check`: every fault of every file, in one run.

use clap::Args;

use super::{Exit, Format, Paths, report};
use crate::diag::Severity;

/// `mcp-bridge check`
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// How faults are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    format: Format,
    /// Warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(options: &Options) -> Exit {
    let (files, checked) = match report::examine(&options.paths.paths) {
        Ok(examined) => examined,
        Err(exit) => return exit,
    };
    let diagnostics = &checked.diagnostics;
    report::print(options.format, &files, diagnostics);
    let count = files.ids().count();
    let noun = if count == 1 { "file" } else { "files" };
    let tools = checked.plan.as_ref().map_or(String::new(), |(plan, _)| match plan.tools.len() {
        1 => ", 1 tool".into(),
        tools => format!(", {tools} tools"),
    });
    report::tell(&format!("{count} {noun}{tools}: {}", report::summary(diagnostics)));
    let denied = options.deny_warnings && diagnostics.count(Severity::Warning) > 0;
    if diagnostics.has_errors() || denied { Exit::Faulty } else { Exit::Fine }
}
