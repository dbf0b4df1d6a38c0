//! Floor 5. Where a PostgreSQL server is and how one gets in: address, TLS, password. Also the side
//! door for cancelling, which takes a connection of its own.

use std::{io, sync::Arc};

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    sync::OnceCell,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    super::remote::{CONNECT_TIMEOUT, unavailable},
    fault::{self, Refusal},
    tls,
    wire::{Stream, Wire},
};
use crate::{
    plan::{self, Place, Prepared, TlsMode, sql::Access},
    secret::{Secret, Vault},
    upstream::error::UpstreamError,
};

/// What names a running session when it is to be cancelled.
pub(super) type Key = (i32, i32);

/// How one gets to a server.
#[derive(Debug)]
pub(super) struct Site {
    source: String,
    place: Place,
    user: String,
    password: Option<Secret<String>>,
    database: String,
    tls: plan::Tls,
    client: OnceCell<Arc<ClientConfig>>,
    /// Settings that every session starts with.
    settings: Vec<(&'static str, String)>,
    prepared: Prepared,
}

impl Site {
    pub(super) fn new(source: &str, sql: &plan::SqlSource, remote: &plan::Remote, vault: &Vault) -> Self {
        let mut settings = vec![
            ("client_encoding", "UTF8".to_owned()),
            ("application_name", "mcp-bridge".to_owned()),
            ("DateStyle", "ISO".to_owned()),
            ("TimeZone", "UTC".to_owned()),
        ];
        // A pooler refuses what it does not track; there these are set in each transaction.
        if remote.prepared == Prepared::Named {
            settings.extend(session_settings(sql).map(|(name, value)| (name, value.into_owned())));
        }
        Self {
            source: source.to_owned(),
            place: remote.place.clone(),
            user: remote.user.clone(),
            password: remote.password.and_then(|id| vault.get(id)).cloned(),
            database: remote.database.clone(),
            tls: remote.tls.clone(),
            client: OnceCell::new(),
            settings,
            prepared: remote.prepared,
        }
    }

    /// A session, ready for statements.
    pub(super) async fn connect(&self, access: Access) -> Result<(Wire, Key), UpstreamError> {
        match timeout(CONNECT_TIMEOUT, self.enter(access)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(fault::unreachable(&io::ErrorKind::TimedOut.into(), &self.source)),
        }
    }

    async fn enter(&self, access: Access) -> Result<(Wire, Key), UpstreamError> {
        let mut wire = self.open().await?;
        let own = [("user", self.user.as_str()), ("database", self.database.as_str())];
        let settings = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        // A pooler refuses it; there the transaction of each call alone says that it only reads.
        let says_so = access == Access::Read && self.prepared == Prepared::Named;
        let read_only = says_so.then_some(("default_transaction_read_only", "on"));
        let all = own.into_iter().chain(settings).chain(read_only);
        frontend::startup_message(all, &mut wire.output).map_err(|error| self.lost(&error))?;
        let key = self.authenticate(&mut wire).await?;
        Ok((wire, key))
    }

    async fn authenticate(&self, wire: &mut Wire) -> Result<Key, UpstreamError> {
        let mut key = (0, 0);
        wire.send().await.map_err(|error| self.lost(&error))?;
        loop {
            let message = wire.receive().await.map_err(|error| self.lost(&error))?;
            match message {
                Message::AuthenticationOk => {}
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(self.password()?.as_bytes(), &mut wire.output)
                        .map_err(|error| self.lost(&error))?;
                    wire.send().await.map_err(|error| self.lost(&error))?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(self.user.as_bytes(), self.password()?.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut wire.output).map_err(|error| self.lost(&error))?;
                    wire.send().await.map_err(|error| self.lost(&error))?;
                }
                Message::AuthenticationSasl(body) => self.prove(wire, &body).await?,
                Message::BackendKeyData(body) => key = (body.process_id(), body.secret_key()),
                Message::ReadyForQuery(_) => return Ok(key),
                Message::ErrorResponse(body) => return Err(Refusal::read(&body).of_connection(&self.source)),
                _ => return Err(unavailable(&self.source, "the server asks for a way to sign in that is not known")),
            }
        }
    }

    /// Proves that the password is known, without sending it (RFC 5802).
    async fn prove(&self, wire: &mut Wire, body: &AuthenticationSaslBody) -> Result<(), UpstreamError> {
        let mut mechanisms = body.mechanisms();
        let mut is_known = false;
        while let Ok(Some(mechanism)) = mechanisms.next() {
            is_known |= mechanism == SCRAM_SHA_256;
        }
        if !is_known {
            return Err(unavailable(&self.source, "the server asks for a way to sign in that is not known"));
        }
        let mut scram = ScramSha256::new(self.password()?.as_bytes(), ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut wire.output)
            .map_err(|error| self.lost(&error))?;
        wire.send().await.map_err(|error| self.lost(&error))?;
        loop {
            match wire.receive().await.map_err(|error| self.lost(&error))? {
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data()).map_err(|error| self.unproven(&error))?;
                    frontend::sasl_response(scram.message(), &mut wire.output).map_err(|error| self.lost(&error))?;
                    wire.send().await.map_err(|error| self.lost(&error))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    return scram.finish(body.data()).map_err(|error| self.unproven(&error));
                }
                Message::ErrorResponse(body) => return Err(Refusal::read(&body).of_connection(&self.source)),
                _ => return Err(self.lost(&io::ErrorKind::InvalidData.into())),
            }
        }
    }

    fn password(&self) -> Result<&str, UpstreamError> {
        let missing = || unavailable(&self.source, "the server asks for a password, and its URL has none");
        self.password.as_ref().map(|password| password.expose().as_str()).ok_or_else(missing)
    }

    fn lost(&self, error: &io::Error) -> UpstreamError {
        fault::unreachable(error, &self.source)
    }

    fn unproven(&self, error: &io::Error) -> UpstreamError {
        unavailable(&self.source, "the server did not prove that it knows the password").caused_by(error)
    }

    /// Asks the server to stop what runs in a session, and waits until it has been told.
    pub(super) async fn cancel(&self, (process, secret): Key) {
        let told = timeout(CONNECT_TIMEOUT, async {
            let mut wire = self.open().await?;
            frontend::cancel_request(process, secret, &mut wire.output);
            wire.send().await.map_err(|error| self.lost(&error))?;
            // How it closes says nothing: some systems reset a connection that has nothing to say.
            let _ = wire.drained().await;
            Ok::<_, UpstreamError>(())
        });
        match told.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(source = self.source, reason = %error, "a statement could not be cancelled");
            }
            Err(_) => tracing::warn!(source = self.source, "a statement could not be cancelled in time"),
        }
    }

    /// A connection, protected as the source says, on which nothing was said yet.
    async fn open(&self) -> Result<Wire, UpstreamError> {
        let (host, port) = match &self.place {
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| self.lost(&error))?;
                return Ok(Wire::new(Stream::Unix(stream)));
            }
            Place::Tcp(host, port) => (host.as_str(), *port),
        };
        let addresses = lookup_host((host, port)).await;
        let unknown = || unavailable(&self.source, "its host name is not known");
        let mut failure = unknown();
        for address in addresses.map_err(|error| unknown().caused_by(error))? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|error| self.lost(&error))?;
                    return self.protect(stream, host).await;
                }
                Err(error) => failure = self.lost(&error),
            }
        }
        Err(failure)
    }

    async fn protect(&self, stream: TcpStream, host: &str) -> Result<Wire, UpstreamError> {
        let mut wire = Wire::new(Stream::Tcp(stream));
        if self.tls.mode == TlsMode::Off {
            return Ok(wire);
        }
        frontend::ssl_request(&mut wire.output);
        wire.send().await.map_err(|error| self.lost(&error))?;
        let is_offered = wire.byte().await.map_err(|error| self.lost(&error))? == b'S';
        if !is_offered && self.tls.mode == TlsMode::Prefer {
            return Ok(wire);
        }
        let (true, Stream::Tcp(stream)) = (is_offered, wire.into_stream()) else {
            return Err(unavailable(&self.source, "the server offers no TLS"));
        };
        let failed = |error: &dyn std::fmt::Display| {
            unavailable(&self.source, "the TLS connection could not be made, or the certificate is not trusted")
                .caused_by(error)
        };
        let client = self.client().await.map_err(|error| failed(&error))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let stream = TlsConnector::from(client).connect(name, stream).await.map_err(|error| failed(&error))?;
        Ok(Wire::new(Stream::Tls(Box::new(stream))))
    }

    /// Reads certificates once; what could not be read is tried again with the next connection.
    async fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let make = || async {
            let tls = self.tls.clone();
            let made = tokio::task::spawn_blocking(move || tls::config(&tls)).await;
            made.map_err(|error| error.to_string())?.map(Arc::new)
        };
        self.client.get_or_try_init(make).await.cloned()
    }
}

/// The settings that values and bounds depend on, by name.
pub(super) fn session_settings(
    source: &plan::SqlSource,
) -> impl Iterator<Item = (&'static str, std::borrow::Cow<'static, str>)> + use<> {
    let timeout = source.statement_timeout.as_millis().max(1).to_string();
    [
        ("IntervalStyle", "iso_8601".into()),
        ("bytea_output", "hex".into()),
        ("extra_float_digits", "1".into()),
        ("standard_conforming_strings", "on".into()),
        ("idle_in_transaction_session_timeout", "60000".into()),
        ("statement_timeout", timeout.into()),
    ]
    .into_iter()
}
