//! A group's schema changes: the bridge to its primary, and to the next one when the primary has changed.
//!
//! A client stays on its server when another one becomes the primary. What it asks its server must not be carried out on that
//! other one, so a bridge takes only what was asked of its own server; the rest is forwarded.
//!
//! What was under way on the last primary is in its state, which replication has brought to the next: the new engine takes
//! it up there. A client that waits keeps the engine it waits for, and hears from that how it ended.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alterego_proxy::hooks::{Answer, Bystander, Done, Grid, Held, Hooks, Latch, ReadMode, Request, Verdict};
use alterego_proxy::routing::GroupView;
use alterego_proxy::{Gate, Upstream};
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
    bridge: RwLock<Option<Built>>,
}

/// A bridge, and where it leads.
#[derive(Clone)]
struct Built {
    bridge: Arc<Bridge>,
    upstream: Upstream,
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
        let opts = startup::check(settings, &member.address, member.opts.clone()).await?;
        let bridge = Bridge::start(settings, opts, gate).await?;
        info!(
            group = spec.name,
            server = member.name,
            "schema changes go to the primary"
        );
        *self.bridge.write().unwrap_or_else(PoisonError::into_inner) = Some(Built {
            bridge,
            upstream: member.upstream.clone(),
        });
        Ok(())
    }

    fn built(&self) -> Option<Built> {
        self.bridge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bridge, if it leads to this server.
    fn built_at(&self, upstream: Option<&Upstream>) -> Option<Built> {
        self.built().filter(|built| upstream == Some(&built.upstream))
    }
}

#[async_trait]
impl Hooks for GroupHooks {
    fn inspect(&self, sql: &str, mode: ReadMode) -> Verdict {
        self.built()
            .map_or(Verdict::Unrelated, |built| built.bridge.inspect(sql, mode))
    }

    async fn alter(&self, request: Request, held: Held) -> Answer {
        match self.built() {
            Some(built) if request.upstream.as_ref() == Some(&built.upstream) => {
                built.bridge.alter(request, held).await
            }
            Some(_) => Answer::Native {
                reason: "this server is not the primary of its group".to_owned(),
                record: None,
            },
            None => Answer::Native {
                reason: "its group has had no primary yet".to_owned(),
                record: None,
            },
        }
    }

    fn may_concern(&self, sql: &str) -> bool {
        self.built().is_some_and(|built| built.bridge.may_concern(sql))
    }

    fn is_concerned(&self, statement: &Bystander) -> bool {
        self.built_at(statement.upstream.as_ref())
            .is_some_and(|built| built.bridge.is_concerned(statement))
    }

    async fn pass(&self, statement: Bystander) -> Option<Latch> {
        let built = self.built_at(statement.upstream.as_ref())?;
        built.bridge.pass(statement).await
    }

    async fn latch(&self, name: &str) -> Option<Latch> {
        self.built()?.bridge.latch(name).await
    }

    fn done(&self, change: Done) {
        if let Some(built) = self.built_at(change.upstream.as_ref()) {
            built.bridge.done(change);
        }
    }

    async fn rest(&self) {
        if let Some(built) = self.built() {
            built.bridge.rest().await;
        }
    }

    async fn migrations(&self) -> Grid {
        match self.built() {
            Some(built) => built.bridge.migrations().await,
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

#[cfg(test)]
mod tests {
    use alterego_proxy::hooks::{ClientSession, Progress};
    use alterego_proxy::routing::{MemberView, NoPrimary, Role, State};
    use alterego_proxy::tls::UpstreamTls;
    use alterego_testkit::{Flavor, Options, Server};
    use clap::Parser;
    use mysql_async::prelude::Queryable;

    use super::*;
    use crate::cli::{Environment, LowArgs, Servers};
    use crate::deployment::view::MemberSpec;

    /// How long something may take that only a fault keeps from happening.
    const DEADLINE: Duration = Duration::from_secs(90);

    fn settings(server: &Server) -> Settings {
        let url = server.url("root", "");
        let args = ["alterego", &url, "--upstream-ssl-mode", "DISABLED"];
        Settings::from_low(LowArgs::parse_from(args), &Environment::default()).unwrap()
    }

    fn member(server: &Server) -> MemberSpec {
        let Servers::One(address) = settings(server).servers else {
            panic!("one server was named");
        };
        MemberSpec {
            name: server.port().to_string(),
            upstream: super::super::upstream(&address),
            weight: 1,
            opts: address.opts().into(),
            address,
        }
    }

    fn view(spec: &GroupSpec) -> GroupView {
        let member = |member: &MemberSpec| MemberView {
            name: member.name.clone(),
            upstream: member.upstream.clone(),
            weight: 1,
            role: Role::Unknown,
            state: State::Up,
            lag: None,
            transactions: String::new(),
            differing: None,
        };
        GroupView {
            name: spec.name.clone(),
            lag_limit: None,
            primary: Ok(0),
            members: spec.members.iter().map(member).collect(),
        }
    }

    /// The primary dies, there is none, the next one is not ready, then it is.
    #[tokio::test]
    async fn the_bridge_follows_the_primary() {
        for flavor in Flavor::ALL {
            let options = Options::relaxed();
            let (mut a, b) =
                tokio::try_join!(Server::start(flavor, &options), Server::start(flavor, &options)).unwrap();
            let mut on_b = b.root().await.unwrap();
            on_b.query_drop("SET GLOBAL read_only = ON").await.unwrap();
            let spec = GroupSpec {
                name: "main".to_owned(),
                tls: UpstreamTls::default(),
                lag_limit: None,
                members: vec![member(&a), member(&b)],
            };
            let first = Arc::new(view(&spec));
            let (publish, seen) = watch::channel(Arc::clone(&first));
            let hooks = GroupHooks::start(&settings(&a), spec, seen, Gate::default())
                .await
                .unwrap();
            let before = hooks.built().unwrap().bridge;
            a.kill();
            let change = |primary| {
                publish.send_replace(Arc::new(GroupView {
                    primary,
                    ..GroupView::clone(&first)
                }));
            };
            change(Err(NoPrimary("it is gone".to_owned())));
            let (connections, _) = connections(&mut on_b).await;
            change(Ok(1));
            // It was looked at and left again.
            let refused = async {
                loop {
                    let (made, open) = self::connections(&mut on_b).await;
                    if made > connections && open == 1 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(DEADLINE, refused).await.unwrap();
            assert!(Arc::ptr_eq(&hooks.built().unwrap().bridge, &before));
            on_b.query_drop("SET GLOBAL read_only = OFF").await.unwrap();
            let rebuilt = async {
                while Arc::ptr_eq(&hooks.built().unwrap().bridge, &before) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(DEADLINE, rebuilt).await.unwrap();
            let state = "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'alterego'";
            assert_eq!(on_b.query_first::<u8, _>(state).await.unwrap(), Some(1));

            // Whoever is still on the first server is not served on the second.
            let late = Request {
                sql: "ALTER TABLE t ADD c INT".to_owned(),
                mode: ReadMode::default(),
                schema: "app".to_owned(),
                table: "t".to_owned(),
                session: ClientSession::default(),
                upstream: Some(first.members[0].upstream.clone()),
            };
            let held = Held {
                cancelled: watch::channel(false).1,
                progress: watch::channel(Progress::default()).0,
                pass: None,
            };
            let answer = hooks.alter(late, held).await;
            assert!(matches!(answer, Answer::Native { .. }), "{answer:?}");
        }
    }

    /// How many connections there have been, and how many there are.
    async fn connections(conn: &mut mysql_async::Conn) -> (u64, u64) {
        let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Connections', 'Threads_connected')";
        let found: Vec<(String, u64)> = conn.query(sql).await.unwrap();
        (found[0].1, found[1].1)
    }
}
