//! What is asked of everything here that reads bytes from outside, as functions of one input.
//!
//! As in the proxy: `cargo fuzz` calls the targets from `fuzz/`, the tests below call them with the seeds of `fuzz/seeds` and
//! seeded variations. The module exists for tests and for `cargo fuzz` only.

pub use crate::admin::fuzzing::admin;

#[cfg(test)]
mod tests {
    use alterego_testkit::fuzz::vary;

    #[test]
    fn admin() {
        vary("admin", super::admin);
    }
}
