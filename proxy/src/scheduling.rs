//! How the system schedules a thread that relays.
//!
//! A thread that wakes up may take the processor from the one that runs. For a relay that is a loss: it is woken by every
//! packet, and having interrupted the client or server that is about to send the next one, it works off a single packet,
//! sleeps, and interrupts again. As a batch thread (`SCHED_BATCH`, see sched(7)) it waits until the running thread sleeps or
//! its slice is over, finds several packets ready, and does the same work with fewer changes between threads. Its share
//! of the processors stays the same, and where one is idle it runs at once.

use rustix::process::getpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

const BATCH: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);

/// Makes the calling thread a batch thread; it stays as nice as it is.
///
/// Where that is not allowed, by a container's filter of system calls for one, it is scheduled as before.
pub(crate) fn as_batch() {
    let Some(niceness) = own_niceness() else { return };
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), niceness, BATCH) {
        tracing::debug!(%error, "a thread that relays is scheduled like any other");
    }
}

/// The calling thread's niceness as the library counts it.
fn own_niceness() -> Option<ThreadPriority> {
    let niceness = getpriority_process(None).ok()?;
    (0..=100)
        .filter_map(|value: u8| ThreadPriority::try_from(value).ok())
        .find(|priority| priority.to_posix(BATCH) == Ok(niceness))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::process::setpriority_process;
    use thread_priority::thread_schedule_policy;

    use super::*;

    #[test]
    fn a_thread_becomes_a_batch_thread_and_keeps_its_niceness() {
        // Threads of their own: what they change is theirs. Nobody may become less nice than he is.
        for niceness in getpriority_process(None).unwrap()..20 {
            let made = thread::spawn(move || {
                setpriority_process(None, niceness).unwrap();
                as_batch();
                (thread_schedule_policy(), getpriority_process(None))
            });
            assert_eq!(made.join().unwrap(), (Ok(BATCH), Ok(niceness)));
        }
    }
}
