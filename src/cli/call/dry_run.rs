//! Floor 9. `call --dry-run`: the exact request, or the statement with its values, on paper.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    super::{Exit, report},
    CallerLines,
};
use crate::{
    engine::{Call, Preview, Principal, Silent, Tally, consent, preview},
    plan::{Plan, Tool},
    upstream::{rest, sql},
};

pub(super) fn run(plan: &Plan, tool: &Tool, (given, principal, headers): (&Value, &Principal, &CallerLines)) -> Exit {
    let arguments = given.to_string();
    let tally = Tally::new();
    let call = Call { tool, arguments: Some(&arguments), principal, headers, request: 1, peer: &Silent, tally: &tally };
    // Whatever keeps the sentence from being made keeps the call from being shown, too.
    if let Ok(Some(sentence)) = consent(&call) {
        report::tell(&format!("asks first: {sentence}"));
    }
    match preview(plan, &call) {
        Ok(Preview::Request(request)) => report::show(&of_request(&request)),
        Ok(Preview::Statement(statement)) => report::show(&of_statement(&statement)),
        Ok(Preview::Transaction(statements)) => report::show(&of_statements(&statements)),
        Ok(Preview::Nothing) => report::show("The tool answers by itself: nothing would be sent."),
        Ok(Preview::Steps(steps)) => {
            let steps = steps.join(", ");
            report::tell(&format!("error: `{}` runs several steps ({steps})", tool.name));
            report::tell("  help: each depends on the results before it, so there is nothing to show without sending");
            return Exit::CouldNotRun;
        }
        Err(error) => {
            report::show(error.public());
            return Exit::Faulty;
        }
    }
    Exit::Fine
}

/// A request as HTTP/1.1 writes it. What is not text is told by its size.
fn of_request(request: &rest::Preview) -> String {
    // Writing to a String cannot fail, here and below.
    let mut text = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    if let Some(body) = &request.body {
        match std::str::from_utf8(body) {
            Ok(body) => {
                let _ = write!(text, "\n{body}");
            }
            Err(_) => {
                let _ = write!(text, "\n[{} bytes that are not text]", body.len());
            }
        }
    }
    if request.is_page {
        text.push_str("\n(the first of several pages; what asks for a page is added to the address)");
    }
    text
}

fn of_statement(statement: &sql::Preview) -> String {
    let mut text = format!("{}\n", statement.sql.trim_end());
    for (at, bound) in statement.values.iter().enumerate() {
        let _ = match bound.kind {
            "later" => write!(text, "\n{:>3}  from `{}`, when that statement has run", at + 1, bound.param),
            kind => write!(text, "\n{:>3}  {kind:<8} {}  from `{}`", at + 1, bound.value, bound.param),
        };
    }
    text
}

/// The statements of a transaction, each as if it ran alone.
fn of_statements(statements: &[sql::Preview]) -> String {
    let each = statements.iter().enumerate().map(|(at, it)| format!("-- {}\n{}", at + 1, of_statement(it)));
    each.collect::<Vec<_>>().join("\n\n")
}
