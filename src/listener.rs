//! Where connections come in: TCP addresses and unix sockets.
//!
//! # Invariant
//! A file is only ever removed if it is a socket nobody listens on, or one that this process made: a wrong `--socket`
//! must not cost anybody a file, and a second alterego must not take the first one's place.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::cli::Bind;

/// Either kind of listener, with the guard of its file.
pub(crate) enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener, SocketFile),
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listener {
    /// Listens; a unix socket is open to the users `mode` says.
    pub(crate) async fn bind(place: &Bind, mode: u32) -> anyhow::Result<Self> {
        match place {
            Bind::Tcp(address) => Ok(Self::Tcp(
                TcpListener::bind(address)
                    .await
                    .with_context(|| format!("cannot listen on {address}"))?,
            )),
            Bind::Unix(path) => {
                let (listener, file) =
                    bind_unix(path, mode).with_context(|| format!("cannot listen on {}", path.display()))?;
                Ok(Self::Unix(listener, file))
            }
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        })
    }

    /// Where it listens, for the log.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |a| a.to_string()),
            Self::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }
}

/// Listens on a unix socket; its file goes when the guard is dropped.
pub(crate) fn bind_unix(path: &Path, mode: u32) -> anyhow::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    let file = SocketFile {
        path: path.to_owned(),
        inode: std::fs::symlink_metadata(path)?.ino(),
    };
    Ok((listener, file))
}

/// Removes the socket a process left behind that died.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        bail!("something that is not a socket is in the way");
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(std::fs::remove_file(path)?),
        Ok(_) => bail!("another process listens there"),
        Err(error) => Err(error.into()),
    }
}

/// Removes a socket's file when dropped, if it is still the one that was made.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours {
            // Whoever comes next removes it as stale if this fails.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_dead_sockets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (listener, file) = bind_unix(&path, 0o600).unwrap();
        assert!(
            bind_unix(&path, 0o600)
                .unwrap_err()
                .to_string()
                .contains("another process")
        );
        // What a killed process leaves behind: the file, and nobody listening.
        drop(listener);
        std::mem::forget(file);
        let (_listener, file) = bind_unix(&path, 0o600).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        drop(file);
        assert!(!path.exists());

        std::fs::write(&path, "precious").unwrap();
        assert!(
            bind_unix(&path, 0o600)
                .unwrap_err()
                .to_string()
                .contains("not a socket")
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
