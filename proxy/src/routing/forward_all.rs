//! Hooks that leave every schema change to the server, for clients of a server that takes none.

use std::sync::Arc;

use async_trait::async_trait;

use crate::hooks::{Answer, Grid, Held, Hooks, ReadMode, Request, Verdict};

/// Catches nothing; shows the migrations of whoever is behind it.
pub struct ForwardAll(Option<Arc<dyn Hooks>>);

impl ForwardAll {
    /// For clients of a group whose changes `hooks` carry out elsewhere.
    pub(crate) fn over(hooks: &Arc<dyn Hooks>) -> Arc<dyn Hooks> {
        Arc::new(Self(Some(Arc::clone(hooks))))
    }

    /// Where there are no migrations.
    pub fn alone() -> Arc<dyn Hooks> {
        Arc::new(Self(None))
    }
}

#[async_trait]
impl Hooks for ForwardAll {
    fn inspect(&self, _: &str, _: ReadMode) -> Verdict {
        Verdict::Unrelated
    }

    async fn alter(&self, _: Request, _: Held) -> Answer {
        Answer::Native {
            reason: "this connection is not for schema changes".to_owned(),
            record: None,
        }
    }

    async fn migrations(&self) -> Grid {
        match &self.0 {
            Some(hooks) => hooks.migrations().await,
            None => Grid::default(),
        }
    }
}
