//! TLS: certificates from files, which can be read again while the server runs.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use tokio_rustls::TlsAcceptor;

/// Where certificates are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificates, the server's own first, in PEM.
    pub cert: PathBuf,
    /// The key of the first, in PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    fn read(&self) -> io::Result<ServerConfig> {
        let of = |path: &PathBuf, error: &dyn fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| of(&self.cert, &error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| of(&self.key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| of(&self.cert, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The certificates in force.
#[derive(Clone)]
pub(crate) struct Tls {
    files: Option<TlsFiles>,
    config: Arc<ArcSwapOption<ServerConfig>>,
}

impl Tls {
    pub(crate) fn new(files: Option<TlsFiles>) -> io::Result<Self> {
        let tls = Self { files, config: Arc::default() };
        tls.reload()?;
        Ok(tls)
    }

    pub(crate) fn reload(&self) -> io::Result<()> {
        if let Some(files) = &self.files {
            self.config.store(Some(Arc::new(files.read()?)));
        }
        Ok(())
    }

    /// What takes connections; none where they are plain.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.config.load_full().map(TlsAcceptor::from)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Reads the certificates of a running server again.
#[derive(Debug, Clone)]
pub struct Reloader(pub(crate) Tls);

impl Reloader {
    /// Reads them; new connections are made with them. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what it should be; then those there were stay in force.
    pub fn reload(&self) -> io::Result<()> {
        self.0.reload()
    }
}
