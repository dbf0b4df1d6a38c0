//! Floor 7. Resources and prompts of one path: found by address and name, and listed as they were
//! printed once (protocol.md ).

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Revision, listing::Updates};
use crate::{
    engine::Admitted,
    plan::{BridgeId, Plan, Prompt, Resource, Tool, Watch},
};

/// What one path offers besides tools.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Positions in the plan's resources, by address.
    fixed: HashMap<String, usize>,
    /// Positions of those with templates, in the order of the files.
    templates: Vec<usize>,
    /// Positions in the plan's prompts, by name.
    prompts: HashMap<String, usize>,
    /// Positions of resources that a caller would see with more scopes.
    locked_resources: Vec<usize>,
    /// Positions of prompts that a caller would see with more scopes.
    locked_prompts: HashMap<String, usize>,
    watched: bool,
    completes: bool,
    logs: bool,
    resources: Printed,
    resource_templates: Printed,
    prompt_list: Printed,
}

/// A list as clients with and without a handshake are sent it.
#[derive(Debug, Default)]
pub(super) struct Printed {
    legacy: Bytes,
    stateless: Bytes,
}

impl Printed {
    /// Prints a list; `frame` is what the stateless form says besides.
    pub(super) fn new(member: &str, list: &[Value], frame: &Value) -> Self {
        let legacy = json!({ member: list }).to_string().into();
        let mut whole = json!({ "resultType": "complete", member: list });
        if let (Some(whole), Some(frame)) = (whole.as_object_mut(), frame.as_object()) {
            whole.extend(frame.clone());
        }
        Self { legacy, stateless: whole.to_string().into() }
    }

    /// The list in the words of a revision.
    pub(super) const fn of(&self, revision: Revision) -> &Bytes {
        if revision.is_stateless() { &self.stateless } else { &self.legacy }
    }
}

impl Shelf {
    /// Prints what some bridges offer; `frame` is what every stateless list says besides.
    pub(super) fn new(plan: &Plan, bridges: &[BridgeId], frame: &Value, admitted: &dyn Fn(&Tool) -> Admitted) -> Self {
        let resources = |wanted: Admitted| {
            let all = plan.resources.iter().enumerate().filter(|(_, it)| bridges.contains(&it.bridge()));
            all.filter(move |(_, it)| admitted(&it.tool) == wanted)
        };
        let prompts = |wanted: Admitted| {
            let all = plan.prompts.iter().enumerate().filter(|(_, it)| bridges.contains(&it.bridge()));
            all.filter(move |(_, it)| admitted(&it.tool) == wanted)
        };
        let locked_resources = resources(Admitted::Scopes).map(|(at, _)| at).collect();
        let locked_prompts = prompts(Admitted::Scopes).map(|(at, it)| (it.name.clone(), at)).collect();
        let (resources, prompts) = (resources(Admitted::Yes), prompts(Admitted::Yes));
        let (templates, fixed): (Vec<_>, Vec<_>) = resources.partition(|(_, resource)| resource.uri.is_template());
        let prompts: Vec<_> = prompts.collect();
        let print = |member: &str, all: &[(usize, &Resource)]| all.iter().map(|(_, it)| listed(member, it)).collect();
        let lists: [Vec<Value>; 2] = [print("uri", &fixed), print("uriTemplate", &templates)];
        let all = || fixed.iter().chain(&templates);
        Self {
            watched: all().any(|(_, resource)| resource.watch == Watch::Offered),
            completes: templates.iter().any(|(_, it)| !it.completions.is_empty())
                || prompts.iter().any(|(_, it)| !it.completions.is_empty()),
            logs: all().any(|(_, resource)| resource.tool.logs()),
            resources: Printed::new("resources", &lists[0], frame),
            resource_templates: Printed::new("resourceTemplates", &lists[1], frame),
            prompt_list: Printed::new(
                "prompts",
                &prompts.iter().map(|(_, prompt)| introduced(prompt)).collect::<Vec<_>>(),
                frame,
            ),
            fixed: fixed.iter().map(|(at, it)| (it.uri.as_str().to_owned(), *at)).collect(),
            templates: templates.iter().map(|(at, _)| *at).collect(),
            prompts: prompts.iter().map(|(at, prompt)| (prompt.name.clone(), *at)).collect(),
            locked_resources,
            locked_prompts,
        }
    }

    /// Whether there are resources here.
    pub(super) fn has_resources(&self) -> bool {
        !self.fixed.is_empty() || !self.templates.is_empty()
    }

    /// Whether there are prompts here.
    pub(super) fn has_prompts(&self) -> bool {
        !self.prompts.is_empty()
    }

    /// Whether clients are offered values while they type.
    pub(super) const fn completes(&self) -> bool {
        self.completes
    }

    /// Whether reading writes to the client's log. Prompts cannot.
    pub(super) const fn logs(&self) -> bool {
        self.logs
    }

    /// Adds what is served to the capabilities.
    pub(super) fn declare(&self, capabilities: &mut Map<String, Value>, updates: Updates, revision: Revision) {
        let list = updates.capability();
        if self.has_resources() {
            let mut resources = list.clone();
            // What never changes need not be watched, and a stateless client has no way to do it.
            let watched = self.watched && (updates == Updates::Told || !revision.is_stateless());
            if let Some(resources) = resources.as_object_mut().filter(|_| watched) {
                resources.insert("subscribe".into(), json!(true));
            }
            capabilities.insert("resources".into(), resources);
        }
        if self.has_prompts() {
            capabilities.insert("prompts".into(), list);
        }
        if self.completes && revision >= Revision::V2025_03_26 {
            capabilities.insert("completions".into(), json!({}));
        }
    }

    /// The result of `resources/list`.
    pub(super) fn resources(&self, revision: Revision) -> &Bytes {
        self.resources.of(revision)
    }

    /// The result of `resources/templates/list`.
    pub(super) fn resource_templates(&self, revision: Revision) -> &Bytes {
        self.resource_templates.of(revision)
    }

    /// The result of `prompts/list`.
    pub(super) fn prompt_list(&self, revision: Revision) -> &Bytes {
        self.prompt_list.of(revision)
    }

    /// The resource at an address, with the values that its template has there.
    pub(super) fn find<'p>(&self, plan: &'p Plan, uri: &str) -> Option<(usize, Vec<(&'p str, String)>)> {
        if let Some(at) = self.fixed.get(uri) {
            return Some((*at, Vec::new()));
        }
        let mut templates = self.templates.iter().filter_map(|at| Some((*at, plan.resources.get(*at)?)));
        templates.find_map(|(at, resource)| Some((at, resource.uri.matches(uri)?)))
    }

    /// The resource at an address that a caller would see with more scopes.
    pub(super) fn locked_resource<'p>(&self, plan: &'p Plan, uri: &str) -> Option<&'p Resource> {
        let mut all = self.locked_resources.iter().filter_map(|at| plan.resources.get(*at));
        all.find(|resource| resource.uri.as_str() == uri || resource.uri.matches(uri).is_some())
    }

    /// The prompt that a caller would see with more scopes.
    pub(super) fn locked_prompt<'p>(&self, plan: &'p Plan, name: &str) -> Option<&'p Prompt> {
        plan.prompts.get(*self.locked_prompts.get(name)?)
    }

    /// The template with this text.
    pub(super) fn template<'p>(&self, plan: &'p Plan, written: &str) -> Option<&'p Resource> {
        let mut all = self.templates.iter().chain(self.fixed.values()).filter_map(|at| plan.resources.get(*at));
        all.find(|resource| resource.uri.as_str() == written)
    }

    /// The position of a prompt.
    pub(super) fn prompt(&self, name: &str) -> Option<usize> {
        self.prompts.get(name).copied()
    }

    /// The names of the prompts, for hints.
    pub(super) fn prompt_names(&self) -> impl Iterator<Item = &str> {
        self.prompts.keys().map(String::as_str)
    }
}

fn listed(address: &str, resource: &Resource) -> Value {
    let tool = &resource.tool;
    let mut printed = json!({ address: resource.uri.as_str(), "name": resource.name });
    if let Some(printed) = printed.as_object_mut() {
        printed.extend(tool.title.as_deref().map(|title| ("title".to_owned(), json!(title))));
        if !tool.description.is_empty() {
            printed.insert("description".into(), json!(tool.description));
        }
        printed.extend(resource.mime_type.as_deref().map(|kind| ("mimeType".to_owned(), json!(kind))));
    }
    printed
}

fn introduced(prompt: &Prompt) -> Value {
    let tool = &prompt.tool;
    let mut printed = json!({ "name": prompt.name });
    let Some(object) = printed.as_object_mut() else { return printed };
    object.extend(tool.title.as_deref().map(|title| ("title".to_owned(), json!(title))));
    if !tool.description.is_empty() {
        object.insert("description".into(), json!(tool.description));
    }
    let arguments = prompt.arguments.iter().map(|argument| {
        let mut printed = json!({ "name": argument.name });
        if let Some(printed) = printed.as_object_mut() {
            printed.extend(argument.title.as_deref().map(|title| ("title".to_owned(), json!(title))));
            printed.extend(argument.description.as_deref().map(|words| ("description".to_owned(), json!(words))));
            printed.insert("required".into(), json!(argument.required));
        }
        printed
    });
    let arguments: Vec<Value> = arguments.collect();
    if !arguments.is_empty() {
        object.insert("arguments".into(), Value::Array(arguments));
    }
    printed
}
