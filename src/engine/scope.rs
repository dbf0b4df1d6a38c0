//! Floor 6. What templates of one call can name.

use std::borrow::Cow;

use chrono::{SecondsFormat, Utc};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::Principal;
use crate::template::Scope;

/// The variables of one call.
#[derive(Clone, Copy)]
pub(super) struct CallScope<'a> {
    /// Checked arguments, and what the server bound.
    pub(super) arguments: &'a Map<String, Value>,
    /// Every declared param, given or not.
    pub(super) declared: &'a [String],
    /// Params that `args` leaves out.
    pub(super) placed: &'a [String],
    pub(super) principal: &'a Principal,
    pub(super) request: u64,
    /// The results of the steps so far, by name; `None` in a tool of one call.
    pub(super) steps: Option<&'a Value>,
    /// What is known of the result.
    pub(super) result: Known<'a>,
    /// The answers to the questions so far, by name.
    pub(super) answers: Option<&'a Value>,
}

/// What is known of the result.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    /// Nothing yet.
    Nothing,
    /// A REST answer that is an error.
    Failure { status: u16, body: &'a Value },
    /// A REST answer.
    Rest { status: u16, headers: &'a HeaderMap, body: &'a Value },
    /// SQL rows, or the one row.
    Sql { rows: &'a Value },
    /// The results of all steps, as the output of the tool has shaped them.
    Steps { body: &'a Value },
}

impl Scope for CallScope<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some(value) = self.arguments.get(name) {
            return Some(Cow::Borrowed(value));
        }
        if self.declared.iter().any(|param| param == name) {
            // A param that was not given hides what else has its name.
            return None;
        }
        match (name, self.result) {
            ("caller", _) => Some(Cow::Borrowed(self.principal.value())),
            ("args", _) => {
                let rest = self.arguments.iter().filter(|(name, _)| !self.placed.contains(name));
                Some(Cow::Owned(rest.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
            ("answers", _) => self.answers.map(Cow::Borrowed),
            ("now", _) => Some(Cow::Owned(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true).into())),
            ("request", _) => Some(Cow::Owned(json!({ "id": self.request.to_string() }))),
            ("status", Known::Failure { status, .. } | Known::Rest { status, .. }) => Some(Cow::Owned(status.into())),
            ("steps", _) => self.steps.map(Cow::Borrowed),
            ("headers", Known::Rest { headers, .. }) => Some(Cow::Owned(named(headers))),
            ("body", Known::Failure { body, .. } | Known::Rest { body, .. } | Known::Steps { body }) => {
                Some(Cow::Borrowed(body))
            }
            ("rows", Known::Sql { rows }) => Some(Cow::Borrowed(rows)),
            ("row", Known::Sql { rows }) => match rows {
                Value::Array(all) => all.first().map(Cow::Borrowed),
                one => Some(Cow::Borrowed(one)),
            },
            _ => None,
        }
    }
}

/// Headers by their lower-case names. Cookies are the API's own business.
fn named(headers: &HeaderMap) -> Value {
    let told = headers.iter().filter(|(name, _)| *name != http::header::SET_COOKIE);
    let told = told.filter_map(|(name, value)| Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?))));
    Value::Object(told.collect())
}
