//! TLS as the operator wants it: files are read and modes made ready before anything listens.

mod own;
mod way;

use std::path::Path;

use alterego_proxy::tls::{ClientTls, Identity, UpstreamTls};
use anyhow::Context;
pub(crate) use way::Way;

use crate::cli::{ClientMode, ClientSettings, UpstreamSettings};

/// TLS towards the server, for the connections of clients.
///
/// # Errors
/// The file of the authorities is not there or unusable.
pub(crate) fn upstream(settings: &UpstreamSettings) -> anyhow::Result<UpstreamTls> {
    let authorities = authorities(settings)?;
    UpstreamTls::new(settings.mode, authorities.as_deref()).with_context(|| unusable(settings))
}

/// TLS towards the server, for alterego's own connections.
///
/// # Errors
/// A file is not there or unusable.
fn own_upstream(settings: &UpstreamSettings) -> anyhow::Result<UpstreamTls> {
    let Some((certificate, key)) = &settings.identity else {
        return upstream(settings);
    };
    let authorities = authorities(settings)?;
    let certificates = read(certificate, "the file of --upstream-ssl-cert or ssl_cert,")?;
    let secret = read(key, "the file of --upstream-ssl-key or ssl_key,")?;
    UpstreamTls::presenting(settings.mode, authorities.as_deref(), &certificates, &secret).with_context(
        || {
            format!(
                "the certificate {} with the key {} is unusable",
                certificate.display(),
                key.display()
            )
        },
    )
}

fn authorities(settings: &UpstreamSettings) -> anyhow::Result<Option<Vec<u8>>> {
    let path = settings.authorities.as_ref();
    path.map(|path| read(path, "the file of --tls-ca or ssl_ca,"))
        .transpose()
}

fn unusable(settings: &UpstreamSettings) -> String {
    match &settings.authorities {
        Some(path) => format!("{} is unusable for authorities", path.display()),
        None => "TLS is unusable".to_owned(),
    }
}

/// The certificate that is given, if one is.
///
/// # Errors
/// The files are not there or unusable.
pub(crate) fn given_identity(settings: &ClientSettings) -> anyhow::Result<Option<Identity>> {
    let files = settings.files.as_ref();
    files
        .map(|(certificate, key)| given(certificate, key))
        .transpose()
}

/// The certificate as the files, or alterego's own folder, have it now.
///
/// # Errors
/// They are unusable.
pub(crate) fn identity(settings: &ClientSettings) -> anyhow::Result<Identity> {
    given_identity(settings)?.map_or_else(own::identity, Ok)
}

/// TLS towards clients, with a certificate of alterego's own if none is given. That one may be made now, so this comes
/// after all that can keep alterego from starting.
///
/// # Errors
/// None can be made.
pub(crate) fn clients(settings: &ClientSettings, identity: Option<Identity>) -> anyhow::Result<ClientTls> {
    let identity = || identity.map_or_else(own::identity, Ok);
    Ok(match settings.mode {
        ClientMode::Disabled => ClientTls::Disabled,
        ClientMode::Preferred => ClientTls::Preferred(identity()?),
        ClientMode::Required => ClientTls::Required(identity()?),
    })
}

fn given(certificate: &Path, key: &Path) -> anyhow::Result<Identity> {
    let certificates = read(certificate, "--tls-cert")?;
    let secret = read(key, "--tls-key")?;
    Identity::from_pem(&certificates, &secret).with_context(|| {
        format!(
            "--tls-cert {} with --tls-key {} is unusable",
            certificate.display(),
            key.display()
        )
    })
}

fn read(path: &Path, what: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {what} {}", path.display()))
}
