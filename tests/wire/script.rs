//! What a client does, step by step.

use std::fmt;

use crate::command::Command;
use crate::dialect::Dialect;
use crate::login::Account;

/// One step; the next one begins when everything of it has been answered.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Commands, sent one behind the other.
    Commands(Vec<Command>),
    /// A statement that asks for a file of the client's, and the file's packets; then the commands sent behind them.
    File {
        sql: &'static str,
        packets: Vec<Vec<u8>>,
        then: Vec<Command>,
    },
    /// A change of user.
    ChangeUser(&'static Account),
    /// Packets numbered from 0 within an exchange of its own (a binary log, a clone); each waits for an answer that
    /// `ends` it.
    Stream {
        name: &'static str,
        payloads: Vec<Vec<u8>>,
    },
    /// Commands, and then nothing more is sent: the other side answers and closes.
    Last(Vec<Command>),
    /// The proxied session is asked for migrations: it is still followed.
    Probe,
}

impl Step {
    /// One statement as text.
    pub(crate) fn query(dialect: &Dialect, sql: &str) -> Step {
        Step::Commands(vec![Command::query(dialect, sql)])
    }

    /// One command.
    pub(crate) fn command(name: &str, payload: impl Into<Vec<u8>>) -> Step {
        Step::Commands(vec![Command::new(name, payload)])
    }
}

/// A session from its login to its end.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) dialect: Dialect,
    pub(crate) account: &'static Account,
    pub(crate) steps: Vec<Step>,
    /// Where the stream is cut.
    pub(crate) cuts: u64,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "a session of {} in the dialect {}",
            self.account.user, self.dialect
        )?;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Commands(commands) => commands_of(f, index, "", commands)?,
                Step::File { sql, packets, then } => {
                    writeln!(f, "{index}: {sql}, {} packets", packets.len())?;
                    commands_of(f, index, " behind the file", then)?;
                }
                Step::ChangeUser(account) => writeln!(f, "{index}: change user to {}", account.user)?,
                Step::Stream { name, payloads } => {
                    writeln!(f, "{index}: {name}, {} packets", payloads.len())?
                }
                Step::Last(commands) => commands_of(f, index, " and no more", commands)?,
                Step::Probe => writeln!(f, "{index}: probe")?,
            }
        }
        Ok(())
    }
}

fn commands_of(f: &mut fmt::Formatter<'_>, index: usize, how: &str, commands: &[Command]) -> fmt::Result {
    for command in commands {
        writeln!(f, "{index}{how}: {}", command.name)?;
    }
    Ok(())
}
