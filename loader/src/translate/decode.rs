//! Reads operators as wasmparser does, the most frequent ones without its generality.
//!
//! More than nine of ten operators of a usual program are among two dozen, with immediates of few
//! bytes. Those are decoded here, all others (and whatever is malformed) by wasmparser; a visitor
//! is called with the same either way.

use core::marker::PhantomData;
use wasmparser::{
    BinaryReader, BlockType, FrameStack, MemArg, MemArgTarget, ValType, VisitOperator, WasmFeatures,
};

/// The operators that are decoded here, as [`VisitOperator`] has them.
macro_rules! frequent_operators {
    ($each:ident) => {
        $each! {
            visit_block(ty: BlockType)
            visit_loop(ty: BlockType)
            visit_if(ty: BlockType)
            visit_end()
            visit_br(label: u32)
            visit_br_if(label: u32)
            visit_call(func: u32)
            visit_local_get(local: u32)
            visit_local_set(local: u32)
            visit_local_tee(local: u32)
            visit_global_get(global: u32)
            visit_global_set(global: u32)
            visit_i32_load(memarg: MemArg)
            visit_i64_load(memarg: MemArg)
            visit_i32_load8_u(memarg: MemArg)
            visit_i32_store(memarg: MemArg)
            visit_i64_store(memarg: MemArg)
            visit_i32_store8(memarg: MemArg)
            visit_i32_const(value: i32)
            visit_i32_eqz()
            visit_i32_eq()
            visit_i32_add()
            visit_i32_sub()
            visit_i32_and()
            visit_i32_shl()
        }
    };
}
pub(super) use frequent_operators;

macro_rules! define_frequent {
    ($($visit:ident($($arg:ident: $ty:ty)?))*) => {
        /// Somebody to be told of the operators that are decoded here.
        pub(super) trait VisitFrequent {
            type Output;
            /// Whether a frame is open, so that there may be operators.
            fn is_open(&self) -> bool;
            $(fn $visit(&mut self $(, $arg: $ty)?) -> Self::Output;)*
        }

        impl<'a, V: VisitOperator<'a> + FrameStack> VisitFrequent for ForAll<'_, 'a, V> {
            type Output = V::Output;
            #[inline]
            fn is_open(&self) -> bool {
                self.visitor.current_frame().is_some()
            }
            $(
                #[inline]
                fn $visit(&mut self $(, $arg: $ty)?) -> Self::Output {
                    self.visitor.$visit($($arg)?)
                }
            )*
        }
    };
}
frequent_operators!(define_frequent);

/// Somebody who is told of all operators.
struct ForAll<'v, 'a, V> {
    visitor: &'v mut V,
    code: PhantomData<&'a [u8]>,
}

/// The operators of a function's body that are not read yet.
#[derive(Clone, Debug)]
pub(super) struct Operators<'a> {
    rest: &'a [u8],
    /// Where they end in the module.
    end: u64,
    features: WasmFeatures,
    /// Whether a frame is open, so that there may be operators.
    open: bool,
}

impl<'a> Operators<'a> {
    /// What a reader has not read yet.
    pub(super) fn new(reader: &BinaryReader<'a>, bytes: &'a [u8]) -> Self {
        let rest = bytes.get(reader.current_position()..).unwrap_or_default();
        Self {
            rest,
            end: reader.original_position() + rest.len() as u64,
            features: reader.features(),
            open: true,
        }
    }

    /// Where the next operator starts in the module.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.end - self.rest.len() as u64
    }

    /// Whether all were read.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that were not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// As wasmparser, for what is left.
    pub(super) fn reader(&self) -> BinaryReader<'a> {
        BinaryReader::new_features(self.rest, self.offset(), self.features)
    }

    /// Reads an operator and calls the visitor's method for it, as
    /// [`BinaryReader::visit_operator`] does.
    #[inline]
    pub(super) fn visit<V>(&mut self, visitor: &mut V) -> wasmparser::Result<V::Output>
    where
        V: VisitOperator<'a> + FrameStack,
    {
        let mut all = ForAll {
            visitor: &mut *visitor,
            code: PhantomData,
        };
        match self.visit_frequent(&mut all) {
            Some(output) => Ok(output),
            None => self.visit_any(visitor),
        }
    }

    /// Reads an operator if it is one of those that are decoded here.
    #[inline]
    pub(super) fn visit_frequent<V: VisitFrequent>(
        &mut self,
        visitor: &mut V,
    ) -> Option<V::Output> {
        if !self.open {
            return None;
        }
        let (output, bytes) = frequent(self.rest, visitor)?;
        if self.rest[0] == END {
            self.open = visitor.is_open();
        }
        self.rest = &self.rest[bytes..];
        Some(output)
    }

    /// Goes on where so many bytes are left.
    pub(super) fn skip_to_last(&mut self, left: usize) {
        let read = self.rest.len().saturating_sub(left);
        self.rest = &self.rest[read..];
    }

    /// Reads an operator, whichever it is.
    pub(super) fn visit_any<V>(&mut self, visitor: &mut V) -> wasmparser::Result<V::Output>
    where
        V: VisitOperator<'a> + FrameStack,
    {
        let mut reader = self.reader();
        let output = reader.visit_operator(visitor)?;
        self.open = visitor.current_frame().is_some();
        self.rest = &self.rest[reader.current_position()..];
        Ok(output)
    }
}

/// The operator that closes a frame.
const END: u8 = 0x0b;

/// Visits the first operator and gives its length, if it is one of those that are decoded here.
#[inline]
fn frequent<V: VisitFrequent>(bytes: &[u8], v: &mut V) -> Option<(V::Output, usize)> {
    let (&code, rest) = bytes.split_first()?;
    macro_rules! index {
        ($visit:ident) => {{
            let (index, n) = unsigned(rest)?;
            (v.$visit(index), 1 + n)
        }};
    }
    macro_rules! memory {
        ($visit:ident, $max_align:literal) => {{
            let (memarg, n) = memarg(rest, $max_align)?;
            (v.$visit(memarg), 1 + n)
        }};
    }
    Some(match code {
        0x02 => (v.visit_block(block_type(rest)?), 2),
        0x03 => (v.visit_loop(block_type(rest)?), 2),
        0x04 => (v.visit_if(block_type(rest)?), 2),
        END => (v.visit_end(), 1),
        0x0c => index!(visit_br),
        0x0d => index!(visit_br_if),
        0x10 => index!(visit_call),
        0x20 => index!(visit_local_get),
        0x21 => index!(visit_local_set),
        0x22 => index!(visit_local_tee),
        0x23 => index!(visit_global_get),
        0x24 => index!(visit_global_set),
        0x28 => memory!(visit_i32_load, 2),
        0x29 => memory!(visit_i64_load, 3),
        0x2d => memory!(visit_i32_load8_u, 0),
        0x36 => memory!(visit_i32_store, 2),
        0x37 => memory!(visit_i64_store, 3),
        0x3a => memory!(visit_i32_store8, 0),
        0x41 => {
            let (value, n) = signed(rest)?;
            (v.visit_i32_const(value), 1 + n)
        }
        0x45 => (v.visit_i32_eqz(), 1),
        0x46 => (v.visit_i32_eq(), 1),
        0x6a => (v.visit_i32_add(), 1),
        0x6b => (v.visit_i32_sub(), 1),
        0x71 => (v.visit_i32_and(), 1),
        0x74 => (v.visit_i32_shl(), 1),
        _ => return None,
    })
}

/// A number and its length. Linkers often leave it as long as it can be, so that is not unusual.
#[inline]
pub(crate) fn unsigned(bytes: &[u8]) -> Option<(u32, usize)> {
    match *bytes {
        [byte @ 0..0x80, ..] => Some((byte.into(), 1)),
        [low, high @ 0..0x80, ..] => Some((u32::from(low & 0x7f) | u32::from(high) << 7, 2)),
        _ => long_unsigned(bytes),
    }
}

#[inline(never)]
fn long_unsigned(bytes: &[u8]) -> Option<(u32, usize)> {
    let (value, last, n) = long(bytes)?;
    (n < 5 || last < 0x10).then_some((value, n))
}

/// The bits of a number of at most five bytes, its last byte, and its length.
#[inline]
fn long(bytes: &[u8]) -> Option<(u32, u8, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            return Some((value, *byte, i + 1));
        }
    }
    None
}

/// A signed number and its length.
#[inline]
pub(crate) fn signed(bytes: &[u8]) -> Option<(i32, usize)> {
    match *bytes {
        [byte @ 0..0x80, ..] => Some((i32::from(byte) << 25 >> 25, 1)),
        _ => long_signed(bytes),
    }
}

#[inline(never)]
fn long_signed(bytes: &[u8]) -> Option<(i32, usize)> {
    let (value, last, n) = long(bytes)?;
    match (n, last) {
        (5, 0..0x08 | 0x78..) => Some((value as i32, n)),
        (5, _) => None,
        _ => {
            let unused = 32 - 7 * n as u32;
            Some(((value << unused) as i32 >> unused, n))
        }
    }
}

/// What a load or store of the first memory says, without flags.
#[inline]
fn memarg(bytes: &[u8], max_align: u8) -> Option<(MemArg, usize)> {
    let (&align, rest) = bytes.split_first().filter(|(align, _)| **align < 16)?;
    let (offset, n) = unsigned(rest)?;
    let memarg = MemArg {
        align,
        max_align,
        offset: offset.into(),
        target: MemArgTarget::Memory(0),
        ordering: None,
    };
    Some((memarg, 1 + n))
}

/// A block type of one byte that is not an index.
#[inline]
fn block_type(bytes: &[u8]) -> Option<BlockType> {
    Some(match bytes.first()? {
        0x40 => BlockType::Empty,
        0x7f => BlockType::Type(ValType::I32),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_wasmparser() {
        let mut bytes = [0; 5];
        let seeds = if cfg!(miri) { 300 } else { 100_000 };
        let mut lengths = [0; 6];
        for seed in 0..seeds {
            let bits = u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15);
            for (i, byte) in bytes.iter_mut().enumerate() {
                *byte = (bits >> (9 * i)) as u8 | if bits >> 60 < 8 { 0x80 } else { 0 };
            }
            bytes[4] &= (bits >> 52) as u8;
            let mut reader = BinaryReader::new(&bytes, 0);
            let theirs = reader.read_var_u32().ok();
            let ours = unsigned(&bytes);
            assert_eq!(ours, theirs.map(|value| (value, reader.current_position())));
            let mut reader = BinaryReader::new(&bytes, 0);
            let theirs = reader.read_var_i32().ok();
            let ours = signed(&bytes);
            assert_eq!(ours, theirs.map(|value| (value, reader.current_position())));
            lengths[ours.map_or(0, |(_, n)| n)] += 1;
        }
        assert!(lengths.iter().all(|n| *n > 0), "{lengths:?}");
        assert_eq!(unsigned(&[0x80]), None);
        assert_eq!(unsigned(&[]), None);
    }
}
