//! The loop that moves a session's bytes.

use std::future::poll_fn;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::command::{Phase, Step};
use super::wire::Arrival;
use super::{End, Session};
use crate::gate::HOLD_LIMIT;
use crate::protocol::frame::Frames;
use crate::protocol::ok::status;
use crate::protocol::reply::{Event, Watch};

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Arrived(Arrival),
    Stalled,
    StopAsked,
}

impl Session {
    /// Relays until either side leaves.
    pub(super) async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    async fn turn(&mut self) -> Result<(), End> {
        // Boxed where it is rare and large: a session is as large as the largest thing it may wait in.
        match self.decide() {
            Step::More => {}
            // What is caught waits until everything before it is answered: only then is the connection the proxy's to use.
            Step::Catch(caught) if self.tracker.is_idle() => return Box::pin(self.handle(caught)).await,
            Step::Catch(_) => {}
            Step::Hold { text } => return Box::pin(self.hold_at_gate(text)).await,
        }
        if self.may_stop() {
            return Err(End::Stopped);
        }
        let happening = self.happening().await;
        self.apply(happening)
    }

    /// What happens next. Nothing is lost when this is dropped.
    pub(super) async fn happening(&mut self) -> Happening {
        poll_fn(|cx| {
            if !self.stopping && self.stop.poll_asked(cx) {
                return Poll::Ready(Happening::StopAsked);
            }
            match self.wire.poll(cx) {
                Poll::Ready(arrival) => Poll::Ready(Happening::Arrived(arrival)),
                Poll::Pending => self
                    .stall
                    .poll(&self.wire, self.stall_limit, cx)
                    .map(|()| Happening::Stalled),
            }
        })
        .await
    }

    fn apply(&mut self, happening: Happening) -> Result<(), End> {
        match happening {
            Happening::StopAsked => self.stopping = true,
            Happening::Stalled => return Err(End::Stalled),
            Happening::Arrived(Arrival::Client(_) | Arrival::ClientEnded) => {}
            Happening::Arrived(Arrival::ClientGone) => return Err(End::ClientLeft),
            Happening::Arrived(Arrival::UpstreamEnded) => return Err(End::UpstreamLost),
            Happening::Arrived(Arrival::Upstream(count)) => self.follow(count)?,
        }
        Ok(())
    }

    /// Lets the server's newest `count` bytes through and follows what they say.
    pub(super) fn follow(&mut self, count: usize) -> Result<(), End> {
        if !matches!(self.phase, Phase::Blind) {
            let bytes = self.wire.down.undecided();
            let mut newest = bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default();
            while let Some(event) = self.tracker.feed(&mut newest) {
                match event {
                    Event::Prepared { id } => self.statements.prepared(id),
                    Event::PrepareFailed => self.statements.failed(),
                    // A command sent before the server asked for the file would be read as the file: not to be followed.
                    Event::LocalInfile
                        if self.tracker.outstanding() == 1
                            && matches!(self.phase, Phase::Command)
                            && self.series.is_none() =>
                    {
                        self.phase = Phase::LocalFile(Frames::default());
                    }
                    Event::Watched {
                        watch: Watch::Change,
                        is_error,
                    } => {
                        if let Some(change) = self.natives.pop_front().filter(|_| !is_error) {
                            self.shared.hooks.done(change);
                        }
                    }
                    Event::Watched { is_error, .. } => {
                        if let Some(target) = self.kills.take().filter(|_| !is_error) {
                            self.shared.router.killables().kill(&target);
                        }
                    }
                    // The file's packets are numbered on, and the server knows other numbers than the client.
                    Event::LocalInfile | Event::Lost if self.series.is_some() => {
                        return Err(End::Protocol(
                            "one of several statements is answered in a way that cannot be followed",
                        ));
                    }
                    Event::LocalInfile | Event::Lost => {
                        tracing::debug!(
                            connection = self.server.connection_id,
                            "a reply is not understood: relaying blindly"
                        );
                        self.phase = Phase::Blind;
                        self.visitor.leave();
                        break;
                    }
                }
            }
        }
        if self.series.is_some() {
            self.follow_part()?;
        } else {
            self.wire.down.approve_all();
        }
        self.settle();
        Ok(())
    }

    /// Takes in what the end of the last reply means. A cut-over may wait for a session in which nothing is under way.
    pub(crate) fn settle(&mut self) {
        if !self.tracker.is_idle() {
            return;
        }
        let in_transaction = self.tracker.status & status::IN_TRANSACTION != 0;
        self.snapshot.answered(in_transaction);
        if !in_transaction {
            self.visitor.leave();
        }
    }

    /// Whether the session may end for a shutdown: nobody waits for anything but
    /// the bytes of the last answer, which its farewell writes, and no transaction or table lock is open.
    fn may_stop(&self) -> bool {
        self.stopping
            && matches!(self.phase, Phase::Command)
            && self.tracker.is_idle()
            && self.tracker.status & status::IN_TRANSACTION == 0
            && !self.locks
            && self.wire.up.undecided().is_empty()
    }

    /// Holds the command at the front until the gate opens or the limit has passed, and notices who leaves meanwhile.
    async fn hold_at_gate(&mut self, text: Option<Vec<u8>>) -> Result<(), End> {
        let gate = self.shared.gate.clone();
        let limit = Instant::now() + HOLD_LIMIT;
        loop {
            if self.wire.up.ended {
                return Err(End::ClientLeft);
            }
            tokio::select! {
                biased;
                () = gate.opened(text.as_deref()) => break,
                () = sleep_until(limit) => break,
                happening = self.happening() => self.apply(happening)?,
            }
        }
        self.gate_passed = true;
        Ok(())
    }
}
