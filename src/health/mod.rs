//! Which server of a group takes the writes, and which may be read from.
//!
//! x

mod decide;
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

pub(crate) use monitor::Monitor;
pub(crate) use observe::transactions_of;
pub(crate) use spec::{GroupSpec, INTERVAL, MemberSpec, PATIENCE};
pub(crate) use statement::{AcceptPrimary, FORM};
pub(crate) use store::Store;
