//! What the cases share.

mod bare;
mod failures;
mod migrations;
mod outcome;
mod rig;
mod script;
mod survivors;
mod tool;
mod triggers;
mod wait;
mod writers;

pub(crate) use bare::{Bare, Login, refused};
pub(crate) use failures::Failures;
pub(crate) use migrations::{Migration, changes, migrations, nothing_left};
pub(crate) use outcome::{Outcome, run};
pub(crate) use rig::Rig;
pub(crate) use script::{fill, script};
pub(crate) use survivors::{Road, Survivors, is_lost};
pub(crate) use tool::{cannot_say, tool};
pub(crate) use triggers::triggers;
pub(crate) use wait::{DEADLINE, eventually};
pub(crate) use writers::{Transaction, Writers};
