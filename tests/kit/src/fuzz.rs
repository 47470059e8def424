//! Runs a fuzz target on any compiler: its seeds, then seeded variations of them.
//!
//! `cargo fuzz` looks for inputs by what they reach and finds more; this finds what it can in moments, in every `make test`.
//! `ALTEREGO_FUZZ_SECONDS` says how long a target is varied, `ALTEREGO_FUZZ_SEED` from where.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// How long a target is varied.
const SECONDS: f64 = 1.0;
/// No input grows beyond this.
const INPUT_MAX_BYTES: usize = 4096;
/// Numbers and marks that often stand at a limit of something.
const TELLING: [&[u8]; 12] = [
    b"\0",
    b"\xff",
    b"\xfb",
    b"\xfc\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\xfe",
    b"\xff\xff\xff\0",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x01\0\0\0",
    b"/*!",
    b"*/",
    b"`",
];

/// Calls `target` with each file of `fuzz/seeds/NAME`, then with variations of them.
///
/// # Panics
/// As the target does, after printing the input; and if there are no seeds.
pub fn vary(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "fuzz/seeds/{name} has no seed");
    for seed in &seeds {
        call(name, target, seed);
    }
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<f64>().ok();
    let limit = Duration::from_secs_f64(number("ALTEREGO_FUZZ_SECONDS").unwrap_or(SECONDS));
    let seed = number("ALTEREGO_FUZZ_SEED").unwrap_or(1.0).to_bits();
    let mut random = StdRng::seed_from_u64(seed);
    let (begin, mut executions) = (Instant::now(), 0_u64);
    while begin.elapsed() < limit {
        let input = variation(&seeds, &mut random);
        call(name, target, &input);
        executions += 1;
    }
    println!("{name}: {} seeds, {executions} variations", seeds.len());
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    // This crate's folder is two below the workspace's.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(name);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

fn call(name: &str, target: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("the target {name} fails with the input (hex) {digits}");
        resume_unwind(panic);
    }
}

/// A seed with a few changes.
fn variation(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = seeds.choose(random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..6) {
        change(&mut input, seeds, random);
    }
    input.truncate(INPUT_MAX_BYTES);
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut StdRng) {
    let at = random.random_range(0..=input.len());
    let end = (at + random.random_range(0..=16)).min(input.len());
    match random.random_range(0..8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        3 => {
            let other = seeds.choose(random).map_or(&[][..], Vec::as_slice);
            let from = random.random_range(0..=other.len());
            input.splice(at.., other[from..].iter().copied());
        }
        4 => {
            let telling = TELLING.choose(random).copied().unwrap_or_default();
            input.splice(at..at, telling.iter().copied());
        }
        5 => {
            let telling = TELLING.choose(random).copied().unwrap_or_default();
            let end = (at + telling.len()).min(input.len());
            input.splice(at..end, telling.iter().copied());
        }
        6 => input.insert(at, random.random()),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = if random.random() {
                    random.random()
                } else {
                    *byte ^ (1 << random.random_range(0..8))
                };
            }
        }
    }
}
