//! The server is asked first, on the client's own session.
//!
//! The server so checks privileges and definitions as the client's own account, and does at once what it can do at once. The
//! question waits for the table's metadata lock one second at a time, because whoever queues for that lock stops everyone
//! behind it; in between it backs off, until the client's own `lock_wait_timeout` is used up.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::settings::Settings;
use crate::hooks::{Attempt, Warning};
use crate::protocol::ok;
use crate::session::{End, Reply, Session};

/// `ER_LOCK_WAIT_TIMEOUT`.
pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// `ER_QUERY_INTERRUPTED`.
pub(super) const INTERRUPTED: u16 = 1317;
/// MariaDB's `ER_STATEMENT_TIMEOUT`.
const STATEMENT_TIMEOUT: u16 = 1969;
const BACK_OFF_MIN: Duration = Duration::from_millis(200);
const BACK_OFF_MAX: Duration = Duration::from_secs(3);

/// What the server said to one form of the statement.
#[derive(Debug)]
pub(super) enum Put {
    /// It is done.
    Done {
        payload: Bytes,
        ok: ok::Ok,
        warnings: Vec<Warning>,
    },
    /// The change is fine, but not in this form.
    Declined,
    /// This error is the client's answer.
    Refused { payload: Bytes, error: ok::Error },
    /// The server did not like the form; it shall word its own error for the client's text.
    Unclear,
}

fn is_declined(attempt: &Attempt, error: &ok::Error) -> bool {
    let has_text = attempt
        .declined_text
        .as_ref()
        .is_none_or(|text| error.message.contains(text.as_str()));
    attempt.declined_codes.contains(&error.code) && has_text
}

impl Session {
    /// Puts one form of the statement to the server, until `deadline`.
    pub(super) async fn put(
        &mut self,
        attempt: &Attempt,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<Put, End> {
        let mut back_off = BACK_OFF_MIN;
        loop {
            let reply = self.put_once(attempt, settings).await?;
            let (payload, error) = match reply {
                (Reply::Ok { payload, ok }, warnings) => {
                    return Ok(Put::Done {
                        payload,
                        ok,
                        warnings,
                    });
                }
                (Reply::Err { payload, error }, _) => (payload, error),
                (Reply::Rows(_), _) => return Ok(Put::Unclear),
            };
            match error.code {
                _ if is_declined(attempt, &error) => return Ok(Put::Declined),
                INTERRUPTED | STATEMENT_TIMEOUT => return Ok(Put::Refused { payload, error }),
                LOCK_WAIT_TIMEOUT if Instant::now() >= deadline => {
                    return Ok(Put::Refused { payload, error });
                }
                LOCK_WAIT_TIMEOUT => {}
                _ => return Ok(Put::Unclear),
            }
            if self.pause(back_off).await? {
                let error = interrupted();
                let payload =
                    crate::protocol::answer::err(self.capabilities, error.code, &error.state, &error.message);
                return Ok(Put::Refused {
                    payload: payload.freeze(),
                    error,
                });
            }
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    /// One try under a short `lock_wait_timeout`, and the warnings it left if the server will not have them any more.
    pub(super) async fn put_once(
        &mut self,
        attempt: &Attempt,
        settings: &Settings,
    ) -> Result<(Reply, Vec<Warning>), End> {
        let sql = &attempt.sql;
        if self.server.is_mariadb {
            let reply = self
                .ask(&format!("SET STATEMENT lock_wait_timeout=1 FOR {sql}"))
                .await?;
            return Ok((reply, Vec::new()));
        }
        let set = self.ask("SET SESSION lock_wait_timeout=1").await?;
        if set.error_code().is_some() {
            return Ok((set, Vec::new()));
        }
        let reply = self.ask(sql).await?;
        let warnings = match &reply {
            Reply::Ok { ok, .. } if ok.warnings > 0 => self.warnings().await?,
            _ => Vec::new(),
        };
        self.restore(settings).await?;
        Ok((reply, warnings))
    }

    /// Gives the session its own `lock_wait_timeout` back. A kill may hit this statement as well as any other, so it
    /// is tried again; a session that cannot be restored must not live on.
    async fn restore(&mut self, settings: &Settings) -> Result<(), End> {
        let sql = format!(
            "SET SESSION lock_wait_timeout={}",
            settings.lock_wait_timeout.as_secs()
        );
        for _ in 0..3 {
            if self.ask(&sql).await?.error_code().is_none() {
                return Ok(());
            }
        }
        Err(End::Protocol(
            "the session's lock_wait_timeout could not be restored",
        ))
    }

    /// The statement's warnings.
    async fn warnings(&mut self) -> Result<Vec<Warning>, End> {
        let Reply::Rows(rows) = self.ask("SHOW WARNINGS").await? else {
            return Ok(Vec::new());
        };
        let text = |value: Option<Vec<u8>>| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
        let line = |row: Vec<Option<Vec<u8>>>| {
            let mut values = row.into_iter();
            let mut next = || values.next().flatten();
            Warning {
                level: text(next()),
                code: text(next()).parse().unwrap_or_default(),
                message: text(next()),
            }
        };
        Ok(rows.into_iter().map(line).collect())
    }
}

/// The server's own words for a killed statement.
pub(super) fn interrupted() -> ok::Error {
    let (state, message) = ("70100".to_owned(), "Query execution was interrupted".to_owned());
    ok::Error {
        code: INTERRUPTED,
        state,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declining_is_a_matter_of_code_and_text() {
        let attempt = |text: Option<&str>| Attempt {
            sql: String::new(),
            declined_codes: vec![1845, 4092],
            declined_text: text.map(str::to_owned),
        };
        let error = |code| ok::Error {
            code,
            state: "0A000".to_owned(),
            message: "ALGORITHM=INSTANT is not".to_owned(),
        };
        assert!(is_declined(&attempt(None), &error(4092)));
        assert!(is_declined(&attempt(Some("INSTANT")), &error(1845)));
        assert!(!is_declined(&attempt(Some("INPLACE")), &error(1845)));
        assert!(!is_declined(&attempt(None), &error(1064)));
    }
}
