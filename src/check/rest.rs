//! Floor 4. REST operations: path, query, headers, body, statuses.

use serde_json::Value;

use super::{
    body, care,
    context::Context,
    idle, pages, parameters,
    params::{Params, Presence},
    path, reading,
    source::{Kind, Known, Sources},
    templates::{self, Stage},
};
use crate::{
    bridge::RestOperation,
    diag::{Code, Diagnostic},
    plan::rest::{Body, Method, Request, Reserved, StatusRange},
    template::{Text, Tree},
    text::Span,
    yaml::Pointer,
};

/// Who writes a header, and so which ones are refused (rest.md §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderUse {
    /// The author, for every request of a source.
    Fixed,
    /// The author, for one tool; its value may hold arguments.
    Tool,
    /// A credential.
    Credential,
}

/// Builds a request. `None` after a fault that leaves nothing to build on.
pub(super) fn build(
    operation: &RestOperation,
    params: &Params,
    sources: &Sources,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Request> {
    let (method, keyword, written) = method_of(operation)?;
    let source = sources.find(operation.source.as_deref(), Kind::Rest, at, context);
    let path = path::compile(written, params, &at.at(keyword), context);
    let mut used: Vec<String> = path.as_ref().map(path::used).unwrap_or_default();
    let fixed = source.map_or(&[][..], |it| &it.fixed_query);
    let query = parameters::query(&operation.query, fixed, params, &at.at("query"), context);
    let headers = headers(operation, source, params, at, context);
    let cookies = cookies(operation, params, at, context);
    used.extend(query.iter().flat_map(|param| names(&param.value)));
    used.extend(headers.iter().chain(&cookies).flat_map(|(_, value)| names(value)));
    let body = body::build(operation, method, params, at, context);
    let mut placed = used.clone();
    placed.extend(params.declared.iter().filter(|it| it.presence == Presence::Bound).map(|it| it.name.clone()));
    used.extend(body.iter().flat_map(Body::trees).flat_map(names));
    if let Some(Body::Text { template, .. }) = &body {
        used.extend(template.variables().iter().filter_map(|it| it.path.first().cloned()));
    }
    let success = success(operation, at, context);
    let errors = errors(operation, &success, params, at, context);
    used.extend(errors.iter().flat_map(|(_, text)| text.variables().iter().filter_map(|it| it.path.first().cloned())));
    if pages::is_exposed(operation) {
        used.push(pages::CURSOR.into());
        placed.push(pages::CURSOR.into());
    }
    advise_on_unused(params, &used, &at.above(), context);
    let parse = reading::parse(operation.parse.as_ref(), &at.at("parse"), context);
    let error_when = reading::error_when(operation, at, context);
    idle::content(method, operation, at, context);
    let (source, path) = (source?, path?);
    let care = care::build(operation, method, source, at, context);
    let source = source.id;
    Some(Request {
        source,
        method,
        path,
        query,
        headers,
        cookies,
        body,
        parse,
        success,
        error_when,
        errors,
        placed,
        care,
    })
}

fn method_of(operation: &RestOperation) -> Option<(Method, &'static str, &str)> {
    let all = [
        (Method::Get, "get", &operation.get),
        (Method::Post, "post", &operation.post),
        (Method::Put, "put", &operation.put),
        (Method::Patch, "patch", &operation.patch),
        (Method::Delete, "delete", &operation.delete),
        (Method::Head, "head", &operation.head),
    ];
    all.into_iter().find_map(|(method, keyword, path)| Some((method, keyword, path.as_deref()?)))
}

fn headers(
    operation: &RestOperation,
    source: Option<&Known>,
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Vec<(String, Tree)> {
    let mut all: Vec<(String, Tree)> = Vec::new();
    for (name, value) in &operation.headers {
        let at = at.at("headers").at(name);
        let fine = header_name(name, HeaderUse::Tool, &at, context);
        header_text(value, &at, context);
        let tree = templates::tree(&Value::String(value.clone()), Stage::Request, params, &at, context);
        let (true, Some(tree)) = (fine, tree) else { continue };
        let lower = name.to_ascii_lowercase();
        let reason = match lower.as_str() {
            name if all.iter().any(|(other, _)| other == name) => Some("stands here twice"),
            name if source.is_some_and(|it| it.signed.as_deref() == Some(name)) => Some("is the source's credential"),
            _ if tree.is_constant() => None,
            "content-type" | "content-encoding" => Some("says how the body is read: no argument can stand in it"),
            name if source.is_some_and(|it| it.fixed_headers.iter().any(|fixed| fixed == name)) => {
                Some("is fixed by the source: no argument can stand in it")
            }
            _ => None,
        };
        if let Some(reason) = reason {
            context.push(Diagnostic::error(Code::Header, context.value(&at), format!("`{name}` {reason}")));
        }
        all.push((lower, tree));
    }
    all
}

fn cookies(operation: &RestOperation, params: &Params, at: &Pointer, context: &mut Context<'_>) -> Vec<(String, Tree)> {
    let mut all = Vec::new();
    for (name, value) in &operation.cookies {
        let at = at.at("cookies").at(name);
        if !is_token(name) {
            let span = context.key(&at);
            context.push(Diagnostic::error(Code::Cookie, span, format!("`{name}` cannot be the name of a cookie")));
        }
        let tree = templates::tree(&Value::String(value.clone()), Stage::Request, params, &at, context);
        if let Some(Tree::Literal(_)) = &tree
            && !value.bytes().all(is_cookie_octet)
        {
            let fault = Diagnostic::error(Code::Cookie, context.value(&at), "a cookie cannot have this value");
            context.push(fault.help("it holds visible ASCII characters without blanks, `\"`, `,`, `;` and `\\`"));
        }
        all.extend(tree.map(|tree| (name.clone(), tree)));
    }
    all
}

/// RFC 6265 §4.1.1.
const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}

/// A token of RFC 9110 §5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
}

/// Whether a header may be set by this kind of writer; a fault otherwise.
pub(super) fn header_name(name: &str, by: HeaderUse, at: &Pointer, context: &mut Context<'_>) -> bool {
    let lower = name.to_ascii_lowercase();
    let message = match Reserved::of(&lower) {
        _ if !is_token(name) => format!("`{name}` cannot be the name of a header"),
        Some(Reserved::Connection) => format!("`{name}` belongs to the connection and cannot be set"),
        Some(Reserved::Forged) => format!("`{name}` would make the request pass for another one: it cannot be set"),
        Some(Reserved::Credential) if by != HeaderUse::Credential => {
            let instead = if lower == "cookie" { "by `cookies`" } else { "by the source's `auth`" };
            format!("`{name}` says who is asking: it can only be set {instead}")
        }
        Some(Reserved::Credential) | None => return true,
    };
    // A credential's header is a value, any other one a key.
    let span = if by == HeaderUse::Credential { context.value(at) } else { context.key(at) };
    context.push(Diagnostic::error(Code::Header, span, message));
    false
}

/// A fault for a value that no header can have.
pub(super) fn header_text(value: &str, at: &Pointer, context: &mut Context<'_>) {
    if value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        context.fault(Code::Header, at, "a header's value holds visible ASCII characters only");
    }
}

fn success(operation: &RestOperation, at: &Pointer, context: &mut Context<'_>) -> Vec<StatusRange> {
    let Some(written) = &operation.success else { return vec![StatusRange { first: 200, last: 299 }] };
    let at = at.at("success");
    let mut all = Vec::new();
    for (index, value) in written.iter().enumerate() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let range = status(&text);
        if range.is_none() {
            let span = context.value(&at.at(index));
            context.push(not_a_status(&text, span));
        }
        all.extend(range);
    }
    all
}

fn errors(
    operation: &RestOperation,
    success: &[StatusRange],
    params: &Params,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Vec<(StatusRange, Text)> {
    let mut all = Vec::new();
    for (key, source) in &operation.errors {
        let at = at.at("errors").at(key);
        let text = templates::text(source, Stage::Failure, params, &at, context);
        match (status(key), text) {
            (Some(range), Some(text)) => {
                idle::words((operation, success), (key, range), &at, context);
                all.push((range, text));
            }
            (None, _) => {
                let span = context.key(&at);
                context.push(not_a_status(key, span));
            }
            (Some(_), None) => {}
        }
    }
    // The narrower of two ranges is meant when both hold a status.
    all.sort_by_key(|(range, _)| range.last - range.first);
    all
}

fn not_a_status(text: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(Code::Status, span, format!("`{text}` is not a status"));
    fault.help("write a status such as `404` or a class such as `5xx`")
}

pub(super) fn status(text: &str) -> Option<StatusRange> {
    let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
    if let Some(class) = class {
        let class = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))?;
        return Some(StatusRange { first: class * 100, last: class * 100 + 99 });
    }
    let one = text.parse::<u16>().ok().filter(|status| (100..600).contains(status))?;
    Some(StatusRange { first: one, last: one })
}

fn names(tree: &Tree) -> Vec<String> {
    tree.variables().filter_map(|(_, variable)| variable.path.first().cloned()).collect()
}

/// Of a tool with an error nobody can tell what it would use: [`Context::is_faulty`].
pub(super) fn advise_on_unused(params: &Params, used: &[String], tool: &Pointer, context: &mut Context<'_>) {
    if let Some(place) = &params.place {
        // What one step has no use for may be for another.
        place.note(used);
        return;
    }
    if used.iter().any(|name| name == "args") || context.is_faulty(tool) {
        return;
    }
    for param in params.declared.iter().filter(|param| !used.contains(&param.name)) {
        let message = format!("the param `{}` is used nowhere", param.name);
        let advice = Diagnostic::warning(Code::ParamUnused, context.key(&param.pointer), message);
        context.push(match single_braces(&param.name, tool, context) {
            Some(span) => {
                let help = "values are put in by double braces";
                advice.context(span, "this is text").propose(help, span, format!("{{{{{}}}}}", param.name))
            }
            None => advice,
        });
    }
}

/// Where `{name}` stands in a tool, as other templates have it.
fn single_braces(name: &str, tool: &Pointer, context: &Context<'_>) -> Option<Span> {
    let whole = context.value(tool);
    let (text, wanted) = (context.written(whole), format!("{{{name}}}"));
    let at = text.match_indices(&wanted).map(|(at, _)| at).find(|at| {
        let (before, after) = (text.get(..*at), text.get(*at + wanted.len()..));
        !before.is_some_and(|it| it.ends_with(['{', '$'])) && !after.is_some_and(|it| it.starts_with('}'))
    })?;
    let start = whole.range().start + at;
    Some(Span::new(whole.file, start, start + wanted.len()))
}

/// `choices` and `like` are SQL: nothing else has a use for them.
pub(super) fn refuse_sql_params(tool: &str, params: &Params, context: &mut Context<'_>) {
    for param in &params.declared {
        let keyword = match &param.role {
            super::params::Role::Choice(_) => "choices",
            super::params::Role::Like(_) => "like",
            _ => continue,
        };
        let span = context.key(&param.pointer.at(keyword));
        let fault =
            Diagnostic::error(Code::ParamPlace, span, format!("`{keyword}` stands for SQL, and this tool is {tool}"));
        context.push(if keyword == "choices" { fault.help("list the values under `enum`") } else { fault });
    }
}
