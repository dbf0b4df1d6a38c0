//! Floor 9. `mcp-bridge check`: every fault of every file, in one run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Format, Paths, fix, progress::Progress, report, tokens};
use crate::{
    catalog::Catalog,
    check::{self, Checked},
    diag::Severity,
    plan::Plan,
    secret::Vault,
    text::FileSet,
    upstream::{UpstreamError, Upstreams},
};

/// `mcp-bridge check`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// How faults are printed
    #[arg(long, value_enum, default_value_t = Format::Full)]
    format: Format,
    /// Makes the replacements that can have been meant only, and checks what is left
    #[arg(long)]
    fix: bool,
    /// Warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Prints what tools and instructions cost with every question, tool by tool
    #[arg(long)]
    tokens: bool,
    /// Asks the databases about every statement; none is run
    #[arg(long)]
    connect: bool,
    /// What the databases said: written with --connect, and read in their place without it
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge check
  mcp-bridge check bridges/shop.yaml --fix
  mcp-bridge check --connect --catalog catalog.json
  mcp-bridge check --format github --deny-warnings
  mcp-bridge check --tokens";

pub(super) fn run(options: &Options) -> Exit {
    if options.tokens && !matches!(options.format, Format::Full | Format::Concise) {
        return could_not("--tokens goes with `--format full` and `concise`: the others are documents");
    }
    let examined = if options.fix { fix::run(&options.paths.paths) } else { report::examine(&options.paths.paths) };
    let (files, mut checked) = match examined {
        Ok(examined) => examined,
        Err(exit) => return exit,
    };
    let catalog = match hold_against_databases(options, &files, &mut checked) {
        Ok(catalog) => catalog,
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
    report::sum_up(&format!("{count} {noun}{tools}: {}", report::summary(diagnostics)));
    if let Some(note) = checked.plan.as_ref().and_then(|(plan, _)| plan.passed_on()) {
        report::sum_up(&format!("note: {note}"));
    }
    if let (Format::Full, Some(first)) = (options.format, diagnostics.iter().next()) {
        report::sum_up(&format!("`mcp-bridge explain {}` says more about a code", first.code.as_str()));
    }
    let faulty = checked.diagnostics.has_errors();
    if let (true, false, Some((plan, vault))) = (options.tokens, faulty, checked.plan.take()) {
        match tokens::bill(plan, &vault, catalog.as_ref()) {
            Ok(bill) => report::show_some(&bill),
            Err(fault) => return could_not(&fault),
        }
    }
    let denied = options.deny_warnings && checked.diagnostics.count(Severity::Warning) > 0;
    if faulty || denied { Exit::Faulty } else { Exit::Fine }
}

/// Adds what the databases, or the catalog in their place, say against the statements. Files with
/// faults of their own are not asked about.
fn hold_against_databases(options: &Options, files: &FileSet, checked: &mut Checked) -> Result<Option<Catalog>, Exit> {
    let Some((plan, vault)) = &checked.plan else { return Ok(None) };
    let catalog = match (options.connect, &options.catalog) {
        (false, None) => return Ok(None),
        (false, Some(path)) => read(path)?,
        (true, path) => {
            let catalog = ask(plan, vault)?;
            if let Some(path) = path {
                write(path, &catalog)?;
            }
            catalog
        }
    };
    let told = check::compare(plan, &catalog, &checked.places, files);
    checked.diagnostics.append(told);
    checked.diagnostics.sort(files);
    Ok(Some(catalog))
}

fn ask(plan: &Plan, vault: &Vault) -> Result<Catalog, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| could_not(&format!("the databases cannot be asked: {error}")))?;
    let waiting = Progress::of("asking the databases", None);
    let asked = runtime.block_on(async {
        let upstreams = Upstreams::connect(plan, vault)?;
        let catalog = upstreams.inspect(plan).await;
        upstreams.close().await;
        Ok(catalog)
    });
    drop(waiting);
    asked.map_err(|error: UpstreamError| could_not(error.public()))
}

fn read(path: &Path) -> Result<Catalog, Exit> {
    let named = |error: &dyn std::fmt::Display| could_not(&format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    serde_json::from_str(&text).map_err(|error| named(&error))
}

fn write(path: &Path, catalog: &Catalog) -> Result<(), Exit> {
    let text = serde_json::to_string_pretty(catalog).unwrap_or_default();
    std::fs::write(path, text + "\n").map_err(|error| could_not(&format!("{}: {error}", path.display())))
}

fn could_not(words: &str) -> Exit {
    report::tell(&format!("error: {words}"));
    Exit::CouldNotRun
}
