//! Floor 7. Answers are written once, from the parts that are JSON already.

use serde_json::{Map, Value};

use super::Payload;

/// Begins the answer to a request.
pub(super) fn begin(id: &str, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + id.len() + 64);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":");
    out
}

/// Writes a whole answer; `identity` is the last member of stateless results.
pub(super) fn result(id: &str, result: Map<String, Value>, identity: Option<&[u8]>) -> Vec<u8> {
    let result = Value::Object(result).to_string();
    let identity = identity.unwrap_or_default();
    let mut out = begin(id, result.len() + identity.len());
    out.extend_from_slice(result.strip_suffix('}').unwrap_or(&result).as_bytes());
    out.extend_from_slice(identity);
    out.extend_from_slice(b"}}");
    out
}

/// Writes a notification. `own` are members of its params that are JSON already: what a client chose, an id or a
/// token, goes back as it came (protocol.md J-01, U-01, U-05).
pub(super) fn notification(method: &str, params: Map<String, Value>, own: &[(&str, &str)]) -> Payload {
    let params = Value::Object(params).to_string();
    let mut out = Vec::with_capacity(params.len() + method.len() + 96);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":");
    string(method, &mut out);
    out.extend_from_slice(b",\"params\":");
    out.extend_from_slice(params.strip_suffix('}').unwrap_or(&params).as_bytes());
    for (name, json) in own {
        if !out.ends_with(b"{") {
            out.push(b',');
        }
        string(name, &mut out);
        out.push(b':');
        out.extend_from_slice(json.as_bytes());
    }
    out.extend_from_slice(b"}}");
    out.into()
}

/// Writes text as a JSON string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    // Every text can be printed, and writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Writes a JSON document as a JSON string, without the white space between its tokens.
/// The document was checked to be UTF-8; what is no JSON comes out as it went in, escaped.
pub(super) fn document(json: &[u8], out: &mut Vec<u8>) {
    out.reserve(json.len() + json.len() / 4 + 2);
    out.push(b'"');
    let (mut rest, mut place) = (json, Place::Between);
    loop {
        rest = plain(rest, place, out);
        let Some((byte, tail)) = rest.split_first() else { break };
        rest = tail;
        match (*byte, place) {
            (b'"', _) => {
                out.extend_from_slice(b"\\\"");
                place = place.other();
            }
            (b'\\', _) => {
                out.extend_from_slice(b"\\\\");
                // The character behind a back-slash never ends a string.
                if let [next @ (b'"' | b'\\'), tail @ ..] = rest {
                    out.extend_from_slice(&[b'\\', *next]);
                    rest = tail;
                }
            }
            (b' ' | b'\n' | b'\r' | b'\t', Place::Between) => {
                let more = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
                rest = rest.get(more..).unwrap_or_default();
            }
            (control @ ..b' ', _) => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
            (other, _) => out.push(other),
        }
    }
    out.push(b'"');
}

/// Bytes that are looked at together.
const WORD: usize = size_of::<u64>();

/// Copies what stands as it is, a word at a time: a string of JSON is often shorter than what a search and
/// a copy of its own would cost. Returns what begins with something else, or is shorter than a word.
fn plain<'a>(mut rest: &'a [u8], place: Place, out: &mut Vec<u8>) -> &'a [u8] {
    while let Some((word, tail)) = rest.split_first_chunk::<WORD>() {
        out.extend_from_slice(word);
        let marked = place.marked(u64::from_le_bytes(*word));
        if marked == 0 {
            rest = tail;
            continue;
        }
        let plain = marked.trailing_zeros() as usize / 8;
        out.truncate(out.len() + plain - WORD);
        return rest.get(plain..).unwrap_or_default();
    }
    rest
}

/// Where in a document a character stands.
#[derive(Clone, Copy)]
enum Place {
    /// Between strings, where white space has no meaning.
    Between,
    /// Within a string.
    Within,
}

impl Place {
    const fn other(self) -> Self {
        match self {
            Self::Between => Self::Within,
            Self::Within => Self::Between,
        }
    }

    /// The bytes of a word that do not stand as they are: the lowest bit that is set is the highest bit of
    /// the first one. Bits above it say nothing.
    const fn marked(self, word: u64) -> u64 {
        /// One in every byte.
        const ONES: u64 = u64::MAX / 0xff;
        const HIGHEST: u64 = ONES << 7;
        // In a byte below `least`, and in none above it before the first of them, the subtraction borrows.
        const fn below(word: u64, least: u8) -> u64 {
            word.wrapping_sub(ONES * least as u64) & !word & HIGHEST
        }
        let controls = match self {
            Self::Between => below(word, b' ' + 1),
            Self::Within => below(word, b' '),
        };
        controls | below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_chose_goes_back_as_it_came() {
        let params = |text: &str| serde_json::from_str(text).unwrap();
        for (given, own, expected) in [
            ("{}", &[][..], "{}"),
            ("{}", &[("id", "1e3")], r#"{"id":1e3}"#),
            (r#"{"a":1}"#, &[("id", "\"\\ud800\""), ("b", "{}")], r#"{"a":1,"id":"\ud800","b":{}}"#),
        ] {
            let printed = notification("n", params(given), own);
            let expected = format!(r#"{{"jsonrpc":"2.0","method":"n","params":{expected}}}"#);
            assert_eq!(String::from_utf8_lossy(&printed.head), expected);
        }
    }

    #[test]
    fn a_document_becomes_a_string_that_holds_it_compactly() {
        for (json, compact) in [
            (r#"{ "a" : [1, 2],  "b": "x  y" }"#, r#"{"a":[1,2],"b":"x  y"}"#),
            ("{\n\t\"a\": \"\\\"q\\\" \\\\\", \"b\": \"\\\\\" }\r\n", r#"{"a":"\"q\" \\","b":"\\"}"#),
            (r#""just text""#, r#""just text""#),
            ("[ \"ü \u{1F600}\" ]", "[\"ü \u{1F600}\"]"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            document(json.as_bytes(), &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), compact, "{json}");
        }
    }

    /// As it is written by something that knows no words: one byte after the other.
    #[test]
    fn every_byte_is_written_at_every_place_of_a_word() {
        for byte in (0..=0x7f).map(char::from).chain(['ü']) {
            for at in 0..20 {
                let inside = format!("{}{byte}{}", "x".repeat(at), "y".repeat(19 - at));
                let json = serde_json::to_string(&[&inside]).unwrap();
                for document_text in [json.clone(), format!(" [\n{}", json.trim_start_matches('[')), inside.clone()] {
                    let mut out = Vec::new();
                    document(document_text.as_bytes(), &mut out);
                    let read: String = serde_json::from_slice(&out).unwrap();
                    let expected = match serde_json::from_str::<Value>(&document_text) {
                        Ok(value) => value.to_string(),
                        Err(_) => document_text.replace([' ', '\n', '\r', '\t'], ""),
                    };
                    assert_eq!(read, expected, "{byte:?} at {at}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_json_still_becomes_a_string() {
        for text in ["\"open", "\\", "a\u{1}b", "\"\u{1}\"", "{\"a\": \"b\\"] {
            let mut out = Vec::new();
            document(text.as_bytes(), &mut out);
            assert!(serde_json::from_slice::<String>(&out).is_ok(), "{text:?}");
        }
    }
}
