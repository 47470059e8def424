//! TLS towards the server, in the modes of MySQL's own clients.
//!
//! <https://dev.mysql.com/doc/refman/9.7/en/connection-options.html#option_general_ssl-mode>

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::{TlsError, provider};

/// How the server's connection is protected; the names are those of `--ssl-mode` in MySQL's clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    #[default]
    Disabled,
    /// Encrypted if the server offers it.
    Preferred,
    /// Encrypted, whoever the server is.
    Required,
    /// Encrypted, and the server's certificate is signed by a known authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate is that of the host that was connected to.
    VerifyIdentity,
}

impl SslMode {
    /// Whether the server has to show a certificate that is verified.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyIdentity)
    }
}

/// The mode, ready to be used.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTls {
    mode: SslMode,
    config: Option<Arc<ClientConfig>>,
}

impl UpstreamTls {
    /// Prepares a mode; `authorities` are certificates in PEM form, needed by the two modes that verify.
    ///
    /// # Errors
    /// They are missing or unusable.
    pub fn new(mode: SslMode, authorities: Option<&[u8]>) -> Result<Self, TlsError> {
        Self::of(mode, authorities, |builder| Ok(builder.with_no_client_auth()))
    }

    /// As `new`, and a server that asks for a certificate is shown this one, with the key it belongs to, both in PEM form.
    /// Whoever connects by it passes for its owner.
    ///
    /// # Errors
    /// Something is missing or unusable.
    pub fn presenting(
        mode: SslMode,
        authorities: Option<&[u8]>,
        certificates: &[u8],
        key: &[u8],
    ) -> Result<Self, TlsError> {
        let (chain, key) = super::pair(certificates, key)?;
        Self::of(mode, authorities, |builder| {
            Ok(builder.with_client_auth_cert(chain, key)?)
        })
    }

    fn of(
        mode: SslMode,
        authorities: Option<&[u8]>,
        finish: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig, TlsError>,
    ) -> Result<Self, TlsError> {
        let verifier = match (mode, authorities) {
            (SslMode::Disabled, _) => return Ok(Self { mode, config: None }),
            (SslMode::Preferred | SslMode::Required, _) => Verifier::Anybody(provider()),
            (_, None) => return Err(TlsError::NoAuthorities),
            (SslMode::VerifyCa, Some(pem)) => Verifier::AnyName(web_pki(pem)?),
            (SslMode::VerifyIdentity, Some(pem)) => Verifier::Strict(web_pki(pem)?),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Self {
            mode,
            config: Some(Arc::new(finish(builder)?)),
        })
    }

    /// What to connect with, if the connection is to be encrypted: `Err` when it has to be and the server does not offer it.
    pub(crate) fn connector(&self, is_offered: bool) -> Result<Option<TlsConnector>, &'static str> {
        match &self.config {
            Some(config) if is_offered => Ok(Some(TlsConnector::from(config.clone()))),
            Some(_) if self.mode != SslMode::Preferred => {
                Err("TLS is required but the server does not offer it")
            }
            _ => Ok(None),
        }
    }
}

fn web_pki(authorities: &[u8]) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.map_err(TlsError::Pem)?)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Missing("certificate"));
    }
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()?)
}

/// Who is taken for the server.
#[derive(Debug)]
enum Verifier {
    /// Whoever holds the key of the certificate that is shown.
    Anybody(Arc<CryptoProvider>),
    /// Whoever a known authority vouches for, under any name.
    AnyName(Arc<WebPkiServerVerifier>),
    /// The host itself.
    Strict(Arc<WebPkiServerVerifier>),
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (Self::AnyName(inner) | Self::Strict(inner)) = self else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last, when everything else has been found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if matches!(self, Self::AnyName(_)) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Anybody(provider) => {
                verify_tls12_signature(message, cert, dss, &provider.signature_verification_algorithms)
            }
            Self::AnyName(inner) | Self::Strict(inner) => inner.verify_tls12_signature(message, cert, dss),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Anybody(provider) => {
                verify_tls13_signature(message, cert, dss, &provider.signature_verification_algorithms)
            }
            Self::AnyName(inner) | Self::Strict(inner) => inner.verify_tls13_signature(message, cert, dss),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Anybody(provider) => provider.signature_verification_algorithms.supported_schemes(),
            Self::AnyName(inner) | Self::Strict(inner) => inner.supported_verify_schemes(),
        }
    }
}
