//! Floor 4. Questions to the person, to the client's model, and for the client's folders.

use serde_json::{Map, Value, json};

use super::{
    context::Context,
    params,
    reply::{Builder, Parts},
};
use crate::{
    bridge::{Ask, AskField, FieldFormat, FieldItems, FieldOption, FieldSpec, FieldType, Roots, Sample},
    diag::{Code, Diagnostic},
    plan::{Asks, Need, Question},
    schema::Output as Contract,
    yaml::Pointer,
};

/// Tokens that a model may answer with, unless the author says otherwise.
const MAX_TOKENS: u32 = 1000;
/// Blanks of one form at most: a person is to fill it in.
const FIELDS_MAX: usize = 20;

/// Builds a question to the person.
pub(super) fn person(
    ask: &Ask,
    at: &Pointer,
    builder: &mut Builder<'_>,
    context: &mut Context<'_>,
) -> Option<Question> {
    let message = builder.text(&ask.message, &at.at("message"), context);
    let mut properties = Map::new();
    let mut required = Vec::new();
    if ask.fields.len() > FIELDS_MAX {
        let message = format!("a form has up to {FIELDS_MAX} blanks; this one has {}", ask.fields.len());
        context.push(Diagnostic::error(Code::AskField, context.key(&at.at("fields")), message));
    }
    for (name, field) in &ask.fields {
        let at = at.at("fields").at(name);
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a blank");
            let fault = Diagnostic::error(Code::AskField, context.key(&at), message);
            context.push(fault.help("use up to 64 letters, digits and `_`, beginning with a letter"));
        }
        let (schema, must) = match field {
            AskField::Type(kind) => {
                (spec(&FieldSpec { kind: Some(*kind), ..FieldSpec::default() }, &at, context), true)
            }
            AskField::Spec(written) => {
                (spec(written, &at, context), written.required.unwrap_or(written.default.is_none()))
            }
        };
        if must {
            required.push(json!(name));
        }
        properties.insert(name.clone(), schema);
    }
    let fields: Vec<String> = ask.fields.keys().cloned().collect();
    let mut form = json!({ "type": "object", "properties": properties });
    if let Some(form) = form.as_object_mut().filter(|_| !required.is_empty()) {
        form.insert("required".into(), Value::Array(required));
    }
    let contract = match Contract::compile(&form) {
        Ok(contract) => Some(contract),
        Err(error) => {
            let place = at.at("fields").below(error.pointer.strip_prefix("/properties").unwrap_or(&error.pointer));
            if !context.is_faulty(&place) {
                params::schema_fault(Code::AskField, &error, &place, context);
            }
            None
        }
    };
    let (need, otherwise) = end(ask.required, ask.otherwise.as_deref(), at, builder, context);
    let name = builder.question(&ask.name, Parts::Form(fields.clone()), at, context);
    let asks = Asks::Person { message: message?, form, contract: contract?, fields };
    Some(Question { name: name?, asks, need, otherwise })
}

/// Builds a question to the client's model.
pub(super) fn model(
    sample: &Sample,
    at: &Pointer,
    builder: &mut Builder<'_>,
    context: &mut Context<'_>,
) -> Option<Question> {
    let prompt = builder.text(&sample.prompt, &at.at("prompt"), context);
    let system = sample.system_prompt.as_deref();
    let system_prompt = match system.map(|text| builder.text(text, &at.at("system_prompt"), context)) {
        None => None,
        Some(text) => Some(text?),
    };
    let mut settings = json!({ "maxTokens": sample.max_tokens.unwrap_or(MAX_TOKENS) });
    if let Some(settings) = settings.as_object_mut() {
        if let Some(temperature) = sample.temperature {
            if temperature.is_sign_negative() {
                context.fault(Code::NotAccepted, &at.at("temperature"), "`temperature` is 0 or more");
            }
            settings.insert("temperature".into(), json!(temperature));
        }
        if !sample.stop_sequences.is_empty() {
            settings.insert("stopSequences".into(), json!(sample.stop_sequences));
        }
    }
    let (need, otherwise) = end(sample.required, sample.otherwise.as_deref(), at, builder, context);
    let name = builder.question(&sample.name, Parts::Words, at, context);
    Some(Question { name: name?, asks: Asks::Model { prompt: prompt?, system_prompt, settings }, need, otherwise })
}

/// Builds a question for the client's folders.
pub(super) fn folders(
    roots: &Roots,
    at: &Pointer,
    builder: &mut Builder<'_>,
    context: &mut Context<'_>,
) -> Option<Question> {
    let (need, otherwise) = end(roots.required, roots.otherwise.as_deref(), at, builder, context);
    let name = builder.question(&roots.name, Parts::Folders, at, context);
    Some(Question { name: name?, asks: Asks::Folders, need, otherwise })
}

/// Whether the call ends without an answer, and with which words.
fn end(
    required: Option<bool>,
    otherwise: Option<&str>,
    at: &Pointer,
    builder: &mut Builder<'_>,
    context: &mut Context<'_>,
) -> (Need, Option<crate::template::Text>) {
    let at = at.at("otherwise");
    let text = otherwise.and_then(|text| builder.text(text, &at, context));
    if required == Some(false) {
        if otherwise.is_some() {
            let span = context.key(&at);
            let message = "`otherwise` has no meaning beside `required: false`: the call goes on";
            context.push(Diagnostic::error(Code::Ask, span, message));
        }
        return (Need::Optional, None);
    }
    (Need::Required, text)
}

/// Whether a text can be the name of a blank or of a question.
pub(super) fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    starts && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The JSON Schema of one blank. What has no meaning for its type is a fault: clients would
/// refuse the form, or not hold the person to it.
fn spec(field: &FieldSpec, at: &Pointer, context: &mut Context<'_>) -> Value {
    let chosen = field.options.is_some() || field.titled.is_some();
    let kind = field.kind.or(chosen.then_some(FieldType::String));
    let mut schema = Map::new();
    let Some(kind) = kind else {
        if !context.is_lost(None::<&()>, &at.at("type")) {
            let fault = Diagnostic::error(Code::AskField, context.key(at), "the blank has no `type`");
            context.push(fault.help("one of string, integer, number, boolean, array"));
        }
        return Value::Object(schema);
    };
    misplaced(field, kind, at, context);
    let mut put = |keyword: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(keyword.into(), value);
        }
    };
    put("type", Some(json!(name_of(kind))));
    put("title", field.title.as_deref().map(Value::from));
    put("description", field.description.as_deref().map(Value::from));
    put("format", field.format.map(|format| json!(format_name(format))));
    put("enum", field.options.as_ref().map(|it| json!(it)));
    put("enumNames", field.option_names.as_ref().map(|it| json!(it)));
    put("oneOf", field.titled.as_deref().map(titled));
    put("items", field.items.as_ref().map(items));
    for (keyword, number) in [("minimum", &field.minimum), ("maximum", &field.maximum)] {
        put(keyword, number.clone().map(Value::Number));
    }
    for (keyword, count) in counts(field) {
        put(keyword, count.map(Value::from));
    }
    put("default", field.default.clone());
    let schema = Value::Object(schema);
    if let Some(default) = &field.default
        && !context.is_faulty(at)
        && Contract::compile(&schema).is_ok_and(|contract| !contract.accepts(default))
    {
        context.fault(Code::AskField, &at.at("default"), "`default` does not fit the blank");
    }
    schema
}

fn counts(field: &FieldSpec) -> [(&'static str, Option<u64>); 4] {
    [
        ("minItems", field.min_items),
        ("maxItems", field.max_items),
        ("minLength", field.min_length),
        ("maxLength", field.max_length),
    ]
}

fn misplaced(field: &FieldSpec, kind: FieldType, at: &Pointer, context: &mut Context<'_>) {
    let text = kind == FieldType::String;
    let number = matches!(kind, FieldType::Integer | FieldType::Number);
    let list = kind == FieldType::Array;
    for (keyword, stands, fits) in [
        ("enum", field.options.is_some(), text),
        ("oneOf", field.titled.is_some(), text),
        ("items", field.items.is_some(), list),
        ("minItems", field.min_items.is_some(), list),
        ("maxItems", field.max_items.is_some(), list),
        ("minimum", field.minimum.is_some(), number),
        ("maximum", field.maximum.is_some(), number),
        ("minLength", field.min_length.is_some(), text),
        ("maxLength", field.max_length.is_some(), text),
        ("format", field.format.is_some(), text),
    ] {
        if stands && !fits {
            let message = format!("`{keyword}` has no meaning for `type: {}`", name_of(kind));
            context.push(Diagnostic::error(Code::AskField, context.key(&at.at(keyword)), message));
        }
    }
    if list && field.items.is_none() && !context.is_lost(field.items.as_ref(), &at.at("items")) {
        let fault = Diagnostic::error(Code::AskField, context.key(at), "a list needs the options to choose from");
        context.push(fault.help("write `items: { enum: [red, green] }`"));
    }
    if let Some(kind) = field.items.as_ref().and_then(|items| items.kind).filter(|kind| *kind != FieldType::String) {
        let message = format!("the options of a list are texts, not `type: {}`", name_of(kind));
        context.fault(Code::AskField, &at.at("items").at("type"), message);
    }
    let names = field.option_names.as_ref().map(Vec::len);
    if names.is_some() && names != field.options.as_ref().map(Vec::len) {
        let span = context.key(&at.at("enumNames"));
        let fault = Diagnostic::error(Code::AskField, span, "`enumNames` must name every text of `enum`");
        context.push(fault);
    }
    let nothing = [("enum", field.options.as_ref().map(Vec::len)), ("oneOf", field.titled.as_ref().map(Vec::len))];
    for (keyword, _) in nothing.into_iter().filter(|(_, count)| *count == Some(0)) {
        context.fault(Code::AskField, &at.at(keyword), "there is nothing to choose from");
    }
}

fn titled(options: &[FieldOption]) -> Value {
    options.iter().map(|option| json!({ "const": option.value, "title": option.title })).collect()
}

fn items(items: &FieldItems) -> Value {
    match (&items.options, &items.titled) {
        (Some(options), _) => json!({ "type": "string", "enum": options }),
        (None, options) => json!({ "anyOf": titled(options.as_deref().unwrap_or_default()) }),
    }
}

const fn name_of(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "string",
        FieldType::Integer => "integer",
        FieldType::Number => "number",
        FieldType::Boolean => "boolean",
        FieldType::Array => "array",
    }
}

const fn format_name(format: FieldFormat) -> &'static str {
    match format {
        FieldFormat::Email => "email",
        FieldFormat::Uri => "uri",
        FieldFormat::Date => "date",
        FieldFormat::DateTime => "date-time",
    }
}
