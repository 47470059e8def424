//! The threads that relay.
//!
//! A session stays on the thread it was given to, with both of its sockets: each thread waits for its own sockets only and
//! works off all that are ready before it waits again. Handing tasks or wake-ups from thread to thread costs more than a
//! whole query does, since a query is four system calls and hardly anything else.
//!
//! Whatever takes long does not belong here: hooks carry out their work on the runtime they were made on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::scheduling;

/// All threads; they end when this is dropped, and so do the tasks that are left on them.
#[derive(Debug)]
pub(crate) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
    /// Dropping it ends the thread.
    _running: oneshot::Sender<()>,
}

/// A session's place on a thread; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Workers {
    /// A thread for each processor. One that cannot be started is done without.
    pub(crate) fn start() -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let started = (0..count).filter_map(|number| match Worker::start(number) {
            Ok(worker) => Some(worker),
            Err(error) => {
                tracing::warn!(%error, "a thread that relays could not be started");
                None
            }
        });
        Self(started.collect())
    }

    /// A place on the thread that has the fewest sessions.
    pub(crate) fn seat(&self) -> (Handle, Seat) {
        let sessions = |worker: &&Worker| worker.sessions.load(Ordering::Relaxed);
        match self.0.iter().min_by_key(sessions) {
            Some(worker) => {
                worker.sessions.fetch_add(1, Ordering::Relaxed);
                (worker.runtime.clone(), Seat(Arc::clone(&worker.sessions)))
            }
            // Without any thread, sessions run where clients are accepted.
            None => (Handle::current(), Seat(Arc::new(AtomicUsize::new(1)))),
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("relay-{number}"))
            .spawn(move || {
                scheduling::as_batch();
                // Nobody sends anything: the end of the channel is the end of the thread.
                let _ = runtime.block_on(ended);
                // A lookup of a name that still hangs must not hold up the end of the process.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            sessions: Arc::default(),
            _running: running,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_are_spread_and_their_places_given_back() {
        let workers = Workers::start();
        let loads = || {
            let loads = workers.0.iter();
            loads
                .map(|worker| worker.sessions.load(Ordering::Relaxed))
                .collect::<Vec<_>>()
        };
        let seats: Vec<_> = (0..2 * workers.0.len()).map(|_| workers.seat()).collect();
        assert!(loads().iter().all(|load| *load == 2), "{:?}", loads());
        drop(seats);
        assert!(loads().iter().all(|load| *load == 0), "{:?}", loads());
    }

    #[tokio::test]
    async fn a_task_runs_on_the_thread_of_its_place() {
        let workers = Workers::start();
        let (runtime, _seat) = workers.seat();
        let name = runtime.spawn(async { thread::current().name().map(str::to_owned) });
        assert!(name.await.unwrap().unwrap().starts_with("relay-"));
    }
}
