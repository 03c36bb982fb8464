//! A certificate and its key, as files have them.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;

use super::CertificateFiles;
use super::watch::Seen;

/// A chain and the key that belongs to it.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_after: SystemTime,
}

impl Certificate {
    /// Reads what the files hold.
    ///
    /// # Errors
    /// A sentence that names the file and the reason, and nothing of what is in a key.
    pub(super) fn parse(files: &CertificateFiles, seen: &Seen) -> Result<Self, String> {
        let within = |path: &Path, reason: &dyn std::fmt::Display| format!("{path:?}: {reason}");
        let certificates = files.certificates.as_path();
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&seen.certificates)
                .collect::<Result<_, _>>()
                .map_err(|error| within(certificates, &told(&error)))?;
        let Some(own) = chain.first() else {
            return Err(within(certificates, &"there is no PEM certificate in it"));
        };
        let not_after = not_after(own).map_err(|error| {
            let reason = format!("its first certificate cannot be read: {error}");
            within(certificates, &reason)
        })?;
        let key_file = files.key.as_path();
        let key = PrivateKeyDer::from_pem_slice(&seen.key).map_err(|error| match error {
            PemError::NoItemsFound => within(key_file, &"there is no PEM private key in it"),
            error => within(key_file, &told(&error)),
        })?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(
            |error| match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "{key_file:?}: the key does not belong to the certificate in {certificates:?}"
                ),
                error => within(key_file, &format!("the key cannot be used: {error}")),
            },
        )?;
        Ok(Self {
            key: Arc::new(key),
            not_after,
        })
    }

    /// Clients will refuse it: the operator has to know why.
    pub(super) fn warn_if_expired(&self) {
        if self.not_after <= SystemTime::now() {
            let not_after = jiff::Timestamp::try_from(self.not_after);
            let not_after = not_after.map_or_else(|_| "long ago".to_owned(), |it| it.to_string());
            tracing::warn!(not_after, "the TLS certificate has expired");
        }
    }
}

/// An error of the PEM reader without the bytes that it met: they may be a key's.
fn told(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "a PEM section has no end line",
        PemError::IllegalSectionStart { .. } => "a PEM section has a malformed begin line",
        PemError::Base64Decode(_) => "a PEM section is not base64",
        PemError::NoItemsFound => "there is no PEM section of this kind in it",
        _ => "it is not PEM",
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> x509_cert::der::Result<SystemTime> {
    let certificate = x509_cert::Certificate::from_der(certificate)?;
    let validity = certificate.tbs_certificate().validity();
    Ok(validity.not_after.to_system_time())
}
