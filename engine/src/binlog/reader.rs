//! Reading the fields of an event, never past its end.

use super::StreamEnd;

/// An event ended before its last field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truncated;

impl From<Truncated> for StreamEnd {
    fn from(_: Truncated) -> Self {
        Self::NotUnderstood("an event of the binary log ends early".to_owned())
    }
}

/// What is left to read of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Truncated> {
        let (first, rest) = self.0.split_first().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    /// An unsigned number of `count` bytes (at most 8), the lowest first.
    pub(super) fn little(&mut self, count: usize) -> Result<u64, Truncated> {
        let bytes = self.bytes(count)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// An unsigned number of `count` bytes (at most 8), the highest first.
    pub(super) fn big(&mut self, count: usize) -> Result<u64, Truncated> {
        let bytes = self.bytes(count)?;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length of `count` bytes, the lowest first.
    pub(super) fn length(&mut self, count: usize) -> Result<usize, Truncated> {
        usize::try_from(self.little(count)?).map_err(|_| Truncated)
    }

    /// A length-encoded number.
    pub(super) fn lenenc(&mut self) -> Result<u64, Truncated> {
        match self.u8()? {
            0xFC => self.little(2),
            0xFD => self.little(3),
            0xFE => self.little(8),
            0xFB | 0xFF => Err(Truncated),
            small => Ok(u64::from(small)),
        }
    }

    /// A length-encoded number that counts things in memory.
    pub(super) fn lenenc_length(&mut self) -> Result<usize, Truncated> {
        usize::try_from(self.lenenc()?).map_err(|_| Truncated)
    }
}

/// A set of columns, one bit a column, the lowest bit first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bitmap<'a>(&'a [u8]);

impl<'a> Bitmap<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, bits: usize) -> Result<Self, Truncated> {
        reader.bytes(bits.div_ceil(8)).map(Self)
    }

    pub(super) fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// How many of the first `bits` bits are set.
    pub(super) fn count(&self, bits: usize) -> usize {
        (0..bits).filter(|bit| self.has(*bit)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let mut reader = Reader::new(&[1, 2, 1, 2, 0xFC, 3, 1, 7]);
        assert_eq!(reader.little(2), Ok(0x0201));
        assert_eq!(reader.big(2), Ok(0x0102));
        assert_eq!(reader.lenenc(), Ok(0x0103));
        assert_eq!(reader.lenenc(), Ok(7));
        assert_eq!(reader.u8(), Err(Truncated));
        assert!(reader.is_empty());
    }

    #[test]
    fn bits_are_counted_from_the_lowest() {
        let bitmap = Bitmap::read(&mut Reader::new(&[0b0000_0101, 0b0000_0001]), 9).unwrap();
        let set: Vec<usize> = (0..20).filter(|bit| bitmap.has(*bit)).collect();
        assert_eq!(set, [0, 2, 8]);
        assert_eq!(bitmap.count(8), 2);
    }
}
