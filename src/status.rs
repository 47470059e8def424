//! Where the rows of `SHOW MIGRATIONS` come from.

use alterego_proxy::hooks::Grid;
use async_trait::async_trait;

/// Whoever knows about running migrations.
///
/// An implementation answers from what this process knows when the server is down: the admin endpoint promises to
/// work then.
#[async_trait]
pub(crate) trait StatusSource: Send + Sync + 'static {
    /// The rows of `SHOW MIGRATIONS`.
    async fn migrations(&self) -> Grid;
}
