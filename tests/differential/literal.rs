//! Values as SQL literals that mean the same in every session: no backslash, nothing but ASCII.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// The text as a literal of utf8mb4.
pub(crate) fn text(value: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if value.chars().all(|c| plain(c) && c != '\'' && c != '\\') {
        return format!("'{value}'");
    }
    match value.is_empty() {
        true => "''".to_owned(),
        false => format!("_utf8mb4 X'{}'", hex(value.as_bytes())),
    }
}

/// The bytes as a literal.
pub(crate) fn bytes(value: &[u8]) -> String {
    match value.is_empty() {
        true => "''".to_owned(),
        false => format!("X'{}'", hex(value)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// One of `choices`.
pub(crate) fn one<T: Copy>(rng: &mut StdRng, choices: &[T]) -> T {
    choices
        .choose(rng)
        .copied()
        .expect("a list of choices is never empty")
}

/// Whether a chance of `percent` in a hundred came true.
pub(crate) fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

/// Random bytes, up to `most` of them.
pub(crate) fn some_bytes(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..=most)];
    rng.fill_bytes(&mut bytes);
    bytes
}
