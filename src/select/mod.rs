//! Floor 2. `JSONPath` (RFC 9535), the only door to the `JSONPath` crate. `check` compiles paths
//! and learns whether they are singular; `shape` selects and projects with them.

mod convert;
mod html;
mod parse;
mod project;
mod scan;
mod stream;
mod walk;

use std::collections::HashSet;
use std::ops::Range;

use jsonpath_rust::parser::model;
use serde_json::Value;

pub use convert::Convert;
pub use html::html_to_text;
pub use project::{Field, Projection, zip};
pub use stream::{Stream, Streamed};
pub use walk::TooManyNodes;

/// Longest path, in bytes.
pub const MAX_SOURCE: usize = 4096;

/// Why a text is no path, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The bytes of the path it is about.
    pub range: Range<usize>,
}

/// A compiled path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq)]
enum Segment {
    Child(Vec<Selector>),
    Descendant(Vec<Selector>),
}

#[derive(Clone, Debug, PartialEq)]
enum Selector {
    Name(String),
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Box<Filter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
}

/// A filter; its single tests are the library's.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    test: model::Filter,
    /// Whether it matches regular expressions, which the library compiles for every item.
    regex: bool,
}

/// A step of a path that names one place.
#[derive(Clone, Copy)]
enum Step<'p> {
    Name(&'p str),
    Index(i64),
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// The first fault with its place. Stricter than the library: blanks at the end, shorthand
    /// names with blanks or dashes and integers past 2^53 are refused as RFC 9535 asks for.
    pub fn compile(source: &str) -> Result<Self, PathError> {
        parse::path(source)
    }

    /// Whether the path names at most one place: names and indexes only.
    #[must_use]
    pub fn is_singular(&self) -> bool {
        self.segments.iter().all(|segment| segment.step().is_some())
    }

    /// Whether the path is `$`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// The member names of a plain chain: none for `$`, `a` and `b` for `$.a.b`; `None` for any
    /// other path.
    #[must_use]
    pub fn as_names(&self) -> Option<Vec<&str>> {
        let name = |segment| match Segment::step(segment)? {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        };
        self.segments.iter().map(name).collect()
    }

    /// All values the path finds, in the order of RFC 9535. Stops without a word at the bounds of
    /// [`Path::try_find`].
    #[must_use]
    pub fn find<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        let mut found = Vec::new();
        let _ = walk::find(&self.segments, root, &mut found);
        found
    }

    /// All values the path finds, in the order of RFC 9535.
    ///
    /// # Errors
    /// [`TooManyNodes`] when the path visits more of the value than its bounds allow.
    pub fn try_find<'v>(&self, root: &'v Value) -> Result<Vec<&'v Value>, TooManyNodes> {
        let mut found = Vec::new();
        walk::find(&self.segments, root, &mut found)?;
        Ok(found)
    }

    /// The first value the path finds.
    #[must_use]
    pub fn first<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        let mut value = root;
        for segment in &self.segments {
            let Some(step) = segment.step() else {
                return self.find(root).into_iter().next();
            };
            value = step.of(value)?;
        }
        Some(value)
    }

    /// What `select` yields: the value of a singular path (`None` when it is not there), the list
    /// of all found values for any other path.
    #[must_use]
    pub fn value(&self, root: &Value) -> Option<Value> {
        if self.is_singular() {
            return self.first(root).cloned();
        }
        Some(Value::Array(self.find(root).into_iter().cloned().collect()))
    }

    /// As [`Path::value`], but takes the value out of `root` where it can instead of copying it.
    #[must_use]
    pub fn take(&self, root: Value) -> Option<Value> {
        let Some((last, before)) = self.segments.split_last() else {
            return Some(root);
        };
        let every = matches!(last, Segment::Child(s) if matches!(s.as_slice(), [Selector::Wildcard]));
        let steps = if every { before } else { &self.segments };
        if steps.iter().any(|segment| segment.step().is_none()) {
            return self.value(&root);
        }
        let taken = steps.iter().try_fold(root, |value, segment| segment.step()?.out_of(value));
        if !every {
            return taken;
        }
        Some(match taken {
            Some(Value::Array(items)) => Value::Array(items),
            Some(Value::Object(map)) => map.into_iter().map(|(_, value)| value).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Value::Array(Vec::new()),
        })
    }

    /// Blots out everything the path finds: a text becomes `[redacted]`, anything else null, so
    /// that a schema still holds. The answer is how many places that were.
    ///
    /// # Errors
    /// [`TooManyNodes`]; then nothing was blotted out.
    pub fn blot(&self, root: &mut Value) -> Result<usize, TooManyNodes> {
        // A value has one address while the tree is not touched, so addresses name the places.
        let places: HashSet<usize> =
            self.try_find(root)?.into_iter().map(|value| std::ptr::from_ref(value).addr()).collect();
        let count = places.len();
        if count > 0 {
            walk::blot(root, &places);
        }
        Ok(count)
    }
}

impl Segment {
    fn step(&self) -> Option<Step<'_>> {
        match self {
            Self::Child(selectors) => match selectors.as_slice() {
                [Selector::Name(name)] => Some(Step::Name(name)),
                [Selector::Index(index)] => Some(Step::Index(*index)),
                _ => None,
            },
            Self::Descendant(_) => None,
        }
    }
}

impl Step<'_> {
    fn of(self, value: &Value) -> Option<&Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(map)) => map.get(name),
            (Self::Index(index), Value::Array(list)) => list.get(position(index, list.len())?),
            _ => None,
        }
    }

    fn out_of(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(mut map)) => map.swap_remove(name),
            (Self::Index(index), Value::Array(mut list)) => {
                let at = position(index, list.len())?;
                Some(list.swap_remove(at))
            }
            _ => None,
        }
    }
}

/// The position an index means in a list of this length; negative ones count from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < length)
}

#[cfg(test)]
mod tests;
