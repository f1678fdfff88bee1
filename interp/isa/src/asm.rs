//! The encoder's state: a growing sequence of units. One method an op is derived from the table (see `lib.rs`).

use crate::LABEL;

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
