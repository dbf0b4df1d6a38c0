//! Floor 4. Resources: an address, its values, and what yields the content.

use std::{collections::HashMap, time::Duration};

use indexmap::IndexMap;
use url::Url;

use super::{
    admission, complete,
    context::Context,
    data, mirror, output,
    params::{self, Params, Presence},
    reply::{self, Builder, Whose},
    rest,
    source::{self, Sources, TIMEOUT},
    sql,
    templates::Stage,
};
use crate::{
    bridge::{Param, Resource as Written, Tool as WrittenTool},
    diag::{Code, Diagnostic},
    plan::{
        Admission, Annotations, CallerPart, Content, Item, Operation, Output, Resource, ResourceUri, TextForm, Tool,
        Watch,
        sql::{Access, Returns},
    },
    template::{Escape, Text},
    text::Span,
    yaml::Pointer,
};

/// Where resources with an address were declared, over all files.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<String, Span>);

/// Builds one resource. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    name: &str,
    written: &Written,
    sources: &Sources,
    addresses: &mut Addresses,
    context: &mut Context<'_>,
) -> Option<Resource> {
    let at = Pointer::root().at("resources").at(name);
    advise_on_words("resource", name, written.description.as_deref(), &at, context);
    let params = of(&written.params, &at, context);
    let admission = admission::build(&written.scopes, &written.require, &at, context);
    let uri = address(&written.uri, &params, &at, addresses, context);
    if let Some(mime_type) = &written.mime_type {
        data::mime_type(mime_type, &at.at("mime_type"), context);
    }
    context.take_needs();
    let (operation, stage, timeout) = operation(written, &params, sources, &at, context);
    let needs = context.take_needs();
    let output = output::build(written.output.as_ref(), stage, &params, &at.at("output"), context);
    let operation = operation?;
    let completions = complete::all(&written.params, &at, context);
    let mime_type = written.mime_type.clone().or_else(|| natural(&operation, &output));
    let about = About {
        name: format!("resource {name}"),
        title: written.title.as_deref(),
        description: written.description.as_deref(),
    };
    let tool = tool(&about, sources, params, Work { operation, output, needs, timeout, admission })?;
    let watch = if written.subscribe == Some(true) { Watch::Offered } else { Watch::Off };
    Some(Resource { name: name.to_owned(), uri: uri?, mime_type, watch, tool, completions, edition: [0; 32] })
}

/// The words that clients are shown.
pub(super) struct About<'a> {
    /// None that a tool can have: results are kept and capped by it.
    pub(super) name: String,
    pub(super) title: Option<&'a str>,
    pub(super) description: Option<&'a str>,
}

/// What is done.
pub(super) struct Work {
    pub(super) operation: Operation,
    pub(super) output: Output,
    pub(super) needs: Vec<CallerPart>,
    pub(super) timeout: Duration,
    /// Who may see it and read it.
    pub(super) admission: Admission,
}

/// A tool that only its own method calls.
pub(super) fn tool(about: &About<'_>, sources: &Sources, params: Params, work: Work) -> Option<Tool> {
    Some(Tool {
        name: about.name.clone(),
        bridge: sources.bridge,
        title: about.title.map(str::to_owned),
        description: about.description.unwrap_or_default().to_owned(),
        tags: Vec::new(),
        declared: params.names().map(str::to_owned).collect(),
        input_schema: params.schema,
        arguments: params.arguments?,
        bound: params.bound,
        mirrors: Vec::new(),
        needs: work.needs,
        admission: work.admission,
        confirm: None,
        operation: work.operation,
        output: work.output,
        output_schema: None,
        annotations: Annotations { read_only: true, destructive: false, idempotent: true, open_world: false },
        timeout: work.timeout,
        concurrency: None,
        cache: None,
        tests: Vec::new(),
    })
}

/// The values of a resource or a prompt, as the arguments of a tool.
pub(super) fn of(written: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) -> Params {
    mirror::refuse(written, at, context);
    params::build(&WrittenTool { params: written.clone(), ..WrittenTool::default() }, at, context)
}

pub(super) fn advise_on_words(
    what: &str,
    name: &str,
    description: Option<&str>,
    at: &Pointer,
    context: &mut Context<'_>,
) {
    let is_lost = context.is_lost(description, &at.at("description"));
    if !is_lost && description.is_none_or(|text| text.trim().is_empty()) {
        let message = format!("the {what} `{name}` has no description");
        let advice = Diagnostic::warning(Code::NoDescription, context.key(at), message);
        context.push(advice.help("clients show it to people and to models, who choose by it"));
    }
}

fn address(
    text: &str,
    params: &Params,
    at: &Pointer,
    addresses: &mut Addresses,
    context: &mut Context<'_>,
) -> Option<ResourceUri> {
    let place = at.at("uri");
    let uri = match ResourceUri::parse(text) {
        Ok(uri) => uri,
        Err(fault) => {
            let span = context.part(&place, fault.range);
            context.push(Diagnostic::error(Code::ResourceUri, span, fault.message));
            return None;
        }
    };
    let plain: String = text.chars().map(|it| if matches!(it, '{' | '}') { 'x' } else { it }).collect();
    if Url::parse(&plain).is_err() {
        let fault = Diagnostic::error(
            Code::ResourceUri,
            context.value(&place),
            format!("`{text}` is not the address of a resource"),
        );
        context.push(fault.help("an address begins with its scheme: `shop://policy`"));
        return None;
    }
    let span = context.value(&place);
    if let Some(first) = addresses.0.insert(text.to_owned(), span) {
        let message = format!("there are two resources at `{text}`");
        context.push(Diagnostic::error(Code::ResourceTwice, span, message).context(first, "the other"));
    }
    let mut whole = true;
    for name in uri.params() {
        if !params.is_known(name) {
            let start = text.find(&format!("{{{name}}}")).unwrap_or_default();
            let span = context.part(&place, start..start + name.len() + 2);
            let fault = Diagnostic::error(Code::UriParam, span, format!("`{{{name}}}` is not a param"));
            context.push(fault.help(format!("declare it: `params: {{ {name}: {{ type: string, description: … }} }}`")));
            whole = false;
        }
    }
    let outside = |it: &&params::Declared| it.presence != Presence::Bound && !uri.params().any(|name| name == it.name);
    for param in params.declared.iter().filter(outside) {
        let span = context.key(&param.pointer);
        let message = format!("nothing fills `{}`: it does not stand in the address", param.name);
        let fault = Diagnostic::error(Code::UriParam, span, message);
        context.push(fault.help(format!("put `{{{}}}` into `uri`", param.name)));
    }
    whole.then_some(uri)
}

fn operation(
    written: &Written,
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> (Option<Operation>, Stage, Duration) {
    let timeout = |name: Option<&str>, kind| sources.timeout(name, kind).unwrap_or(TIMEOUT);
    if let Some(reply) = &written.reply {
        rest::refuse_sql_params("a fixed answer", params, context);
        if context.has(&at.at("output")) {
            let span = context.key(&at.at("output"));
            context.push(Diagnostic::error(Code::Reply, span, "`output` has no meaning beside `reply`"));
        }
        let mut builder = Builder::new(params, Whose::Resources);
        let built = reply::build(reply, &mut builder, &at.at("reply"), context);
        refuse_unreadable(built.as_ref(), &at.at("reply"), context);
        // A value of the address need not stand in the content: it may only tell addresses apart.
        let uri = ResourceUri::parse(&written.uri).ok();
        let named = uri.iter().flat_map(ResourceUri::params).map(str::to_owned);
        let used: Vec<String> = builder.used.iter().cloned().chain(named).collect();
        rest::advise_on_unused(params, &used, at, context);
        return (built.map(|it| Operation::Reply(Box::new(it))), Stage::Reply, TIMEOUT);
    }
    if let Some(operation) = &written.rest {
        rest::refuse_sql_params("a REST request", params, context);
        let natural = timeout(operation.source.as_deref(), source::Kind::Rest);
        let built = rest::build(operation, params, sources, &at.at("rest"), context);
        if built.as_ref().is_some_and(|request| !request.reads()) {
            writes(&at.at("rest"), "a request that changes something", context);
        }
        return (built.map(|it| Operation::Rest(Box::new(it))), Stage::RestResult, natural);
    }
    let written_sql = written.sql.as_ref();
    if let Some(several) = written_sql.filter(|it| it.transaction.is_some()) {
        writes(&at.at("sql"), "a transaction", context);
        sources.find(several.source.as_deref(), source::Kind::Sql, &at.at("sql"), context);
        return (None, Stage::TransactionResult, TIMEOUT);
    }
    let mut built = written_sql.and_then(|operation| sql::build(operation, params, sources, &at.at("sql"), context));
    if let Some(query) = &mut built {
        if query.access == Access::Write {
            writes(&at.at("sql"), "a statement with `mode: write`", context);
        }
        // Nothing there is no content (protocol.md R-02).
        if matches!(query.returns, Returns::Row | Returns::Value) && query.not_found.is_none() {
            query.not_found = Text::compile("There is no such resource.", Escape::None).ok();
        }
    }
    let natural = timeout(written_sql.and_then(|it| it.source.as_deref()), source::Kind::Sql);
    (built.map(|it| Operation::Sql(Box::new(it))), Stage::SqlResult, natural)
}

fn writes(at: &Pointer, what: &str, context: &mut Context<'_>) {
    let fault = Diagnostic::error(Code::ResourceWrites, context.key(at), format!("{what} is no resource"));
    context.push(fault.help("clients read resources when they like: make it a tool"));
}

/// The content of a resource is text or a file; an address of another one is not.
fn refuse_unreadable(reply: Option<&crate::plan::Reply>, at: &Pointer, context: &mut Context<'_>) {
    let Some(reply) = reply else { return };
    let odd = reply.items.iter().position(|item| matches!(item, Item::Say(Content::Link { .. })));
    if odd.is_some() || reply.is_error {
        let message = "the content of a resource is a text, a picture, a sound or a resource";
        context.push(Diagnostic::error(Code::Reply, context.key(at), message));
    }
}

/// The type that a content has by itself.
fn natural(operation: &Operation, output: &Output) -> Option<String> {
    let text = match operation {
        Operation::Reply(reply) => {
            let mut said = reply.items.iter().filter_map(|item| match item {
                Item::Say(content) => Some(content),
                _ => None,
            });
            let (Some(only), None) = (said.next(), said.next()) else { return None };
            return Some(match only {
                Content::Image(media) | Content::Audio(media) => media.mime_type.to_string(),
                Content::Resource { mime_type, .. } => return mime_type.as_deref().map(str::to_owned),
                Content::Text(_) | Content::Link { .. } => "text/plain".into(),
            });
        }
        Operation::Rest(_) | Operation::Sql(_) | Operation::Transaction(_) | Operation::Steps(_) => {
            match &output.text {
                TextForm::Json | TextForm::Columnar => "application/json",
                TextForm::Yaml => "application/yaml",
                TextForm::Table => "text/markdown",
                TextForm::Csv => "text/csv",
                TextForm::Text | TextForm::Template(_) => "text/plain",
            }
        }
    };
    Some(text.to_owned())
}
