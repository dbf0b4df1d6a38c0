//! Floor 6. Results that are too long are cut between items, stay valid JSON, and say so.

use serde_json::{Map, Value, json};

/// How often the longest list is shortened before the result is given up on.
const ROUNDS_MAX: usize = 32;

/// What the note about what was left out takes of a result, in bytes at most.
pub(super) const NOTE_ROOM: usize = 160;

/// What was left out of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) shown: usize,
    pub(super) of: usize,
}

impl Cut {
    /// What the model is told.
    pub(super) fn note(self) -> Value {
        json!({
            "shown": self.shown,
            "of": self.of,
            "hint": "The rest was left out. Narrow the request by its arguments to see other items.",
        })
    }
}

/// Keeps the first items of a list.
pub(super) fn items(value: &mut Value, max: usize) -> Option<Cut> {
    let Value::Array(all) = value else { return None };
    let of = all.len();
    (of > max).then(|| {
        all.truncate(max);
        Cut { shown: max, of }
    })
}

/// Shortens lists until the printed value has at most `max` bytes: the list at the top first,
/// else the longest one inside. `None` when nothing had to go; `Err` when no list is long enough.
pub(super) fn bytes(value: &mut Value, max: usize) -> Result<Option<Cut>, TooLong> {
    let mut cut: Option<Cut> = None;
    for _ in 0..ROUNDS_MAX {
        let size = printed(value);
        if size <= max {
            return Ok(cut);
        }
        let Some(list) = longest(value) else { return Err(TooLong) };
        let of = cut.map_or(list.len(), |cut| cut.of.max(list.len()));
        // What is left of the list after as much of it went as the value is too long.
        let own: usize = list.iter().map(|item| printed(item) + 1).sum();
        let keep_bytes = own.saturating_sub(size - max);
        let mut shown = 0;
        let mut used = 0;
        for item in list.iter() {
            used += printed(item) + 1;
            if used > keep_bytes {
                break;
            }
            shown += 1;
        }
        let shown = shown.min(list.len().saturating_sub(1));
        list.truncate(shown);
        cut = Some(Cut { shown, of });
    }
    Err(TooLong)
}

/// A value that no list can be cut out of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// The list that takes the most room; the one at the top always goes first.
fn longest(value: &mut Value) -> Option<&mut Vec<Value>> {
    let path = longest_path(value)?.1;
    let mut at = value;
    for key in path {
        at = at.get_mut(&key)?;
    }
    at.as_array_mut()
}

fn longest_path(value: &Value) -> Option<(usize, Vec<String>)> {
    match value {
        Value::Array(items) if !items.is_empty() => Some((printed(value), Vec::new())),
        Value::Object(members) => inner(members),
        _ => None,
    }
}

fn inner(members: &Map<String, Value>) -> Option<(usize, Vec<String>)> {
    let found = members.iter().filter_map(|(key, value)| longest_path(value).map(|found| (key, found)));
    let (key, (size, mut path)) = found.max_by_key(|(_, (size, _))| *size)?;
    path.insert(0, key.clone());
    Some((size, path))
}

/// Bytes of the compact print.
pub(super) fn printed(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and every value can be printed.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Cuts text between characters and says so.
pub(super) fn text(text: &mut String, max: usize) {
    const NOTE: &str = "\n… (cut: the rest of the text was left out)";
    if text.len() <= max {
        return;
    }
    let mut end = max.saturating_sub(NOTE.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(NOTE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_between_items() {
        let mut value = json!((0..100).collect::<Vec<_>>());
        assert_eq!(items(&mut value, 3), Some(Cut { shown: 3, of: 100 }));
        assert_eq!(value, json!([0, 1, 2]));
        assert_eq!(items(&mut value, 3), None);
    }

    #[test]
    fn the_longest_list_is_cut_until_the_rest_fits() {
        let rows: Vec<_> = (0..1000).map(|id| json!({ "id": id, "name": "x".repeat(50) })).collect();
        let mut value = json!({ "total": 1000, "tags": ["a", "b"], "rows": rows });
        let cut = bytes(&mut value, 2000).unwrap().unwrap();
        assert!(printed(&value) <= 2000);
        assert_eq!(cut.of, 1000);
        assert_eq!(value["tags"], json!(["a", "b"]));
        assert_eq!(value["rows"].as_array().unwrap().len(), cut.shown);
        assert_eq!(bytes(&mut json!({ "text": "x".repeat(5000) }), 2000), Err(TooLong));
    }

    #[test]
    fn text_is_cut_between_characters() {
        let mut long = "ü".repeat(1000);
        text(&mut long, 301);
        assert!(long.len() <= 301 && long.contains("(cut:"));
    }
}
