//! What is read again when the process is sent SIGHUP: the certificate clients are shown, and its key.
//!
//! What is unusable changes nothing: the process goes on with what it has, and says so.

use alterego_proxy::tls::ClientTls;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use crate::cli::{ClientMode, ClientSettings};
use crate::tls;

/// The signals that ask for it. From now on they do not end the process.
pub(crate) fn signals() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reads again whenever it is asked to.
pub(crate) async fn whenever_asked(mut asked: Signal, settings: ClientSettings, shown: ClientTls) {
    while asked.recv().await.is_some() {
        if settings.mode == ClientMode::Disabled {
            info!("asked to reload, and there is nothing to reload");
            continue;
        }
        match tls::identity(&settings) {
            Ok(identity) => {
                shown.renew(&identity);
                info!("the certificate for clients is reloaded");
            }
            Err(error) => error!("the certificate for clients stays as it was: {error:#}"),
        }
    }
}
