//! Does the server take writes?

use super::Finding;
use super::facts::Facts;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if !facts.read_only {
        return Vec::new();
    }
    vec![Finding::fatal(
        "the server is read-only, as replicas are",
        "name the primary instead, or SET GLOBAL read_only=OFF; or use --strategy native",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_refused() {
        assert!(check(&Facts::default()).is_empty());
        assert_eq!(
            check(&Facts {
                read_only: true,
                ..Facts::default()
            })
            .len(),
            1
        );
    }
}
