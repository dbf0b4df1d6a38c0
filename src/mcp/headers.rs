//! Floor 7. The protocol's own headers, and how their values are compared (protocol.md H-09 to H-12).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The headers that the protocol gives a meaning to; values as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`
    pub version: Option<&'a str>,
    /// `Mcp-Method`
    pub method: Option<&'a str>,
    /// `Mcp-Name`
    pub name: Option<&'a str>,
    /// `Mcp-Session-Id`
    pub session: Option<&'a str>,
}

/// A header's value without the white space around it.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// The text a value stands for: `=?base64?…?=` is decoded, anything else is itself. `None` for
/// an encoded value that cannot be decoded.
pub(super) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let value = trimmed(value);
    let inner = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match inner {
        None => Some(Cow::Borrowed(value)),
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn only_whole_markers_are_decoded() {
        for (value, text) in [
            ("find_books", Some("find_books")),
            (" find_books\t", Some("find_books")),
            ("=?base64?w7xiZXI=?=", Some("über")),
            ("=?base64?w7xiZXI=", Some("=?base64?w7xiZXI=")),
            ("=?BASE64?w7xiZXI=?=", Some("=?BASE64?w7xiZXI=?=")),
            ("=?base64?w7xiZXI?=", None),
            ("=?base64?!!?=", None),
        ] {
            assert_eq!(decoded(value).as_deref(), text, "{value}");
        }
    }
}
