//! Floor 7. Names and values as queries and forms carry them. A name that comes twice is a fault and not a
//! choice (RFC 6749 §3.1).

/// The names and values of a query or a form.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(String, String)>);

/// A name that came twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twice;

impl Pairs {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a name. An empty one is none.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Twice> {
        let mut all = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(Twice),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The same where two are as good as none.
    pub(super) fn only(&self, name: &str) -> Option<&str> {
        self.one(name).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_there_once_or_not_at_all() {
        let pairs = Pairs::parse(b"a=1&b=%20x+y&c=&d=1&d=1&e");
        assert_eq!(pairs.one("a"), Ok(Some("1")));
        assert_eq!(pairs.one("b"), Ok(Some(" x y")));
        assert_eq!((pairs.one("c"), pairs.one("e"), pairs.one("f")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(pairs.one("d"), Err(Twice));
    }
}
