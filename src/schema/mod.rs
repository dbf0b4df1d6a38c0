//! Floor 2. JSON Schema: compiles the input schema of a tool once, at load, and turns the
//! arguments of every call into checked values, or into faults that a model can act on.

mod coerce;
mod exact;
mod formats;
mod plan;
mod portable;
mod validate;
mod walk;
mod words;

use serde_json::{Map, Value};

pub use portable::{Advice, lint};

use coerce::{Reading, Unreadable};
use plan::Plan;
use validate::Compiled;

/// The longest text of arguments that is read, in bytes.
pub const ARGUMENTS_BYTES_MAX: usize = 1 << 20;

/// How many faults of one call are told.
const FAULTS_MAX: usize = 50;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// JSON pointer to the place, from the root of the schema; empty for the schema as a whole.
    pub pointer: String,
}

/// One reason why arguments were not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentFault {
    /// Which argument: `filters.ids[2]`; empty for the arguments as a whole.
    pub path: String,
    /// A sentence that names the argument, what was given, and what is accepted.
    pub message: String,
}

/// All faults as one text, for the result of the call.
#[must_use]
pub fn sentence(faults: &[ArgumentFault]) -> String {
    let mut text = "The arguments were not accepted:".to_owned();
    for fault in faults {
        text.push_str("\n- ");
        text.push_str(&fault.message);
    }
    text
}

/// The input schema of one tool, ready to read arguments.
#[derive(Debug)]
pub struct Arguments {
    plan: Plan,
    compiled: Compiled,
    /// As published; faults are explained by it.
    schema: Value,
}

impl Arguments {
    /// Compiles the input schema of a tool: JSON Schema 2020-12, its root `type: object`.
    ///
    /// # Errors
    ///
    /// The first fault: a keyword used wrongly, another dialect, a reference that leaves the
    /// schema, a pattern that does not run in linear time, or nesting beyond 64 levels. A default
    /// that its own schema refuses is no fault here: [`Self::read`] tells of it.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        walk::refuse_unsafe(schema)?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            let message = "the root of an input schema must be `type: object`".to_owned();
            return Err(SchemaError { message, pointer: String::new() });
        }
        // The schema as written is compiled first, so that no fault hides behind the restating.
        let mut compiled = Compiled::new(schema)?;
        let draft = plan::draft(schema)?;
        if draft.plan.exact {
            compiled = Compiled::new(&draft.validated)?;
        }
        let mut arguments = Self { plan: draft.plan, compiled, schema: schema.clone() };
        // Inner defaults first: an outer one is completed with them.
        for place in draft.defaults.iter().rev() {
            arguments.settle(place);
        }
        Ok(arguments)
    }

    /// Reads the `arguments` member of a call; none and `null` count as `{}`.
    ///
    /// The text is parsed once. Values are coerced where the schema states a type and the value
    /// is an exact writing of that type, nulls for arguments that may be left out are removed,
    /// defaults are filled in, and the result is validated.
    ///
    /// # Errors
    ///
    /// All faults at once, at most 50.
    pub fn read(&self, raw: Option<&str>) -> Result<Map<String, Value>, Vec<ArgumentFault>> {
        let text = match raw {
            Some(text) if text.len() > ARGUMENTS_BYTES_MAX => {
                return Err(vec![whole(format!(
                    "The arguments are {} bytes long; at most {ARGUMENTS_BYTES_MAX} are accepted.",
                    text.len()
                ))]);
            }
            Some(text) if text.trim() != "null" => text,
            Some(_) | None => "{}",
        };
        let reading = match coerce::read(&self.plan, self.plan.root(), text) {
            Ok(reading) => reading,
            Err(fault) => return Err(vec![unreadable(&fault)]),
        };
        if reading.faults.is_empty() && self.compiled.accepts(&reading.value) {
            return match reading.value {
                Value::Object(map) => Ok(map),
                other => Err(vec![not_an_object(&other)]),
            };
        }
        Err(self.faults(&reading))
    }

    fn faults(&self, reading: &Reading) -> Vec<ArgumentFault> {
        if !reading.value.is_object() {
            return vec![not_an_object(&reading.value)];
        }
        let mut faults = Vec::new();
        for pending in &reading.faults {
            let path = words::path(pending.way.iter().rev());
            let message = words::about(&path, &pending.predicate);
            faults.push(ArgumentFault { path, message });
        }
        // A value that was refused on the way in stands in as null; what the validator says
        // about that null is no news.
        let told = faults.len();
        for fault in self.compiled.faults(&reading.value, &self.schema) {
            if !faults.iter().take(told).any(|known| known.path == fault.path) {
                faults.push(fault);
            }
        }
        faults.truncate(FAULTS_MAX);
        faults
    }

    /// Coerces one default as if a caller had given it. One that cannot be coerced stays as it
    /// is written, and calls that need it are told so.
    fn settle(&mut self, place: &plan::DefaultPlace) {
        let Some((node, default)) = self.plan.default_at(place) else { return };
        if let Ok(reading) = coerce::read(&self.plan, Some(node), &default.to_string())
            && reading.faults.is_empty()
        {
            self.plan.set_default(place, reading.value);
        }
    }
}

fn whole(message: String) -> ArgumentFault {
    ArgumentFault { path: String::new(), message }
}

fn unreadable(fault: &Unreadable) -> ArgumentFault {
    whole(match fault {
        Unreadable::TooDeep => {
            format!("The arguments are nested more than {} levels deep.", coerce::DEPTH_MAX)
        }
        Unreadable::Syntax(error) => format!("The arguments are not valid JSON: {error}."),
    })
}

fn not_an_object(value: &Value) -> ArgumentFault {
    let given = words::given(value);
    whole(format!("The arguments must be one JSON object, but {given} was given."))
}

/// A compiled schema for results.
#[derive(Debug)]
pub struct Output(Compiled);

impl Output {
    /// Compiles an output schema: JSON Schema 2020-12.
    ///
    /// # Errors
    ///
    /// As [`Arguments::compile`].
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        walk::refuse_unsafe(schema)?;
        Compiled::new(schema).map(Self)
    }

    /// Whether the schema accepts `value` as it is.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        self.0.accepts(value)
    }
}

#[cfg(test)]
mod tests;
