//! The private servers the tests run on, one of each kind for a test.

use alterego_engine::session::Upstream;
use alterego_testkit::{Flavor, Options, Server};
use anyhow::Result;

/// Starts both servers; they live as long as the first value.
pub(crate) async fn start() -> Result<(Vec<Server>, Vec<Upstream>)> {
    let (mut servers, mut upstreams) = (Vec::new(), Vec::new());
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &Options::default()).await?;
        upstreams.push(Upstream::reach(server.root_opts()).await?);
        servers.push(server);
    }
    Ok((servers, upstreams))
}
