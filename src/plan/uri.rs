//! Floor 3. Addresses of resources: fixed ones, and templates with `{x}` (RFC 6570, level 1).

use percent_encoding::percent_decode_str;

/// The address of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceUri {
    pieces: Vec<Piece>,
    written: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Param(String),
}

/// Why a text is no address: what is wrong, and the bytes it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriFault {
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The bytes of the text.
    pub range: std::ops::Range<usize>,
}

impl ResourceUri {
    /// Reads an address.
    ///
    /// # Errors
    /// Braces that are not in pairs, names that are none, values with nothing between them.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        let fault = |range, message: &str| Err(UriFault { message: message.to_owned(), range });
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        let at = |rest: &str| text.len() - rest.len();
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, tail) = rest.split_at(open);
            let start = at(tail);
            let Some(close) = tail.find('}').filter(|_| tail.starts_with('{')) else {
                return fault(start..start + 1, "a `{` or `}` stands alone");
            };
            let name = tail.get(1..close).unwrap_or_default();
            let range = start..start + close + 1;
            let plain = |it: char| it.is_ascii_alphanumeric() || it == '_';
            if !name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') || !name.chars().all(plain) {
                return fault(range, "only the plain form `{name}` stands for a value");
            }
            if pieces.iter().any(|piece| matches!(piece, Piece::Param(known) if known == name)) {
                return fault(range, "a value can stand in the address only once");
            }
            if literal.is_empty() && matches!(pieces.last(), Some(Piece::Param(_))) {
                return fault(range, "nobody can tell where the value before it ends: put a text between them");
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            pieces.push(Piece::Param(name.to_owned()));
            rest = tail.get(close + 1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces, written: text.to_owned() })
    }

    /// The address as it is written, which is how clients are told it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The names of its values.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Param(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// Whether it stands for many addresses.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.params().next().is_some()
    }

    /// The values that make the template this address; `None` when none do. A value is as short
    /// as it can be, and never empty.
    #[must_use]
    pub fn matches(&self, uri: &str) -> Option<Vec<(&str, String)>> {
        let mut values = Vec::new();
        let mut rest = uri;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            let name = match piece {
                Piece::Literal(text) => {
                    rest = rest.strip_prefix(text.as_str())?;
                    continue;
                }
                Piece::Param(name) => name.as_str(),
            };
            let next = match pieces.peek() {
                Some(Piece::Literal(text)) => Some(text.as_str()),
                _ => None,
            };
            // The last text must end the address, so that `a.b.json` fits `{x}.json`.
            let is_last = pieces.clone().count() == 1;
            let end = match next {
                None => rest.len(),
                Some(text) if is_last => rest.strip_suffix(text)?.len(),
                Some(text) => rest.find(text).filter(|end| *end > 0)?,
            };
            let (value, tail) = rest.split_at_checked(end)?;
            if value.is_empty() || value.contains(['/', '?', '#']) {
                return None;
            }
            let value = percent_decode_str(value).decode_utf8().ok()?;
            if value.chars().any(char::is_control) {
                return None;
            }
            values.push((name, value.into_owned()));
            rest = tail;
        }
        rest.is_empty().then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_its_template() {
        for (template, uri, expected) in [
            ("shop://policy", "shop://policy", Some(vec![])),
            ("shop://policy", "shop://policy/", None),
            ("shop://orders/{id}", "shop://orders/7", Some(vec!["7"])),
            ("shop://orders/{id}", "shop://orders/", None),
            ("shop://orders/{id}", "shop://orders/7/lines", None),
            ("shop://orders/{id}", "shop://orders/a%2Fb%20c", Some(vec!["a/b c"])),
            ("shop://orders/{id}", "shop://orders/%00", None),
            ("shop://orders/{id}", "shop://orders/%ff", None),
            ("shop://orders/{id}/data", "shop://orders/7/data", Some(vec!["7"])),
            ("shop://orders/{id}/data", "shop://orders//data", None),
            ("shop://{file}.json", "shop://a.b.json", Some(vec!["a.b"])),
            ("shop://{a}-{b}", "shop://x-y-z", Some(vec!["x", "y-z"])),
            ("shop://{a}/{b}?q={c}", "shop://x/y?q=z", Some(vec!["x", "y", "z"])),
        ] {
            let parsed = ResourceUri::parse(template).unwrap();
            let found = parsed.matches(uri).map(|all| all.into_iter().map(|(_, value)| value).collect::<Vec<_>>());
            assert_eq!(found, expected.map(|all| all.into_iter().map(str::to_owned).collect()), "{template} {uri}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_at_its_place() {
        for (text, range) in [
            ("shop://{id", 7..8),
            ("shop://id}", 9..10),
            ("shop://{}", 7..9),
            ("shop://{+path}", 7..14),
            ("shop://{a}{b}", 10..13),
            ("shop://{a}/{a}", 11..14),
        ] {
            assert_eq!(ResourceUri::parse(text).unwrap_err().range, range, "{text}");
        }
    }
}
