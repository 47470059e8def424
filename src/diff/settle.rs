//! Whether a row that was seen to differ does, or was only read at two moments.
//!
//! # Why the verdict is right
//! A look reads A's rows, waits until B has every transaction that A has by then, reads B's rows, and A's again. A row that
//! is equal in it, at either reading of A, is no difference: what B shows is what A showed. A row that A shows twice alike,
//! and B otherwise, was replicated, if it ever is, before B was read. Only a change to and fro between A's two readings
//! could make that wrong; so it takes [`LOOKS`] such looks in a row. A row that A changes all the time gets up to
//! [`MOST_LOOKS`]; one that is then never seen alike, and never at rest, is left open.

use std::time::Duration;

use alterego_engine::key::Key;
use tokio::time::{Instant, sleep};

use super::chunks::{self, Rows, Side};
use super::definition::Common;
use super::server::Server;
use crate::health::transactions::Transactions;
use crate::health::transactions_of;

/// Looks in a row at which a row must differ.
const LOOKS: u32 = 3;
const MOST_LOOKS: u32 = 60;
/// Between two looks, and in the place of the wait where B's transactions cannot be compared with A's.
const PAUSE: Duration = Duration::from_millis(150);
const BETWEEN_POLLS: Duration = Duration::from_millis(20);
/// Keys of one statement.
const KEYS: usize = 400;

/// What became of the keys.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) only_in_a: Vec<Key>,
    pub(super) only_in_b: Vec<Key>,
    pub(super) changed: Vec<Key>,
    /// Those of rows that changed at every look.
    pub(super) open: Vec<Key>,
}

/// How B follows A.
pub(super) struct Follower {
    patience: Duration,
    /// It was waited for in vain, or cannot be waited for.
    given_up: bool,
}

impl Follower {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            given_up: false,
        }
    }

    /// Waits until B has every transaction that A has now.
    async fn wait(&mut self, a: &mut Server, b: &mut Server) -> anyhow::Result<()> {
        if !self.given_up {
            let had = transactions(a).await?;
            let deadline = Instant::now() + self.patience;
            while let Some(had) = &had {
                match transactions(b).await? {
                    Some(has) if had.missing_in(&has).is_empty() => return Ok(()),
                    Some(_) if Instant::now() < deadline => sleep(BETWEEN_POLLS).await,
                    _ => break,
                }
            }
            self.given_up = true;
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

async fn transactions(server: &mut Server) -> anyhow::Result<Option<Transactions>> {
    transactions_of(&mut server.conn)
        .await
        .map_err(anyhow::Error::msg)
}

/// A key and how often in a row it was seen to differ.
struct Suspect {
    key: Key,
    differed: u32,
}

/// Looks at the keys again until it is clear what they are.
pub(super) async fn settle(
    a: &mut Server,
    b: &mut Server,
    follower: &mut Follower,
    common: &Common,
    keys: Vec<Key>,
) -> anyhow::Result<Settled> {
    let mut settled = Settled::default();
    let fresh = keys.into_iter().map(|key| Suspect { key, differed: 0 });
    let mut suspects: Vec<Suspect> = fresh.collect();
    for look in 0..MOST_LOOKS {
        if suspects.is_empty() {
            return Ok(settled);
        }
        if look > 0 {
            sleep(PAUSE).await;
        }
        let keys: Vec<Key> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
        let before = read(a, common, Side::A, &keys).await?;
        follower.wait(a, b).await?;
        let there = read(b, common, Side::B, &keys).await?;
        let after = read(a, common, Side::A, &keys).await?;
        let mut left = Vec::new();
        for mut suspect in suspects {
            let key = &suspect.key;
            let (one, two, other) = (before.get(key), after.get(key), there.get(key));
            if known(other) && (other == one || other == two) {
                continue;
            }
            suspect.differed = if one == two { suspect.differed + 1 } else { 0 };
            if suspect.differed < LOOKS {
                left.push(suspect);
                continue;
            }
            match (one, other) {
                (Some(_), None) => settled.only_in_a.push(suspect.key),
                (None, Some(_)) => settled.only_in_b.push(suspect.key),
                // Too long to be compared: neither equal nor different.
                (Some(None), _) | (_, Some(None)) => settled.open.push(suspect.key),
                _ => settled.changed.push(suspect.key),
            }
        }
        suspects = left;
    }
    settled
        .open
        .extend(suspects.into_iter().map(|suspect| suspect.key));
    Ok(settled)
}

/// Not a row without a checksum.
fn known(row: Option<&Option<String>>) -> bool {
    row != Some(&None)
}

async fn read(server: &mut Server, common: &Common, side: Side, keys: &[Key]) -> anyhow::Result<Rows> {
    let mut found = Rows::new();
    for keys in keys.chunks(KEYS) {
        let place = chunks::place_of(common, keys);
        found.extend(chunks::rows(&mut server.conn, common, side, &place).await?);
    }
    Ok(found)
}
