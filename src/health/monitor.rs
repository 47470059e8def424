//! Watches a group: a task for each server that looks at it, and one that decides.
//!
//! # Invariants
//! - Only the deciding task knows and changes what is known of the group. Sights, other proxies' news and operators'
//!   words come to it one after the other.
//! - A server that hangs delays no other: each is looked at by its own task, and a look has an end.
//! - An operator's word is kept on disk before it is acted upon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alterego_proxy::routing::{GroupView, State};
use anyhow::{Context, ensure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::decide::accept::{Wish, accept};
use super::decide::{Decision, Group, Known, UNASKED, decide};
use super::memory::Memory;
use super::observe::Observer;
use super::report::Sight;
use super::spec::{GroupSpec, MemberSpec};
use super::statement::AcceptPrimary;
use super::store::Store;
use super::view;

/// How many sights may wait to be looked at.
const SIGHTS: usize = 64;
/// How many operators may wait.
const WORDS: usize = 4;
/// How long keeping what is known may take.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// A group that is being watched, until this is dropped.
pub(crate) struct Monitor {
    group: String,
    view: watch::Receiver<Arc<GroupView>>,
    words: mpsc::Sender<Word>,
    tuning: watch::Sender<Tuning>,
    _tasks: JoinSet<()>,
}

/// What of a group's configuration may change while it is watched.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    /// How far behind a replica may be that is read from.
    pub(crate) lag_limit: Option<Duration>,
    /// The servers' shares of reading connections, in the order of the servers.
    pub(crate) weights: Vec<u32>,
}

/// An operator's word, and where the answer goes.
type Word = (Wish, oneshot::Sender<Result<String, String>>);

impl Monitor {
    /// Begins to watch, with what `store` remembers of the group.
    ///
    /// # Errors
    /// What is remembered cannot be read.
    pub(crate) fn start(spec: GroupSpec, store: Store) -> anyhow::Result<Self> {
        let memory = store
            .read()
            .with_context(|| format!("the server group '{}'", spec.name))?;
        let (sights_in, sights) = mpsc::channel(SIGHTS);
        let (words_in, words) = mpsc::channel(WORDS);
        let (tuning_in, tuning) = watch::channel(spec.tuning());
        let mut tasks = JoinSet::new();
        for (place, member) in spec.members.iter().enumerate() {
            tasks.spawn(look_again_and_again(
                place,
                member.clone(),
                spec.clone_timing(),
                sights_in.clone(),
            ));
        }
        let group = spec.name.clone();
        let mut watcher = Watcher::new(spec, store, memory);
        let decision = watcher.decide();
        let (view_in, view) = watch::channel(Arc::new(watcher.view(&decision)));
        tasks.spawn(watcher.run(view_in, sights, words, tuning));
        Ok(Self {
            group,
            view,
            words: words_in,
            tuning: tuning_in,
            _tasks: tasks,
        })
    }

    /// The group's name.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// The view of the group, always the latest.
    pub(crate) fn view(&self) -> watch::Receiver<Arc<GroupView>> {
        self.view.clone()
    }

    /// Goes on with other weights and another limit.
    pub(crate) fn tune(&self, tuning: Tuning) {
        self.tuning.send_replace(tuning);
    }

    /// Waits until every server has been asked once: before, nobody is the primary.
    pub(crate) async fn asked(&self) {
        let mut view = self.view.clone();
        // It fails only when the watcher is gone, and nothing is to be waited for then.
        let _ = view.wait_for(|view| !unasked(view)).await;
    }

    /// An operator's word. The answer says what was given up, or why nothing was done.
    ///
    /// # Errors
    /// The word is not taken.
    pub(crate) async fn accept(&self, statement: AcceptPrimary) -> Result<String, String> {
        let (answer_in, answer) = oneshot::channel();
        let gone = || "the group is no longer watched".to_owned();
        self.words
            .send((statement.wish, answer_in))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl GroupSpec {
    fn tuning(&self) -> Tuning {
        Tuning {
            lag_limit: self.lag_limit,
            weights: self.members.iter().map(|member| member.weight).collect(),
        }
    }

    fn clone_timing(&self) -> (Duration, Duration) {
        (self.interval, self.patience)
    }
}

async fn look_again_and_again(
    place: usize,
    member: MemberSpec,
    (every, patience): (Duration, Duration),
    sights: mpsc::Sender<(usize, Sight)>,
) {
    let mut observer = Observer::new(member.name, member.way, patience);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if sights.send((place, observer.look().await)).await.is_err() {
            return;
        }
    }
}

/// The one task that knows the group.
struct Watcher {
    spec: GroupSpec,
    group: Group,
    store: Store,
    known: Known,
    sights: Vec<Sight>,
    /// Whether the last attempt to keep the memory failed, so that it is said once.
    unkept: bool,
    /// The latest attempt.
    keeping: Option<AbortHandle>,
}

impl Watcher {
    fn new(spec: GroupSpec, store: Store, memory: Memory) -> Self {
        Self {
            group: view::group(&spec),
            sights: vec![Sight::Unasked; spec.members.len()],
            known: Known::remembering(memory),
            unkept: false,
            keeping: None,
            spec,
            store,
        }
    }

    async fn run(
        mut self,
        view: watch::Sender<Arc<GroupView>>,
        mut sights: mpsc::Receiver<(usize, Sight)>,
        mut words: mpsc::Receiver<Word>,
        mut tuning: watch::Receiver<Tuning>,
    ) {
        let mut news = interval(self.spec.interval);
        news.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut word = None;
            tokio::select! {
                Some((place, sight)) = sights.recv() => {
                    if let Some(known) = self.sights.get_mut(place) {
                        *known = sight;
                    }
                }
                Some((wish, answer)) = words.recv() => word = Some((self.grant(&wish).await, answer)),
                Ok(()) = tuning.changed() => self.tune(&tuning.borrow_and_update()),
                _ = news.tick() => self.exchange().await,
                else => return,
            }
            let decision = self.decide();
            self.publish(&view, &decision);
            if let Some((granted, answer)) = word {
                // Whoever asked may be gone; the word is kept all the same.
                let _ = answer.send(granted);
            }
        }
    }

    fn tune(&mut self, tuning: &Tuning) {
        self.spec.lag_limit = tuning.lag_limit;
        for (member, weight) in self.spec.members.iter_mut().zip(&tuning.weights) {
            member.weight = *weight;
        }
        self.group = view::group(&self.spec);
    }

    fn decide(&mut self) -> Decision {
        decide(&mut self.known, &self.group, &self.sights)
    }

    fn view(&self, decision: &Decision) -> GroupView {
        view::view(&self.spec, &self.sights, decision)
    }

    fn publish(&self, view: &watch::Sender<Arc<GroupView>>, decision: &Decision) {
        let new = Arc::new(self.view(decision));
        let old = view.send_replace(Arc::clone(&new));
        tell_changes(&old, &new);
    }

    /// Keeps what is known, and hears what others that use the same folder know.
    async fn exchange(&mut self) {
        match self.keep(self.known.memory()).await {
            Ok(kept) => {
                self.unkept = false;
                self.known.join(&kept, Instant::now());
            }
            Err(error) if !self.unkept => {
                self.unkept = true;
                warn!(
                    group = self.spec.name,
                    "what the group's primary has would not survive a restart: {error:#}"
                );
            }
            Err(_) => {}
        }
    }

    /// A disk that hangs holds up one attempt, and no decision.
    async fn keep(&mut self, memory: Memory) -> anyhow::Result<Memory> {
        ensure!(
            self.keeping.as_ref().is_none_or(AbortHandle::is_finished),
            "the disk does not answer"
        );
        let store = self.store.clone();
        let keeping = spawn_blocking(move || store.exchange(&memory));
        self.keeping = Some(keeping.abort_handle());
        timeout(DISK_PATIENCE, keeping)
            .await
            .context("the disk does not answer")??
    }

    /// Takes an operator's word.
    async fn grant(&mut self, wish: &Wish) -> Result<String, String> {
        let (memory, lost) = accept(&self.known, &self.group, &self.sights, wish)?;
        let kept = self.keep(memory.clone()).await;
        let kept =
            kept.map_err(|error| format!("nothing was changed, because it cannot be kept: {error:#}"))?;
        if kept.words >= memory.words {
            self.known.join(&kept, Instant::now());
            return Err("another word was given at the same time; look again".to_owned());
        }
        warn!(
            group = self.spec.name,
            server = wish.server,
            given_up = %lost,
            "an operator has accepted a primary"
        );
        self.known.join(&memory, Instant::now());
        Ok(if lost.is_empty() {
            format!("'{}' is the primary; nothing is given up", wish.server)
        } else {
            format!("'{}' is the primary; given up: {lost}", wish.server)
        })
    }
}

/// Whether a server has not been asked yet.
fn unasked(view: &GroupView) -> bool {
    let mut members = view.members.iter();
    members.any(|member| matches!(&member.state, State::Withheld(reason) if reason == UNASKED))
}

/// Logs what has changed.
fn tell_changes(old: &GroupView, new: &GroupView) {
    let group = new.name.as_str();
    let name = |view: &GroupView, place: usize| view.members.get(place).map(|member| member.name.clone());
    match (&old.primary, &new.primary) {
        (old, new) if old == new => {}
        (_, Ok(place)) => info!(group, primary = name(new, *place), "the group has a primary"),
        // Nothing is wrong yet.
        (_, Err(_)) if unasked(new) => {}
        (_, Err(reason)) => warn!("{reason}"),
    }
    for (was, is) in old.members.iter().zip(&new.members) {
        let server = is.name.as_str();
        match (&was.state, &is.state) {
            (State::Up, State::Up) => {}
            (_, State::Up) => info!(group, server, "up"),
            (State::Down(_), State::Down(_)) => {}
            (_, State::Down(reason)) => warn!(group, server, reason, "down"),
            // The reason may hold a figure that grows.
            (State::Withheld(_), State::Withheld(_)) => {}
            (_, State::Withheld(reason)) => warn!(group, server, reason, "withheld"),
        }
    }
}
