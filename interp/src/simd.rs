//! Vectors of 128 bits, by lanes. Spec: exec-vec.
//!
//! Everything is written over arrays of lanes, which LLVM turns into vector instructions.

/// A vector: 16 bytes as they lie in memory and in slots, so lanes are little-endian on every target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct V128([u8; 16]);
