//! The phases of a migration and the only ways from one to the next.
//!
//! The same enum is what is shown, what is persisted and what drives a resumed migration: a phase says exactly
//! what a crash may have left behind.

use std::fmt;
use std::str::FromStr;

/// Where a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The ghost is being built; nothing is copied. A crash here starts over.
    Preparing,
    /// Rows are copied and changes followed. A crash here resumes from the checkpoint.
    Copying,
    /// Everything is copied; the indexes that were put off are built. A crash here resumes from the checkpoint.
    Indexing,
    /// Source and ghost are compared. A crash here resumes from the checkpoint.
    Verifying,
    /// Verified; the swap is being tried. After a crash the tables themselves tell whether it happened.
    CuttingOver,
    /// Swapped; the replaced table is still to be dropped, or kept for a while.
    Swapped,
    /// Nothing is left to do.
    Done,
    /// Ended by an error; the source is as it was.
    Failed,
    /// Given up at the client's wish; the source is as it was.
    Cancelled,
}

/// What may happen to a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The ghost stands and the stream's start is known.
    Prepared,
    /// Every chunk is durable.
    Copied,
    /// The ghost has all its indexes.
    Indexed,
    /// A clean pass over the whole table.
    Verified,
    /// The ghost has the source's name.
    Swapped,
    /// The replaced table is gone.
    Cleaned,
    /// The checkpoint cannot be resumed from: the copy starts afresh.
    StartOver,
    /// The swap did not happen and the stream has to be followed again.
    Resumed,
    /// An error that trying again cannot mend.
    Failed,
    /// The client gave up.
    Cancelled,
}

/// An event that cannot happen in a phase: a defect in the caller, never a state to continue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a migration that is {phase} cannot hear {event:?}")]
pub struct Impossible {
    phase: Phase,
    event: Event,
}

impl From<Impossible> for crate::Error {
    fn from(impossible: Impossible) -> Self {
        Self::fatal(impossible.to_string())
    }
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 9] = [
        Self::Preparing,
        Self::Copying,
        Self::Indexing,
        Self::Verifying,
        Self::CuttingOver,
        Self::Swapped,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The phase after `event`.
    ///
    /// # Errors
    /// `Impossible`, where no such step exists.
    pub fn next(self, event: Event) -> Result<Self, Impossible> {
        match (self, event) {
            (Self::Preparing, Event::Prepared) => Ok(Self::Copying),
            (Self::Copying, Event::Copied) => Ok(Self::Indexing),
            (Self::Indexing, Event::Indexed) => Ok(Self::Verifying),
            (Self::Verifying, Event::Verified) => Ok(Self::CuttingOver),
            (Self::CuttingOver, Event::Swapped) => Ok(Self::Swapped),
            (Self::Swapped, Event::Cleaned) => Ok(Self::Done),
            (
                Self::Preparing | Self::Copying | Self::Indexing | Self::Verifying | Self::CuttingOver,
                Event::StartOver,
            ) => Ok(Self::Preparing),
            (Self::Copying | Self::Indexing | Self::Verifying | Self::CuttingOver, Event::Resumed) => {
                Ok(Self::Copying)
            }
            (
                Self::Preparing | Self::Copying | Self::Indexing | Self::Verifying | Self::CuttingOver,
                Event::Failed,
            ) => Ok(Self::Failed),
            (
                Self::Preparing | Self::Copying | Self::Indexing | Self::Verifying | Self::CuttingOver,
                Event::Cancelled,
            ) => Ok(Self::Cancelled),
            (phase, event) => Err(Impossible { phase, event }),
        }
    }

    /// Whether the migration has ended, one way or the other.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Whether the application already works on the altered table.
    pub fn is_swapped(self) -> bool {
        matches!(self, Self::Swapped | Self::Done)
    }

    /// The word for people and for the state table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Copying => "copying",
            Self::Indexing => "indexing",
            Self::Verifying => "verifying",
            Self::CuttingOver => "cutting over",
            Self::Swapped => "swapped",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| format!("the state table names a phase this version does not know: `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 10] = [
        Event::Prepared,
        Event::Copied,
        Event::Indexed,
        Event::Verified,
        Event::Swapped,
        Event::Cleaned,
        Event::StartOver,
        Event::Resumed,
        Event::Failed,
        Event::Cancelled,
    ];

    #[test]
    fn words_round_trip() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
        }
    }

    #[test]
    fn an_ended_migration_hears_nothing() {
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_final()) {
            assert!(EVENTS.into_iter().all(|event| phase.next(event).is_err()));
        }
    }

    /// After the swap no error can be answered any more, and before verification no swap can happen.
    #[test]
    fn the_swap_has_one_way_in_and_one_way_out() {
        let before: Vec<_> = Phase::ALL
            .into_iter()
            .flat_map(|phase| EVENTS.into_iter().map(move |event| (phase, event)))
            .filter(|(phase, event)| phase.next(*event) == Ok(Phase::Swapped))
            .collect();
        assert_eq!(before, [(Phase::CuttingOver, Event::Swapped)]);
        let after: Vec<_> = EVENTS
            .into_iter()
            .filter_map(|event| Phase::Swapped.next(event).ok())
            .collect();
        assert_eq!(after, [Phase::Done]);
        let to_cut_over: Vec<_> = Phase::ALL
            .into_iter()
            .flat_map(|phase| EVENTS.into_iter().map(move |event| (phase, event)))
            .filter(|(phase, event)| phase.next(*event) == Ok(Phase::CuttingOver))
            .collect();
        assert_eq!(to_cut_over, [(Phase::Verifying, Event::Verified)]);
    }
}
