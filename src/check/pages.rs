//! Floor 4. Pages: where the next one is, and who turns them.

use super::{context::Context, source::Known, templates};
use crate::{
    bridge::{Next as WrittenNext, NextParam, Paginate as Written, RestOperation, Tool},
    diag::{Code, Diagnostic},
    plan::{Next, Paginate, Turning, rest::Method},
    yaml::Pointer,
};

const PAGES: u32 = 5;
const ITEMS: u32 = 500;

/// The argument by which a model turns pages.
pub(super) const CURSOR: &str = "cursor";

/// Whether the model turns the pages of a tool itself, so that the tool has an argument for it.
pub(super) fn exposes(tool: &Tool) -> bool {
    tool.rest.as_ref().is_some_and(is_exposed)
}

/// Whether the model turns the pages of a request.
pub(super) fn is_exposed(operation: &RestOperation) -> bool {
    operation.paginate.as_ref().is_some_and(|paginate| paginate.expose == Some(true))
}

/// Builds how pages are turned. `None` after a fault.
pub(super) fn build(
    operation: &RestOperation,
    method: Method,
    source: &Known,
    at: &Pointer,
    context: &mut Context<'_>,
) -> Option<Paginate> {
    let written = operation.paginate.as_ref()?;
    let at = at.at("paginate");
    if method != Method::Get {
        let message = format!("a {} request has no pages", method.as_str());
        context.push(Diagnostic::error(Code::Pagination, context.key(&at), message));
        return None;
    }
    let next = next(&written.next, source, &at.at("next"), context);
    let items = match &written.items {
        None => Some(None),
        Some(path) => names(path, &at.at("items"), context).map(Some),
    };
    let more = match &written.more {
        None => Some(None),
        Some(path) => templates::path(path, &at.at("more"), context).map(Some),
    };
    let turning = if written.expose == Some(true) { Turning::Model } else { Turning::Server };
    idle(written, turning, &at, context);
    Some(Paginate {
        next: next?,
        items: items?,
        more: more?,
        max_pages: written.max_pages.unwrap_or(PAGES) as usize,
        max_items: written.max_items.unwrap_or(ITEMS) as usize,
        turning,
    })
}

/// Bounds of pages that the server fetches mean nothing when the model turns them.
fn idle(written: &Written, turning: Turning, at: &Pointer, context: &mut Context<'_>) {
    let bounds = [("max_pages", written.max_pages.is_some()), ("max_items", written.max_items.is_some())];
    for (keyword, _) in bounds.into_iter().filter(|(_, present)| *present && turning == Turning::Model) {
        let message = format!("`{keyword}` has no meaning beside `expose: true`: a call fetches one page");
        context.push(Diagnostic::error(Code::Pagination, context.key(&at.at(keyword)), message));
    }
}

fn next(written: &WrittenNext, source: &Known, at: &Pointer, context: &mut Context<'_>) -> Option<Next> {
    match written {
        WrittenNext::Place(text) if text == "link" => Some(Next::Link),
        WrittenNext::Place(text) if text.starts_with('$') => templates::path(text, at, context).map(Next::Address),
        WrittenNext::Place(text) => {
            let span = context.value(at);
            let fault = Diagnostic::error(Code::Pagination, span, format!("`{text}` names no next page"));
            context.push(fault.help(
                "write `link` for the header, a JSONPath to the address such as `$.next`, or a mapping with `cursor`, `page` or `offset`",
            ));
            None
        }
        WrittenNext::Param(param) => by_param(param, source, at, context),
    }
}

fn by_param(written: &NextParam, source: &Known, at: &Pointer, context: &mut Context<'_>) -> Option<Next> {
    let stray = |keyword: &str, present: bool, beside: &str, context: &mut Context<'_>| {
        if present {
            let message = format!("`{keyword}` has a meaning beside `{beside}` only");
            context.push(Diagnostic::error(Code::Pagination, context.key(&at.at(keyword)), message));
        }
    };
    let free = |param: &str, keyword: &str, context: &mut Context<'_>| {
        let is_fixed = source.fixed_query.iter().any(|fixed| fixed == param);
        if is_fixed {
            let message = format!("the source fixes `{param}`: pages cannot be turned with it");
            context.fault(Code::QueryFixed, &at.at(keyword), message);
        }
        !is_fixed
    };
    if let Some(cursor) = &written.cursor {
        stray("start", written.start.is_some(), "page", context);
        stray("size", written.size.is_some(), "offset", context);
        let path = templates::path(cursor, &at.at("cursor"), context);
        let Some(param) = &written.param else {
            let span = context.key(&at.at("cursor"));
            let fault = Diagnostic::error(Code::Pagination, span, "`cursor` needs the query parameter that takes it");
            context.push(fault.help("name it with `param`"));
            return None;
        };
        let is_free = free(param, "param", context);
        return path.filter(|_| is_free).map(|path| Next::Cursor { path, param: param.clone() });
    }
    stray("param", written.param.is_some(), "cursor", context);
    if let Some(page) = &written.page {
        stray("size", written.size.is_some(), "offset", context);
        return free(page, "page", context)
            .then(|| Next::Page { param: page.clone(), start: written.start.unwrap_or(1) });
    }
    stray("start", written.start.is_some(), "page", context);
    let offset = written.offset.as_ref()?;
    free(offset, "offset", context).then(|| Next::Offset { param: offset.clone(), size: written.size.clone() })
}

/// The member names that lead to the items: they are put back where they were found.
fn names(path: &str, at: &Pointer, context: &mut Context<'_>) -> Option<Vec<String>> {
    let compiled = templates::path(path, at, context)?;
    let names = compiled.as_names().map(|names| names.into_iter().map(str::to_owned).collect());
    if names.is_none() {
        let span = context.value(at);
        let fault = Diagnostic::error(Code::Pagination, span, "`items` is a path of names");
        context.push(fault.help("write `$` for the answer itself, or a path such as `$.data.items`"));
    }
    names
}
