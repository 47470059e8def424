//! What was said about TLS, on either side.
//!
//! The modes have the names of `--ssl-mode` in MySQL's clients, and mean the same.

use std::path::PathBuf;

use alterego_proxy::tls::SslMode;
use clap::ValueEnum;

use super::LowArgs;

/// How the server's connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum UpstreamMode {
    /// Never encrypted
    Disabled,
    /// Encrypted if the server offers it
    Preferred,
    /// Encrypted, or not at all; the server's certificate is not looked at
    Required,
    /// As REQUIRED, and the certificate must be signed by one in --tls-ca
    VerifyCa,
    /// As VERIFY_CA, and it must name the host
    VerifyIdentity,
}

impl From<UpstreamMode> for SslMode {
    fn from(mode: UpstreamMode) -> Self {
        match mode {
            UpstreamMode::Disabled => Self::Disabled,
            UpstreamMode::Preferred => Self::Preferred,
            UpstreamMode::Required => Self::Required,
            UpstreamMode::VerifyCa => Self::VerifyCa,
            UpstreamMode::VerifyIdentity => Self::VerifyIdentity,
        }
    }
}

/// Whether clients use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ClientMode {
    /// TLS is not offered
    Disabled,
    /// TLS is offered, the client chooses
    Preferred,
    /// A client that comes by TCP without TLS is refused (as with require_secure_transport)
    Required,
}

/// TLS towards the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamSettings {
    /// How the connections are protected.
    pub(crate) mode: SslMode,
    /// The file of the authorities that may sign the server's certificate; there if the mode verifies.
    pub(crate) authorities: Option<PathBuf>,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// Whether it is used.
    pub(crate) mode: ClientMode,
    /// The files of the certificate and of its key; alterego makes its own if there are none.
    pub(crate) files: Option<(PathBuf, PathBuf)>,
}

impl UpstreamSettings {
    /// As MySQL's clients read it: authorities alone ask for verification.
    pub(super) fn from_low(low: &LowArgs) -> Result<Self, String> {
        Self::new(low.upstream_ssl_mode, low.tls_ca.clone())
    }

    pub(super) fn new(mode: Option<UpstreamMode>, authorities: Option<PathBuf>) -> Result<Self, String> {
        let mode = match (mode, &authorities) {
            (Some(mode), _) => SslMode::from(mode),
            (None, Some(_)) => SslMode::VerifyCa,
            (None, None) => SslMode::Preferred,
        };
        match (mode.verifies(), &authorities) {
            (true, None) => Err(
                "--upstream-ssl-mode VERIFY_CA and VERIFY_IDENTITY need the authorities' certificates: --tls-ca FILE"
                    .to_owned(),
            ),
            (false, Some(_)) => {
                Err("--tls-ca is of use with --upstream-ssl-mode VERIFY_CA or VERIFY_IDENTITY only".to_owned())
            }
            _ => Ok(Self { mode, authorities }),
        }
    }
}

impl ClientSettings {
    pub(super) fn from_low(low: &LowArgs) -> Result<Self, String> {
        let files = match (low.tls_cert.clone(), low.tls_key.clone()) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("--tls-cert and --tls-key go together".to_owned()),
        };
        if files.is_some() && low.client_ssl_mode == ClientMode::Disabled {
            return Err("--tls-cert is of no use with --client-ssl-mode DISABLED".to_owned());
        }
        Ok(Self {
            mode: low.client_ssl_mode,
            files,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn low(args: &[&str]) -> LowArgs {
        LowArgs::try_parse_from([&["alterego"], args].concat()).unwrap()
    }

    #[test]
    fn authorities_ask_for_verification() {
        let check = |args: &[&str], expected: Option<SslMode>| {
            let found = UpstreamSettings::from_low(&low(args))
                .ok()
                .map(|found| found.mode);
            assert_eq!(found, expected, "{args:?}");
        };
        check(&[], Some(SslMode::Preferred));
        check(&["--tls-ca", "x"], Some(SslMode::VerifyCa));
        check(&["--upstream-ssl-mode", "DISABLED"], Some(SslMode::Disabled));
        check(&["--upstream-ssl-mode", "required"], Some(SslMode::Required));
        check(&["--upstream-ssl-mode", "VERIFY_IDENTITY"], None);
        check(
            &["--upstream-ssl-mode", "VERIFY_IDENTITY", "--tls-ca", "x"],
            Some(SslMode::VerifyIdentity),
        );
        check(&["--upstream-ssl-mode", "REQUIRED", "--tls-ca", "x"], None);
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let check = |args: &[&str], expected: bool| {
            assert_eq!(ClientSettings::from_low(&low(args)).is_ok(), expected, "{args:?}");
        };
        check(&[], true);
        check(&["--tls-cert", "c", "--tls-key", "k"], true);
        check(&["--tls-cert", "c"], false);
        check(&["--tls-key", "k"], false);
        check(
            &[
                "--tls-cert",
                "c",
                "--tls-key",
                "k",
                "--client-ssl-mode",
                "DISABLED",
            ],
            false,
        );
    }
}
