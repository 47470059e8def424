//! Changes wait to be applied.

/// Above this many waiting keys the copy leaves the server to the appliers: about a second of their work.
const MAX_WAITING_KEYS: usize = 10_000;

/// The reason, if `waiting` keys are too many.
pub(super) fn reason(waiting: usize) -> Option<String> {
    (waiting > MAX_WAITING_KEYS).then(|| format!("{waiting} changed keys wait to be applied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backlog_throttles() {
        assert_eq!(reason(MAX_WAITING_KEYS), None);
        assert!(reason(MAX_WAITING_KEYS + 1).is_some());
    }
}
