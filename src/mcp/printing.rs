//! Floor 7. Answers are written once, from the parts that are JSON already.

/// Begins the answer to a request.
pub(super) fn begin(id: &str, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + id.len() + 64);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b",\"result\":");
    out
}

/// Writes text as a JSON string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    // Every text can be printed, and writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Writes a JSON document as a JSON string, without the white space between its tokens.
/// The document was checked to be UTF-8; what is no JSON comes out as it went in, escaped.
pub(super) fn document(json: &[u8], out: &mut Vec<u8>) {
    out.reserve(json.len() + json.len() / 8 + 2);
    out.push(b'"');
    let mut rest = json;
    let mut in_string = false;
    while let Some(at) = rest.iter().position(|byte| SPECIAL.get(usize::from(*byte)).copied().unwrap_or(true)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        rest = tail;
        match *byte {
            b'"' => {
                in_string = !in_string;
                out.extend_from_slice(b"\\\"");
            }
            b'\\' => {
                out.extend_from_slice(b"\\\\");
                // The character behind a back-slash never ends a string.
                if let Some((b'"', tail)) = rest.split_first().map(|(byte, tail)| (*byte, tail)) {
                    out.extend_from_slice(b"\\\"");
                    rest = tail;
                } else if let Some((b'\\', tail)) = rest.split_first().map(|(byte, tail)| (*byte, tail)) {
                    out.extend_from_slice(b"\\\\");
                    rest = tail;
                }
            }
            b' ' if in_string => out.push(b' '),
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {}
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Bytes that cannot be copied as they are: control characters, blanks, quotes, back-slashes.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte <= 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_is_no_json_still_becomes_a_string() {
        for text in ["\"open", "\\", "a\u{1}b", "\"\u{1}\"", "{\"a\": \"b\\"] {
            let mut out = Vec::new();
            document(text.as_bytes(), &mut out);
            assert!(serde_json::from_slice::<String>(&out).is_ok(), "{text:?}");
        }
    }
}
