//! Floor 7. From an API document to the parts of a bridge file: OpenAPI 3.0 and 3.1, and Swagger 2.0.

mod body;
mod document;
mod operations;
mod output;
mod params;
mod request;
mod security;
mod servers;
mod shape;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use url::{Origin, Url};

use super::{Drafted, Imported, Skipped, Wanted, names, words};
use document::{Document, text};
use names::Names;
use operations::Operation;
use params::Params;
use request::Request;
use security::Signing;
use words::{clean, sentences, spoken};

/// Words by which an id says that something is taken away, whatever the method.
const DESTROYING: [&str; 12] = [
    "delete",
    "remove",
    "destroy",
    "purge",
    "revoke",
    "cancel",
    "terminate",
    "drop",
    "erase",
    "wipe",
    "reset",
    "uninstall",
];

/// Makes the parts of a bridge of a document.
///
/// # Errors
/// A sentence without a full stop: what the document is not, or what is wanted and not in it.
pub(super) fn read(value: &Value, wanted: &Wanted, found_at: Option<&Url>) -> Result<Imported, String> {
    let document = Document::of(value)?;
    let mut skipped = Vec::new();
    let all = operations::all(document, &mut skipped);
    let known: Vec<String> = all.iter().map(Operation::key).collect();
    let chosen = operations::chosen(all, wanted, &mut skipped)?;
    let title = document.info("title").unwrap_or("api");
    let name = wanted.name.clone().unwrap_or_else(|| names::bridge(title));
    let given = servers::Given { base: base(wanted)?, found_at: found_at.cloned() };
    let source_name = wanted.source.clone().unwrap_or_else(|| "api".into());
    let names = Names::default();
    let mut reader =
        Reader { document, given, name, sources: Vec::new(), home: None, source_name, names, only_json: true };
    let mut tools = Vec::new();
    let mut unserved = None;
    for operation in &chosen {
        match reader.tool(operation) {
            Ok(tool) => tools.push(tool),
            Err(Refusal::NoServer(reason)) => unserved = Some(reason),
            Err(Refusal::Operation(reason)) => skipped.push(Skipped::new(&operation.key(), &reason)),
        }
    }
    if let Some(reason) = unserved {
        return Err(format!("{reason}: give its address with --base-url"));
    }
    let variables = reader.sources.iter().flat_map(|source| source.signing.variables.iter().cloned());
    let mut variables: Vec<_> = variables.collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    variables.dedup_by(|a, b| a.name == b.name);
    let mut notes: Vec<String> = reader.sources.iter().flat_map(|source| source.signing.notes.clone()).collect();
    notes.sort_unstable();
    notes.dedup();
    let choosing = "--tag, --path, --method or --operation";
    Ok(Imported { head: reader.head(title), tools, known, skipped, notes, variables, choosing })
}

fn base(wanted: &Wanted) -> Result<Option<Url>, String> {
    let Some(written) = &wanted.base_url else { return Ok(None) };
    let url = Url::parse(written).ok().and_then(servers::usable);
    url.map(Some).ok_or_else(|| format!("`{written}` is not the address of an API"))
}

enum Refusal {
    NoServer(String),
    Operation(String),
}

/// A source: a base with a way of signing.
struct Source {
    name: String,
    base: Url,
    signing: Signing,
    scopes: BTreeSet<String>,
}

struct Reader<'d> {
    document: Document<'d>,
    given: servers::Given,
    /// The bridge's name.
    name: String,
    sources: Vec<Source>,
    /// Where the first credential goes.
    home: Option<Origin>,
    /// The first source's name, with which those of others begin.
    source_name: String,
    names: Names,
    /// Whether every answer is said to be JSON.
    only_json: bool,
}

impl<'d> Reader<'d> {
    fn tool(&mut self, operation: &Operation<'d>) -> Result<Drafted, Refusal> {
        let base = servers::base(operation, self.document, &self.given).map_err(Refusal::NoServer)?;
        let prefix = self.prefix(&base);
        let context = security::Context { prefix: &prefix, base: &base };
        let signing = security::of(operation, self.document, &context);
        let parameters = operation.parameters(self.document);
        let mut params = Params::new(self.document);
        let credentials = security::keys(self.document);
        let mut request =
            request::gather(operation, &parameters, &credentials, &mut params).map_err(Refusal::Operation)?;
        body::gather(operation, &parameters, &mut params, &mut request).map_err(Refusal::Operation)?;
        let source = self.source(base, signing);
        self.only_json &= output::is_json(operation, self.document);
        let name = self.names.tool(&names::tool(operation.id, operation.method, operation.path));
        let mut tool = about(operation, &name);
        if !params.all.is_empty() {
            tool.insert("params".into(), Value::Object(std::mem::take(&mut params.all)));
        }
        tool.insert("rest".into(), Value::Object(rest(operation, &request, &source)));
        if let Some(output) = output::of(operation, self.document) {
            tool.insert("output".into(), Value::Object(output));
        }
        let destroys = operation.method == "post"
            && words::words_of(&name).iter().any(|word| DESTROYING.contains(&word.trim_end_matches('s')));
        if destroys {
            tool.insert("annotations".into(), json!({ "destructive": true }));
        }
        Ok(Drafted { key: operation.key(), name, tool, notes: params.notes })
    }

    /// What the variables of a source begin with. Each host has a credential of its own, because one that
    /// went to several is refused (auth.md §4.10).
    fn prefix(&self, base: &Url) -> String {
        if self.home.as_ref().is_none_or(|home| *home == base.origin()) {
            return self.name.clone();
        }
        let port = base.port().map(|port| format!("_{port}")).unwrap_or_default();
        format!("{}_{}{port}", self.name, base.host_str().unwrap_or_default())
    }

    /// The source for a base and a way of signing; what needs no signing goes where others do.
    fn source(&mut self, base: Url, signing: Signing) -> String {
        if !signing.variables.is_empty() {
            self.home.get_or_insert_with(|| base.origin());
        }
        let scopes = signing.scopes.clone();
        let fits = |source: &&mut Source| {
            source.base == base && (source.signing.schemes == signing.schemes || signing.schemes.is_empty())
        };
        if let Some(known) = self.sources.iter_mut().find(fits) {
            known.scopes.extend(scopes);
            return known.name.clone();
        }
        // A source that signed nothing so far can sign from now on.
        let unsigned = |source: &&mut Source| source.base == base && source.signing.schemes.is_empty();
        if let Some(known) = self.sources.iter_mut().find(unsigned) {
            known.signing = signing;
            known.scopes.extend(scopes);
            return known.name.clone();
        }
        let name = match self.sources.len() {
            0 => self.source_name.clone(),
            others => format!("{}_{}", self.source_name, others + 1),
        };
        self.sources.push(Source { name: name.clone(), base, signing, scopes: scopes.into_iter().collect() });
        name
    }

    /// All of the file but its tools.
    fn head(&self, title: &str) -> Map<String, Value> {
        let mut head = Map::from_iter([("bridge".to_owned(), json!(self.name))]);
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                head.insert(key.into(), value.into());
            }
        };
        let version = match self.document.root.get("info").and_then(|info| info.get("version")) {
            Some(Value::String(text)) => Some(clean(text, 40)),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        put("version", version);
        put("title", Some(clean(title, 80)));
        put("description", self.document.info("description").map(|text| clean(text, 300)));
        let page = self.document.root.get("externalDocs").and_then(|docs| text(docs.get("url")));
        let is_page =
            |page: &&str| page.starts_with("https://") && Url::parse(page).is_ok_and(|url| url.host().is_some());
        put("website", page.filter(is_page).map(str::to_owned));
        let mut sources = Map::new();
        for source in &self.sources {
            sources.insert(source.name.clone(), json!({ "rest": rest_source(source, self.only_json) }));
        }
        head.insert("sources".into(), Value::Object(sources));
        head
    }
}

/// Title, description and tags of a tool.
fn about(operation: &Operation<'_>, name: &str) -> Map<String, Value> {
    let summary = text(operation.value.get("summary")).map(|text| clean(text, 120)).unwrap_or_default();
    let description = text(operation.value.get("description")).or_else(|| text(operation.item.get("description")));
    let description = description.map(|text| clean(text, words::TOOL)).unwrap_or_default();
    let title = match summary.trim_end_matches('.') {
        short if !short.is_empty() && short.chars().count() <= 60 => short.to_owned(),
        _ => spoken(name),
    };
    let is_told = |one: &str, other: &str| {
        let plain = |text: &str| text.to_lowercase().trim_end_matches('.').to_owned();
        plain(other).starts_with(&plain(one))
    };
    let told = if is_told(&summary, &description) { description } else { sentences(&[summary, description]) };
    let told = if told.chars().count() < 12 {
        let told = if told.is_empty() { spoken(name) } else { told };
        sentences(&[told, format!("Sends {}.", operation.key())])
    } else {
        told
    };
    let mut tool = Map::from_iter([("title".to_owned(), json!(title)), ("description".to_owned(), json!(told))]);
    let mut tags: Vec<&str> = Vec::new();
    for tag in &operation.tags {
        if !tags.contains(tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() {
        tool.insert("tags".into(), json!(tags));
    }
    tool
}

fn rest_source(source: &Source, only_json: bool) -> Value {
    let mut base = source.base.to_string();
    if source.base.path() == "/" {
        base = base.trim_end_matches('/').to_owned();
    }
    let mut rest = Map::from_iter([("base_url".to_owned(), json!(base))]);
    let mut headers = source.signing.headers.clone();
    if only_json {
        headers.insert("Accept".into(), "application/json".into());
    }
    if !headers.is_empty() {
        rest.insert("headers".into(), Value::Object(headers));
    }
    if !source.signing.query.is_empty() {
        rest.insert("query".into(), Value::Object(source.signing.query.clone()));
    }
    if let Some(auth) = &source.signing.auth {
        let mut auth = auth.clone();
        if let Some(grant) = auth.get_mut("client_credentials").and_then(Value::as_object_mut)
            && !source.scopes.is_empty()
        {
            grant.insert("scopes".into(), json!(source.scopes));
        }
        rest.insert("auth".into(), auth);
    }
    Value::Object(rest)
}

fn rest(operation: &Operation<'_>, request: &Request, source: &str) -> Map<String, Value> {
    let mut rest = Map::from_iter([("source".to_owned(), json!(source))]);
    rest.insert(operation.method.to_owned(), request.path.clone().into());
    for (key, members) in [("query", &request.query), ("headers", &request.headers), ("cookies", &request.cookies)] {
        if !members.is_empty() {
            rest.insert(key.into(), Value::Object(members.clone()));
        }
    }
    if let Some((kind, value)) = &request.body {
        rest.insert((*kind).to_owned(), value.clone());
    }
    if let Some(name) = &request.idempotency_key {
        rest.insert("idempotency_key".into(), name.clone().into());
    }
    rest
}
