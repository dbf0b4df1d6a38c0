//! Floor 4. Output: what is kept of a result and in which form it is shown.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{
    context::Context,
    params::{self, Params},
    templates::{self, Stage},
};
use crate::{
    bridge::{Content, Convert as WrittenConvert, Field as WrittenField, Format, Output as Written},
    diag::{Code, Diagnostic},
    plan::{Output, SentAs, Structured, TextForm, Zip},
    schema::Output as Contract,
    select::{Convert, Field, Projection},
    yaml::Pointer,
};

/// Clients cut at 25 to 150 thousand characters (protocol.md §6).
const MAX_BYTES: usize = 64 << 10;

/// Builds the output of a tool. `known` tells whether the operation itself has a schema.
pub(super) fn build(
    written: Option<&Written>,
    stage: Stage,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Output {
    let empty = Written::default();
    let written = written.unwrap_or(&empty);
    let select = written.select.as_deref().and_then(|path| templates::path(path, &at.at("select"), context));
    let fields = written.fields.as_ref().map(|fields| projection(fields, &at.at("fields"), context));
    let text = match (&written.template, written.format) {
        (Some(source), _) => templates::text(source, stage, params, &at.at("template"), context)
            .map_or(TextForm::Json, TextForm::Template),
        (None, None | Some(Format::Json)) => TextForm::Json,
        (None, Some(Format::Yaml)) => TextForm::Yaml,
        (None, Some(Format::Table)) => TextForm::Table,
        (None, Some(Format::Csv)) => TextForm::Csv,
        (None, Some(Format::Columnar)) => TextForm::Columnar,
        (None, Some(Format::Text)) => TextForm::Text,
    };
    let known = matches!(stage, Stage::SqlResult | Stage::TransactionResult)
        || written.fields.is_some()
        || written.schema.is_some();
    let max_bytes = written.max_bytes.map_or(MAX_BYTES, |size| size.0);
    if max_bytes < 256 {
        context.fault(Code::Output, &at.at("max_bytes"), "a result needs at least 256 bytes");
    }
    let contract = written.schema.as_ref().and_then(|schema| contract(schema, &at.at("schema"), context));
    let redact = written.redact.iter().enumerate();
    let redact =
        redact.filter_map(|(index, path)| templates::path(path, &at.at("redact").at(index), context)).collect();
    if written.content.is_some() && stage != Stage::RestResult {
        let span = context.key(&at.at("content"));
        context.push(Diagnostic::error(Code::Sending, span, "`content` is for answers of a REST request"));
    }
    let zip = if written.zip == Some(true) { Zip::Yes } else { Zip::No };
    Output {
        select,
        zip,
        fields,
        redact,
        content: match written.content {
            None | Some(Content::Auto) => SentAs::Auto,
            Some(Content::Text) => SentAs::Text,
            Some(Content::Image) => SentAs::Image,
            Some(Content::Audio) => SentAs::Audio,
            Some(Content::File) => SentAs::File,
        },
        text,
        structured: if written.structured.unwrap_or(known) { Structured::Sent } else { Structured::Left },
        contract,
        stream: None,
        max_items: written.max_items.map(|max| max as usize),
        max_bytes,
    }
    .followed()
}

/// The members that are kept of every item.
pub(super) fn projection(
    fields: &IndexMap<String, WrittenField>,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Projection {
    let all = fields.iter().filter_map(|(name, field)| self::field(name, field, &at.at(name), context));
    Projection { fields: all.collect() }
}

/// The author's schema, to hold every structured content to.
fn contract(schema: &Map<String, Value>, at: &Pointer, context: &mut Context<'_>) -> Option<Contract> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let span = context.value(at);
        let fault = Diagnostic::error(Code::Output, span, "the root of an output schema is `type: object`");
        context.push(fault.help("a list is sent as `{\"items\": […]}`, a single value as `{\"result\": …}`"));
        return None;
    }
    match Contract::compile(&Value::Object(schema.clone())) {
        Ok(contract) => Some(contract),
        Err(error) => {
            params::schema_fault(Code::Output, &error, &at.below(&error.pointer), context);
            None
        }
    }
}

fn field(name: &str, written: &WrittenField, at: &Pointer, context: &mut Context<'_>) -> Option<Field> {
    match written {
        WrittenField::Path(path) => {
            let path = templates::path(path, at, context)?;
            Some(Field { name: name.to_owned(), path, convert: None, default: None })
        }
        WrittenField::Long(long) => {
            let path = templates::path(&long.select, &at.at("select"), context)?;
            let convert = long.convert.map(convert);
            Some(Field { name: name.to_owned(), path, convert, default: long.default.clone() })
        }
    }
}

const fn convert(written: WrittenConvert) -> Convert {
    match written {
        WrittenConvert::UnixTime => Convert::UnixTime,
        WrittenConvert::UnixMillis => Convert::UnixMillis,
        WrittenConvert::HtmlText => Convert::HtmlText,
        WrittenConvert::Number => Convert::Number,
        WrittenConvert::String => Convert::String,
        WrittenConvert::Trim => Convert::Trim,
        WrittenConvert::Base64Text => Convert::Base64Text,
    }
}
