//! Floor 9. A plan as named things with named parts, so that two can be compared. Ids are positions, which say
//! nothing in another plan: names stand in their place.

use std::fmt::Debug;

use crate::plan::{Bridge, Plan, Server, Source, SourceKind, Tool};

/// One thing that is served.
#[derive(Debug)]
pub(super) struct Thing {
    /// What it is, and its name.
    pub(super) name: String,
    /// Its parts, each with all that it says.
    pub(super) parts: Vec<(&'static str, String)>,
}

/// Everything in a plan.
pub(super) fn of(plan: &Plan) -> Vec<Thing> {
    let words = Words::of(plan);
    let bridge = |at: usize| plan.bridges.get(at).map_or("", |bridge| bridge.name.as_str());
    let mut all = vec![Thing { name: "server".into(), parts: server(&plan.server, &words) }];
    all.extend(
        plan.bridges
            .iter()
            .map(|bridge| Thing { name: format!("bridge {}", bridge.name), parts: of_bridge(bridge, &words) }),
    );
    all.extend(plan.sources.iter().map(|source| Thing {
        name: format!("source {} of {}", source.name, bridge(source.bridge.0)),
        parts: of_source(source, &words),
    }));
    all.extend(
        plan.tools.iter().map(|tool| Thing { name: format!("tool {}", tool.name), parts: of_tool(tool, &words) }),
    );
    all.extend(plan.resources.iter().map(|resource| {
        let mut parts = of_tool(&resource.tool, &words);
        parts.push((
            "address",
            words.said(&(&resource.uri, &resource.mime_type, resource.watch, &resource.completions)),
        ));
        Thing { name: format!("resource {} of {}", resource.name, bridge(resource.tool.bridge.0)), parts }
    }));
    all.extend(plan.prompts.iter().map(|prompt| {
        let mut parts = of_tool(&prompt.tool, &words);
        parts.push(("messages", words.said(&(&prompt.arguments, &prompt.roles, &prompt.completions))));
        Thing { name: format!("prompt {}", prompt.name), parts }
    }));
    all
}

fn of_bridge(bridge: &Bridge, words: &Words) -> Vec<(&'static str, String)> {
    vec![
        ("version", words.said(&bridge.version)),
        ("title", words.said(&bridge.title)),
        ("description", words.said(&(&bridge.description, &bridge.website))),
        ("instructions", words.said(&(&bridge.guidance, bridge.generated))),
    ]
}

fn of_source(source: &Source, words: &Words) -> Vec<(&'static str, String)> {
    match &source.kind {
        SourceKind::Rest(rest) => vec![
            ("address", words.said(&rest.base)),
            ("credentials", words.said(&rest.auth)),
            ("headers", words.said(&(&rest.headers, &rest.query))),
            ("times", words.said(&(rest.timeout, rest.connect_timeout))),
            ("limits", words.said(&(rest.max_response, rest.concurrency, &rest.bounds))),
            ("network", words.said(&(&rest.network, &rest.redirects))),
        ],
        SourceKind::Sql(sql) => vec![
            ("database", words.said(&sql.engine)),
            ("read_only", words.said(&sql.read_only)),
            ("limits", words.said(&(&sql.pool, sql.statement_timeout, sql.max_rows))),
        ],
    }
}

fn of_tool(tool: &Tool, words: &Words) -> Vec<(&'static str, String)> {
    vec![
        ("title", words.said(&tool.title)),
        ("description", words.said(&tool.description)),
        ("tags", words.said(&tool.tags)),
        ("arguments", words.said(&(tool.input_schema.to_string(), &tool.bound, &tool.mirrors))),
        ("what it does", words.said(&tool.operation)),
        ("result", words.said(&(&tool.output, tool.output_schema.as_ref().map(ToString::to_string)))),
        ("hints", words.said(&tool.annotations)),
        ("who may call it", words.said(&(&tool.admission, &tool.needs))),
        ("confirm", words.said(&tool.confirm)),
        ("limits", words.said(&(tool.timeout, tool.concurrency))),
        ("cache", words.said(&tool.cache)),
    ]
}

fn server(server: &Server, words: &Words) -> Vec<(&'static str, String)> {
    vec![
        ("listen", words.said(&server.listen)),
        ("tls", words.said(&server.tls)),
        ("public_url", words.said(&server.public_url)),
        ("allowed_hosts", words.said(&server.allowed_hosts)),
        ("allowed_origins", words.said(&server.allowed_origins)),
        (
            "auth",
            words.said(&(&server.api_keys, &server.oauth, &server.authority, &server.passthrough, &server.scopes)),
        ),
        ("audit", words.said(&server.audit)),
        ("state", words.said(&server.state)),
        ("limits", words.said(&server.limits)),
        ("trusted_proxies", words.said(&(&server.trusted_proxies, &server.end_user_header))),
        ("public_unsafe", words.said(&server.public)),
        ("signing_key", words.said(&server.signing_key)),
        ("reload", words.said(&server.reload)),
        ("shutdown_grace", words.said(&server.shutdown_grace)),
    ]
}

/// What ids stand for.
struct Words {
    sources: Vec<String>,
}

impl Words {
    fn of(plan: &Plan) -> Self {
        let name = |source: &Source| {
            let bridge = plan.bridges.get(source.bridge.0).map_or("", |bridge| bridge.name.as_str());
            format!("{bridge}/{}", source.name)
        };
        Self { sources: plan.sources.iter().map(name).collect() }
    }

    /// All that a value says, with names for sources and without positions of credentials.
    fn said(&self, value: &dyn Debug) -> String {
        let text = format!("{value:?}");
        let named = replaced(&text, "SourceId(", |id| {
            id.parse().ok().and_then(|at: usize| self.sources.get(at)).cloned().unwrap_or_default()
        });
        replaced(&named, "SecretId(", |_| String::new())
    }
}

/// The text with other words in the place of the numbers behind a mark.
fn replaced(text: &str, mark: &str, word: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (id, rest) = part.split_once(')').unwrap_or((part, ""));
        out.push_str(mark);
        out.push_str(&word(id));
        out.push(')');
        out.push_str(rest);
    }
    out
}
