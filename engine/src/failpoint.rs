//! Places where a test can make the process die, as `kill -9` would.
//!
//! `ALTEREGO_FAILPOINT=name` aborts the process the first time the step of that name is reached;
//! `ALTEREGO_FAILPOINT=name:3` the third time. Without the variable a failpoint costs one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Armed {
    name: String,
    countdown: AtomicU32,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Dies here if the failpoint `name` is armed.
pub fn hit(name: &str) {
    let armed = ARMED.get_or_init(|| std::env::var("ALTEREGO_FAILPOINT").ok().map(|spec| arm(&spec)));
    if let Some(armed) = armed
        && armed.name == name
        && armed.countdown.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

fn arm(spec: &str) -> Armed {
    let (name, count) = spec.split_once(':').unwrap_or((spec, "1"));
    Armed {
        name: name.to_owned(),
        countdown: AtomicU32::new(count.parse().unwrap_or(1)),
    }
}
