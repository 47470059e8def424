//! A statement that carries the text of a schema change: `PREPARE … FROM` and `EXECUTE IMMEDIATE`.
//!
//! The server prepares its statements itself; the proxy only remembers which of them are schema changes, and carries these out
//! when they are executed. A text in a user variable is asked of the server, at a moment when nothing is under way on the
//! session: what it holds then is what the server reads next.

use super::dynamic::{Dynamic, Name};
use super::question::INTERRUPTED;
use super::settings::Settings;
use crate::session::{Caught, End, Learned, PreparedChange, Reply, Session};

/// A longer text is not asked for.
const VARIABLE_MAX_BYTES: usize = 256 << 10;

/// What the server shall say of a variable: the bytes it holds, if they are not too many, and what they are. Values are
/// cast to bytes, so that no `character_set_results` changes them on their way.
fn statement(variable: &str) -> String {
    format!(
        "SELECT CAST(CHARSET({variable}) AS BINARY), \
         IF(OCTET_LENGTH({variable})<={VARIABLE_MAX_BYTES},CAST({variable} AS BINARY),NULL) LIMIT 1"
    )
}

/// What the bytes of a variable say. Those of ASCII are the same in all these character sets, and others only where they are
/// UTF-8.
fn text_of(charset: &[u8], bytes: Vec<u8>) -> Option<String> {
    let is_understood = match charset {
        b"utf8mb4" | b"utf8mb3" | b"utf8" => true,
        b"latin1" | b"ascii" | b"binary" => bytes.is_ascii(),
        _ => false,
    };
    String::from_utf8(bytes).ok().filter(|_| is_understood)
}

impl Session {
    /// Asks what a variable holds; then the command at the front is decided about once more.
    pub(super) async fn learn(&mut self, caught: &Caught, variable: &str) -> Result<(), End> {
        let mut learned = None;
        if self.must_not_be_asked().is_none() {
            let reply = self.ask(&statement(variable)).await?;
            if reply.error_code() == Some(INTERRUPTED) {
                return self.answer_interrupted(caught).await;
            }
            self.leave_untold().await?;
            let mut row = reply.into_first_row().unwrap_or_default().into_iter();
            let mut next = || row.next().flatten();
            learned = next()
                .zip(next())
                .and_then(|(charset, bytes)| text_of(&charset, bytes));
        }
        self.learned = Some(Box::new(Learned(learned)));
        Ok(())
    }

    /// Handles a text that carries what may be a schema change, in some mode the session could be reading it in.
    pub(super) async fn carrier(&mut self, caught: &Caught, text: &str) -> Result<(), End> {
        self.kept = None;
        let mut found = None;
        if self.must_not_be_asked().is_none() {
            let Some(left) = self.left_before().await? else {
                return self.answer_interrupted(caught).await;
            };
            found = left.found;
        }
        let settings = match self.must_not_be_asked() {
            Some(_) => None,
            None => match self.settings().await? {
                Ok(settings) => Some(settings),
                Err(reply) if reply.error_code() == Some(INTERRUPTED) => {
                    return self.answer_interrupted(caught).await;
                }
                Err(_) => None,
            },
        };
        self.leave_untold().await?;
        let carried = settings.and_then(|settings| {
            let carrier = Dynamic::parse(text.as_bytes(), settings.mode())?;
            let change = self.carried_change(text, &carrier, settings)?;
            Some((carrier, change))
        });
        match carried {
            Some((Dynamic::Prepare { name, .. }, change)) => {
                self.prepare_by_name(caught, text, name, change).await
            }
            Some((Dynamic::Immediate(_), change)) => self.change(caught, &change.sql, None).await,
            _ => {
                self.forward_unchanged(caught);
                Ok(())
            }
        }?;
        self.left.get_or_insert_default().found = found;
        Ok(())
    }

    fn carried_change(
        &self,
        text: &str,
        carrier: &Dynamic<'_>,
        settings: Settings,
    ) -> Option<PreparedChange> {
        let (Dynamic::Prepare { source, .. } | Dynamic::Immediate(source)) = carrier else {
            return None;
        };
        let learned = self.learned.as_deref();
        let carried = source.text(learned.and_then(Learned::text))?;
        let is_readable = settings.reads_as_utf8(text) && settings.keeps_carried(carried);
        is_readable
            .then(|| self.prepared_change(carried, settings))
            .flatten()
    }

    /// Has the server prepare a schema change, and remembers its name.
    async fn prepare_by_name(
        &mut self,
        caught: &Caught,
        text: &str,
        name: Name<'_>,
        change: PreparedChange,
    ) -> Result<(), End> {
        let sequence = caught.header.sequence.wrapping_add(1);
        match self.ask(text).await? {
            Reply::Ok { payload, .. } => {
                self.names.put_change(name, change);
                self.answer_as_told(caught, sequence, &payload);
            }
            Reply::Err { payload, .. } => {
                self.names.remove(name);
                self.answer_as_told(caught, sequence, &payload);
            }
            Reply::Rows(_) => return Err(End::Protocol("the server answered PREPARE with rows")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_where_they_mean_the_same_everywhere() {
        for (charset, bytes, expected) in [
            ("utf8mb4", "ALTER é", Some("ALTER é")),
            ("latin1", "ALTER", Some("ALTER")),
            ("latin1", "ALTER é", None),
            ("ucs2", "ALTER", None),
        ] {
            let read = text_of(charset.as_bytes(), bytes.as_bytes().to_vec());
            assert_eq!(read.as_deref(), expected, "{charset} {bytes}");
        }
        assert_eq!(text_of(b"utf8mb4", vec![0xff]), None);
    }
}
