//! Floor 6. From what a source answered to what the model reads: one shaped value feeds the
//! text, the structured content and, through `check`, the output schema.

use std::{borrow::Cow, io::Write as _};

use bytes::Bytes;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    CallError, ErrorClass, Outcome, answer, cut,
    outcome::Body,
    render,
    scope::{CallScope, Known},
    streamed,
};
use crate::{
    plan::{Output, Query, Structured, TextForm, Transaction, Zip, sql::Returns},
    select,
    template::RenderError,
    upstream::{
        rest::{Answer as RestAnswer, ContentKind},
        sql::Answer as SqlAnswer,
    },
};

/// Shapes a REST answer that is not an error.
pub(super) fn rest(output: &Output, mut answer: Box<RestAnswer>, scope: &CallScope<'_>) -> Result<Outcome, CallError> {
    match answer.kind {
        ContentKind::Json if output.passes_on() && answer.body.len() <= output.max_bytes => {
            return if is_framed(&answer.body) {
                Ok(Outcome::fine(Body::Document(answer.body)))
            } else {
                Err(answer::not("JSON"))
            };
        }
        ContentKind::Empty
            if output.structured == Structured::Left && !matches!(output.text, TextForm::Template(_)) =>
        {
            return Ok(Outcome::fine(Body::Text(answer::done(&answer))));
        }
        ContentKind::Text | ContentKind::Html if output.select.is_some() || output.fields.is_some() => {
            return Err(answer::not("JSON"));
        }
        // Text is shown as it is, without the quotes that JSON would put around it.
        ContentKind::Text | ContentKind::Html if output.shows_text() => {
            let text = answer.text();
            let page = answer.kind == ContentKind::Html;
            let mut text = if page { select::html_to_text(&text) } else { text.into_owned() };
            cut::text(&mut text, output.max_bytes);
            return Ok(Outcome::fine(Body::Text(text)));
        }
        ContentKind::Binary if output.select.is_none() && output.fields.is_none() => {
            return Ok(answer::file(output.content, &answer));
        }
        _ => {}
    }
    let (value, cut) = match streamed::run(output, &answer) {
        Some(streamed) => match streamed::printed(output, &streamed)? {
            Some(body) => return Ok(Outcome::fine(body)),
            None => streamed::value(&streamed)?,
        },
        None => kept(output, answer::value(&answer)?)?,
    };
    let (status, headers) = (answer.status, std::mem::take(&mut answer.headers));
    drop(answer);
    let inner = CallScope { result: Known::Rest { status, headers: &headers, body: &value }, ..*scope };
    finish(output, &value, cut, &inner)
}

/// What a step got from a REST source, as a value.
pub(super) fn rest_step(output: &Output, answer: &RestAnswer) -> Result<Value, CallError> {
    match streamed::run(output, answer) {
        Some(streamed) => Ok(streamed::value(&streamed)?.0),
        None => Ok(kept(output, answer::value(answer)?)?.0),
    }
}

/// What a step got from a database, as a value: the list of rows, the row, the one value, or how many were
/// affected. Null where a row or a value was wanted and none was found.
pub(super) fn sql_step(query: &Query, output: &Output, answer: SqlAnswer) -> Result<Value, CallError> {
    let answer = blotted(output, answer)?;
    let value = match (query.returns, rows_value(query.returns, &answer)?) {
        (Returns::Row | Returns::Value, _) if answer.row_count == 0 => Value::Null,
        (Returns::Value, Value::Object(mut members)) => members.remove("result").unwrap_or_default(),
        (_, value) => value,
    };
    Ok(kept(output, value)?.0)
}

/// Shapes the results of a transaction.
pub(super) fn transaction(
    transaction: &Transaction,
    output: &Output,
    answers: Vec<SqlAnswer>,
    scope: &CallScope<'_>,
) -> Result<Outcome, CallError> {
    let object = Bytes::from(results(transaction, answers));
    let plain =
        output.select.is_none() && output.fields.is_none() && output.zip == Zip::No && output.max_items.is_none();
    if plain && output.redact.is_empty() && matches!(output.text, TextForm::Json) {
        return Ok(Outcome::fine(match output.structured {
            Structured::Sent => Body::Structured(object),
            Structured::Left => Body::Document(object),
        }));
    }
    let (value, cut) = kept(output, serde_json::from_slice(&object).map_err(|error| unreadable(&error))?)?;
    let inner = CallScope { result: Known::Steps { body: &value }, ..*scope };
    finish(output, &value, cut, &inner)
}

/// What a step got from a transaction, as a value.
pub(super) fn transaction_step(
    transaction: &Transaction,
    output: &Output,
    answers: Vec<SqlAnswer>,
) -> Result<Value, CallError> {
    let object = results(transaction, answers);
    Ok(kept(output, serde_json::from_slice(&object).map_err(|error| unreadable(&error))?)?.0)
}

/// The results of the statements that have names; where none has one, how many rows all of them affected.
fn results(transaction: &Transaction, answers: Vec<SqlAnswer>) -> Vec<u8> {
    let affected: u64 = answers.iter().filter_map(|answer| answer.affected).sum();
    let mut out = Vec::new();
    for (part, answer) in transaction.parts.iter().zip(answers) {
        let Some(name) = &part.name else { continue };
        // Names are identifiers, so they stand in quotes as they are.
        out.extend_from_slice(format!("{}\"{name}\":", if out.is_empty() { '{' } else { ',' }).as_bytes());
        out.extend_from_slice(&sql_object(part.query.returns, answer));
    }
    if out.is_empty() {
        return format!("{{\"affected\":{affected}}}").into_bytes();
    }
    out.push(b'}');
    out
}

/// Shapes the results of all steps.
pub(super) fn steps(output: &Output, results: &Value, scope: &CallScope<'_>) -> Result<Outcome, CallError> {
    let (value, cut) = kept(output, results.clone())?;
    let inner = CallScope { result: Known::Steps { body: &value }, steps: Some(results), ..*scope };
    finish(output, &value, cut, &inner)
}

/// Whether a body that is passed on without being parsed at least begins and ends as JSON does:
/// a page or a torn answer must not pass for a result.
fn is_framed(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let fits = matches!(
        body.first().zip(body.last()),
        Some(
            (b'{', b'}')
                | (b'[', b']')
                | (b'"', b'"')
                | (b'-' | b'0'..=b'9', b'0'..=b'9')
                | (b't' | b'f', b'e')
                | (b'n', b'l')
        )
    );
    fits && std::str::from_utf8(body).is_ok()
}

/// Blots out, selects, projects and cuts to the number of items.
fn kept(output: &Output, mut body: Value) -> Result<(Value, Option<cut::Cut>), CallError> {
    redact(output, &mut body)?;
    let mut value = match &output.select {
        Some(path) => path.value(&body).unwrap_or(Value::Null),
        None => body,
    };
    if output.zip == Zip::Yes {
        value = match select::zip(&value) {
            Some(zipped) => zipped,
            None if value.is_null() => json!([]),
            None if value.is_array() => value,
            // No lists of one length: the schema promises a list all the same.
            None => json!([value]),
        };
    }
    let cut = output.max_items.and_then(|max| cut::items(&mut value, max));
    if let Some(fields) = &output.fields {
        value = match value {
            Value::Array(items) => Value::Array(items.iter().map(|item| fields.apply(item)).collect()),
            one => fields.apply(&one),
        };
    }
    Ok((value, cut))
}

/// Blots out what the author wants nobody to see. What cannot be searched is not shown.
fn redact(output: &Output, value: &mut Value) -> Result<(), CallError> {
    for path in &output.redact {
        path.blot(value).map_err(|error| {
            let told = "The answer is too large to be searched for what must not be shown.";
            CallError::new(ErrorClass::TooLarge, told).caused_by(error.to_string())
        })?;
    }
    Ok(())
}

/// The text and, where a schema promises it, the structured content.
fn finish(output: &Output, value: &Value, cut: Option<cut::Cut>, scope: &CallScope<'_>) -> Result<Outcome, CallError> {
    if let (Structured::Left, TextForm::Template(_)) = (output.structured, &output.text) {
        // Only what the template prints is sent.
        return Ok(Outcome::fine(Body::Text(text(output, value, cut, scope))));
    }
    let (value, cut) = bounded(value, cut, output.max_bytes)?;
    if let Some(contract) = &output.contract
        && !contract.accepts(&object(&value, None))
    {
        return Err(unpromised(&render::json(&value, cut)));
    }
    let structured = || Bytes::from(printed(&object(&value, cut)));
    if output.structured == Structured::Sent && matches!(output.text, TextForm::Json) {
        return Ok(Outcome::fine(Body::Structured(structured())));
    }
    let text = text(output, &value, cut, scope);
    Ok(Outcome::fine(match output.structured {
        Structured::Sent => Body::Both { text, structured: structured() },
        Structured::Left => Body::Text(text),
    }))
}

/// A result that its schema does not allow.
#[cold]
pub(super) fn unpromised(shown: &str) -> CallError {
    let message = "The answer does not have the form that this tool promises. This is what came: ";
    CallError::new(ErrorClass::Upstream, format!("{message}{shown}"))
}

fn text(output: &Output, value: &Value, cut: Option<cut::Cut>, scope: &CallScope<'_>) -> String {
    let mut text = match &output.text {
        TextForm::Template(template) => match template.render(scope) {
            Ok(text) => text,
            // What was asked for has happened: a template at fault must not make the model ask again.
            Err(error) => format!("{}\n(The template of this tool failed: {error})", render::json(value, cut)),
        },
        TextForm::Json => render::json(value, cut),
        TextForm::Yaml => render::yaml(value, cut),
        TextForm::Table => render::table(value, cut),
        TextForm::Csv => render::csv(value, cut),
        TextForm::Columnar => render::columnar(value, cut, output.max_bytes),
        TextForm::Text => render::text(value, cut),
    };
    cut::text(&mut text, output.max_bytes);
    text
}

type Bounded<'v> = (Cow<'v, Value>, Option<cut::Cut>);

fn bounded(value: &Value, cut: Option<cut::Cut>, max: usize) -> Result<Bounded<'_>, CallError> {
    // The note about what was left out needs room too.
    let room = max.saturating_sub(cut::NOTE_ROOM);
    if cut::printed(value) <= room {
        return Ok((Cow::Borrowed(value), cut));
    }
    if let Value::String(text) = value {
        let mut text = text.clone();
        cut::text(&mut text, room);
        return Ok((Cow::Owned(Value::String(text)), cut));
    }
    let mut shorter = value.clone();
    match cut::bytes(&mut shorter, room) {
        Ok(by_size) => {
            let cut = by_size.map(|it| cut::Cut { shown: it.shown, of: cut.map_or(it.of, |first| first.of) }).or(cut);
            Ok((Cow::Owned(shorter), cut))
        }
        Err(cut::TooLong) => Err(CallError::new(
            ErrorClass::TooLarge,
            format!("The result is longer than {max} bytes and holds no list that could be cut. Narrow the request."),
        )),
    }
}

/// Structured content is always an object (protocol.md T-12).
fn object(value: &Value, cut: Option<cut::Cut>) -> Value {
    let mut object = match value {
        Value::Object(members) => members.clone(),
        Value::Array(_) => Map::from_iter([("items".to_owned(), value.clone())]),
        _ => Map::from_iter([("result".to_owned(), value.clone())]),
    };
    if let Some(cut) = cut {
        object.insert("truncated".into(), cut.note());
    }
    Value::Object(object)
}

fn printed(value: &Value) -> Vec<u8> {
    // Every value can be printed.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Shapes SQL rows.
pub(super) fn sql(
    query: &Query,
    output: &Output,
    answer: SqlAnswer,
    scope: &CallScope<'_>,
) -> Result<Outcome, CallError> {
    let answer = blotted(output, answer)?;
    if answer.row_count == 0
        && matches!(query.returns, Returns::Row | Returns::Value)
        && let Some(text) = &query.not_found
    {
        let text = text.render(scope).map_err(|error| template_failed(&error))?;
        return Err(CallError::new(ErrorClass::Missing, text));
    }
    let plain =
        output.select.is_none() && output.fields.is_none() && output.zip == Zip::No && output.max_items.is_none();
    if plain && matches!(output.text, TextForm::Json) {
        let object = Bytes::from(sql_object(query.returns, answer));
        return Ok(Outcome::fine(match output.structured {
            Structured::Sent => Body::Structured(object),
            Structured::Left => Body::Document(object),
        }));
    }
    let rows = rows_value(query.returns, &answer)?;
    let cut = answer.cut.map(|_| cut::Cut { shown: answer.row_count, of: answer.row_count + 1 });
    if plain {
        // The text has a form of its own; the structured content stays the rows.
        return Ok(sql_text(query, output, (&rows, answer), scope));
    }
    let (value, by_items) = kept(output, rows)?;
    let inner = CallScope { result: Known::Sql { rows: &value }, ..*scope };
    finish(output, &value, by_items.or(cut), &inner)
}

/// Rows without what must not be shown: paths start at their list.
fn blotted(output: &Output, answer: SqlAnswer) -> Result<SqlAnswer, CallError> {
    if output.redact.is_empty() {
        return Ok(answer);
    }
    let mut rows = rows_value(Returns::Rows, &answer)?;
    redact(output, &mut rows)?;
    Ok(SqlAnswer { rows: printed(&rows), ..answer })
}

fn sql_text(query: &Query, output: &Output, (rows, answer): (&Value, SqlAnswer), scope: &CallScope<'_>) -> Outcome {
    let inner = CallScope { result: Known::Sql { rows }, ..*scope };
    let cut = answer.cut.map(|_| cut::Cut { shown: answer.row_count, of: answer.row_count + 1 });
    let text = text(output, rows, cut, &inner);
    Outcome::fine(match output.structured {
        Structured::Sent => Body::Both { text, structured: sql_object(query.returns, answer).into() },
        Structured::Left => Body::Text(text),
    })
}

/// The structured content of a SQL tool, from rows that are JSON text already.
fn sql_object(returns: Returns, answer: SqlAnswer) -> Vec<u8> {
    match returns {
        Returns::Rows => sql_rows(answer),
        Returns::Row | Returns::Value | Returns::Affected => sql_member(returns, &answer),
    }
}

/// All rows, with what is to be said of them. The text of the rows becomes a part of the object
/// where it is, because it may be long.
fn sql_rows(answer: SqlAnswer) -> Vec<u8> {
    let hint = match (answer.cells_cut, answer.cut) {
        (false, None) => None,
        (false, Some(_)) => Some("There are more rows. Narrow the request by its arguments to see others."),
        (true, None) => Some("The row is too large: what ends with … (cut) is not whole."),
        (true, Some(_)) => Some(
            "The row is too large: what ends with … (cut) is not whole. There are more rows. \
             Narrow the request by its arguments to see others.",
        ),
    };
    let mut out = answer.rows;
    out.splice(..0, *b"{\"rows\":");
    // Writing to a Vec cannot fail.
    let _ = write!(out, ",\"row_count\":{},\"truncated\":{}", answer.row_count, hint.is_some());
    if let Some(hint) = hint {
        let _ = write!(out, ",\"hint\":\"{hint}\"");
    }
    if let Some(affected) = answer.affected {
        let _ = write!(out, ",\"affected\":{affected}");
    }
    out.push(b'}');
    out
}

/// One row, one value or what became of a write.
fn sql_member(returns: Returns, answer: &SqlAnswer) -> Vec<u8> {
    match returns {
        Returns::Rows | Returns::Row => first_row(&answer.rows).map_or("{}", RawValue::get).into(),
        Returns::Value => {
            let value = first_row(&answer.rows).and_then(first_member);
            format!("{{\"result\":{}}}", value.as_deref().map_or("null", RawValue::get)).into()
        }
        Returns::Affected => {
            let id = answer.last_insert_id.map_or_else(String::new, |id| format!(",\"last_insert_id\":{id}"));
            format!("{{\"affected\":{}{id}}}", answer.affected.unwrap_or(0)).into()
        }
    }
}

fn first_row(rows: &[u8]) -> Option<&RawValue> {
    let rows: Vec<&RawValue> = serde_json::from_slice(rows).ok()?;
    rows.into_iter().next()
}

/// The first column: members come in the order of the columns.
fn first_member(row: &RawValue) -> Option<Box<RawValue>> {
    let members: indexmap::IndexMap<String, Box<RawValue>> = serde_json::from_str(row.get()).ok()?;
    members.into_iter().next().map(|(_, value)| value)
}

fn rows_value(returns: Returns, answer: &SqlAnswer) -> Result<Value, CallError> {
    match returns {
        Returns::Rows => serde_json::from_slice(&answer.rows).map_err(|error| unreadable(&error)),
        Returns::Row | Returns::Value | Returns::Affected => {
            serde_json::from_slice(&sql_member(returns, answer)).map_err(|error| unreadable(&error))
        }
    }
}

#[cold]
fn unreadable(error: &serde_json::Error) -> CallError {
    CallError::new(ErrorClass::Internal, "The rows could not be read.").caused_by(error.to_string())
}

/// A template that names what this call does not have.
#[cold]
pub(super) fn template_failed(error: &RenderError) -> CallError {
    CallError::new(ErrorClass::Internal, "A template of this tool failed; the operator of the server can see why.")
        .caused_by(error.to_string())
}
