//! TLS on the main port, with certificates that are exchanged while it serves.

mod certificate;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use certificate::Certificate;

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFiles {
    /// The chain, the server's own certificate first, in PEM.
    pub(crate) certificates: PathBuf,
    /// The private key, in PEM.
    pub(crate) key: PathBuf,
}

/// The certificate that new sessions begin with.
#[derive(Debug)]
struct Current(RwLock<Certificate>);

impl Current {
    fn exchange(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    fn key(&self) -> Arc<CertifiedKey> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.key)
    }

    fn not_after(&self) -> SystemTime {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.not_after
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

/// Sessions for connections.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

impl Tls {
    /// Reads the files, and from then on looks whether they have changed.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub(crate) fn start(files: CertificateFiles) -> Result<Self, String> {
        let seen = watch::Seen::read(&files)?;
        let certificate = Certificate::parse(&files, &seen)?;
        certificate.warn_if_expired();
        let current = Arc::new(Current(RwLock::new(certificate)));
        let failed = |error: &dyn std::fmt::Display| format!("TLS cannot be set up: {error}");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        watch::start(files, seen.hash(), &current).map_err(|error| failed(&error))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
        })
    }

    /// Agrees on a session.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(socket).await
    }

    /// When the certificate in use ends.
    pub(crate) fn not_after(&self) -> SystemTime {
        self.current.not_after()
    }
}
