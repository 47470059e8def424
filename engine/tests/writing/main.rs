//! The row copy and the applier on real servers, with the application writing all the while.
//!
//! The binary log is played by the test: each writer tells the applier which keys it has changed, in the order
//! of its transactions, and forgets what the watermark does not want.

mod concurrent;
mod data;
mod fixture;
mod locks;
mod measure;
mod share;
mod unique;
