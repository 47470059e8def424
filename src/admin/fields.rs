//! Reads fields off the front of a packet. Bytes that are not there are `None`, never a panic.

/// What is left of a packet.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Bytes that end with a NUL, which is taken, too.
    pub(super) fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.u8()?;
        Some(text)
    }

    /// Bytes behind a length-encoded count.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let width = match self.u8()? {
            short @ 0..=0xfa => return self.bytes(usize::from(short)),
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => return None,
        };
        let mut count = [0; 8];
        count.get_mut(..width)?.copy_from_slice(self.bytes(width)?);
        self.bytes(usize::try_from(u64::from_le_bytes(count)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_bytes_are_none() {
        let check = |bytes: &[u8], expected: Option<&[u8]>| assert_eq!(Fields(bytes).counted(), expected);
        check(&[2, 7, 8, 9], Some(&[7, 8]));
        check(&[0xfc, 1, 0, 7], Some(&[7]));
        check(&[0xfd, 1, 0, 0, 7], Some(&[7]));
        check(&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0, 7], Some(&[7]));
        check(&[0], Some(&[]));
        for wrong in [
            &[][..],
            &[2, 7],
            &[0xfb],
            &[0xff],
            &[0xfc, 1],
            &[0xfe, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            check(wrong, None);
        }
        assert_eq!(Fields(b"ab\0c").until_nul(), Some(&b"ab"[..]));
        assert_eq!(Fields(b"ab").until_nul(), None);
    }
}
