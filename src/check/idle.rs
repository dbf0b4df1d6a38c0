//! Floor 4. Keys of a REST request that nothing would ever act on: words for a status that is no
//! error, values out of a text, the content of an answer that has none.

use super::context::Context;
use crate::{
    bridge::{Output, Parse, Parsing, RestOperation},
    diag::{Code, Diagnostic},
    plan::rest::{Method, StatusRange},
    yaml::Pointer,
};

/// Refuses words for statuses that are no errors.
pub(super) fn words(
    (operation, success): (&RestOperation, &[StatusRange]),
    (key, range): (&str, StatusRange),
    at: &Pointer,
    context: &mut Context<'_>,
) {
    // Either finds errors among answers whose status is none.
    let looks_further = operation.error_when.is_some() || operation.graphql.is_some();
    if looks_further || !success.iter().any(|fine| fine.first <= range.first && range.last <= fine.last) {
        return;
    }
    let fault = Diagnostic::error(Code::NeverSaid, context.key(at), format!("`{key}` is no error here"));
    context.push(fault.help("say with `error_when` which of these answers are errors all the same"));
}

/// Refuses what looks for values in an answer that is one text.
pub(super) fn values(parse: Option<&Parsing>, output: Option<&Output>, at: &Pointer, context: &mut Context<'_>) {
    let (Some(Parsing::As(parse @ (Parse::Text | Parse::Html))), Some(output)) = (parse, output) else { return };
    let word = if *parse == Parse::Text { "text" } else { "html" };
    for (key, _) in shaping(output).into_iter().filter(|(_, present)| *present) {
        let message = format!("`{key}` is for values, and with `parse: {word}` the answer is one text");
        context.push(Diagnostic::error(Code::Reading, context.key(&at.at(key)), message));
    }
}

/// Refuses what is for the content of an answer, where there is none.
pub(super) fn content(method: Method, operation: &RestOperation, at: &Pointer, context: &mut Context<'_>) {
    if method != Method::Head {
        return;
    }
    for (key, present) in [("parse", operation.parse.is_some()), ("error_when", operation.error_when.is_some())] {
        if present {
            let message = format!("`{key}` is for content, and a HEAD request is answered without any");
            context.push(Diagnostic::error(Code::Reading, context.key(&at.at(key)), message));
        }
    }
}

const fn shaping(output: &Output) -> [(&'static str, bool); 5] {
    [
        ("select", output.select.is_some()),
        ("zip", matches!(output.zip, Some(true))),
        ("fields", output.fields.is_some()),
        ("max_items", output.max_items.is_some()),
        ("redact", !output.redact.is_empty()),
    ]
}
