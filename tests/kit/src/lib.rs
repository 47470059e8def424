//! What the tests, the demo and the benchmarks share: private servers, the proxy as a child process,
//! a workload that knows what it wrote, and exact comparisons.
//!
//! Nothing here knows alterego's crates. A check that used the engine's own code to decide whether the
//! engine is right could be wrong in the same way.

mod alterego;
mod compare;
mod flavor;
pub mod fuzz;
mod model;
mod options;
pub mod orders;
mod process;
mod provided;
mod replication;
mod server;
mod stall;
mod template;
mod workload;

pub use alterego::Alterego;
pub use compare::{Difference, compare_tables};
pub use flavor::Flavor;
pub use model::{Model, ModelDifference};
pub use options::Options;
pub use replication::Replication;
pub use server::{Server, client_opts};
pub use workload::{Outcome, Stall, Workload, WorkloadOptions};
