//! Makes equal what must differ between two servers, or between two connections to one.

use crate::command::FENCE_ANSWER;
use crate::login::PLUGINS;
use crate::packet::Frame;

/// The bits of what a relay that looks into packets cannot offer as the server does: TLS is the proxy's own or none, and
/// compression hides packets.
const NOT_RELAYED: u32 = 1 << 11 | 1 << 5 | 1 << 26;

/// How MariaDB's progress packets begin: an error with the number 65535.
const PROGRESS: &[u8] = b"\xff\xff\xff\x01";

/// The frames of one step, made comparable.
pub(crate) fn normal(mut frames: Vec<Frame>, is_login: bool) -> Vec<Frame> {
    for (index, frame) in frames.iter_mut().enumerate() {
        if is_login && index == 0 {
            greeting(&mut frame.payload);
        } else {
            reply(&mut frame.payload);
        }
    }
    without_progress(frames)
}

/// How often progress is reported is a matter of time. The packets are taken out, and those behind them renumbered.
fn without_progress(frames: Vec<Frame>) -> Vec<Frame> {
    let mut taken_out = 0u8;
    let mut kept = Vec::with_capacity(frames.len());
    for mut frame in frames {
        if frame.sequence == 1 {
            taken_out = 0;
        }
        if frame.payload.starts_with(PROGRESS) {
            taken_out = taken_out.wrapping_add(1);
            continue;
        }
        frame.sequence = frame.sequence.wrapping_sub(taken_out);
        kept.push(frame);
    }
    kept
}

/// The connection's id and the challenge are each connection's own; the bits of what is not relayed are cleared.
fn greeting(payload: &mut [u8]) {
    let Some(version) = payload.iter().skip(1).position(|byte| *byte == 0) else {
        return;
    };
    let after = version + 2;
    let low = after + 4 + 8 + 1;
    let second_nonce = low + 2 + 1 + 2 + 2 + 1 + 10;
    for range in [after..after + 12, second_nonce..second_nonce + 12] {
        if let Some(bytes) = payload.get_mut(range) {
            bytes.fill(0);
        }
    }
    let mask = (!NOT_RELAYED).to_le_bytes();
    for (offset, mask) in [
        (low, mask[0]),
        (low + 1, mask[1]),
        (low + 5, mask[2]),
        (low + 6, mask[3]),
    ] {
        if let Some(byte) = payload.get_mut(offset) {
            *byte &= mask;
        }
    }
}

fn reply(payload: &mut Vec<u8>) {
    // Uptime, counters and rates.
    if payload.starts_with(FENCE_ANSWER) {
        payload.truncate(FENCE_ANSWER.len());
    }
    // Another challenge in each exchange.
    for plugin in PLUGINS {
        let name_ends = 1 + plugin.len() + 1;
        if payload.first() == Some(&0xfe)
            && payload
                .get(1..name_ends)
                .is_some_and(|name| name.strip_suffix(b"\0") == Some(plugin.as_bytes()))
        {
            payload[name_ends..].fill(0);
        }
    }
    // Each server's own RSA key.
    if payload.starts_with(b"\x01-----BEGIN PUBLIC KEY-----") {
        payload[1..].fill(0);
    }
    // Parsec's salt, drawn when the account was created: `P`, the iterations, 18 bytes.
    if payload.len() == 21 && payload.starts_with(b"\x01P\0") {
        payload[3..].fill(0);
    }
}
