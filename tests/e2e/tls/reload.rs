//! SIGHUP: who comes afterwards is shown the new certificate, who is there notices nothing.

use std::path::Path;

use alterego_testkit::{Alterego, Flavor, Options, Server};
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use super::Authority;
use crate::support::{DEADLINE, eventually};

crate::both!(a_certificate_is_renewed);

/// A client that believes this authority only.
async fn client(proxy: &Alterego, authority: &Path) -> Result<Conn> {
    let ssl = SslOpts::default()
        .with_root_certs(vec![authority.to_owned().into()])
        .with_disable_built_in_roots(true);
    let opts = OptsBuilder::from_opts(proxy.root_opts()).ssl_opts(Some(ssl));
    Ok(Conn::new(opts).await?)
}

async fn a_certificate_is_renewed(flavor: Flavor) -> Result<()> {
    let server = Server::start(flavor, &Options::relaxed()).await?;
    let (old, new) = (Authority::new()?, Authority::new()?);
    let (certificate, key) = old.sign("shown", "127.0.0.1")?;
    let (cert_option, key_option) = (certificate.display().to_string(), key.display().to_string());
    let args = ["--tls-cert", &cert_option, "--tls-key", &key_option];
    let proxy = Alterego::start(&server, &args, &[]).await?;
    let mut before = client(&proxy, &old.path()).await?;
    ensure!(client(&proxy, &new.path()).await.is_err());

    let (other_certificate, other_key) = new.sign("new", "127.0.0.1")?;
    std::fs::copy(&other_certificate, &certificate)?;
    // A certificate with another's key is what a half-written pair looks like.
    proxy.signal("HUP")?;
    proxy.logged("stays as it was", DEADLINE).await?;
    client(&proxy, &old.path()).await?.ping().await?;

    std::fs::copy(&other_key, &key)?;
    proxy.signal("HUP")?;
    eventually("the new certificate is shown", async || {
        Ok(client(&proxy, &new.path()).await.ok().map(drop))
    })
    .await?;
    ensure!(client(&proxy, &old.path()).await.is_err());
    ensure!(before.query_first::<u8, _>("SELECT 7").await? == Some(7));
    Ok(())
}
