//! A statement that would change what a schema change under way works on: it waits until that has ended.
//!
//! At the server it would wait for a metadata lock, behind the ALTER that came first, and go on when its turn has come. An
//! online change holds no such lock. So the statement is held here the same way: its transaction ends first, as it would there;
//! it can be killed, and gives up after the session's `lock_wait_timeout`. Whoever wants to change the table next waits for it
//! in turn, until it has been answered.
//!
//! What is not seen here (a statement in a procedure, or in a text that is not taken apart) goes on to the server, and ends the
//! schema change.

use tokio::sync::watch;
use tokio::time::timeout;

use super::Killable;
use super::question::{INTERRUPTED, LOCK_WAIT_TIMEOUT, interrupted};
use super::settings::Settings;
use super::words::is_one_statement;
use crate::hooks::{Bystander, Latch};
use crate::protocol::ok::{Error, status};
use crate::session::{Caught, End, Reply, Session};

/// Whether the statement may go on.
pub(super) enum Way {
    /// It may, and nobody else begins while this is held.
    Free(Option<Latch>),
    /// It has been answered.
    Answered,
}

/// How the wait for the turn ended.
enum Turn {
    Come(Option<Latch>),
    TooLate,
    Killed,
}

impl Session {
    /// Handles a statement that is the server's and may have to wait.
    pub(super) async fn stand_by(&mut self, caught: &Caught, sql: &str, prepared: bool) -> Result<(), End> {
        self.kept = None;
        let killable = self.may_be_killed();
        let latch = match self.must_not_be_asked() {
            // Who holds table locks goes first at the server, too.
            Some(_) => None,
            None => match self.settings().await? {
                Ok(settings) => match self
                    .make_way(caught, sql, settings.schema.clone(), &settings, &killable)
                    .await?
                {
                    Way::Answered => return Ok(()),
                    Way::Free(_) if killable.is_killed() => return self.answer_interrupted(caught).await,
                    Way::Free(latch) => latch,
                },
                Err(reply) if reply.error_code() == Some(INTERRUPTED) => {
                    return self.answer_interrupted(caught).await;
                }
                Err(_) => None,
            },
        };
        self.reopen().await?;
        if latch.is_none() || prepared || !is_one_statement(sql) {
            self.forward_unchanged(caught);
            return Ok(());
        }
        // Run as a statement aside, so that its end is known and the latch held until then.
        let sequence = caught.header.sequence.wrapping_add(1);
        self.note(caught.header);
        let reply = self.ask(sql).await?;
        let native = self.native.take().filter(|_| reply.error_code().is_none());
        match reply {
            Reply::Ok { payload, .. } | Reply::Err { payload, .. } => {
                self.answer(caught, sequence, &payload);
                if let Some(change) = native {
                    self.shared.hooks.done(*change);
                }
                Ok(())
            }
            Reply::Rows(_) => Err(End::Protocol("the server answered a schema change with rows")),
        }
    }

    /// Waits until no schema change under way is concerned by the statement.
    pub(super) async fn make_way(
        &mut self,
        caught: &Caught,
        sql: &str,
        schema: Option<String>,
        settings: &Settings,
        killable: &Killable,
    ) -> Result<Way, End> {
        let statement = Bystander {
            sql: sql.to_owned(),
            mode: settings.mode(),
            schema,
            upstream: self.server.upstream.clone(),
        };
        let hooks = self.shared.hooks.clone();
        if !hooks.is_concerned(&statement) {
            return Ok(Way::Free(None));
        }
        if self.tracker.status & status::IN_TRANSACTION != 0 {
            // It ends the transaction anyway; open, it would keep the schema change from ending.
            self.ask("COMMIT AND NO CHAIN NO RELEASE").await?;
        }
        let mut sequence = caught.header.sequence.wrapping_add(1);
        let patience = settings.lock_wait_timeout;
        let held = self
            .hold(settings, killable, &mut sequence, |held| {
                Box::pin(async move {
                    let pass = timeout(patience, hooks.pass(statement));
                    tokio::select! {
                        biased;
                        () = killed(held.cancelled) => Turn::Killed,
                        pass = pass => pass.map_or(Turn::TooLate, Turn::Come),
                    }
                })
            })
            .await?;
        let error = match held {
            Ok(Turn::Come(latch)) => return Ok(Way::Free(latch)),
            Ok(Turn::TooLate) => too_late(),
            Ok(Turn::Killed) => interrupted(),
            Err(error) => error,
        };
        self.refuse(caught, sequence, error).await?;
        Ok(Way::Answered)
    }
}

/// Returns when the client's statement was killed.
async fn killed(mut cancelled: watch::Receiver<bool>) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The server's own words for a metadata lock that was not granted in time.
fn too_late() -> Error {
    Error {
        code: LOCK_WAIT_TIMEOUT,
        state: "HY000".to_owned(),
        message: "Lock wait timeout exceeded; try restarting transaction".to_owned(),
    }
}
