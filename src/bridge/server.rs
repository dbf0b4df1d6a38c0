//! Floor 3. Server: where it listens and who may call.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ByteSize, Duration, Rate};
use crate::secret::Secret;

/// Settings of the server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port. Default: `127.0.0.1:8080`. Any other than a loopback address needs `auth`.
    #[schemars(extend("x-expected" = "an address and port such as `127.0.0.1:8080`"))]
    pub listen: Option<String>,
    /// The address that clients use, when it differs from `listen`.
    pub public_url: Option<String>,
    /// Host names that requests may be for. Loopback and the host of `public_url` are always accepted.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Web pages that may call, such as `https://app.example.com`. Loopback pages and `public_url` are always accepted.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// The certificate of the server. Without one it speaks plain HTTP, for a proxy in front of it.
    pub tls: Option<Tls>,
    /// Addresses of proxies whose `X-Forwarded-For` or `Forwarded` is believed: `10.0.0.0/8`, `192.0.2.7`. Where both
    /// come and name different clients, neither is.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Who may call.
    pub auth: Option<Auth>,
    /// Listens on any address although nobody has to identify themselves.
    pub unsafe_public: Option<bool>,
    /// How often may be called.
    pub rate_limit: Option<RateLimits>,
    /// The header in which callers name the person behind them, such as `x-poke-user-id`.
    pub end_user_header: Option<String>,
    /// Where keys are kept: `sqlite:FILE`, or `postgres://…` for replicas, which then share limits, too. Default: `sqlite:mcp-bridge-state.db` beside this file.
    #[schemars(with = "Option<String>")]
    pub state: Option<Secret<String>>,
    /// Where calls, and decisions about callers, are recorded.
    pub audit: Option<Audit>,
    /// Whether `/metrics` answers.
    #[schemars(extend("x-not-yet" = true))]
    pub metrics: Option<bool>,
    /// A second address for metrics and administration.
    #[schemars(extend("x-not-yet" = true))]
    pub admin: Option<String>,
    /// Whether the web console answers at `/`.
    #[schemars(extend("x-not-yet" = true))]
    pub console: Option<bool>,
    /// Whether changed files are served without a new start. Default: `true`.
    pub reload: Option<bool>,
    /// What session ids are signed with, from the environment: at least 32 characters, and the same for every replica.
    #[schemars(with = "Option<String>", extend("x-secret" = true))]
    pub signing_key: Option<Secret<String>>,
    /// How long calls under way are waited for when the server stops. Default: `10s`.
    pub shutdown_grace: Option<Duration>,
}

/// The certificate of the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerTls")]
pub struct Tls {
    /// A file with the certificate, and those of the authorities between it and the root.
    pub cert: String,
    /// A file with its key, which not everybody may read.
    pub key: String,
    /// A file with the authorities of which clients must have a certificate.
    pub client_ca: Option<String>,
}

/// Who may call.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerAuth")]
pub struct Auth {
    /// Keys, sent as `Authorization: Bearer …`.
    pub api_keys: Option<ApiKeys>,
    /// OAuth.
    pub oauth: Option<OauthServer>,
    /// The caller's credential is the upstream's.
    pub passthrough: Option<LentCredentials>,
    /// What scopes mean.
    #[serde(default)]
    pub scopes: IndexMap<String, Scope>,
}

/// Keys that callers identify themselves with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// Keys in the file, by hash or from the environment.
    #[serde(default, rename = "static")]
    pub fixed: Vec<ApiKey>,
    /// Also those made by `mcp-bridge keys create`, which `server.state` keeps.
    pub store: Option<bool>,
    /// A header that may carry the key in the place of `Authorization`.
    pub header: Option<String>,
}

/// One key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["hash", "value"]))]
pub struct ApiKey {
    /// Whose key it is: the caller's name in logs.
    pub name: String,
    /// `sha256:` and the SHA-256 digest of the key, in hexadecimal digits.
    #[schemars(regex(pattern = r"^sha256:[0-9a-fA-F]{64}$"))]
    #[schemars(extend("x-expected" = "`sha256:` and 64 hexadecimal digits"))]
    pub hash: Option<String>,
    /// The key itself, from the environment: at least 20 characters.
    #[schemars(with = "Option<String>", extend("x-secret" = true))]
    pub value: Option<Secret<String>>,
    /// The workspace of the caller, for `from: caller.workspace`.
    pub workspace: Option<String>,
    /// What the caller may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether the caller is believed when it names the person behind it.
    pub asserts_end_user: Option<bool>,
}

/// OAuth, as a resource server or with an authorization server inside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthServer {
    /// Who issues tokens.
    pub mode: OauthMode,
    /// The issuers whose tokens are accepted.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// The scopes that clients are told to ask for: as few as possible.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// With `mode: embedded`: what a client may do that asks for nothing. Default: `scopes_supported`.
    #[serde(default)]
    pub default_scopes: Vec<String>,
    /// With `mode: embedded`: where people sign in. Default: `local`.
    pub login: Option<LoginMode>,
    /// The provider at which people sign in, with `login: upstream_oidc`.
    pub upstream_oidc: Option<UpstreamOidc>,
    /// With `mode: embedded`: which clients may register themselves.
    pub registration: Option<Registration>,
    /// With `mode: embedded`: whether people are asked again what they agreed to before. Default: `always`.
    pub consent: Option<ConsentMode>,
    /// With `mode: embedded`: how long codes and tokens are valid.
    pub ttl: Option<Ttl>,
}

/// Where people sign in.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LoginMode {
    /// Here, by password or by link: `mcp-bridge users add` makes accounts.
    Local,
    /// At another provider, by OpenID Connect.
    UpstreamOidc,
}

/// A provider at which people sign in. This server is a client of it; its address to come back to is `/oauth/callback`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamOidc {
    /// Its identifier, byte for byte as its tokens and its metadata have it.
    pub issuer: String,
    /// As which client it knows this server.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub client_secret: Secret<String>,
    /// Where codes are exchanged, when that is at another host than the issuer's.
    pub token_endpoint: Option<String>,
    /// What it is asked to say. Default: `openid` and `email`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What it wants to be told besides, such as `prompt: select_account`.
    #[serde(default)]
    pub extra_authorize: IndexMap<String, String>,
    /// The algorithms its keys are used with. Default: `RS256`, `ES256`, `EdDSA`.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// The claim that says who the person is here: `email` counts when it is verified. Default: `sub`.
    pub subject: Option<String>,
    /// `claims.NAME` for the claim that says where the person belongs, or the workspace of everybody.
    pub workspace: Option<String>,
    /// The claims that say what the person may let clients do. Default: all there is.
    #[serde(default)]
    pub scopes_from: Vec<String>,
    /// Whom of its people it may be.
    pub allow: Allow,
}

/// Whom of a provider's people it may be: whoever has one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Domains of verified mail addresses, such as `example.com`.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The claim that names a person's groups. Default: `groups`.
    pub groups_from: Option<String>,
    /// All who have an account there.
    pub everybody: Option<bool>,
}

/// Which clients may register themselves (RFC 7591).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who may. Default: `allowlist`.
    pub dynamic: Option<Dynamic>,
    /// Addresses that people may be sent back to, besides those of known clients.
    #[serde(default)]
    pub extra_redirects: Vec<String>,
    /// Schemes of programs that people may be sent back to, besides `cursor`, `vscode`, `vscode-insiders` and `claude`.
    #[serde(default)]
    pub custom_schemes: Vec<String>,
    /// Which clients may name the address of a document about them in the place of an id. Default: `off`.
    pub metadata_documents: Option<Dynamic>,
    /// Where documents about clients are whose addresses are as good as known, such as `https://app.example.com`.
    #[serde(default)]
    pub document_origins: Vec<String>,
    /// What such clients may be allowed at most. Default: `scopes_supported` and `default_scopes`.
    #[serde(default)]
    pub dcr_scopes: Vec<String>,
}

/// Who may register itself.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Dynamic {
    /// Nobody: `mcp-bridge clients create` makes clients.
    Off,
    /// Known clients, and those on this machine; the others wait for `mcp-bridge clients approve`.
    Allowlist,
    /// Everybody, and all wait for `mcp-bridge clients approve`.
    Approval,
    /// Everybody.
    Open,
}

/// Whether people are asked again what they agreed to before.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ConsentMode {
    /// Each time.
    Always,
    /// Not when they came here by themselves and agreed to the same before.
    Remember,
}

/// How long codes and tokens are valid.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// A code. Default: `60s`, at most `10m`.
    pub code: Option<Duration>,
    /// An access token of a person. Default: `60m`, at most `24h`.
    pub access: Option<Duration>,
    /// An access token of a client that acts for itself. Default: `30m`, at most `24h`.
    pub cc_access: Option<Duration>,
    /// A refresh token that is not used. Default: `30d`.
    pub refresh_idle: Option<Duration>,
    /// All refresh tokens of one consent. Default: `90d`, at most `365d`.
    pub refresh_max: Option<Duration>,
}

/// Who issues tokens.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OauthMode {
    /// Others: this server only accepts their tokens.
    ResourceServer,
    /// This server itself: people sign in here.
    Embedded,
}

/// An issuer whose tokens are accepted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its identifier, byte for byte as its tokens and its metadata have it.
    pub issuer: String,
    /// Whom a token must be for: one of these. Often the address of this server with `/mcp`.
    pub audiences: Vec<String>,
    /// The algorithms its keys are used with. Default: `RS256`, `ES256`, `EdDSA`.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Where its keys are. Default: what its metadata say.
    pub jwks_uri: Option<String>,
    /// How it is asked about tokens that only it can read.
    pub introspection: Option<Introspection>,
    /// The claim that says who the caller is. Default: `sub`.
    pub subject: Option<String>,
    /// `claims.NAME` for the claim that says where the caller belongs, or the workspace of all its callers.
    pub workspace: Option<String>,
    /// The claims that say what the caller may do. Default: `scope` and `scp`.
    #[serde(default)]
    pub scopes_from: Vec<String>,
    /// How far its clock may be off. Default: `30s`, at most `5m`.
    pub leeway: Option<Duration>,
}

/// How an issuer is asked about a token (RFC 7662).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// Where it is asked.
    pub url: String,
    /// As which client.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub client_secret: Secret<String>,
    /// How long an answer is believed. Default: `60s`, at most `5m`.
    pub cache: Option<Duration>,
}

/// The caller's credential is the upstream's: it is asked for here, and passed on by sources with `auth: passthrough`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LentCredentials {
    /// Where clients sign in: the upstream's own authorization servers, which the metadata of this server name.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// The scopes that clients are told to ask for there: as few as possible.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// How a credential is verified.
    pub verify: Option<Verify>,
    /// Passes credentials on that nobody has verified, which the specification of MCP forbids.
    pub unsafe_unverified: Option<bool>,
}

/// The request that verifies a caller's credential: whoever it succeeds for may call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The source that is asked; it has `auth: passthrough`.
    pub source: String,
    /// The path that is asked for.
    pub get: String,
    /// Where the caller's id stands in the answer, as a `JSONPath`.
    pub subject: Option<String>,
    /// Where the caller's workspace stands in the answer.
    pub workspace: Option<String>,
    /// What every such caller may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How long the answer is believed. Default: `60s`, at most `5m`.
    pub cache: Option<Duration>,
}

/// What a scope means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The words people are shown.
    pub title: Option<String>,
    /// The scopes it includes.
    #[serde(default)]
    pub implies: Vec<String>,
}

/// How often may be called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// By one caller. Callers that nobody asks who they are count by address.
    pub per_caller: Option<Rate>,
    /// By one person behind a caller.
    pub per_end_user: Option<Rate>,
    /// From one address without a valid credential. Default: `60/min`.
    pub per_ip_unauthenticated: Option<Rate>,
}

/// Where calls, and decisions about callers, are recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["file", "state"]))]
pub struct Audit {
    /// A file of JSON lines.
    pub file: Option<String>,
    /// `true`: in the database of `state`.
    pub state: Option<bool>,
    /// What is kept of arguments. Default: `digest`.
    pub args: Option<AuditArguments>,
    /// How large the file may become before it is put aside. Default: `64MiB`.
    pub max_size: Option<ByteSize>,
    /// How many files that were put aside are kept. Default: 5.
    pub keep: Option<u32>,
}

/// What is kept of arguments.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AuditArguments {
    /// A digest of them: equal arguments can be found, and values cannot be read.
    Digest,
    /// All of them, as they came.
    Plain,
}
