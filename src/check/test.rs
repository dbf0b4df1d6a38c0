//! Floor 4. Tests in the file: whether the tool takes the arguments, asks for the answers, and can
//! give what is expected. Compiled here for `mcp-bridge test`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Document, context::Context};
use crate::{
    bridge::{
        Expectation, ExpectedRequest as WrittenRequest, Stub as WrittenStub, StubFailure as WrittenFailure,
        Stubs as WrittenStubs, Test as Written, TestCaller as WrittenCaller,
    },
    diag::{Code, Diagnostic},
    plan::{
        Engine, Operation, Plan, SourceKind, Tool,
        test::{
            Expected, ExpectedBody, ExpectedRequest, ExpectedValue, Stub, StubAnswer, StubFailure, StubRows, Stubs,
            Test, TestCaller,
        },
    },
    select::Path,
    yaml::Pointer,
};

/// Compiles the tests of a file and puts them to their tools.
pub(super) fn add(plan: &mut Plan, document: &Document, context: &mut Context<'_>) {
    let prefix = document.file.prefix.as_deref().unwrap_or_default();
    for (name, written) in document.file.tools.iter().filter(|(_, written)| !written.tests.is_empty()) {
        let full = format!("{prefix}{name}");
        let Some(at) = plan.tools.iter().position(|tool| tool.name == full) else { continue };
        let Some(tool) = plan.tools.get(at) else { continue };
        let about = About::of(plan, tool);
        let pointer = Pointer::root().at("tools").at(name).at("tests");
        refuse_twins(&written.tests, &pointer, context);
        let tests = written.tests.iter().enumerate();
        let tests = tests.map(|(index, test)| build(test, tool, about, (&pointer.at(index), &mut *context))).collect();
        if let Some(tool) = plan.tools.get_mut(at) {
            tool.tests = tests;
        }
    }
}

/// What a tool asks.
#[derive(Clone, Copy)]
struct About {
    /// An API.
    api: bool,
    /// A database.
    database: bool,
    /// A database that is not there before it is asked, and makes itself.
    own: bool,
}

impl About {
    fn of(plan: &Plan, tool: &Tool) -> Self {
        let mut about = Self { api: false, database: false, own: true };
        for source in tool.operation.sources().into_iter().filter_map(|id| plan.source(id)) {
            match &source.kind {
                SourceKind::Rest(_) => about.api = true,
                SourceKind::Sql(sql) => {
                    about.database = true;
                    about.own &= makes_itself(&sql.engine);
                }
            }
        }
        about
    }

    /// Whether the author has to write what the sources answer.
    const fn needs_stubs(self) -> bool {
        self.api || (self.database && !self.own)
    }
}

/// Whether a database can be made anew for a test.
#[must_use]
pub fn makes_itself(engine: &Engine) -> bool {
    match engine {
        Engine::Sqlite { path, init } => init.is_some() || path.as_os_str() == ":memory:",
        Engine::Postgres(_) | Engine::Mysql(_) => false,
    }
}

fn refuse_twins(tests: &[Written], at: &Pointer, context: &mut Context<'_>) {
    let mut first = BTreeMap::new();
    for (index, test) in tests.iter().enumerate() {
        let place = at.at(index).at("name");
        if let Some(before) = first.insert(&test.name, place.clone()) {
            let other = context.value(&before);
            let fault = Diagnostic::error(Code::TestTwice, context.value(&place), "another test has this name");
            context.push(fault.context(other, "here"));
        }
    }
}

fn build(written: &Written, tool: &Tool, about: About, (at, context): (&Pointer, &mut Context<'_>)) -> Test {
    let expect = written.expect.as_ref();
    let error = expect.and_then(|expect| expect.error).unwrap_or(false);
    if !error {
        arguments(&written.args, tool, &at.at("args"), context);
    }
    let stubs = stubs(written.upstream.as_ref(), about, &at.at("upstream"), context);
    if !error && about.needs_stubs() && written.upstream.is_none() && !context.has(&at.at("upstream")) {
        let advice =
            Diagnostic::warning(Code::TestUnanswered, context.value(&at.at("name")), "nothing answers this test");
        context.push(
            advice.help("write the answer of the source as `upstream`, or let `mcp-bridge test --record` ask it"),
        );
    }
    let requests = written.expect_request.as_ref().map(|requests| {
        let at = at.at("expect_request");
        let one = context.is_mapping(&at);
        let all = requests.all().iter().enumerate();
        all.map(|(index, it)| request(it, about, &if one { at.clone() } else { at.at(index) }, context)).collect()
    });
    Test {
        name: written.name.clone(),
        arguments: written.args.clone(),
        caller: written.caller.as_ref().map(caller),
        stubs,
        requests,
        expected: expected(expect, tool, &at.at("expect"), context),
    }
}

/// A test that expects no error must be a call that gets as far as the source.
fn arguments(args: &Map<String, Value>, tool: &Tool, at: &Pointer, context: &mut Context<'_>) {
    let reader = tool.confirm.as_ref().map_or(&tool.arguments, |confirmation| &confirmation.arguments);
    let Err(faults) = reader.read(Some(&Value::Object(args.clone()).to_string())) else { return };
    for fault in faults {
        let first = fault.path.split(['.', '[']).next().unwrap_or_default();
        let place = if args.contains_key(first) { at.at(first) } else { at.clone() };
        let known = tool.declared.iter().any(|name| name == first);
        let span = if known || first.is_empty() { context.value(&place) } else { context.key(&place) };
        let message = fault.message.trim_end_matches('.').replacen("There is", "there is", 1);
        let fault = Diagnostic::error(Code::TestArguments, span, message);
        context.push(fault.help("if the tool is to refuse this, say `error: true` in `expect`"));
    }
}

fn caller(written: &WrittenCaller) -> TestCaller {
    let name = written.name.clone().or_else(|| written.subject.clone()).unwrap_or_else(|| "tester".into());
    TestCaller {
        subject: written.subject.clone().or_else(|| written.name.clone()),
        name,
        workspace: written.workspace.clone(),
        scopes: written.scopes.clone(),
        claims: written.claims.clone(),
        end_user: written.end_user.clone(),
    }
}

fn stubs(written: Option<&WrittenStubs>, about: About, at: &Pointer, context: &mut Context<'_>) -> Stubs {
    let Some(written) = written else { return Stubs::None };
    let mut build = |stub: &WrittenStub, at: &Pointer| {
        let built = stub_of(stub, at, context);
        let fits = if built.is_of_database() { about.database } else { about.api };
        if !fits {
            let asks = match (about.api, about.database) {
                (false, false) => "the tool answers by itself: no source is asked",
                (false, true) => "the tool asks a database: its answers are `rows`, or `affected`",
                (true, _) => "the tool asks an API: its answers are a `status` and a `body`",
            };
            let span = context.key(at);
            context.push(Diagnostic::error(Code::TestStub, span, asks));
        }
        built
    };
    match written {
        WrittenStubs::Always(stub) => Stubs::Always(build(stub, at)),
        WrittenStubs::InTurn(all) => {
            Stubs::InTurn(all.iter().enumerate().map(|(index, stub)| build(stub, &at.at(index))).collect())
        }
    }
}

fn stub_of(written: &WrittenStub, at: &Pointer, context: &mut Context<'_>) -> Stub {
    let of_database = written.rows.is_some() || written.affected.is_some() || written.last_insert_id.is_some();
    if of_database || written.failure.is_some() {
        for key in ["status", "headers", "body"] {
            if context.has(&at.at(key)) {
                let span = context.key(&at.at(key));
                let message = format!("`{key}` is part of an answer of an API, and this is none");
                context.push(Diagnostic::error(Code::TestStub, span, message));
            }
        }
    }
    match written.failure {
        Some(WrittenFailure::Unreachable) => return Stub::Failure(StubFailure::Unreachable),
        Some(WrittenFailure::Timeout) => return Stub::Failure(StubFailure::Timeout),
        None => {}
    }
    if of_database {
        let rows = written.rows.clone().unwrap_or_default();
        return Stub::Rows(StubRows { rows, affected: written.affected, last_insert_id: written.last_insert_id });
    }
    for name in written.headers.keys().filter(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err()) {
        let span = context.key(&at.at("headers").at(name));
        context.push(Diagnostic::error(Code::TestStub, span, format!("`{name}` is not the name of a header")));
    }
    let (body, kind) = match &written.body {
        None => (Bytes::new(), None),
        Some(Value::String(text)) => (Bytes::from(text.clone()), Some("text/plain; charset=utf-8")),
        Some(value) => (Bytes::from(value.to_string()), Some("application/json")),
    };
    let mut headers: Vec<(String, String)> =
        written.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    if let Some(kind) = kind.filter(|_| !headers.iter().any(|(name, _)| name == "content-type")) {
        headers.push(("content-type".into(), kind.into()));
    }
    Stub::Answer(StubAnswer { status: written.status.unwrap_or(200), headers, body })
}

fn request(written: &WrittenRequest, about: About, at: &Pointer, context: &mut Context<'_>) -> ExpectedRequest {
    let mut refuse = |key: &str, what: &str| {
        if context.has(&at.at(key)) {
            let span = context.key(&at.at(key));
            context.push(Diagnostic::error(Code::TestExpectation, span, format!("`{key}` is {what}")));
        }
    };
    if !about.database {
        for key in ["sql", "values"] {
            refuse(key, "what a database is asked, and this tool asks none");
        }
    }
    if !about.api {
        for key in ["method", "url", "query", "headers", "json", "form", "text"] {
            refuse(key, "part of a request to an API, and this tool sends none");
        }
    }
    if let (Some(url), Some(_)) = (&written.url, &written.query)
        && url.contains('?')
    {
        let span = context.value(&at.at("url"));
        let fault = Diagnostic::error(Code::TestExpectation, span, "the query stands here and as `query`");
        context.push(fault.help("cut the address off at its `?`"));
    }
    if let Some(url) = &written.url
        && !url.starts_with('/')
        && !url.contains("://")
    {
        let span = context.value(&at.at("url"));
        let fault = Diagnostic::error(Code::TestExpectation, span, "an address begins with `/`, or with `https://`");
        context.push(fault.help("it is the whole path, with that of the source's base: `/v1/orders/7`"));
    }
    let body = match (&written.json, &written.form, &written.text) {
        (Some(value), _, _) => Some(ExpectedBody::Json(value.clone())),
        (None, Some(form), _) => Some(ExpectedBody::Form(pairs(form))),
        (None, None, Some(text)) => Some(ExpectedBody::Text(text.clone())),
        (None, None, None) => None,
    };
    ExpectedRequest {
        method: written.method.as_ref().map(|method| method.to_ascii_uppercase()),
        url: written.url.clone(),
        query: written.query.as_ref().map(pairs),
        headers: written.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        body,
        sql: written.sql.as_ref().map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" ")),
        values: written.values.clone(),
    }
}

/// Names with a value each; a list stands for the name several times.
fn pairs(map: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = map.iter().flat_map(|(name, value)| match value {
        Value::Array(all) => all.iter().map(|value| (name.clone(), text(value))).collect(),
        one => vec![(name.clone(), text(one))],
    });
    pairs.collect()
}

fn expected(written: Option<&Expectation>, tool: &Tool, at: &Pointer, context: &mut Context<'_>) -> Expected {
    let Some(written) = written else { return Expected::default() };
    if written.structured.is_some() && matches!(tool.operation, Operation::Reply(_)) {
        let span = context.key(&at.at("structured"));
        let message = "a fixed answer has no structured content";
        context.push(Diagnostic::error(Code::TestExpectation, span, message));
    }
    let mut values = Vec::new();
    for (source, value) in &written.json {
        match Path::compile(source) {
            Ok(path) => values.push(ExpectedValue { source: source.clone(), path, value: value.clone() }),
            Err(error) => {
                let span = context.key(&at.at("json").at(source));
                context.push(Diagnostic::error(Code::TestPath, span, format!("this is no JSONPath: {error}")));
            }
        }
    }
    Expected {
        error: written.error.unwrap_or(false),
        text: written.text.clone(),
        contains: written.contains.as_ref().map(|parts| parts.all().to_vec()).unwrap_or_default(),
        values,
        structured: written.structured.clone(),
    }
}
