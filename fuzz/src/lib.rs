//! What must hold for any bytes at all. The fuzz targets run it with bytes that a fuzzer finds, and
//! `tests/fuzzing.rs` with the corpus of hostile messages and changes of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mcp_bridge::mcp::{
    Headers, Revision,
    probe::{self, Sort},
};
use serde_json::value::RawValue;

/// The member of an envelope that claims a revision.
const CLAIM: &str = "io.modelcontextprotocol/protocolVersion";
/// Characters of an id at most, and of a refusal that quotes what it refuses.
const ID_MAX: usize = 1024;
const REFUSAL_MAX: usize = 4096;

/// Bytes as the body of a POST.
pub fn body(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes);
    match probe::body(bytes) {
        Ok(messages) => {
            let text = text.expect("messages are text");
            for seen in messages {
                let named = !seen.id.is_empty();
                match seen.sort {
                    Sort::Request => assert!(named, "what wants an answer has an id"),
                    Sort::Notification => assert!(!named, "a notification is a message without an id"),
                    // An error about a message whose id could not be read has none that would be known here.
                    Sort::Response => {}
                }
                if named {
                    assert!(text.contains(&seen.id) && seen.id.len() <= ID_MAX, "an id comes back as it came");
                    let id: &RawValue = serde_json::from_str(&seen.id).expect("an id is JSON");
                    assert!(id.get().starts_with(['"', '-']) || id.get().parse::<f64>().is_ok(), "{}", seen.id);
                    assert!(!id.get().contains(['.', 'e', 'E']) || id.get().starts_with('"'), "{}", seen.id);
                }
                // What is read must mean the same wherever white space stands.
                let padded = probe::body(format!(" \r\n{text}\t").as_bytes()).expect("white space means nothing");
                assert!(padded.contains(&seen));
            }
        }
        Err(refusal) => {
            told(&refusal);
        }
    }
}

/// A body behind three lines, which are the headers of revision, method and name; an empty line is none.
pub fn era(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || parts.next().and_then(|line| std::str::from_utf8(line).ok()).filter(|line| !line.is_empty());
    let (version, method, name) = (line(), line(), line());
    let body = parts.next().unwrap_or_default();
    let Some(decided) = probe::era(body, Headers { version, method, name, session: None }) else { return };
    let seen = probe::body(body).expect("a request was read").pop().expect("one request");
    let bare = |line: Option<&str>| line.map(|line| line.trim_matches([' ', '\t']).to_owned());
    // Escapes can spell the claim in many ways.
    let claims = body.contains(&b'\\') || String::from_utf8_lossy(body).contains(CLAIM);
    match decided {
        // A handshake that claims to be stateless is one of its unknown methods, whatever the headers say.
        Ok(revision) if revision.is_stateless() => {
            assert!(claims, "{revision} without a claim");
            if seen.method != "initialize" {
                assert_eq!(bare(version).as_deref(), Some(revision.as_str()), "the header agrees with the claim");
                assert_eq!(bare(method).as_deref(), Some(&*seen.method), "the header agrees with the method");
            }
        }
        // Where neither claims a revision, it is the assumed one, or the newest with a handshake.
        Ok(revision) if version.is_none() && !claims => {
            let expected = if seen.method == "initialize" { Revision::LATEST_LEGACY } else { Revision::ASSUMED };
            assert_eq!(revision, expected);
        }
        Ok(_) => {}
        Err(refusal) => told(&refusal),
    }
}

/// A refusal is JSON, and quotes only so much of what it refuses.
fn told(refusal: &[u8]) {
    assert!(refusal.len() <= REFUSAL_MAX, "a refusal of {} bytes", refusal.len());
    assert!(serde_json::from_slice::<&RawValue>(refusal).is_ok(), "{}", String::from_utf8_lossy(refusal));
}

/// Bytes as the value of a header, and as a text that is put into one.
pub fn header(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let encoded = format!("=?base64?{}?=", STANDARD.encode(text));
    assert_eq!(probe::header(&encoded).as_deref(), Some(text), "what is encoded is decoded");
    let plain = text.trim_matches([' ', '\t']);
    match probe::header(text) {
        None => assert!(plain.starts_with("=?base64?") && plain.ends_with("?="), "only an encoded value can be broken"),
        Some(found) if plain.starts_with("=?base64?") && plain.ends_with("?=") && plain.len() >= 11 => {
            assert_eq!(format!("=?base64?{}?=", STANDARD.encode(&*found)), plain, "one text, one encoding");
        }
        Some(found) => assert_eq!(found, plain, "anything else is itself"),
    }
}
