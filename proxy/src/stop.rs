//! Tells one session to stop, without a lock that all sessions share on their hot path.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// One session's stop signal.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    asked: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    /// Asks the session to stop.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the session is to stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Completes when the session is to stop.
    pub(crate) async fn asked(&self) {
        poll_fn(|cx| {
            if self.poll_asked(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// As `is_asked`, and wakes the task when it becomes so.
    pub(crate) fn poll_asked(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.is_asked()
    }
}
