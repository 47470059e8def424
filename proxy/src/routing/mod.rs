//! Where a connection goes: decided once, when it begins, and never again.

mod view;

pub use view::{GroupView, MemberView, NoPrimary, Role, State};
