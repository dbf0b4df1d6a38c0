//! Floor 9. `mcp-bridge plan`: what would be served, and what would become another than with an older copy of
//! the files or with what a server serves now. No credential is shown, and no source asked but for what its columns
//! are where a running server has asked it, too.

mod differences;
mod listing;
mod things;

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use url::Url;

use super::{Exit, Paths, environment::Environment, progress::Progress, report};
use crate::{
    plan::{BridgeId, Engine, Plan, Reload, Source, SourceKind, Tool},
    secret::{Secret, Vault},
    yaml::Variables,
};
use differences::Side;
use listing::{Columns, Listing};

/// `mcp-bridge plan`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// An older copy of the files, or the address of a running server, to say what a reload would change; files may
    /// be given several times
    #[arg(long, value_name = "PATH|URL")]
    against: Vec<PathBuf>,
    /// The variable of the environment with a key for that server. What its caller may not see counts as new
    #[arg(long, value_name = "NAME", requires = "against")]
    key: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge plan
  mcp-bridge plan bridges/ --against http://127.0.0.1:8080/mcp
  POKE_KEY=… mcp-bridge plan bridges/ --against https://mcp.example.com/mcp/shop --key POKE_KEY
  git worktree add /tmp/before HEAD && mcp-bridge plan bridges/ --against /tmp/before/bridges

Files are compared as a whole, but for the values of credentials. Of a running server only that
can be compared which it tells its callers: tools with their schemas, names of resources and
prompts, and instructions.";

pub(super) fn run(options: &Options) -> Exit {
    compared(options).unwrap_or_else(|exit| exit)
}

fn compared(options: &Options) -> Result<Exit, Exit> {
    let server = match options.against.as_slice() {
        [] => {
            let (plan, _) = report::plan(&options.paths.paths)?;
            report::show(&served(&plan));
            return Ok(Exit::Fine);
        }
        [place] => address(place),
        _ => None,
    };
    let refuse = |fault: &str| {
        report::tell(&format!("error: {fault}"));
        Exit::CouldNotRun
    };
    let Some(url) = server else {
        let old = side(report::plan(&options.against)?).map_err(|fault| refuse(&fault))?;
        let new = side(report::plan(&options.paths.paths)?).map_err(|fault| refuse(&fault))?;
        report::show(&differences::told(&old, &new));
        return Ok(Exit::Fine);
    };
    let key = match &options.key {
        None => None,
        Some(name) => {
            let value = Environment.variable(name).filter(|value| !value.is_empty());
            Some(Secret::new(value.ok_or_else(|| refuse(&format!("the variable `{name}` is not set")))?))
        }
    };
    let (plan, vault) = report::plan(&options.paths.paths)?;
    let waiting = Progress::of("asking the server and the databases", None);
    let told = Listing::of_server(&url, key.as_ref());
    let new = told.is_ok().then(|| Listing::of_plan(plan, &vault, Columns::Asked, bridge(&url)));
    drop(waiting);
    let old = told.map_err(|fault| refuse(&format!("{}: {fault}", shown(&url))))?;
    let new = new.unwrap_or_else(|| Err("nothing is compared".into()));
    let (new, _) = new.map_err(|fault| refuse(&fault))?;
    report::show(&listing::told(&old, &new));
    Ok(Exit::Fine)
}

fn side((plan, vault): (Plan, Vault)) -> Result<Side, String> {
    let (listing, generation) = Listing::of_plan(plan, &vault, Columns::Unknown, None)?;
    Ok(Side { generation, listing })
}

/// The address of a server, where one is given.
fn address(place: &std::path::Path) -> Option<Url> {
    let url = Url::parse(place.to_str()?).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// The one bridge that an address is of.
fn bridge(url: &Url) -> Option<&str> {
    url.path().trim_end_matches('/').rsplit_once("/mcp/").map(|(_, name)| name)
}

/// An address without what may be a credential.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
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
