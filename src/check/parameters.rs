//! Floor 4. Parameters of queries and fields of forms: values with the style they are written in.
//! Every style that a value cannot have is told here, so that no call finds out.

use serde_json::{Map, Value};

use super::{
    context::Context,
    params::{Params, Role},
    templates::{self, Stage},
};
use crate::{
    bridge::{Query, Style as Written},
    diag::{Code, Diagnostic},
    plan::rest::{Parameter, Separator, Style},
    template::Tree,
    yaml::Pointer,
};

/// What a value will be, as far as the file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    List,
    Mapping,
    Unknown,
}

impl Shape {
    /// What a tree becomes in a call.
    pub(super) fn of(tree: &Tree, params: &Params) -> Self {
        match tree {
            Tree::Literal(Value::Array(_)) | Tree::List(_) => Self::List,
            Tree::Literal(Value::Object(_)) | Tree::Map(_) => Self::Mapping,
            Tree::Literal(_) | Tree::Text(_) => Self::Scalar,
            Tree::Exact(variable) => match variable.path.as_slice() {
                [name] => match params.find(name).map(|param| &param.role) {
                    Some(Role::Scalar) if has_type(params, name) => Self::Scalar,
                    Some(Role::List) => Self::List,
                    Some(Role::Object) => Self::Mapping,
                    None if name == "args" && !params.is_known(name) => Self::Mapping,
                    _ => Self::Unknown,
                },
                _ => Self::Unknown,
            },
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Scalar => "a single value",
            Self::List => "a list",
            Self::Mapping => "a mapping",
            Self::Unknown => "a value",
        }
    }
}

/// A schema may leave the type open, and then anything can come.
fn has_type(params: &Params, name: &str) -> bool {
    schema(params, name).is_some_and(|schema| schema.contains_key("type"))
}

fn schema<'p>(params: &'p Params, name: &str) -> Option<&'p Map<String, Value>> {
    params.schema.get("properties")?.get(name)?.as_object()
}

/// The query parameters of a request. `fixed` are those that the source sets.
pub(super) fn query(
    written: &indexmap::IndexMap<String, Query>,
    fixed: &[String],
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Vec<Parameter> {
    let names: Vec<&str> = written.keys().chain(fixed).map(String::as_str).collect();
    let mut all = Vec::new();
    for (name, written) in written {
        let at = at.at(name);
        if fixed.contains(name) {
            let message = format!("the source fixes `{name}`: a tool cannot set it");
            context.push(Diagnostic::error(Code::QueryFixed, context.key(&at), message));
        }
        let (value, style, explode) = match written {
            Query::Plain(value) => (value, None, None),
            Query::Styled(styled) => (&styled.value, styled.style, styled.explode),
        };
        let value_at = if matches!(written, Query::Styled(_)) { at.at("value") } else { at.clone() };
        let Some(value) = templates::tree(value, Stage::Request, params, &value_at, context) else { continue };
        let shape = Shape::of(&value, params);
        let style = match (style, explode) {
            (None, None) if shape == Shape::Mapping => {
                let fault = Diagnostic::error(Code::Style, context.value(&value_at), "a mapping needs a style here");
                let help = "`{ value: …, style: deepObject }` writes `a[x]=1`, and `style: json` writes JSON";
                context.push(fault.help(help));
                continue;
            }
            (style, explode) => styled(style.unwrap_or(Written::Form), explode, shape, &at, context),
        };
        let Some(style) = style else { continue };
        if style == Style::Repeated && shape == Shape::Mapping {
            members_are_known(&value, &names, params, &at, context);
        }
        all.push(Parameter { name: name.clone(), value, style });
    }
    all
}

/// The members of a mapping become parameters themselves: they must be known, so that no
/// argument adds a parameter or takes the place of one.
fn members_are_known(value: &Tree, names: &[&str], params: &Params, at: &Pointer, context: &mut Context<'_>) {
    let members: Option<Vec<String>> = match value {
        Tree::Literal(Value::Object(map)) => Some(map.keys().cloned().collect()),
        Tree::Map(entries) => Some(entries.iter().map(|(name, _)| name.clone()).collect()),
        Tree::Exact(variable) => variable.path.first().and_then(|name| closed(params, name)),
        _ => None,
    };
    match members {
        None => {
            let span = context.key(at);
            let fault = Diagnostic::error(Code::Style, span, "the members of this mapping would become parameters");
            let help = "list its `properties`, without `additionalProperties`, or write `style: deepObject`";
            context.push(fault.help(help));
        }
        Some(members) => {
            for name in members.iter().filter(|member| names.contains(&member.as_str())) {
                let message = format!("the member `{name}` would be written beside the parameter `{name}`");
                context.push(Diagnostic::error(Code::Style, context.key(at), message));
            }
        }
    }
}

fn closed(params: &Params, name: &str) -> Option<Vec<String>> {
    let schema = schema(params, name)?;
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let properties = schema.get("properties").and_then(Value::as_object)?;
    is_closed.then(|| properties.keys().cloned().collect())
}

/// The style of a value; `None` after a fault.
fn styled(
    written: Written,
    explode: Option<bool>,
    shape: Shape,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Style> {
    let (style, name, fits, usual) = match written {
        Written::Form if explode == Some(false) => {
            (Style::Joined(Separator::Comma), "form", &[Shape::Scalar, Shape::List, Shape::Mapping][..], explode)
        }
        Written::Form => (Style::Repeated, "form", &[Shape::Scalar, Shape::List, Shape::Mapping][..], explode),
        Written::SpaceDelimited => (Style::Joined(Separator::Space), "spaceDelimited", &[Shape::List][..], Some(false)),
        Written::PipeDelimited => (Style::Joined(Separator::Pipe), "pipeDelimited", &[Shape::List][..], Some(false)),
        Written::DeepObject => (Style::Deep, "deepObject", &[Shape::Mapping][..], Some(true)),
        Written::Brackets => (Style::Brackets, "brackets", &[Shape::List, Shape::Mapping][..], Some(true)),
        Written::Json => (Style::Json, "json", &[Shape::Scalar, Shape::List, Shape::Mapping][..], None),
    };
    let mut fine = true;
    if shape != Shape::Unknown && !fits.contains(&shape) {
        let wanted = fits.iter().map(|shape| shape.words()).collect::<Vec<_>>().join(" or ");
        let message = format!("`style: {name}` is for {wanted}, and this is {}", shape.words());
        context.fault(Code::Style, &at.at("style"), message);
        fine = false;
    }
    if explode.is_some() && explode != usual {
        let message = format!("`explode` has no such meaning with `style: {name}`");
        let span = context.key(&at.at("explode"));
        context.push(Diagnostic::error(Code::Style, span, message).help("it belongs to `style: form`"));
        fine = false;
    }
    fine.then_some(style)
}

/// The fields of a form. A mapping is nested unless it is a value with a style.
pub(super) fn fields(
    written: &Map<String, Value>,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Vec<Parameter> {
    let mut all = Vec::new();
    for (name, written) in written {
        let at = at.at(name);
        let (value, style) = match with_style(written) {
            None => (templates::tree(written, Stage::Request, params, &at, context), Some(Style::Deep)),
            Some((value, style, explode)) => {
                let value = templates::tree(value, Stage::Request, params, &at.at("value"), context);
                let style = style_word(style, &at, context);
                let explode = explode_word(explode, &at, context);
                let shape = value.as_ref().map_or(Shape::Unknown, |value| Shape::of(value, params));
                let style = style.and_then(|style| styled(style, explode, shape, &at, context));
                // The names of a mapping's members are written inside of the field's own name.
                (value, style.map(|style| if style == Style::Repeated { Style::Deep } else { style }))
            }
        };
        if let (Some(value), Some(style)) = (value, style) {
            all.push(Parameter { name: name.clone(), value, style });
        }
    }
    all
}

type WithStyle<'v> = (&'v Value, Option<&'v Value>, Option<&'v Value>);

/// `{ value, style, explode }`, with at least one of the last two: everything else is a mapping
/// that is sent as it is.
fn with_style(written: &Value) -> Option<WithStyle<'_>> {
    let map = written.as_object()?;
    let (value, style, explode) = (map.get("value")?, map.get("style"), map.get("explode"));
    let known = 1 + usize::from(style.is_some()) + usize::from(explode.is_some());
    (known > 1 && known == map.len()).then_some((value, style, explode))
}

const STYLES: [(&str, Written); 6] = [
    ("form", Written::Form),
    ("spaceDelimited", Written::SpaceDelimited),
    ("pipeDelimited", Written::PipeDelimited),
    ("deepObject", Written::DeepObject),
    ("brackets", Written::Brackets),
    ("json", Written::Json),
];

fn style_word(written: Option<&Value>, at: &Pointer, context: &mut Context<'_>) -> Option<Written> {
    let Some(written) = written else { return Some(Written::Form) };
    let word = written.as_str().unwrap_or("");
    let known = STYLES.iter().find(|(name, _)| *name == word).map(|(_, style)| *style);
    if known.is_none() {
        let span = context.value(&at.at("style"));
        let names = STYLES.map(|(name, _)| name);
        let fault = Diagnostic::error(Code::Style, span, "there is no such style");
        let hinted = fault.clone().did_you_mean(word, names.iter().copied());
        let lacks_hint = hinted.help.is_empty();
        context.push(if lacks_hint { fault.help(format!("known: {}", names.join(", "))) } else { hinted });
    }
    known
}

fn explode_word(written: Option<&Value>, at: &Pointer, context: &mut Context<'_>) -> Option<bool> {
    let written = written?;
    if !written.is_boolean() {
        context.fault(Code::Style, &at.at("explode"), "`explode` is true or false");
    }
    written.as_bool()
}
