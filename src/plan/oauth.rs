//! Floor 3. Tokens of others that are accepted: whose, for whom, and what their claims mean.

use std::time::Duration;

use url::Url;

use crate::secret::SecretId;

/// The server as a resource server of OAuth.
#[derive(Debug)]
pub struct Oauth {
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// The scopes that clients are told of.
    pub scopes_supported: Vec<String>,
}

/// One issuer of tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its identifier: compared byte for byte, never rewritten (auth.md T1).
    pub id: String,
    /// The same as an address.
    pub url: Url,
    /// Whom its tokens must be for: one of these.
    pub audiences: Vec<String>,
    /// The algorithms that its keys may be used with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are, when that is not to be discovered.
    pub jwks: Option<Url>,
    /// How it is asked about tokens that only it can read.
    pub introspection: Option<Introspection>,
    /// What its claims mean.
    pub claims: ClaimNames,
    /// How far its clock may be off.
    pub leeway: Duration,
}

/// How an issuer is asked about a token (RFC 7662).
#[derive(Clone, Debug)]
pub struct Introspection {
    /// Where it is asked.
    pub url: Url,
    /// As which client.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretId,
    /// How long an answer is believed.
    pub cache: Duration,
}

/// What claims mean.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// The claim that says who the caller is.
    pub subject: String,
    /// What says where the caller belongs.
    pub workspace: Option<Workspace>,
    /// The claims that say what the caller may do.
    pub scopes: Vec<String>,
}

/// What says where a caller belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workspace {
    /// A claim.
    Claim(String),
    /// The file: every caller of this issuer belongs there.
    Fixed(String),
}

/// An algorithm of signatures by key pairs. There are no others: whoever could check a signature
/// with a shared secret could make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    Rs512,
    /// RSA-PSS, SHA-256.
    Ps256,
    /// RSA-PSS, SHA-384.
    Ps384,
    /// RSA-PSS, SHA-512.
    Ps512,
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm with its name (RFC 7518 §3.1).
    pub const ALL: [(&'static str, Self); 9] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];
}
