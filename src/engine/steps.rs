//! Floor 6. A tool of several calls: one step after the other under one deadline, until one fails. What is kept of
//! each is a value that later steps and the output of the tool can name.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
};

use futures_util::{FutureExt as _, StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    CallError, ErrorClass, Outcome, Progress,
    call::{World, scope},
    scope::CallScope,
    shape,
};
use crate::{
    plan::steps::{Call, Each, ITEMS_MAX, ITEMS_UNASKED, Step, Steps},
    template::{RenderError, Tree},
};

/// Bytes of answers that the steps of one call may read: a loop over large ones must not fill the memory.
const READ_MAX: usize = 32 << 20;

/// Parts that the progress of one step is counted in.
const PARTS: u32 = 1 << 16;

/// Runs the steps and shapes their results.
pub(super) async fn run(
    world: &World<'_>,
    steps: &Steps,
    arguments: &Map<String, Value>,
) -> Result<Outcome, CallError> {
    let (read, done) = (AtomicUsize::new(0), AtomicU32::new(0));
    let running =
        Running { world, arguments, total: small(steps.all.len()), read, done, changed: AtomicBool::new(false) };
    let mut results = Value::Object(Map::with_capacity(steps.all.len()));
    // Names of the steps that have changed something.
    let mut changed: Vec<&str> = Vec::new();
    for (index, step) in steps.all.iter().enumerate() {
        running.done.store(small(index) * PARTS, Ordering::Relaxed);
        running.tell(step);
        let result = running.step(step, &results).await;
        // Also of a step that fails after its change, such as by what it requires of the answer.
        if running.changed.swap(false, Ordering::Relaxed) {
            changed.push(&step.name);
        }
        let result = result.map_err(|error| told(&error, step, &changed))?;
        if let Value::Object(members) = &mut results {
            members.insert(step.name.clone(), result);
        }
    }
    let scope = CallScope { steps: Some(&results), ..scope(world.call, arguments, &[]) };
    shape::steps(&world.call.tool.output, &results, &scope).map_err(|error| after(&error, &changed))
}

/// A model that is not told what was done before the failure does it again.
fn told(error: &CallError, step: &Step, changed: &[&str]) -> CallError {
    let cause = format!("step `{}`: {}", step.name, error.cause().unwrap_or(error.public()));
    after(error, changed).caused_by(cause)
}

/// The error with the steps that have changed something.
fn after(error: &CallError, changed: &[&str]) -> CallError {
    if changed.is_empty() {
        return error.clone();
    }
    // Whoever signs in again and repeats the call would repeat the changes too: this must be read.
    let names: Vec<_> = changed.iter().map(|name| format!("`{name}`")).collect();
    let public = format!("{} What was changed before that stays changed: {}.", error.public(), names.join(", "));
    CallError::new(error.class(), public).caused_by(error.cause().unwrap_or(error.public()))
}

/// What the failure of one item means for the others of a step that changes something.
fn broken_off(error: CallError, step: &Step, (index, many): (usize, usize)) -> CallError {
    if !step.call.writes() || many == 1 {
        return error;
    }
    let message = format!(
        "{} That was item {} of {many}; {index} before it were done, and none after it was begun.",
        error.public(),
        index + 1
    );
    CallError::new(error.class(), message).caused_by(error.cause().unwrap_or_default())
}

/// What all steps of one call share.
struct Running<'a> {
    world: &'a World<'a>,
    arguments: &'a Map<String, Value>,
    /// How many steps there are.
    total: u32,
    /// Bytes of answers so far.
    read: AtomicUsize,
    /// What is done of all steps, in parts of one.
    done: AtomicU32,
    /// Whether the step under way has changed something.
    changed: AtomicBool,
}

impl Running<'_> {
    /// Tells the client how far the call has come.
    fn tell(&self, step: &Step) {
        self.world.call.peer.progress(&Progress {
            value: f64::from(self.done.load(Ordering::Relaxed)) / f64::from(PARTS),
            total: Some(f64::from(self.total)),
            message: Some(step.name.clone()),
        });
    }

    /// The result of a step: null when it is skipped, a list when it runs for every item of one.
    async fn step(&self, step: &Step, results: &Value) -> Result<Value, CallError> {
        let scope = self.scope(step, self.arguments, results);
        if let Some(condition) = &step.condition
            && !condition.resolve(&scope).map_err(|error| unresolved(step, &error))?.as_ref().is_some_and(is_true)
        {
            return Ok(Value::Null);
        }
        let result = match &step.each {
            None => self.once(step, results, None).await?,
            Some(each) => self.each(step, each, results).await?,
        };
        if let Some(require) = &step.require
            && !require.holds(&result)
        {
            let text = require.otherwise.render(&scope).map_err(|error| shape::template_failed(&error))?;
            return Err(CallError::new(ErrorClass::Upstream, text));
        }
        Ok(result)
    }

    async fn each(&self, step: &Step, each: &Each, results: &Value) -> Result<Value, CallError> {
        let scope = self.scope(step, self.arguments, results);
        let list = match each.list.resolve(&scope).map_err(|error| unresolved(step, &error))? {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                let message =
                    format!("The step `{}` was to run for every item of a list, and found no list.", step.name);
                return Err(CallError::new(ErrorClass::Upstream, message));
            }
        };
        let list = take(step, each, list, &scope)?;
        let many = list.len();
        let runs = list.into_iter().enumerate().map(|(index, item)| async move {
            let result = self.once(step, results, Some((&each.item, item))).await;
            self.done.fetch_add(PARTS / small(many), Ordering::Relaxed);
            if index + 1 < many {
                self.tell(step);
            }
            result.map_err(|error| broken_off(error, step, (index, many)))
        });
        let all: Vec<Value> = stream::iter(runs).buffered(each.concurrency.max(1)).try_collect().await?;
        Ok(Value::Array(all))
    }

    /// One request or statement.
    async fn once(&self, step: &Step, results: &Value, item: Option<(&String, Value)>) -> Result<Value, CallError> {
        if self.world.deadline <= Instant::now() {
            let message = format!("The time for this call was over before its step `{}` began.", step.name);
            return Err(CallError::new(ErrorClass::Timeout, message));
        }
        let arguments = self.with(step, results, item)?;
        let scope = self.scope(step, &arguments, results);
        match &step.call {
            Call::Rest(request) => {
                let scope = CallScope { placed: &request.placed, ..scope };
                let answer = self.world.rest(request, &scope).await?;
                self.has_run(step);
                self.count(answer.body.len())?;
                shape::rest_step(&step.output, &answer)
            }
            Call::Sql(query) => {
                let answer = self.world.sql(query, &scope).await?;
                if let (0, Some(text)) = (answer.row_count, &query.not_found) {
                    let text = text.render(&scope).map_err(|error| shape::template_failed(&error))?;
                    return Err(CallError::new(ErrorClass::Upstream, text));
                }
                self.has_run(step);
                self.count(answer.rows.len())?;
                shape::sql_step(query, &step.output, answer)
            }
            Call::Transaction(transaction) => {
                let answers = self.world.transact(transaction, &scope).boxed().await?;
                self.has_run(step);
                self.count(answers.iter().map(|answer| answer.rows.len()).sum())?;
                shape::transaction_step(transaction, &step.output, answers)
            }
        }
    }

    /// A request or statement of the step came to its end.
    fn has_run(&self, step: &Step) {
        if step.call.writes() {
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// The arguments with the item and the step's own values beside them.
    fn with(
        &self,
        step: &Step,
        results: &Value,
        item: Option<(&String, Value)>,
    ) -> Result<Cow<'_, Map<String, Value>>, CallError> {
        if item.is_none() && step.with.is_empty() {
            return Ok(Cow::Borrowed(self.arguments));
        }
        let mut arguments = self.arguments.clone();
        if let Some((name, value)) = item {
            arguments.insert(name.clone(), value);
        }
        let mut values = Vec::with_capacity(step.with.len());
        let scope = self.scope(step, &arguments, results);
        for (name, tree) in &step.with {
            let value = tree.resolve(&scope).map_err(|error| unresolved(step, &error))?;
            values.extend(value.map(|value| (name.clone(), value)));
        }
        arguments.extend(values);
        Ok(Cow::Owned(arguments))
    }

    fn scope<'s>(&'s self, step: &'s Step, arguments: &'s Map<String, Value>, results: &'s Value) -> CallScope<'s> {
        CallScope { declared: &step.declared, steps: Some(results), ..scope(self.world.call, arguments, &[]) }
    }

    fn count(&self, bytes: usize) -> Result<(), CallError> {
        if self.read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= READ_MAX {
            return Ok(());
        }
        let message =
            format!("The answers to this call are larger than {} MiB together; ask for less.", READ_MAX >> 20);
        Err(CallError::new(ErrorClass::TooLarge, message))
    }
}

/// The items that a step runs for.
fn take(step: &Step, each: &Each, mut list: Vec<Value>, scope: &CallScope<'_>) -> Result<Vec<Value>, CallError> {
    let asked = each.take.as_ref().map(|take| amount(step, take, scope)).transpose()?.flatten();
    match asked {
        Some(most) => list.truncate(most.min(ITEMS_MAX)),
        None if list.len() > ITEMS_UNASKED => {
            let message = format!(
                "The step `{}` would run for {} items, and {ITEMS_UNASKED} are the most.",
                step.name,
                list.len()
            );
            return Err(CallError::new(ErrorClass::TooLarge, message));
        }
        None => {}
    }
    Ok(list)
}

/// How many items are taken; `None` when the value that says so was not given.
fn amount(step: &Step, take: &Tree, scope: &CallScope<'_>) -> Result<Option<usize>, CallError> {
    match take.resolve(scope).map_err(|error| unresolved(step, &error))? {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let most = value.as_u64().and_then(|value| usize::try_from(value).ok());
            most.map(Some).ok_or_else(|| {
                let message = format!("How many items the step `{}` takes is not a number from 0.", step.name);
                CallError::new(ErrorClass::Arguments, message)
            })
        }
    }
}

/// Counts of steps and items are far below the bound.
fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(1)
}

/// What counts as true in a condition: the same as in `{{#if}}`, and the word `false` does not.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "false"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn unresolved(step: &Step, error: &RenderError) -> CallError {
    let message = format!("The step `{}` could not be built from what came before it.", step.name);
    CallError::new(ErrorClass::Upstream, message).caused_by(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_false_for_what_is_nothing() {
        for (value, expected) in [
            (json!(null), false),
            (json!(false), false),
            (json!(0), false),
            (json!(""), false),
            (json!(" false "), false),
            (json!([]), false),
            (json!({}), false),
            (json!(true), true),
            (json!(-1), true),
            (json!("no"), true),
            (json!([null]), true),
        ] {
            assert_eq!(is_true(&value), expected, "{value}");
        }
    }
}
