//! Vectors: values of two slots.
//!
//! A vector is two entries of the stack. The lower one says all about it; the upper one is a
//! temporary of type `Pad`, which is never copied or settled by itself.

use super::stack::Entry;
#[cfg(feature = "simd")]
use super::stack::Kind;
use super::{MAX_SLOTS, Translator, Ty};
use crate::error::LoadErrorKind;
use crate::types::ValType;
use sheave_isa::Op;

impl Translator<'_> {
    // ---- the stack ------------------------------------------------------------------------------

    /// Pushes a value that is in its slot or slots.
    #[inline]
    pub(super) fn push_value(&mut self, ty: Ty) {
        self.push_temp(ty);
        if ty == Ty::V128 {
            self.push_temp(Ty::Pad);
        }
    }

    /// Takes the top value, whatever its type, and gives it with the height of its first entry.
    #[inline]
    pub(super) fn pop_value(&mut self) -> (Entry, u32) {
        let top = self.pop();
        if top.0.ty == Ty::Pad { self.pop() } else { top }
    }

    /// Whether the top `n` entries are one vector.
    pub(super) fn is_one_vector(&self, n: u32) -> bool {
        n == 2 && matches!(self.stack.last(), Some(top) if top.ty == Ty::Pad)
    }

    // ---- locals ---------------------------------------------------------------------------------

    /// Declares parameters among which there are vectors.
    pub(super) fn declare_vectors(&mut self, params: &[ValType]) {
        self.local_slots.clear();
        for ty in params {
            self.declare(self.ty(*ty));
        }
    }

    fn declare(&mut self, ty: Ty) {
        self.local_slots.push(self.local_types.len() as u32);
        self.local_types.push(ty);
        if ty == Ty::V128 {
            self.local_types.push(Ty::Pad);
        }
    }

    /// Declares locals, if they or any before them are vectors.
    pub(super) fn vector_locals(&mut self, count: u32, ty: Ty) {
        let first = self.n_locals;
        if !self.has_vectors {
            self.has_vectors = true;
            self.local_slots.clear();
            self.local_slots.extend(0..first);
        }
        let slots = if ty == Ty::V128 { 2 } else { 1 };
        self.n_locals = first.saturating_add(count.saturating_mul(slots));
        if self.n_locals > MAX_SLOTS {
            self.failed = Some(LoadErrorKind::TooManySlots);
            return;
        }
        for _ in 0..count {
            self.declare(ty);
        }
    }

    /// The slot of a local.
    #[inline]
    pub(super) fn local_slot(&self, x: u32) -> u32 {
        if self.has_vectors {
            self.local_slots[x as usize]
        } else {
            x
        }
    }

    /// `local.get` in a function that has vectors as locals.
    pub(super) fn get_local_among_vectors(&mut self, x: u32) {
        let x = self.local_slots[x as usize];
        self.reads_local(x);
        self.push_local(x);
        if self.local_types[x as usize] == Ty::V128 {
            if x >= self.n_params && !self.initialised[x as usize] {
                self.needs_zero(x + 1);
            }
            self.push_temp(Ty::Pad);
        }
    }

    // ---- constants and copies -------------------------------------------------------------------

    #[cfg(feature = "simd")]
    pub(super) fn visit_v128_const(&mut self, value: wasmparser::V128) {
        if !self.reachable {
            return;
        }
        let bits = self.vectors.len() as u64;
        self.vectors.push(value.i128() as u128);
        self.push(Entry {
            kind: Kind::Const,
            ty: Ty::V128,
            x: 0,
            bits,
        });
        self.push_temp(Ty::Pad);
    }

    /// Writes a constant to two slots.
    pub(super) fn put_vector(&mut self, dst: u16, value: u128) {
        let mut units = [0; 10];
        units[0] = Op::ConstV128 as u16;
        units[1] = dst;
        for (unit, bytes) in units[2..]
            .iter_mut()
            .zip(value.to_le_bytes().chunks_exact(2))
        {
            *unit = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        self.put_value(units);
    }

    /// Copies two slots.
    pub(super) fn put_vector_copy(&mut self, dst: u16, src: u16) {
        if dst != src {
            self.put_value([Op::CopyV128 as u16, dst, src]);
        }
    }
}
