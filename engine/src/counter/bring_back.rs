//! The end of the row copy: the ghost is given its counter, and its writers take turns again.

use tokio::sync::watch;

use super::definition::Counter;
use super::give_back::give_back_or_copy;
use crate::applier::ApplierHandle;
use crate::cancel::{asked_to_end, unless_cancelled};
use crate::indexes::create_of;
use crate::plan::Plan;
use crate::session::Upstream;
use crate::{Error, Result, TableName};

/// What is worked with.
#[derive(Debug)]
pub(crate) struct BringBack<'a> {
    pub(crate) plan: &'a Plan,
    /// The definition that the ghost is to have in the end.
    pub(crate) full: &'a str,
    /// Where its rows may step aside.
    pub(crate) aside: &'a TableName,
    pub(crate) upstream: &'a Upstream,
    pub(crate) applier: &'a ApplierHandle,
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// Gives the ghost its counter back; returns at once where it has it.
///
/// # Errors
/// Those of the statements, and [`Error::Fatal`] when the migration is cancelled.
pub(crate) async fn bring_back(work: BringBack<'_>) -> Result<()> {
    let Some(counter) = Counter::of(work.plan, work.full) else {
        return Ok(());
    };
    let mut conn = work.upstream.control().await?;
    if counter.is_in(&create_of(&mut conn, work.plan.ghost_name()).await?) {
        return Ok(());
    }
    let _still = tokio::select! {
        still = work.applier.stand_still() => still,
        () = asked_to_end(work.cancelled.clone()) => return Err(given_up()),
    };
    let id = conn.id();
    let giving = give_back_or_copy(&mut conn, work.plan.ghost_name(), work.aside, &counter);
    unless_cancelled(work.upstream, work.cancelled.clone(), id, giving)
        .await?
        .ok_or_else(given_up)?;
    work.plan.turns.resume();
    Ok(conn.disconnect().await?)
}

fn given_up() -> Error {
    Error::fatal("cancelled while its AUTO_INCREMENT was given back")
}
