//! Floor 8. The HTTP server: settings → bind → serve → drain. The only place that spells
//! HTTP statuses and knows the server crates.

mod alarm;
mod authority;
mod callers;
mod challenge;
mod channels;
mod connection;
mod cors;
mod events;
mod forwarded;
mod guard;
mod http;
mod lasting;
mod metadata;
mod negotiation;
mod payload;
mod peers;
mod readiness;
mod refusals;
mod reload;
mod stdio;
mod stream;
mod swap;
#[cfg(test)]
mod tests;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{access::Authenticator, authority::Authority, engine::Generation, mcp, plan, secret::Vault, telemetry};

pub use reload::Watch;
pub use stdio::Stdio;
pub use swap::read_once;

use callers::Callers;
use connection::{Door, Limits};
use http::App;
use tls::Certificates;

/// How long closing the sources may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that has its address and answers nobody yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    app: Arc<App>,
    limits: Limits,
    watch: Option<Watch>,
}

impl Bound {
    /// Takes the address of the plan, or another one that the command line names.
    ///
    /// # Errors
    /// When the address is taken or is not one of this machine.
    pub async fn bind(generation: Generation, vault: &Vault, listen: SocketAddr) -> io::Result<Self> {
        let certificates = generation.plan().server.tls.as_ref().map(Certificates::load).transpose()?;
        let listener = TcpListener::bind(listen).await?;
        let server: &plan::Server = &generation.plan().server;
        let address = listener.local_addr()?;
        let callers = Callers::new(
            generation.plan(),
            Authenticator::new(generation.plan(), vault, generation.state())?,
            Authority::new(generation.plan(), vault, generation.state(), generation.audit())?,
            generation.state(),
        );
        generation.record();
        let limits = Limits::new(server.shutdown_grace);
        let key = server.signing_key.and_then(|key| vault.get(key));
        let app = App::new(mcp::Server::new(Arc::new(generation), key), address, callers);
        Ok(Self { listener, certificates, app: Arc::new(app), limits, watch: None })
    }

    /// Serves changed files without a new start, and tells clients.
    #[must_use]
    pub fn watching(mut self, watch: Watch) -> Self {
        self.app.expect_changes();
        self.watch = Some(watch);
        self
    }

    /// The address that was taken: the port is known even when any was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets calls under way end within the grace period.
    pub async fn serve(self, stop: CancellationToken) -> Drained {
        if let Some(watch) = self.watch {
            let app: Arc<App> = Arc::clone(&self.app);
            telemetry::spawn(reload::watch(watch, app, stop.clone()));
        }
        let drained = connection::serve(
            Door { listener: self.listener, certificates: self.certificates },
            Arc::clone(&self.app),
            stop,
            self.limits,
        )
        .await;
        // A database that does not let go is not waited for: its files survive that.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.app.close()).await;
        drained
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every call came to its end.
    Whole,
    /// The grace period ended before some calls did.
    CutOff,
}
