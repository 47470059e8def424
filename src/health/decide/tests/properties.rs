//! Whatever happens: no server takes the writes that lacks a transaction which a primary was seen to have, unless an
//! operator gave it up; and none is read from that has what the primary lacks.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scene::{NAMES, Scene, Server, server};
use crate::health::decide::{Decision, Role, Standing};

/// What may happen to a group.
#[derive(Clone, Debug)]
enum Event {
    Write(usize),
    Replicate(usize, usize, usize),
    /// A crash that loses what was not synced.
    Lose(usize),
    Writable(usize, bool),
    Follow(usize, Option<usize>),
    Silent(usize),
    /// It is looked at; writes happen meanwhile.
    Look(usize, u8),
    /// An operator gives up what the refusal names.
    Accept(usize),
    /// An operator gives up nothing.
    AcceptBlindly(usize),
    Restart,
    Later,
}

fn event() -> impl Strategy<Value = Event> {
    let place = || 0..NAMES.len();
    prop_oneof![
        4 => place().prop_map(Event::Write),
        4 => (place(), place(), 1..4usize).prop_map(|(from, to, count)| Event::Replicate(from, to, count)),
        1 => place().prop_map(Event::Lose),
        2 => (place(), any::<bool>()).prop_map(|(place, writable)| Event::Writable(place, writable)),
        1 => (place(), prop::option::of(place())).prop_map(|(place, source)| Event::Follow(place, source)),
        1 => place().prop_map(Event::Silent),
        12 => (place(), 0..3u8).prop_map(|(place, writes)| Event::Look(place, writes)),
        1 => place().prop_map(Event::Accept),
        1 => place().prop_map(Event::AcceptBlindly),
        1 => Just(Event::Restart),
        1 => Just(Event::Later),
    ]
}

type Set = BTreeSet<(usize, u32)>;

/// A server as it really is.
#[derive(Clone, Default)]
struct Real {
    has: Set,
    writable: bool,
    source: Option<usize>,
}

/// What the test knows without the code under test.
struct World {
    scene: Scene,
    servers: Vec<Real>,
    /// What each was last seen to have, if it was not silent since.
    seen: Vec<Option<Set>>,
    /// And at the look before.
    seen_before: Vec<Option<Set>>,
    /// What whoever is the primary has to have.
    demanded: Set,
    /// The last primary: its own numbers may be known from replicas.
    primary: Option<usize>,
    /// Which ones were shown to have nothing that the primary lacks.
    shown: [bool; 3],
    /// How often somebody was the primary, so that a run in which nobody ever is does not count.
    chosen: usize,
}

impl World {
    fn new() -> Self {
        Self {
            scene: Scene::new(),
            servers: vec![Real::default(); 3],
            seen: vec![None; 3],
            seen_before: vec![None; 3],
            demanded: Set::new(),
            primary: None,
            shown: [false; 3],
            chosen: 0,
        }
    }

    fn write(&mut self, place: usize) {
        let own = self.servers[place]
            .has
            .iter()
            .filter(|(origin, _)| *origin == place);
        let number = own.map(|(_, number)| *number).max().unwrap_or(0) + 1;
        self.servers[place].has.insert((place, number));
    }

    fn happen(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match *event {
            Event::Write(place) => self.write(place),
            Event::Replicate(from, to, count) => {
                let new: Vec<_> = self.servers[from]
                    .has
                    .difference(&self.servers[to].has)
                    .copied()
                    .collect();
                self.servers[to].has.extend(new.into_iter().take(count));
            }
            Event::Lose(place) => {
                let own = self.servers[place]
                    .has
                    .iter()
                    .filter(|(origin, _)| *origin == place);
                if let Some(last) = own.max().copied() {
                    self.servers[place].has.remove(&last);
                }
            }
            Event::Writable(place, writable) => self.servers[place].writable = writable,
            Event::Follow(place, source) => {
                self.servers[place].source = source.filter(|source| *source != place)
            }
            Event::Later => self.scene.later(3),
            Event::Silent(place) => {
                self.seen[place] = None;
                self.seen_before[place] = None;
                self.shown[place] = false;
                let decision = self.scene.silent(NAMES[place]);
                self.judge(&decision)?;
            }
            Event::Look(place, writes) => {
                let asked = self.scene.now();
                let has = self.servers[place].has.clone();
                self.scene
                    .answers(place, report(place, &self.servers[place]), asked);
                for _ in 0..writes {
                    self.write(place);
                }
                self.seen_before[place] = self.seen[place].replace(has);
                let decision = self.scene.decide();
                let primary_was_looked_at = decision.primary == Ok(place);
                self.take_up(&decision)?;
                for other in 0..NAMES.len() {
                    if let Some(has) = &self.seen[other] {
                        let fine = self.has_nothing_foreign(has);
                        if primary_was_looked_at || other == place && fine {
                            self.shown[other] = fine;
                        }
                    }
                }
                self.judge(&decision)?;
            }
            Event::Accept(place) => {
                let refused = self.scene.accept(NAMES[place], "").err().unwrap_or_default();
                if let Some((_, without)) = refused.split_once("WITHOUT '") {
                    let granted = self.scene.accept(NAMES[place], without.trim_end_matches('\''));
                    prop_assert!(granted.is_ok(), "{refused}: {granted:?}");
                    self.demanded = self.seen[place].clone().unwrap_or_default();
                    self.primary = None;
                    let decision = self.scene.decide();
                    prop_assert_eq!(&decision.primary, &Ok(place));
                    self.judge(&decision)?;
                }
            }
            Event::AcceptBlindly(place) => {
                // Only a server that lacks nothing is taken at such a word.
                if self.scene.accept(NAMES[place], "").is_ok() {
                    let has = self.seen[place].clone().unwrap_or_default();
                    prop_assert!(self.demanded.is_subset(&has));
                }
            }
            Event::Restart => {
                self.scene.restart();
                self.seen = vec![None; 3];
                self.seen_before = vec![None; 3];
                self.shown = [false; 3];
            }
        }
        Ok(())
    }

    fn judge(&mut self, decision: &Decision) -> Result<(), TestCaseError> {
        self.take_up(decision)?;
        for (place, verdict) in decision.members.iter().enumerate() {
            let read = verdict.standing == Standing::Up && verdict.role == Role::Replica;
            let shown = self.primary.is_none() || self.shown[place];
            prop_assert!(
                !read || shown,
                "{} is read from with {:?}",
                NAMES[place],
                self.seen[place]
            );
        }
        Ok(())
    }

    /// Whoever takes the writes has all that is demanded, and from now on all it has is.
    fn take_up(&mut self, decision: &Decision) -> Result<(), TestCaseError> {
        let Ok(place) = decision.primary else {
            return Ok(());
        };
        let has = self.seen[place].clone();
        let has = has.ok_or_else(|| TestCaseError::fail("a silent server takes the writes"))?;
        let lacking: Vec<_> = self.demanded.difference(&has).collect();
        prop_assert!(lacking.is_empty(), "{} lacks {lacking:?}", NAMES[place]);
        self.demanded.extend(has);
        self.chosen += 1;
        if self.primary.replace(place) != Some(place) {
            for other in 0..NAMES.len() {
                let looks = [&self.seen[other], &self.seen_before[other]];
                self.shown[other] = looks
                    .into_iter()
                    .flatten()
                    .any(|has| self.has_nothing_foreign(has));
            }
        }
        Ok(())
    }

    /// It has nothing but what the primaries had, or the primary wrote itself.
    fn has_nothing_foreign(&self, has: &Set) -> bool {
        let mut more = has.difference(&self.demanded);
        more.all(|(origin, _)| Some(*origin) == self.primary)
    }
}

fn report(place: usize, real: &Real) -> Server {
    let gtids: Vec<String> = real
        .has
        .iter()
        .map(|(origin, number)| format!("{}:{number}", NAMES[*origin]))
        .collect();
    let mut report = server(NAMES[place], &gtids.join(","));
    if real.writable {
        report = report.writable();
    }
    if let Some(source) = real.source {
        report = report.follows(NAMES[source], Some(0));
    }
    report
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_write_goes_where_a_seen_one_is_missing(events in prop::collection::vec(event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event)?;
        }
    }
}

/// Runs in which nobody is ever chosen would prove nothing.
#[test]
fn somebody_is_chosen_often_enough() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let events = prop::collection::vec(event(), 80);
    let chosen = (0..100).filter(|_| {
        let mut world = World::new();
        let events = events.new_tree(&mut runner).unwrap().current();
        events.iter().for_each(|event| world.happen(event).unwrap());
        world.chosen > 0
    });
    let chosen = chosen.count();
    assert!(chosen > 50, "in {chosen} of 100 runs only");
}
