//! Waiting for a condition; a deadline only ends a test that can no longer succeed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Long enough that only something broken reaches it, on a busy machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Polls `condition` until it gives a value.
pub(crate) async fn eventually<T>(
    what: &str,
    mut condition: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited in vain for: {what}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
