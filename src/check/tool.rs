//! Floor 4. Tools: arguments, operation, output and hints put together.

use super::{
    admission, care, complete, confirm,
    context::Context,
    example, idle, mirror, output, output_schema,
    params::{self, Params},
    reading,
    reply::{self, Builder, Whose},
    rest,
    source::{self, Sources, TIMEOUT},
    sql, steps,
    templates::Stage,
};
use crate::{
    bridge::{self, Annotations as WrittenAnnotations, Tool as Written},
    diag::{Code, Diagnostic},
    plan::{
        self, Admission, Annotations, Bridge, Effect, Generated, Operation, Output, Tool, sql::Access, steps::Call,
    },
    yaml::Pointer,
};

/// The identity of a file's bridge.
pub(super) fn bridge(file: &bridge::File) -> Bridge {
    let (guidance, generated) = match &file.instructions {
        None => (String::new(), Generated::Follows),
        Some(bridge::Instructions::Text(text)) => (text.clone(), Generated::Follows),
        Some(bridge::Instructions::Spec(spec)) => {
            let generated = if spec.generate == Some(false) { Generated::Off } else { Generated::Follows };
            (spec.text.clone(), generated)
        }
    };
    Bridge {
        name: file.bridge.clone().unwrap_or_default(),
        version: file.version.clone().unwrap_or_else(|| "0.0.0".into()),
        title: file.title.clone(),
        description: file.description.clone(),
        website: file.website.clone(),
        guidance,
        generated,
    }
}

/// Builds one tool. `None` after a fault that leaves nothing to build on.
pub(super) fn build(name: &str, written: &Written, sources: &Sources, context: &mut Context<'_>) -> Option<Tool> {
    let at = Pointer::root().at("tools").at(name);
    advise_on_words(name, written, &at, context);
    let params = params::build(written, &at, context);
    complete::refuse(&written.params, &at, context);
    let mirrors = mirror::all(written, &at, context);
    let admission = admission::build(&written.scopes, &written.require, &at, context);
    let admission = Admission { rate: written.rate_limit.map(admission::rate), ..admission };
    context.take_needs();
    context.takes_caller();
    let (operation, stage, natural) = operation(written, &params, sources, &at, context);
    let confirm = confirm::build(written, &params, &at, context);
    let needs = context.take_needs();
    // The output of a tool with steps stands behind them all.
    let behind = written.steps.as_deref().map(|steps| params.placed(steps::Place::behind(steps), Vec::new()));
    let named = behind.as_ref().unwrap_or(&params);
    let output = output::build(written.output.as_ref(), stage, named, &at.at("output"), context);
    if let (Some(all), Some(output)) = (&written.steps, &written.output) {
        steps::output_is_known(output, all, &at.at("output"), context);
    }
    let mut operation = operation?;
    if let Operation::Rest(request) = &mut operation {
        let parse = written.rest.as_ref().and_then(|rest| rest.parse.as_ref());
        idle::values(parse, written.output.as_ref(), &at.at("output"), context);
        reading::settle(request, (written.output.as_ref(), output.content), &at, context);
    }
    let derived = derived(&operation);
    let annotations = overridden(derived, written.annotations.as_ref());
    advise_on_hints(&operation, annotations, &at, context);
    if let Some(timeout) = written.timeout {
        source::call_timeout(timeout.0, &at.at("timeout"), context);
    }
    let timeout = written.timeout.map_or(natural, |it| it.0);
    let cache = care::caching(written, &operation, sources, &at, context);
    let output_schema = schema_of(&operation, written, &output);
    Some(Tool {
        name: format!("{}{name}", sources.prefix),
        bridge: sources.bridge,
        title: written.title.clone(),
        description: written.description.clone().unwrap_or_default(),
        tags: written.tags.clone(),
        declared: params.names().map(str::to_owned).collect(),
        input_schema: params.schema,
        arguments: params.arguments?,
        bound: params.bound,
        mirrors,
        needs,
        admission,
        confirm,
        operation,
        output,
        output_schema,
        annotations,
        timeout,
        concurrency: written.concurrency.map(|most| most as usize),
        cache,
        tests: Vec::new(),
    })
}

fn operation(
    written: &Written,
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> (Option<Operation>, Stage, std::time::Duration) {
    let timeout = |name: Option<&str>, kind| sources.timeout(name, kind).unwrap_or(TIMEOUT);
    if let Some(reply) = &written.reply {
        let reply = self::reply(reply, params, at, context);
        return (reply.map(|it| Operation::Reply(Box::new(it))), Stage::Reply, TIMEOUT);
    }
    if let Some(operation) = &written.rest {
        let at = at.at("rest");
        rest::refuse_sql_params("a REST request", params, context);
        let natural = timeout(operation.source.as_deref(), source::Kind::Rest);
        let built = rest::build(operation, params, sources, &at, context);
        return (built.map(|it| Operation::Rest(Box::new(it))), Stage::RestResult, natural);
    }
    if let Some(all) = &written.steps {
        let built = steps::build(all, params, sources, &at.at("steps"), context);
        return (built.map(|it| Operation::Steps(Box::new(it))), Stage::StepsResult, steps::timeout(all, sources));
    }
    let natural = timeout(written.sql.as_ref().and_then(|it| it.source.as_deref()), source::Kind::Sql);
    if let Some(several) = written.sql.as_ref().filter(|it| it.transaction.is_some()) {
        let built = sql::build_transaction(several, params, sources, &at.at("sql"), context);
        return (built.map(|it| Operation::Transaction(Box::new(it))), Stage::TransactionResult, natural);
    }
    let built =
        written.sql.as_ref().and_then(|operation| sql::build(operation, params, sources, &at.at("sql"), context));
    (built.map(|it| Operation::Sql(Box::new(it))), Stage::SqlResult, natural)
}

fn reply(written: &bridge::Reply, params: &Params, tool: &Pointer, context: &mut Context<'_>) -> Option<plan::Reply> {
    for key in ["output", "timeout"] {
        let at = tool.at(key);
        if !context.has(&at) {
            continue;
        }
        let span = context.key(&at);
        let message = format!("`{key}` has no meaning beside `reply`: nothing is called");
        context.push(Diagnostic::error(Code::Reply, span, message));
    }
    rest::refuse_sql_params("a fixed answer", params, context);
    let mut builder = Builder::new(params, Whose::Anybodys);
    let reply = reply::build(written, &mut builder, &tool.at("reply"), context);
    rest::advise_on_unused(params, &builder.used, tool, context);
    reply
}

fn advise_on_words(name: &str, written: &Written, at: &Pointer, context: &mut Context<'_>) {
    let is_lost = context.is_lost(written.description.as_ref(), &at.at("description"));
    if !is_lost && written.description.as_deref().is_none_or(|text| text.trim().is_empty()) {
        let message = format!("the tool `{name}` has no description");
        let advice = Diagnostic::warning(Code::NoDescription, context.key(at), message);
        context.push(advice.help("a model chooses tools by their descriptions: say what it does and when to use it"));
    }
}

/// What an operation says about itself (protocol.md T-15, sql.md §9.10).
fn derived(operation: &Operation) -> Annotations {
    match operation {
        Operation::Rest(request) => of_request(request),
        Operation::Sql(query) => of_query(query),
        Operation::Transaction(transaction) => of_transaction(transaction),
        Operation::Steps(steps) => {
            let all = steps.all.iter().map(|step| match &step.call {
                Call::Rest(request) => of_request(request),
                Call::Sql(query) => of_query(query),
                Call::Transaction(transaction) => of_transaction(transaction),
            });
            let nothing = Annotations { read_only: true, destructive: false, idempotent: true, open_world: false };
            all.fold(nothing, |one, other| Annotations {
                read_only: one.read_only && other.read_only,
                destructive: one.destructive || other.destructive,
                idempotent: one.idempotent && other.idempotent,
                open_world: one.open_world || other.open_world,
            })
        }
        Operation::Reply(_) => Annotations { read_only: true, destructive: false, idempotent: true, open_world: false },
    }
}

fn of_request(request: &plan::rest::Request) -> Annotations {
    Annotations {
        read_only: request.reads(),
        destructive: !request.reads() && request.method != plan::rest::Method::Post,
        idempotent: request.reads() || request.method.is_idempotent(),
        open_world: true,
    }
}

fn of_query(query: &plan::Query) -> Annotations {
    let read_only = query.access == Access::Read;
    let insert_only = query.effect == Effect::Adds;
    Annotations { read_only, destructive: !read_only && !insert_only, idempotent: read_only, open_world: false }
}

fn of_transaction(transaction: &plan::Transaction) -> Annotations {
    let destructive = transaction.effect() == Effect::Changes;
    Annotations { read_only: false, destructive, idempotent: false, open_world: false }
}

fn overridden(derived: Annotations, written: Option<&WrittenAnnotations>) -> Annotations {
    let written = written.copied().unwrap_or_default();
    let read_only = written.read_only.unwrap_or(derived.read_only);
    // A tool that changes nothing destroys nothing, unless the author says so in both words.
    let destructive = written.destructive.unwrap_or(derived.destructive && !read_only);
    Annotations {
        read_only,
        destructive,
        idempotent: written.idempotent.unwrap_or(derived.idempotent),
        open_world: written.open_world.unwrap_or(derived.open_world),
    }
}

/// Hosts skip their question to the person for tools that say they only read: it must be true.
fn advise_on_hints(operation: &Operation, hints: Annotations, at: &Pointer, context: &mut Context<'_>) {
    let at = at.at("annotations").at("read_only");
    if !hints.read_only || !context.has(&at) {
        return;
    }
    match operation {
        Operation::Sql(query) if query.access == Access::Write => {
            context.fault(Code::NotAccepted, &at, "a statement with `mode: write` is not read-only");
        }
        Operation::Transaction(_) => {
            context.fault(Code::NotAccepted, &at, "statements with `mode: write` are not read-only");
        }
        Operation::Rest(request) if matches!(request.method.as_str(), "PUT" | "PATCH" | "DELETE") => {
            let message = format!("a {} request is not read-only", request.method.as_str());
            context.fault(Code::NotAccepted, &at, message);
        }
        Operation::Steps(steps) => {
            let changing = steps.all.iter().find(|step| match &step.call {
                Call::Rest(request) => matches!(request.method.as_str(), "PUT" | "PATCH" | "DELETE"),
                Call::Sql(_) | Call::Transaction(_) => step.call.writes(),
            });
            if let Some(step) = changing {
                let message = format!("the step `{}` changes something, so the tool is not read-only", step.name);
                context.fault(Code::NotAccepted, &at, message);
            }
        }
        Operation::Rest(_) | Operation::Sql(_) | Operation::Reply(_) => {}
    }
}

fn schema_of(operation: &Operation, written: &Written, output: &Output) -> Option<serde_json::Value> {
    match operation {
        Operation::Reply(_) => None,
        Operation::Rest(_) => {
            let example = example::of(&written.tests, output);
            output_schema::of_rest(written.output.as_ref(), output, example.as_ref())
        }
        Operation::Steps(_) => output_schema::of_rest(written.output.as_ref(), output, None),
        Operation::Sql(_) | Operation::Transaction(_) => {
            let given = written.output.as_ref().and_then(|output| output.schema.clone());
            if output.structured == plan::Structured::Left {
                return None;
            }
            if let Some(schema) = given {
                return Some(serde_json::Value::Object(schema));
            }
            match operation {
                _ if !output_schema::rows_as_they_are(output) => {
                    output_schema::of_rest(written.output.as_ref(), output, None)
                }
                Operation::Transaction(transaction) => Some(output_schema::of_transaction(transaction, &|_| None)),
                Operation::Sql(query) => {
                    Some(output_schema::of_sql(query.returns, None, &query.columns, query.not_found.is_some()))
                }
                Operation::Reply(_) | Operation::Rest(_) | Operation::Steps(_) => None,
            }
        }
    }
}
