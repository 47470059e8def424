//! The signals that end the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// Becomes true at the first SIGTERM or SIGINT; every part of the process holds a receiver. A second signal ends the
/// process at once, for whoever does not want to wait.
pub(crate) fn shutdown() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for first in [true, false] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if !first {
                // 128 + SIGINT, as a shell reports a process that did not handle the signal.
                std::process::exit(130);
            }
            info!(signal = name, "shutting down");
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

/// Completes once `shutdown` is true.
pub(crate) async fn requested(mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone can never ask for a shutdown: wait for ever, as for one that stays silent.
    if shutdown.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}
