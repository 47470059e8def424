//! A peer that takes nothing of what waits for it, for too long.
//!
//! Back-pressure keeps the memory of such a session bounded, and as a rule the server's own limits end it
//! (`net_write_timeout`, `wait_timeout`), since it is held up as it would be by the peer itself. This is for what they do
//! not see: bytes that left the server and not the proxy, and a server that reads no more.
//!
//! Nothing is armed while everything is taken at once, which is nearly always.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::wire::Wire;

/// How much each receiver has taken, where something waits for it.
type Places = (Option<usize>, Option<usize>);

/// The clock of one session.
#[derive(Debug, Default)]
pub(super) struct Stall(Option<(Places, Pin<Box<Sleep>>)>);

impl Stall {
    /// Ready when a receiver has stood still for as long as `limit`; called when nothing else happens.
    pub(super) fn poll(&mut self, wire: &Wire, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let places = (wire.up.stuck_at(), wire.down.stuck_at());
        if places == (None, None) {
            self.0 = None;
            return Poll::Pending;
        }
        let (seen, clock) = self.0.get_or_insert_with(|| (places, Box::pin(sleep(limit))));
        if *seen != places {
            *seen = places;
            clock.as_mut().reset(Instant::now() + limit);
        }
        clock.as_mut().poll(cx)
    }
}
