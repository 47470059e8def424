//! A MySQL wire-protocol relay that catches schema changes.
//!
//! One client connection, one upstream connection, bytes forwarded unchanged. A statement that may be a schema
//! change is shown to the [`hooks::Hooks`]; this crate knows nothing of how one is carried out.
//!
//! `listener` accepts, `session` relays one client, `intercept` does what a caught statement needs, and `protocol`
//! knows the bytes. `routing` chooses a server for each client where there are several. Passwords pass through and are not kept.

mod config;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod hooks;
mod intercept;
mod listener;
mod peer;
mod protocol;
pub mod routing;
mod scheduling;
mod session;
mod stop;
mod stream;
pub mod tls;
mod upstream;
mod workers;

pub use config::{Listeners, ProxyConfig, Upstream};
pub use gate::Gate;
pub use listener::{run, run_routed};
pub use peer::{NoNetworks, ProxyNetworks};
pub use upstream::UNREACHABLE;
