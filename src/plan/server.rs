//! Floor 3. Where the server listens and who may call.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::{Authority, Oauth, Passthrough, Proof, Rate, Reach};
use crate::secret::SecretId;

/// Settings of the server.
#[derive(Debug)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Host names that requests may be for, besides loopback: lower case, with a port where it counts.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call, besides loopback ones: `scheme://host[:port]`.
    pub allowed_origins: Vec<String>,
    /// The keys that are accepted; `None` when nobody has to identify themselves.
    pub api_keys: Option<ApiKeys>,
    /// The address that clients use: scheme and host, without a `/` at its end.
    pub public_url: Option<String>,
    /// The issuers whose tokens are accepted; `None` when none are.
    pub oauth: Option<Oauth>,
    /// How this server issues tokens of its own; `None` when it does not.
    pub authority: Option<Authority>,
    /// The credentials of an upstream that are accepted; `None` when none are.
    pub passthrough: Option<Arc<Passthrough>>,
    /// What each declared scope includes besides itself, however far away.
    pub scopes: BTreeMap<String, BTreeSet<String>>,
    /// The words that people are shown for scopes.
    pub scope_titles: BTreeMap<String, String>,
    /// Where calls and decisions are recorded.
    pub audit: Option<Audit>,
    /// The certificate of the listener; `None` for plain HTTP.
    pub tls: Option<ListenerTls>,
    /// Where is kept what the server remembers, when it is asked to.
    pub state: Option<StatePlace>,
    /// How often may be called.
    pub limits: Limits,
    /// The header in which callers name the person behind them, in lower case.
    pub end_user_header: Option<String>,
    /// Proxies whose word for an address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether any address may be listened on without keys.
    pub public: Public,
    /// What session ids are signed with; `None` when nothing has to be believed of them.
    pub signing_key: Option<SecretId>,
    /// Whether changed files are served without a new start.
    pub reload: Reload,
    /// How long calls under way are waited for at the end.
    pub shutdown_grace: Duration,
}

/// Whether changed files are served without a new start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// They are watched.
    Watched,
    /// They are read once.
    Never,
}

/// Whether any address may be listened on although nobody has to identify themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    /// Only loopback addresses.
    Guarded,
    /// Any: the author took the responsibility.
    Unsafe,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            api_keys: None,
            public_url: None,
            oauth: None,
            authority: None,
            passthrough: None,
            scopes: BTreeMap::new(),
            scope_titles: BTreeMap::new(),
            audit: None,
            tls: None,
            state: None,
            limits: Limits::default(),
            end_user_header: None,
            trusted_proxies: Vec::new(),
            public: Public::Guarded,
            signing_key: None,
            reload: Reload::Watched,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Where is kept what the server remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// In a file, for one server.
    File(PathBuf),
    /// In a PostgreSQL database, for all who share its address.
    Postgres(SecretId),
}

/// Where calls and decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Where.
    pub place: AuditPlace,
    /// What is kept of arguments.
    pub arguments: AuditArguments,
}

/// Where calls and decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditPlace {
    /// In a file, which is put aside when it has grown to so many bytes; so many of those are kept.
    File {
        /// The file.
        path: PathBuf,
        /// Its size at most, in bytes.
        most: u64,
        /// How many are kept besides.
        keep: u32,
    },
    /// In the database of the state.
    State,
}

/// What is kept of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditArguments {
    /// A digest.
    Digest,
    /// All of them.
    Plain,
}

/// The certificate of the listener, in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificate and those above it.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of which clients must have a certificate.
    pub client_ca: Option<PathBuf>,
}

/// How often may be called.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// By one caller.
    pub caller: Option<Rate>,
    /// By one person behind a caller.
    pub end_user: Option<Rate>,
    /// From one address without a valid credential.
    pub stranger: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        let stranger = Rate { count: 60, per: Duration::from_mins(1) };
        Self { caller: None, end_user: None, stranger }
    }
}

/// Keys that callers identify themselves with.
#[derive(Debug, Default)]
pub struct ApiKeys {
    /// The keys.
    pub keys: Vec<ApiKey>,
    /// Whether keys of the state are accepted too.
    pub stored: Stored,
    /// A header that may carry the key besides `Authorization`, in lower case.
    pub header: Option<String>,
}

/// Whether keys of the state are accepted too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    /// Only those of the files.
    #[default]
    Refused,
    /// Those made by `mcp-bridge keys create`, too.
    Accepted,
}

/// One key.
#[derive(Debug)]
pub struct ApiKey {
    /// The caller's name.
    pub name: String,
    /// How the key is recognised.
    pub proof: KeyProof,
    /// The caller's workspace.
    pub workspace: Option<String>,
    /// What the caller may do, as it is written.
    pub scopes: Vec<String>,
    /// Whether the caller is believed when it names the person behind it.
    pub end_users: Assertion,
}

/// Whether a caller is believed when it names the person behind it (auth.md §4.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assertion {
    /// What it says counts for limits and logs alone.
    #[default]
    Hearsay,
    /// What it says is the person's identity.
    Believed,
}

impl Server {
    /// Whether callers have to bring a credential.
    #[must_use]
    pub const fn asks_callers(&self) -> bool {
        self.api_keys.is_some() || self.signs_in() || self.passthrough.is_some()
    }

    /// Whether callers may bring tokens of an issuer, another's or this server's own.
    #[must_use]
    pub const fn signs_in(&self) -> bool {
        self.oauth.is_some() || self.authority.is_some()
    }

    /// Whether strangers reach nothing: a credential that nobody verifies keeps them only out of the
    /// sources that look at it.
    #[must_use]
    pub fn keeps_strangers_out(&self) -> bool {
        let proof = self.passthrough.as_ref().map(|it| &it.proof);
        self.asks_callers() && !matches!(proof, Some(Proof::None(Reach::Others)))
    }

    /// Where clients are told to sign in, in the order in which they should try.
    #[must_use]
    pub fn authorization_servers(&self) -> Vec<&str> {
        let issuers = self.oauth.iter().flat_map(|oauth| &oauth.issuers).map(|issuer| issuer.id.as_str());
        let upstream = self.passthrough.iter().flat_map(|it| &it.authorization_servers).map(String::as_str);
        let own = self.public_url.as_deref().filter(|_| self.authority.is_some());
        own.into_iter().chain(issuers).chain(upstream).collect()
    }

    /// The scopes that clients are told to ask for first.
    #[must_use]
    pub fn scopes_supported(&self) -> Vec<&str> {
        let ours = self.oauth.iter().flat_map(|oauth| &oauth.scopes_supported);
        let theirs = self.passthrough.iter().flat_map(|it| &it.scopes_supported);
        let own = self.authority.iter().flat_map(|authority| &authority.scopes_supported);
        own.chain(ours).chain(theirs).map(String::as_str).collect()
    }

    /// Scopes with all that they include, in order.
    pub fn with_implied<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        with_implied(&self.scopes, scopes)
    }
}

/// What each scope includes besides itself, whole.
pub type Implied = BTreeMap<String, BTreeSet<String>>;

/// Scopes with all that they include, in order.
pub fn with_implied<'a>(implied: &Implied, scopes: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for scope in scopes {
        all.extend(implied.get(scope).into_iter().flatten().cloned());
        all.insert(scope.to_owned());
    }
    all
}

/// How a key is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyProof {
    /// By the SHA-256 digest of it.
    Digest([u8; 32]),
    /// By its value.
    Value(SecretId),
}
