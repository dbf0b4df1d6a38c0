//! Floor 4. Paths such as `/grid/{office}/{x},{y}/forecast`: split into segments, every `{x}` bound.

use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    context::Context,
    inserted::{Language, is_plain},
    params::{Params, Presence, Role},
};
use crate::{
    diag::{Code, Diagnostic},
    plan::rest::{PathTemplate, Piece, Segment},
    yaml::Pointer,
};

/// What the author's own text in a path may not hold as it stands (RFC 3986 §3.3).
const LITERAL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'^').add(b'|').add(b'\\');

/// Compiles a path. `None` after a fault.
pub(super) fn compile(source: &str, params: &Params, at: &Pointer, context: &mut Context<'_>) -> Option<PathTemplate> {
    if !is_plain(source, Language::Path, at, context) {
        return None;
    }
    let mut faults = Faults::new();
    if !source.starts_with('/') {
        let message = "a path begins with `/`; the base of the source stands before it";
        let path = match source.split_once("://") {
            Some((_, address)) => address.find('/').and_then(|slash| address.get(slash..)).map(str::to_owned),
            None => Some(format!("/{source}")),
        };
        // What has more faults is not whole with a slash before it.
        let path = path.filter(|path| !path.contains(['?', '#']) && !path.contains(".."));
        let instead = path.map(|path| (format!("write `{path}`"), path));
        faults.push(Fault { instead, guessed: source.contains("://"), ..Fault::new(0..source.len(), message) });
    }
    if let Some(question) = source.find('?') {
        faults.push(Fault::new(question..source.len(), "query parameters go under `query`"));
    }
    if let Some(hash) = source.find('#') {
        faults.push(Fault::new(hash..source.len(), "a path has no fragment"));
    }
    let mut segments = Vec::new();
    let mut start = 1;
    for text in source.strip_prefix('/').unwrap_or(source).split('/') {
        match segment(text, start, params) {
            Ok(segment) => segments.push(segment),
            Err(mut found) => faults.append(&mut found),
        }
        start += text.len() + 1;
    }
    if faults.is_empty() {
        return Some(PathTemplate { segments, source: source.to_owned() });
    }
    for fault in faults {
        let span = context.part(at, fault.range);
        let diagnostic = Diagnostic::error(Code::PathParam, span, fault.message);
        context.push(match fault.instead {
            // How much of an address the base of the source has already, only its author knows.
            Some((help, text)) if fault.guessed => diagnostic.propose(help, span, text),
            Some((help, text)) => diagnostic.replace(help, span, text),
            None => diagnostic,
        });
    }
    None
}

struct Fault {
    range: Range<usize>,
    message: String,
    /// What to do, and the text to write in the place of the range.
    instead: Option<(String, String)>,
    /// Whether something else may have been meant.
    guessed: bool,
}

impl Fault {
    fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), instead: None, guessed: false }
    }
}

type Faults = Vec<Fault>;

fn segment(text: &str, start: usize, params: &Params) -> Result<Segment, Faults> {
    let mut pieces = Vec::new();
    let mut faults = Faults::new();
    let mut at = 0;
    if text == "." || text == ".." {
        return Err(vec![Fault::new(start..start + text.len(), "a path has no `.` and `..` segments")]);
    }
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(open) = rest.find(['{', '}']) else {
            pieces.push(literal(rest));
            break;
        };
        if open > 0 {
            pieces.push(literal(rest.get(..open).unwrap_or("")));
        }
        let from = at + open;
        let inner = text.get(from + 1..).unwrap_or("");
        if let Some((name, _)) = inner.strip_prefix('{').and_then(|inner| inner.split_once("}}")) {
            let end = from + name.len() + 4;
            let message = "a path takes its params in single braces";
            let instead = Some((format!("write `{{{name}}}`"), format!("{{{name}}}")));
            faults.push(Fault { instead, ..Fault::new(start + from..start + end, message) });
            at = end;
            continue;
        }
        let close = inner.find('}').filter(|_| rest.get(open..).is_some_and(|it| it.starts_with('{')));
        let Some(close) = close else {
            faults.push(Fault::new(start + from..start + from + 1, "`{` and `}` do not match"));
            break;
        };
        let name = inner.get(..close).unwrap_or("");
        let range = start + from..start + from + close + 2;
        match placed(name, range.clone(), params) {
            Ok(Placed::One) => pieces.push(Piece::Param(name.to_owned())),
            Ok(Placed::Several(name)) if from == 0 && close + 2 == text.len() => return Ok(Segment::Rest(name)),
            Ok(Placed::Several(name)) => {
                faults.push(Fault::new(range, format!("`{{{name}*}}` fills whole segments: nothing stands beside it")));
            }
            Err(fault) => faults.push(fault),
        }
        at = from + close + 2;
    }
    if faults.is_empty() { Ok(Segment::Pieces(pieces)) } else { Err(faults) }
}

enum Placed {
    One,
    Several(String),
}

fn placed(braced: &str, range: Range<usize>, params: &Params) -> Result<Placed, Fault> {
    let (name, several) = match braced.strip_suffix('*') {
        Some(name) => (name, true),
        None => (braced, false),
    };
    let placed = if several { Placed::Several(name.to_owned()) } else { Placed::One };
    let Some(param) = params.find(name) else {
        if params.is_known(name) {
            return Ok(placed);
        }
        let star = if several { "*" } else { "" };
        let near = crate::diag::closest(name, params.names()).map(|near| format!("{{{near}{star}}}"));
        let instead = near.map(|near| (format!("did you mean `{near}`?"), near));
        return Err(Fault { instead, ..Fault::new(range, format!("no param fills `{{{braced}}}`")) });
    };
    if param.presence == Presence::Sometimes {
        let message = format!("`{name}` fills a part of the path, so it must be required or have a default");
        return Err(Fault::new(range, message));
    }
    if !matches!(param.role, Role::Scalar | Role::Open) {
        let message = format!("`{name}` fills a part of the path, so it must be text, a number or a boolean");
        return Err(Fault::new(range, message));
    }
    Ok(placed)
}

fn literal(text: &str) -> Piece {
    Piece::Literal(utf8_percent_encode(text, LITERAL).to_string())
}

/// The params a path uses.
pub(super) fn used(path: &PathTemplate) -> Vec<String> {
    let mut names = Vec::new();
    for segment in &path.segments {
        match segment {
            Segment::Rest(name) => names.push(name.clone()),
            Segment::Pieces(pieces) => names.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Param(name) => Some(name.clone()),
                Piece::Literal(_) => None,
            })),
        }
    }
    names
}
