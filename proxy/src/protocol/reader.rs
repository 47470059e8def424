//! Checked reads of the protocol's basic types.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html>

/// Reads a packet's payload from the front; every read answers `None` when the bytes end too soon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_le_bytes([a, b, c, 0]))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer; `0xfb` (NULL) and `0xff` are none.
    pub(crate) fn lenenc(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=0xfa => Some(u64::from(small)),
            0xfc => self.u16().map(u64::from),
            0xfd => self.u24().map(u64::from),
            0xfe => self.u64(),
            0xfb | 0xff => None,
        }
    }

    /// A length-encoded string.
    pub(crate) fn lenenc_bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.lenenc()?).ok()?;
        self.take(length)
    }

    /// A value of a text row: `Some(None)` is NULL.
    pub(crate) fn text_value(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.take(1)?;
            return Some(None);
        }
        self.lenenc_bytes().map(Some)
    }

    /// The bytes before the next NUL, which is read too.
    pub(crate) fn until_nul(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_encoded_integers() {
        let check = |bytes: &[u8], expected: Option<u64>| {
            assert_eq!(Reader::new(bytes).lenenc(), expected, "{bytes:x?}");
            for short in 0..bytes.len() {
                assert_eq!(
                    Reader::new(&bytes[..short]).lenenc(),
                    None,
                    "{bytes:x?} cut at {short}"
                );
            }
        };
        check(&[0xfa], Some(250));
        check(&[0xfc, 0xfb, 0x00], Some(251));
        check(&[0xfd, 1, 0, 1], Some(65_537));
        check(&[0xfe, 0, 0, 0, 1, 0, 0, 0, 0], Some(1 << 24));
        check(&[0xfb], None);
        check(&[0xff], None);
    }

    #[test]
    fn strings_end_where_they_say() {
        assert_eq!(Reader::new(b"\x03abcd").lenenc_bytes(), Some(&b"abc"[..]));
        assert_eq!(Reader::new(b"\x03ab").lenenc_bytes(), None);
        assert_eq!(
            Reader::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff").lenenc_bytes(),
            None
        );
        assert_eq!(Reader::new(b"ab\0c").until_nul(), Some(&b"ab"[..]));
        assert_eq!(Reader::new(b"ab").until_nul(), None);
        assert_eq!(Reader::new(b"\xfb").text_value(), Some(None));
    }
}
