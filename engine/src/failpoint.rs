//! Steps at which a test can stop the process, to kill it or its server exactly there.
//!
//! `ALTEREGO_FAILPOINT=chunk_committed` stops the process, as `kill -STOP` would, the first time that step is reached;
//! `chunk_committed:3` the third time. Several, with commas between them, stop it at each. A stopped process does nothing
//! any more, on no thread: a test looks around, kills what it wants to kill, and lets the process go on if that was the
//! server. Without the variable a failpoint costs one load.
//!
//! # Invariant
//! A step has no name but one of [`Failpoint`]'s, and the crash sweep takes every one from [`Failpoint::ALL`] and fails
//! where one is not reached. So none is left out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

macro_rules! failpoints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A step that another one relies on after a crash, by what has just been done, in the order of a migration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Failpoint {
            $($(#[$doc])* $variant,)+
        }

        impl Failpoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in `ALTEREGO_FAILPOINT`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

failpoints! {
    /// The migration has a record, and nothing else.
    Accepted = "accepted",
    /// The ghost is there as the source is, not altered yet.
    GhostCreated = "ghost_created",
    /// The ghost is altered.
    GhostBuilt = "ghost_built",
    /// Indexes were taken from the ghost, and nobody knows yet whether they come back as they were.
    IndexesTakenAway = "indexes_taken_away",
    /// The ghost lacks the indexes that are built in the end.
    IndexesPutOff = "indexes_put_off",
    /// The empty ghost is without its counter, a table is aside, and nobody knows yet whether the counter comes back (MariaDB).
    CounterTakenAway = "counter_taken_away",
    /// The ghost is without the counter that it is given back in the end (MariaDB).
    CounterPutOff = "counter_put_off",
    /// The stream's start is read and not recorded.
    StartRead = "start_read",
    /// The ghost and the stream's start are recorded.
    Prepared = "prepared",
    /// The watermark has passed a chunk that is not written.
    ChunkDispatched = "chunk_dispatched",
    /// A chunk is committed, and the ledger has not heard of it.
    ChunkCommitted = "chunk_committed",
    /// Keys have left the change set and are not reconciled.
    BatchTaken = "batch_taken",
    /// Keys are reconciled, and the change set has not heard of it.
    BatchCommitted = "batch_committed",
    /// The barrier has let a position pass that no checkpoint says.
    PositionPassed = "position_passed",
    /// A checkpoint is about to be written.
    CheckpointDue = "checkpoint_due",
    /// A checkpoint is written.
    Checkpointed = "checkpointed",
    /// Everything is copied.
    Copied = "copied",
    /// An empty, partitioned table is there for the ghost's rows to step aside (MariaDB).
    RoomAside = "room_aside",
    /// The ghost's rows are aside, and it is empty (MariaDB).
    SteppedAside = "stepped_aside",
    /// The empty ghost has its counter, and its rows are aside (MariaDB).
    CounterDefined = "counter_defined",
    /// The ghost's rows are back, and its counter does not know them (MariaDB).
    CameBack = "came_back",
    /// The ghost has its counter, and nothing is aside (MariaDB).
    CounterBack = "counter_back",
    /// The rows that may be stale are taken out of the ghost, for its indexes to be built.
    Settled = "settled",
    /// The indexes are built, and no record says so.
    IndexesBuilt = "indexes_built",
    /// The ghost has all its indexes, and its record says so.
    Indexed = "indexed",
    /// A chunk is compared.
    ChunkCompared = "chunk_compared",
    /// Rows of the ghost are known to be wrong.
    FaultsFound = "faults_found",
    /// Wrong rows are repaired, and nothing was compared since.
    FaultsRepaired = "faults_repaired",
    /// Verification has passed.
    Verified = "verified",
    /// The replaced table's name is free; on MariaDB the sentry has it.
    RoomMade = "room_made",
    /// The record says that only the tables know from now on.
    CutOverRecorded = "cut_over_recorded",
    /// The ghost counts from where the source does.
    CounterRaised = "counter_raised",
    /// The gate is closed.
    GateClosed = "gate_closed",
    /// Both tables are locked.
    TablesLocked = "tables_locked",
    /// Everything is reconciled under the locks.
    Drained = "drained",
    /// The ghost of a table with triggers is in the table's schema (MySQL).
    GhostMoved = "ghost_moved",
    /// A trigger of the table has its stand-in on the ghost (MySQL).
    StandInMade = "stand_in_made",
    /// The triggers of the table have their stand-ins on the ghost (MySQL).
    StandInsMade = "stand_ins_made",
    /// RENAME comes next; on MariaDB it waits for the locks.
    RenameDue = "rename_due",
    /// The sentry is gone and RENAME still waits (MariaDB).
    SentryDropped = "sentry_dropped",
    /// The tables are swapped, and nothing else was done.
    Renamed = "renamed",
    /// A trigger is dropped, and only its stand-in is there (MySQL).
    TriggerDropped = "trigger_dropped",
    /// A trigger is on the new table, and its stand-in, too (MySQL).
    TriggerCreated = "trigger_created",
    /// A trigger is on the new table, and its stand-in is gone (MySQL).
    StandInDropped = "stand_in_dropped",
    /// The new table has its triggers and nothing else, and the replaced one is still in its schema (MySQL).
    TriggersHandedOver = "triggers_handed_over",
    /// The replaced table of one with triggers is where replaced tables are (MySQL).
    LastMoved = "last_moved",
    /// The gate is open again, and no record says that the tables are swapped.
    Swapped = "swapped",
    /// The swap is recorded.
    SwapRecorded = "swap_recorded",
    /// The replaced table is dropped.
    OldDropped = "old_dropped",
    /// A sentinel is in a schema that is about to be removed.
    SentinelHeld = "sentinel_held",
    /// One of the migration's schemas is removed.
    SchemaRemoved = "schema_removed",
    /// Nothing is left behind, and the record still says that something is.
    CleanedUp = "cleaned_up",
    /// The record says that the migration has failed, and the ghost is there.
    EndRecorded = "end_recorded",
    /// The ghost of a failed migration is dropped.
    GhostDropped = "ghost_dropped",
    /// A migration is about to go on from its checkpoint.
    Resumed = "resumed",
    /// A migration is about to begin afresh.
    StartingOver = "starting_over",
    /// The ghost is back in its place, after a swap that did not come (MySQL).
    GhostMovedBack = "ghost_moved_back",
    /// Another process had swapped the tables.
    FoundSwapped = "found_swapped",
}

struct Armed {
    name: String,
    countdown: AtomicU32,
}

/// Where the system does not tell whether a signal has been taken: long enough for that, unless the machine is busy.
const SETTLING: Duration = Duration::from_millis(100);

static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();

/// Stops here if the step is armed.
pub fn hit(point: Failpoint) {
    let armed = ARMED.get_or_init(|| arm(&std::env::var("ALTEREGO_FAILPOINT").unwrap_or_default()));
    for armed in armed.iter().filter(|armed| armed.name == point.name()) {
        if armed.countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
            stop(point);
        }
    }
}

/// Reads `name,name:3`.
fn arm(spec: &str) -> Vec<Armed> {
    let armed = spec.split(',').filter(|part| !part.is_empty()).map(|part| {
        let (name, count) = part.split_once(':').unwrap_or((part, "1"));
        Armed {
            name: name.to_owned(),
            countdown: AtomicU32::new(count.parse().unwrap_or(1)),
        }
    });
    armed.collect()
}

/// Two stops at once would look like one.
static STOPPING: Mutex<()> = Mutex::new(());

fn stop(point: Failpoint) {
    let _alone = STOPPING.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever waits for the stop reads here where it is.
    tracing::warn!("stopped at the failpoint {}", point.name());
    if let Err(error) = kill_process(getpid(), Signal::STOP) {
        tracing::error!(%error, "the failpoint does not stop the process");
    }
    // The signal may go to another thread first, and that one may have to wait for a processor. This one must not take a
    // step meanwhile. Once the signal is taken, by whichever thread, none comes back from the system any more.
    while is_pending(Signal::STOP).unwrap_or_else(settled) {}
}

fn settled() -> bool {
    std::thread::sleep(SETTLING);
    false
}

/// Whether a signal to the process has been taken by none of its threads yet.
fn is_pending(signal: Signal) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & (1 << (signal.as_raw() - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<&str> = Failpoint::ALL.iter().map(|point| point.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Failpoint::ALL.len());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_whether_a_signal_is_pending() {
        assert_eq!(is_pending(Signal::STOP), Some(false));
    }

    #[test]
    fn several_are_armed_at_once() {
        let check = |spec: &str, expected: &[(&str, u32)]| {
            let armed: Vec<(String, u32)> = arm(spec)
                .into_iter()
                .map(|armed| (armed.name, armed.countdown.into_inner()))
                .collect();
            let expected: Vec<(String, u32)> = expected
                .iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect();
            assert_eq!(armed, expected);
        };
        check("", &[]);
        check("copied", &[("copied", 1)]);
        check(
            "copied,chunk_committed:4",
            &[("copied", 1), ("chunk_committed", 4)],
        );
    }
}
