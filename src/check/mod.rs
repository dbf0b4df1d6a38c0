//! Floor 4. From files to a plan, or to diagnostics: every fault of every file in one run.
//!
//! Pure: what the environment and other files hold is asked of a [`Variables`], and nothing
//! is connected to. What is checked here is compiled here, and never looked at again later.

mod access;
mod admission;
mod advice;
mod ask;
mod authority;
mod body;
mod care;
mod complete;
mod confirm;
mod connected;
mod context;
mod credentials;
mod data;
mod edition;
mod example;
mod graphql;
mod idle;
mod inserted;
mod listener;
mod live;
mod mirror;
mod names;
mod oauth;
mod output;
mod output_schema;
mod pages;
mod parameters;
mod params;
mod passthrough;
mod path;
mod places;
mod prompt;
mod reading;
mod reply;
mod resource;
mod rest;
mod sign_in;
mod silence;
mod source;
mod spread;
mod sql;
mod steps;
mod structure;
mod templates;
mod test;
mod tool;

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    bridge,
    diag::{Code, Diagnostic, Diagnostics},
    plan::{self, BridgeId, Plan},
    secret::Vault,
    text::FileSet,
    yaml::{self, Pointer, Variables},
};

pub use connected::{compare, digest};
use context::Context;
pub use live::apply as apply_catalog;
pub use places::{Places, TestPlace};
pub use test::makes_itself;

/// What a check found: a plan when nothing is wrong, and the diagnostics in any case.
#[derive(Debug)]
pub struct Checked {
    /// The plan, with the secrets its ids stand for; `None` when there are errors.
    pub plan: Option<(Plan, Vault)>,
    /// Every fault and all advice, in the order of the files.
    pub diagnostics: Diagnostics,
    /// Where the statements stand, for what the databases say about them.
    pub places: Places,
}

/// One file that could be read as far as its shape goes.
pub(crate) struct Document {
    node: yaml::Node,
    file: bridge::File,
    /// The resources as they are written, with the values of variables.
    resources: Option<serde_json::Value>,
}

/// Checks every file of the set.
#[must_use]
pub fn check(files: &FileSet, variables: &dyn Variables) -> Checked {
    let mut diagnostics = Diagnostics::new();
    let schema = bridge::json_schema();
    let mut documents = Vec::new();
    for id in files.ids() {
        let (node, faults) = yaml::parse(files, id);
        diagnostics.append(faults);
        let Some(mut node) = node else { continue };
        diagnostics.append(yaml::interpolate(&mut node, files, variables));
        let (value, faults) = structure::walk(&node, files, &schema);
        diagnostics.append(faults);
        let Some(value) = value else { continue };
        let resources = value.get("resources").cloned();
        match bridge::File::deserialize(value) {
            Ok(file) => documents.push(Document { node, file, resources }),
            Err(error) => diagnostics.push(Diagnostic::error(Code::WrongType, node.span, error.to_string())),
        }
    }
    let mut plan = Plan::default();
    let mut vault = Vault::default();
    let mut taken = Taken::default();
    names::check(&documents, &mut diagnostics);
    let mut sources = Vec::with_capacity(documents.len());
    for (at, document) in documents.iter().enumerate() {
        let mut context = Context::new(files, variables, &document.node, (&mut diagnostics, &mut vault));
        sources.push(build(document, BridgeId(at), &mut taken, &mut context, &mut plan));
    }
    // Which file holds the keys is known only after all of them.
    let mut is_lost = false;
    for (document, own) in documents.iter().zip(&sources) {
        let mut context = Context::new(files, variables, &document.node, (&mut diagnostics, &mut vault));
        let auth = document.file.server.as_ref().and_then(|server| server.auth.as_ref());
        if let Some(written) = auth.and_then(|auth| auth.passthrough.as_ref()) {
            plan.server.passthrough = passthrough::build(written, (own, &sources), &plan, &mut context).map(Arc::new);
        }
        is_lost |= context.is_faulty(&Pointer::root().at("server").at("auth"));
    }
    for (document, own) in documents.iter().zip(&sources) {
        let mut context = Context::new(files, variables, &document.node, (&mut diagnostics, &mut vault));
        let world = passthrough::World { plan: &plan, all: &sources, is_lost };
        passthrough::hold_against(&world, (document, own), &mut context);
        spread::hold_against(&plan, (document, own), &mut context);
    }
    for (document, sources) in documents.iter().zip(&sources) {
        let mut context = Context::new(files, variables, &document.node, (&mut diagnostics, &mut vault));
        access::refuse_key_forwarding(&plan.server, sources, &mut context);
        admission::hold_against(&plan, document, &mut context);
        authority::hold_against(&plan, document, &mut context);
        access::end_users_are_named(&plan, document, &mut context);
        test::add(&mut plan, document, &mut context);
    }
    let mut places = Places::default();
    for (at, document) in documents.iter().enumerate() {
        let mut context = Context::new(files, variables, &document.node, (&mut diagnostics, &mut vault));
        advice::give(&plan, (BridgeId(at), document), &mut context);
        places.silences.add(document, &mut context);
        places.add(document);
    }
    diagnostics.retain(|diagnostic| !places.silences.hold(diagnostic));
    diagnostics.sort(files);
    let plan = (!diagnostics.has_errors()).then_some((plan, vault));
    Checked { plan, diagnostics, places }
}

/// Addresses and names that are taken, over all files.
type Taken = (resource::Addresses, prompt::Names);

fn build(
    document: &Document,
    id: BridgeId,
    taken: &mut Taken,
    context: &mut Context<'_>,
    plan: &mut Plan,
) -> source::Sources {
    let file = &document.file;
    let sources = source::build(file, id, context, &mut plan.sources);
    for (name, tool) in &file.tools {
        plan.tools.extend(tool::build(name, tool, &sources, context));
    }
    for (name, written) in &file.resources {
        let Some(resource) = resource::build(name, written, &sources, &mut taken.0, context) else { continue };
        let definition = document.resources.as_ref().and_then(|all| all.get(name));
        let edition = edition::of(definition, &resource, &plan.sources);
        plan.resources.push(plan::Resource { edition, ..resource });
    }
    for (name, written) in &file.prompts {
        plan.prompts.extend(prompt::build(name, written, &sources, &mut taken.1, context));
    }
    sources.advise_on_unused(context);
    plan.bridges.push(tool::bridge(file));
    if let Some(server) = &file.server {
        plan.server = access::server(server, context);
    }
    sources
}
