//! x
mod decide;
mod memory;
mod observe;
mod report;
mod spec;
mod store;
mod transactions;
