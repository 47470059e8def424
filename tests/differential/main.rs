//! Generated ALTERs of generated tables under generated writes, each against the server's own: a differential proof.
//!
//! A case is a table with rows, session settings, an ALTER, and transactions of one client that writes meanwhile. It is
//! played twice on one server: through the proxy with `--strategy ghost`, and directly on a clone, the transactions one by
//! one, and the ALTER where the tables changed places in the first play. What the client of the ALTER hears, what the
//! writer hears, and what is left (definition, every row, AUTO_INCREMENT) must be the same. What may differ is made equal
//! in `known.rs`, one rule after the other, each with its reason.
//!
//! A case follows from its seed. One that fails is made smaller as long as it fails, and written to a file that can be
//! moved to `kept/`, where every file is played again by every run. `ALTEREGO_DIFF_CASES` says how many cases are generated
//! (0: no end; unless it is said, a few that always are the same) and `ALTEREGO_DIFF_SEED` where they begin.

mod alter;
mod case;
mod column;
mod data_type;
mod kept;
mod keys;
mod known;
mod lane;
mod literal;
mod many;
mod names;
mod play;
mod session;
mod shrink;
mod side;
mod table;
mod workload;

// What a client hears of a statement, taken down whole: shared with the tests end to end, which use more of it.
#[allow(dead_code)]
#[path = "../e2e/support/outcome.rs"]
mod outcome;
