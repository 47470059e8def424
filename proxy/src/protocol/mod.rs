//! Codecs of the wire protocol: no I/O, no session, nothing that waits.
//!
//! Every reader here takes bytes from outside and answers `None` for anything short or malformed; none indexes.

pub(crate) mod answer;
pub(crate) mod capabilities;
pub(crate) mod command;
pub(crate) mod frame;
pub(crate) mod greeting;
pub(crate) mod joined;
pub(crate) mod login;
pub(crate) mod ok;
pub(crate) mod progress;
pub(crate) mod proxy_header;
pub(crate) mod query;
pub(crate) mod reader;
pub(crate) mod reply;
pub(crate) mod response;
pub(crate) mod resultset;
pub(crate) mod session_state;
pub(crate) mod shape;
