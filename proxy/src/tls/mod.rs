//! TLS on the client's side, on the server's side, and what a password needs between the two.
//!
//! The sides are independent. A client that speaks TLS ends it here; whether the server's connection is encrypted is
//! decided by [`UpstreamTls`] alone.
//!
//! *Invariant:* a password that reached the proxy inside TLS, or by its unix socket, leaves it encrypted (inside TLS, or
//! with the server's RSA key) or does not leave it. `session::auth` keeps it.

mod client;
mod password;
mod upstream;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use client::{ClientTls, Identity};
pub(crate) use password::{PasswordKey, encrypt};
pub use upstream::{SslMode, UpstreamTls};

/// What is wrong with a certificate, a key, or an authority.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no such thing in the file.
    #[error("there is no {0} in PEM form in it")]
    Missing(&'static str),
    /// The file is damaged.
    #[error("its PEM form is damaged: {0:?}")]
    Pem(pem::Error),
    /// What it holds cannot be used.
    #[error(transparent)]
    Unusable(#[from] tokio_rustls::rustls::Error),
    /// Authorities that verify nothing.
    #[error(transparent)]
    Verifier(#[from] tokio_rustls::rustls::client::VerifierBuilderError),
    /// A mode that verifies certificates, and nothing to verify them by.
    #[error("a certificate can only be verified by the certificates of authorities")]
    NoAuthorities,
}

/// A certificate, with those of its issuers behind it, and its key, each out of its PEM form.
fn pair(
    certificates: &[u8],
    key: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsError::Pem)?;
    if chain.is_empty() {
        return Err(TlsError::Missing("certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Missing("private key"),
        error => TlsError::Pem(error),
    })?;
    Ok((chain, key))
}

/// Named here, because what a build links may offer more than one.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
