//! Floor 5. Reads what a source says in `WWW-Authenticate` about a token that may do too little (RFC 6750 §3.1).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// Longest list of scopes that is taken over.
const SCOPES_MAX: usize = 512;

/// The scopes that a refused token lacks, if that is the reason; empty when they are not named.
pub(super) fn insufficient_scope(headers: &HeaderMap) -> Option<String> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    challenges.into_iter().find_map(|challenge| {
        (param(challenge, "error")? == "insufficient_scope").then(|| {
            let scope = param(challenge, "scope").unwrap_or("");
            let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
            if scope.len() <= SCOPES_MAX && scope.bytes().all(fits) { scope.to_owned() } else { String::new() }
        })
    })
}

/// The value of a parameter, quoted or not.
fn param<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    let lower = challenge.to_ascii_lowercase();
    let start = lower.match_indices(name).find_map(|(at, _)| {
        let before = lower.get(..at)?.bytes().next_back();
        let whole = before.is_none_or(|byte| matches!(byte, b' ' | b',' | b'\t'));
        let after = lower.get(at + name.len()..)?.trim_start();
        (whole && after.starts_with('=')).then_some(at + name.len())
    })?;
    let value = challenge.get(start..)?.trim_start().strip_prefix('=')?.trim_start();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([',', ' ']).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_are_found_where_the_standard_puts_them() {
        for (written, expected) in [
            ("Bearer error=\"insufficient_scope\", scope=\"a b\"", Some("a b")),
            ("Bearer realm=\"x\", scope=\"a\", error=insufficient_scope", Some("a")),
            ("Bearer error=\"insufficient_scope\", error_description=\"scope=no\"", Some("")),
            ("Bearer error=\"insufficient_scope\"", Some("")),
            ("Bearer error=\"invalid_token\", scope=\"a\"", None),
            ("Basic realm=\"insufficient_scope\"", None),
        ] {
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, written.parse().unwrap())]);
            assert_eq!(insufficient_scope(&headers).as_deref(), expected, "{written}");
        }
    }
}
