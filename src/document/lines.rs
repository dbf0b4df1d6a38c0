//! Floor 2. Documents of lines: one JSON value a line, and server-sent events.

use serde_json::{Map, Value};

use super::DocumentError;

/// Reads one JSON value a line; empty lines are skipped.
///
/// # Errors
/// [`DocumentError`] with the number of the line that is no JSON.
pub fn ndjson(text: &str) -> Result<Value, DocumentError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(at, line)| {
        // JSON text sequences (RFC 7464) put a record separator before each.
        let line = line.trim_start_matches('\u{1E}');
        serde_json::from_str(line).map_err(|error| DocumentError(format!("line {}: {error}", at + 1)))
    });
    read.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// Reads the events of a stream (WHATWG HTML §9.2.6). An event is its data, as JSON where it is
/// JSON; one with a name is a mapping of `event` and `data`. The `[DONE]` of model APIs is no event.
#[must_use]
pub fn events(text: &str) -> Value {
    let mut all = Vec::new();
    let mut event = String::new();
    let mut data: Option<String> = None;
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            let told = data.take().filter(|data| data != "[DONE]");
            let name = std::mem::take(&mut event);
            all.extend(told.map(|data| shaped(name, data)));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut data) {
            ("event", _) => value.clone_into(&mut event),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", none) => *none = Some(value.to_owned()),
            _ => {}
        }
    }
    Value::Array(all)
}

fn shaped(event: String, data: String) -> Value {
    let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
    if event.is_empty() || event == "message" {
        return data;
    }
    Value::Object(Map::from_iter([("event".to_owned(), Value::String(event)), ("data".to_owned(), data)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_and_events_become_lists() {
        assert_eq!(ndjson("{\"a\":1}\n\n[2]\r\n\u{1E}\"x\"\n"), Ok(json!([{ "a": 1 }, [2], "x"])));
        assert_eq!(ndjson(""), Ok(json!([])));
        let fault = ndjson("1\n{\"a\":\n2").unwrap_err();
        assert!(fault.to_string().starts_with("line 2: "), "{fault}");
        for (text, expected) in [
            ("data: {\"a\":1}\n\ndata: two\ndata: lines\n\n", json!([{ "a": 1 }, "two\nlines"])),
            (": hello\nevent: price\nid: 7\ndata: 5\n\n", json!([{ "event": "price", "data": 5 }])),
            ("data:1\n\nretry: 5\n\ndata: [DONE]\n\n", json!([1])),
            ("data: last without an end", json!(["last without an end"])),
            ("", json!([])),
        ] {
            assert_eq!(events(text), expected, "{text:?}");
        }
    }
}
