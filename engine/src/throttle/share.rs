//! How much of the server a migration takes.
//!
//! A statement of the row copy or of verification keeps one processor of the server busy for as long as it runs. Where as
//! many of them run as the server has processors, a commit of the application waits for one: not only its own thread, but
//! what the kernel does to make the log durable too. Measured on two processors, commits stood for 70 to 300 ms several
//! times a migration while the disk had nothing to do; with one statement at a time they did not.
//!
//! So while others write, the migration takes at most half of the processors. Nobody is disturbed by a migration on a
//! server that is otherwise idle, and it takes what it can use. Whoever only deletes rows goes unnoticed, because a migration
//! deletes, too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::{Flavor, Result};

/// As many statements run at once at most: more of them only wait for each other's pages and locks.
pub const STATEMENTS_MAX: usize = 2;

/// Others write if there are more statements a second than this. The migration itself writes its record once a second.
const OTHERS_WRITE: f64 = 8.0;

/// How long others count as writing after they were last seen to. A pause is no reason to start another statement.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How many statements of the migration may run at once, as it is known now.
#[derive(Debug)]
pub struct Share(AtomicUsize);

impl Share {
    /// Always as many as this, and one at least.
    pub fn of(statements: usize) -> Self {
        Self(AtomicUsize::new(statements.max(1)))
    }

    /// How many statements may run at once: one at least, and no more than [`STATEMENTS_MAX`].
    pub fn statements(&self) -> usize {
        self.0.load(Ordering::Relaxed).clamp(1, STATEMENTS_MAX)
    }

    fn set(&self, statements: usize) {
        self.0.store(statements, Ordering::Relaxed);
    }
}

/// Until it is known whether others write, they may.
impl Default for Share {
    fn default() -> Self {
        Self::of(1)
    }
}

/// Follows what others do at the server.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// How many processors the server has; none if it does not say.
    processors: Option<usize>,
    last: Option<(Instant, u64)>,
    seen_writing: Option<Instant>,
}

impl Others {
    /// Someone who knows the server behind `conn`.
    pub(super) async fn at(conn: &mut Conn, flavor: Flavor) -> Result<Self> {
        Ok(Self {
            processors: processors(conn, flavor).await?,
            ..Self::default()
        })
    }

    /// Adjusts the share to what has happened since this was called last: the server counts `writes` at `now`.
    pub(super) fn look(&mut self, writes: u64, now: Instant, share: &Share) {
        if let Some((then, before)) = self.last {
            let rate = writes.saturating_sub(before) as f64 / (now - then).as_secs_f64().max(0.001);
            if rate > OTHERS_WRITE {
                self.seen_writing = Some(now);
            }
            let writing = self.seen_writing.is_some_and(|at| now - at < REMEMBERED);
            share.set(statements(self.processors, writing));
        }
        self.last = Some((now, writes));
    }
}

/// A server that does not say how many processors it has is taken for a small one.
fn statements(processors: Option<usize>, others_write: bool) -> usize {
    match others_write {
        true => processors.unwrap_or(1) / 2,
        false => STATEMENTS_MAX,
    }
}

/// The processors that the server may use.
///
/// MySQL names those of its default resource group. MariaDB makes as many thread groups as it finds processors, unless told
/// otherwise.
async fn processors(conn: &mut Conn, flavor: Flavor) -> Result<Option<usize>> {
    match flavor {
        Flavor::MySql => {
            let sql = "SELECT CAST(vcpu_ids AS CHAR) FROM information_schema.resource_groups \
                       WHERE resource_group_name = 'USR_default'";
            let ids: Option<Option<String>> = conn.query_first(sql).await?;
            Ok(ids.flatten().and_then(|ids| count(&ids)))
        }
        Flavor::MariaDb => Ok(conn.query_first("SELECT @@GLOBAL.thread_pool_size").await?),
    }
}

/// How many numbers are in a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0, |sum: usize, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        Some(sum + last.checked_sub(first)? + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        let check = |list: &str, expected| assert_eq!(count(list), expected, "{list}");
        check("0-1", Some(2));
        check("3", Some(1));
        check("0-3,8, 10-11", Some(7));
        check("", None);
        check("3-1", None);
        check("a", None);
    }

    #[test]
    fn others_get_half_while_they_write_and_a_while_longer() {
        let share = Share::default();
        let mut others = Others {
            processors: Some(2),
            ..Others::default()
        };
        let mut writes = 0;
        let mut now = Instant::now();
        let mut after = |seconds: u64, more: u64| {
            now += Duration::from_secs(seconds);
            writes += more;
            others.look(writes, now, &share);
            share.statements()
        };
        assert_eq!(after(0, 1000), 1, "nothing is known yet");
        assert_eq!(after(1, 2), 2, "that was the migration itself");
        assert_eq!(after(1, 20), 1);
        assert_eq!(after(4, 0), 1);
        assert_eq!(after(1, 0), 2);
        assert_eq!(statements(Some(8), true), 4);
        assert_eq!(statements(None, true), 0);
        assert_eq!(Share::of(0).statements(), 1);
        assert_eq!(Share::of(9).statements(), STATEMENTS_MAX);
    }
}
