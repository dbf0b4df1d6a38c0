//! Floor 3. Which headers of a request are nobody's to set, for checking, for importing and for serving alike.

/// Headers of the connection.
const CONNECTION: [&str; 9] =
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"];
/// Headers that carry a credential.
const CREDENTIAL: [&str; 2] = ["authorization", "cookie"];
/// How headers begin by which a request would pass for another one.
const FORGED: [&str; 4] = ["forwarded", "x-forwarded", "proxy-", "x-http-method-override"];

/// Why neither an author nor an argument sets a header (rest.md §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It belongs to the connection.
    Connection,
    /// It says who is asking, which the source's `auth` and `cookies` say.
    Credential,
    /// The request would pass for another one.
    Forged,
}

impl Reserved {
    /// Whether a header is reserved, by its name in small letters.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if CONNECTION.contains(&name) {
            Some(Self::Connection)
        } else if CREDENTIAL.contains(&name) {
            Some(Self::Credential)
        } else {
            FORGED.iter().any(|forged| name.starts_with(forged)).then_some(Self::Forged)
        }
    }
}
