//! Whether the triggers can be created on the altered table: tried out on an empty one like it.
//!
//! So what would be in the way (a column that the change takes away, a privilege that the account lacks to create triggers
//! in somebody else's name) is found while the table still has them all.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Creator, Trigger};
use crate::binlog::OWN_COMMENT;
use crate::old_table::drop_table;
use crate::{Error, Result, TableName, names};

/// Creates the triggers, and their stand-ins, on a table like the ghost, and drops it.
///
/// # Errors
/// [`Error::Refused`] if the server does not take one of them; those of the other statements.
pub(crate) async fn rehearse(conn: &mut Conn, source: &TableName, triggers: &[Trigger]) -> Result<()> {
    let (stage, ghost) = (names::rehearsal(source), names::ghost(source));
    drop_table(conn, &stage).await?;
    conn.query_drop(format!("CREATE TABLE {stage} LIKE {ghost} {OWN_COMMENT}"))
        .await?;
    let played = play(conn, source, &stage, triggers).await;
    drop_table(conn, &stage).await?;
    played
}

async fn play(conn: &mut Conn, source: &TableName, stage: &TableName, triggers: &[Trigger]) -> Result<()> {
    let mut creator = Creator::begin(conn).await?;
    let created = create_all(&mut creator, source, stage, triggers).await;
    creator.end().await?;
    created
}

async fn create_all(
    creator: &mut Creator<'_>,
    source: &TableName,
    stage: &TableName,
    triggers: &[Trigger],
) -> Result<()> {
    for (nth, trigger) in triggers.iter().enumerate() {
        let stand_in = names::stand_in(source, nth);
        let created = async {
            creator.create_stand_in(trigger, &stand_in, stage, source).await?;
            creator.create(trigger, stage, Some(&stand_in)).await
        };
        created.await.map_err(|error| match error {
            Error::Answer(server) => Error::refused(format!(
                "its trigger {} cannot be created on the altered table: {}",
                trigger.name, server.message
            )),
            other => other,
        })?;
    }
    Ok(())
}
