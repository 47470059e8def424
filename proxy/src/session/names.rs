//! What a session remembers of the statements that it prepared by name (`PREPARE … FROM`).
//!
//! *Invariant:* a schema change is remembered under a name only while the server has exactly that statement under it. It is
//! entered when the server has said that it is prepared. Whatever is let through afterwards either is understood, so that
//! it is known which name it changes, or surely changes none, or else all names are forgotten: a procedure, or one of several
//! statements in a text, may have prepared others. A name that is not remembered is the server's business.
//!
//! Texts that change nothing are remembered, too, for the gate and for old snapshots, and without waiting for the answer:
//! if their preparation fails, nothing is executed under the name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::statements::{PreparedChange, TEXT_MAX_BYTES, TEXTS_MAX_BYTES};
use crate::hooks::ReadMode;
use crate::intercept::dynamic::{Dynamic, Name, Source, keeps_names};

/// What a name costs beside its text.
const NAME_BYTES: usize = 128;

/// What a user variable holds, asked of the server for the command at the front; `None` if that is not to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Learned(pub(crate) Option<String>);

impl Learned {
    /// The text it holds, if that is known.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// One statement that was prepared by name.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) text: Box<str>,
    pub(crate) change: Option<Arc<PreparedChange>>,
    /// Whether its execution surely prepares no other.
    keeps_names: bool,
    /// Its name was in quotes, and may be none without.
    is_quoted: bool,
}

impl Named {
    fn bytes(&self) -> usize {
        NAME_BYTES + self.text.len() + self.change.as_ref().map_or(0, |change| change.sql.len())
    }
}

/// All of them. A session that has none keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Names(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By their names in lower case.
    statements: BTreeMap<String, Named>,
    bytes: usize,
}

impl Names {
    /// Whether none is remembered: all that is asked most of the time.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The statement of a name, if it is known.
    pub(crate) fn get(&self, name: Name<'_>) -> Option<&Named> {
        let statements = &self.0.as_ref()?.statements;
        let found = statements.get(&name.text.to_ascii_lowercase())?;
        (name.is_quoted || !found.is_quoted).then_some(found)
    }

    /// The server has prepared a schema change.
    pub(crate) fn put_change(&mut self, name: Name<'_>, change: PreparedChange) {
        let named = Named {
            text: change.sql.as_str().into(),
            change: Some(Arc::new(change)),
            keeps_names: true,
            is_quoted: name.is_quoted,
        };
        self.put(name, named);
    }

    fn put(&mut self, name: Name<'_>, named: Named) {
        self.remove(name);
        let known = self.0.get_or_insert_default();
        if known.bytes + named.bytes() <= TEXTS_MAX_BYTES {
            known.bytes += named.bytes();
            known.statements.insert(name.text.to_ascii_lowercase(), named);
        }
        self.let_go();
    }

    /// The name means nothing any more, or something that is not known.
    pub(crate) fn remove(&mut self, name: Name<'_>) {
        if let Some(known) = &mut self.0
            && let Some(named) = known.statements.remove(&name.text.to_ascii_lowercase())
        {
            known.bytes -= named.bytes();
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        self.0.take_if(|known| known.statements.is_empty());
    }

    /// The session was reset, or anything may have been prepared.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// A whole text is let through; `learned` is what the variable it names holds.
    pub(crate) fn sent(&mut self, text: &[u8], learned: Option<&Learned>) {
        // What another mode would read otherwise.
        let is_certain = !text.iter().any(|byte| matches!(byte, b'"' | b'\\'));
        let learned = learned.and_then(Learned::text);
        match Dynamic::parse(text, ReadMode::default()) {
            Some(Dynamic::Prepare { name, source }) => match source.text(learned) {
                Some(text) if text.len() <= TEXT_MAX_BYTES => {
                    let named = Named {
                        text: text.into(),
                        change: None,
                        keeps_names: is_certain && keeps_names(text.as_bytes()),
                        is_quoted: name.is_quoted,
                    };
                    self.put(name, named);
                }
                _ => self.remove(name),
            },
            Some(Dynamic::Deallocate(name)) => self.remove(name),
            _ if self.is_empty() => {}
            Some(Dynamic::Execute { name, .. }) => {
                if self.get(name).is_none_or(|named| !named.keeps_names) {
                    self.clear();
                }
            }
            Some(Dynamic::Immediate(source)) => {
                let executed = source.text(learned);
                self.executed(executed.filter(|_| is_certain).map(str::as_bytes));
            }
            None => self.executed(Some(text)),
        }
    }

    /// A statement is executed; `None` is one that is not known.
    pub(crate) fn executed(&mut self, text: Option<&[u8]>) {
        if !self.is_empty() && !text.is_some_and(keeps_names) {
            self.clear();
        }
    }
}

impl Source<'_> {
    /// The text, given what the variable holds.
    pub(crate) fn text<'t>(&'t self, learned: Option<&'t str>) -> Option<&'t str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(_) => learned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Name<'static> = Name {
        text: "s",
        is_quoted: false,
    };

    fn with_change() -> Names {
        let mut names = Names::default();
        names.put_change(
            S,
            PreparedChange {
                sql: "ALTER TABLE t ADD a INT".to_owned(),
                ..PreparedChange::default()
            },
        );
        names
    }

    fn text<'n>(names: &'n Names, name: &'n str) -> Option<&'n str> {
        let is_quoted = false;
        names
            .get(Name {
                text: name,
                is_quoted,
            })
            .map(|named| &*named.text)
    }

    #[test]
    fn names_are_compared_in_any_case_and_quotes_are_minded() {
        let mut names = with_change();
        let quoted = |text| Name {
            text,
            is_quoted: true,
        };
        assert!(names.get(quoted("S")).is_some_and(|named| named.change.is_some()));
        names.sent(b"PREPARE `S` FROM 'DO 1'", None);
        assert!(names.get(quoted("s")).is_some_and(|named| named.change.is_none()));
        assert!(names.get(S).is_none());
    }

    #[test]
    fn what_changes_a_name_and_what_does_not() {
        let check = |sent: &str, learned: Option<&str>, expected: Option<&str>| {
            let mut names = with_change();
            let learned = learned.map(|text| Learned(Some(text.to_owned())));
            names.sent(sent.as_bytes(), learned.as_ref());
            assert_eq!(text(&names, "s"), expected, "{sent}");
        };
        let kept = Some("ALTER TABLE t ADD a INT");
        check("SELECT 1", None, kept);
        check("EXECUTE s", None, kept);
        check("PREPARE other FROM 'CALL p()'", None, kept);
        check("DEALLOCATE PREPARE other", None, kept);
        check("EXECUTE IMMEDIATE 'DO 1'", None, kept);
        check("EXECUTE IMMEDIATE @v", Some("DO 1"), kept);
        check("PREPARE S FROM 'DO 1'", None, Some("DO 1"));
        check("PREPARE s FROM @v", Some("DO 1"), Some("DO 1"));
        check("PREPARE s FROM @v", None, None);
        check("PREPARE s FROM CONCAT('DO 1')", None, None);
        check("DROP PREPARE `s`", None, None);
        check("EXECUTE other", None, None);
        check("EXECUTE IMMEDIATE 'CALL p()'", None, None);
        check("EXECUTE IMMEDIATE @v", Some("CALL p()"), None);
        check("EXECUTE IMMEDIATE @v", None, None);
        check("CALL p()", None, None);
        check("DO 1; DO 2", None, None);
        check("/*!50000 PREPARE s FROM 'DO 1' */", None, None);
    }

    #[test]
    fn who_executes_what_may_prepare_forgets() {
        for (prepared, expected) in [("DO 1", true), ("CALL p()", false), (r"DO \'\'", false)] {
            let mut names = with_change();
            names.sent(format!("PREPARE other FROM '{prepared}'").as_bytes(), None);
            names.sent(b"EXECUTE other", None);
            assert_eq!(text(&names, "s").is_some(), expected, "{prepared}");
        }
        let mut names = with_change();
        names.executed(Some(b"SELECT ?"));
        assert!(!names.is_empty());
        names.executed(None);
        assert!(names.is_empty());
    }

    #[test]
    fn texts_are_bounded() {
        let mut names = Names::default();
        let long = "x".repeat(TEXT_MAX_BYTES - 100);
        for number in 0..100 {
            names.sent(format!("PREPARE s{number} FROM '{long}'").as_bytes(), None);
        }
        assert!(text(&names, "s60").is_some());
        assert!(text(&names, "s70").is_none());
        for number in 0..100 {
            names.sent(format!("DEALLOCATE PREPARE s{number}").as_bytes(), None);
        }
        assert!(names.is_empty());
        names.sent(format!("PREPARE s FROM '{long}{long}'").as_bytes(), None);
        assert!(names.is_empty());
    }
}
