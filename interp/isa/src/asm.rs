//! The encoder's state: a growing sequence of units. One method an op is derived from the table (see `lib.rs`).

use crate::{LABEL, Op};

/// Writes ops, one after the other.
#[derive(Default, Debug, Clone)]
pub struct Asm {
    /// The units written so far.
    pub code: Vec<u16>,
}

impl Asm {
    /// An empty sequence.
    pub fn new() -> Asm {
        Asm::default()
    }

    /// The position, in units, where the next op will start.
    #[inline]
    pub fn pos(&self) -> u32 {
        self.code.len() as u32
    }

    /// Appends one whole op and gives the position where it starts.
    #[inline]
    pub fn push<const N: usize>(&mut self, units: &[u16; N]) -> u32 {
        let at = self.pos();
        self.code.extend_from_slice(units);
        at
    }

    /// Appends an op whose operands are three units (slots, mostly).
    #[inline]
    pub fn op3(&mut self, op: Op, a: u16, b: u16, c: u16) -> u32 {
        debug_assert_eq!(op.len(), 4, "{op:?}");
        self.push(&[op as u16, a, b, c])
    }

    /// Appends an op whose operands are two units.
    #[inline]
    pub fn op2(&mut self, op: Op, a: u16, b: u16) -> u32 {
        debug_assert_eq!(op.len(), 3, "{op:?}");
        self.push(&[op as u16, a, b])
    }

    /// Appends an op of two units and a 32-bit operand.
    #[inline]
    pub fn op2_32(&mut self, op: Op, a: u16, b: u16, x: u32) -> u32 {
        debug_assert_eq!(op.len(), 5, "{op:?}");
        self.push(&[op as u16, a, b, x as u16, (x >> 16) as u16])
    }

    /// Appends an op of two units and a 64-bit operand.
    #[inline]
    pub fn op2_64(&mut self, op: Op, a: u16, b: u16, x: u64) -> u32 {
        debug_assert_eq!(op.len(), 7, "{op:?}");
        self.push(&[
            op as u16,
            a,
            b,
            x as u16,
            (x >> 16) as u16,
            (x >> 32) as u16,
            (x >> 48) as u16,
        ])
    }

    /// Appends an op of one unit, a 32-bit operand and one unit.
    #[inline]
    pub fn op1_32_1(&mut self, op: Op, a: u16, x: u32, b: u16) -> u32 {
        debug_assert_eq!(op.len(), 5, "{op:?}");
        self.push(&[op as u16, a, x as u16, (x >> 16) as u16, b])
    }

    /// Appends an op of one unit and a 32-bit operand.
    #[inline]
    pub fn op1_32(&mut self, op: Op, a: u16, x: u32) -> u32 {
        debug_assert_eq!(op.len(), 4, "{op:?}");
        self.push(&[op as u16, a, x as u16, (x >> 16) as u16])
    }

    /// Overwrites the 32-bit operand that starts at unit `at`.
    #[inline]
    pub fn patch_u32(&mut self, at: u32, x: u32) {
        self.code[at as usize] = x as u16;
        self.code[at as usize + 1] = (x >> 16) as u16;
    }

    /// Overwrites the unit at `at`.
    #[inline]
    pub fn patch_u16(&mut self, at: u32, x: u16) {
        self.code[at as usize] = x;
    }

    /// Marks the op that starts at `at` as the target of a branch.
    #[inline]
    pub fn mark_label(&mut self, at: u32) {
        self.code[at as usize] |= LABEL;
    }
}
