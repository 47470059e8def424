//! What was said about TLS, on either side.
//!
//! The modes have the names of `--ssl-mode` in MySQL's clients, and mean the same.

use std::path::PathBuf;

use alterego_proxy::tls::SslMode;
use clap::ValueEnum;

use super::LowArgs;

/// How the server's connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
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
    /// The files of a certificate and of its key that alterego's own connections show. Clients' connections show none: what
    /// an account asks of its user must not be met by the proxy for everybody.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What is said about TLS towards a server, in one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpstreamWords {
    pub(crate) mode: Option<UpstreamMode>,
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Why what is said does not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    NoAuthorities,
    UselessAuthorities,
    HalfIdentity,
    UselessIdentity,
}

impl Misfit {
    /// In the words of the command line.
    pub(super) fn of_options(self) -> String {
        match self {
            Self::NoAuthorities => {
                "--upstream-ssl-mode VERIFY_CA and VERIFY_IDENTITY need the authorities' certificates: --tls-ca FILE"
            }
            Self::UselessAuthorities => {
                "--tls-ca is of use with --upstream-ssl-mode VERIFY_CA or VERIFY_IDENTITY only"
            }
            Self::HalfIdentity => "--upstream-ssl-cert and --upstream-ssl-key go together",
            Self::UselessIdentity => "--upstream-ssl-cert is of no use with --upstream-ssl-mode DISABLED",
        }
        .to_owned()
    }

    /// In the words of the configuration file.
    pub(crate) fn of_keys(self) -> &'static str {
        match self {
            Self::NoAuthorities => "VERIFY_CA and VERIFY_IDENTITY need the authorities' certificates: ssl_ca",
            Self::UselessAuthorities => "ssl_ca is of use with ssl_mode VERIFY_CA or VERIFY_IDENTITY only",
            Self::HalfIdentity => "ssl_cert and ssl_key go together",
            Self::UselessIdentity => "ssl_cert is of no use with ssl_mode DISABLED",
        }
    }
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
        Self::of_options(UpstreamWords {
            mode: low.upstream_ssl_mode,
            authorities: low.tls_ca.clone(),
            certificate: low.upstream_ssl_cert.clone(),
            key: low.upstream_ssl_key.clone(),
        })
    }

    pub(super) fn of_options(words: UpstreamWords) -> Result<Self, String> {
        let default = Self {
            mode: SslMode::Preferred,
            authorities: None,
            identity: None,
        };
        default.with(words).map_err(Misfit::of_options)
    }

    /// These settings where nothing else is said.
    ///
    /// # Errors
    /// What is said does not go together.
    pub(crate) fn with(&self, said: UpstreamWords) -> Result<Self, Misfit> {
        let mode = match (said.mode, &said.authorities) {
            (Some(mode), _) => SslMode::from(mode),
            (None, Some(_)) if !self.mode.verifies() => SslMode::VerifyCa,
            (None, _) => self.mode,
        };
        let authorities = match (mode.verifies(), said.authorities) {
            (true, said) => Some(
                said.or_else(|| self.authorities.clone())
                    .ok_or(Misfit::NoAuthorities)?,
            ),
            (false, None) => None,
            (false, Some(_)) => return Err(Misfit::UselessAuthorities),
        };
        let identity = match (said.certificate, said.key) {
            (None, None) => self.identity.clone().filter(|_| mode != SslMode::Disabled),
            (Some(_), Some(_)) if mode == SslMode::Disabled => return Err(Misfit::UselessIdentity),
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err(Misfit::HalfIdentity),
        };
        Ok(Self {
            mode,
            authorities,
            identity,
        })
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
        let pair = ["--upstream-ssl-cert", "c", "--upstream-ssl-key", "k"];
        check(&pair, Some(SslMode::Preferred));
        check(&pair[..2], None);
        check(&pair[2..], None);
        check(&[&pair[..], &["--upstream-ssl-mode", "DISABLED"]].concat(), None);
    }

    #[test]
    fn what_is_not_said_again_stays() {
        let file = |name: &str| Some(PathBuf::from(name));
        let default = UpstreamSettings {
            mode: SslMode::VerifyIdentity,
            authorities: file("ca"),
            identity: Some(("c".into(), "k".into())),
        };
        let said = |mode, authorities: Option<&str>| UpstreamWords {
            mode,
            authorities: authorities.map(PathBuf::from),
            ..UpstreamWords::default()
        };
        let check = |said, expected: Result<(SslMode, Option<&str>, bool), Misfit>| {
            let found = default.with(said);
            let found = found.as_ref().map_err(|misfit| *misfit).map(|found| {
                let authorities = found.authorities.as_deref().and_then(std::path::Path::to_str);
                (found.mode, authorities, found.identity.is_some())
            });
            assert_eq!(found, expected);
        };
        check(said(None, None), Ok((SslMode::VerifyIdentity, Some("ca"), true)));
        check(
            said(None, Some("b")),
            Ok((SslMode::VerifyIdentity, Some("b"), true)),
        );
        check(
            said(Some(UpstreamMode::VerifyCa), None),
            Ok((SslMode::VerifyCa, Some("ca"), true)),
        );
        check(
            said(Some(UpstreamMode::Required), None),
            Ok((SslMode::Required, None, true)),
        );
        check(
            said(Some(UpstreamMode::Disabled), None),
            Ok((SslMode::Disabled, None, false)),
        );
        check(
            said(Some(UpstreamMode::Required), Some("b")),
            Err(Misfit::UselessAuthorities),
        );
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
