//! What the engine makes of a statement and a table, against what the servers make of them.

mod cases;
mod ghost;
mod question;
mod refusals;
mod servers;
mod settings;
