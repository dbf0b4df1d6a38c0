//! Floor 4. Tools of several calls: names and their order, loops, and what each step must hold.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use super::{
    context::Context,
    idle, output, pages,
    params::{Declared, Params, Presence, Role},
    rest,
    source::{Kind, Sources, TIMEOUT},
    sql,
    templates::{self, Stage},
};
use crate::{
    bridge::{Output as WrittenOutput, Require as WrittenRequire, Step as Written},
    diag::{Code, Diagnostic},
    plan::steps::{Call, Each, ITEMS_MAX, Require, Step, Steps, Test},
    template::{Tree, Variable},
    yaml::Pointer,
};

/// A tool of more calls than this is a program and not a tool.
const STEPS_MAX: usize = 20;
/// How many items of a step that reads run at once, unless it says otherwise.
const CONCURRENCY: usize = 8;
/// Names that templates use for something else.
const TAKEN: [&str; 9] = ["args", "body", "caller", "now", "request", "row", "rows", "status", "steps"];

/// Where among the steps of a tool something stands.
pub(super) struct Place {
    before: Vec<String>,
    here: Option<String>,
    after: Vec<String>,
    /// The names of values that were found in use.
    used: RefCell<BTreeSet<String>>,
}

impl Place {
    /// Behind the last step: where the output of the tool stands.
    pub(super) fn behind(steps: &[Written]) -> Self {
        let before = steps.iter().map(|step| step.name.clone()).collect();
        Self { before, here: None, after: Vec::new(), used: RefCell::default() }
    }

    fn at(steps: &[Written], index: usize) -> Self {
        let names = |steps: &[Written]| steps.iter().map(|step| step.name.clone()).collect();
        let (before, rest) = steps.split_at(index.min(steps.len()));
        let after = rest.get(1..).unwrap_or_default();
        let here = rest.first().map(|step| step.name.clone());
        Self { before: names(before), here, after: names(after), used: RefCell::default() }
    }

    /// Takes down that values are used.
    pub(super) fn note<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) {
        self.used.borrow_mut().extend(names.into_iter().map(|name| name.as_ref().to_owned()));
    }
}

/// A fault unless `{{steps.NAME…}}` names a step that has run before.
pub(super) fn name_is_known(variable: &Variable, place: Option<&Place>, at: &Pointer, context: &mut Context<'_>) {
    let span = context.part(at, variable.range.clone());
    let Some(place) = place else {
        let fault = Diagnostic::error(Code::UnknownVariable, span, "only a tool with `steps:` has results of steps");
        context.push(fault);
        return;
    };
    let Some(name) = variable.path.get(1) else {
        let fault = Diagnostic::error(Code::StepReference, span, "name a step: `steps.NAME`");
        context.push(known(fault, place));
        return;
    };
    if place.before.contains(name) {
        return;
    }
    let start = variable.range.start + "steps.".len();
    let named = context.part(at, start..start + name.len());
    let span = if context.written(named) == name { named } else { span };
    context.push(unknown(name, span, place));
}

fn unknown(name: &str, span: crate::text::Span, place: &Place) -> Diagnostic {
    if place.here.as_deref() == Some(name) {
        return Diagnostic::error(Code::StepReference, span, format!("`{name}` has no result before it has run"));
    }
    if place.after.iter().any(|later| later == name) {
        let fault = Diagnostic::error(Code::StepReference, span, format!("the step `{name}` runs after this one"));
        return fault.help("steps run in the order of the file");
    }
    let fault = Diagnostic::error(Code::StepReference, span, format!("no step is named `{name}`"));
    let hinted = fault.clone().did_you_mean(name, place.before.iter().map(String::as_str));
    if hinted.help.is_empty() { known(fault, place) } else { hinted }
}

fn known(fault: Diagnostic, place: &Place) -> Diagnostic {
    if place.before.is_empty() {
        return fault.help("no step runs before this one");
    }
    fault.help(format!("known here: {}", place.before.join(", ")))
}

/// Builds the steps of a tool. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    steps: &[Written],
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Steps> {
    if steps.is_empty() || steps.len() > STEPS_MAX {
        context.fault(Code::StepKey, at, format!("a tool has 1 to {STEPS_MAX} steps"));
    }
    if steps.iter().all(|step| step.sql.is_none()) {
        rest::refuse_sql_params("a REST request", params, context);
    }
    let mut used = BTreeSet::new();
    let mut all = Vec::new();
    for (index, written) in steps.iter().enumerate() {
        let at = at.at(index);
        name_is_usable(written, steps.get(..index).unwrap_or_default(), &at, context);
        let builder = Builder { params, sources, steps, index, at: &at };
        all.push(builder.build(written, &mut used, context));
    }
    let whole = at.above();
    if !used.contains("args") && !context.is_faulty(&whole) {
        for param in params.declared.iter().filter(|param| !used.contains(&param.name)) {
            let message = format!("the param `{}` is used nowhere", param.name);
            context.push(Diagnostic::warning(Code::ParamUnused, context.key(&param.pointer), message));
        }
    }
    Some(Steps { all: all.into_iter().collect::<Option<_>>()? })
}

/// How long a tool of these steps may take, unless it says so itself: as long as the slowest of its sources.
pub(super) fn timeout(steps: &[Written], sources: &Sources) -> Duration {
    let times = steps.iter().filter_map(|step| match (&step.rest, &step.sql) {
        (Some(rest), _) => sources.timeout(rest.source.as_deref(), Kind::Rest),
        (None, Some(sql)) => sources.timeout(sql.source.as_deref(), Kind::Sql),
        (None, None) => None,
    });
    times.max().unwrap_or(TIMEOUT)
}

fn name_is_usable(written: &Written, before: &[Written], at: &Pointer, context: &mut Context<'_>) {
    let at = at.at("name");
    if !is_name(&written.name) {
        let span = context.value(&at);
        let fault = Diagnostic::error(Code::StepName, span, format!("`{}` cannot be a step's name", written.name));
        context.push(fault.help("use up to 64 letters, digits and `_`, beginning with a letter"));
    } else if before.iter().any(|step| step.name == written.name) {
        context.fault(Code::StepName, &at, format!("two steps are named `{}`", written.name));
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A fault was found and told.
struct Told;

/// What the parts of one step are checked against.
struct Builder<'a> {
    params: &'a Params,
    sources: &'a Sources,
    steps: &'a [Written],
    index: usize,
    at: &'a Pointer,
}

impl Builder<'_> {
    fn build(&self, written: &Written, used: &mut BTreeSet<String>, context: &mut Context<'_>) -> Option<Step> {
        let at = self.at;
        let place = || Place::at(self.steps, self.index);
        // The condition and the list come before there is an item.
        let outside = self.params.placed(place(), Vec::new());
        let condition = written.condition.as_ref().map(|text| {
            let text = serde_json::Value::String(text.clone());
            templates::tree(&text, Stage::Request, &outside, &at.at("if"), context)
        });
        let mut added = Vec::new();
        if let Some(item) = written.item.as_ref().filter(|_| written.for_each.is_some()) {
            added.extend(self.declared(item, &at.at("as"), &added, context));
        }
        let looped = self.params.placed(place(), added.clone());
        let mut with = Vec::new();
        for (name, value) in &written.with {
            let at = at.at("with").at(name);
            let tree = templates::tree(value, Stage::Request, &looped, &at, context);
            added.extend(self.declared(name, &at, &added, context));
            with.extend(tree.map(|tree| (name.clone(), tree)));
        }
        let inside = self.params.placed(place(), added);
        let call = self.call(written, &inside, context);
        let each = self.each(written, &outside, call.as_ref().is_some_and(Call::writes), context);
        let output = self.output(written, &inside, context);
        let require = written.require.as_ref().map(|it| self.require(it, &inside, context));
        let trees = condition.iter().flatten().chain(with.iter().map(|(_, tree)| tree));
        let listed = each.iter().flatten().flat_map(|each| std::iter::once(&each.list).chain(&each.take));
        used.extend(trees.chain(listed).flat_map(names));
        if let Some(Some(require)) = &require {
            used.extend(require.otherwise.variables().iter().filter_map(|it| it.path.first().cloned()));
        }
        let own = inside.place.as_ref().map(|place| place.used.take()).unwrap_or_default();
        self.advise_on_unused(written, &own, context);
        used.extend(own);
        Some(Step {
            name: written.name.clone(),
            call: call?,
            with,
            condition: condition.map_or(Some(None), |it| it.map(Some))?,
            each: each.ok()?,
            require: require.map_or(Some(None), |it| it.map(Some))?,
            output,
            declared: inside.names().map(str::to_owned).collect(),
        })
    }

    fn call(&self, written: &Written, params: &Params, context: &mut Context<'_>) -> Option<Call> {
        if let Some(operation) = &written.rest {
            if pages::is_exposed(operation) {
                let span = context.key(&self.at.at("rest").at("paginate").at("expose"));
                let fault =
                    Diagnostic::error(Code::Pagination, span, "the pages of a step cannot be turned by the model");
                context.push(fault.help("leave `expose` out: the step fetches them"));
            }
            let built = rest::build(operation, params, self.sources, &self.at.at("rest"), context);
            return built.map(|request| Call::Rest(Box::new(request)));
        }
        let operation = written.sql.as_ref()?;
        if operation.transaction.is_some() {
            let built = sql::build_transaction(operation, params, self.sources, &self.at.at("sql"), context);
            return built.map(|transaction| Call::Transaction(Box::new(transaction)));
        }
        let built = sql::build(operation, params, self.sources, &self.at.at("sql"), context);
        built.map(|query| Call::Sql(Box::new(query)))
    }

    /// A value of the step alone, under a name that nothing else has.
    fn declared(&self, name: &str, at: &Pointer, others: &[Declared], context: &mut Context<'_>) -> Option<Declared> {
        let is_item = at.steps().last().is_some_and(|step| step == "as");
        let span = if is_item { context.value(at) } else { context.key(at) };
        let message = if !is_name(name) {
            format!("`{name}` cannot be the name of a value")
        } else if TAKEN.contains(&name) {
            format!("templates use `{name}` for something else")
        } else if self.params.is_known(name) {
            format!("a param is named `{name}` already")
        } else if others.iter().any(|other| other.name == name) {
            format!("the item is named `{name}` already")
        } else {
            let (name, pointer) = (name.to_owned(), at.clone());
            return Some(Declared { name, role: Role::Open, presence: Presence::Always, pointer });
        };
        context.push(Diagnostic::error(Code::StepName, span, message));
        None
    }

    /// `None` without a loop.
    fn each(
        &self,
        written: &Written,
        params: &Params,
        writes: bool,
        context: &mut Context<'_>,
    ) -> Result<Option<Each>, Told> {
        let at = self.at;
        let Some(list) = &written.for_each else {
            let stray = [
                ("as", written.item.is_some()),
                ("take", written.take.is_some()),
                ("concurrency", written.concurrency.is_some()),
            ];
            for (keyword, _) in stray.into_iter().filter(|(_, present)| *present) {
                if !context.is_lost(None::<&()>, &at.at("for_each")) {
                    let span = context.key(&at.at(keyword));
                    let message = format!("`{keyword}` has a meaning beside `for_each` only");
                    context.push(Diagnostic::error(Code::StepKey, span, message));
                }
            }
            return Ok(None);
        };
        if written.item.is_none() && !context.is_lost(written.item.as_ref(), &at.at("as")) {
            let span = context.key(&at.at("for_each"));
            let fault = Diagnostic::error(Code::StepLoop, span, "`for_each` needs a name for the item");
            context.push(fault.help("name it with `as`: `as: id`"));
        }
        if writes && written.concurrency.is_some_and(|it| it > 1) {
            let span = context.value(&at.at("concurrency"));
            let fault = Diagnostic::error(Code::StepKey, span, "a step that changes something runs item by item");
            context.push(fault.help("leave `concurrency` out"));
        }
        let list = self.exact(&serde_json::Value::String(list.clone()), "for_each", params, context);
        let take = written.take.as_ref().map(|take| self.take(take, params, context).ok_or(Told));
        let concurrency = written.concurrency.map_or(if writes { 1 } else { CONCURRENCY }, |it| it as usize);
        let (Some(list), Some(item)) = (list, written.item.clone()) else { return Err(Told) };
        let take = take.transpose()?;
        Ok(Some(Each { list, item, take, concurrency }))
    }

    fn take(&self, take: &serde_json::Value, params: &Params, context: &mut Context<'_>) -> Option<Tree> {
        if take.is_string() {
            return self.exact(take, "take", params, context);
        }
        let fits =
            take.as_u64().and_then(|take| usize::try_from(take).ok()).is_some_and(|it| (1..=ITEMS_MAX).contains(&it));
        if !fits {
            context.fault(Code::StepLoop, &self.at.at("take"), format!("`take` must be from 1 to {ITEMS_MAX}"));
        }
        fits.then(|| Tree::Literal(take.clone()))
    }

    /// A value that is exactly one `{{…}}`: a text with more in it is never a list or a number.
    fn exact(
        &self,
        value: &serde_json::Value,
        keyword: &str,
        params: &Params,
        context: &mut Context<'_>,
    ) -> Option<Tree> {
        let at = self.at.at(keyword);
        let tree = templates::tree(value, Stage::Request, params, &at, context)?;
        if matches!(tree, Tree::Exact(_)) {
            return Some(tree);
        }
        let span = context.value(&at);
        let fault = Diagnostic::error(Code::StepLoop, span, format!("`{keyword}` must be exactly one `{{{{…}}}}`"));
        context.push(fault.help("with text around it, it would be a text"));
        None
    }

    fn require(&self, written: &WrittenRequire, params: &Params, context: &mut Context<'_>) -> Option<Require> {
        let at = self.at.at("require");
        let otherwise = templates::text(&written.otherwise, Stage::Request, params, &at.at("otherwise"), context);
        let (path, test) = match (&written.exists, &written.select) {
            (Some(path), _) => {
                if written.equals.is_some() {
                    let span = context.key(&at.at("equals"));
                    let fault = Diagnostic::error(Code::StepKey, span, "`equals` has a meaning beside `select` only");
                    context.push(fault);
                }
                (templates::path(path, &at.at("exists"), context), Test::Exists)
            }
            (None, Some(path)) => {
                let path = templates::path(path, &at.at("select"), context);
                let Some(wanted) = &written.equals else {
                    let span = context.key(&at.at("select"));
                    let fault = Diagnostic::error(Code::StepKey, span, "`select` needs `equals` beside it");
                    context.push(fault.help("to ask whether anything stands there, write `exists`"));
                    return None;
                };
                (path, Test::Equals(wanted.clone()))
            }
            (None, None) => return None,
        };
        Some(Require { path: path?, test, otherwise: otherwise? })
    }

    fn output(&self, written: &Written, params: &Params, context: &mut Context<'_>) -> crate::plan::Output {
        let at = self.at.at("output");
        let empty = WrittenOutput::default();
        let output = written.output.as_ref().unwrap_or(&empty);
        for (keyword, present) in [
            ("format", output.format.is_some()),
            ("template", output.template.is_some()),
            ("schema", output.schema.is_some()),
            ("structured", output.structured.is_some()),
            ("max_bytes", output.max_bytes.is_some()),
        ] {
            if present {
                let span = context.key(&at.at(keyword));
                let fault = Diagnostic::error(Code::StepKey, span, format!("`{keyword}` has no meaning in a step"));
                context.push(fault.help("a step yields a value; the `output` of the tool says what is sent"));
            }
        }
        let parse = written.rest.as_ref().and_then(|rest| rest.parse.as_ref());
        idle::values(parse, Some(output), &at, context);
        let kept = WrittenOutput {
            select: output.select.clone(),
            zip: output.zip,
            max_items: output.max_items,
            redact: output.redact.clone(),
            content: output.content,
            ..WrittenOutput::default()
        };
        let mut built = output::build(Some(&kept), Stage::StepsResult, params, &at, context);
        built.fields = output.fields.as_ref().map(|fields| output::projection(fields, &at.at("fields"), context));
        built.followed()
    }

    /// A value under a name of its own that the step does nothing with.
    fn advise_on_unused(&self, written: &Written, used: &BTreeSet<String>, context: &mut Context<'_>) {
        if used.contains("args") || context.is_faulty(self.at) {
            return;
        }
        for name in written.with.keys().filter(|name| !used.contains(*name)) {
            let span = context.key(&self.at.at("with").at(name));
            let message = format!("the value `{name}` is used nowhere in this step");
            context.push(Diagnostic::warning(Code::ParamUnused, span, message));
        }
    }
}

fn names(tree: &Tree) -> Vec<String> {
    tree.variables().filter_map(|(_, variable)| variable.path.first().cloned()).collect()
}

/// A fault for a path of the tool's output that begins with a name no step has: it would find nothing in any call.
pub(super) fn output_is_known(written: &WrittenOutput, steps: &[Written], at: &Pointer, context: &mut Context<'_>) {
    let place = Place::behind(steps);
    let mut look = |path: &str, at: &Pointer| {
        let name: &str = path.strip_prefix("$.").unwrap_or("");
        let end = name.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(name.len());
        let name = name.get(..end).unwrap_or(name);
        if !name.is_empty() && !place.before.iter().any(|step| step == name) {
            let span = context.part(at, 2..2 + name.len());
            context.push(unknown(name, span, &place));
        }
    };
    if let Some(path) = &written.select {
        look(path, &at.at("select"));
        return;
    }
    for (name, field) in written.fields.iter().flatten() {
        let at = at.at("fields").at(name);
        match field {
            crate::bridge::Field::Path(path) => look(path, &at),
            crate::bridge::Field::Long(long) => look(&long.select, &at.at("select")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        for (name, fine) in [("geo", true), ("g_2", true), ("2g", false), ("", false), ("a-b", false), ("ä", false)] {
            assert_eq!(is_name(name), fine, "{name}");
        }
        assert!(!is_name(&"x".repeat(65)));
    }
}
