//! Read buffers that nobody needs at the moment, one stack a thread.
//!
//! A session holds a buffer only while bytes are in it, so idle sessions hold none; and as most reads are written at once,
//! a few buffers a thread serve thousands of sessions without asking the allocator.

use std::cell::RefCell;

use bytes::BytesMut;

/// The capacity of a buffer worth keeping: smaller ones serve nobody, larger ones are traffic's of their own kind.
pub(super) const SPARE_BYTES: usize = 16 << 10;
/// How many a thread keeps.
const SPARES_MAX: usize = 16;

thread_local! {
    static SPARES: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, one that was kept if there is one.
pub(super) fn take() -> BytesMut {
    SPARES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps an empty buffer for the next who needs one, or frees it.
pub(super) fn give(mut buffer: BytesMut) {
    let is_worth_it =
        buffer.is_empty() && buffer.try_reclaim(SPARE_BYTES) && buffer.capacity() < 2 * SPARE_BYTES;
    SPARES.with_borrow_mut(|spares| {
        if is_worth_it && spares.len() < SPARES_MAX {
            spares.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn only_buffers_of_use_are_kept() {
        let is_kept = |buffer: BytesMut| {
            SPARES.with_borrow_mut(Vec::clear);
            give(buffer);
            SPARES.with_borrow(Vec::len) == 1
        };
        let mut used = BytesMut::with_capacity(SPARE_BYTES);
        used.extend_from_slice(&[7; 1000]);
        used.advance(1000);
        assert!(is_kept(used));
        assert_eq!(take().capacity(), SPARE_BYTES);
        assert!(!is_kept(BytesMut::new()));
        assert!(!is_kept(BytesMut::with_capacity(100)));
        assert!(!is_kept(BytesMut::with_capacity(256 << 10)));
        let mut full = BytesMut::with_capacity(SPARE_BYTES);
        full.extend_from_slice(b"x");
        assert!(!is_kept(full));
        for _ in 0..100 {
            give(BytesMut::with_capacity(SPARE_BYTES));
        }
        assert_eq!(SPARES.with_borrow(Vec::len), SPARES_MAX);
    }
}
