//! A caught schema change, from the session's settings to its answer.
//!
//! Whatever is not fully understood on the way is forwarded: the client's own bytes, unchanged, so that the server words
//! its own errors. Each change leaves one line in the log.

use std::sync::Arc;

use tokio::time::Instant;

use super::bystander::Way;
use super::question::{INTERRUPTED, Put, interrupted};
use super::settings::Settings;
use super::tracking::{LEAVES_UNTOLD, OPENS};
use super::{Kept, Killable, Left, Target};
use crate::hooks::{self, Answer, Attempt, Held, Latch, Question, Request, Verdict};
use crate::protocol::ok::{Error, status};
use crate::protocol::session_state::Entry;
use crate::session::{Caught, End, PreparedChange, Reply, Session};

/// `ER_TABLE_NOT_LOCKED`.
const TABLE_NOT_LOCKED: u16 = 1100;

/// The next thing to do for a caught change.
enum Course {
    /// Forward it; the text ends "left to the server, because …".
    Forward(String),
    /// It is answered already.
    Answered,
    /// The client's statement was killed while the server was asked.
    Interrupted,
    /// It is to be carried out.
    CarryOut(Box<Request>),
}

fn forward(reason: &str) -> Course {
    Course::Forward(reason.to_owned())
}

impl Session {
    /// Handles a caught schema change.
    pub(super) async fn change(
        &mut self,
        caught: &Caught,
        text: &str,
        prepared: Option<&Arc<PreparedChange>>,
    ) -> Result<(), End> {
        self.kept = None;
        let killable = self.may_be_killed();
        if let Some(reason) = self.must_not_be_asked() {
            return self.leave_to_server(caught, text, reason, None, None).await;
        }
        let Some(before) = self.left_before().await? else {
            return self.answer_interrupted(caught).await;
        };
        let settings = match self.settings().await? {
            Ok(settings) => settings,
            Err(reply) if reply.error_code() == Some(INTERRUPTED) => {
                return self.answer_interrupted(caught).await;
            }
            Err(_) => {
                let reason = "the session's settings are not readable";
                return self.leave_to_server(caught, text, reason, None, None).await;
            }
        };
        if settings.defines_otherwise {
            let reason = "the session has a setting of its own that decides what a definition means";
            return self
                .leave_to_server(caught, text, reason, Some(&settings), None)
                .await;
        }
        let schema = prepared.map_or_else(|| settings.schema.clone(), |prepared| prepared.schema.clone());
        let pass = match self.make_way(caught, text, schema, &settings, &killable).await? {
            Way::Answered => return Ok(()),
            Way::Free(pass) => pass,
        };
        match self.ask_server(caught, text, prepared, &settings).await? {
            Course::Answered => Ok(()),
            Course::Interrupted => self.answer_interrupted(caught).await,
            Course::Forward(reason) => {
                self.leave_to_server(caught, text, &reason, Some(&settings), None)
                    .await
            }
            Course::CarryOut(_) if killable.is_killed() => self.answer_interrupted(caught).await,
            Course::CarryOut(request) => self.carry_out(caught, *request, pass, &settings, &killable).await,
        }?;
        // No schema change finds rows.
        let left = self.left.get_or_insert_default();
        left.found = before.found;
        Ok(())
    }

    /// From now on a kill of this session's statement that goes through the proxy is noted.
    pub(crate) fn may_be_killed(&self) -> Killable {
        if let Some(series) = &self.series {
            return series.killable();
        }
        self.shared.router.killables().enter(Target {
            upstream: self.server.upstream.clone(),
            id: self.server.connection_id,
        })
    }

    /// Why no statement of the proxy's own may run on the session now.
    pub(super) fn must_not_be_asked(&self) -> Option<&'static str> {
        if self.locks {
            Some("the session holds locks (LOCK TABLES, FLUSH … WITH READ LOCK)")
        } else if self.tracked {
            Some("the session has its transactions or lock_wait_timeout tracked (session_track_…)")
        } else {
            None
        }
    }

    /// Opens a transaction in the place of one that ended untold, so that the server ends it again and tells.
    pub(super) async fn reopen(&mut self) -> Result<(), End> {
        if self.untold.iter().any(Entry::is_transaction) {
            self.ask(OPENS).await?;
        }
        self.untold.clear();
        Ok(())
    }

    /// Has the server tell with its next OK that a transaction ended: an ERR packet, which is the answer, cannot.
    pub(super) async fn leave_untold(&mut self) -> Result<(), End> {
        if self.untold.iter().any(Entry::is_transaction) {
            self.reopen().await?;
            self.ask(LEAVES_UNTOLD).await?;
        }
        Ok(())
    }

    async fn ask_server(
        &mut self,
        caught: &Caught,
        text: &str,
        prepared: Option<&Arc<PreparedChange>>,
        settings: &Settings,
    ) -> Result<Course, End> {
        let mode = settings.mode();
        if prepared.is_some_and(|prepared| !settings.reads_as(prepared)) {
            return Ok(forward(
                "the session's schema, sql_mode or character set changed since the statement was prepared",
            ));
        }
        if !settings.reads_as_utf8(text) {
            return Ok(forward(
                "the session's character set does not read the statement as UTF-8",
            ));
        }
        let question = match self.shared.hooks.inspect(text, mode) {
            Verdict::Ask(question) => question,
            Verdict::Native { reason } => return Ok(Course::Forward(reason)),
            Verdict::Unrelated => return Ok(forward("it changes no table")),
        };
        let Some(schema) = question.schema.clone().or_else(|| settings.schema.clone()) else {
            return Ok(forward("no schema is selected"));
        };
        if let Some(course) = self.look_at_table(&question).await? {
            return Ok(course);
        }
        if let Some(course) = self.put_question(caught, text, &question, settings).await? {
            return Ok(course);
        }
        if let Some(course) = self.look_for_locks(&question).await? {
            return Ok(course);
        }
        Ok(Course::CarryOut(Box::new(Request {
            sql: text.to_owned(),
            mode,
            schema,
            table: question.table,
            session: settings.session.clone(),
            upstream: self.server.upstream.clone(),
        })))
    }

    /// Puts the statement's forms to the server; `None` when all were declined.
    async fn put_question(
        &mut self,
        caught: &Caught,
        text: &str,
        question: &Question,
        settings: &Settings,
    ) -> Result<Option<Course>, End> {
        let deadline = Instant::now() + settings.lock_wait_timeout;
        let attempts: [Option<&Attempt>; 2] = [Some(&question.first), question.second.as_ref()];
        for (nth, attempt) in attempts.into_iter().flatten().enumerate() {
            let sequence = caught.header.sequence.wrapping_add(1);
            match self.put(attempt, settings, deadline).await? {
                Put::Declined => {}
                Put::Unclear => return Ok(Some(forward("the server has an error for it"))),
                Put::Done {
                    payload,
                    ok,
                    warnings,
                } => {
                    self.left = Some(Left {
                        rows: Some(ok.affected.to_string()),
                        warnings: Some(u64::from(ok.warnings)),
                        found: None,
                    });
                    if !warnings.is_empty() {
                        self.kept = Some(Kept {
                            warnings,
                            count: u64::from(ok.warnings),
                        });
                    }
                    self.answer(caught, sequence, &payload);
                    let (way, done) = match nth {
                        0 => (hooks::Way::First, "done by the server at once (instant)"),
                        _ => (hooks::Way::Second, "done by the server at once (in place)"),
                    };
                    self.log(question.schema.as_deref(), &question.table, done);
                    self.tell_done(text, settings, way);
                    return Ok(Some(Course::Answered));
                }
                Put::Refused { payload, error } => {
                    self.log(question.schema.as_deref(), &question.table, &error.message);
                    self.leave_error(error).await?;
                    self.answer(caught, sequence, &payload);
                    return Ok(Some(Course::Answered));
                }
            }
        }
        for attempt in &question.afterwards {
            self.put_once(attempt, settings).await?;
        }
        Ok(None)
    }

    /// Looks whether the table is none that could be rebuilt: a temporary one, a view, or none at all.
    async fn look_at_table(&mut self, question: &Question) -> Result<Option<Course>, End> {
        let reply = self
            .ask(&format!("SHOW CREATE TABLE {}", quoted(question)))
            .await?;
        if reply.error_code() == Some(INTERRUPTED) {
            return Ok(Some(Course::Interrupted));
        }
        let row = reply.into_first_row().unwrap_or_default();
        let definition = row.into_iter().nth(1).flatten().unwrap_or_default();
        let starts = |text: &str| {
            let start = definition.get(..text.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
        };
        Ok(if starts("CREATE TABLE") {
            None
        } else if starts("CREATE TEMPORARY TABLE") {
            Some(forward("it is a temporary table"))
        } else {
            Some(forward("the server shows no base table of that name"))
        })
    }

    /// Looks for table locks that no statement of the session's showed us (one in a text that was not taken apart, a
    /// `PREPARE … FROM`). Under such locks every other table, and every other alias, is refused with 1100.
    async fn look_for_locks(&mut self, question: &Question) -> Result<Option<Course>, End> {
        let probe = format!("SELECT 1 FROM {} AS alterego_probe LIMIT 0", quoted(question));
        let found = match self.ask(&probe).await?.error_code() {
            Some(TABLE_NOT_LOCKED) => return Ok(Some(forward("the session holds table locks"))),
            Some(INTERRUPTED) => Some(Course::Interrupted),
            _ => None,
        };
        if self.tracker.status & status::IN_TRANSACTION != 0 {
            // Without autocommit the probe began a transaction, whose metadata lock the migrator would wait for.
            self.ask("COMMIT AND NO CHAIN NO RELEASE").await?;
        }
        Ok(found)
    }

    /// Has the hooks carry the change out, and answers with what they say.
    async fn carry_out(
        &mut self,
        caught: &Caught,
        request: Request,
        pass: Option<Latch>,
        settings: &Settings,
        killable: &Killable,
    ) -> Result<(), End> {
        let (schema, table, text) = (request.schema.clone(), request.table.clone(), request.sql.clone());
        let mut sequence = caught.header.sequence.wrapping_add(1);
        let first = sequence;
        let hooks = self.shared.hooks.clone();
        let held = self
            .hold(settings, killable, &mut sequence, |held| {
                Box::pin(async move { hooks.alter(request, Held { pass, ..held }).await })
            })
            .await?;
        let answer =
            held.unwrap_or_else(|Error { code, state, message }| Answer::Err { code, state, message });
        match answer {
            Answer::Ok {
                affected,
                info,
                warning_count,
                warnings,
            } => {
                // Leaves an empty diagnostics area behind, instead of the sleep's.
                self.ask("DO 0").await?;
                self.left = Some(Left {
                    rows: Some(affected.to_string()),
                    warnings: Some(u64::from(warning_count)),
                    found: None,
                });
                if warning_count > 0 {
                    self.kept = Some(Kept {
                        warnings,
                        count: u64::from(warning_count),
                    });
                }
                self.answer_ok(caught, sequence, affected, warning_count, &info);
                self.log(Some(&schema), &table, "done online");
                Ok(())
            }
            Answer::Err { code, state, message } => {
                self.log(Some(&schema), &table, &message);
                let error = Error { code, state, message };
                self.refuse(caught, sequence, error).await
            }
            Answer::Native { reason, record } if sequence == first => {
                self.leave_to_server(caught, &text, &reason, Some(settings), record)
                    .await
            }
            Answer::Native { reason, record } => {
                // Progress packets have advanced the numbers the client expects, so the server's answer is renumbered.
                self.log(
                    Some(&schema),
                    &table,
                    &format!("left to the server, because {reason}"),
                );
                self.reopen().await?;
                let reply = self.ask(&text).await?;
                let is_done = reply.error_code().is_none();
                if let Reply::Ok { payload, .. } | Reply::Err { payload, .. } = reply {
                    self.answer(caught, sequence, &payload);
                    if is_done {
                        let way = hooks::Way::Own { reason, record };
                        self.tell_done(&text, settings, way);
                    }
                    return Ok(());
                }
                Err(End::Protocol("the server answered a schema change with rows"))
            }
        }
    }

    /// Forwards the client's own bytes, unchanged.
    pub(super) async fn leave_to_server(
        &mut self,
        caught: &Caught,
        text: &str,
        reason: &str,
        settings: Option<&Settings>,
        record: Option<u64>,
    ) -> Result<(), End> {
        let (mode, schema) = settings.map_or_else(Default::default, |settings| {
            (settings.mode(), settings.schema.clone())
        });
        let way = hooks::Way::Own {
            reason: reason.to_owned(),
            record,
        };
        self.native = Some(Box::new(self.done_change(text, mode, schema, way)));
        self.reopen().await?;
        let start: String = text.chars().take(120).collect();
        tracing::info!(
            connection = self.server.connection_id,
            statement = start,
            "schema change left to the server, because {reason}"
        );
        self.forward_unchanged(caught);
        Ok(())
    }

    /// Forwards the client's own bytes; what ended untold has been reopened.
    pub(super) fn forward_unchanged(&mut self, caught: &Caught) {
        let expect = self.expected_at_front();
        self.note(caught.header);
        self.forward(caught.header, expect);
    }

    pub(super) async fn answer_interrupted(&mut self, caught: &Caught) -> Result<(), End> {
        let sequence = caught.header.sequence.wrapping_add(1);
        self.refuse(caught, sequence, interrupted()).await
    }

    /// Answers with an error of the proxy's own.
    pub(super) async fn refuse(&mut self, caught: &Caught, sequence: u8, error: Error) -> Result<(), End> {
        self.leave_error(error.clone()).await?;
        self.answer_err(caught, sequence, error.code, &error.state, &error.message);
        Ok(())
    }

    /// Leaves behind in the session what the error of a schema change leaves: its diagnostics, and what is still to be told of
    /// the transaction that the statement ended.
    async fn leave_error(&mut self, error: Error) -> Result<(), End> {
        self.leave_untold().await?;
        self.leave_diagnostics(&error).await
    }

    /// Leaves behind an error's counts and diagnostics; a transaction is not touched. The server takes a text of some length
    /// only, so the whole one is kept here, too.
    pub(super) async fn leave_diagnostics(&mut self, error: &Error) -> Result<(), End> {
        self.ask(&signal(error)).await?;
        self.kept = Some(Kept::error(error.code, error.message.clone()));
        Ok(())
    }

    /// Tells the hooks of what the server has done itself; the client has its answer.
    fn tell_done(&self, text: &str, settings: &Settings, way: hooks::Way) {
        let change = self.done_change(text, settings.mode(), settings.schema.clone(), way);
        self.shared.hooks.done(change);
    }

    fn log(&self, schema: Option<&str>, table: &str, outcome: &str) {
        let connection = self.server.connection_id;
        tracing::info!(connection, schema, table, "schema change: {outcome}");
    }
}

/// A statement that ends with this error. The text is in hexadecimal digits, which any mode and character set reads alike.
fn signal(error: &Error) -> String {
    const TEXT_MAX_CHARACTERS: usize = 128;
    let text: String = error.message.chars().take(TEXT_MAX_CHARACTERS).collect();
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    // Of these classes a SIGNAL is a warning, or less, whatever its number.
    let state = match error.state.get(..2) {
        Some("00" | "01" | "02") => "HY000",
        _ => &error.state,
    };
    format!(
        "SIGNAL SQLSTATE '{}' SET MYSQL_ERRNO={}, MESSAGE_TEXT=_utf8mb4 0x{digits}",
        state.replace('\'', ""),
        error.code
    )
}

/// The table's name as it is written in a statement.
fn quoted(question: &Question) -> String {
    let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
    match &question.schema {
        Some(schema) => format!("{}.{}", quote(schema), quote(&question.table)),
        None => quote(&question.table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_signalled_in_digits() {
        let error = Error {
            code: 1062,
            state: "23000".to_owned(),
            message: "'é' twice".to_owned(),
        };
        assert_eq!(
            signal(&error),
            "SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO=1062, MESSAGE_TEXT=_utf8mb4 0x27c3a927207477696365"
        );
        let truncated = Error {
            code: 1265,
            state: "01000".to_owned(),
            message: "a".to_owned(),
        };
        assert_eq!(
            signal(&truncated),
            "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO=1265, MESSAGE_TEXT=_utf8mb4 0x61"
        );
    }

    #[test]
    fn names_are_quoted_whole() {
        let attempt = Attempt {
            sql: String::new(),
            declined_codes: vec![],
            declined_text: None,
        };
        let question = |schema: Option<&str>, table: &str| Question {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
            first: attempt.clone(),
            second: None,
            afterwards: Vec::new(),
        };
        assert_eq!(quoted(&question(None, "a`b")), "`a``b`");
        assert_eq!(quoted(&question(Some("s"), "t")), "`s`.`t`");
    }
}
