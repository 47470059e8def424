//! The sessions of one attempt.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Context;
use crate::processlist::processes;
use crate::{Error, Flavor, Result};

/// How long a killed session may take to end.
const LONGEST_END: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// 1094: there is no session with this id.
const NO_SUCH_THREAD: u16 = 1094;

/// The sessions of one attempt.
pub(super) struct Sessions {
    /// Locks and drains; on MySQL it also renames.
    pub(super) lock: Conn,
    /// Renames, on MariaDB.
    pub(super) rename: Option<Conn>,
    /// Watches and kills the others.
    pub(super) control: Conn,
}

impl Sessions {
    pub(super) async fn open(context: &Context) -> Result<Self> {
        let upstream = &context.upstream;
        let mut lock = upstream
            .worker(
                &context.plan.settings,
                &context.plan.time_zone,
                context.plan.native_copies,
            )
            .await?;
        // Should we vanish without a trace, for example behind a cut cable, the server ends the session itself.
        let patience_seconds = context.budget.as_secs() + 2;
        lock.query_drop(format!("SET SESSION wait_timeout={patience_seconds}"))
            .await?;
        if upstream.flavor() == Flavor::MySql {
            lock.query_drop("SET SESSION information_schema_stats_expiry=0")
                .await?;
        }
        let rename = match upstream.flavor() {
            Flavor::MySql => None,
            Flavor::MariaDb => Some(upstream.control().await?),
        };
        Ok(Self {
            lock,
            rename,
            control: upstream.control().await?,
        })
    }

    /// The ids of the sessions that lock and rename.
    pub(super) fn ids(&self) -> Vec<u32> {
        std::iter::once(self.lock.id())
            .chain(self.rename.as_ref().map(Conn::id))
            .collect()
    }
}

/// Ends sessions, and waits until they are gone with everything they held.
pub(super) async fn end(control: &mut Conn, ids: &[u32]) -> Result<()> {
    for id in ids {
        kill(control, *id).await?;
    }
    let began = Instant::now();
    while is_any_there(control, ids).await? {
        if began.elapsed() > LONGEST_END {
            return Err(Error::OutcomeUnknown(
                "a killed session of the cut-over does not end".to_owned(),
            ));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

async fn is_any_there(control: &mut Conn, ids: &[u32]) -> Result<bool> {
    let sessions = processes(control).await?;
    Ok(sessions
        .iter()
        .any(|session| ids.iter().any(|id| session.id == u64::from(*id))))
}

/// Ends session `id`; one that is gone already is what was wanted.
pub(super) async fn kill(control: &mut Conn, id: u32) -> Result<()> {
    send_kill(control, format!("KILL {id}")).await
}

/// Ends the statement of session `id`, if there is one.
pub(crate) async fn kill_query(control: &mut Conn, id: u32) -> Result<()> {
    send_kill(control, format!("KILL QUERY {id}")).await
}

async fn send_kill(control: &mut Conn, sql: String) -> Result<()> {
    match control.query_drop(sql).await.map_err(Error::from) {
        Err(error) if error.server().is_some_and(|server| server.code == NO_SUCH_THREAD) => Ok(()),
        other => other,
    }
}
