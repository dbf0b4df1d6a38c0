//! Floor 3. Where the server listens and who may call.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use super::{Oauth, Rate};
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
    /// What each declared scope includes besides itself, however far away.
    pub scopes: BTreeMap<String, BTreeSet<String>>,
    /// The file that keeps what the server remembers, when it is asked to.
    pub state: Option<PathBuf>,
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
            scopes: BTreeMap::new(),
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
    /// Whether callers have to identify themselves.
    #[must_use]
    pub const fn asks_callers(&self) -> bool {
        self.api_keys.is_some() || self.oauth.is_some()
    }

    /// Scopes with all that they include, in order.
    pub fn with_implied<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for scope in scopes {
            all.extend(self.scopes.get(scope).into_iter().flatten().cloned());
            all.insert(scope.to_owned());
        }
        all
    }
}

/// How a key is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyProof {
    /// By the SHA-256 digest of it.
    Digest([u8; 32]),
    /// By its value.
    Value(SecretId),
}
