//! Floor 4. Paths such as `/grid/{office}/{x},{y}/forecast`: split into segments, every `{x}` bound.

use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    context::Context,
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
    let mut faults = Vec::new();
    if !source.starts_with('/') {
        faults.push((
            0..source.len().min(1),
            "a path begins with `/`; the base of the source stands before it".to_owned(),
        ));
    }
    if let Some(question) = source.find('?') {
        faults.push((question..source.len(), "query parameters go under `query`".to_owned()));
    }
    if let Some(hash) = source.find('#') {
        faults.push((hash..source.len(), "a path has no fragment".to_owned()));
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
    for (range, message) in faults {
        let span = context.part(at, range);
        let fault = Diagnostic::error(Code::PathParam, span, message);
        context.push(if source.contains("{{") {
            fault.help("a path takes its params in single braces: `{id}`")
        } else {
            fault
        });
    }
    None
}

type Faults = Vec<(Range<usize>, String)>;

fn segment(text: &str, start: usize, params: &Params) -> Result<Segment, Faults> {
    let mut pieces = Vec::new();
    let mut faults = Faults::new();
    let mut at = 0;
    if text == "." || text == ".." {
        return Err(vec![(start..start + text.len(), "a path has no `.` and `..` segments".into())]);
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
        let close = inner.find('}').filter(|_| rest.get(open..).is_some_and(|it| it.starts_with('{')));
        let Some(close) = close else {
            faults.push((start + from..start + from + 1, "`{` and `}` do not match".into()));
            break;
        };
        let name = inner.get(..close).unwrap_or("");
        let range = start + from..start + from + close + 2;
        match placed(name, params) {
            Ok(Placed::One) => pieces.push(Piece::Param(name.to_owned())),
            Ok(Placed::Several(name)) if from == 0 && close + 2 == text.len() => return Ok(Segment::Rest(name)),
            Ok(Placed::Several(_)) => {
                faults.push((range, "`{x*}` fills whole segments: nothing stands beside it".into()))
            }
            Err(message) => faults.push((range, message)),
        }
        at = from + close + 2;
    }
    if faults.is_empty() { Ok(Segment::Pieces(pieces)) } else { Err(faults) }
}

enum Placed {
    One,
    Several(String),
}

fn placed(name: &str, params: &Params) -> Result<Placed, String> {
    let (name, several) = match name.strip_suffix('*') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let Some(param) = params.find(name) else {
        let near = crate::diag::closest(name, params.names());
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(format!("no param fills `{{{name}}}`{hint}"));
    };
    if param.presence == Presence::Sometimes {
        return Err(format!("`{name}` fills a part of the path, so it must be required or have a default"));
    }
    if !matches!(param.role, Role::Scalar) {
        return Err(format!("`{name}` fills a part of the path, so it must be text, a number or a boolean"));
    }
    Ok(if several { Placed::Several(name.to_owned()) } else { Placed::One })
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
