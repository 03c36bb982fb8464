//! TLS on the main port, with certificates that are exchanged while it serves.

mod certificate;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::metrics::NotAfter;
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
struct Current {
    key: RwLock<Arc<CertifiedKey>>,
    not_after: Arc<NotAfter>,
}

impl Current {
    fn new(certificate: Certificate, not_after: Arc<NotAfter>) -> Self {
        let current = Self {
            key: RwLock::new(Arc::clone(&certificate.key)),
            not_after,
        };
        current.exchange(certificate);
        current
    }

    fn exchange(&self, certificate: Certificate) {
        certificate.warn_if_expired();
        self.not_after.set(certificate.not_after);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = certificate.key;
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&key))
    }
}

/// Sessions for connections.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

impl Tls {
    /// Reads the files, and from then on looks whether they have changed. `not_after` is kept told of the
    /// certificate in use.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub(crate) fn start(files: CertificateFiles, not_after: Arc<NotAfter>) -> Result<Self, String> {
        let seen = watch::Seen::read(&files)?;
        let certificate = Certificate::parse(&files, &seen)?;
        let current = Arc::new(Current::new(certificate, not_after));
        let failed = |error: &dyn std::fmt::Display| format!("TLS cannot be set up: {error}");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        watch::start(files, seen.hash(), &current).map_err(|error| failed(&error))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Agrees on a session.
    pub(super) async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(socket).await
    }
}
