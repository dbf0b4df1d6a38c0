//! Floor 2. Walks a value along a path in the order of RFC 9535; filters alone are the library's.

use std::collections::HashSet;

use jsonpath_rust::parser::model::{Filter as Test, FilterAtom};
use jsonpath_rust::query::Query as _;
use jsonpath_rust::query::state::State;
use serde_json::Value;

use super::{Filter, Segment, Selector, Slice, Step};

/// How many nodes one evaluation may visit. A list of selectors multiplies what it is given, so
/// this bounds `$..*..*`.
pub const MAX_NODES: usize = 5_000_000;

/// How many items the filters with regular expressions may look at in one evaluation.
pub const MAX_REGEX_ITEMS: usize = 20_000;

/// How deep a descendant segment goes; parsed JSON is never that deep.
const MAX_DEPTH: usize = 512;

/// The path visits more of the value than one evaluation may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path visits more than {MAX_NODES} nodes, or {MAX_REGEX_ITEMS} with a regular expression")]
pub struct TooManyNodes;

struct Walk<'v> {
    root: &'v Value,
    nodes: usize,
    regex_items: usize,
}

pub(super) fn find<'v>(segments: &[Segment], root: &'v Value, found: &mut Vec<&'v Value>) -> Result<(), TooManyNodes> {
    let mut walk = Walk { root, nodes: MAX_NODES, regex_items: MAX_REGEX_ITEMS };
    let mut current = vec![root];
    let Some((last, before)) = segments.split_last() else {
        *found = current;
        return Ok(());
    };
    for segment in before {
        let mut next = Vec::new();
        walk.segment(segment, &current, &mut next)?;
        current = next;
    }
    walk.segment(last, &current, found)
}

impl<'v> Walk<'v> {
    fn visit(&mut self, nodes: usize) -> Result<(), TooManyNodes> {
        self.nodes = self.nodes.checked_sub(nodes).ok_or(TooManyNodes)?;
        Ok(())
    }

    fn segment(
        &mut self,
        segment: &Segment,
        current: &[&'v Value],
        found: &mut Vec<&'v Value>,
    ) -> Result<(), TooManyNodes> {
        for node in current {
            match segment {
                Segment::Child(selectors) => self.selectors(selectors, node, found)?,
                Segment::Descendant(selectors) => self.descend(selectors, node, found, 0)?,
            }
        }
        Ok(())
    }

    /// The node first, then what is below it: the order of section 2.5.2.
    fn descend(
        &mut self,
        selectors: &[Selector],
        node: &'v Value,
        found: &mut Vec<&'v Value>,
        depth: usize,
    ) -> Result<(), TooManyNodes> {
        self.selectors(selectors, node, found)?;
        if depth >= MAX_DEPTH {
            return Err(TooManyNodes);
        }
        match node {
            Value::Array(list) => list.iter().try_for_each(|item| self.descend(selectors, item, found, depth + 1)),
            Value::Object(map) => map.values().try_for_each(|item| self.descend(selectors, item, found, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn selectors(
        &mut self,
        selectors: &[Selector],
        node: &'v Value,
        found: &mut Vec<&'v Value>,
    ) -> Result<(), TooManyNodes> {
        for selector in selectors {
            self.visit(1)?;
            match selector {
                Selector::Name(name) => found.extend(Step::Name(name).of(node)),
                Selector::Index(index) => found.extend(Step::Index(*index).of(node)),
                Selector::Wildcard => {
                    self.visit(children(node))?;
                    match node {
                        Value::Array(list) => found.extend(list),
                        Value::Object(map) => found.extend(map.values()),
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
                    }
                }
                Selector::Slice(slice) => {
                    if let Value::Array(list) = node {
                        self.visit(list.len())?;
                        found.extend(slice.positions(list.len()).filter_map(|at| list.get(at)));
                    }
                }
                Selector::Filter(filter) => self.filter(filter, node, found)?,
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter, node: &'v Value, found: &mut Vec<&'v Value>) -> Result<(), TooManyNodes> {
        let items = children(node);
        self.visit(items)?;
        if filter.regex {
            self.regex_items = self.regex_items.checked_sub(items).ok_or(TooManyNodes)?;
        }
        let test = |item: &&'v Value| holds(&filter.test, item, self.root);
        match node {
            Value::Array(list) => found.extend(list.iter().filter(test)),
            Value::Object(map) => found.extend(map.values().filter(test)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    }
}

/// Whether an item passes a filter. The connectives are ours, because the library applies a whole
/// filter to a node's children and takes that node for `$`; it decides the single tests.
fn holds(test: &Test, item: &Value, root: &Value) -> bool {
    match test {
        Test::Or(tests) => tests.iter().any(|test| holds(test, item, root)),
        Test::And(tests) => tests.iter().all(|test| holds(test, item, root)),
        Test::Atom(FilterAtom::Filter { expr, not }) => holds(expr, item, root) != *not,
        Test::Atom(atom @ (FilterAtom::Test { .. } | FilterAtom::Comparison(_))) => {
            let state = State { root, data: State::root(item).data };
            atom.process(state).ok_val().and_then(|value| value.as_bool()).unwrap_or_default()
        }
    }
}

fn children(node: &Value) -> usize {
    match node {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

impl Slice {
    /// The positions of section 2.3.4.2.2, in order.
    fn positions(self, length: usize) -> impl Iterator<Item = usize> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let from_end = |at: i64| {
            if at < 0 { length.saturating_add(at) } else { at }
        };
        let (first, end) = if self.step >= 0 {
            let start = self.start.map_or(0, from_end).clamp(0, length);
            (start, self.end.map_or(length, from_end).clamp(0, length))
        } else {
            let start = self.start.map_or(length - 1, from_end).clamp(-1, length - 1);
            (start, self.end.map_or(-1, from_end).clamp(-1, length - 1))
        };
        let step = self.step;
        let inside = move |at: &i64| match step {
            1.. => *at < end,
            0 => false,
            ..0 => *at > end,
        };
        std::iter::successors(Some(first), move |at| at.checked_add(step))
            .take_while(inside)
            .filter_map(|at| usize::try_from(at).ok())
    }
}

/// Blots out the values at these addresses, with all that is inside.
pub(super) fn blot(value: &mut Value, places: &HashSet<usize>) {
    if places.contains(&std::ptr::from_ref::<Value>(value).addr()) {
        *value = if value.is_string() { "[redacted]".into() } else { Value::Null };
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(|item| blot(item, places)),
        Value::Object(map) => map.values_mut().for_each(|item| blot(item, places)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
