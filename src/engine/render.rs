//! Floor 6. The forms a shaped value can be shown in. Each says what was left out.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::cut::Cut;
use crate::{template::render_table, yaml};

/// Compact JSON. A list that was cut becomes an object that says so.
pub(super) fn json(value: &Value, cut: Option<Cut>) -> String {
    match cut {
        None => value.to_string(),
        Some(cut) => {
            let mut object = match value {
                Value::Object(members) => members.clone(),
                list => Map::from_iter([("items".to_owned(), list.clone())]),
            };
            object.insert("truncated".into(), cut.note());
            Value::Object(object).to_string()
        }
    }
}

/// YAML.
pub(super) fn yaml(value: &Value, cut: Option<Cut>) -> String {
    // The printer takes every JSON value; JSON stands in should it ever not.
    let text = yaml::print(value).unwrap_or_else(|_| value.to_string());
    with_note(text, cut)
}

/// A Markdown table of the items, with the members of all of them as columns.
pub(super) fn table(value: &Value, cut: Option<Cut>) -> String {
    let rows = rows(value);
    match render_table(&rows, &columns(&rows)) {
        Some(table) => with_note(table, cut),
        None => text(value, cut),
    }
}

/// Comma-separated values (RFC 4180) of the items, with a line of names.
pub(super) fn csv(value: &Value, cut: Option<Cut>) -> String {
    let rows = rows(value);
    let columns = columns(&rows);
    let mut text = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",");
    for row in &rows {
        let cells = columns.iter().map(|name| row.get(name).map_or(String::new(), |cell| quoted(&plain(cell))));
        text.push('\n');
        text.push_str(&cells.collect::<Vec<_>>().join(","));
    }
    with_note(text, cut)
}

/// JSON in which the names of the members stand once. What is no list of mappings, and a list whose
/// mappings have little in common, stands as it is. Cut between items where it would be longer than `max`.
pub(super) fn columnar(value: &Value, cut: Option<Cut>, max: usize) -> String {
    let Value::Array(items) = value else { return json(value, cut) };
    let names = columns(items);
    let members: usize = items.iter().filter_map(Value::as_object).map(Map::len).sum();
    let is_alike = names.len().saturating_mul(items.len()) <= members.saturating_mul(2);
    if names.is_empty() || !is_alike || !items.iter().all(Value::is_object) {
        return json(value, cut);
    }
    let mut rows: Vec<Value> = items.iter().map(|item| cells(item, &names)).collect();
    loop {
        let shown = rows.len();
        let cut =
            if shown < items.len() { Some(Cut { shown, of: cut.map_or(items.len(), |cut| cut.of) }) } else { cut };
        let mut object =
            Map::from_iter([("columns".to_owned(), names.clone().into()), ("rows".to_owned(), rows.into())]);
        if let Some(cut) = cut {
            object.insert("truncated".into(), cut.note());
        }
        // Every value can be printed.
        let text = serde_json::to_string(&object).unwrap_or_default();
        rows = match object.remove("rows") {
            Some(Value::Array(rows)) if text.len() > max && !rows.is_empty() => rows,
            _ => return text,
        };
        rows.pop();
    }
}

/// The members of a mapping in the order of their names.
fn cells(item: &Value, names: &[String]) -> Value {
    names.iter().map(|name| item.get(name).cloned().unwrap_or_default()).collect()
}

/// The value without quotes; items on lines of their own.
pub(super) fn text(value: &Value, cut: Option<Cut>) -> String {
    let text = match value {
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        one => plain(one),
    };
    with_note(text, cut)
}

fn with_note(mut text: String, cut: Option<Cut>) -> String {
    if let Some(cut) = cut {
        let (shown, left) = (cut.shown, cut.of.saturating_sub(cut.shown));
        // Writing to a String cannot fail.
        text.truncate(text.trim_end().len());
        let _ = write!(
            text,
            "\n\n({shown} shown, at least {left} more left out. Narrow the request by its arguments to see others.)"
        );
    }
    text
}

fn rows(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn columns(rows: &[Value]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_shows_the_same_items() {
        let value = json!([{ "id": 1, "name": "a, b" }, { "id": 2, "note": null }]);
        assert_eq!(csv(&value, None), "id,name,note\n1,\"a, b\",\n2,,");
        assert!(table(&value, None).contains("| 1 | a, b |"));
        assert_eq!(yaml(&value, None), "- id: 1\n  name: a, b\n- id: 2\n  note: null\n");
        assert_eq!(text(&json!(["x", 2]), None), "x\n2");
        let all = columnar(&value, None, 999);
        assert_eq!(all, r#"{"columns":["id","name","note"],"rows":[[1,"a, b",null],[2,null,null]]}"#);
        assert_eq!(columnar(&json!([1, { "a": 1 }]), None, 999), r#"[1,{"a":1}]"#);
        assert_eq!(columnar(&json!([{ "a": 1 }, { "b": 1 }, { "c": 1 }]), None, 999), r#"[{"a":1},{"b":1},{"c":1}]"#);
        assert_eq!(columnar(&json!({ "a": 1 }), None, 999), r#"{"a":1}"#);
        assert_eq!(columnar(&json!([]), None, 999), "[]");
        let cut = Some(Cut { shown: 2, of: 9 });
        assert!(columnar(&value, cut, 999).contains(r#"[2,null,null]],"truncated":{"shown":2,"of":9,"#));
        let long: Value = (0..200).map(|id| json!({ "id": id })).collect();
        let text = columnar(&long, None, 300);
        let shorter: Value = serde_json::from_str(&text).unwrap();
        let shown = shorter["rows"].as_array().unwrap().len();
        assert!(text.len() <= 300 && shown > 20, "{text}");
        assert_eq!((&shorter["truncated"]["shown"], &shorter["truncated"]["of"]), (&json!(shown), &json!(200)));
        assert!(json(&value, cut).contains(r#""truncated":{"shown":2,"of":9"#));
        assert!(csv(&value, cut).ends_with("see others.)"));
    }
}
