//! Floor 2. Charsets: the labels that answers carry (WHATWG Encoding Standard), byte order marks,
//! and what XML and HTML say about themselves.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

/// How far into a document its own words about its charset are looked for; browsers look as far.
const HEAD: usize = 1024;

/// How the characters of a document are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// UTF-8, also where nothing is said.
    pub const UTF_8: Self = Self(UTF_8);

    /// The charset of a label such as `iso-8859-1`; `None` when nobody knows it.
    #[must_use]
    pub fn named(label: &str) -> Option<Self> {
        Encoding::for_label(label.trim().as_bytes()).map(Self)
    }

    /// The charset that a document names in its first bytes: `<?xml … encoding="…"?>` or
    /// `<meta charset="…">`.
    #[must_use]
    pub fn declared(document: &[u8]) -> Option<Self> {
        let head = document.get(..document.len().min(HEAD)).unwrap_or(document);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let xml = head.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
        let named = match xml {
            Some(declaration) => after(declaration, "encoding"),
            None => head.split("<meta").skip(1).find_map(|tag| after(tag.split('>').next()?, "charset")),
        };
        named.and_then(|label| Self::named(&label))
    }

    /// The document as text, in the charset of its byte order mark if it has one. What is no
    /// character is replaced. UTF-8 that is well formed is not copied.
    #[must_use]
    pub fn text(self, document: &[u8]) -> Cow<'_, str> {
        self.0.decode(document).0
    }

    /// Whether the bytes are UTF-8 without a mark, as readers of JSON want them.
    #[must_use]
    pub fn is_plain(self, document: &[u8]) -> bool {
        self == Self::UTF_8 && Encoding::for_bom(document).is_none()
    }
}

/// The value of `name = "value"`, with any quotes or none.
fn after(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
    let rest = rest.trim_start_matches(['"', '\'']);
    let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && !"-_:.".contains(it)).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_its_charset() {
        for (label, body, expected) in [
            ("utf-8", &b"Z\xC3\xBCrich"[..], "Zürich"),
            ("UTF8", b"\xEF\xBB\xBFa", "a"),
            ("ISO-8859-1", b"Z\xFCrich \x80", "Zürich €"),
            ("latin1", b"caf\xE9", "café"),
            ("windows-1251", b"\xCF\xF0\xE8", "При"),
            ("shift_jis", b"\x93\xFA\x96\x7B", "日本"),
            ("gb18030", b"\xD6\xD0\xCE\xC4", "中文"),
            ("euc-kr", b"\xC7\xD1", "한"),
            ("utf-16le", b"a\0b\0", "ab"),
            ("utf-8", b"\xFF\xFEa\0", "a"),
            ("utf-8", b"caf\xE9", "caf\u{FFFD}"),
        ] {
            assert_eq!(Charset::named(label).unwrap().text(body), expected, "{label}");
        }
        assert_eq!(Charset::named("klingon"), None);
    }

    #[test]
    fn documents_say_it_themselves() {
        for (document, expected) in [
            ("<?xml version=\"1.0\" encoding='ISO-8859-1'?><a/>", Some("latin1")),
            ("<?xml version=\"1.0\"?><a encoding=\"koi8-r\"/>", None),
            ("<html><head><meta charset=windows-1252>", Some("windows-1252")),
            ("<META http-equiv=\"Content-Type\" content=\"text/html; charset=Shift_JIS\">", Some("sjis")),
            ("plain text with charset=koi8-r", None),
            ("", None),
        ] {
            assert_eq!(Charset::declared(document.as_bytes()), expected.and_then(Charset::named), "{document}");
        }
    }
}
