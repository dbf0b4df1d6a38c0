//! Floor 4. Databases as sources: the URL read once, here, and what does not fit the engine told.
//! The password goes into the vault; no message has a part of the URL in it.

use std::{ops::Range, path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;
use url::Url;

use super::{call_timeout, more_than_nothing, session};
use crate::{
    bridge,
    check::{context::Context, credentials::pem},
    diag::{Code, Diagnostic},
    plan::{Engine, Place, Pool, Powers, Prepared, Remote, SqlSource, Tls, TlsMode},
    secret::Secret,
    yaml::Pointer,
};

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
const POOL: Pool = Pool { max: 8, idle: Duration::from_mins(10), acquire_timeout: Duration::from_secs(3) };
const SQLITE_URL: &str = "write `sqlite:` and the path of the file, relative to this one: `sqlite:shop.db`";
const POSTGRES_URL: &str = "write `postgres://USER:${PASSWORD}@HOST:5432/DATABASE`";
const MYSQL_URL: &str = "write `mysql://USER:${PASSWORD}@HOST:3306/DATABASE`, or `mariadb:` likewise";

/// The engines behind a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Postgres,
    /// MariaDB, too.
    Mysql,
}

impl Family {
    const fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
        }
    }

    const fn url(self) -> &'static str {
        match self {
            Self::Postgres => POSTGRES_URL,
            Self::Mysql => MYSQL_URL,
        }
    }
}

/// Builds a database source. `None` after a fault in its URL.
pub(super) fn build(source: &bridge::SqlSource, at: &Pointer, context: &mut Context<'_>) -> Option<SqlSource> {
    let (url, spec, url_at) = match source {
        bridge::SqlSource::Url(url) => (url, None, at.clone()),
        bridge::SqlSource::Spec(spec) => (&spec.url, Some(&**spec), at.at("url")),
    };
    let engine = engine(url.expose(), spec, (at, &url_at), context)?;
    let pool = spec.and_then(|spec| spec.pool).unwrap_or_default();
    let read_only = spec.and_then(|spec| spec.read_only);
    let source = SqlSource {
        engine,
        read_only: read_only.unwrap_or(!context.is_lost(read_only.as_ref(), &at.at("read_only"))),
        pool: Pool {
            max: pool.max.map_or(POOL.max, |max| max as usize),
            idle: pool.idle.map_or(POOL.idle, |it| it.0),
            acquire_timeout: pool.acquire_timeout.map_or(POOL.acquire_timeout, |it| it.0),
        },
        statement_timeout: spec.and_then(|spec| spec.statement_timeout).map_or(STATEMENT_TIMEOUT, |it| it.0),
        max_rows: spec.and_then(|spec| spec.max_rows).map_or(super::MAX_ROWS, |max| max as usize),
    };
    let (statement, acquire) = (at.at("statement_timeout"), at.at("pool").at("acquire_timeout"));
    more_than_nothing(source.statement_timeout, &statement, context);
    more_than_nothing(source.pool.acquire_timeout, &acquire, context);
    let longer = if context.has(&statement) { statement } else { acquire };
    call_timeout(source.statement_timeout + source.pool.acquire_timeout, &longer, context);
    Some(source)
}

fn engine(
    url: &str,
    spec: Option<&bridge::SqlSpec>,
    (at, url_at): (&Pointer, &Pointer),
    context: &mut Context<'_>,
) -> Option<Engine> {
    let family = match url.split(':').next().unwrap_or("") {
        "sqlite" => return sqlite(url, spec, (at, url_at), context),
        "postgres" | "postgresql" => Family::Postgres,
        "mysql" | "mariadb" => Family::Mysql,
        _ => {
            let span = context.value(url_at);
            let fault = Diagnostic::error(Code::SqlUrl, span, "this is not the URL of a database");
            context.push(if url.is_empty() || url.contains(':') || !context.inserted(url_at).is_empty() {
                fault.help(format!("{SQLITE_URL}; for a server, {POSTGRES_URL} or `mysql://…`"))
            } else {
                fault.replace(SQLITE_URL, context.part(url_at, 0..url.len()), format!("sqlite:{url}"))
            });
            return None;
        }
    };
    if spec.is_some_and(|spec| spec.init.is_some()) {
        context.fault(Code::SqlUrl, &at.at("init"), "`init` fills a new SQLite file: a server has its data");
    }
    if family == Family::Mysql && spec.is_some_and(|spec| spec.prepared.is_some()) {
        context.fault(Code::SqlSession, &at.at("prepared"), "`prepared` is for PostgreSQL only");
    }
    let remote = Box::new(remote(url, family, spec, (at, url_at), context)?);
    Some(match family {
        Family::Postgres => Engine::Postgres(remote),
        Family::Mysql => Engine::Mysql(remote),
    })
}

fn sqlite(
    url: &str,
    spec: Option<&bridge::SqlSpec>,
    (at, url_at): (&Pointer, &Pointer),
    context: &mut Context<'_>,
) -> Option<Engine> {
    let rest = url.strip_prefix("sqlite:").unwrap_or("");
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let message = match path.split_once('?') {
        Some(_) => "the URL of a database has no parameters here",
        None if path.is_empty() => "this names no file",
        None => "",
    };
    if !message.is_empty() {
        let span = context.value(url_at);
        context.push(Diagnostic::error(Code::SqlUrl, span, message).help(SQLITE_URL));
        return None;
    }
    for (key, given) in [
        ("session", spec.is_some_and(|spec| !spec.session.is_empty())),
        ("tls", spec.is_some_and(|spec| spec.tls.is_some())),
        ("prepared", spec.is_some_and(|spec| spec.prepared.is_some())),
        ("allow_superuser", spec.is_some_and(|spec| spec.allow_superuser.is_some())),
    ] {
        if given {
            context.fault(Code::SqlSession, &at.at(key), format!("`{key}` is for database servers only"));
        }
    }
    let init = spec.and_then(|spec| spec.init.as_deref());
    if let Some(Err(reason)) = init.map(|init| context.find(init)) {
        let message = format!("the file cannot be read: {reason}");
        let fault = Diagnostic::error(Code::SqlUrl, context.value(&at.at("init")), message);
        context.push(fault.help("name a script of SQL, relative to this file"));
    }
    let init = init.map(|init| context.folder().join(init));
    if init.is_some() && path == ":memory:" {
        context.fault(Code::SqlUrl, &at.at("init"), "`init` fills a file, and `:memory:` is none");
    }
    let path = if path == ":memory:" { path.into() } else { context.folder().join(path) };
    Some(Engine::Sqlite { path, init })
}

/// What the parameters of a URL say.
#[derive(Default)]
struct Parameters {
    mode: Option<TlsMode>,
    ca: Option<PathBuf>,
    socket: Option<PathBuf>,
}

fn remote(
    text: &str,
    family: Family,
    spec: Option<&bridge::SqlSpec>,
    (at, url_at): (&Pointer, &Pointer),
    context: &mut Context<'_>,
) -> Option<Remote> {
    let fault = |context: &mut Context<'_>, message: String| {
        let span = context.value(url_at);
        context.push(Diagnostic::error(Code::SqlUrl, span, message).help(family.url()));
    };
    let Ok(url) = Url::parse(text) else {
        fault(context, "this is not a URL: characters such as `@ : / # %` in a password are percent-encoded".into());
        return None;
    };
    if url.fragment().is_some() {
        fault(context, "a URL ends at `#`: in a password it is written `%23`".into());
        return None;
    }
    let parameters = match parameters(&url, family, context) {
        Ok(parameters) => parameters,
        Err(message) => {
            fault(context, message);
            return None;
        }
    };
    let place = place(&url, &parameters, family);
    let Some(place) = place else {
        fault(context, "this names no host".into());
        return None;
    };
    let (user, database) = (decoded(url.username()), decoded(url.path().trim_start_matches('/')));
    let missing = if user.is_empty() { "user" } else { "database" };
    if user.is_empty() || database.is_empty() || database.contains('/') {
        fault(context, format!("this names no {missing}"));
        return None;
    }
    advise_on_password(&url, text, url_at, context);
    let password = url.password().map(|password| context.store(&Secret::new(decoded(password))));
    let usual = usual(family, &place);
    let tls = tls(spec.and_then(|spec| spec.tls.as_ref()), (parameters.mode, parameters.ca, usual), at, context);
    if matches!(place, Place::Socket(_)) && matches!(tls.mode, TlsMode::Require | TlsMode::Verify) {
        context.fault(Code::SqlUrl, &at.at("tls"), "a socket in the file system has no TLS");
    }
    let session = match spec {
        Some(spec) => session::settings(&spec.session, &at.at("session"), context),
        None => Vec::new(),
    };
    Some(Remote {
        place,
        user,
        password,
        database,
        tls,
        prepared: match spec.and_then(|spec| spec.prepared) {
            Some(bridge::Prepared::Unnamed) => Prepared::Unnamed,
            Some(bridge::Prepared::Named) | None => Prepared::Named,
        },
        powers: match spec.and_then(|spec| spec.allow_superuser) {
            Some(true) => Powers::Accepted,
            Some(false) | None => Powers::Refused,
        },
        session,
    })
}

/// How a connection is protected where nobody says so.
fn usual(family: Family, place: &Place) -> TlsMode {
    let is_near = match place {
        Place::Tcp(host, _) => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
        Place::Socket(_) => true,
    };
    match family {
        Family::Postgres if is_near => TlsMode::Off,
        // A password for MySQL needs TLS also where the server is near.
        Family::Postgres | Family::Mysql => TlsMode::Prefer,
    }
}

fn place(url: &Url, parameters: &Parameters, family: Family) -> Option<Place> {
    let host = url.host_str().map(|host| decoded(host.trim_matches(['[', ']']))).filter(|host| !host.is_empty());
    let port = url.port().unwrap_or(family.port());
    match (&parameters.socket, host) {
        (Some(folder), _) if family == Family::Postgres => Some(Place::Socket(folder.join(format!(".s.PGSQL.{port}")))),
        (Some(path), _) => Some(Place::Socket(path.clone())),
        (None, Some(host)) => Some(Place::Tcp(host, port)),
        (None, None) => None,
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Reads what stands behind the `?`: how the connection is protected, and a socket in the place of a host.
fn parameters(url: &Url, family: Family, context: &Context<'_>) -> Result<Parameters, String> {
    let mut read = Parameters::default();
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), family) {
            ("sslmode", Family::Postgres) | ("ssl-mode", Family::Mysql) => {
                let mode = match value.to_ascii_lowercase().as_str() {
                    "disable" | "disabled" => TlsMode::Off,
                    "allow" | "prefer" | "preferred" => TlsMode::Prefer,
                    "require" | "required" => TlsMode::Require,
                    "verify-ca" | "verify-full" | "verify_ca" | "verify_identity" => TlsMode::Verify,
                    _ if family == Family::Postgres => {
                        return Err(format!("`{name}` has no such value: disable, prefer, require or verify-full"));
                    }
                    _ => {
                        return Err(format!(
                            "`{name}` has no such value: DISABLED, PREFERRED, REQUIRED or VERIFY_IDENTITY"
                        ));
                    }
                };
                read.mode = Some(mode);
            }
            ("sslrootcert", Family::Postgres) | ("ssl-ca", Family::Mysql) => {
                read.ca = Some(context.folder().join(value.as_ref()));
            }
            ("host", Family::Postgres) | ("socket", Family::Mysql) => read.socket = Some(value.as_ref().into()),
            (name, Family::Postgres) => {
                return Err(format!("`{name}` is no parameter here: `sslmode`, `sslrootcert` and `host` are"));
            }
            (name, Family::Mysql) => {
                return Err(format!("`{name}` is no parameter here: `ssl-mode`, `ssl-ca` and `socket` are"));
            }
        }
    }
    Ok(read)
}

fn tls(
    spec: Option<&bridge::DatabaseTls>,
    (mode, ca, usual): (Option<TlsMode>, Option<PathBuf>, TlsMode),
    at: &Pointer,
    context: &mut Context<'_>,
) -> Tls {
    let at = at.at("tls");
    let mut file = |path: Option<&String>, what: &str, key: &str| {
        let path = path?;
        // Its place is what is kept: it is read when the first connection is made.
        let _ = pem(path, what, &at.at(key), context);
        Some(context.folder().join(path))
    };
    let ca = file(spec.and_then(|spec| spec.ca.as_ref()), "CERTIFICATE", "ca").or(ca);
    let certificate = file(spec.and_then(|spec| spec.client_cert.as_ref()), "CERTIFICATE", "client_cert");
    let key = file(spec.and_then(|spec| spec.client_key.as_ref()), "PRIVATE KEY", "client_key");
    let written = spec.and_then(|spec| spec.mode).map(|mode| match mode {
        bridge::TlsMode::Off => TlsMode::Off,
        bridge::TlsMode::Prefer => TlsMode::Prefer,
        bridge::TlsMode::Require => TlsMode::Require,
        bridge::TlsMode::Verify => TlsMode::Verify,
    });
    if let (Some(written), Some(mode)) = (written, mode)
        && written != mode
    {
        context.fault(Code::SqlUrl, &at.at("mode"), "the URL says otherwise");
    }
    // Whoever names an authority wants it to count, also with `require`, as libpq has it.
    let mode = match (written.or(mode), &ca) {
        (None | Some(TlsMode::Require), Some(_)) => TlsMode::Verify,
        (Some(mode), _) => mode,
        (None, None) => usual,
    };
    if ca.is_some() && mode != TlsMode::Verify {
        context.fault(Code::SqlUrl, &at.at("ca"), "authorities count only where the certificate is verified");
    }
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            context.fault(Code::SqlUrl, &at, "`client_cert` and `client_key` go together");
            None
        }
    };
    Tls { mode, ca, identity }
}

/// A password that stands in the file is seen by everybody who reads it.
fn advise_on_password(url: &Url, text: &str, at: &Pointer, context: &mut Context<'_>) {
    let Some(password) = url.password().filter(|password| !password.is_empty()) else { return };
    // Behind the user, so that a user of the same name is not taken for it.
    let from = text.find("://").map_or(0, |at| at + 3 + url.username().len());
    let Some(place) = text.get(from..).and_then(|rest| rest.find(password)).map(|at| from + at) else { return };
    let overlaps = |part: &Range<usize>| part.start < place + password.len() && place < part.end;
    if context.inserted(at).iter().any(overlaps) {
        return;
    }
    let span = context.value(at);
    let advice = Diagnostic::warning(Code::LiteralSecret, span, "the password is written into the file");
    context.push(advice.help("take it from the environment: `${NAME}`"));
}
