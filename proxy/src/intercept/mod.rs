//! What a caught command needs: asking the server, holding the client, answering it.

mod bystander;
mod carrier;
mod change;
mod diagnostics;
pub(crate) mod dynamic;
mod functions;
mod hold;
pub(crate) mod kill;
mod killable;
pub(crate) mod locks;
mod question;
mod settings;
mod several;
pub(crate) mod split;
pub(crate) mod tracking;
pub(crate) mod words;

pub(crate) use diagnostics::{Diagnostics, Kept, Show};
pub(crate) use functions::{Functions, Left};
pub(crate) use killable::{Killable, Killables, Target};
pub(crate) use words::Opening;

use std::pin::pin;
use std::sync::Arc;

use self::settings::Settings;
use crate::hooks::Verdict;
use crate::protocol::ok::Error;
use crate::protocol::shape::Expect;
use crate::session::{Catch, Caught, End, PreparedChange, Reply, Session, Suspicion};

/// `ER_TABLE_DEF_CHANGED`.
const TABLE_DEF_CHANGED: u16 = 1412;

impl Session {
    /// Handles a caught command; everything before it has been answered.
    pub(crate) async fn handle(&mut self, caught: Caught) -> Result<(), End> {
        self.left = match (&caught.catch, self.left.take()) {
            (Catch::Functions { .. }, left) => left,
            (Catch::Diagnostics(_), left) => left.and_then(Left::counts_only),
            _ => None,
        };
        match &caught.catch {
            Catch::ChangeUser => {
                self.change_user(&caught).await?;
                self.settle();
                Ok(())
            }
            Catch::Kill(told) => self.kill(&caught, *told),
            Catch::Migrations => self.show_migrations(&caught).await,
            Catch::Routes => {
                self.kept = None;
                self.answer_grid(&caught, &self.shared.router.routes());
                Ok(())
            }
            Catch::Upstreams => {
                self.kept = None;
                self.answer_grid(&caught, &self.shared.router.upstreams());
                Ok(())
            }
            Catch::Diagnostics(asked) => self.show_diagnostics(&caught, asked).await,
            Catch::Functions { text, asked } => self.tell(&caught, text, asked).await,
            Catch::OldSnapshot(expect, suspicion) => self.old_snapshot(&caught, *expect, suspicion).await,
            Catch::Prepare(text) => self.prepare(&caught, text).await,
            Catch::Bystander { sql, prepared } => self.stand_by(&caught, sql, *prepared).await,
            Catch::Change(text) => self.change(&caught, text, None).await,
            Catch::Execute(prepared) => self.change(&caught, &prepared.sql, Some(prepared)).await,
            Catch::Learn(variable) => self.learn(&caught, variable).await,
            Catch::Carrier(text) => self.carrier(&caught, text).await,
            Catch::Several(text) => self.several(&caught, text).await,
            Catch::Killed => self.answer_interrupted(&caught).await,
        }
    }

    /// A statement that reads a replaced table with a snapshot from before. Isolation levels without such a snapshot go on,
    /// and so does what means a table of the same name in another schema.
    async fn old_snapshot(
        &mut self,
        caught: &Caught,
        expect: Expect,
        suspicion: &Suspicion,
    ) -> Result<(), End> {
        let variable = match self.server.is_mariadb {
            true => "tx_isolation",
            false => "transaction_isolation",
        };
        let row = self
            .ask(&format!("SELECT @@SESSION.{variable}, DATABASE()"))
            .await?
            .into_first_row();
        let mut row = row.unwrap_or_default().into_iter();
        let isolation = row.next().flatten();
        let schema = row.next().flatten().unwrap_or_default();
        let gate = &self.shared.gate;
        let is_meant = suspicion
            .text
            .as_ref()
            .is_none_or(|text| gate.has_swapped_in(suspicion.since, text, &schema));
        // MariaDB keeps a snapshot in SERIALIZABLE, too, and minds it.
        let has_snapshot = match isolation.as_deref() {
            Some(b"REPEATABLE-READ") => true,
            Some(b"SERIALIZABLE") => self.server.is_mariadb,
            _ => false,
        };
        if is_meant && has_snapshot {
            let error = Error {
                code: TABLE_DEF_CHANGED,
                state: "HY000".to_owned(),
                message: "Table definition has changed, please retry transaction".to_owned(),
            };
            // The transaction stays open.
            self.leave_diagnostics(&error).await?;
            let sequence = caught.header.sequence.wrapping_add(1);
            self.answer_err(caught, sequence, error.code, &error.state, &error.message);
            return Ok(());
        }
        self.note(caught.header);
        self.forward(caught.header, Some(expect));
        Ok(())
    }

    /// Answers as the server does, with other rows: the packets around them are its own.
    async fn show_diagnostics(&mut self, caught: &Caught, asked: &Diagnostics) -> Result<(), End> {
        let grid = self.kept.clone().unwrap_or_default().answer(asked);
        let mut reader = self.send_aside(asked.statement()).with_packets();
        let reply = self.answered(&mut reader).await?;
        let around = reader.into_packets();
        if matches!(reply, Reply::Rows(_)) && !around.is_empty() {
            self.answer_rows(caught, &around, &grid.rows);
        } else {
            self.answer_grid(caught, &grid);
        }
        Ok(())
    }

    async fn show_migrations(&mut self, caught: &Caught) -> Result<(), End> {
        let hooks = self.shared.hooks.clone();
        let mut migrations = pin!(hooks.migrations());
        let grid = loop {
            tokio::select! {
                biased;
                grid = &mut migrations => break grid,
                attended = self.attend() => attended?,
            }
        };
        self.kept = None;
        self.answer_grid(caught, &grid);
        Ok(())
    }

    /// Forwards the preparation of a possible schema change, and remembers what it was prepared under.
    async fn prepare(&mut self, caught: &Caught, text: &str) -> Result<(), End> {
        let (mut left, mut settings) = (None, None);
        if !self.tracked {
            left = self.left_before().await?;
            settings = self.settings().await?.ok();
        }
        (self.kept, self.left) = (None, left);
        self.leave_untold().await?;
        self.untold.clear();
        let change = settings.and_then(|settings| self.prepared_change(text, settings));
        self.statements
            .announce(Some(text.as_bytes()), change.map(Arc::new));
        self.forward(caught.header, Some(Expect::Prepare));
        Ok(())
    }

    /// What a text is once it is prepared under these settings, if it is a schema change that may be done online.
    fn prepared_change(&self, text: &str, settings: Settings) -> Option<PreparedChange> {
        let is_readable = settings.reads_as_utf8(text);
        let verdict = self.shared.hooks.inspect(text, settings.mode());
        (is_readable && matches!(verdict, Verdict::Ask(_))).then(|| PreparedChange {
            sql: text.to_owned(),
            schema: settings.schema,
            session: settings.session,
        })
    }
}
