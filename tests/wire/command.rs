//! Commands as payloads, each with a name for the report.

use crate::dialect::{Dialect, QUERY_ATTRIBUTES};
use crate::packet::{put, put_lenenc, put_lenenc_bytes};

/// `COM_STATISTICS`, whose answer no other command gives: it tells that everything before has been answered, and changes
/// nothing in the session.
pub(crate) const FENCE: &[u8] = &[0x09];
/// How the fence's answer begins.
pub(crate) const FENCE_ANSWER: &[u8] = b"Uptime: ";
/// MariaDB's "the statement prepared last".
pub(crate) const LAST_STATEMENT: u32 = u32::MAX;

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) payload: Vec<u8>,
    /// Its first packet's number; honest clients begin with 0.
    pub(crate) sequence: u8,
}

impl Command {
    pub(crate) fn new(name: impl Into<String>, payload: impl Into<Vec<u8>>) -> Command {
        Command {
            name: name.into(),
            payload: payload.into(),
            sequence: 0,
        }
    }

    /// A statement as text.
    pub(crate) fn query(dialect: &Dialect, sql: &str) -> Command {
        Command::new(shortened(sql), dialect.query(sql))
    }

    /// The preparation of a statement.
    pub(crate) fn prepare(sql: &str) -> Command {
        Command::new(
            format!("prepare: {}", shortened(sql)),
            [b"\x16", sql.as_bytes()].concat(),
        )
    }

    /// The execution of one, with a parameter for each of `values`.
    pub(crate) fn execute(dialect: &Dialect, id: u32, cursor: bool, values: &[Value]) -> Command {
        let mut payload = vec![0x17];
        payload.extend(id.to_le_bytes());
        let attributes = dialect.has(QUERY_ATTRIBUTES);
        payload.push(u8::from(cursor) | if attributes { 0x08 } else { 0 });
        payload.extend([1, 0, 0, 0]);
        if attributes {
            put_lenenc(&mut payload, values.len());
        }
        if !values.is_empty() {
            put_values(&mut payload, values, attributes);
        }
        let with = if cursor { " with a cursor" } else { "" };
        Command::new(format!("execute {id}{with} {values:?}"), payload)
    }

    /// MariaDB's execution for several rows of one text each.
    pub(crate) fn execute_bulk(id: u32, flags: u16, rows: &[Option<&str>]) -> Command {
        let mut payload = vec![0xfa];
        payload.extend(id.to_le_bytes());
        payload.extend((flags | 0x80).to_le_bytes());
        payload.extend(253u16.to_le_bytes());
        for row in rows {
            match row {
                Some(text) => {
                    payload.push(0);
                    put_lenenc_bytes(&mut payload, text.as_bytes());
                }
                None => payload.push(1),
            }
        }
        Command::new(format!("bulk execute {id} {rows:?}"), payload)
    }

    /// A part of a parameter's value.
    pub(crate) fn long_data(id: u32, parameter: u16, data: &[u8]) -> Command {
        let mut payload = vec![0x18];
        payload.extend(id.to_le_bytes());
        payload.extend(parameter.to_le_bytes());
        payload.extend(data);
        Command::new(format!("{} bytes of long data for {id}", data.len()), payload)
    }

    /// Rows of a cursor.
    pub(crate) fn fetch(id: u32, rows: u32) -> Command {
        Command::on_statement(0x1c, "fetch from", id, &rows.to_le_bytes())
    }

    pub(crate) fn reset(id: u32) -> Command {
        Command::on_statement(0x1a, "reset", id, &[])
    }

    pub(crate) fn close(id: u32) -> Command {
        Command::on_statement(0x19, "close", id, &[])
    }

    fn on_statement(code: u8, verb: &str, id: u32, rest: &[u8]) -> Command {
        Command::new(
            format!("{verb} {id}"),
            [&[code], &id.to_le_bytes()[..], rest].concat(),
        )
    }

    /// Appends its packets.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put(out, self.sequence, &self.payload);
    }
}

/// A value of a parameter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    Null,
    /// It was sent before, as long data.
    Sent,
}

fn put_values(payload: &mut Vec<u8>, values: &[Value], named: bool) {
    let mut nulls = vec![0u8; values.len().div_ceil(8)];
    for (index, value) in values.iter().enumerate() {
        if matches!(value, Value::Null) {
            nulls[index / 8] |= 1 << (index % 8);
        }
    }
    payload.extend(nulls);
    payload.push(1);
    for value in values {
        let kind: u16 = match value {
            Value::Number(_) => 8,
            Value::Text(_) | Value::Null => 253,
            Value::Sent => 252,
        };
        payload.extend(kind.to_le_bytes());
        if named {
            put_lenenc_bytes(payload, b"");
        }
    }
    for value in values {
        match value {
            Value::Number(number) => payload.extend(number.to_le_bytes()),
            Value::Text(text) => put_lenenc_bytes(payload, text.as_bytes()),
            Value::Null | Value::Sent => {}
        }
    }
}

fn shortened(sql: &str) -> String {
    const SHOWN: usize = 100;
    let shown: String = sql.chars().take(SHOWN).collect();
    if shown.len() < sql.len() {
        format!("{shown}… ({} bytes)", sql.len())
    } else {
        shown
    }
}
