//! Floor 3. Credentials of an upstream that callers bring along: where they stand, and who vouches for them.

use std::{collections::BTreeSet, time::Duration};

use super::{Auth, Plan, RestSource, SourceId, SourceKind, rest::Request};
use crate::select::Path;

/// Credentials of an upstream.
#[derive(Debug)]
pub struct Passthrough {
    /// The headers that carry them, in lower case; one of them where they are verified.
    pub headers: Vec<String>,
    /// What makes one good.
    pub proof: Proof,
    /// Where clients sign in.
    pub authorization_servers: Vec<String>,
    /// The scopes that clients are told of.
    pub scopes_supported: Vec<String>,
}

/// What makes a credential good.
#[derive(Debug)]
pub enum Proof {
    /// The upstream takes it.
    Verify(Box<Verify>),
    /// Nothing does: the author took the responsibility (auth.md §1.5, P6).
    None(Reach),
}

/// What somebody reaches who brings a credential that nobody has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only sources that are asked with that very credential.
    Theirs,
    /// Other sources too, so that the credential keeps nobody out.
    Others,
}

/// The request that tells whether a credential is good (auth.md §1.5, P6v).
#[derive(Debug)]
pub struct Verify {
    /// The source that is asked.
    pub source: SourceId,
    /// The request.
    pub request: Request,
    /// Where the caller's id stands in the answer.
    pub subject: Option<Path>,
    /// Where its workspace does.
    pub workspace: Option<Path>,
    /// What every such caller may do, with all that is implied.
    pub scopes: BTreeSet<String>,
    /// How long the answer is believed.
    pub cache: Duration,
}

impl Plan {
    /// What has to be said of credentials that go on as they came, in a sentence: the specification of
    /// MCP has servers accept tokens that are for them, and pass none on (auth.md §1.5). A key beside
    /// such a credential makes it one that is meant to go on (P4).
    #[must_use]
    pub fn passed_on(&self) -> Option<String> {
        self.server.passthrough.as_ref()?;
        let to = self.sources.iter().filter(|source| {
            matches!(&source.kind, SourceKind::Rest(RestSource { auth: Auth::Passthrough { .. }, .. }))
        });
        let names: Vec<_> = to.map(|source| format!("`{}`", source.name)).collect();
        let words = "callers are let in with credentials of an API, which go on to it as they are; the specification \
                     of MCP forbids that unless this server and the API are one to who issues them";
        (!names.is_empty()).then(|| format!("{words} ({})", names.join(", ")))
    }
}
