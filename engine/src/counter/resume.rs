//! A migration that goes on: whether its ghost is without its counter, or was just being given it.

use mysql_async::Conn;

use super::definition::Counter;
use super::give_back::{exists, give_back_or_copy};
use crate::plan::Plan;
use crate::reconcile::Turns;
use crate::{Result, TableName};

/// Goes the way back to its end, if another process has begun it; otherwise makes the plan one of a ghost that is without its
/// counter, if it is. `full` is what the ghost will look like in the end.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn resume(conn: &mut Conn, plan: &mut Plan, full: &str, aside: &TableName) -> Result<()> {
    let Some(counter) = Counter::of(plan, full) else {
        return Ok(());
    };
    let mut columns = plan.ghost.columns.iter_mut();
    if let Some(column) = columns.find(|column| column.name == counter.column) {
        column.auto_increment = true;
    }
    if exists(conn, aside).await? {
        give_back_or_copy(conn, plan.ghost_name(), aside, &counter).await?;
        plan.turns = Turns::for_ghost(conn, &plan.ghost).await?;
    } else if !counter.is_in(&plan.ghost.create) {
        plan.turns = Turns::suspended();
    }
    Ok(())
}
