//! The proxy, or the server with it, dies in every half-done state of the swap of a table with triggers. Others write past the
//! proxy in each of these states; in the end each trigger is there with all that belongs to it, and has acted once a row.

use std::sync::Arc;

use alterego_engine::failpoint::Failpoint;
use alterego_testkit::Flavor;
use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::scene::{ALTER, Client, ROWS, Scene, TRIGGERS, Victim};
use super::transaction;
use crate::support::{Road, Survivors, Transaction, eventually};

/// How many triggers are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Census {
    stand_ins_on_the_ghost: u64,
    stand_ins: u64,
    own: u64,
    own_on_the_replaced_table: u64,
}

/// A step and what it leaves when it is first reached.
type State = (Failpoint, Census);

/// The states in their order, with those of the way of the first `interrupted` triggers. The first ones are taken back by the
/// process that comes next, which then begins again.
fn states(interrupted: u64) -> Vec<State> {
    let before = |stand_ins_on_the_ghost| Census {
        stand_ins_on_the_ghost,
        own: TRIGGERS,
        ..Census::default()
    };
    let after = |stand_ins, own, own_on_the_replaced_table| Census {
        stand_ins,
        own,
        own_on_the_replaced_table,
        ..Census::default()
    };
    let mut states = vec![
        (Failpoint::GhostMoved, before(0)),
        (Failpoint::StandInMade, before(1)),
        (Failpoint::StandInsMade, before(TRIGGERS)),
        (Failpoint::Renamed, after(TRIGGERS, 0, TRIGGERS)),
    ];
    for done in 0..interrupted {
        let left = TRIGGERS - done;
        states.extend([
            (Failpoint::TriggerDropped, after(left, done, left - 1)),
            (Failpoint::TriggerCreated, after(left, done + 1, left - 1)),
            (Failpoint::StandInDropped, after(left - 1, done + 1, left - 1)),
        ]);
    }
    states.push((Failpoint::TriggersHandedOver, after(0, TRIGGERS, 0)));
    states.push((Failpoint::LastMoved, after(0, TRIGGERS, 0)));
    states
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_dies_in_each_state_on_mysql() -> Result<()> {
    die_in(states(TRIGGERS), Victim::Proxy).await
}

/// A server takes long to come back, so it is one trigger's way only that is interrupted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_die_in_each_state_on_mysql() -> Result<()> {
    let interrupted = match std::env::var_os("ALTEREGO_CRASH_ALL") {
        Some(_) => TRIGGERS,
        None => 1,
    };
    die_in(states(interrupted), Victim::Both).await
}

async fn die_in(states: Vec<State>, victim: Victim) -> Result<()> {
    let mut scene = Scene::start(Flavor::MySql).await?;
    scene.prepare(ROWS).await?;
    scene.add_triggers().await?;
    let (past, through) = writers(&scene);
    let mut client = None;
    for (step, expected) in states {
        scene.start_proxy(step.name())?;
        client.get_or_insert_with(|| Client::sends(&scene.road, ALTER));
        scene.stands_at(step.name()).await?;
        scene.rig.proxy.kill9();
        scene.road.follow_nobody();
        if victim == Victim::Both {
            scene.rig.server.kill();
            scene.rig.server.restart().await?;
        }
        past.each_goes_on().await?;
        let mut root = scene.rig.direct("").await?;
        if step == Failpoint::TriggersHandedOver {
            // As the end of another migration may do while nothing is in it.
            root.query_drop("DROP DATABASE app__old").await?;
        }
        let found = census(&mut root).await?;
        ensure!(found == expected, "{step:?}: {found:?}");
    }
    scene.start_proxy("")?;
    let client = client.context("no client")?;
    eventually("the migration has ended", async || {
        scene.road.follow(&scene.rig.proxy);
        Ok(scene.all_is_done().await?.then_some(()))
    })
    .await
    .map_err(|error| scene.rig.explain(error))?;
    past.finish().await?;
    through.finish().await?;
    scene.is_altered(client).await?;
    scene.triggers_have_done_the_same().await
}

/// Two past the proxy, and two through it whenever there is one.
fn writers(scene: &Scene) -> (Survivors, Survivors) {
    let write =
        |first: u64| -> Transaction { Arc::new(move |writer, i| transaction(2000, first + writer, i)) };
    let direct = Road::to(scene.rig.server.root_opts());
    let roads = [scene.road.clone(), scene.road.clone()];
    (
        Survivors::begin(&[direct.clone(), direct], 0, &write(0)),
        Survivors::begin(&roads, 0, &write(2)),
    )
}

async fn census(root: &mut Conn) -> Result<Census> {
    let sql = "SELECT COUNT(IF(event_object_table LIKE 'alterego%' AND trigger_name LIKE 'alterego%', 1, NULL)), \
         COUNT(IF(event_object_table = 't' AND trigger_name LIKE 'alterego%', 1, NULL)), \
         COUNT(IF(event_object_table = 't' AND trigger_name NOT LIKE 'alterego%', 1, NULL)), \
         COUNT(IF(event_object_table LIKE 'alterego%' AND trigger_name NOT LIKE 'alterego%', 1, NULL)) \
         FROM information_schema.triggers WHERE trigger_schema = 'app'";
    let row: Option<(u64, u64, u64, u64)> = root.query_first(sql).await?;
    let (stand_ins_on_the_ghost, stand_ins, own, own_on_the_replaced_table) = row.context("no row")?;
    Ok(Census {
        stand_ins_on_the_ghost,
        stand_ins,
        own,
        own_on_the_replaced_table,
    })
}

/// A transaction past the proxy whose snapshot is older than the swap cannot see which of the two has to act.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_snapshot_is_refused_and_nothing_acts_twice_on_mysql() -> Result<()> {
    const UPDATE: &str = "UPDATE app.t SET v = v + 1 WHERE id = 10";
    const INSERT: &str = "INSERT INTO app.t (id, v) VALUES (5, 5)";
    let mut scene = Scene::start(Flavor::MySql).await?;
    scene.prepare(100).await?;
    scene.add_triggers().await?;
    for schema in ["app", "nat"] {
        let log = format!("INSERT INTO {schema}.t_log VALUES (NEW.id, NEW.code, 'new')");
        let create = format!("CREATE TRIGGER {schema}.i1 AFTER INSERT ON {schema}.t FOR EACH ROW {log}");
        scene.rig.direct("").await?.query_drop(create).await?;
    }
    let mut olds = Vec::new();
    for _ in 0..2 {
        let mut old = scene.rig.direct("app").await?;
        old.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            .await?;
        olds.push(old);
    }
    let mut client = None;
    // First only the stand-ins are there, then one with its trigger.
    for (step, mut old) in [Failpoint::Renamed, Failpoint::TriggerCreated]
        .into_iter()
        .zip(olds)
    {
        scene.start_proxy(step.name())?;
        client.get_or_insert_with(|| Client::sends(&scene.road, ALTER));
        scene.stands_at(step.name()).await?;
        scene.rig.proxy.kill9();
        scene.road.follow_nobody();
        let answer = old.query_drop(INSERT).await;
        let code = match &answer {
            Err(Error::Server(error)) => Some(error.code),
            _ => None,
        };
        ensure!(code == Some(1412), "{step:?}: {answer:?}");
        old.query_drop("ROLLBACK").await?;
        let mut newer = scene.rig.direct("").await?;
        for statement in [INSERT, UPDATE, "DELETE FROM app.t WHERE id = 5"] {
            newer.query_drop(statement).await?;
            newer.query_drop(statement.replace("app.", "nat.")).await?;
        }
        let calls = "SELECT COUNT(*) FROM app.t_log UNION ALL SELECT COUNT(*) FROM nat.t_log";
        let calls: Vec<u64> = newer.query(calls).await?;
        ensure!(
            matches!(*calls, [ours, native] if ours == native && native > 0),
            "{calls:?}"
        );
    }
    scene.start_proxy("")?;
    scene.is_altered(client.context("no client")?).await
}
