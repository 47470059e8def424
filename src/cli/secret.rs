//! A password that cannot be printed by accident.
//!
//! # Invariant
//! Neither `Debug` nor any `Display` shows the text, so no log line and no error message can hold it: whoever
//! needs it must call [`Secret::expose`], and only the places that log in do.

use std::fmt;

/// A password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for logging in and for nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no password at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
