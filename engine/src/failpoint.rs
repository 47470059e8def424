//! Places where a test can make the process die, as `kill -9` would, or stand still.
//!
//! `ALTEREGO_FAILPOINT=name` aborts the process the first time the step of that name is reached;
//! `ALTEREGO_FAILPOINT=name:3` the third time. With `ALTEREGO_HOLDS=folder` a step that can be held
//! waits while a file of its name is in that folder. Without the variables either costs one load.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

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

static HOLDS: OnceLock<Option<PathBuf>> = OnceLock::new();

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Waits here while `name` is held.
pub async fn hold(name: &str) {
    let folder = HOLDS.get_or_init(|| std::env::var_os("ALTEREGO_HOLDS").map(PathBuf::from));
    let Some(file) = folder.as_ref().map(|folder| folder.join(name)) else {
        return;
    };
    while file.exists() {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn arm(spec: &str) -> Armed {
    let (name, count) = spec.split_once(':').unwrap_or((spec, "1"));
    Armed {
        name: name.to_owned(),
        countdown: AtomicU32::new(count.parse().unwrap_or(1)),
    }
}
