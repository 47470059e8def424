//! Where the rows of `SHOW MIGRATIONS`, `SHOW ROUTES` and `SHOW UPSTREAMS` come from.

use std::sync::Arc;

use alterego_proxy::hooks::{Grid, Hooks};
use alterego_proxy::routing::Router;
use async_trait::async_trait;
use futures_util::future::join_all;

use crate::health::Groups;

/// Whoever knows about running migrations, and about who goes where.
///
/// An implementation answers from what this process knows when the server is down: the admin endpoint promises to
/// work then.
#[async_trait]
pub(crate) trait StatusSource: Send + Sync + 'static {
    /// The rows of `SHOW MIGRATIONS`.
    async fn migrations(&self) -> Grid;
    /// The rows of `SHOW ROUTES`.
    fn routes(&self) -> Grid;
    /// The rows of `SHOW UPSTREAMS`.
    fn upstreams(&self) -> Grid;
    /// Does what an operator's `ACCEPT PRIMARY` says; `None` if it is another statement.
    async fn accept(&self, statement: &str) -> Option<Result<String, String>>;
}

/// All that is known in this process.
pub(crate) struct Status {
    pub(crate) router: Arc<Router>,
    pub(crate) migrations: Migrations,
    /// Who watches the groups, if there are any.
    pub(crate) watched: Option<Arc<Groups>>,
}

/// Who knows of migrations.
pub(crate) enum Migrations {
    /// There is one server.
    One(Arc<dyn Hooks>),
    /// Each group, by its name.
    Groups(Vec<(String, Arc<dyn Hooks>)>),
}

impl Status {
    /// Brings all migrations to rest at a checkpoint.
    pub(crate) async fn rest(&self) {
        match &self.migrations {
            Migrations::One(hooks) => hooks.rest().await,
            Migrations::Groups(groups) => {
                join_all(groups.iter().map(|(_, hooks)| hooks.rest())).await;
            }
        }
    }
}

#[async_trait]
impl StatusSource for Status {
    async fn migrations(&self) -> Grid {
        let groups = match &self.migrations {
            Migrations::One(hooks) => return hooks.migrations().await,
            Migrations::Groups(groups) => groups,
        };
        let mut all = Grid::default();
        for (name, hooks) in groups {
            let grid = hooks.migrations().await;
            all.columns = [&["group".to_owned()], &*grid.columns].concat();
            let rows = grid.rows.into_iter();
            all.rows
                .extend(rows.map(|row| [vec![Some(name.clone())], row].concat()));
        }
        all
    }

    fn routes(&self) -> Grid {
        self.router.routes()
    }

    fn upstreams(&self) -> Grid {
        self.router.upstreams()
    }

    async fn accept(&self, statement: &str) -> Option<Result<String, String>> {
        self.watched.as_ref()?.accept(statement).await
    }
}
