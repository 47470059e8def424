//! Plays a script on one connection.

use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::client::Client;
use crate::command::{Command, FENCE, FENCE_ANSWER};
use crate::login::{change_user, login};
use crate::packet::{Frame, put};
use crate::script::{Script, Step};

/// Everything a client received, step by step; the login comes first.
pub(crate) type Transcript = Vec<Vec<Frame>>;

/// Whom a script is played to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The server itself.
    Direct,
    /// The server behind the proxy.
    Proxied,
}

/// Plays `script` at a port. The last entry of the transcript is what came after the end.
pub(crate) async fn play(port: u16, side: Side, script: &Script) -> Result<Transcript> {
    let mut player = Player {
        client: Client::connect(port).await?,
        side,
        script,
        cuts: StdRng::seed_from_u64(script.cuts),
    };
    let mut transcript = vec![login(&mut player.client, &script.dialect, script.account).await?];
    for (index, step) in script.steps.iter().enumerate() {
        let played = player.step(step).await;
        transcript.push(played.with_context(|| format!("{side:?}, in step {index}"))?);
        if player.client.closed {
            return Ok(transcript);
        }
    }
    player.send(&[Command::new("quit", *b"\x01")]).await;
    player.client.until(|_| false).await?;
    transcript.push(player.client.take());
    Ok(transcript)
}

struct Player<'a> {
    client: Client,
    side: Side,
    script: &'a Script,
    cuts: StdRng,
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) -> Result<Vec<Frame>> {
        match step {
            Step::Commands(commands) => {
                self.send_fenced(commands).await;
                self.fence(commands).await?;
            }
            Step::File { sql, packets, then } => self.file(sql, packets, then).await?,
            Step::ChangeUser(account) => {
                return change_user(&mut self.client, &self.script.dialect, account).await;
            }
            Step::Stream { payloads, .. } => self.stream(payloads).await?,
            Step::Last(commands) => {
                self.send(commands).await;
                self.client.half_close().await;
                self.client.until(|_| false).await?;
            }
            Step::Probe if self.side == Side::Direct => {}
            Step::Probe => return self.probe().await,
        }
        Ok(self.client.take())
    }

    async fn send(&mut self, commands: &[Command]) {
        let mut bytes = Vec::new();
        commands.iter().for_each(|command| command.put(&mut bytes));
        self.client.send(&bytes, &mut self.cuts).await;
    }

    async fn send_fenced(&mut self, commands: &[Command]) {
        let mut bytes = Vec::new();
        commands.iter().for_each(|command| command.put(&mut bytes));
        put(&mut bytes, 0, FENCE);
        self.client.send(&bytes, &mut self.cuts).await;
    }

    /// Receives up to the answer of the fence behind these commands, which may hold others of its kind.
    async fn fence(&mut self, behind: &[Command]) -> Result<()> {
        let fences = 1 + behind.iter().filter(|command| command.payload == FENCE).count();
        let is_answer = |frame: &&Frame| frame.payload.starts_with(FENCE_ANSWER);
        self.client
            .until(|frames| frames.iter().filter(is_answer).count() == fences)
            .await
    }

    async fn file(&mut self, sql: &str, packets: &[Vec<u8>], then: &[Command]) -> Result<()> {
        self.send(&[Command::query(&self.script.dialect, sql)]).await;
        self.client.until(|frames| !frames.is_empty()).await?;
        let asked = self
            .client
            .frames
            .first()
            .filter(|frame| frame.payload.first() == Some(&0xfb));
        let mut bytes = Vec::new();
        if let Some(asked) = asked {
            let mut sequence = asked.sequence.wrapping_add(1);
            for packet in packets {
                put(&mut bytes, sequence, packet);
                sequence = sequence.wrapping_add(1);
            }
            put(&mut bytes, sequence, b"");
        }
        then.iter().for_each(|command| command.put(&mut bytes));
        put(&mut bytes, 0, FENCE);
        self.client.send(&bytes, &mut self.cuts).await;
        self.fence(then).await
    }

    /// Sends payloads one by one, each after the answer to the one before it has begun.
    async fn stream(&mut self, payloads: &[Vec<u8>]) -> Result<()> {
        for payload in payloads {
            let before = self.client.frames.len();
            let mut bytes = Vec::new();
            put(&mut bytes, 0, payload);
            self.client.send(&bytes, &mut self.cuts).await;
            self.client.until(|frames| frames.len() > before).await?;
        }
        // An end or an error, after which the other side may close or not.
        let is_end = |frame: &Frame| matches!(frame.payload.first(), Some(0xfe | 0xff));
        self.client
            .until(|frames| frames.last().is_some_and(is_end))
            .await
    }

    /// Asks the proxy for its migrations, and keeps the answer out of the transcript.
    async fn probe(&mut self) -> Result<Vec<Frame>> {
        ensure!(self.client.frames.is_empty(), "unasked: {:?}", self.client.frames);
        self.send_fenced(&[Command::query(&self.script.dialect, "SHOW MIGRATIONS")])
            .await;
        self.fence(&[]).await?;
        let answer = self.client.take();
        let first = answer.first().context("closed")?;
        ensure!(
            !first.is_error(),
            "the session is not followed any more: {first:?}"
        );
        Ok(Vec::new())
    }
}
