//! Group Replication: the group chooses its primary, and alterego finds it.

use alterego_testkit::Replication;
use anyhow::Result;

use super::rig::{Rig, place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_s_own_choice_is_found() -> Result<()> {
    let mut rig = Rig::watching(Replication::start_group(3).await?).await?;
    rig.write("a", 3).await?;
    rig.all_up("a").await?;
    rig.server_mut("a").kill();
    rig.down("a").await?;
    let view = rig
        .until(
            "a new primary",
            |view| matches!(view.primary, Ok(new) if new != place("a")),
        )
        .await?;
    let (new, old) = if view.primary == Ok(place("b")) {
        ("b", "c")
    } else {
        ("c", "b")
    };
    rig.write(new, 3).await?;
    rig.up(old).await?;
    // Alone it cannot know what the others decide, although it still calls itself online and stays writable.
    rig.server(old).freeze()?;
    rig.refused("has lost the majority").await?;
    rig.server(old).thaw()?;
    rig.primary(new).await?;
    rig.up(old).await
}
