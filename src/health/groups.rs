//! All groups of a configuration, each with its monitor.

use std::path::Path;
use std::sync::Arc;

use alterego_proxy::routing::GroupView;
use tokio::sync::watch;
use tracing::warn;

use super::monitor::{Monitor, Tuning};
use super::spec::GroupSpec;
use super::statement::AcceptPrimary;
use super::store::Store;

/// The groups that are being watched, until this is dropped.
pub(crate) struct Groups(Vec<Monitor>);

impl Groups {
    /// Begins to watch. What is remembered is kept in this folder.
    ///
    /// # Errors
    /// What is remembered of a group cannot be read.
    pub(crate) fn start(specs: Vec<GroupSpec>, folder: Option<&Path>) -> anyhow::Result<Self> {
        if folder.is_none() && !specs.is_empty() {
            warn!("there is no home folder, so what the primaries have does not survive a restart");
        }
        let start = |spec: GroupSpec| {
            let store = match folder {
                Some(folder) => Store::of_group(folder, &spec.name),
                None => Store::none(),
            };
            Monitor::start(spec, store)
        };
        specs
            .into_iter()
            .map(start)
            .collect::<anyhow::Result<_>>()
            .map(Self)
    }

    /// Waits until every server has been asked once, or until its patience was at an end.
    pub(crate) async fn asked(&self) {
        for monitor in &self.0 {
            monitor.asked().await;
        }
    }

    /// The views of the groups, in the configuration's order; each is always the latest.
    pub(crate) fn views(&self) -> Vec<watch::Receiver<Arc<GroupView>>> {
        self.0.iter().map(Monitor::view).collect()
    }

    /// Goes on with other weights and limits, in the configuration's order.
    pub(crate) fn tune(&self, tunings: impl IntoIterator<Item = Tuning>) {
        for (monitor, tuning) in self.0.iter().zip(tunings) {
            monitor.tune(tuning);
        }
    }

    /// Does what an operator's `ACCEPT PRIMARY` says; the answer is for the operator. `None` if it is another statement.
    pub(crate) async fn accept(&self, statement: &str) -> Option<Result<String, String>> {
        let statement = match AcceptPrimary::read(statement)? {
            Ok(statement) => statement,
            Err(error) => return Some(Err(error)),
        };
        let monitor = self.0.iter().find(|monitor| monitor.group() == statement.group);
        Some(match monitor {
            Some(monitor) => monitor.accept(statement).await,
            None => Err(format!("there is no server group '{}'", statement.group)),
        })
    }
}
