//! Floor 8. TLS of the listener: certificates out of files, looked at again now and then, because they
//! are renewed while the server runs (auth.md §4.1).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::plan::ListenerTls;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// The certificates that are shown to clients.
#[derive(Debug)]
pub(super) struct Certificates {
    files: ListenerTls,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<Vec<Option<Stamp>>>,
}

/// What changes when a file is replaced.
type Stamp = (SystemTime, u64);

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, does not fit the others, or lets everybody read the key.
    pub(super) fn load(files: &ListenerTls) -> io::Result<Arc<Self>> {
        let current = ArcSwap::from_pointee(config(files)?);
        Ok(Arc::new(Self { files: files.clone(), current, seen: Mutex::new(stamps(files)) }))
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// When it does not want to, or shows no certificate where one is asked for.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current.load_full()).accept(socket).await
    }

    /// Looks whether the files have changed. What cannot be used is told, and leaves the old ones in place.
    fn look(&self) {
        let now = stamps(&self.files);
        {
            let mut seen = self.seen.lock();
            if *seen == now {
                return;
            }
            *seen = now;
        }
        match config(&self.files) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!("the certificates of the server were read anew");
            }
            Err(error) => tracing::warn!(%error, "the changed certificates of the server cannot be used"),
        }
    }

    /// Looks now and then, until the server stops.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let all = Arc::clone(&self);
            // A task that panics has told so itself.
            let _ = tokio::task::spawn_blocking(move || all.look()).await;
        }
    }
}

fn stamps(files: &ListenerTls) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| stamp(path))
        .collect()
}

fn config(files: &ListenerTls) -> io::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |path: &PathBuf, why: String| io::Error::other(format!("{}: {why}", path.display()));
    let chain = certificates(&files.cert)?;
    kept_secret(&files.key)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&files.cert, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Clients have to show a certificate of this authority.
fn verifier(path: &PathBuf, provider: Arc<rustls::crypto::CryptoProvider>) -> io::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn certificates(path: &PathBuf) -> io::Result<Vec<CertificateDer<'static>>> {
    let unusable = |error: rustls::pki_types::pem::Error| io::Error::other(format!("{}: {error}", path.display()));
    let all =
        CertificateDer::pem_file_iter(path).map_err(unusable)?.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    if all.is_empty() {
        return Err(io::Error::other(format!("{}: the file holds no certificate", path.display())));
    }
    Ok(all)
}

/// A key that every user of the machine can read is nobody's.
fn kept_secret(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions()) & 0o004 != 0 {
        let told = format!("{} can be read by everybody: take that away with `chmod 600`", path.display());
        return Err(io::Error::other(told));
    }
    Ok(())
}
