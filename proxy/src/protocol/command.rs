//! Command bytes, and the shape of the reply each one asks for.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>

use super::shape::Expect;

pub(crate) const QUERY: u8 = 0x03;
pub(crate) const PROCESS_KILL: u8 = 0x0c;
pub(crate) const CHANGE_USER: u8 = 0x11;
pub(crate) const STMT_PREPARE: u8 = 0x16;
pub(crate) const STMT_EXECUTE: u8 = 0x17;
pub(crate) const STMT_CLOSE: u8 = 0x19;
pub(crate) const SET_OPTION: u8 = 0x1b;
pub(crate) const RESET_CONNECTION: u8 = 0x1f;
/// MariaDB's execution of a statement for many rows.
pub(crate) const STMT_BULK_EXECUTE: u8 = 0xfa;
/// What an execution has at least behind its command byte: the statement's id, flags, a count.
pub(crate) const EXECUTE_MIN_BYTES: usize = 9;
/// The flags of an execution that ask for a cursor of any kind.
pub(crate) const CURSOR: u8 = 0x07;
/// What is set by `SET_OPTION`: whether several statements may stand in one text.
pub(crate) const MULTI_STATEMENTS_ON: u16 = 0;
pub(crate) const MULTI_STATEMENTS_OFF: u16 = 1;
/// MariaDB's "the statement prepared last".
pub(crate) const LAST_STATEMENT: u32 = u32::MAX;

/// What the server sends back for a command; `None` is nothing at all.
pub(crate) fn expected(command: u8) -> Option<Expect> {
    Some(match command {
        // QUIT, STMT_SEND_LONG_DATA, STMT_CLOSE.
        0x01 | 0x18 | STMT_CLOSE => return None,
        // INIT_DB, REFRESH, PROCESS_KILL, DEBUG, PING, REGISTER_SLAVE, STMT_RESET, SET_OPTION, RESET_CONNECTION.
        0x02 | 0x07 | PROCESS_KILL | 0x0d | 0x0e | 0x15 | 0x1a | SET_OPTION | RESET_CONNECTION => {
            Expect::Simple
        }
        QUERY => Expect::Query,
        // PROCESS_INFO.
        STMT_EXECUTE | STMT_BULK_EXECUTE | 0x0a => Expect::Execute,
        STMT_PREPARE => Expect::Prepare,
        // FIELD_LIST and STMT_FETCH: packets without a count before them, then an end.
        0x04 | 0x1c => Expect::Rows,
        0x09 => Expect::Line,
        // BINLOG_DUMP, TABLE_DUMP, BINLOG_DUMP_GTID, CLONE.
        0x12 | 0x13 | 0x1e | 0x20 => Expect::Endless,
        _ => Expect::Unknown,
    })
}
