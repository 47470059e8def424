//! Watches groups of servers: which one takes the writes, and which ones may be read from.
//!
//! `spec` is what the configuration says of a group. `observe` looks at one server and makes a `report` of it; all SQL is
//! there. `decide` is the pure core: what follows from what is known and from the latest looks. It works on
//! `transactions`, what a server has and what it lacks. `memory` is what outlives the process, `store` keeps it.
//! `monitor` runs all that for one group and publishes a `GroupView`; `groups` holds the monitors. `statement` is the
//! operator's `ACCEPT PRIMARY`.
//!
//! # Wiring
//! Make a [`GroupSpec`] of each group of the configuration ([`Way`] from `tls::Way::opts`, with `ServerAddress::opts` as
//! `without_tls` in mode PREFERRED; the `tls::Way` itself must be kept alive for VERIFY_CA). [`Groups::start`], with
//! `state_folder::find()`, begins to watch; wait for [`Groups::asked`] before clients are let in, since nobody is a primary earlier. Hand [`Groups::views`]
//! to whoever places connections and to `SHOW UPSTREAMS`; a changed view is news for migrations, too, which follow the
//! primary. The admin endpoint gives each statement it does not know to [`Groups::accept`] and answers `None` as
//! unknown, `Ok(text)` as an OK or a row with the text, `Err(text)` as an error; [`FORM`] is for its HELP. The statement
//! belongs on the admin endpoint alone: clients' accounts are the server's, and none of them says who may give up data.
//! alterego's account needs REPLICATION CLIENT on MySQL, SLAVE MONITOR on MariaDB, and SELECT on
//! `performance_schema.replication_group_members` with Group Replication; without them a server is down for that reason.

mod decide;
mod groups;
mod memory;
mod monitor;
mod observe;
mod report;
mod spec;
mod statement;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod transactions;
mod view;

pub(crate) use groups::Groups;
pub(crate) use monitor::Tuning;
pub(crate) use observe::transactions_of;
pub(crate) use spec::{GroupSpec, MemberSpec, Way};
pub(crate) use statement::FORM;
