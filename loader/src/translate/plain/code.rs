//! Reads the bytes of a function.

use super::super::decode;
use wasmparser::BinaryReader;

/// The bytes that are not read yet.
pub(super) struct Code<'b> {
    rest: &'b [u8],
}

impl<'b> Code<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// A byte that is zero: the index of the first memory.
    pub(super) fn zero(&mut self) -> Option<()> {
        (self.byte()? == 0).then_some(())
    }

    #[inline]
    pub(super) fn skip(&mut self, n: usize) -> Option<()> {
        self.rest = self.rest.get(n..)?;
        Some(())
    }

    /// An index or a count of at most four bytes.
    #[inline]
    pub(super) fn index(&mut self) -> Option<u32> {
        let (value, n) = decode::unsigned(self.rest)?;
        self.skip(n)?;
        Some(value)
    }

    /// What a load or store of the first memory says: an alignment without flags, an offset.
    #[inline]
    pub(super) fn memarg(&mut self, max_align: u8) -> Option<()> {
        let align = self.byte()?;
        self.index()?;
        (align <= max_align).then_some(())
    }

    #[inline]
    pub(super) fn i32(&mut self) -> Option<()> {
        self.signed(|reader| reader.read_var_i32().is_ok())
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Option<()> {
        self.signed(|reader| reader.read_var_i64().is_ok())
    }

    #[inline]
    fn signed(&mut self, read: impl FnOnce(&mut BinaryReader<'b>) -> bool) -> Option<()> {
        if *self.rest.first()? < 0x80 {
            return self.skip(1);
        }
        let mut reader = BinaryReader::new(self.rest, 0);
        if !read(&mut reader) {
            return None;
        }
        self.skip(reader.current_position())
    }
}
