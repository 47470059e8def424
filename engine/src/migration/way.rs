//! Which way a schema change was taken.

use std::fmt;
use std::str::FromStr;

/// The ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Online, by a migration.
    Ghost,
    /// By the server, with `ALGORITHM=INSTANT`.
    Instant,
    /// By the server, in place, by changing nothing but metadata.
    InPlace,
    /// By the server, as it saw fit: the client's own statement was forwarded.
    Native,
}

impl Way {
    /// All ways.
    pub const ALL: [Self; 4] = [Self::Ghost, Self::Instant, Self::InPlace, Self::Native];

    /// The word for people and for the state table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ghost => "ghost",
            Self::Instant => "instant",
            Self::InPlace => "inplace",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|way| way.as_str() == text);
        found.ok_or_else(|| format!("the state table names a way this version does not know: `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for way in Way::ALL {
            assert_eq!(way.as_str().parse(), Ok(way));
        }
    }
}
