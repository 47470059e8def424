//! `ACCEPT PRIMARY 'server' IN GROUP 'group' WITHOUT 'GTIDs'`: an operator's word, as it is typed.
//!
//! The GTIDs are those the refusal named; `UNKNOWN` where nobody can tell them.

use super::decide::accept::Wish;
use super::transactions::Missing;

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AcceptPrimary {
    /// The group's name.
    pub(crate) group: String,
    pub(super) wish: Wish,
}

/// How it is written, for messages and help.
pub(crate) const FORM: &str = "ACCEPT PRIMARY 'server' IN GROUP 'group' WITHOUT 'GTIDs'";

impl AcceptPrimary {
    /// Reads the statement; `None` if it is another one.
    ///
    /// # Errors
    /// It begins like this one and goes on otherwise.
    pub(crate) fn read(statement: &str) -> Option<Result<Self, String>> {
        let mut rest = statement.trim().trim_end_matches([';', '\0']);
        words(&mut rest, &["ACCEPT", "PRIMARY"])?;
        Some(
            read_rest(rest)
                .ok_or_else(|| format!("the statement reads {FORM}"))
                .flatten(),
        )
    }
}

fn read_rest(mut rest: &str) -> Option<Result<AcceptPrimary, String>> {
    let server = quoted(&mut rest)?;
    words(&mut rest, &["IN", "GROUP"])?;
    let group = quoted(&mut rest)?;
    words(&mut rest, &["WITHOUT"])?;
    let without = quoted(&mut rest)?;
    if !rest.trim().is_empty() {
        return None;
    }
    let wish = Missing::parse(&without).map(|without| Wish { server, without });
    Some(wish.map(|wish| AcceptPrimary { group, wish }))
}

/// Takes these words off, in any case.
fn words(rest: &mut &str, expected: &[&str]) -> Option<()> {
    for word in expected {
        let text = rest.trim_start();
        let (found, after) = text.split_at_checked(word.len())?;
        let ends = after
            .chars()
            .next()
            .is_none_or(|next| !next.is_alphanumeric() && next != '_');
        if !found.eq_ignore_ascii_case(word) || !ends {
            return None;
        }
        *rest = after;
    }
    Some(())
}

/// Takes off a text in single, double or back quotes, in which a doubled quote is one.
fn quoted(rest: &mut &str) -> Option<String> {
    let text = rest.trim_start();
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"' | '`'))?;
    let mut found = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        if character != quote {
            found.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            found.push(quote);
        } else {
            *rest = text.get(place + quote.len_utf8()..)?;
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_understood() {
        let check = |text: &str, expected: &str| {
            let read = match AcceptPrimary::read(text) {
                None => "another".to_owned(),
                Some(Err(error)) => error,
                Some(Ok(AcceptPrimary { group, wish })) => {
                    format!("{}|{group}|{}", wish.server, wish.without)
                }
            };
            assert!(read.contains(expected), "{text}: {read}");
        };
        check(
            "ACCEPT PRIMARY 'b' IN GROUP 'shop' WITHOUT '0-1-100';",
            "b|shop|0-1-100",
        );
        check(" accept  primary `b`in group\"sh''op\" without ''\n", "b|sh''op|");
        check(
            "accept primary 'b''s' in group 'g' without 'unknown'",
            "b's|g|UNKNOWN",
        );
        check(
            "accept primary 'b' in group 'g' without '0c45a90a-e5a9-11f1-a4f1-02fc00000001:1-4'",
            "02fc00000001:1-4",
        );
        check("SHOW UPSTREAMS", "another");
        check("ACCEPT PRIMARYS 'b'", "another");
        check("", "another");
        check("é", "another");
        check("accept primary 'b'", FORM);
        check("accept primary 'b' in group 'g'", FORM);
        check("accept primary 'b' in group 'g' without", FORM);
        check("accept primary 'b' in group 'g' without 'x' y", FORM);
        check("accept primary 'b' in group 'g' without '0-1-1", FORM);
        check(
            "accept primary 'b' in group 'g' without 'everything'",
            "neither a set of GTIDs",
        );
    }
}
