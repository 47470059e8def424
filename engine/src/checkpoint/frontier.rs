//! How far the key space is covered, from its low end.

use crate::Result;
use crate::key::{self, Key};

/// Everything up to here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frontier {
    /// No key yet.
    Nothing,
    /// Every key up to and with this one.
    Key(Key),
    /// Every key there can be.
    Everything,
}

const NOTHING: &str = "nothing";
const EVERYTHING: &str = "everything";
/// In front of an encoded key, so that no key can read as one of the words.
const KEY_PREFIX: &str = "key ";

impl Frontier {
    /// The frontier as text, for the state table.
    pub fn encode(&self) -> String {
        match self {
            Self::Nothing => NOTHING.to_owned(),
            Self::Key(key) => format!("{KEY_PREFIX}{}", key::encode(key)),
            Self::Everything => EVERYTHING.to_owned(),
        }
    }

    /// Reads what [`Frontier::encode`] wrote.
    ///
    /// # Errors
    /// [`crate::Error::Fatal`] for any other text.
    pub fn decode(text: &str) -> Result<Self> {
        match text {
            NOTHING => Ok(Self::Nothing),
            EVERYTHING => Ok(Self::Everything),
            key => key::decode(key.strip_prefix(KEY_PREFIX).unwrap_or_default()).map(Self::Key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyValue;

    #[test]
    fn text_round_trips() {
        let key = Frontier::Key(Key(vec![
            KeyValue::Int(-1),
            KeyValue::Bytes(b"everything".to_vec()),
        ]));
        for frontier in [Frontier::Nothing, key, Frontier::Everything] {
            assert_eq!(Frontier::decode(&frontier.encode()).unwrap(), frontier);
        }
        assert!(Frontier::decode("else").is_err());
    }
}
