//! A group's schema changes: the bridge to its primary, and to the next one when the primary has changed.
//!
//! What was under way on the last primary is in its state, which replication has brought to the next: the new engine takes
//! it up there. A client that waits keeps the engine it waits for, and hears from that how it ended.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alterego_proxy::Gate;
use alterego_proxy::hooks::{Answer, Grid, Held, Hooks, ReadMode, Request, Verdict};
use alterego_proxy::routing::GroupView;
use async_trait::async_trait;
use tokio::sync::watch;
use tracing::{info, warn};

use super::view::GroupSpec;
use crate::bridge::{Bridge, no_migrations};
use crate::cli::Settings;
use crate::startup;

/// How long a primary that cannot be used is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// The group's hooks.
pub(super) struct GroupHooks {
    /// The bridge to the primary, once there was one.
    bridge: RwLock<Option<Arc<Bridge>>>,
}

impl GroupHooks {
    /// Makes the bridge to the primary, if there is one, and follows the group's views from then on.
    ///
    /// # Errors
    /// The primary cannot be used as it is.
    pub(super) async fn start(
        settings: &Settings,
        spec: GroupSpec,
        view: watch::Receiver<Arc<GroupView>>,
        gate: Gate,
    ) -> anyhow::Result<Arc<Self>> {
        let hooks = Arc::new(Self {
            bridge: RwLock::new(None),
        });
        let primary = view.borrow().primary.clone().ok();
        if let Some(at) = primary {
            hooks.build(settings, &spec, at, gate.clone()).await?;
        }
        let following = Following {
            hooks: Arc::clone(&hooks),
            settings: settings.clone(),
            spec,
            gate,
        };
        tokio::spawn(following.run(view, primary));
        Ok(hooks)
    }

    async fn build(
        &self,
        settings: &Settings,
        spec: &GroupSpec,
        at: usize,
        gate: Gate,
    ) -> anyhow::Result<()> {
        let Some(member) = spec.members.get(at) else {
            anyhow::bail!("the view of group '{}' is of another group", spec.name);
        };
        let opts = startup::check(&member.address, member.opts.clone(), settings.strategy).await?;
        let bridge = Bridge::start(settings, opts, gate).await?;
        info!(
            group = spec.name,
            server = member.name,
            "schema changes go to the primary"
        );
        *self.bridge.write().unwrap_or_else(PoisonError::into_inner) = Some(bridge);
        Ok(())
    }

    fn bridge(&self) -> Option<Arc<Bridge>> {
        self.bridge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Hooks for GroupHooks {
    fn inspect(&self, sql: &str, mode: ReadMode) -> Verdict {
        self.bridge()
            .map_or(Verdict::Unrelated, |bridge| bridge.inspect(sql, mode))
    }

    async fn alter(&self, request: Request, held: Held) -> Answer {
        match self.bridge() {
            Some(bridge) => bridge.alter(request, held).await,
            None => Answer::Native {
                reason: "its group has had no primary yet".to_owned(),
            },
        }
    }

    async fn migrations(&self) -> Grid {
        match self.bridge() {
            Some(bridge) => bridge.migrations().await,
            None => no_migrations(),
        }
    }
}

/// Whoever keeps the bridge at the primary.
struct Following {
    hooks: Arc<GroupHooks>,
    settings: Settings,
    spec: GroupSpec,
    gate: Gate,
}

impl Following {
    /// Runs until nobody watches the group any more. A group without a primary keeps the bridge it had.
    async fn run(self, mut view: watch::Receiver<Arc<GroupView>>, mut built: Option<usize>) {
        loop {
            let primary = view.borrow_and_update().primary.clone().ok();
            let is_behind = primary.is_some() && primary != built;
            if let Some(at) = primary.filter(|_| is_behind) {
                match self
                    .hooks
                    .build(&self.settings, &self.spec, at, self.gate.clone())
                    .await
                {
                    Ok(()) => {
                        built = Some(at);
                        continue;
                    }
                    Err(error) => warn!(group = self.spec.name, "the primary cannot be used: {error:#}"),
                }
            }
            tokio::select! {
                changed = view.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(PAUSE), if is_behind => {}
            }
        }
    }
}
