//! Floor 5. Where a MySQL or MariaDB server is and how one gets in: address, TLS, password; and what
//! is asked and set before a session is used. Also the side door for stopping a statement, which
//! takes a connection of its own.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, Row as _,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tokio::{net::lookup_host, time::timeout};

use super::{
    super::remote::{CONNECT_TIMEOUT, unavailable},
    connection::MAX_PREPARED,
    fault::{self, Failure},
    rights,
};
use crate::{
    plan::{self, Place, Powers, TlsMode, sql::Access},
    secret::{Secret, Vault},
    upstream::error::{FailureClass, UpstreamError},
};

/// How one gets to a server.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) source: String,
    place: Place,
    user: String,
    password: Option<Secret<String>>,
    database: String,
    tls: plan::Tls,
    powers: Powers,
    statement_timeout: Duration,
}

/// What a session is, and what it starts with.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) product: Product,
    pub(super) locks: Locks,
    /// The `sql_mode` that it runs with.
    modes: String,
}

/// Whose server it is. They differ in names and in what they can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Mysql,
    Mariadb,
}

/// Whether the server can release all locks that `GET_LOCK` took in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locks {
    Released,
    /// It is too old to know how.
    Kept,
}

/// Modes that change how a text is read, so that it would not mean what `check` has seen, or what
/// values mean.
const UNWANTED: [&str; 16] = [
    "ANSI",
    "ANSI_QUOTES",
    "DB2",
    "EMPTY_STRING_IS_NULL",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_SPACE",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "NO_BACKSLASH_ESCAPES",
    "ORACLE",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "POSTGRESQL",
    "REAL_AS_FLOAT",
];

/// Modes without which the server stores something else than it was given.
const WANTED: [&str; 3] = ["STRICT_ALL_TABLES", "ERROR_FOR_DIVISION_BY_ZERO", "NO_ENGINE_SUBSTITUTION"];

impl Site {
    pub(super) fn new(source: &str, sql: &plan::SqlSource, remote: &plan::Remote, vault: &Vault) -> Self {
        Self {
            source: source.to_owned(),
            place: remote.place.clone(),
            user: remote.user.clone(),
            password: remote.password.and_then(|id| vault.get(id)).cloned(),
            database: remote.database.clone(),
            tls: remote.tls.clone(),
            powers: remote.powers,
            statement_timeout: sql.statement_timeout,
        }
    }

    /// Made for each connection, so that the password does not stand about in the open.
    fn options(&self) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .username(&self.user)
            .database(&self.database)
            .charset("utf8mb4")
            .timezone(None)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .statement_cache_capacity(MAX_PREPARED)
            .ssl_mode(match self.tls.mode {
                TlsMode::Off => MySqlSslMode::Disabled,
                TlsMode::Prefer => MySqlSslMode::Preferred,
                TlsMode::Require => MySqlSslMode::Required,
                TlsMode::Verify => MySqlSslMode::VerifyIdentity,
            })
            // Statements do not go to the log of the driver.
            .disable_statement_logging();
        let options = match &self.place {
            Place::Socket(path) => options.socket(path),
            Place::Tcp(host, port) => options.host(host).port(*port),
        };
        let options = match &self.password {
            Some(password) => options.password(password.expose()),
            None => options,
        };
        let options = match &self.tls.ca {
            Some(ca) => options.ssl_ca(ca),
            None => options,
        };
        match &self.tls.identity {
            Some((certificate, key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
            None => options,
        }
    }

    /// A session, ready for statements.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses, or the user can do more than it should.
    pub(super) async fn connect(&self, access: Access) -> Result<(MySqlConnection, Session), UpstreamError> {
        let enter = async {
            let mut connection = self.enter().await?;
            let session = self.set_up(&mut connection, access).await?;
            Ok((connection, session))
        };
        match timeout(CONNECT_TIMEOUT, enter).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unavailable(&self.source, "the server did not answer in time")),
        }
    }

    async fn enter(&self) -> Result<MySqlConnection, UpstreamError> {
        if let Place::Tcp(host, port) = &self.place
            && let Err(error) = lookup_host((host.as_str(), *port)).await
        {
            return Err(unavailable(&self.source, "its host name is not known").caused_by(error));
        }
        self.options().connect().await.map_err(|error| fault::unreachable(error, &self.source))
    }

    async fn set_up(&self, connection: &mut MySqlConnection, access: Access) -> Result<Session, UpstreamError> {
        let refused = |error: sqlx::Error| fault::unreachable(error, &self.source);
        let asked = sqlx::raw_sql("SELECT CONNECTION_ID(), VERSION(), @@SESSION.sql_mode")
            .fetch_one(&mut *connection)
            .await
            .map_err(refused)?;
        let id = asked.try_get(0).map_err(refused)?;
        let (version, modes): (String, String) =
            (asked.try_get(1).map_err(refused)?, asked.try_get(2).map_err(refused)?);
        let product = if version.to_ascii_lowercase().contains("mariadb") { Product::Mariadb } else { Product::Mysql };
        if self.powers == Powers::Refused && access == Access::Read {
            let grants = sqlx::raw_sql("SHOW GRANTS").fetch_all(&mut *connection).await.map_err(refused)?;
            let grants: Result<Vec<String>, _> = grants.iter().map(|row| row.try_get(0)).collect();
            if let Some(power) = rights::power(&grants.map_err(refused)?) {
                let public = format!("the user of source `{}` can do more than read and write its tables", self.source);
                let cause =
                    format!("it has {power} on *.*: give the source a user of its own, or say `allow_superuser: true`");
                return Err(UpstreamError::new(FailureClass::Unreachable, public).caused_by(cause));
            }
        }
        let locks = match sqlx::raw_sql("DO RELEASE_ALL_LOCKS()").execute(&mut *connection).await {
            Ok(_) => Locks::Released,
            Err(_) => Locks::Kept,
        };
        let session = Session { id, product, locks, modes: modes_of(&modes) };
        sqlx::raw_sql(AssertSqlSafe(session.settings(self.statement_timeout)))
            .execute(connection)
            .await
            .map_err(refused)?;
        Ok(session)
    }

    /// Has the server stop what runs in a session, and waits until it has been told.
    pub(super) async fn stop(&self, id: u64) {
        let told = timeout(CONNECT_TIMEOUT, async {
            let mut connection = self.options().connect().await?;
            sqlx::raw_sql(AssertSqlSafe(format!("KILL QUERY {id}"))).execute(&mut connection).await?;
            connection.close().await
        });
        match told.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let reason = match Failure::from(error) {
                    Failure::Refused(refusal) => refusal.to_string(),
                    Failure::Lost(reason) => reason,
                };
                tracing::warn!(source = self.source, reason, "a statement could not be stopped");
            }
            Err(_) => tracing::warn!(source = self.source, "a statement could not be stopped in time"),
        }
    }
}

impl Session {
    /// The statement that makes the settings that values and bounds depend on. It is run again before
    /// each transaction: a function that a statement calls can change any of them for the session, and no
    /// rollback undoes that.
    pub(super) fn settings(&self, allowed: Duration) -> String {
        let seconds = allowed.as_secs().clamp(1, 1_000_000) + u64::from(allowed.subsec_nanos() > 0);
        let timeout = match self.product {
            Product::Mariadb => format!("max_statement_time={:.3}", allowed.as_secs_f64().max(0.001)),
            Product::Mysql => format!("max_execution_time={}", allowed.as_millis().max(1)),
        };
        format!(
            "SET time_zone='+00:00',sql_mode='{}',{timeout},lock_wait_timeout={seconds},innodb_lock_wait_timeout={seconds}",
            self.modes
        )
    }
}

/// The modes of the server without those that would change what texts and values mean, and with
/// those that keep it strict.
fn modes_of(given: &str) -> String {
    let is_name = |mode: &&str| mode.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let kept = given.split(',').filter(is_name).filter(|mode| !mode.is_empty() && !UNWANTED.contains(mode));
    let mut modes: Vec<&str> = kept.filter(|mode| !WANTED.contains(mode)).collect();
    modes.extend(WANTED);
    modes.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_strict_and_read_texts_as_check_does() {
        for (given, expected) in [
            ("", "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"),
            (
                "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI,NO_ENGINE_SUBSTITUTION",
                "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
            ),
        ] {
            assert_eq!(modes_of(given), expected);
        }
    }

    #[test]
    fn settings_are_those_of_the_product() {
        let session = |product| Session { id: 1, product, locks: Locks::Released, modes: String::new() };
        let allowed = Duration::from_millis(1500);
        let mariadb = session(Product::Mariadb).settings(allowed);
        assert!(mariadb.contains("max_statement_time=1.500,lock_wait_timeout=2"), "{mariadb}");
        let mysql = session(Product::Mysql).settings(allowed);
        assert!(mysql.contains("max_execution_time=1500,lock_wait_timeout=2"), "{mysql}");
    }
}
