//! Packets on the wire: three bytes of length, one of sequence number, the payload.
//!
//! A payload of 2^24-1 bytes or more travels in several frames; only the first has the payload's head.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use bytes::{BufMut, BytesMut};

use super::reader::Reader;

/// The bytes before every frame's payload.
pub(crate) const HEADER_BYTES: usize = 4;
/// A frame of this length is continued by the next one.
pub(crate) const FRAME_MAX_BYTES: usize = 0xff_ffff;
/// How much of a payload tells what the packet is: an OK packet's longest way to its status flags and warnings.
pub(crate) const HEAD_BYTES: usize = 24;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: usize,
    pub(crate) sequence: u8,
}

impl Header {
    /// Reads the header at the front of `bytes`.
    pub(crate) fn peek(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let length = usize::try_from(reader.u24()?).ok()?;
        Some(Self {
            length,
            sequence: reader.u8()?,
        })
    }

    /// Whether the next frame continues this one's payload.
    pub(crate) fn is_continued(self) -> bool {
        self.length == FRAME_MAX_BYTES
    }
}

/// The whole packet at the front of `bytes`, if it is there; a continued one never is.
pub(crate) fn peek_packet(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::peek(bytes)?;
    if header.is_continued() {
        return None;
    }
    let payload = bytes.get(HEADER_BYTES..HEADER_BYTES + header.length)?;
    Some((header, payload))
}

/// Appends one packet. `payload` is the proxy's own and shorter than a full frame; a longer one is cut off,
/// which a caller that made one would notice at once.
pub(crate) fn put_packet(out: &mut BytesMut, sequence: u8, payload: &[u8]) {
    let payload = payload.get(..FRAME_MAX_BYTES - 1).unwrap_or(payload);
    let length = u32::try_from(payload.len()).unwrap_or(0);
    out.put_uint_le(u64::from(length), 3);
    out.put_u8(sequence);
    out.put_slice(payload);
}

/// The first bytes of a packet, and the length of its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The first frame's length; `FRAME_MAX_BYTES` says that the packet is longer still.
    pub(crate) length: usize,
    bytes: [u8; HEAD_BYTES],
    filled: usize,
}

impl Head {
    fn empty(length: usize) -> Self {
        Self {
            length,
            bytes: [0; HEAD_BYTES],
            filled: 0,
        }
    }

    /// The head of a packet of which the beginning is there, the first `length` bytes of its frame or fewer.
    pub(crate) fn of_frame(length: usize, beginning: &[u8]) -> Self {
        let mut head = Self::empty(length);
        head.extend(beginning.get(..length).unwrap_or(beginning));
        head
    }

    /// The head of a packet that is there as a whole.
    pub(crate) fn of(payload: &[u8]) -> Self {
        let mut head = Self::empty(payload.len().min(FRAME_MAX_BYTES));
        head.extend(payload);
        head
    }

    fn extend(&mut self, more: &[u8]) {
        let free = self.bytes.get_mut(self.filled..).unwrap_or_default();
        let count = free.len().min(more.len());
        if let (Some(to), Some(from)) = (free.get_mut(..count), more.get(..count)) {
            to.copy_from_slice(from);
            self.filled += count;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    pub(crate) fn first(&self) -> Option<u8> {
        self.bytes().first().copied()
    }
}

/// Follows packet boundaries in a stream that arrives in arbitrary pieces.
///
/// A packet is reported when its last byte has been seen, so "the last reply ended" also means that nothing of
/// it is still to come.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    left: usize,
    head: Head,
    sequence: u8,
    continuing: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            header: [0; HEADER_BYTES],
            header_filled: 0,
            left: 0,
            head: Head::empty(0),
            sequence: 0,
            continuing: false,
        }
    }
}

impl Frames {
    /// Whether the stream stands between two packets.
    pub(crate) fn at_boundary(&self) -> bool {
        self.header_filled == 0 && !self.continuing
    }

    /// The number of the last packet's first frame.
    pub(crate) fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Takes bytes off `data` until a packet has ended, and answers its head; `None` when `data` is used up first.
    pub(crate) fn next(&mut self, data: &mut &[u8]) -> Option<Head> {
        loop {
            if self.header_filled < HEADER_BYTES {
                self.fill_header(data)?;
            }
            let (passing, rest) = data.split_at_checked(self.left).unwrap_or((data, &[]));
            *data = rest;
            self.left -= passing.len();
            if !self.continuing {
                self.head.extend(passing);
            }
            if self.left > 0 {
                return None;
            }
            self.header_filled = 0;
            self.continuing = Header::peek(&self.header).is_some_and(Header::is_continued);
            if !self.continuing {
                return Some(self.head);
            }
        }
    }

    /// `None` while the header is incomplete.
    fn fill_header(&mut self, data: &mut &[u8]) -> Option<()> {
        while self.header_filled < HEADER_BYTES {
            let (byte, rest) = data.split_first()?;
            *self.header.get_mut(self.header_filled)? = *byte;
            self.header_filled += 1;
            *data = rest;
        }
        let header = Header::peek(&self.header)?;
        self.left = header.length;
        if !self.continuing {
            self.sequence = header.sequence;
            self.head = Head::empty(self.left);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(stream: &[u8], piece: usize) -> Vec<(usize, Vec<u8>)> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for part in stream.chunks(piece) {
            let mut data = part;
            while let Some(head) = frames.next(&mut data) {
                found.push((head.length, head.bytes().to_vec()));
            }
        }
        assert!(frames.at_boundary());
        found
    }

    #[test]
    fn boundaries_do_not_depend_on_how_the_stream_is_cut() {
        let stream = b"\x01\0\0\x01a\0\0\0\x02\x1e\0\0\x03012345678901234567890123456789";
        let expected = vec![
            (1, b"a".to_vec()),
            (0, Vec::new()),
            (30, b"012345678901234567890123".to_vec()),
        ];
        for piece in 1..=stream.len() {
            assert_eq!(packets(stream, piece), expected, "pieces of {piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_cut_in_any_way_are_the_same_packets(
            bytes in proptest::collection::vec(proptest::prelude::prop_oneof![
                3 => proptest::prelude::Just(0u8), 1 => 0u8..9, 1 => proptest::prelude::any::<u8>(),
            ], 0..300),
            cuts in proptest::collection::vec(1usize..20, 1..20),
        ) {
            let found = |cuts: &[usize]| {
                let (mut frames, mut found, mut rest) = (Frames::default(), Vec::new(), &bytes[..]);
                for size in cuts.iter().cycle() {
                    let (mut piece, after) = rest.split_at((*size).min(rest.len()));
                    while let Some(head) = frames.next(&mut piece) {
                        found.push(head);
                    }
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
                (found, frames.at_boundary())
            };
            proptest::prop_assert_eq!(found(&cuts), found(&[bytes.len().max(1)]));
        }
    }

    #[test]
    fn a_long_packet_is_one_packet() {
        let mut stream = vec![0xff, 0xff, 0xff, 0];
        stream.extend(vec![0xfe; FRAME_MAX_BYTES]);
        stream.extend([0, 0, 0, 1]);
        stream.extend([1, 0, 0, 2, 7]);
        let expected = vec![(FRAME_MAX_BYTES, vec![0xfe; 24]), (1, vec![7])];
        for piece in [1 << 16, 16_777_216, 40_000_000] {
            assert_eq!(packets(&stream, piece), expected);
        }
    }

    #[test]
    fn a_packet_is_peeked_only_whole() {
        let bytes = b"\x02\0\0\x07hi!";
        assert_eq!(
            peek_packet(bytes),
            Some((
                Header {
                    length: 2,
                    sequence: 7
                },
                &b"hi"[..]
            ))
        );
        for short in 0..6 {
            assert_eq!(peek_packet(&bytes[..short]), None);
        }
    }

    #[test]
    fn a_packet_put_is_the_packet_peeked() {
        let mut out = BytesMut::new();
        put_packet(&mut out, 9, b"abc");
        assert_eq!(&out[..], b"\x03\0\0\x09abc");
    }
}
