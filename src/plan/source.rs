//! Floor 3. Sources as they are connected.

use std::{path::PathBuf, time::Duration};

use url::Url;

use super::{Bounds, BridgeId, CallerPart, sql::Dialect};
use crate::secret::SecretId;

/// One REST base or database.
#[derive(Debug)]
pub struct Source {
    /// The author's name for it.
    pub name: String,
    /// The bridge that declares it.
    pub bridge: BridgeId,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Debug)]
pub enum SourceKind {
    /// A REST base.
    Rest(RestSource),
    /// A database.
    Sql(SqlSource),
}

/// A REST base.
#[derive(Debug, Clone)]
pub struct RestSource {
    /// Scheme, host and path prefix of every request. The path has no `/` at its end.
    pub base: Url,
    /// Headers sent with every request: lower-case names with their values.
    pub headers: Vec<(String, String)>,
    /// Query parameters sent with every request.
    pub query: Vec<(String, String)>,
    /// How requests are signed.
    pub auth: Auth,
    /// For a whole call.
    pub timeout: Duration,
    /// For connecting.
    pub connect_timeout: Duration,
    /// Bytes of an answer at most, after decompression.
    pub max_response: usize,
    /// Requests under way at once at most.
    pub concurrency: usize,
    /// How often it is asked, and when it is left alone.
    pub bounds: Bounds,
    /// How it is reached.
    pub network: Box<Network>,
    /// Which redirects are followed.
    pub redirects: Redirects,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// None: a redirect is an error.
    Refused,
    /// Those of reading requests, within the origin of the source.
    SameOrigin,
}

/// How a source is reached, where that is not the usual way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The authorities that are trusted in the place of the system's, in PEM form.
    pub ca: Option<String>,
    /// What this server shows of itself.
    pub identity: Option<Identity>,
    /// The address of a proxy, which may hold a password.
    pub proxy: Option<SecretId>,
}

/// A certificate that is shown to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate with those it depends on, in PEM form.
    pub certificate: String,
    /// Its key, in PEM form.
    pub key: SecretId,
}

/// How requests to a source are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretId),
    /// `Authorization: Basic …`
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: SecretId,
    },
    /// A key in a header.
    HeaderKey {
        /// The header's name, in lower case.
        header: String,
        /// The key.
        value: SecretId,
    },
    /// A key in the query, added last.
    QueryKey {
        /// The parameter's name.
        name: String,
        /// The key.
        value: SecretId,
    },
    /// Tokens of a token endpoint.
    Tokens(Box<TokenRequest>),
    /// The caller's own credential, for this source only.
    Passthrough {
        /// The header of the caller's request, in lower case.
        from: String,
        /// The header of our request, in lower case.
        to: String,
    },
}

/// How tokens are asked for (RFC 6749 §4.4, RFC 8693).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The token endpoint.
    pub url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretId,
    /// How the client identifies itself.
    pub client_auth: ClientAuth,
    /// Whose tokens they are.
    pub grant: Grant,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// The audience asked for.
    pub audience: Option<String>,
}

/// How a client identifies itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the header `Authorization`.
    Basic,
    /// In the body.
    Post,
}

/// Whose tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Those of this server.
    Client,
    /// The caller's, in exchange for the one it came with.
    Exchange,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlSource {
    /// Which engine, and where.
    pub engine: Engine,
    /// Whether the engine refuses every write to this source.
    pub read_only: bool,
    /// The connections that are kept.
    pub pool: Pool,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// Rows of a result at most, unless the tool says otherwise.
    pub max_rows: usize,
}

/// A database engine and where to find the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `SQLite`, in this process.
    Sqlite {
        /// The file, or `:memory:`.
        path: PathBuf,
        /// The script that fills the database when the file does not exist.
        init: Option<PathBuf>,
    },
    /// `PostgreSQL`, behind a connection.
    Postgres(Box<Remote>),
    /// `MySQL` or `MariaDB`, behind a connection.
    Mysql(Box<Remote>),
}

impl Engine {
    /// The SQL family that statements of this source are written in.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mysql(_) => Dialect::Mysql,
        }
    }
}

impl Engine {
    /// Settings of the transaction of each call.
    #[must_use]
    pub fn session(&self) -> &[Setting] {
        match self {
            Self::Sqlite { .. } => &[],
            Self::Postgres(remote) | Self::Mysql(remote) => &remote.session,
        }
    }
}

/// A database behind a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where it is.
    pub place: Place,
    /// Who we are there.
    pub user: String,
    /// The password of that user.
    pub password: Option<SecretId>,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// How statements are prepared.
    pub prepared: Prepared,
    /// What is done about a user that can do more than read and write rows.
    pub powers: Powers,
    /// Settings of the transaction of each call.
    pub session: Vec<Setting>,
}

/// Where a database server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host, by name or number, and a port.
    Tcp(String, u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

/// How the connection to a database is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// How much is asked for.
    pub mode: TlsMode,
    /// The authorities that are trusted: in the place of the system's with `PostgreSQL`, beside those that are
    /// built in with `MySQL`.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How much protection of a connection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// None.
    Off,
    /// Encryption if the server offers it. Who answers is not verified.
    Prefer,
    /// Encryption. Who answers is not verified.
    Require,
    /// Encryption, with a certificate that is trusted and made out to the host.
    Verify,
}

/// How statements are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// Once for each connection.
    Named,
    /// For each call anew: a pooler may put the next call on another connection.
    Unnamed,
}

/// What is done about a user that can do more than read and write rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Powers {
    /// Tools that read do not run.
    Refused,
    /// The author accepts it.
    Accepted,
}

/// A setting of the transaction of each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name that the database knows it by.
    pub name: String,
    /// Its value.
    pub value: SettingValue,
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// The author's text.
    Text(String),
    /// A part of the caller's identity. A caller without it is refused.
    Caller(CallerPart),
}

/// The connections of a database that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How many at most.
    pub max: usize,
    /// How long an unused one is kept.
    pub idle: Duration,
    /// How long a call waits for one.
    pub acquire_timeout: Duration,
}
