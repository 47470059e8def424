//! TLS towards clients.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::{TlsError, provider};

/// Whether clients may, or must, use TLS.
#[derive(Clone, Debug, Default)]
pub enum ClientTls {
    /// TLS is not offered.
    #[default]
    Disabled,
    /// The client chooses.
    Preferred(Identity),
    /// A client that came by TCP without TLS is refused, as a server with `require_secure_transport` does it.
    Required(Identity),
}

impl ClientTls {
    /// What TLS is offered with.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Disabled => None,
            Self::Preferred(identity) | Self::Required(identity) => Some(identity),
        }
    }

    /// Shows another certificate to who comes from now on; connections there are keep theirs. Clones change with it.
    pub fn renew(&self, other: &Identity) {
        if let Some(identity) = self.identity() {
            identity.become_as(other);
        }
    }

    pub(crate) fn is_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }
}

/// The proxy's certificate and its key. Clones are the same identity and are renewed together.
#[derive(Clone, Debug)]
pub struct Identity(Arc<RwLock<Arc<ServerConfig>>>);

impl Identity {
    /// Reads a certificate, with those of its issuers behind it, and its key, each in PEM form.
    ///
    /// # Errors
    /// They are not there, or do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let (chain, key) = super::pair(certificates, key)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(config)))))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config())
    }

    fn become_as(&self, other: &Self) {
        let config = other.config();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// A pointer is whole after any panic.
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
