//! A pair of schemas on a server with a proxy; cases are played in it one after the other.

use alterego_testkit::{Alterego, Flavor, Server};
use anyhow::Result;
use mysql_async::Opts;
use mysql_async::prelude::Queryable;

/// Where cases are played.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) flavor: Flavor,
    /// Past the proxy.
    pub(crate) direct: Opts,
    /// Through the proxy.
    pub(crate) proxied: Opts,
    /// The schema that is worked on through the proxy.
    pub(crate) ours: String,
    /// The schema of the clones.
    pub(crate) native: String,
}

impl Lane {
    /// Makes the schemas. Their names are as long as each other, and found in nothing else.
    pub(crate) async fn make(server: &Server, proxy: &Alterego, number: usize) -> Result<Lane> {
        let lane = Lane {
            flavor: server.flavor(),
            direct: server.root_opts(),
            proxied: proxy.root_opts(),
            ours: format!("ours_{number}_qz"),
            native: format!("ntve_{number}_qz"),
        };
        let mut root = server.root().await?;
        for schema in [&lane.ours, &lane.native] {
            root.query_drop(format!(
                "CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
            ))
            .await?;
        }
        Ok(lane)
    }

    /// A text about the clone, as it reads about the table itself.
    pub(crate) fn told_of_ours(&self, text: &str) -> String {
        text.replace(&self.native, &self.ours)
    }
}
