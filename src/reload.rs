//! What is read again when the process is sent SIGHUP: the certificate clients are shown with its key, and the configuration
//! file.
//!
//! What is unusable changes nothing: the process goes on with what it has, and says so.

use alterego_proxy::tls::ClientTls;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use crate::cli::{ClientMode, ClientSettings};
use crate::deployment::Reloader;
use crate::tls;

/// The signals that ask for it. From now on they do not end the process.
pub(crate) fn signals() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// All that can be read again.
pub(crate) struct Reloads {
    /// Where the certificate is.
    pub(crate) client: ClientSettings,
    /// What clients are shown.
    pub(crate) shown: ClientTls,
    /// The configuration file, if there is one.
    pub(crate) configuration: Option<Reloader>,
}

impl Reloads {
    /// Reads again whenever it is asked to.
    pub(crate) async fn whenever_asked(mut self, mut asked: Signal) {
        while asked.recv().await.is_some() {
            let has_certificate = self.client.mode != ClientMode::Disabled;
            if has_certificate {
                self.renew_certificate();
            }
            match &mut self.configuration {
                Some(configuration) => match configuration.reload().await {
                    Ok(()) => info!("the configuration file is reloaded"),
                    Err(error) => error!("the configuration stays as it was: {error:#}"),
                },
                None if has_certificate => {}
                None => info!("asked to reload, and there is nothing to reload"),
            }
        }
    }

    fn renew_certificate(&self) {
        match tls::identity(&self.client) {
            Ok(identity) => {
                self.shown.renew(&identity);
                info!("the certificate for clients is reloaded");
            }
            Err(error) => error!("the certificate for clients stays as it was: {error:#}"),
        }
    }
}
