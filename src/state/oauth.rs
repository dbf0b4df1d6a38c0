//! Floor 5. The records of the authorization server inside, as they are kept. Secrets are kept as digests
//! only; times are seconds since 1970.

use serde::{Deserialize, Serialize};

use super::{Kept, Shelf};

/// A person who can sign in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to sign in with, in lower case; the subject of tokens.
    pub name: String,
    /// How the password is recognised, in the form of `argon2`; `None` for those who sign in by a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The issuer that vouches for the person; `None` for an account that an administrator made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where the person belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What the person may let clients do; `None` for all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whether the person may still sign in.
    pub standing: Standing,
    /// When the account was made.
    pub created_at: i64,
}

/// Whether somebody may still come in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Yes.
    Active,
    /// An administrator has to say so first.
    Pending,
    /// Not any more.
    Revoked,
}

/// A link that signs a person in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Link {
    /// Who it is.
    pub user: String,
}

/// A person who was sent to sign in elsewhere. Its key is a digest of what comes back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Away {
    /// The digest of what the browser alone has.
    pub browser: String,
}

/// How a client came to be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It registered itself.
    Registered,
    /// Its id is the address of a document about it.
    Described,
    /// An administrator made it.
    Made,
}

/// What a client may ask tokens with.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A code that a person's consent gave it.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// Its own secret.
    ClientCredentials,
}

impl GrantType {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// A program that acts for people, or for itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its public id.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// How it came to be.
    pub origin: Origin,
    /// The digests of its secrets, with the end of each; none for a client that cannot keep one.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Where people may be sent back to.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// What it may ask tokens with.
    pub grants: Vec<GrantType>,
    /// What it may be allowed at most.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where it belongs, when it acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Whether it may be used.
    pub standing: Standing,
    /// Whether it may ask what tokens are worth.
    #[serde(default)]
    pub introspects: bool,
    /// Whether it is believed when it names the person behind it.
    #[serde(default)]
    pub asserts_end_user: bool,
    /// Until when the document about it is believed; `None` for a client without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub believed_until: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

/// A client's secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ClientSecret {
    /// Its digest.
    pub digest: String,
    /// From when on it is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// What a client asks a person for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// Which client.
    pub client: String,
    /// Where the person is sent back to.
    pub redirect: String,
    /// What it wants to be allowed.
    pub scopes: Vec<String>,
    /// For which address of this server.
    pub resource: String,
    /// What it wants to see again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The S256 challenge of its code.
    pub challenge: String,
    /// Whether the person came by themselves, and not by a link on somebody's page.
    #[serde(default)]
    pub by_themselves: bool,
}

/// A browser in which a person is signed in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    /// Who it is.
    pub user: String,
    /// When the person signed in.
    pub created_at: i64,
}

/// What a person agreed to. Its key is a digest of all that was agreed on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Consent {
    /// Who.
    pub user: String,
    /// To which client.
    pub client: String,
    /// When.
    pub granted_at: i64,
}

/// What a client may do for a person. Its key is the id that its refresh tokens share.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Grant {
    /// Which client.
    pub client: String,
    /// For whom.
    pub user: String,
    /// Where that person belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// At which address of this server.
    pub resource: String,
    /// When it began.
    pub created_at: i64,
    /// When it ends, however often it is renewed.
    pub ends_at: i64,
    /// The refresh token that is valid; `None` where the client may not have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
}

/// The refresh tokens of a grant, as digests.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Refresh {
    /// The one that is valid.
    pub current: String,
    /// The one before it: who shows it again lost the answer that had its successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Those before: who shows one of them stole it, or lets somebody steal.
    #[serde(default)]
    pub retired: Vec<String>,
}

/// A code between a consent and the first token.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Code {
    /// What was asked for.
    pub request: Request,
    /// Who agreed.
    pub user: String,
    /// Where that person belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What it became, when it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Until when it may be used. It is remembered longer.
    pub until: i64,
}

/// An access token. It belongs to a grant, or to a client that acts for itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Access {
    /// Which client.
    pub client: String,
    /// What the client calls itself.
    pub client_name: String,
    /// For whom; `None` for a client that acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the caller belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// At which address of this server.
    pub resource: String,
    /// Whether the client is believed when it names the person behind it.
    #[serde(default)]
    pub asserts_end_user: bool,
    /// When it was issued.
    pub issued_at: i64,
    /// From when on it is not valid. It is remembered longer, so that the client is told why.
    pub until: i64,
}

/// What tokens are derived with.
#[derive(Deserialize, Serialize)]
pub struct DerivingKey {
    /// Random letters and digits.
    pub text: String,
}

impl std::fmt::Debug for DerivingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DerivingKey(…)")
    }
}

macro_rules! kept {
    ($($record:ident => $shelf:ident),+ $(,)?) => { $(impl Kept for $record { const SHELF: Shelf = Shelf::$shelf; })+ };
}

kept! {
    User => User, Link => Link, Away => Away, Client => Client, Request => Request, Session => Session, Consent => Consent,
    Grant => Grant, Code => Code, Access => Access, DerivingKey => Key,
}
