//! Floor 9. `mcp-bridge call`: runs one tool from the terminal, through the same door as clients,
//! and prints the result as a model reads it.

mod agree;
mod arguments;
mod dry_run;

use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Exit, door, progress::Progress, report};
use crate::{
    diag::closest,
    engine::{Admitted, CallerHeaders, Generation, Identified, Identity, Principal},
    plan::{Assertion, Confirmation, Plan, Tool},
    secret::Vault,
};

/// `mcp-bridge call`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    /// Bridge files or folders, the tool, and its arguments as name=value, name:=JSON, or `-` for
    /// one JSON object from the standard input
    #[arg(value_name = "PATH… TOOL ARGUMENT…", required = true)]
    words: Vec<String>,
    /// The arguments as one JSON object
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
    /// Prints the request or the statement, with credentials masked, and sends nothing
    #[arg(long)]
    dry_run: bool,
    /// Agrees to what the tool asks before it runs
    #[arg(long, short = 'y')]
    yes: bool,
    /// Prints the result as the protocol sends it
    #[arg(long)]
    result: bool,
    #[command(flatten)]
    caller: Caller,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge call find_books text=emma limit=3
  mcp-bridge call bridges/bookstore.yaml find_books --dry-run 'genres:=[\"fiction\"]'
  echo '{\"text\": \"emma\"}' | mcp-bridge call find_books -

Where PATH is left out it is `bridges/`. The exit code is 1 when the result is an error.";

/// On whose behalf the tool is called.
#[derive(Debug, Args)]
struct Caller {
    /// Name and subject of the caller; without any of these it is anonymous
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// The caller's workspace
    #[arg(long)]
    workspace: Option<String>,
    /// What the caller may do; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The person behind the caller
    #[arg(long, value_name = "PERSON")]
    end_user: Option<String>,
    /// A header of the caller, for sources that pass it on: 'authorization: Bearer …'
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

pub(super) fn run(options: &Options) -> Exit {
    start(options).unwrap_or_else(|exit| exit)
}

fn start(options: &Options) -> Result<Exit, Exit> {
    let words = arguments::divide(&options.words).map_err(|fault| refuse(&fault))?;
    let (plan, vault) = report::plan(&words.paths)?;
    let tool = find(&plan, &words.tool)?;
    let given = match (&options.json, words.stdin) {
        (Some(_), true) => return Err(refuse("`-` and --json both give the arguments")),
        (Some(text), false) => arguments::object(text),
        (None, true) => arguments::read().and_then(|text| arguments::object(&text)),
        (None, false) => Ok(Map::new()),
    };
    let schema = tool.confirm.as_ref().map_or(&tool.input_schema, |confirmation| &confirmation.input_schema);
    let given = given.and_then(|given| arguments::add(given, &words.arguments, schema));
    let mut given = Value::Object(given.map_err(|fault| refuse(&fault))?);
    let headers = CallerLines::read(&options.caller.headers).map_err(|fault| refuse(&fault))?;
    let principal = principal(&options.caller, &plan);
    admit(tool, &principal)?;
    if options.dry_run {
        return Ok(dry_run::run(&plan, tool, (&given, &principal, &headers)));
    }
    if tool.confirm.is_some() && given.get(Confirmation::ARGUMENT).is_none() {
        let agreed = options.yes || agree::asked(tool, (&given, &principal, &headers))?;
        if let Some(given) = given.as_object_mut().filter(|_| agreed) {
            given.insert(Confirmation::ARGUMENT.into(), true.into());
        }
    }
    let name = tool.name.clone();
    send(plan, &vault, &json!({ "name": name, "arguments": given }), (principal, headers), options.result)
}

fn find<'p>(plan: &'p Plan, name: &str) -> Result<&'p Tool, Exit> {
    plan.tools.iter().find(|tool| tool.name == name).ok_or_else(|| {
        let exit = refuse(&format!("there is no tool `{name}`"));
        let near = closest(name, plan.tools.iter().map(|tool| tool.name.as_str()));
        report::tell(
            &near.map_or("  help: `mcp-bridge tools` lists them".into(), |near| {
                format!("  help: did you mean `{near}`?")
            }),
        );
        exit
    })
}

fn principal(caller: &Caller, plan: &Plan) -> Principal {
    let named =
        caller.name.is_some() || caller.workspace.is_some() || caller.end_user.is_some() || !caller.scopes.is_empty();
    let principal = if named {
        Principal::new(Identity {
            id: caller.name.clone().unwrap_or_else(|| "terminal".into()),
            kind: Identified::ApiKey,
            name: caller.name.clone().unwrap_or_else(|| "terminal".into()),
            subject: caller.name.clone(),
            workspace: caller.workspace.clone(),
            client_id: None,
            scopes: plan.server.with_implied(caller.scopes.iter().map(String::as_str)),
            claims: Map::new(),
            end_users: Assertion::Believed,
        })
    } else {
        Principal::anonymous()
    };
    caller.end_user.as_deref().map_or_else(|| principal.clone(), |person| principal.on_behalf_of(person))
}

/// Clients are not shown what they may not call; a person at a terminal is told why.
fn admit(tool: &Tool, principal: &Principal) -> Result<(), Exit> {
    let (name, admission) = (&tool.name, &tool.admission);
    match principal.admitted(admission) {
        Admitted::Yes => return Ok(()),
        Admitted::Scopes => {
            report::tell(&format!(
                "error: this caller may not call `{name}`: it needs {}",
                admission.scopes.join(", ")
            ));
            let flags: Vec<_> = admission.scopes.iter().map(|scope| format!("--scope {scope}")).collect();
            report::tell(&format!("  help: {}", flags.join(" ")));
        }
        Admitted::No => {
            report::tell(&format!("error: this caller may not call `{name}`: it does not meet its `require`"));
            report::tell("  help: --as NAME and --workspace NAME say who is calling");
        }
    }
    Err(Exit::CouldNotRun)
}

/// Calls the tool as a client does, and prints what comes back.
fn send(plan: Plan, vault: &Vault, params: &Value, who: (Principal, CallerLines), whole: bool) -> Result<Exit, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refuse(&format!("the call cannot start: {error}")))?;
    let waiting = Progress::of("waiting for the result", None);
    let result = runtime.block_on(async {
        let generation = Generation::build(plan, vault).await.map_err(|error| error.public().to_owned())?;
        let generation = Arc::new(generation);
        let result = door::call(&generation, params, who).await;
        generation.close().await;
        result
    });
    drop(waiting);
    let result = result.map_err(|fault| refuse(&fault))?;
    report::show(&if whole { serde_json::to_string_pretty(&result).unwrap_or_default() } else { door::text(&result) });
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    Ok(if failed { Exit::Faulty } else { Exit::Fine })
}

/// The headers that the caller sends.
#[derive(Clone, Debug)]
struct CallerLines(Vec<(String, String)>);

impl CallerLines {
    fn read(lines: &[String]) -> Result<Self, String> {
        let all = lines.iter().map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(|| "a header is written 'name: value'".to_owned())?;
            Ok((name.trim().to_lowercase(), value.trim().to_owned()))
        });
        all.collect::<Result<_, String>>().map(Self)
    }
}

impl CallerHeaders for CallerLines {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.0.iter().filter(|(known, _)| known == name);
        let (Some((_, value)), None) = (all.next(), all.next()) else { return None };
        Some(value.as_bytes())
    }
}

fn refuse(words: &str) -> Exit {
    report::tell(&format!("error: {words}"));
    Exit::CouldNotRun
}
