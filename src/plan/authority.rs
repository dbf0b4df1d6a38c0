//! Floor 3. The authorization server inside: which clients may come, what they may be allowed, and how
//! long it lasts.

use std::time::Duration;

/// The server as the issuer of its own tokens.
#[derive(Debug)]
pub struct Authority {
    /// The scopes that clients are told to ask for.
    pub scopes_supported: Vec<String>,
    /// What a client may do that asks for nothing.
    pub default_scopes: Vec<String>,
    /// Which clients may register themselves.
    pub registration: Registration,
    /// Whether people are asked again what they agreed to before.
    pub consent: ConsentMode,
    /// How long codes and tokens are valid.
    pub lifetimes: Lifetimes,
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
