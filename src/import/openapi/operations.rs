//! Floor 7. The operations of a document, and which of them are wanted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, is_true, items, members, text};
use crate::import::{Skipped, Wanted};

/// Methods that a bridge can send.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];
/// Methods that it cannot.
const OTHERS: [&str; 2] = ["options", "trace"];

/// One operation.
pub(super) struct Operation<'d> {
    pub(super) method: &'d str,
    pub(super) path: &'d str,
    pub(super) id: Option<&'d str>,
    pub(super) tags: Vec<&'d str>,
    /// What the document says about it.
    pub(super) value: &'d Value,
    /// What it says about its path.
    pub(super) item: &'d Value,
}

impl<'d> Operation<'d> {
    /// What an operation is known by, also after the document has changed.
    pub(super) fn key(&self) -> String {
        format!("{} {}", self.method.to_ascii_uppercase(), self.path)
    }

    /// The parameters of the path and its own, which count where both name one.
    pub(super) fn parameters(&self, document: Document<'d>) -> Vec<&'d Value> {
        let place = |it: &Value| (it.get("in").cloned(), it.get("name").cloned());
        let mut all: Vec<&'d Value> = Vec::new();
        let lists = [self.item.get("parameters"), self.value.get("parameters")];
        for parameter in lists.into_iter().flat_map(items).filter_map(|it| document.follow(it)) {
            match all.iter_mut().find(|known| place(known) == place(parameter)) {
                Some(known) => *known = parameter,
                None => all.push(parameter),
            }
        }
        all
    }
}

/// Every operation, in the order of the document. What cannot be one is told.
pub(super) fn all<'d>(document: Document<'d>, skipped: &mut Vec<Skipped>) -> Vec<Operation<'d>> {
    let mut all = Vec::new();
    for (path, item) in members(document.root.get("paths")) {
        if path.starts_with("x-") {
            continue;
        }
        let Some(item) = document.follow(item).filter(|item| item.is_object()) else {
            skipped.push(Skipped::new(path, "what is said about the path is not in the document"));
            continue;
        };
        for (method, value) in members(Some(item)).filter(|(_, value)| value.is_object()) {
            let lower = method.as_str();
            if OTHERS.contains(&lower) {
                let key = format!("{} {path}", method.to_ascii_uppercase());
                skipped.push(Skipped::new(&key, "the method is not one that a tool can send"));
            } else if METHODS.contains(&lower) {
                let tags = items(value.get("tags")).filter_map(Value::as_str).map(str::trim);
                all.push(Operation {
                    method: lower,
                    path,
                    id: text(value.get("operationId")),
                    tags: tags.filter(|tag| !tag.is_empty()).collect(),
                    value,
                    item,
                });
            }
        }
    }
    all
}

/// Those that are wanted. Of the others only the deprecated ones are told.
///
/// # Errors
/// What to choose from, when nothing is left.
pub(super) fn chosen<'d>(
    mut all: Vec<Operation<'d>>,
    wanted: &Wanted,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Operation<'d>>, String> {
    if all.is_empty() {
        return Err("the document has no operations that a tool can be made of".into());
    }
    let count = all.len();
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in all.iter().flat_map(|operation| operation.tags.iter().copied()) {
        *tags.entry(tag).or_default() += 1;
    }
    all.retain(|operation| is_wanted(operation, wanted));
    if all.is_empty() {
        let tags: Vec<String> = tags.iter().take(60).map(|(tag, count)| format!("{tag} ({count})")).collect();
        let known = if tags.is_empty() { "it has no tags".into() } else { format!("its tags are {}", tags.join(", ")) };
        return Err(format!("none of the {count} operations is one of those; {known}"));
    }
    all.retain(|operation| {
        let out = is_true(operation.value.get("deprecated")) && !wanted.deprecated;
        if out {
            skipped.push(Skipped::new(&operation.key(), "it is deprecated (--deprecated takes it in)"));
        }
        !out
    });
    if all.is_empty() {
        return Err("all of these operations are deprecated: --deprecated takes them in".into());
    }
    Ok(all)
}

fn is_wanted(operation: &Operation<'_>, wanted: &Wanted) -> bool {
    let any = |patterns: &[String], given: &dyn Fn(&str) -> bool| {
        patterns.is_empty() || patterns.iter().any(|pattern| given(pattern))
    };
    any(&wanted.tags, &|tag| operation.tags.iter().any(|it| it.eq_ignore_ascii_case(tag.trim())))
        && any(&wanted.operations, &|pattern| {
            operation.id.is_some_and(|id| matches(pattern, id)) || operation.key() == pattern
        })
        && any(&wanted.paths, &|pattern| matches(pattern, operation.path))
        && any(&wanted.methods, &|method| operation.method.eq_ignore_ascii_case(method))
}

/// Whether a text fits a pattern, in which `*` stands for anything but slashes and `**` for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(at) = pattern.find('*') else { return pattern == text };
    let (head, rest) = pattern.split_at(at);
    let Some(text) = text.strip_prefix(head) else { return false };
    let (rest, crosses) = match rest.strip_prefix("**") {
        Some(rest) => (rest, true),
        None => (rest.get(1..).unwrap_or(""), false),
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let mut ends = ends.take_while(|end| crosses || !text.get(..*end).is_some_and(|it| it.contains('/')));
    ends.any(|end| text.get(end..).is_some_and(|text| matches(rest, text)))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_choose_paths() {
        for (pattern, text, expected) in [
            ("/pets", "/pets", true),
            ("/pets", "/pets/1", false),
            ("/pets/*", "/pets/{id}", true),
            ("/pets/*", "/pets/{id}/tags", false),
            ("/pets/**", "/pets/{id}/tags", true),
            ("/pets**", "/pets", true),
            ("/*/tags", "/pets/tags", true),
            ("list*", "list_pets", true),
            ("**", "/a/b", true),
            ("/repos/*/*/issues", "/repos/{a}/{b}/issues", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
