//! Where a connection goes: decided once, when it begins, and never again.
//!
//! [`Rule`]s say which group of servers a connection is for and in which role, [`place`] chooses the server, both without
//! asking anybody; `Router` brings them together with what is known of the servers at the moment.

mod forward_all;
mod guest;
pub(crate) mod ids;
mod offers;
mod pattern;
mod place;
mod router;
mod rule;
mod show;
mod source;
mod view;

pub use forward_all::ForwardAll;
pub(crate) use guest::Guest;
pub use offers::{Offer, OfferError, Seen};
pub use pattern::Pattern;
pub use place::{NoPlace, place};
pub(crate) use router::Placed;
pub use router::{Group, Plan, Router};
pub use rule::{Access, Facts, Rule, find};
pub use source::{NoSource, Source};
pub use view::{GroupView, MemberView, NoPrimary, Role, State};
