//! Whom a connection trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::{TransportError, TransportErrorKind};

/// Which certificate authorities are trusted, besides those that are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the web, as Mozilla lists them, compiled in: the same on every machine.
    #[default]
    Web,
    /// Those of the machine, and of `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set: what a
    /// company that inspects its traffic installs.
    #[cfg(feature = "platform-roots")]
    Platform,
    /// None but those that are added.
    None,
}

/// The settings of TLS: ring, TLS 1.2 and 1.3, certificates always checked.
pub(super) fn config(
    roots: Roots,
    authorities: &[Vec<u8>],
) -> Result<ClientConfig, TransportError> {
    let mut store = match roots {
        Roots::Web => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        #[cfg(feature = "platform-roots")]
        Roots::Platform => of_the_machine()?,
        Roots::None => RootCertStore::empty(),
    };
    for authority in authorities {
        for certificate in certificates(authority)? {
            store.add(certificate).map_err(|error| refused("is no certificate", error))?;
        }
    }
    if store.is_empty() {
        return Err(TransportError::new(
            TransportErrorKind::InvalidRequest,
            "TLS cannot be set up: no certificate authority is trusted; add one",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused("cannot be used", error))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

/// Certificates from PEM, one or more, or from DER.
fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(vec![CertificateDer::from(bytes.to_owned())]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let found = found.map_err(|error| refused("is not PEM, though it begins so", error))?;
    if found.is_empty() {
        let message = "TLS cannot be set up: a certificate authority in PEM holds no certificate";
        return Err(TransportError::new(TransportErrorKind::InvalidRequest, message));
    }
    Ok(found)
}

fn refused(why: &str, source: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    let message = format!("TLS cannot be set up: a certificate authority {why}");
    TransportError::new(TransportErrorKind::InvalidRequest, message).with_source(source)
}

/// The machine's own authorities. Some that cannot be read are no reason to fail; none at all is.
#[cfg(feature = "platform-roots")]
fn of_the_machine() -> Result<RootCertStore, TransportError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        let message = format!(
            "TLS cannot be set up: this machine has no certificate authorities{why}; install them \
             (on Debian the package ca-certificates), or use those of the web"
        );
        return Err(TransportError::new(TransportErrorKind::InvalidRequest, message));
    }
    Ok(store)
}
