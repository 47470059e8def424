//! Triggers as a record of the state table: lines of plain ASCII, one a trigger, its fields in hexadecimal digits.

use super::{Settings, Trigger};
use crate::{Error, Ident, Result};

/// The text of these triggers.
pub(crate) fn write(triggers: &[Trigger]) -> String {
    let lines: Vec<String> = triggers.iter().map(line).collect();
    lines.join("\n")
}

/// The triggers of a text.
///
/// # Errors
/// [`Error::Fatal`] for a text that is not [`write()`]'s.
pub(crate) fn read(text: &str) -> Result<Vec<Trigger>> {
    let triggers: Option<Vec<Trigger>> = text.lines().map(trigger).collect();
    triggers.ok_or_else(|| Error::fatal("the record of the table's triggers is damaged"))
}

fn line(trigger: &Trigger) -> String {
    let fields: [&[u8]; 8] = [
        trigger.name.as_str().as_bytes(),
        trigger.timing.as_bytes(),
        trigger.event.as_bytes(),
        &trigger.definer,
        &trigger.body,
        trigger.settings.sql_mode.as_bytes(),
        trigger.settings.charset.as_bytes(),
        trigger.settings.collation.as_bytes(),
    ];
    let hex = |field: &[u8]| -> String { field.iter().map(|byte| format!("{byte:02x}")).collect() };
    fields.map(hex).join(" ")
}

fn trigger(line: &str) -> Option<Trigger> {
    let mut fields = line.split(' ').map(bytes);
    let mut bytes = || fields.next().flatten();
    let [name, timing, event] = [bytes()?, bytes()?, bytes()?];
    let [definer, body] = [bytes()?, bytes()?];
    let [sql_mode, charset, collation] = [bytes()?, bytes()?, bytes()?];
    if fields.next().is_some() {
        return None;
    }
    let text = |bytes| String::from_utf8(bytes).ok();
    Some(Trigger {
        name: Ident::new(text(name)?),
        timing: text(timing)?,
        event: text(event)?,
        definer,
        body,
        settings: Settings {
            sql_mode: text(sql_mode)?,
            charset: text(charset)?,
            collation: text(collation)?,
        },
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, body: &[u8]) -> Trigger {
        Trigger {
            name: Ident::new(name),
            timing: "BEFORE".to_owned(),
            event: "INSERT".to_owned(),
            definer: b"DEFINER=`r`@`%`".to_vec(),
            body: body.to_vec(),
            settings: Settings {
                sql_mode: String::new(),
                charset: "latin1".to_owned(),
                collation: "latin1_bin".to_owned(),
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for triggers in [vec![], vec![one("é`\n", b"set @a = '\xe9\n'"), one("b", b"")]] {
            assert_eq!(read(&write(&triggers)).unwrap(), triggers);
        }
    }

    #[test]
    fn damage_is_noticed() {
        let text = write(&[one("a", b"set @a=1")]);
        for end in 1..text.len() {
            let read = read(&text[..end]);
            // The last field, the collation, may be shorter and still be one.
            assert!(
                read.is_err() || text[end..].len() < "latin1_bin".len() * 2 + 1,
                "{end}"
            );
        }
        assert!(read(&format!("{text} 00")).is_err());
        assert!(read("zz").is_err());
    }
}
