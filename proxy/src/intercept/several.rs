//! A text of several statements, one of which may be a schema change: it is taken apart (`split`), and its parts are carried
//! out one by one (`session::series`).
//!
//! *What stays whole*, and is the server's as it is, with one line in the log: a text of which it is not certain what belongs to
//! which part; one that may ask for a file of the client's, whose packets are numbered on; one that is longer than the server
//! takes, though its parts are not; one with attributes, which are the whole text's.

use super::question::INTERRUPTED;
use super::split::Split;
use super::words::mentions;
use crate::hooks::ReadMode;
use crate::protocol::frame::peek_packet;
use crate::protocol::query;
use crate::session::{Caught, End, Reply, Session};

/// Every server takes a text of this length.
const SURELY_TAKEN_BYTES: usize = 1000;

/// What the server is asked where the cut depends on its settings, or the length of the text may matter. Cast to bytes, so that
/// no `character_set_results` changes them on their way.
const QUESTION: &str = "SELECT CAST(@@sql_mode AS BINARY), CAST(@@max_allowed_packet AS BINARY) LIMIT 1";

/// What is to become of a text.
enum Cut {
    Apart(Split),
    /// It stays whole; reads as the end of "…, because …".
    Not(&'static str),
    /// The client's command was killed.
    Killed,
}

impl Session {
    /// Takes a text apart. Then what is at the front now is decided about.
    pub(super) async fn several(&mut self, caught: &Caught, text: &str) -> Result<(), End> {
        let killable = self.may_be_killed();
        let reason = match self.cut(text).await? {
            Cut::Apart(split) if self.wants_any(text, &split) => {
                self.tell_of_rest(text, &split);
                self.begin_series(caught.header, text, split, killable);
                return Ok(());
            }
            Cut::Apart(_) => "none of them is one, as the session reads them",
            Cut::Not(reason) => reason,
            Cut::Killed => return self.answer_interrupted(caught).await,
        };
        tracing::info!(
            connection = self.server.connection_id,
            "several statements with a schema change left to the server as one text, because {reason}"
        );
        self.is_left_whole = true;
        Ok(())
    }

    /// What a part that is not understood holds is not looked at later on.
    fn tell_of_rest(&self, text: &str, split: &Split) {
        let rest = split.parts.last().filter(|_| split.has_rest);
        let rest = rest.and_then(|rest| text.get(rest.clone()));
        if rest.is_some_and(|rest| mentions(rest.as_bytes(), b"ALTER") || mentions(rest.as_bytes(), b"INDEX"))
        {
            tracing::info!(
                connection = self.server.connection_id,
                "the end of several statements left to the server, because it is not fully understood"
            );
        }
    }

    async fn cut(&mut self, text: &str) -> Result<Cut, End> {
        let capabilities = self.capabilities;
        let is_bare = peek_packet(self.front_mut())
            .is_some_and(|(_, payload)| *payload == *query::payload(text, capabilities));
        if let Some(reason) = self.must_not_be_asked() {
            return Ok(Cut::Not(reason));
        }
        if !is_bare {
            return Ok(Cut::Not("attributes come with them"));
        }
        if mentions(text.as_bytes(), b"INFILE") {
            return Ok(Cut::Not("one of them may ask for a file"));
        }
        match Split::in_any_mode(text) {
            Some(split) if text.len() <= SURELY_TAKEN_BYTES => Ok(Cut::Apart(split)),
            // A mode that is set while the text is carried out is not known when it is cut.
            None if mentions(text.as_bytes(), b"sql_mode") || mentions(text.as_bytes(), b"EXECUTE") => Ok(
                Cut::Not("one of them may set the mode that says where the next one begins"),
            ),
            split => self.cut_as_asked(text, split).await,
        }
    }

    /// Asks the server what the cut depends on.
    async fn cut_as_asked(&mut self, text: &str, split: Option<Split>) -> Result<Cut, End> {
        let reply = self.ask(QUESTION).await?;
        if reply.error_code() == Some(INTERRUPTED) {
            return Ok(Cut::Killed);
        }
        self.leave_untold().await?;
        Ok(match settings_of(reply) {
            None => Cut::Not("the session's settings are not readable"),
            Some((_, longest)) if text.len() >= longest => Cut::Not("they are longer than the server takes"),
            Some((mode, _)) => Cut::Apart(split.unwrap_or_else(|| Split::new(text, mode))),
        })
    }
}

fn settings_of(reply: Reply) -> Option<(ReadMode, usize)> {
    let mut values = reply.into_first_row()?.into_iter();
    let mut next = || {
        values
            .next()
            .flatten()
            .and_then(|value| String::from_utf8(value).ok())
    };
    let mode = next()?;
    Some((ReadMode::of_sql_mode(&mode), next()?.parse().ok()?))
}
