//! Floor 4. How answers are read, and which of them are errors although their status is none.

use serde_json::Value;

use super::{context::Context, templates};
use crate::{
    bridge::{CsvReading, Output as WrittenOutput, Parse as Written, ParseWith, Parsing, RestOperation},
    diag::{Code, Diagnostic},
    document::{CsvForm, XmlForm},
    plan::{
        SentAs,
        rest::{ErrorTest, ErrorWhen, Parse, Request},
    },
    yaml::Pointer,
};

/// How the answers of an operation are read.
pub(super) fn parse(written: Option<&Parsing>, at: &Pointer, context: &mut Context<'_>) -> Parse {
    match written {
        None | Some(Parsing::As(Written::Auto) | Parsing::With(ParseWith { xml: None, csv: None })) => Parse::Auto,
        Some(Parsing::As(Written::Json)) => Parse::Json,
        Some(Parsing::As(Written::Text)) => Parse::Text,
        Some(Parsing::As(Written::Xml)) => Parse::Xml(XmlForm::default()),
        Some(Parsing::As(Written::Csv)) => Parse::Csv(CsvForm::default()),
        Some(Parsing::As(Written::Ndjson)) => Parse::Lines,
        Some(Parsing::As(Written::Html)) => Parse::Html,
        Some(Parsing::As(Written::Binary)) => Parse::Binary,
        Some(Parsing::With(ParseWith { xml: Some(xml), .. })) => Parse::Xml(XmlForm { lists: xml.lists.clone() }),
        Some(Parsing::With(ParseWith { csv: Some(csv), .. })) => Parse::Csv(csv_form(csv, &at.at("csv"), context)),
    }
}

fn csv_form(written: &CsvReading, at: &Pointer, context: &mut Context<'_>) -> CsvForm {
    let delimiter = match written.delimiter.as_deref() {
        None => b',',
        Some("tab") => b'\t',
        Some(text) => match text.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => {
                *byte
            }
            _ => {
                let span = context.value(&at.at("delimiter"));
                let fault = Diagnostic::error(Code::Reading, span, "this cannot stand between values");
                context.push(fault.help("write one character such as `;` or `|`, or `tab`"));
                b','
            }
        },
    };
    let columns = written.columns.clone();
    let twice = |names: &Vec<String>| {
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|it| it == *name)).map(|(at, _)| at)
    };
    if let Some(index) = columns.as_ref().and_then(twice) {
        context.fault(Code::Reading, &at.at("columns").at(index), "two columns have this name");
    }
    CsvForm { delimiter, columns }
}

/// What makes an answer an error although its status is none. `None` after a fault.
pub(super) fn error_when(operation: &RestOperation, at: &Pointer, context: &mut Context<'_>) -> Option<ErrorWhen> {
    let written = operation.error_when.as_ref()?;
    let at = at.at("error_when");
    let path = templates::path(&written.select, &at.at("select"), context);
    let test = match (&written.equals, written.exists) {
        (Some(value), None) => match value {
            Value::Array(_) | Value::Object(_) => {
                context.fault(Code::ErrorWhen, &at.at("equals"), "`equals` is one text, number, boolean or null");
                return None;
            }
            value => ErrorTest::Equals(value.clone()),
        },
        (None, Some(true)) => ErrorTest::Exists,
        (None, Some(false)) => ErrorTest::Absent,
        (None, None) if context.has(&at.at("equals")) => ErrorTest::Equals(Value::Null),
        (None, None) => {
            let fault =
                Diagnostic::error(Code::ErrorWhen, context.key(&at), "`error_when` does not say what means an error");
            context.push(fault.help("add `equals: VALUE` or `exists: true`"));
            return None;
        }
        (Some(_), Some(_)) => {
            let span = context.key(&at.at("exists"));
            context.push(Diagnostic::error(Code::ErrorWhen, span, "`exists` cannot stand beside `equals`"));
            return None;
        }
    };
    Some(ErrorWhen { path: path?, test })
}

/// Settles how a tool's answers are read together with what they are sent as: bytes that are
/// shown as they come are neither parsed nor shaped.
pub(super) fn settle(
    request: &mut Request,
    (written, sent_as): (Option<&WrittenOutput>, SentAs),
    tool: &Pointer,
    context: &mut Context<'_>,
) {
    let shown = matches!(sent_as, SentAs::Image | SentAs::Audio | SentAs::File);
    if shown && !matches!(request.parse, Parse::Auto | Parse::Binary) {
        let message = "an answer that is sent as it comes is not parsed";
        let span = context.value(&tool.at("rest").at("parse"));
        context
            .push(Diagnostic::error(Code::Sending, span, message).help("leave `parse` out, or write `parse: binary`"));
    }
    if !shown && request.parse != Parse::Binary {
        return;
    }
    request.parse = Parse::Binary;
    let Some(written) = written else { return };
    let shaping = [
        ("select", written.select.is_some()),
        ("zip", written.zip == Some(true)),
        ("fields", written.fields.is_some()),
        ("format", written.format.is_some()),
        ("template", written.template.is_some()),
        ("schema", written.schema.is_some()),
        ("structured", written.structured == Some(true)),
        ("max_items", written.max_items.is_some()),
        ("redact", !written.redact.is_empty()),
    ];
    for (key, _) in shaping.into_iter().filter(|(_, present)| *present) {
        let span = context.key(&tool.at("output").at(key));
        let message = format!("`{key}` is for values, and this answer is sent as it comes");
        context.push(Diagnostic::error(Code::Sending, span, message));
    }
}
