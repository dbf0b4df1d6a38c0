//! Floor 4. Params: what is declared becomes the schema that is published and enforced.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{context::Context, pages, steps::Place, templates};
use crate::{
    bridge::{Like, Param, ParamSpec, Tool, Type},
    diag::{Code, Diagnostic, closest},
    plan::{Bound, CallerPart},
    schema::{Arguments, SchemaError, lint},
    yaml::Pointer,
};

const FORMATS: [&str; 10] =
    ["date", "date-time", "time", "duration", "uuid", "email", "uri", "decimal", "int64", "byte"];
/// Names that templates use for something else.
const TAKEN: [&str; 6] = ["answers", "args", "caller", "steps", "now", "request"];
/// What the keywords of JSON Schema accept.
const ACCEPTED: [(&str, &str); 22] = [
    ("type", "string, integer, number, boolean, array or object"),
    ("pattern", "a valid regular expression without look-around and back-references"),
    ("enum", "a list of values"),
    ("examples", "a list of values"),
    ("required", "a list of names"),
    ("properties", "a mapping from names to schemas"),
    ("additionalProperties", "true, false or a schema"),
    ("items", "a schema"),
    ("anyOf", "a list of schemas"),
    ("allOf", "a list of schemas"),
    ("oneOf", "a list of schemas"),
    ("minimum", "a number"),
    ("maximum", "a number"),
    ("exclusiveMinimum", "a number"),
    ("exclusiveMaximum", "a number"),
    ("multipleOf", "a number above 0"),
    ("minLength", "a whole number from 0"),
    ("maxLength", "a whole number from 0"),
    ("minItems", "a whole number from 0"),
    ("maxItems", "a whole number from 0"),
    ("uniqueItems", "true or false"),
    ("description", "text"),
];
/// How deep a param may describe what is inside of it.
const DEPTH_MAX: usize = 16;

/// The arguments of a tool, ready to be published, enforced and used.
pub(super) struct Params {
    pub(super) schema: Value,
    pub(super) arguments: Option<Arguments>,
    pub(super) declared: Vec<Declared>,
    pub(super) bound: Vec<Bound>,
    pub(super) lost: Lost,
    /// Where among the steps of a tool templates stand; `None` in a tool without steps.
    pub(super) place: Option<Place>,
}

/// Arguments that are written in the file and could not be used: naming one is no fault of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// These.
    Some(Vec<String>),
    /// Nobody can tell which.
    All,
}

/// One declared argument.
#[derive(Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) presence: Presence,
    pub(super) pointer: Pointer,
}

/// What an argument is good for.
#[derive(Clone)]
pub(super) enum Role {
    Scalar,
    List,
    Object,
    Like(Like),
    Choice(Vec<(String, String)>),
    /// A value of a step, whose kind only a call tells.
    Open,
}

/// Whether an argument has a value in every call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Always,
    Sometimes,
    /// Bound by the server.
    Bound,
}

impl Params {
    pub(super) fn find(&self, name: &str) -> Option<&Declared> {
        self.declared.iter().find(|param| param.name == name)
    }

    /// Whether an argument is declared, also when its declaration is faulty.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.lost == Lost::All || self.find(name).is_some() || self.lost_names().any(|lost| lost == name)
    }

    /// The arguments whose declarations are faulty, as far as they have names.
    pub(super) fn lost_names(&self) -> impl Iterator<Item = &str> {
        let names = match &self.lost {
            Lost::Some(names) => names.as_slice(),
            Lost::All => &[],
        };
        names.iter().map(String::as_str)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|param| param.name.as_str())
    }

    /// The same arguments as a part of a tool with steps sees them, with the values it adds.
    pub(super) fn placed(&self, place: Place, added: Vec<Declared>) -> Self {
        let declared = self.declared.iter().cloned().chain(added).collect();
        let lost = self.lost.clone();
        Self { schema: Value::Null, arguments: None, declared, bound: Vec::new(), lost, place: Some(place) }
    }
}

/// Builds the arguments of a tool.
pub(super) fn build(tool: &Tool, at: &Pointer, context: &mut Context<'_>) -> Params {
    let mut params = match &tool.input_schema {
        Some(schema) => from_schema(schema, &at.at("input_schema"), context),
        None => from_params(&tool.params, &at.at("params"), context),
    };
    params.lost = lost(tool, at, context);
    if pages::exposes(tool) {
        add_cursor(&mut params, at, context);
    }
    let (place, below) = match &tool.input_schema {
        Some(_) => ("input_schema", ""),
        None => ("params", "/properties"),
    };
    let locate = |pointer: &str| at.at(place).below(pointer.strip_prefix(below).unwrap_or(pointer));
    match Arguments::compile(&params.schema) {
        Ok(arguments) => params.arguments = Some(arguments),
        Err(error) => {
            schema_fault(Code::ParamSchema, &error, &locate(&error.pointer), context);
            return params;
        }
    }
    for advice in lint(&params.schema) {
        let at = locate(&advice.pointer);
        if !context.is_faulty(&at) {
            let span = context.key(&at);
            context.push(Diagnostic::warning(Code::NotPortable, span, advice.message));
        }
    }
    defaults_fit(&params, &locate, context);
    params
}

/// The argument by which a model turns pages.
fn add_cursor(params: &mut Params, at: &Pointer, context: &mut Context<'_>) {
    let place = at.at("rest").at("paginate").at("expose");
    if let Some(taken) = params.find(pages::CURSOR) {
        let span = context.key(&taken.pointer);
        let fault = Diagnostic::error(Code::Pagination, span, "`cursor` is the argument that turns the pages");
        let fault = fault.context(context.key(&place), "because of this");
        context.push(fault);
        return;
    }
    let schema = json!({
        "type": "string",
        "minLength": 1,
        "description": "The `next_cursor` of the result before, word for word, with the same other arguments. Leave it out for the first page.",
    });
    if let Some(properties) = params.schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(pages::CURSOR.into(), schema);
    }
    params.declared.push(Declared {
        name: pages::CURSOR.into(),
        role: Role::Scalar,
        presence: Presence::Sometimes,
        pointer: place,
    });
}

fn lost(tool: &Tool, at: &Pointer, context: &Context<'_>) -> Lost {
    let params = at.at("params");
    let names = context.names(&params);
    let all = context.is_lost(tool.input_schema.as_ref(), &at.at("input_schema"))
        || (!context.is_mapping(&params) && context.is_lost(None::<&()>, &params));
    if all {
        return Lost::All;
    }
    let lost = names.into_iter().filter(|name| !tool.params.contains_key(*name));
    Lost::Some(lost.map(str::to_owned).collect())
}

/// Reports why a schema cannot be used, in our words where the fault is one keyword's value.
pub(super) fn schema_fault(code: Code, error: &SchemaError, at: &Pointer, context: &mut Context<'_>) {
    let is_name = |step: &&str| step.parse::<usize>().is_err();
    let steps: Vec<&str> = error.pointer.rsplit('/').skip_while(|step| !is_name(step)).collect();
    let keyword = match steps.as_slice() {
        // Below `properties` the steps are names of the author's.
        [keyword, above, ..] if !matches!(*above, "properties" | "$defs" | "patternProperties") => Some(*keyword),
        _ => None,
    };
    let accepted = keyword.and_then(|keyword| ACCEPTED.iter().find(|(known, _)| *known == keyword));
    let message = match accepted {
        Some((keyword, accepted)) => format!("`{keyword}` must be {accepted}"),
        None => error.message.clone(),
    };
    let span = context.value(at);
    let fault = Diagnostic::error(code, span, message);
    let types = ["string", "integer", "number", "boolean", "array", "object", "null"];
    context.push(match keyword {
        Some("type") => fault.did_you_mean(context.written(span), types),
        _ => fault,
    });
}

/// A default that the schema refuses would make every call without the argument fail.
fn defaults_fit(params: &Params, locate: &dyn Fn(&str) -> Pointer, context: &mut Context<'_>) {
    let Some(properties) = params.schema.get("properties").and_then(Value::as_object) else { return };
    for (name, schema) in properties {
        let at = locate("/properties").at(name);
        if context.is_faulty(&at) {
            continue;
        }
        let one = json!({ "type": "object", "properties": { name: schema } });
        let Ok(arguments) = Arguments::compile(&one) else { continue };
        let defaults = schema.get("default").map(|value| ("default", at.at("default"), value));
        let examples = schema.get("examples").and_then(Value::as_array).into_iter().flatten().enumerate();
        let examples = examples.map(|(index, value)| ("examples", at.at("examples").at(index), value));
        for (keyword, at, value) in defaults.into_iter().chain(examples).filter(|(_, _, value)| !value.is_null()) {
            let Err(faults) = arguments.read(Some(&json!({ name: value }).to_string())) else { continue };
            let reason = faults.first().map_or("", |fault| fault.message.trim_end_matches('.'));
            let (reason, hint) = match reason.split_once(". Did you mean ") {
                Some((reason, near)) => (reason, Some(format!("did you mean {near}"))),
                None => (reason, None),
            };
            let span = context.value(&at);
            let message = format!("`{keyword}` does not fit the param: {reason}");
            let fault = Diagnostic::error(Code::ParamDefault, span, message);
            context.push(match hint {
                Some(hint) => fault.help(hint),
                None => fault,
            });
        }
    }
}

fn from_schema(schema: &Map<String, Value>, at: &Pointer, context: &mut Context<'_>) -> Params {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        context.fault(Code::ParamSchema, &at.at("type"), "the root of an input schema is `type: object`");
    }
    let required: Vec<_> = schema.get("required").and_then(Value::as_array).into_iter().flatten().collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let declared = properties.into_iter().flatten().map(|(name, property)| {
        let role = match property.get("type").and_then(Value::as_str) {
            Some("array") => Role::List,
            Some("object") => Role::Object,
            _ => Role::Scalar,
        };
        let always = required.iter().any(|it| *it == name) || property.get("default").is_some_and(|it| !it.is_null());
        let presence = if always { Presence::Always } else { Presence::Sometimes };
        Declared { name: name.clone(), role, presence, pointer: at.at("properties").at(name) }
    });
    let declared = declared.collect();
    let lost = Lost::Some(Vec::new());
    // With the fault at its root told, the rest is checked as what it was to be.
    let mut schema = schema.clone();
    schema.insert("type".into(), json!("object"));
    Params { schema: Value::Object(schema), arguments: None, declared, bound: Vec::new(), lost, place: None }
}

fn from_params(params: &IndexMap<String, Param>, at: &Pointer, context: &mut Context<'_>) -> Params {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut declared = Vec::new();
    let mut bound = Vec::new();
    for (name, param) in params {
        let at = at.at(name);
        name_is_usable(name, &at, context);
        let spec = spec_of(param);
        let role = role_of(&spec, &at, context);
        let presence = if let Some(from) = &spec.from {
            bound.extend(caller_part(name, from, &spec, &at, context));
            Presence::Bound
        } else {
            let given = spec.default.as_ref().is_some_and(|default| !default.is_null())
                || context.is_lost(spec.default.as_ref(), &at.at("default"));
            let is_required = spec.required.unwrap_or(spec.default.is_none());
            if is_required && spec.default.is_some() {
                context.fault(Code::ParamKeyword, &at.at("required"), "a param with a `default` is not required");
            }
            let is_silent = spec.description.is_none();
            if is_silent && !context.is_lost(spec.description.as_ref(), &at.at("description")) {
                let advice = Diagnostic::warning(
                    Code::NoDescription,
                    context.key(&at),
                    format!("the param `{name}` has no description"),
                );
                context.push(advice.help("say what it means, its unit, and where its value comes from"));
            }
            properties.insert(name.clone(), schema_of(&spec, &at, context, 0));
            if is_required {
                required.push(Value::from(name.as_str()));
            }
            if is_required || given { Presence::Always } else { Presence::Sometimes }
        };
        declared.push(Declared { name: name.clone(), role, presence, pointer: at });
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if let Some(schema) = schema.as_object_mut() {
        if !required.is_empty() {
            schema.insert("required".into(), Value::Array(required));
        }
        schema.insert("additionalProperties".into(), Value::Bool(false));
    }
    Params { schema, arguments: None, declared, bound, lost: Lost::Some(Vec::new()), place: None }
}

fn spec_of(param: &Param) -> ParamSpec {
    match param {
        Param::Type(kind) => ParamSpec { kind: Some(*kind), ..ParamSpec::default() },
        Param::Spec(spec) => (**spec).clone(),
    }
}

fn name_is_usable(name: &str, at: &Pointer, context: &mut Context<'_>) {
    let starts = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    if !starts || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || name.len() > 64 {
        let fault = Diagnostic::error(Code::ParamName, context.key(at), format!("`{name}` cannot be a param's name"));
        context.push(fault.help("use up to 64 letters, digits and `_`, beginning with a letter"));
    } else if TAKEN.contains(&name) {
        let message = format!("templates use `{name}` for something else");
        context.push(Diagnostic::error(Code::ParamName, context.key(at), message));
    }
}

fn caller_part(name: &str, from: &str, spec: &ParamSpec, at: &Pointer, context: &mut Context<'_>) -> Option<Bound> {
    if spec.default.is_some() || spec.required.is_some() || spec.choices.is_some() || spec.like.is_some() {
        context.fault(
            Code::ParamKeyword,
            at,
            "a param with `from` is bound by the server: only its `type` and `description` count",
        );
    }
    let given = from.strip_prefix("caller.");
    let Some(part) = given.and_then(CallerPart::parse) else {
        let span = context.value(&at.at("from"));
        let message = format!("`{from}` is not a part of the caller's identity");
        let fault = Diagnostic::error(Code::ParamFrom, span, message);
        let near = given.and_then(|part| closest(part, CallerPart::NAMES)).filter(|near| Some(*near) != given);
        context.push(match near.map(|near| format!("caller.{near}")) {
            Some(near) => fault.guess(&near.clone(), span, near),
            None => fault.help(format!("known: {}", CallerPart::NAMES.map(templates::spelled).join(", "))),
        });
        return None;
    };
    Some(Bound { param: name.to_owned(), part })
}

fn role_of(spec: &ParamSpec, at: &Pointer, context: &mut Context<'_>) -> Role {
    if let Some(choices) = &spec.choices {
        let odd = [
            ("type", spec.kind.is_some_and(|kind| kind != Type::String)),
            ("enum", spec.options.is_some()),
            ("like", spec.like.is_some()),
        ];
        for (keyword, _) in odd.into_iter().filter(|(_, present)| *present) {
            context.fault(Code::ParamKeyword, &at.at(keyword), format!("`{keyword}` has no meaning beside `choices`"));
        }
        if choices.is_empty() {
            context.fault(Code::ParamKeyword, &at.at("choices"), "there is nothing to choose from");
        }
        return Role::Choice(choices.iter().map(|(name, sql)| (name.clone(), sql.clone())).collect());
    }
    if let Some(like) = spec.like {
        if spec.kind != Some(Type::String) && !context.is_lost(spec.kind.as_ref(), &at.at("type")) {
            context.fault(Code::ParamKeyword, &at.at("like"), "`like` needs `type: string`");
        }
        return Role::Like(like);
    }
    match spec.kind {
        Some(Type::Array) => Role::List,
        Some(Type::Object) => Role::Object,
        _ => Role::Scalar,
    }
}

/// The JSON Schema of one value. What has no meaning for its type is a fault: it would be
/// published and enforce nothing.
fn schema_of(spec: &ParamSpec, at: &Pointer, context: &mut Context<'_>, depth: usize) -> Value {
    let mut schema = Map::new();
    let kind = kind_of(spec, at, context, depth);
    if let Some(kind) = kind {
        let name = name_of(kind);
        let nullable = spec.nullable == Some(true);
        schema.insert("type".into(), if nullable { json!([name, "null"]) } else { json!(name) });
    }
    keywords_fit(spec, kind, at, context);
    let mut put = |keyword: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(keyword.into(), value);
        }
    };
    put("title", spec.title.as_deref().map(Value::from));
    put("description", spec.description.as_deref().map(Value::from));
    put("format", spec.format.as_deref().map(Value::from));
    let choices = spec.choices.as_ref().map(|choices| choices.keys().map(|key| json!(key)).collect::<Value>());
    put("enum", choices.or_else(|| spec.options.clone().map(Value::Array)));
    put("const", spec.constant.clone());
    for (keyword, number) in numbers(spec) {
        put(keyword, number.cloned().map(Value::Number));
    }
    for (keyword, count) in counts(spec) {
        put(keyword, count.map(Value::from));
    }
    put("pattern", spec.pattern.as_deref().map(Value::from));
    put("uniqueItems", spec.unique_items.map(Value::from));
    if depth < DEPTH_MAX {
        let items = spec.items.as_ref().map(|items| nested(items, &at.at("items"), context, depth));
        put("items", items);
        if kind == Some(Type::Object) {
            let (properties, required) = members(spec, at, context, depth);
            put("properties", Some(Value::Object(properties)));
            put("required", (!required.is_empty()).then_some(Value::Array(required)));
            put("additionalProperties", Some(Value::Bool(spec.additional_properties.unwrap_or(false))));
        }
    } else {
        context.fault(Code::ParamSchema, at, "the param is described too deep");
    }
    put("default", spec.default.clone().filter(|default| !default.is_null()));
    put("examples", spec.examples.clone().map(Value::Array));
    put("x-mcp-header", spec.mirror_header.as_deref().map(Value::from));
    Value::Object(schema)
}

fn members(
    spec: &ParamSpec,
    at: &Pointer,
    context: &mut Context<'_>,
    depth: usize,
) -> (Map<String, Value>, Vec<Value>) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, param) in spec.properties.iter().flatten() {
        let inner = spec_of(param);
        let inner_at = at.at("properties").at(name);
        if inner.required.unwrap_or(inner.default.is_none()) {
            required.push(Value::from(name.as_str()));
        }
        properties.insert(name.clone(), nested(param, &inner_at, context, depth));
    }
    (properties, required)
}

fn nested(param: &Param, at: &Pointer, context: &mut Context<'_>, depth: usize) -> Value {
    let spec = spec_of(param);
    for (keyword, present) in [
        ("choices", spec.choices.is_some()),
        ("like", spec.like.is_some()),
        ("from", spec.from.is_some()),
        ("complete", spec.complete.is_some()),
        ("mirror_header", spec.mirror_header.is_some()),
    ] {
        if present {
            context.fault(
                Code::ParamPlace,
                &at.at(keyword),
                format!("`{keyword}` belongs to a param, not to a part of one"),
            );
        }
    }
    schema_of(&spec, at, context, depth + 1)
}

fn kind_of(spec: &ParamSpec, at: &Pointer, context: &mut Context<'_>, depth: usize) -> Option<Type> {
    let of_value = |value: &Value| match value {
        Value::String(_) => Some(Type::String),
        Value::Bool(_) => Some(Type::Boolean),
        Value::Number(number) if number.is_f64() => Some(Type::Number),
        Value::Number(_) => Some(Type::Integer),
        Value::Array(_) => Some(Type::Array),
        Value::Object(_) => Some(Type::Object),
        Value::Null => None,
    };
    let kind = spec.kind.or_else(|| match (&spec.choices, &spec.options, &spec.constant) {
        (Some(_), _, _) => Some(Type::String),
        (None, Some(options), _) => options.first().and_then(of_value),
        (None, None, Some(constant)) => of_value(constant),
        (None, None, None) => None,
    });
    let is_told = ["type", "choices", "enum", "const"].iter().any(|key| context.is_lost(None::<&()>, &at.at(key)));
    if kind.is_none() && depth == 0 && !is_told {
        let fault = Diagnostic::error(Code::ParamSchema, context.key(at), "the param has no `type`");
        context.push(fault.help("one of string, integer, number, boolean, array, object"));
    }
    kind
}

const fn name_of(kind: Type) -> &'static str {
    match kind {
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Array => "array",
        Type::Object => "object",
    }
}

fn numbers(spec: &ParamSpec) -> [(&'static str, Option<&serde_json::Number>); 5] {
    [
        ("minimum", spec.minimum.as_ref()),
        ("maximum", spec.maximum.as_ref()),
        ("exclusiveMinimum", spec.exclusive_minimum.as_ref()),
        ("exclusiveMaximum", spec.exclusive_maximum.as_ref()),
        ("multipleOf", spec.multiple_of.as_ref()),
    ]
}

fn counts(spec: &ParamSpec) -> [(&'static str, Option<u64>); 4] {
    [
        ("minLength", spec.min_length),
        ("maxLength", spec.max_length),
        ("minItems", spec.min_items),
        ("maxItems", spec.max_items),
    ]
}

/// Of two bounds the lower one comes first, or no value is accepted at all.
fn ranges_hold_something(spec: &ParamSpec, at: &Pointer, context: &mut Context<'_>) {
    let number = |it: &Option<serde_json::Number>| it.as_ref().and_then(serde_json::Number::as_f64);
    let above = |low: Option<u64>, high: Option<u64>| low.zip(high).is_some_and(|(low, high)| low > high);
    for (low, high, empty) in [
        ("minimum", "maximum", number(&spec.minimum).zip(number(&spec.maximum)).is_some_and(|(low, high)| low > high)),
        ("minLength", "maxLength", above(spec.min_length, spec.max_length)),
        ("minItems", "maxItems", above(spec.min_items, spec.max_items)),
    ] {
        if empty {
            let message = format!("`{high}` is below `{low}`: nothing fits");
            let fault = Diagnostic::error(Code::ParamKeyword, context.value(&at.at(high)), message);
            context.push(fault.context(context.value(&at.at(low)), "the lower bound"));
        }
    }
}

fn keywords_fit(spec: &ParamSpec, kind: Option<Type>, at: &Pointer, context: &mut Context<'_>) {
    let Some(kind) = kind else { return };
    let number = matches!(kind, Type::Integer | Type::Number);
    let text = kind == Type::String;
    let list = kind == Type::Array;
    let mut misplaced: Vec<&str> = Vec::new();
    misplaced.extend(numbers(spec).iter().filter(|(_, it)| it.is_some() && !number).map(|(keyword, _)| *keyword));
    let counted = counts(spec);
    misplaced.extend(
        counted
            .iter()
            .filter(|(name, it)| it.is_some() && !(if name.ends_with("Length") { text } else { list }))
            .map(|(name, _)| *name),
    );
    for (keyword, odd) in [
        ("pattern", spec.pattern.is_some() && !text),
        ("items", spec.items.is_some() && !list),
        ("uniqueItems", spec.unique_items.is_some() && !list),
        ("properties", spec.properties.is_some() && kind != Type::Object),
        ("additionalProperties", spec.additional_properties.is_some() && kind != Type::Object),
    ] {
        if odd {
            misplaced.push(keyword);
        }
    }
    for keyword in misplaced {
        let message = format!("`{keyword}` has no meaning for `type: {}`", name_of(kind));
        let span = context.key(&at.at(keyword));
        context.push(Diagnostic::error(Code::ParamKeyword, span, message));
    }
    ranges_hold_something(spec, at, context);
    let Some(format) = spec.format.as_deref() else { return };
    let fits = match format {
        "int64" => kind == Type::Integer,
        "decimal" => matches!(kind, Type::Number | Type::String),
        _ => text,
    };
    let span = context.value(&at.at("format"));
    if !FORMATS.contains(&format) {
        let fault = Diagnostic::error(Code::ParamKeyword, span, format!("unknown format `{format}`"));
        let hinted = fault.clone().did_you_mean(format, FORMATS);
        let listed = if hinted.help.is_empty() { fault.help(format!("known: {}", FORMATS.join(", "))) } else { hinted };
        context.push(listed);
    } else if !fits {
        let message = format!("`format: {format}` has no meaning for `type: {}`", name_of(kind));
        context.push(Diagnostic::error(Code::ParamKeyword, span, message));
    }
}
