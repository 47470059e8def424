//! What is decided about a text that may be several statements.

use super::Session;
use super::command::{Catch, Decision};
use crate::hooks::{ReadMode, Verdict};
use crate::intercept::split::{Split, may_be_several};
use crate::intercept::words::{Opening, opening_of_whole};

/// A longer text is looked at once: when everything before it has been answered.
const LOOKED_AT_AGAIN_BYTES: usize = 16 << 10;

impl Session {
    /// Decides about a whole text; `None` if it is nothing to be taken apart.
    pub(super) fn judge_several(&self, text: &[u8]) -> Option<Decision> {
        let may_be_taken_apart = self.multi && self.series.is_none() && !self.is_left_whole;
        if !may_be_taken_apart || !may_be_several(text) {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        if text.len() > LOOKED_AT_AGAIN_BYTES && !self.tracker.is_idle() {
            return Some(Decision::More);
        }
        ReadMode::of_text(text)
            .any(|mode| self.wants_any(text, &Split::new(text, mode)))
            .then(|| Decision::Catch(Catch::Several(text.to_owned())))
    }

    /// Whether one of the statements would be caught if it stood alone, for the sake of a table.
    pub(crate) fn wants_any(&self, text: &str, split: &Split) -> bool {
        let mut statements = split
            .statements()
            .iter()
            .filter_map(|part| text.get(part.clone()));
        split.parts.len() > 1 && statements.any(|statement| self.wants(statement))
    }

    fn wants(&self, statement: &str) -> bool {
        let hooks = &self.shared.hooks;
        let is_ours = |mode| matches!(hooks.inspect(statement, mode), Verdict::Ask(_));
        match opening_of_whole(statement.as_bytes()) {
            Opening::Change => ReadMode::of_text(statement).any(is_ours) || hooks.may_concern(statement),
            Opening::Definition => hooks.may_concern(statement),
            Opening::Dynamic => {
                let decision = self.judge_dynamic(statement.as_bytes());
                matches!(decision, Decision::Catch(_))
            }
            _ => false,
        }
    }
}
