//! Frames: three bytes of length, one of sequence number, the payload.

use std::fmt;

/// The longest frame; one of this length is continued by the next.
pub(crate) const FRAME_MAX_BYTES: usize = 0xff_ffff;

/// One frame as it was received.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) sequence: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Takes the frame at the front of `bytes`, if it is there.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Frame, &[u8])> {
        let (header, rest) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        let frame = Frame {
            sequence: header[3],
            payload: payload.to_vec(),
        };
        Some((frame, rest))
    }

    /// Whether it is an error.
    pub(crate) fn is_error(&self) -> bool {
        self.payload.first() == Some(&0xff)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 120;
        let shown = self.payload.get(..SHOWN).unwrap_or(&self.payload);
        write!(
            f,
            "#{} {} bytes: {}",
            self.sequence,
            self.payload.len(),
            shown.escape_ascii()
        )
    }
}

/// Appends a payload of any length, in as many frames as it takes.
pub(crate) fn put(out: &mut Vec<u8>, sequence: u8, payload: &[u8]) {
    let (mut sequence, mut rest) = (sequence, payload);
    loop {
        let (frame, after) = rest.split_at(rest.len().min(FRAME_MAX_BYTES));
        out.extend(&(frame.len() as u32).to_le_bytes()[..3]);
        out.push(sequence);
        out.extend(frame);
        sequence = sequence.wrapping_add(1);
        rest = after;
        if frame.len() < FRAME_MAX_BYTES {
            return;
        }
    }
}

/// Appends a length-encoded integer.
pub(crate) fn put_lenenc(out: &mut Vec<u8>, value: usize) {
    match value {
        0..=0xfa => out.push(value as u8),
        0xfb..=0xffff => {
            out.push(0xfc);
            out.extend(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend(&(value as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend(&(value as u64).to_le_bytes());
        }
    }
}

/// Appends a length-encoded string.
pub(crate) fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, bytes.len());
    out.extend(bytes);
}
