//! The streamer: follows the source's binary log and says which keys changed, and where transactions end.
//!
//! # Invariants
//! - Row values are not read, except the key's: an event only says *which key changed*.
//! - A [`StreamItem::TransactionEnd`] follows every key of its transaction and all transactions before it, and its
//!   position is a transaction boundary.
//! - Nothing is passed over silently: an event that could change the source and is not understood ends the stream
//!   with a [`StreamEnd`].
//!
//! # Why a lost connection loses nothing
//! The stream goes on from the last transaction end it delivered. Keys of the transaction it was in are delivered
//! again, which is harmless: a key only asks for its row to be looked at. A server that is reached again may be
//! another one, so each connection first proves that it has everything before that position.

mod column;
mod compressed;
mod connect;
mod decoder;
mod event;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gtids;
mod reader;
mod rows;
mod statement;
mod streamer;
mod table_map;
mod temporal;
mod token;
mod transaction;
mod value;

pub use statement::OWN_COMMENT;
pub(crate) use statement::alters;
pub use streamer::Streamer;
pub(crate) use token::{Token, tokens};

use crate::key::Key;
use crate::position::Position;
use crate::table::ChosenKey;
use crate::{Error, TableName};

/// What is to be streamed.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// The table whose changes are wanted.
    pub source: TableName,
    /// How many columns it has.
    pub columns: usize,
    /// The key its rows are told apart by.
    pub key: ChosenKey,
    /// Where to begin.
    pub start: Position,
}

/// What a stream yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// A row with this key was written, changed or deleted.
    Key(Key),
    /// A transaction ended here, of whatever table; or a log file began.
    TransactionEnd(Position),
}

/// Why a stream ended, as the decision it asks for.
#[derive(Debug, thiserror::Error)]
pub enum StreamEnd {
    /// Somebody else altered, renamed, emptied or dropped the source, its ghost or the engine's record: the migration ends.
    #[error("the table, or what alterego keeps for it, was changed by somebody else: {statement}")]
    Altered {
        /// The statement, or what was noticed.
        statement: String,
    },
    /// The log holds what cannot be followed: the migration ends, for going on could lose rows.
    #[error("the binary log cannot be followed: {0}")]
    NotUnderstood(String),
    /// The changes since the last position are not to be had: the copy must start afresh.
    #[error("the binary log cannot be resumed: {0}")]
    Purged(String),
    /// The server could not be reached for long, or refuses.
    #[error(transparent)]
    Server(#[from] Error),
}
