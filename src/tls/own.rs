//! The certificate alterego makes for itself when it is given none.
//!
//! It is made once and kept, so that a client that has been told to trust it goes on doing so after a restart. One file
//! holds certificate and key; it appears complete or not at all, whoever else starts at the same time, because it is
//! linked into place. Beside it lies the certificate alone, which may be given to anybody.
//!
//! Where nothing can be kept, the certificate is made anew at each start.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use alterego_proxy::tls::Identity;
use anyhow::{Context, anyhow};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use tracing::{info, warn};

use crate::state_folder;

/// Certificate and key.
const BOTH: &str = "tls.pem";
/// The certificate alone.
const CERTIFICATE: &str = "tls-cert.pem";

/// The certificate that was kept, or a new one.
///
/// # Errors
/// The kept one is unusable, or none can be made.
pub(crate) fn identity() -> anyhow::Result<Identity> {
    let kept = match state_folder::find() {
        Some(folder) => kept(&folder).map(|pem| (folder, pem)),
        None => Err(io::Error::other("there is no home folder").into()),
    };
    match kept {
        Ok((folder, pem)) => {
            info!(certificate = %folder.join(CERTIFICATE).display(), "clients are offered TLS");
            Identity::from_pem(pem.as_bytes(), pem.as_bytes()).with_context(|| {
                let file = folder.join(BOTH);
                format!("{} is unusable; remove it, and another is made", file.display())
            })
        }
        Err(error) => {
            warn!("clients are offered TLS with a certificate for this run only: {error:#}");
            let made = Made::new()?;
            Ok(Identity::from_pem(
                made.certificate.as_bytes(),
                made.key.as_bytes(),
            )?)
        }
    }
}

/// What the folder keeps, made now if it keeps nothing.
fn kept(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join(BOTH);
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.with_context(|| format!("cannot read {}", file.display())),
    }
    let made = Made::new()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    keep(folder, &made).with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(fs::read_to_string(&file)?)
}

/// Puts the files into the folder, unless somebody was faster.
fn keep(folder: &Path, made: &Made) -> io::Result<()> {
    let both = format!("{}{}", made.certificate, made.key);
    if place(folder, BOTH, 0o600, &both)? {
        // What an earlier key left there is worth nothing any more.
        let _ = fs::remove_file(folder.join(CERTIFICATE));
        place(folder, CERTIFICATE, 0o644, &made.certificate)?;
    }
    Ok(())
}

/// Writes a file that is not there yet; false if it is by now.
fn place(folder: &Path, name: &str, mode: u32, text: &str) -> io::Result<bool> {
    let partial = folder.join(format!("{name}.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&partial)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&partial, folder.join(name)));
    fs::remove_file(&partial)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        linked => linked.map(|()| true),
    }
}

/// A new certificate with its key, both in PEM form.
struct Made {
    certificate: String,
    key: String,
}

impl Made {
    /// It is good for clients on this machine, and for those that know the machine by its own name.
    fn new() -> anyhow::Result<Self> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(host_name());
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "alterego, made by itself");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key).map_err(|error| anyhow!(error))?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    Some(name.trim().to_owned()).filter(|name| !name.is_empty() && name.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let first = kept(&folder).unwrap();
        assert_eq!(kept(&folder).unwrap(), first);
        Identity::from_pem(first.as_bytes(), first.as_bytes()).unwrap();
        let certificate = fs::read_to_string(folder.join(CERTIFICATE)).unwrap();
        assert!(first.starts_with(&certificate) && !certificate.contains("PRIVATE"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(BOTH)), 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn who_is_second_takes_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Made::new().unwrap(), Made::new().unwrap());
        keep(folder.path(), &first).unwrap();
        keep(folder.path(), &second).unwrap();
        assert!(kept(folder.path()).unwrap().contains(&first.key));
        let certificate = fs::read_to_string(folder.path().join(CERTIFICATE)).unwrap();
        assert_eq!(certificate, first.certificate);
    }
}
