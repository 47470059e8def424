//! Nobody can tell the proxy from the server by its bytes: a differential proof.
//!
//! Two servers of one kind hold the same data, and one of them has alterego before it. A client made of bare packets plays
//! one script of commands on both, directly and through the proxy, cut into random pieces and pipelined at random, and every
//! byte that comes back is compared. What must differ is made equal in `normal.rs`, one rule after the other, each with its
//! reason.
//!
//! A relay that has lost its place still forwards the right bytes, only it catches nothing any more. So the proxied session
//! is also asked `SHOW MIGRATIONS` now and then, which only the proxy can answer, and only if it knows that everything
//! before has been answered.
//!
//! `generated` plays scripts of random commands, `shapes` the ones that need a hand, `alters` and `several` the places where an
//! ALTER may hide. `ALTEREGO_WIRE_SECONDS` makes the first of them run longer and `ALTEREGO_WIRE_SEED` begin elsewhere;
//! `ALTEREGO_WIRE_PLACED` has the proxy choose the server of each connection, by a configuration file.

mod alters;
mod carried;
mod client;
mod command;
mod dialect;
mod generated;
mod generator;
mod login;
mod normal;
mod packet;
mod pair;
mod player;
mod script;
mod scripts;
mod several;
mod shapes;
mod statements;
