//! What is decided about statements that carry, or stand for, another statement's text.

use super::Session;
use super::command::{Catch, Decision, Touched};
use super::names::{Learned, Names};
use crate::hooks::ReadMode;
use crate::intercept::dynamic::{Dynamic, Name, Source};
use crate::intercept::words;
use crate::protocol::shape::Expect;

impl Names {
    /// What a whole text that begins with `EXECUTE` touches.
    pub(super) fn touched<'t>(&'t self, text: &'t [u8], learned: Option<&'t Learned>) -> Touched<'t> {
        match Dynamic::parse(text, ReadMode::default()) {
            Some(Dynamic::Execute { name, .. }) => Touched {
                text: self.get(name).map(|named| named.text.as_bytes()),
                was_prepared: true,
            },
            Some(Dynamic::Immediate(Source::Variable(_))) => Touched {
                text: learned.and_then(Learned::text).map(str::as_bytes),
                was_prepared: false,
            },
            // What a literal names stands in the text itself.
            Some(_) => Touched {
                text: Some(text),
                was_prepared: false,
            },
            None => Touched {
                text: None,
                was_prepared: true,
            },
        }
    }
}

impl Session {
    /// Decides about a whole text that begins with `PREPARE` or `EXECUTE`.
    pub(super) fn judge_dynamic(&self, text: &[u8]) -> Decision {
        const FORWARD: Decision = Decision::Forward(Some(Expect::Query));
        let Ok(text) = str::from_utf8(text) else {
            return FORWARD;
        };
        for mode in ReadMode::of_text(text) {
            let (source, is_immediate) = match Dynamic::parse(text.as_bytes(), mode) {
                Some(Dynamic::Execute { name, has_values }) => {
                    return self.judge_name(name, has_values).map_or(FORWARD, Decision::Catch);
                }
                Some(Dynamic::Prepare { source, .. }) => (source, false),
                Some(Dynamic::Immediate(source)) if self.server.is_mariadb => (source, true),
                _ => continue,
            };
            let learned = match (&source, self.learned.as_deref()) {
                (Source::Variable(variable), None) => {
                    return Decision::Catch(Catch::Learn((*variable).to_owned()));
                }
                (_, learned) => learned.and_then(Learned::text),
            };
            let Some(carried) = source
                .text(learned)
                .filter(|text| words::changes_schemas(text.as_bytes()))
            else {
                continue;
            };
            if self.candidate(carried.as_bytes()).is_some() {
                return Decision::Catch(Catch::Carrier(text.to_owned()));
            }
            if is_immediate && let Some(catch) = self.bystander(carried.as_bytes(), true) {
                return Decision::Catch(catch);
            }
        }
        FORWARD
    }

    /// Why the execution of a statement that was prepared by name is caught. A schema change takes no values.
    fn judge_name(&self, name: Name<'_>, has_values: bool) -> Option<Catch> {
        let named = self.names.get(name)?;
        match &named.change {
            Some(change) => (!has_values).then(|| Catch::Execute(change.clone())),
            None => {
                let text = Some(named.text.as_bytes()).filter(|text| words::changes_schemas(text))?;
                self.bystander(text, true)
            }
        }
    }
}
