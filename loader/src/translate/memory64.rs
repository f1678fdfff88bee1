//! Loads and stores in memories with 64-bit addresses.
//!
//! Memory 0 has forms of its own, as with 32 bits; the form for other memories serves both kinds.

use super::emit::{hi, lo};
use super::memory::{memory_of, store_imm};
use super::ops::{Popped, Swap};
use super::stack::{Entry, Kind};
use super::{Translator, Ty};
use sheave_isa::Op;
use wasmparser::MemArg;

impl Translator<'_> {
    /// Whether this memory has 64-bit addresses.
    pub(super) fn is_memory64(&self, arg: &MemArg) -> bool {
        self.memory_ty(u32::from(memory_of(arg))) == Ty::I64
    }

    /// The type of addresses and sizes of a memory.
    pub(super) fn memory_ty(&self, memory: u32) -> Ty {
        match self.info.memories.get(memory as usize) {
            Some(ty) if ty.memory64 => Ty::I64,
            _ => Ty::I32,
        }
    }

    /// The type of indices and sizes of a table.
    pub(super) fn table_ty(&self, table: u32) -> Ty {
        match self.info.tables.get(table as usize) {
            Some(ty) if ty.table64 => Ty::I64,
            _ => Ty::I32,
        }
    }

    /// Indices are often an i32, of arrays whose elements are a power of two long.
    pub(super) fn visit_i64_shl(&mut self) {
        if !self.reachable {
            return;
        }
        let (b, a) = (self.pop(), self.pop());
        let dst = self.temp(a.1);
        if b.0.is_const() && self.last_op_of(a.0, a.1) == Some(Op::I64ExtendI32S) {
            let src = self.take_last().units[2];
            let k = b.0.bits as u16 & 63;
            self.put_value([Op::I64ExtendI32SShl as u16, dst, src, k]);
        } else {
            self.binary_of(Op::I64Shl, dst, a, b, Ty::I64, Swap::No);
        }
        self.push_temp(Ty::I64);
    }

    /// The address and what is left of the offset, of which the ops hold 32 bits.
    pub(super) fn address64(&mut self, (entry, at): Popped, offset: u64) -> (Popped, u32) {
        if let Ok(offset) = u32::try_from(offset) {
            return ((entry, at), offset);
        }
        let addr = self.slot(entry, at);
        let (low, high) = (offset as u32, (offset >> 32) as u32);
        let sum = self.temp(at);
        let op = Op::AddressAdd as u16;
        self.put_value([op, sum, addr, lo(low), hi(low), lo(high), hi(high)]);
        let entry = Entry {
            kind: Kind::Temp,
            ..entry
        };
        ((entry, at), 0)
    }

    pub(super) fn load64(&mut self, op: Op, ty: Ty, arg: &MemArg) {
        let addr = self.pop();
        let dst = self.temp(addr.1);
        let memory = memory_of(arg);
        if memory == 0
            && let Some(address) = absolute64(addr.0, arg.offset)
            && let Some(form) = op.abs_form()
        {
            self.put_value([form as u16, dst, lo(address), hi(address)]);
            self.push_value(ty);
            return;
        }
        let (addr, offset) = self.address64(addr, arg.offset);
        let m64 = op.m64_form().unwrap_or(op);
        if memory != 0 || op.m64_form().is_none() {
            let addr = self.slot(addr.0, addr.1);
            let form = op.mem_form().unwrap_or(op);
            self.put_value([form as u16, dst, addr, lo(offset), hi(offset), memory]);
        } else if !self.load_at_sum64(m64, dst, addr, offset) {
            let addr = self.slot(addr.0, addr.1);
            self.put_value([m64 as u16, dst, addr, lo(offset), hi(offset)]);
        }
        self.push_value(ty);
    }

    /// A load whose address the last op added up.
    fn load_at_sum64(&mut self, op: Op, dst: u16, addr: Popped, offset: u32) -> bool {
        let form = match self.last_op_of(addr.0, addr.1) {
            Some(Op::I64Add) if offset <= 0xffff => op.add_form(),
            // With an offset the sum would have to wrap before it is added.
            Some(Op::I64AddImm) if offset == 0 => op.addi_form(),
            _ => None,
        };
        let Some(form) = form else { return false };
        let [_, _, a, b, high, ..] = self.take_last().units;
        let last = if Some(form) == op.add_form() {
            offset as u16
        } else {
            high
        };
        self.put_value([form as u16, dst, a, b, last]);
        true
    }

    pub(super) fn store64(&mut self, op: Op, arg: &MemArg) {
        let (mut value, value_at) = self.pop_value();
        let addr = self.pop();
        let memory = memory_of(arg);
        let mut op = op;
        if memory == 0 && value.is_const() {
            // The bits are stored, whatever their type.
            match op {
                Op::F32Store => (op, value.ty) = (Op::I32Store, Ty::I32),
                Op::F64Store => (op, value.ty) = (Op::I64Store, Ty::I64),
                _ => {}
            }
        }
        if memory == 0
            && let Some(address) = absolute64(addr.0, arg.offset)
            && let Some(form) = op.abs_form()
        {
            let value = self.stored((value, value_at), op);
            self.put(&mut [form as u16, lo(address), hi(address), value]);
            return;
        }
        let ((addr, addr_at), offset) = self.address64(addr, arg.offset);
        if memory != 0 {
            let addr = self.slot(addr, addr_at);
            let value = self.slot(value, value_at);
            let form = op.mem_form().unwrap_or(op);
            self.put(&mut [form as u16, addr, value, lo(offset), hi(offset), memory]);
            return;
        }
        let m64 = op.m64_form().unwrap_or(op);
        if value.is_const()
            && !addr.is_const()
            && let Some(imm) = store_imm(op, value.bits)
            && let Some(form) = m64.imm_form()
        {
            let addr = self.slot(addr, addr_at);
            self.put(&mut [form as u16, addr, imm, lo(offset), hi(offset)]);
            return;
        }
        if self.store_at_sum::<true>(m64, (addr, addr_at), (value, value_at), offset) {
            return;
        }
        let addr = self.slot(addr, addr_at);
        let value = self.stored((value, value_at), op);
        self.put(&mut [m64 as u16, addr, value, lo(offset), hi(offset)]);
    }
}

/// The address that a constant and an offset make, if it has 32 bits.
fn absolute64(entry: Entry, offset: u64) -> Option<u32> {
    if entry.is_const() {
        u32::try_from(entry.bits.checked_add(offset)?).ok()
    } else {
        None
    }
}
