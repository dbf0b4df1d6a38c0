//! Floor 9. `mcp-bridge plan`: what would be served, and what would become another than with an older copy of
//! the files. No source is asked, and no credential shown.

mod differences;
mod things;

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;

use super::{Exit, Paths, report};
use crate::plan::{BridgeId, Engine, Plan, Reload, Source, SourceKind, Tool};

/// `mcp-bridge plan`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// An older copy of the files, to say what a reload would change; may be given several times
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge plan
  git worktree add /tmp/before HEAD && mcp-bridge plan bridges/ --against /tmp/before/bridges

Values of credentials are not compared.";

pub(super) fn run(options: &Options) -> Exit {
    let old = match options.against.as_slice() {
        [] => None,
        paths => match report::plan(paths) {
            Ok((plan, _)) => Some(plan),
            Err(exit) => return exit,
        },
    };
    let (plan, _) = match report::plan(&options.paths.paths) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    match old {
        None => report::show(&served(&plan)),
        Some(old) => report::show(&differences::told(&old, &plan)),
    }
    Exit::Fine
}

/// All that would be served.
fn served(plan: &Plan) -> String {
    let server = &plan.server;
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let mut text = format!("{scheme}://{}\n", server.listen);
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    if let Some(url) = &server.public_url {
        line("public", url);
    }
    line("callers", &callers(plan));
    if server.reload == Reload::Never {
        line("reload", "off: changed files count from the next start on");
    }
    for (id, bridge) in plan.bridges().filter(|(id, _)| has_anything(plan, *id)) {
        let title = bridge.title.as_deref().map_or(String::new(), |title| format!(" - {title}"));
        let _ = writeln!(text, "\n/mcp/{}{title}", bridge.name);
        for (_, source) in plan.sources().filter(|(_, source)| source.bridge == id) {
            let _ = writeln!(text, "  source    {:<24}{}", source.name, place(source));
        }
        for tool in plan.tools_of(id) {
            let _ = writeln!(text, "  tool      {:<24}{}", tool.name, effect(tool));
        }
        for resource in plan.resources.iter().filter(|resource| resource.tool.bridge == id) {
            let _ = writeln!(text, "  resource  {}", resource.name);
        }
        for prompt in plan.prompts.iter().filter(|prompt| prompt.tool.bridge == id) {
            let _ = writeln!(text, "  prompt    {}", prompt.name);
        }
    }
    text
}

fn has_anything(plan: &Plan, id: BridgeId) -> bool {
    plan.tools_of(id).next().is_some()
        || plan.resources.iter().any(|resource| resource.tool.bridge == id)
        || plan.prompts.iter().any(|prompt| prompt.tool.bridge == id)
}

fn callers(plan: &Plan) -> String {
    let server = &plan.server;
    let ways: Vec<&str> = [
        (server.api_keys.is_some(), "API keys"),
        (server.oauth.is_some(), "tokens of issuers"),
        (server.authority.is_some(), "people who sign in here"),
        (server.passthrough.is_some(), "credentials of the API behind"),
    ]
    .into_iter()
    .filter_map(|(there, way)| there.then_some(way))
    .collect();
    if ways.is_empty() { "anybody who reaches the address".to_owned() } else { ways.join(", ") }
}

/// Where a source is, without credentials.
fn place(source: &Source) -> String {
    match &source.kind {
        SourceKind::Rest(rest) => {
            let mut base = rest.base.clone();
            // What cannot have a name in it has none to be removed.
            let _ = base.set_username("");
            let _ = base.set_password(None);
            base.set_query(None);
            base.to_string()
        }
        SourceKind::Sql(sql) => {
            let access = if sql.read_only { ", read-only" } else { "" };
            match &sql.engine {
                Engine::Sqlite { path, .. } => format!("sqlite {}{access}", path.display()),
                Engine::Postgres(remote) => format!("postgres {}{access}", remote.database),
                Engine::Mysql(remote) => format!("mysql {}{access}", remote.database),
            }
        }
    }
}

/// What a call can do, and who may make one.
fn effect(tool: &Tool) -> String {
    let mut words = vec![if tool.writes() { "changes" } else { "reads" }.to_owned()];
    if tool.writes() && tool.annotations.destructive {
        words.push("may destroy".into());
    }
    if tool.confirm.is_some() {
        words.push("asks first".into());
    }
    if !tool.admission.scopes.is_empty() {
        words.push(format!(
            "scopes {}",
            tool.admission.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        ));
    }
    words.join(", ")
}
