//! The proxy or the server dies at each step whose half-done state matters.
//!
//! The steps are those of [`Failpoint::ALL`], so none can be left out. `make test` kills the proxy at all of them and the server
//! at a third, several in one migration: a step may be reached from a state that several crashes have left. With
//! `ALTEREGO_CRASH_ALL=1` the server dies at all of them, too.

use std::time::{Duration, Instant};

use alterego_engine::failpoint::Failpoint;
use alterego_testkit::Flavor;
use anyhow::{Result, ensure};
use mysql_async::prelude::Queryable;

use super::scene::{Client, ROWS, Scene, Victim, is_true_of_an_altered_table};
use crate::support::Failures;

crate::both!(the_proxy_dies_at_each_step, the_server_dies_at_each_step);

/// A migration that succeeds. The server itself would copy the table, and takes the index away and puts it back.
const ALTER: &str =
    "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id, ADD UNIQUE KEY by_v (v)";

/// One whose ghost is without AUTO_INCREMENT while it is filled (MariaDB): no unique key is in the way.
const UNCOUNTED: &str = "ALTER TABLE t MODIFY v BIGINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id";

/// One that the data refuses, with 1264.
const REFUSED: &str = "ALTER TABLE t MODIFY v TINYINT, ADD COLUMN w VARCHAR(10) DEFAULT 'new' AFTER id";
const OUT_OF_RANGE: u16 = 1264;

/// Only something broken needs so long, on a busy machine too.
const LONGEST_CASE: Duration = Duration::from_secs(480);

/// As many deaths of the server in one migration; it waits a little longer after each.
const DEATHS_OF_A_SERVER: usize = 4;

/// The steps of one migration at which somebody dies, and what it is.
#[derive(Clone, Debug)]
struct Case {
    victim: Victim,
    steps: Vec<Failpoint>,
}

/// What can be said of a step without running it.
struct Traits {
    /// Belongs to a migration that the data refuses.
    refused: bool,
    /// Belongs to a ghost that is without AUTO_INCREMENT while it is filled.
    uncounted: bool,
    /// Is only reached by a migration that died at this one before.
    after: Option<Failpoint>,
    /// Needs rows of the ghost that are wrong, or a counter that is behind.
    needs_faults: bool,
    /// Needs a table with triggers.
    needs_triggers: bool,
    /// Whether it is there at all.
    exists: bool,
}

fn traits(step: Failpoint, victim: Victim, flavor: Flavor) -> Traits {
    let mut traits = Traits {
        refused: false,
        uncounted: false,
        after: None,
        needs_faults: false,
        needs_triggers: false,
        exists: true,
    };
    match step {
        Failpoint::EndRecorded | Failpoint::GhostDropped => traits.refused = true,
        Failpoint::Resumed => traits.after = Some(Failpoint::Checkpointed),
        Failpoint::StartingOver => traits.after = Some(Failpoint::GhostBuilt),
        Failpoint::FoundSwapped => {
            traits.after = Some(Failpoint::Renamed);
            // A proxy that lives knows that it has swapped the tables.
            traits.exists = victim != Victim::Server;
        }
        Failpoint::FaultsFound | Failpoint::FaultsRepaired | Failpoint::CounterRaised => {
            traits.needs_faults = true;
        }
        Failpoint::GhostMoved
        | Failpoint::StandInMade
        | Failpoint::StandInsMade
        | Failpoint::GhostMovedBack
        | Failpoint::TriggerDropped
        | Failpoint::TriggerCreated
        | Failpoint::StandInDropped
        | Failpoint::TriggersHandedOver
        | Failpoint::LastMoved => {
            traits.needs_triggers = true;
            traits.exists = flavor == Flavor::MySql;
            if step == Failpoint::GhostMovedBack {
                traits.after = Some(Failpoint::StandInsMade);
            }
        }
        Failpoint::SentryDropped => traits.exists = flavor == Flavor::MariaDb,
        Failpoint::CounterTakenAway
        | Failpoint::CounterPutOff
        | Failpoint::RoomAside
        | Failpoint::SteppedAside
        | Failpoint::CounterDefined
        | Failpoint::CameBack
        | Failpoint::CounterBack => {
            traits.uncounted = true;
            traits.exists = flavor == Flavor::MariaDb;
        }
        _ => {}
    }
    traits
}

async fn the_proxy_dies_at_each_step(flavor: Flavor) -> Result<()> {
    run(flavor, together(flavor, Victim::Proxy, usize::MAX)).await
}

/// A server takes long to come back, so it is a third of the steps.
async fn the_server_dies_at_each_step(flavor: Flavor) -> Result<()> {
    let cases = together(flavor, Victim::Server, DEATHS_OF_A_SERVER);
    let stride = match std::env::var_os("ALTEREGO_CRASH_ALL") {
        Some(_) => 1,
        None => 3,
    };
    run(flavor, cases.into_iter().step_by(stride).collect()).await
}

fn existing(flavor: Flavor, victim: Victim) -> impl Iterator<Item = Failpoint> {
    let steps = Failpoint::ALL.iter().copied();
    steps.filter(move |step| traits(*step, victim, flavor).exists)
}

/// All steps, up to so many in one migration.
fn together(flavor: Flavor, victim: Victim, steps_max: usize) -> Vec<Case> {
    let group = |step: &Failpoint| {
        let traits = traits(*step, victim, flavor);
        match *step {
            // Who dies right after the RENAME does not come to the step after it, and a RENAME goes on without its proxy.
            Failpoint::Swapped => 0,
            Failpoint::SentryDropped => 4,
            _ if traits.refused => 1,
            // Where rows are made wrong, nothing can be said of those that a crash makes wrong.
            _ if traits.needs_faults => 2,
            _ if traits.needs_triggers => 5,
            _ if traits.uncounted => 6,
            _ => 3,
        }
    };
    let mut groups: [Vec<Failpoint>; 7] = Default::default();
    for step in existing(flavor, victim) {
        groups[group(&step)].push(step);
    }
    let mut cases = Vec::new();
    for group in groups {
        let mut steps = Vec::new();
        for step in group {
            let needed = traits(step, victim, flavor)
                .after
                .filter(|before| !steps.contains(before));
            steps.extend(needed);
            steps.push(step);
            if steps.len() >= steps_max {
                let steps = std::mem::take(&mut steps);
                cases.push(Case { victim, steps });
            }
        }
        if !steps.is_empty() {
            cases.push(Case { victim, steps });
        }
    }
    cases
}

async fn run(flavor: Flavor, cases: Vec<Case>) -> Result<()> {
    let mut scene = Scene::start(flavor).await?;
    let mut failures = Failures::default();
    for case in cases {
        let began = Instant::now();
        let result = case.play(&mut scene).await;
        println!("{case:?}: {:?}, {:.1?}", result.is_ok(), began.elapsed());
        failures.note(&scene.rig, &format!("{case:?}"), result);
    }
    failures.none()
}

impl Case {
    fn has(&self, property: impl Fn(Traits) -> bool, flavor: Flavor) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| property(traits(*step, self.victim, flavor)))
    }

    async fn play(&self, scene: &mut Scene) -> Result<()> {
        let flavor = scene.rig.flavor();
        let refused = self.has(|traits| traits.refused, flavor);
        let alter = match refused {
            true => REFUSED,
            false if self.has(|traits| traits.uncounted, flavor) => UNCOUNTED,
            false => ALTER,
        };
        scene.prepare(ROWS).await?;
        let has_triggers = self.has(|traits| traits.needs_triggers, flavor);
        if has_triggers {
            scene.add_triggers().await?;
        }
        scene.start_proxy(&spec(&self.steps, flavor))?;
        let writers = scene.writers(0);
        let client = Client::sends(&scene.road, alter);
        self.deaths(scene, &client).await?;
        let answer = client.answer().await?;
        let ends = scene.ends().await?;
        if refused {
            ensure!(answer == Some(OUT_OF_RANGE), "the client heard {answer:?}");
            ensure!(ends.iter().all(|end| end == "failed"), "{ends:?}");
        } else {
            is_true_of_an_altered_table(answer)?;
            ensure!(ends == ["done"], "{ends:?}");
        }
        scene.all_is_well(writers, (!refused).then_some(alter)).await?;
        match has_triggers {
            true => scene.triggers_have_done_the_same().await,
            false => Ok(()),
        }
    }

    /// A proxy that lives goes on where it stands when the server is back, and resumes only if its copy was broken off.
    fn may_be_missed(&self, step: Failpoint) -> bool {
        self.victim == Victim::Server && step == Failpoint::Resumed
    }

    /// Kills at each step as it is reached, until the migration has ended.
    async fn deaths(&self, scene: &mut Scene, client: &Client) -> Result<()> {
        let flavor = scene.rig.flavor();
        let deadline = Instant::now() + LONGEST_CASE;
        let mut due = self.steps.clone();
        loop {
            scene.road.follow(&scene.rig.proxy);
            if let Some(name) = scene.rig.proxy.stopped_at().await? {
                if name == Failpoint::Indexed.name() && needs_faults(&due, flavor) {
                    spoil(scene).await?;
                }
                match due.iter().position(|step| step.name() == name) {
                    Some(at) => {
                        due.remove(at);
                        self.rows_are_right(scene)?;
                        scene.kill(self.victim, &spec(&due, flavor)).await?;
                    }
                    None => scene.rig.proxy.signal("CONT")?,
                }
                continue;
            }
            ensure!(!scene.rig.proxy.has_ended(), "the proxy ended by itself");
            if client.has_its_answer() && scene.all_is_done().await? {
                due.retain(|step| !self.may_be_missed(*step));
                ensure!(due.is_empty(), "never reached: {due:?}");
                return self.rows_are_right(scene);
            }
            ensure!(
                Instant::now() < deadline,
                "it has no end; not reached yet: {due:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Case {
    /// Verification would mend what a crash has spoiled; there must be nothing to mend, unless the case has made it.
    fn rows_are_right(&self, scene: &Scene) -> Result<()> {
        match needs_faults(&self.steps, scene.rig.flavor()) {
            true => Ok(()),
            false => scene.needs_no_repair(),
        }
    }
}

fn needs_faults(steps: &[Failpoint], flavor: Flavor) -> bool {
    let mut steps = steps.iter();
    steps.any(|step| traits(*step, Victim::Proxy, flavor).needs_faults)
}

/// What the process is to stop at. Before each comparison, as long as there must be something for it to find.
fn spec(steps: &[Failpoint], flavor: Flavor) -> String {
    let spoiling = needs_faults(steps, flavor);
    let stops = steps
        .iter()
        .filter(|step| !(spoiling && **step == Failpoint::Indexed));
    let mut names: Vec<String> = stops.map(|step| step.name().to_owned()).collect();
    if spoiling {
        names.extend((1..=20).map(|nth| format!("{}:{nth}", Failpoint::Indexed.name())));
    }
    names.join(",")
}

/// Makes rows of the ghost wrong, among those that nobody writes, and leaves its counter behind.
async fn spoil(scene: &Scene) -> Result<()> {
    let mut root = scene.rig.direct("").await?;
    for statement in [
        "UPDATE app__ghost.t SET pad='wrong' WHERE id BETWEEN 95000 AND 95100",
        "DELETE FROM app__ghost.t WHERE id IN (96000, 96005)",
        "INSERT INTO app__ghost.t (id, v, pad, code) VALUES (96005, 9600, 'nobody', 9600)",
        "BEGIN",
        "INSERT INTO app.t (pad) VALUES ('gone at once')",
        "INSERT INTO nat.t (pad) VALUES ('gone at once')",
        "COMMIT",
        "BEGIN",
        "DELETE FROM app.t WHERE pad='gone at once'",
        "DELETE FROM nat.t WHERE pad='gone at once'",
        "COMMIT",
    ] {
        root.query_drop(statement).await?;
    }
    Ok(root.disconnect().await?)
}
