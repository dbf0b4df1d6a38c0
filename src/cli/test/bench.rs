//! Floor 9. One test at a time: sources that play, a database of its own where there is one, the call
//! through the door of the clients, and what came of it held against what was expected.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, json};
use tempfile::TempDir;

use super::{
    super::door::{self, NoHeaders},
    Chosen,
    compare::{self, Fault},
};
use crate::{
    check::makes_itself,
    engine::{Admitted, Generation, Identified, Identity, Principal},
    plan::{
        Assertion, Engine, Plan, SourceId, SourceKind, Tool,
        test::{Stub, TEST_TIME_MAX, Test, TestCaller},
    },
    secret::Vault,
    upstream::{Tape, Upstream, Upstreams},
};

/// What became of a test.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What is not as expected; nothing for a test that passed.
    pub(super) faults: Vec<Fault>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Where tests run.
pub(super) struct Bench {
    plan: Arc<Plan>,
    folder: TempDir,
    /// The databases that make themselves, made once, by their source; or why they could not be.
    databases: BTreeMap<usize, Result<PathBuf, String>>,
}

/// The scripts that make databases.
pub(super) fn scripts(plan: &Plan) -> Vec<PathBuf> {
    let scripts = plan.sources.iter().filter_map(|source| match &source.kind {
        SourceKind::Sql(sql) => match &sql.engine {
            Engine::Sqlite { init, .. } => init.clone(),
            Engine::Postgres(_) | Engine::Mysql(_) => None,
        },
        SourceKind::Rest(_) => None,
    });
    scripts.collect()
}

impl Bench {
    /// Makes the databases.
    ///
    /// # Errors
    /// When there is no place for them.
    pub(super) fn new(plan: Plan) -> Result<Self, String> {
        let folder =
            tempfile::Builder::new().prefix("mcp-bridge-test-").tempdir().map_err(|error| error.to_string())?;
        let mut bench = Self { plan: Arc::new(plan), folder, databases: BTreeMap::new() };
        let runtime = runtime()?;
        let plan = Arc::clone(&bench.plan);
        for (id, source) in plan.sources() {
            let SourceKind::Sql(sql) = &source.kind else { continue };
            let tested = plan.tools.iter().any(|tool| !tool.tests.is_empty() && tool.operation.sources().contains(&id));
            if !tested || !makes_itself(&sql.engine) || is_in_memory(&sql.engine) {
                continue;
            }
            let path = bench.folder.path().join(format!("{}.db", id.index()));
            let made = runtime.block_on(make(&plan, id, &path));
            bench.databases.insert(id.index(), made.map(|()| path));
        }
        Ok(bench)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs one test.
    pub(super) fn run(&self, chosen: Chosen) -> Verdict {
        let begun = Instant::now();
        let tool = self.plan.tools.get(chosen.tool);
        let faults = match tool.and_then(|tool| Some((tool, tool.tests.get(chosen.test)?))) {
            Some((tool, test)) => self.faults(tool, test).unwrap_or_else(|fault| vec![Fault::told(fault)]),
            None => Vec::new(),
        };
        Verdict { faults, took: begun.elapsed() }
    }

    /// # Errors
    /// Why the tool could not even be called.
    fn faults(&self, tool: &Tool, test: &Test) -> Result<Vec<Fault>, String> {
        let principal = principal(test.caller.as_ref(), &self.plan);
        match principal.admitted(&tool.admission) {
            Admitted::Yes => {}
            Admitted::Scopes => {
                let scopes = tool.admission.scopes.join(", ");
                return Err(format!("this caller may not call the tool: write `as: {{ scopes: [{scopes}] }}`"));
            }
            Admitted::No => {
                return Err("this caller does not meet the tool's `require`: say who it is with `as`".into());
            }
        }
        let own = tempfile::Builder::new().tempdir_in(self.folder.path()).map_err(|error| error.to_string())?;
        let databases = self.databases(tool, test, own.path())?;
        let tape = Arc::new(Tape::playing(&test.stubs));
        let params = json!({ "name": tool.name, "arguments": test.arguments });
        let result = runtime()?.block_on(async {
            let own = |id: SourceId| databases.get(&id.index()).cloned();
            let upstreams = Upstreams::playing(&self.plan, &tape, &own).map_err(|error| error.public().to_owned())?;
            let generation = Arc::new(Generation::over(Arc::clone(&self.plan), upstreams));
            let call = door::call(&generation, &params, (principal, NoHeaders));
            let result = tokio::time::timeout(TEST_TIME_MAX, call).await;
            generation.close().await;
            result.unwrap_or_else(|_| Err(format!("the call was not over after {} s", TEST_TIME_MAX.as_secs())))
        })?;
        Ok(compare::faults(test, &result, &tape))
    }

    /// The databases that this test asks in earnest. A tool that changes something gets copies.
    fn databases(&self, tool: &Tool, test: &Test, own: &Path) -> Result<BTreeMap<usize, PathBuf>, String> {
        let mut all = BTreeMap::new();
        if test.stubs.all().iter().any(Stub::is_of_database) {
            return Ok(all);
        }
        for id in tool.operation.sources() {
            let Some(source) = self.plan.source(id) else { continue };
            if let SourceKind::Sql(sql) = &source.kind
                && is_in_memory(&sql.engine)
            {
                all.insert(id.index(), PathBuf::from(":memory:"));
                continue;
            }
            let Some(made) = self.databases.get(&id.index()) else { continue };
            let made = made.as_ref().map_err(Clone::clone)?;
            let path = if tool.writes() {
                let copy = own.join(format!("{}.db", id.index()));
                fs::copy(made, &copy).map_err(|error| error.to_string())?;
                copy
            } else {
                made.clone()
            };
            all.insert(id.index(), path);
        }
        Ok(all)
    }
}

fn is_in_memory(engine: &Engine) -> bool {
    matches!(engine, Engine::Sqlite { path, .. } if path.as_os_str() == ":memory:")
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())
}

/// Runs the script of a database.
async fn make(plan: &Plan, id: SourceId, path: &Path) -> Result<(), String> {
    let tape = Arc::new(Tape::default());
    let own = |other: SourceId| (other == id).then(|| path.to_owned());
    let upstreams = Upstreams::playing(plan, &tape, &own).map_err(|error| error.public().to_owned())?;
    let ready = match upstreams.get(id) {
        Some(Upstream::Sql(sql)) => sql.ready().await,
        Some(Upstream::Rest(_)) | None => Ok(()),
    };
    upstreams.close().await;
    ready.map_err(|error| match error.cause() {
        Some(cause) => format!("{} ({cause})", error.public()),
        None => error.public().to_owned(),
    })
}

/// Who is calling.
pub(super) fn principal(caller: Option<&TestCaller>, plan: &Plan) -> Principal {
    let Some(caller) = caller else { return Principal::anonymous() };
    let principal = Principal::new(Identity {
        id: caller.name.clone(),
        kind: Identified::ApiKey,
        name: caller.name.clone(),
        subject: caller.subject.clone(),
        workspace: caller.workspace.clone(),
        client_id: None,
        scopes: plan.server.with_implied(caller.scopes.iter().map(String::as_str)),
        claims: Map::clone(&caller.claims),
        end_users: Assertion::Believed,
    });
    caller.end_user.as_deref().map_or_else(|| principal.clone(), |person| principal.on_behalf_of(person))
}

/// Asks the sources in earnest, and takes down what they answer.
///
/// # Errors
/// Why there is no answer.
pub(super) fn record(plan: &Arc<Plan>, vault: &Vault, tool: &Tool, test: &Test) -> Result<Vec<Stub>, String> {
    let tape = Arc::new(Tape::default());
    let params = json!({ "name": tool.name, "arguments": test.arguments });
    let principal = principal(test.caller.as_ref(), plan);
    runtime()?.block_on(async {
        let upstreams = Upstreams::recording(plan, vault, &tape).map_err(|error| error.public().to_owned())?;
        let generation = Arc::new(Generation::over(Arc::clone(plan), upstreams));
        let result = door::call(&generation, &params, (principal, NoHeaders)).await;
        generation.close().await;
        match (tape.answered(), result) {
            (answered, Err(fault)) if answered.is_empty() => Err(fault),
            (answered, Ok(result)) if answered.is_empty() => Err(door::text(&result)),
            (answered, _) => Ok(answered),
        }
    })
}
