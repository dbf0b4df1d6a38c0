//! Floor 9. What is not as a test expects it: the result, and what the sources were asked.

use serde_json::Value;
use url::Url;

use super::super::door;
use crate::{
    plan::test::{Expected, ExpectedBody, ExpectedRequest, Test},
    upstream::{Asked, Tape},
};

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What it is about, in words without a full stop.
    pub(super) what: String,
    /// What was expected, and what was found.
    pub(super) texts: Option<(String, String)>,
}

impl Fault {
    /// One that is told in words only.
    pub(super) fn told(what: impl Into<String>) -> Self {
        Self { what: what.into(), texts: None }
    }

    fn differs(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), texts: Some((expected.into(), found.into())) }
    }
}

/// All that is not as expected.
pub(super) fn faults(test: &Test, result: &Value, tape: &Tape) -> Vec<Fault> {
    let mut faults = Vec::new();
    for asked in tape.unanswered() {
        faults.push(Fault::told(format!("no answer is left for {}", in_short(&asked))));
    }
    of_result(&test.expected, result, &mut faults);
    if let Some(requests) = &test.requests {
        of_requests(requests, &tape.asked(), &mut faults);
    }
    match tape.left() {
        0 => {}
        1 => faults.push(Fault::told("one answer of `upstream` was not asked for")),
        left => faults.push(Fault::told(format!("{left} answers of `upstream` were not asked for"))),
    }
    faults
}

fn of_result(expected: &Expected, result: &Value, faults: &mut Vec<Fault>) {
    let text = door::text(result);
    let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    if is_error != expected.error {
        let what = if is_error { "the result is an error" } else { "the result is no error" };
        faults.push(Fault::told(format!("{what}: {}", text.trim_end())));
    }
    if let Some(whole) = &expected.text
        && whole.trim_end() != text.trim_end()
    {
        faults.push(Fault::differs("the text is another", whole.trim_end(), text.trim_end()));
    }
    for part in expected.contains.iter().filter(|part| !text.contains(part.as_str())) {
        faults.push(Fault::differs("the text lacks a part", part.as_str(), text.trim_end()));
    }
    let structured = result.get("structuredContent");
    if let Some(whole) = &expected.structured {
        match structured {
            Some(found) if alike(whole, found) => {}
            Some(found) => {
                faults.push(Fault::differs("the structured content is another", pretty(whole), pretty(found)));
            }
            None => faults.push(Fault::told("the result has no structured content")),
        }
    }
    if expected.values.is_empty() {
        return;
    }
    let Some(root) = structured.cloned().or_else(|| serde_json::from_str(&text).ok()) else {
        return faults.push(Fault::told("the result has no structured content, and its text is no JSON"));
    };
    for expected in &expected.values {
        let place = &expected.source;
        match expected.path.value(&root) {
            Some(found) if alike(&expected.value, &found) => {}
            Some(found) => {
                let what = format!("another value stands at {place}");
                faults.push(Fault::differs(what, pretty(&expected.value), pretty(&found)));
            }
            None => {
                let what = format!("nothing stands at {place}");
                faults.push(Fault::differs(what, pretty(&expected.value), pretty(&root)));
            }
        }
    }
}

fn of_requests(expected: &[ExpectedRequest], asked: &[Asked], faults: &mut Vec<Fault>) {
    if expected.len() != asked.len() {
        let found: Vec<_> = asked.iter().map(in_short).collect();
        let what = format!("{} asked for, and {} expected", counted(asked.len()), expected.len());
        faults.push(match found.as_slice() {
            [] => Fault::told(what),
            found => Fault::told(format!("{what}:\n{}", found.join("\n"))),
        });
    }
    for (at, (expected, asked)) in expected.iter().zip(asked).enumerate() {
        let which = match expected_of_many(asked, at) {
            Some(which) => which,
            None => "the request".to_owned(),
        };
        match asked {
            Asked::Request { .. } => of_request(expected, asked, &which, faults),
            Asked::Statement { sql, values } => {
                let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(wanted) = expected.sql.as_ref().filter(|wanted| **wanted != sql) {
                    faults.push(Fault::differs(format!("{which} has another text"), wanted, sql));
                }
                let found = Value::Array(values.clone());
                if let Some(wanted) = expected.values.clone().map(Value::Array)
                    && !alike(&wanted, &found)
                {
                    faults.push(Fault::differs(format!("{which} has other values"), pretty(&wanted), pretty(&found)));
                }
                let of_request = expected.method.is_some() || expected.url.is_some() || expected.body.is_some();
                if of_request || expected.query.is_some() || !expected.headers.is_empty() {
                    faults.push(Fault::told(format!("a request was expected, and {which} is a statement")));
                }
            }
        }
    }
}

/// How one of several is called.
fn expected_of_many(asked: &Asked, at: usize) -> Option<String> {
    match (asked, at) {
        (Asked::Request { .. }, 0) => None,
        (Asked::Request { .. }, at) => Some(format!("request {}", at + 1)),
        (Asked::Statement { .. }, 0) => Some("the statement".into()),
        (Asked::Statement { .. }, at) => Some(format!("statement {}", at + 1)),
    }
}

fn of_request(expected: &ExpectedRequest, asked: &Asked, which: &str, faults: &mut Vec<Fault>) {
    let Asked::Request { method, url, headers, body } = asked else { return };
    let mut differs = |what: &str, wanted: &str, found: &str| {
        if wanted != found {
            faults.push(Fault::differs(format!("{which} has another {what}"), wanted, found));
        }
    };
    if let Some(wanted) = &expected.method {
        differs("method", wanted, method);
    }
    let parsed = Url::parse(url).ok();
    if let Some(wanted) = &expected.url {
        differs("address", wanted, &shown(url, parsed.as_ref(), expected));
    }
    if let Some(wanted) = &expected.query {
        let found = parsed.iter().flat_map(|url| url.query_pairs().into_owned()).collect();
        differs("query", &lines(wanted.clone()), &lines(found));
    }
    for (name, wanted) in &expected.headers {
        let found = headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
        differs(&format!("`{name}`"), wanted, found);
    }
    let bytes = body.as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    match &expected.body {
        None => {}
        Some(ExpectedBody::Text(wanted)) => differs("body", wanted.trim_end(), text.trim_end()),
        Some(ExpectedBody::Form(wanted)) => {
            differs("form", &lines(wanted.clone()), &lines(url::form_urlencoded::parse(bytes).into_owned().collect()));
        }
        Some(ExpectedBody::Json(wanted)) => match serde_json::from_slice::<Value>(bytes) {
            Ok(found) if alike(wanted, &found) => {}
            Ok(found) => differs("body", &pretty(wanted), &pretty(&found)),
            Err(_) => differs("body", &pretty(wanted), &text),
        },
    }
    if expected.sql.is_some() || expected.values.is_some() {
        faults.push(Fault::told(format!("a statement was expected, and {which} goes to an API")));
    }
}

/// As much of an address as the test names.
fn shown(url: &str, parsed: Option<&Url>, expected: &ExpectedRequest) -> String {
    let whole = expected.url.as_ref().is_some_and(|wanted| wanted.contains("://"));
    let Some(parsed) = parsed else { return url.to_owned() };
    let mut parsed = parsed.clone();
    if expected.query.is_some() {
        parsed.set_query(None);
    }
    if whole {
        return parsed.into();
    }
    match parsed.query() {
        Some(query) => format!("{}?{query}", parsed.path()),
        None => parsed.path().to_owned(),
    }
}

/// Names and values, a line each, in the order of the names.
fn lines(mut pairs: Vec<(String, String)>) -> String {
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

fn counted(number: usize) -> String {
    match number {
        0 => "nothing was".into(),
        1 => "one request was".into(),
        more => format!("{more} requests were"),
    }
}

fn in_short(asked: &Asked) -> String {
    match asked {
        Asked::Request { method, url, .. } => format!("{method} {url}"),
        Asked::Statement { sql, .. } => sql.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// Whether two values are the same; numbers are compared by what they are worth.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|found| alike(value, found)))
        }
        _ => one == other,
    }
}

/// A value over several lines, its members in the order of their names: what differs is then what is another.
fn pretty(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut all: Vec<_> = members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
                all.sort_by(|one, other| one.0.cmp(&other.0));
                Value::Object(all.into_iter().collect())
            }
            Value::Array(all) => all.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    // Every value can be printed.
    serde_json::to_string_pretty(&sorted(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_alike_when_they_are_worth_the_same() {
        for (one, other, same) in [
            (json!(1), json!(1.0), true),
            (json!({ "a": 1, "b": [2.0] }), json!({ "b": [2], "a": 1 }), true),
            (json!([1, 2]), json!([2, 1]), false),
            (json!({ "a": 1 }), json!({ "a": 1, "b": null }), false),
            (json!("1"), json!(1), false),
            (json!(null), json!(false), false),
        ] {
            assert_eq!(alike(&one, &other), same, "{one} {other}");
        }
    }
}
