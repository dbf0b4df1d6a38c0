//! Floor 3. Sources: the REST bases and databases that tools work on.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{ByteSize, Duration, Rate};
use crate::secret::Secret;

/// One REST base or one database. A credential belongs to exactly one source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["rest", "sql"]))]
pub struct Source {
    /// A REST base: its address, or the address with settings.
    pub rest: Option<RestSource>,
    /// A database: its URL, or the URL with settings.
    pub sql: Option<SqlSource>,
}

/// A REST base.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RestSource {
    /// The address alone.
    Url(String),
    /// The address with settings.
    Spec(Box<RestSpec>),
}

/// A REST base with its settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestSpec {
    /// Scheme, host and path prefix of every request. They are pinned: no argument can change them.
    pub base_url: String,
    /// Headers sent with every request, as they stand.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// Query parameters sent with every request, as they stand. Arguments cannot override them.
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// How requests are signed.
    pub auth: Option<Auth>,
    /// How long a call may take altogether. Default: `20s`.
    pub timeout: Option<Duration>,
    /// How long connecting may take. Default: `3s`.
    pub connect_timeout: Option<Duration>,
    /// When a request is tried again. Without it, none is.
    pub retry: Option<Retry>,
    /// When a source that fails again and again is left alone.
    pub breaker: Option<Breaker>,
    /// Which redirects are followed. Default: `none`.
    pub redirects: Option<Redirects>,
    /// How big an answer may be, after decompression. Default: `2MiB`.
    pub max_response: Option<ByteSize>,
    /// How many requests may be under way at once; others wait for a place. Default: 1024.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: Option<u32>,
    /// How many requests may be sent in any stretch of a time. Others wait, as far as the time of their call reaches.
    pub rate_limit: Option<Rate>,
    /// Certificates of the connection, also of that to a token endpoint.
    pub tls: Option<Tls>,
    /// A proxy that requests go through: `http://proxy.example.com:3128`. Empty for none; the environment is not asked.
    #[schemars(with = "Option<String>")]
    pub proxy: Option<Secret<String>>,
}

/// How requests are signed: exactly one kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" =
    ["none", "bearer", "basic", "api_key", "client_credentials", "token_exchange", "passthrough"]))]
pub struct Auth {
    /// `none: true`: requests are not signed.
    pub none: Option<bool>,
    /// A fixed token, sent as `Authorization: Bearer …`.
    #[schemars(with = "Option<String>", extend("x-secret" = true))]
    pub bearer: Option<Secret<String>>,
    /// A user name and a password, sent as `Authorization: Basic …`.
    pub basic: Option<Basic>,
    /// A key in a header or in the query.
    pub api_key: Option<Key>,
    /// OAuth client credentials (RFC 6749 §4.4): this server has tokens of its own.
    pub client_credentials: Option<ClientCredentials>,
    /// OAuth token exchange (RFC 8693): the caller's token for one that is meant for this source.
    pub token_exchange: Option<TokenExchange>,
    /// The caller's own credential, sent to this source and to no other.
    pub passthrough: Option<Passthrough>,
}

/// A user name and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name.
    pub username: String,
    /// The password.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub password: Secret<String>,
}

/// A key in a header or in the query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one-of" = ["header", "query"]))]
pub struct Key {
    /// The header that carries the key.
    pub header: Option<String>,
    /// The query parameter that carries the key. Servers often log queries: prefer a header.
    pub query: Option<String>,
    /// The key.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub value: Secret<String>,
}

/// OAuth client credentials. Tokens are kept until shortly before they expire.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Where tokens come from: the whole address of the token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub client_secret: Secret<String>,
    /// The scopes asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The audience asked for.
    pub audience: Option<String>,
    /// How the client identifies itself. Default: `client_secret_basic`.
    pub auth_method: Option<AuthMethod>,
}

/// OAuth token exchange. Tokens are kept for each caller until shortly before they expire.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    /// Where tokens come from: the whole address of the token endpoint.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    #[schemars(with = "String", extend("x-secret" = true))]
    pub client_secret: Secret<String>,
    /// The audience asked for.
    pub audience: Option<String>,
    /// The scopes asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How the client identifies itself. Default: `client_secret_basic`.
    pub auth_method: Option<AuthMethod>,
}

/// How a client identifies itself to a token endpoint.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AuthMethod {
    /// In the header `Authorization`.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
}

/// The caller's own credential.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {
    /// The header of the caller's request that holds it. Default: `authorization`.
    pub from: Option<String>,
    /// The header of the request to this source that carries it. Default: `authorization`.
    pub to: Option<String>,
}

/// When a request is tried again: after pauses that grow, or as long as the answer asks for, within the time of
/// the call. A request that changes something and has no `idempotency_key` is tried again only when none of it
/// was sent, or when its method is listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts there are altogether. Default: 3.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// After what: `connect` (no connection, or one that closed without an answer) and error statuses such as `503`
    /// or `5xx`. Default: `[connect, 429, 502, 503, 504]`.
    #[serde(default)]
    pub on: Vec<Value>,
    /// The methods that may reach the API twice, of GET, HEAD, PUT and DELETE. Default: `[GET, HEAD]`.
    #[serde(default)]
    pub methods: Vec<String>,
}

/// When a source that fails again and again is left alone.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// After how many failures in a row: no connection, no answer in time, or status 502, 503 or 504. Default: 10.
    #[schemars(range(min = 1, max = 100_000))]
    pub failures: Option<u32>,
    /// For how long; then one call finds out whether it is well again. Default: `10s`.
    pub pause: Option<Duration>,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// None: a redirect is an error.
    None,
    /// Those of GET and HEAD to the same scheme, host and port, three at most. Credentials and headers go along below
    /// the path of the source only.
    SameOrigin,
}

/// Certificates of a connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A file in PEM form with the authorities that are trusted, in the place of the system's.
    pub ca: Option<String>,
    /// A file in PEM form with the certificate that this server shows.
    pub client_cert: Option<String>,
    /// A file in PEM form with the key of that certificate.
    pub client_key: Option<String>,
}

/// A database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SqlSource {
    /// The URL alone.
    Url(#[schemars(with = "String")] Secret<String>),
    /// The URL with settings.
    Spec(Box<SqlSpec>),
}

/// A database with its settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlSpec {
    /// Where the database is: `sqlite:FILE`, `postgres://…`, `mysql://…` or `mariadb://…`.
    #[schemars(with = "String")]
    pub url: Secret<String>,
    /// Whether the engine refuses every write. `false` permits tools with `mode: write`; tools that read stay
    /// read-only all the same. Default: true.
    pub read_only: Option<bool>,
    /// The connections that are kept.
    pub pool: Option<Pool>,
    /// How long a statement may run. Default: `15s`.
    pub statement_timeout: Option<Duration>,
    /// How many rows a tool of this source returns at most, unless it says otherwise. Default: 200.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_rows: Option<u32>,
    /// Database servers only: settings of the transaction of each call, by name, such as `app.user_id`: a text, or
    /// `{{caller.subject}}` and the like. What row-level security goes by; with MySQL and MariaDB, variables that
    /// views go by.
    #[serde(default)]
    pub session: IndexMap<String, String>,
    /// `SQLite` only: a script that fills the database when its file does not exist.
    pub init: Option<String>,
    /// How the connection to a database server is protected.
    pub tls: Option<DatabaseTls>,
    /// PostgreSQL only: `unnamed` behind a pooler that puts each transaction on another connection, such as
    /// `PgBouncer`. Default: `named`.
    pub prepared: Option<Prepared>,
    /// Database servers only: run tools that read although the user could reach beyond its tables, into files and
    /// programs of the server. Default: false.
    pub allow_superuser: Option<bool>,
}

/// How statements are prepared.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Prepared {
    /// Once for each connection.
    Named,
    /// For each call anew.
    Unnamed,
}

/// How the connection to a database server is protected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseTls {
    /// How much is asked for. Default: `prefer`, and `verify` where `ca` is given.
    pub mode: Option<TlsMode>,
    /// A file with the authorities that are trusted: with PostgreSQL in the place of the system's, with MySQL and
    /// MariaDB beside the public ones that are built in.
    pub ca: Option<String>,
    /// A file with our own certificate.
    pub client_cert: Option<String>,
    /// A file with its key.
    pub client_key: Option<String>,
}

/// How much protection of a connection is asked for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TlsMode {
    /// None.
    Off,
    /// Encryption if the server offers it.
    Prefer,
    /// Encryption, whoever answers.
    Require,
    /// Encryption with a certificate that is trusted and made out to the host.
    Verify,
}

/// The connections that are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many there are at most. Default: 8.
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<u32>,
    /// How long an unused one is kept. Default: `10m`.
    pub idle: Option<Duration>,
    /// How long a call waits for one. Default: `3s`.
    pub acquire_timeout: Option<Duration>,
}
