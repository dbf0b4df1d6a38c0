//! Floor 2. The helpers a template may call, as one table, and the run of a program by the
//! Handlebars engine with exactly these helpers.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper as Call, HelperDef, HelperResult, JsonTruthy as _, Output, RenderContext,
    RenderError as EngineError, RenderErrorReason, Renderable as _, ScopedJson, Template, no_escape,
};
use serde_json::Value;

use super::format::{self, render_table};
use super::print::{self, Escape, plain};
use super::{MAX_OUTPUT, RenderError};

/// The blocks; they come with the engine.
pub(super) const BLOCKS: &[&str] = &["each", "if", "unless", "with"];

/// Runs before an `#each` or `#with` and refuses data that does not have the subject.
pub(super) const NEED: &str = "#need";

/// The arguments of a call: `None` where the data does not have what was named.
type Arguments<'a> = [Option<&'a Value>];

type Answer = Result<Value, Fault>;

/// Why a helper refuses; its name is added by the caller.
enum Fault {
    TooLarge,
    Message(String),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

/// One helper.
pub(super) struct Helper {
    name: &'static str,
    pub(super) usage: &'static str,
    pub(super) takes: RangeInclusive<usize>,
    run: fn(&Arguments<'_>) -> Answer,
}

impl Helper {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        HELPERS.iter().find(|helper| helper.name == name)
    }
}

const ANY: usize = 64;

static HELPERS: &[Helper] = &[
    Helper { name: "json", usage: "{{json value}}", takes: 1..=1, run: json },
    Helper { name: "xml", usage: "{{xml value}}", takes: 1..=1, run: |given| escaped(given, print::in_xml) },
    Helper { name: "url", usage: "{{url value}}", takes: 1..=1, run: |given| escaped(given, print::percent_encoded) },
    Helper { name: "csv", usage: "{{csv value}}", takes: 1..=1, run: |given| escaped(given, print::in_csv) },
    Helper { name: "date", usage: "{{date time \"%d %B %Y\"}}", takes: 1..=2, run: date },
    Helper { name: "number", usage: "{{number value 2}}", takes: 1..=2, run: number },
    Helper { name: "truncate", usage: "{{truncate text 80}}", takes: 2..=2, run: truncate },
    Helper { name: "join", usage: "{{join list \", \"}}", takes: 1..=2, run: join },
    Helper { name: "default", usage: "{{default value \"-\"}}", takes: 2..=2, run: |given| Ok(default(given)) },
    Helper { name: "eq", usage: "(eq a b)", takes: 2..=2, run: |given| Ok(equal(given).into()) },
    Helper { name: "ne", usage: "(ne a b)", takes: 2..=2, run: |given| Ok((!equal(given)).into()) },
    Helper { name: "lt", usage: "(lt a b)", takes: 2..=2, run: |given| ordered(given, "lt") },
    Helper { name: "gt", usage: "(gt a b)", takes: 2..=2, run: |given| ordered(given, "gt") },
    Helper {
        name: "and",
        usage: "(and a b)",
        takes: 1..=ANY,
        run: |given| Ok(given.iter().all(|v| truthy(*v)).into()),
    },
    Helper { name: "or", usage: "(or a b)", takes: 1..=ANY, run: |given| Ok(given.iter().any(|v| truthy(*v)).into()) },
    Helper { name: "not", usage: "(not a)", takes: 1..=1, run: |given| Ok((!truthy(at(given, 0))).into()) },
    Helper { name: "table", usage: "{{table rows \"column\" \"column\"}}", takes: 1..=ANY, run: table },
    Helper { name: "pluralize", usage: "{{pluralize count \"order\" \"orders\"}}", takes: 2..=3, run: pluralize },
    Helper { name: "lookup", usage: "(lookup list index)", takes: 2..=2, run: |given| Ok(lookup(given)) },
];

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| HELPERS.iter().map(|helper| helper.name).collect());

static ENGINE: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(no_escape);
    for helper in HELPERS {
        engine.register_helper(helper.name, Box::new(Pure(helper)));
    }
    for escape in [Escape::None, Escape::UrlQuery, Escape::Json, Escape::Xml] {
        engine.register_helper(printer(escape), Box::new(Print(Some(escape))));
    }
    engine.register_helper(NEED, Box::new(Print(None)));
    engine
});

/// The names of all helpers, blocks left out.
#[must_use]
pub fn describe_names() -> &'static [&'static str] {
    &NAMES
}

/// The helper behind every printing tag; its name cannot be written in a source.
pub(super) const fn printer(escape: Escape) -> &'static str {
    match escape {
        Escape::None => "#print",
        Escape::UrlQuery => "#print-url",
        Escape::Json => "#print-json",
        Escape::Xml => "#print-xml",
    }
}

/// What is wrong with the constants of a call, so that `check` finds it and not the first caller.
pub(super) fn literal_fault(name: &str, literals: &[Option<&Value>]) -> Option<String> {
    let second = literals.get(1).copied().flatten()?;
    let fault = match name {
        "date" => format::date_format(second).err(),
        "number" => format::decimals(second).err(),
        "truncate" => format::length(second).err(),
        _ => None,
    };
    fault.map(|message| format!("`{name}`: {message}"))
}

/// Renders a rewritten template.
pub(super) fn run(template: &Template, data: Value) -> Result<String, RenderError> {
    let context = Context::from(data);
    let mut state = RenderContext::new(None);
    let mut out = Bounded(String::new());
    match template.render(&ENGINE, &context, &mut state, &mut out) {
        Ok(()) => Ok(out.0),
        Err(error) => Err(in_our_words(&error)),
    }
}

fn in_our_words(error: &EngineError) -> RenderError {
    match error.reason() {
        RenderErrorReason::NestedError(nested) => {
            nested.downcast_ref::<RenderError>().cloned().unwrap_or_else(|| RenderError::Engine(nested.to_string()))
        }
        RenderErrorReason::IOError(_) => RenderError::TooLarge,
        RenderErrorReason::InvalidJsonIndex(name) => RenderError::Missing { path: name.clone() },
        reason => RenderError::Engine(reason.to_string()),
    }
}

fn engine_error(error: RenderError) -> EngineError {
    RenderErrorReason::NestedError(Box::new(error)).into()
}

/// Where the engine writes to; it stops at the limit.
struct Bounded(String);

impl Output for Bounded {
    fn write(&mut self, text: &str) -> Result<(), std::io::Error> {
        print::append(&mut self.0, text).map_err(std::io::Error::other)
    }
}

struct Pure(&'static Helper);

impl HelperDef for Pure {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, EngineError> {
        let arguments: Vec<Option<&Value>> =
            call.params().iter().map(|param| Some(param.value()).filter(|_| !param.is_value_missing())).collect();
        let answer = (self.0.run)(&arguments).map_err(|fault| match fault {
            Fault::TooLarge => RenderError::TooLarge,
            Fault::Message(message) => RenderError::Helper { helper: self.0.name, message },
        });
        answer.map(ScopedJson::Derived).map_err(engine_error)
    }
}

/// Prints its first argument, or with `None` only asks for it. The further arguments are the
/// beginnings of the same path, longest first.
struct Print(Option<Escape>);

impl HelperDef for Print {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let mut beginnings = call.params().iter();
        let Some(subject) = beginnings.next() else {
            return Ok(());
        };
        let value = if subject.is_value_missing() {
            let known = beginnings.find(|beginning| !beginning.is_value_missing());
            if known.is_none_or(|known| !known.value().is_null()) {
                let path = subject.relative_path().cloned().unwrap_or_default();
                return Err(engine_error(RenderError::Missing { path }));
            }
            &Value::Null
        } else {
            subject.value()
        };
        let Some(escape) = self.0 else {
            return Ok(());
        };
        let mut text = String::new();
        print::append_value(&mut text, value, escape).map_err(engine_error)?;
        out.write(&text)?;
        Ok(())
    }
}

fn at<'a>(given: &Arguments<'a>, index: usize) -> Option<&'a Value> {
    given.get(index).copied().flatten().filter(|value| !value.is_null())
}

fn truthy(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.is_truthy(false))
}

fn text(text: String) -> Answer {
    if text.len() > MAX_OUTPUT { Err(Fault::TooLarge) } else { Ok(Value::String(text)) }
}

fn json(given: &Arguments<'_>) -> Answer {
    text(at(given, 0).unwrap_or(&Value::Null).to_string())
}

fn escaped(given: &Arguments<'_>, escape: fn(&str) -> String) -> Answer {
    text(at(given, 0).map(|value| escape(&plain(value))).unwrap_or_default())
}

fn date(given: &Arguments<'_>) -> Answer {
    let Some(time) = at(given, 0) else {
        return Ok(Value::Null);
    };
    let format = at(given, 1).map_or(Ok("%Y-%m-%d"), format::date_format)?;
    text(format::date(time, format)?)
}

fn number(given: &Arguments<'_>) -> Answer {
    let Some(value) = at(given, 0) else {
        return Ok(Value::Null);
    };
    let decimals = at(given, 1).map(format::decimals).transpose()?;
    text(format::number(value, decimals)?)
}

fn truncate(given: &Arguments<'_>) -> Answer {
    let Some(value) = at(given, 0) else {
        return Ok(Value::Null);
    };
    let length = format::length(at(given, 1).unwrap_or(&Value::Null))?;
    text(format::truncate(&plain(value), length))
}

fn join(given: &Arguments<'_>) -> Answer {
    let separator = at(given, 1).map_or_else(|| ", ".to_owned(), plain);
    match at(given, 0) {
        None => Ok(Value::Null),
        Some(Value::Array(list)) => {
            let mut out = String::new();
            for (index, item) in list.iter().enumerate() {
                let separator = if index == 0 { "" } else { separator.as_str() };
                print::append(&mut out, separator).map_err(|_| Fault::TooLarge)?;
                print::append(&mut out, &plain(item)).map_err(|_| Fault::TooLarge)?;
            }
            Ok(Value::String(out))
        }
        Some(single) => text(plain(single)),
    }
}

/// The first value unless it is absent, `null` or an empty string.
fn default(given: &Arguments<'_>) -> Value {
    let chosen = at(given, 0).filter(|value| value.as_str() != Some(""));
    chosen.or(at(given, 1)).cloned().unwrap_or_default()
}

fn equal(given: &Arguments<'_>) -> bool {
    match (at(given, 0), at(given, 1)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())
        }
        (a, b) => a == b,
    }
}

/// Compares two numbers or two strings; an absent value is in no order with anything.
fn ordered(given: &Arguments<'_>, name: &str) -> Answer {
    let (Some(a), Some(b)) = (at(given, 0), at(given, 1)) else {
        return Ok(false.into());
    };
    let order = match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64().partial_cmp(&b.as_f64()),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => {
            return Err(Fault::Message("compares two numbers or two strings".to_owned()));
        }
    };
    let wanted = if name == "lt" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
    Ok((order == Some(wanted)).into())
}

fn table(given: &Arguments<'_>) -> Answer {
    let columns: Vec<String> = given.iter().skip(1).map(|v| v.map_or_else(String::new, plain)).collect();
    match at(given, 0) {
        None => Ok(Value::Null),
        Some(Value::Array(rows)) => render_table(rows, &columns).map(Value::String).ok_or(Fault::TooLarge),
        Some(single) => {
            let rows = std::slice::from_ref(single);
            render_table(rows, &columns).map(Value::String).ok_or(Fault::TooLarge)
        }
    }
}

fn pluralize(given: &Arguments<'_>) -> Answer {
    let count = match at(given, 0) {
        Some(Value::Array(list)) => Some(Value::from(list.len())),
        other => other.cloned(),
    };
    let one = count.is_some_and(|count| equal(&[Some(&count), Some(&Value::from(1))]) || count == "1");
    let singular = at(given, 1).map(plain).unwrap_or_default();
    match (one, at(given, 2)) {
        (true, _) => text(singular),
        (false, Some(plural)) => text(plain(plural)),
        (false, None) => text(format!("{singular}s")),
    }
}

fn lookup(given: &Arguments<'_>) -> Value {
    let (Some(holder), Some(key)) = (at(given, 0), at(given, 1)) else {
        return Value::Null;
    };
    let key = plain(key);
    let found = match holder {
        Value::Object(map) => map.get(&key),
        Value::Array(list) => key.parse().ok().and_then(|at: usize| list.get(at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    found.cloned().unwrap_or_default()
}
