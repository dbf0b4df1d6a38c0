//! Floor 7. What is asked for often and never changes while a generation lives: introductions
//! and lists, printed once for every endpoint and revision.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use super::{
    Revision,
    hub::{Listed, Lists},
    invoke::Target,
    live::Live,
    shelf::{Printed, Shelf},
    watches::Watched,
};
use crate::{
    engine::{Admitted, Principal, instructions},
    plan::{Admission, Annotations, Bridge, BridgeId, Plan, Tool},
};

/// How long a client may keep a list, in milliseconds (protocol.md T-20).
const LIST_TTL_MS: u64 = 60_000;

/// Views of one endpoint that are kept; others are printed again for each request.
const VIEWS_MAX: usize = 64;

/// Names of tools that are gone from one path, at most.
const GONE_MAX: usize = 1024;

/// Whether lists change while clients look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updates {
    /// They stay as they are.
    Never,
    /// They may change, and clients are told.
    Told,
}

impl Updates {
    /// What a capability with a list says of it (protocol.md T-01).
    pub(super) fn capability(self) -> Value {
        match self {
            Self::Never => json!({}),
            Self::Told => json!({ "listChanged": true }),
        }
    }
}

/// Who asks the person before a tool runs that wants their agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// The client does.
    Client,
    /// The client cannot, so the model is to ask and to say so.
    Model,
}

/// Every endpoint of the server.
#[derive(Debug)]
pub(super) struct Surface {
    updates: Updates,
    all: Place,
    bridges: HashMap<String, Place>,
}

/// One path of the server.
#[derive(Debug)]
struct Place {
    bridges: Vec<BridgeId>,
    updates: Updates,
    whole: Arc<Endpoint>,
    /// What not everybody may see.
    guarded: Vec<Target>,
    /// Who may: with another answer a list is another one for somebody.
    guards: Vec<(Listed, String, Admission)>,
    /// Tools that clients may still know because they saw them here, and who did; the latest first.
    gone: Vec<(String, Admission)>,
    /// What callers see of the path, by how they stand to each of these.
    views: RwLock<HashMap<Vec<Admitted>, Arc<Endpoint>>>,
}

impl Surface {
    pub(super) fn new(plan: &Plan, updates: Updates) -> Self {
        let every: Vec<BridgeId> = plan.bridges().map(|(id, _)| id).filter(|id| serves(plan, *id)).collect();
        let bridges = plan.bridges().filter(|(id, _)| serves(plan, *id));
        let bridges = bridges.map(|(id, bridge)| (bridge.name.clone(), Place::new(plan, vec![id], updates))).collect();
        Self { updates, all: Place::new(plan, every, updates), bridges }
    }

    /// What a plan offers after another one.
    pub(super) fn after(before: &Live, plan: &Plan) -> Self {
        let (surface, then) = (&before.surface, before.generation.plan());
        let mut next = Self::new(plan, surface.updates);
        next.all.remember(&surface.all, then, plan);
        for (name, place) in &mut next.bridges {
            if let Some(known) = surface.bridges.get(name) {
                place.remember(known, then, plan);
            }
        }
        next
    }

    /// The lists that differ from those before.
    pub(super) fn changes_since(&self, before: &Self) -> BTreeMap<Option<String>, Vec<Listed>> {
        let paths = self.bridges.keys().chain(before.bridges.keys()).map(|name| Some(name.clone()));
        let differs = |path: &Option<String>| {
            let [now, then] = [self, before].map(|surface| surface.place(path.as_deref()));
            let differs = |listed: &Listed| listed_at(now, *listed) != listed_at(then, *listed);
            let all: Vec<Listed> = Listed::ALL.into_iter().filter(differs).collect();
            (!all.is_empty()).then_some(all)
        };
        paths.chain([None]).filter_map(|path| Some((path.clone(), differs(&path)?))).collect()
    }

    /// The resources among `watched` that are not what they were before.
    pub(super) fn changed(&self, plan: &Plan, before: &Live, watched: &BTreeSet<Watched>) -> BTreeSet<Watched> {
        let then = (&before.surface, before.generation.plan());
        let edition = |(surface, plan): (&Self, &Plan), (bridge, uri): &Watched| {
            let (at, _) = surface.endpoint(bridge.as_deref())?.shelf().find(plan, uri)?;
            plan.resources.get(at).map(|resource| resource.edition)
        };
        watched.iter().filter(|it| edition(then, it) != edition((self, plan), it)).cloned().collect()
    }

    /// Whether clients are told when lists change.
    pub(super) const fn changes(&self) -> bool {
        matches!(self.updates, Updates::Told)
    }

    /// Whether a caller could see a tool of this name at a path before the files changed. Nobody else
    /// learns that there was one (protocol.md T-18).
    pub(super) fn had(&self, bridge: Option<&str>, tool: &str, caller: &Principal) -> bool {
        let gone = self.place(bridge).map_or(&[][..], |place| place.gone.as_slice());
        gone.iter().any(|(name, admission)| name == tool && caller.admitted(admission) == Admitted::Yes)
    }

    fn place(&self, bridge: Option<&str>) -> Option<&Place> {
        match bridge {
            None => Some(&self.all),
            Some(name) => self.bridges.get(name),
        }
    }

    /// All there is at a path, for those who own the server.
    pub(super) fn endpoint(&self, bridge: Option<&str>) -> Option<&Arc<Endpoint>> {
        self.place(bridge).map(|place| &place.whole)
    }

    /// What a caller sees of a path.
    pub(super) fn view(&self, plan: &Plan, bridge: Option<&str>, caller: &Principal) -> Option<Arc<Endpoint>> {
        self.place(bridge).map(|place| place.view(plan, caller))
    }
}

/// A list, and who sees what of it.
type Shown<'a> = ([&'a Bytes; 2], Vec<(&'a String, &'a Admission)>);

/// A list as clients see it, if there is anything in it, and who sees what of it. Templates have one of their
/// own, and no notice.
fn listed_at(place: Option<&Place>, listed: Listed) -> Option<Shown<'_>> {
    let (place, revision) = (place?, Revision::LATEST_LEGACY);
    let shelf = &place.whole.shelf;
    let lists = match listed {
        Listed::Tools if !place.whole.tools.is_empty() => [place.whole.tool_list.of(revision); 2],
        Listed::Prompts if shelf.has_prompts() => [shelf.prompt_list(revision); 2],
        Listed::Resources if shelf.has_resources() => [shelf.resources(revision), shelf.resource_templates(revision)],
        Listed::Tools | Listed::Prompts | Listed::Resources => return None,
    };
    let guards = place.guards.iter().filter(|(of, ..)| *of == listed);
    Some((lists, guards.map(|(_, name, admission)| (name, admission)).collect()))
}

/// Who may see something; how often they may call it is another matter.
fn visibility(admission: &Admission) -> Admission {
    Admission { rate: None, ..admission.clone() }
}

impl Place {
    fn new(plan: &Plan, bridges: Vec<BridgeId>, updates: Updates) -> Self {
        let whole = Arc::new(Endpoint::new(plan, &bridges, updates, &|_| Admitted::Yes));
        let is_guarded = |tool: &Tool| bridges.contains(&tool.bridge) && !tool.admission.is_open();
        let guarded: Vec<Target> = Target::all(plan).filter(|it| it.of(plan).is_some_and(is_guarded)).collect();
        let guards = guarded.iter().filter_map(|target| {
            let tool = target.of(plan)?;
            Some((target.listed(), tool.name.clone(), visibility(&tool.admission)))
        });
        let (guards, gone) = (guards.collect(), Vec::new());
        Self { bridges, updates, whole, guarded, guards, gone, views: RwLock::default() }
    }

    /// Keeps in mind which tools there were here for whom, where that is over.
    fn remember(&mut self, before: &Self, then: &Plan, now: &Plan) {
        let seen = before.whole.tools.iter();
        let seen = seen.filter_map(|(name, at)| Some((name, visibility(&then.tools.get(*at)?.admission))));
        let known = before.gone.iter().map(|(name, admission)| (name, admission.clone()));
        let is_over = |(name, admission): &(&String, Admission)| {
            let tool = self.whole.tools.get(*name).and_then(|at| now.tools.get(*at));
            tool.is_none_or(|tool| visibility(&tool.admission) != *admission)
        };
        let over = seen.chain(known).filter(is_over).take(GONE_MAX);
        self.gone = over.map(|(name, admission)| (name.clone(), admission)).collect();
    }

    fn view(&self, plan: &Plan, caller: &Principal) -> Arc<Endpoint> {
        let guarded = self.guarded.iter().filter_map(|target| target.of(plan));
        let standing: Vec<Admitted> = guarded.map(|tool| caller.admitted(&tool.admission)).collect();
        if standing.iter().all(|admitted| *admitted == Admitted::Yes) {
            return Arc::clone(&self.whole);
        }
        if let Some(known) = self.views.read().get(&standing) {
            return Arc::clone(known);
        }
        let endpoint =
            Arc::new(Endpoint::new(plan, &self.bridges, self.updates, &|tool| caller.admitted(&tool.admission)));
        let mut views = self.views.write();
        if views.len() < VIEWS_MAX {
            views.insert(standing, Arc::clone(&endpoint));
        }
        endpoint
    }
}

/// A file with only `server:` is no bridge.
fn serves(plan: &Plan, id: BridgeId) -> bool {
    plan.bridges.get(id.0).is_some_and(|bridge| !bridge.name.is_empty())
}

/// What one path of the server offers.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Positions in the plan's tools, by name.
    tools: HashMap<String, usize>,
    /// Tools that a caller would see with more scopes.
    locked: HashMap<String, usize>,
    introductions: Vec<(Revision, Bytes)>,
    /// The tools as they are listed for clients that cannot ask the person anything.
    tool_list: Printed,
    /// The tools as they are listed for those that can, where that is a difference.
    asking_list: Option<Printed>,
    discovery: Bytes,
    /// Resources and prompts.
    shelf: Shelf,
    /// `,"_meta":{…}` for results of the stateless revision (protocol.md L-17).
    identity: Vec<u8>,
}

impl Endpoint {
    fn new(plan: &Plan, bridges: &[BridgeId], updates: Updates, admitted: &dyn Fn(&Tool) -> Admitted) -> Self {
        let every = plan.tools.iter().enumerate().filter(|(_, tool)| bridges.contains(&tool.bridge));
        let of = |wanted: Admitted| every.clone().filter(move |(_, tool)| admitted(tool) == wanted);
        let tools: Vec<(usize, &Tool)> = of(Admitted::Yes).collect();
        let locked = of(Admitted::Scopes).map(|(at, tool)| (tool.name.clone(), at)).collect();
        let words = instructions(plan, bridges, &|tool| admitted(tool) == Admitted::Yes);
        let info = |revision| server_info(plan, bridges, revision);
        let scope = if plan.server.asks_callers() { "private" } else { "public" };
        let meta = json!({ "io.modelcontextprotocol/serverInfo": info(Revision::V2026_07_28) });
        let frame = |scope: &str| json!({ "ttlMs": LIST_TTL_MS, "cacheScope": scope, "_meta": meta });
        let shelf = Shelf::new(plan, bridges, &frame(scope), admitted);
        let asks = tools.iter().any(|(_, tool)| tool.confirm.is_some());
        // Where it says something else to others it is for nobody else (protocol.md T-20).
        let frame = frame(if asks { "private" } else { scope });
        let list = |asking: Asking| {
            let all: Vec<Value> = tools.iter().map(|(_, tool)| print(tool, asking)).collect();
            Printed::new("tools", &all, &frame)
        };
        let (tool_list, asking_list) = (list(Asking::Model), asks.then(|| list(Asking::Client)));
        let logs = tools.iter().any(|(_, tool)| tool.logs()) || shelf.logs();
        let capabilities = |revision: Revision| {
            let mut all = Map::new();
            // The list is answered even where it is empty, and the next change of the files may fill it
            // (protocol.md T-01, T-02).
            all.insert("tools".into(), updates.capability());
            if logs {
                all.insert("logging".into(), json!({}));
            }
            shelf.declare(&mut all, updates, revision);
            all
        };
        let introduce = |revision: Revision| {
            let mut result = json!({
                "protocolVersion": revision.as_str(),
                "capabilities": capabilities(revision),
                "serverInfo": info(revision),
            });
            put(&mut result, "instructions", (!words.is_empty()).then(|| json!(words)));
            (revision, result.to_string().into())
        };
        let mut discovery = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": capabilities(Revision::V2026_07_28),
            "ttlMs": LIST_TTL_MS,
            "cacheScope": scope,
            "_meta": meta,
        });
        put(&mut discovery, "instructions", (!words.is_empty()).then(|| json!(words)));
        Self {
            tools: tools.iter().map(|(at, tool)| (tool.name.clone(), *at)).collect(),
            locked,
            introductions: Revision::LEGACY.into_iter().map(introduce).collect(),
            tool_list,
            asking_list,
            discovery: discovery.to_string().into(),
            shelf,
            identity: format!(",\"_meta\":{meta}").into_bytes(),
        }
    }

    /// The lists that the path has.
    pub(super) fn lists(&self) -> Lists {
        Lists::that(|listed| self.offers(listed))
    }

    /// Whether the path has a list of this kind.
    pub(super) fn offers(&self, listed: Listed) -> bool {
        match listed {
            Listed::Tools => true,
            Listed::Prompts => self.shelf.has_prompts(),
            Listed::Resources => self.shelf.has_resources(),
        }
    }

    /// Resources and prompts.
    pub(super) const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The position of a tool in the plan.
    pub(super) fn tool(&self, name: &str) -> Option<usize> {
        self.tools.get(name).copied()
    }

    /// The position of a tool that the caller would see with more scopes.
    pub(super) fn locked(&self, name: &str) -> Option<usize> {
        self.locked.get(name).copied()
    }

    /// The names of the tools, for hints.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    /// The result of `initialize`.
    pub(super) fn introduction(&self, revision: Revision) -> Option<&Bytes> {
        self.introductions.iter().find(|(known, _)| *known == revision).map(|(_, printed)| printed)
    }

    /// The result of `tools/list`.
    pub(super) fn tools(&self, revision: Revision, asking: Asking) -> &Bytes {
        match (asking, &self.asking_list) {
            (Asking::Client, Some(list)) => list.of(revision),
            (Asking::Client, None) | (Asking::Model, _) => self.tool_list.of(revision),
        }
    }

    /// Whether it makes a difference for the list of tools who asks the person.
    pub(super) const fn asks(&self) -> bool {
        self.asking_list.is_some()
    }

    /// The result of `server/discover`.
    pub(super) fn discovery(&self) -> &Bytes {
        &self.discovery
    }

    /// The member that names the server in a stateless result.
    pub(super) fn identity(&self) -> &[u8] {
        &self.identity
    }
}

/// Who the server says it is. Several bridges behind one path speak with the program's own name.
fn server_info(plan: &Plan, bridges: &[BridgeId], revision: Revision) -> Value {
    let only: Option<&Bridge> = match bridges {
        [only] => plan.bridges.get(only.0),
        _ => None,
    };
    let mut info = match only {
        Some(bridge) => json!({ "name": bridge.name, "version": bridge.version }),
        None => json!({ "name": "mcp-bridge", "version": env!("CARGO_PKG_VERSION") }),
    };
    if revision >= Revision::V2025_06_18 {
        put(&mut info, "title", only.and_then(|bridge| bridge.title.as_deref()).map(Value::from));
    }
    if revision >= Revision::V2025_11_25 {
        put(&mut info, "description", only.and_then(|bridge| bridge.description.as_deref()).map(Value::from));
        put(&mut info, "websiteUrl", only.and_then(|bridge| bridge.website.as_deref()).map(Value::from));
    }
    info
}

/// A tool as clients see it.
fn print(tool: &Tool, asking: Asking) -> Value {
    let (description, input_schema) = match (&tool.confirm, asking) {
        (Some(confirmation), Asking::Model) => (&confirmation.description, &confirmation.input_schema),
        (Some(_), Asking::Client) | (None, _) => (&tool.description, &tool.input_schema),
    };
    let mut printed = Map::new();
    printed.insert("name".into(), json!(tool.name));
    if let Some(title) = &tool.title {
        printed.insert("title".into(), json!(title));
    }
    printed.insert("description".into(), json!(description));
    printed.insert("inputSchema".into(), input_schema.clone());
    if let Some(schema) = &tool.output_schema {
        printed.insert("outputSchema".into(), schema.clone());
    }
    printed.insert("annotations".into(), hints(tool.annotations));
    Value::Object(printed)
}

/// The hints that say more than the protocol's defaults do (protocol.md T-15): every word here is
/// paid for by whoever reads the list.
fn hints(hints: Annotations) -> Value {
    let mut printed = json!({ "readOnlyHint": hints.read_only });
    if !hints.read_only {
        put(&mut printed, "destructiveHint", Some(json!(hints.destructive)));
        put(&mut printed, "idempotentHint", hints.idempotent.then(|| json!(true)));
    }
    put(&mut printed, "openWorldHint", (!hints.open_world).then(|| json!(false)));
    printed
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.into(), value);
    }
}
