//! Floor 3. What the server will do, with every name resolved and everything compiled.
//! Built only by `check`; read by everyone above. Holds no handle and no secret value.

mod address;
mod admission;
mod authority;
mod care;
mod confirm;
mod oauth;
mod output;
mod passthrough;
mod query;
mod reply;
mod resource;
pub mod rest;
mod server;
mod source;
pub mod sql;
pub mod steps;
pub mod test;
mod tool;
mod transaction;
mod uri;

pub use address::is_local;
pub use admission::{Admission, Bound, CallerPart, Rate, Requirement};
pub use authority::{AllowedPeople, Authority, ConsentMode, Lifetimes, Provider, Registration, RegistrationPolicy};
pub use care::{Bounds, Breaker, Caching, Care, Next, Paginate, Retry, Sharing, Turning};
pub use confirm::Confirmation;
pub use oauth::{Algorithm, ClaimNames, Introspection, Issuer, Oauth, Workspace};
pub use output::{Output, SentAs, Structured, TextForm, Zip};
pub use passthrough::{Passthrough, Proof, Reach, Verify};
pub use query::{ColumnOverride, Effect, Extent, Query};
pub use reply::{
    Asks, Content, EmbeddedBody, Item, Level, LinkAbout, Log, Media, Need, ProgressNote, Question, QuestionKind, Reply,
};
pub use resource::{Completion, Prompt, PromptArgument, Resource, Role, Watch};
pub use server::{
    ApiKey, ApiKeys, Assertion, Audit, AuditArguments, AuditPlace, Implied, KeyProof, Limits, ListenerTls, Public,
    Reload, Server, StatePlace, Stored, with_implied,
};
pub use source::{
    Auth, ClientAuth, Engine, Grant, Identity, Network, Place, Pool, Powers, Prepared, Redirects, Remote, RestSource,
    Setting, SettingValue, Source, SourceKind, SqlSource, Tls, TlsMode, TokenRequest,
};
pub use tool::{Annotations, Mirror, Operation, Tool};
pub use transaction::{Gives, Part, Transaction};
pub use uri::{ResourceUri, UriFault};

/// Names one bridge of a [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BridgeId(pub(crate) usize);

/// Names one source of a [`Plan`]: holding one means that the source exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceId(pub(crate) usize);

impl SourceId {
    /// The position of the source in [`Plan::sources`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Everything that is served, resolved and immutable.
#[derive(Debug, Default)]
pub struct Plan {
    /// The bridges, in the order of the files.
    pub bridges: Vec<Bridge>,
    /// The sources of all bridges. A [`SourceId`] is a position here.
    pub sources: Vec<Source>,
    /// The tools of all bridges, in the order of the files.
    pub tools: Vec<Tool>,
    /// The resources of all bridges, in the order of the files.
    pub resources: Vec<Resource>,
    /// The prompts of all bridges, in the order of the files.
    pub prompts: Vec<Prompt>,
    /// Where the server listens and who may call.
    pub server: Server,
}

/// One MCP server identity.
#[derive(Debug)]
pub struct Bridge {
    /// Identity, and path `/mcp/NAME`.
    pub name: String,
    /// `serverInfo.version`.
    pub version: String,
    /// `serverInfo.title`.
    pub title: Option<String>,
    /// What the bridge covers.
    pub description: Option<String>,
    /// A page about it.
    pub website: Option<String>,
    /// The author's guidance.
    pub guidance: String,
    /// Whether a generated part follows the guidance.
    pub generated: Generated,
}

/// Whether instructions have a generated part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// It follows the author's text.
    Follows,
    /// The author turned it off.
    Off,
}

impl Plan {
    /// The source an id stands for.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0)
    }

    /// The tools of one bridge, in the order of its file.
    pub fn tools_of(&self, bridge: BridgeId) -> impl Iterator<Item = &Tool> {
        self.tools.iter().filter(move |tool| tool.bridge == bridge)
    }

    /// Every bridge with its id.
    pub fn bridges(&self) -> impl Iterator<Item = (BridgeId, &Bridge)> {
        self.bridges.iter().enumerate().map(|(at, bridge)| (BridgeId(at), bridge))
    }

    /// Every source with its id.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().enumerate().map(|(at, source)| (SourceId(at), source))
    }
}
