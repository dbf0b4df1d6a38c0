//! Floor 3. The authorization server inside: which clients may come, what they may be allowed, and how
//! long it lasts.

use std::{collections::BTreeMap, time::Duration};

use url::Url;

use super::Issuer;
use crate::secret::SecretId;

/// The server as the issuer of its own tokens.
#[derive(Debug)]
pub struct Authority {
    /// The scopes that clients are told to ask for.
    pub scopes_supported: Vec<String>,
    /// What a client may do that asks for nothing.
    pub default_scopes: Vec<String>,
    /// Where people sign in, when that is not here.
    pub provider: Option<Box<Provider>>,
    /// Which clients may register themselves.
    pub registration: Registration,
    /// Whether people are asked again what they agreed to before.
    pub consent: ConsentMode,
    /// How long codes and tokens are valid.
    pub lifetimes: Lifetimes,
}

/// A provider at which people sign in.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Who signs what it says, for whom, and what its claims mean. No claims of scopes: all there are.
    pub issuer: Issuer,
    /// As which client it knows this server.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretId,
    /// Where codes are exchanged, when that is at another origin than the issuer's.
    pub token_endpoint: Option<Url>,
    /// What it is asked to say.
    pub scopes: Vec<String>,
    /// What it wants to be told besides.
    pub parameters: BTreeMap<String, String>,
    /// Whom of its people it may be.
    pub allow: AllowedPeople,
}

/// Whom of a provider's people it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedPeople {
    /// All of them: the author says so.
    Everybody,
    /// Those who have one of these.
    These {
        /// Domains of verified mail addresses, in lower case.
        domains: Vec<String>,
        /// Groups.
        groups: Vec<String>,
        /// The claim that names a person's groups.
        groups_from: String,
    },
}

/// Which clients may register themselves, or be described by a document.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Who may.
    pub policy: RegistrationPolicy,
    /// Where people may be sent back to, besides the addresses of known clients.
    pub redirects: Vec<String>,
    /// The same by scheme, for programs.
    pub schemes: Vec<String>,
    /// Which clients may name the address of a document in the place of an id.
    pub documents: RegistrationPolicy,
    /// Where such documents are that the author vouches for: scheme, host and port.
    pub origins: Vec<String>,
    /// What such clients may be allowed at most.
    pub scopes: Vec<String>,
}

/// Who may register itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Nobody.
    Off,
    /// Known clients; the others wait for an administrator.
    Allowlist,
    /// Everybody, and all wait.
    Approval,
    /// Everybody.
    Open,
}

/// Whether people are asked again what they agreed to before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentMode {
    /// Each time.
    Always,
    /// Not when they came by themselves and agreed to the same before.
    Remember,
}

/// How long codes and tokens are valid.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A code.
    pub code: Duration,
    /// An access token of a person.
    pub access: Duration,
    /// An access token of a client that acts for itself.
    pub own_access: Duration,
    /// A refresh token that is not used.
    pub idle: Duration,
    /// All refresh tokens of one consent.
    pub grant: Duration,
}
