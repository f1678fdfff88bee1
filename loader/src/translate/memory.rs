//! Loads and stores, with the sums that made their addresses.

use super::emit::{hi, lo};
use super::ops::Popped;
use super::stack::{Entry, Kind};
use super::{NONE, Translator, Ty};
use sheave_isa::Op;
use wasmparser::{MemArg, MemArgTarget};

impl Translator<'_> {
    pub(super) fn load(&mut self, op: Op, ty: Ty, arg: MemArg) {
        if !self.reachable {
            return;
        }
        if self.any_memory64 && self.is_memory64(&arg) {
            return self.load64(op, ty, &arg);
        }
        let (entry, at) = self.pop();
        let dst = self.temp(at);
        let offset = arg.offset as u32;
        let memory = memory_of(&arg);
        if memory != 0 {
            let addr = self.slot(entry, at);
            let form = op.mem_form().unwrap_or(op);
            self.put_value([form as u16, dst, addr, lo(offset), hi(offset), memory]);
        } else if let Some(address) = absolute(entry, offset)
            && let Some(form) = op.abs_form()
        {
            self.put_value([form as u16, dst, lo(address), hi(address)]);
        } else if !self.load_at_sum(op, dst, entry, at, offset) {
            let addr = self.slot_low((entry, at));
            self.put_value([op as u16, dst, addr, lo(offset), hi(offset)]);
        }
        self.push_value(ty);
    }

    pub(super) fn store(&mut self, op: Op, arg: MemArg) {
        if !self.reachable {
            return;
        }
        if self.any_memory64 && self.is_memory64(&arg) {
            return self.store64(op, &arg);
        }
        let (mut value, value_at) = self.pop_value();
        let (addr, addr_at) = self.pop();
        let offset = arg.offset as u32;
        let memory = memory_of(&arg);
        if memory != 0 {
            let addr = self.slot(addr, addr_at);
            let value = self.slot(value, value_at);
            let form = op.mem_form().unwrap_or(op);
            self.put(&mut [form as u16, addr, value, lo(offset), hi(offset), memory]);
            return;
        }
        let mut op = op;
        if value.is_const() {
            // The bits are stored, whatever their type.
            match op {
                Op::F32Store => (op, value.ty) = (Op::I32Store, Ty::I32),
                Op::F64Store => (op, value.ty) = (Op::I64Store, Ty::I64),
                _ => {}
            }
            if !addr.is_const()
                && let Some(imm) = store_imm(op, value.bits)
                && let Some(form) = op.imm_form()
            {
                let addr = self.slot(addr, addr_at);
                self.put(&mut [form as u16, addr, imm, lo(offset), hi(offset)]);
                return;
            }
        }
        if let Some(address) = absolute(addr, offset)
            && let Some(form) = op.abs_form()
        {
            let value = self.stored((value, value_at), op);
            self.put(&mut [form as u16, lo(address), hi(address), value]);
            return;
        }
        if self.store_at_sum::<false>(op, (addr, addr_at), (value, value_at), offset)
            || self.load_and_store(op, (addr, addr_at), (value, value_at), offset)
        {
            return;
        }
        let addr = self.slot_low((addr, addr_at));
        let value = self.stored((value, value_at), op);
        self.put(&mut [op as u16, addr, value, lo(offset), hi(offset)]);
    }

    /// The slot of a value of which this op stores the low bits: what only changes others is left
    /// out.
    pub(super) fn stored(&mut self, value: Popped, op: Op) -> u16 {
        let low = match op {
            Op::I32Store8 => 0xff,
            Op::I32Store16 => 0xffff,
            Op::I32Store => return self.slot_low(value),
            _ => return self.slot(value.0, value.1),
        };
        if self.last_op_of(value.0, value.1) == Some(Op::I32AndImm)
            && self.asm.code[self.last as usize + 3] & low == low
        {
            return self.take_last().units[2];
        }
        self.slot_low(value)
    }

    /// A load whose address the last op added up.
    fn load_at_sum(&mut self, op: Op, dst: u16, entry: Entry, at: u32, offset: u32) -> bool {
        match self.last_op_of(entry, at) {
            Some(Op::I32Add) if offset <= 0xffff => {
                let Some(form) = op.add_form() else {
                    return false;
                };
                let [_, _, a, b, ..] = self.take_last().units;
                self.put_value([form as u16, dst, a, b, offset as u16]);
                true
            }
            Some(Op::I32AddShl) if offset <= 0xffff => {
                let Some(form) = op.add_shl_form() else {
                    return false;
                };
                let [_, _, a, b, k, ..] = self.take_last().units;
                self.put_value([form as u16, dst, a, b, k, offset as u16]);
                true
            }
            // With an offset the sum would have to wrap before it is added.
            Some(Op::I32AddImm) if offset == 0 => {
                let Some(form) = op.addi_form() else {
                    return false;
                };
                let [_, _, a, low, high, ..] = self.take_last().units;
                self.put_value([form as u16, dst, a, low, high]);
                true
            }
            _ => false,
        }
    }

    /// A store whose address was added up by the last op, or by the one before if the last made
    /// the value; in 64 bits if `WIDE`.
    pub(super) fn store_at_sum<const WIDE: bool>(
        &mut self,
        op: Op,
        addr: Popped,
        value: Popped,
        offset: u32,
    ) -> bool {
        let (add, add_imm) = if WIDE {
            (Op::I64Add, Op::I64AddImm)
        } else {
            (Op::I32Add, Op::I32AddImm)
        };
        let made_value = self.is_last(value.0, value.1);
        let sum = if made_value { self.prev } else { self.last };
        if sum == NONE
            || addr.0.kind != Kind::Temp
            || self.asm.code[sum as usize + 1] != self.temp(addr.1)
        {
            return false;
        }
        let form = match self.opcode_at(sum) {
            Some(sum) if sum == add && offset <= 0xffff => op.add_form(),
            Some(Op::I32AddShl) if !WIDE && offset <= 0xffff => op.add_shl_form(),
            Some(sum) if sum == add_imm && offset == 0 => op.addi_form(),
            _ => None,
        };
        let Some(form) = form else { return false };
        // The sum may have read the slot that the value now has: then it cannot come later.
        let by_slots = Some(form) != op.addi_form();
        let operands = &self.asm.code[sum as usize + 2..];
        let value_slot = self.temp(value.1);
        let taken = |slot| {
            slot == value_slot || (value.0.ty == Ty::V128 && slot == value_slot.wrapping_add(1))
        };
        if value.0.kind != Kind::Local && (taken(operands[0]) || (by_slots && taken(operands[1]))) {
            return false;
        }
        let made_value = made_value.then(|| self.take_last());
        let [opcode, _, a, b, high, ..] = self.take_last().units;
        self.bring_back(made_value);
        let value = self.stored(value, op);
        if opcode == add as u16 {
            self.put(&mut [form as u16, a, b, value, offset as u16]);
        } else if opcode == Op::I32AddShl as u16 {
            self.put(&mut [form as u16, a, b, value, high, offset as u16]);
        } else {
            self.put(&mut [form as u16, a, b, high, value]);
        }
        true
    }

    /// A store of what the last op loaded.
    fn load_and_store(&mut self, op: Op, addr: Popped, value: Popped, offset: u32) -> bool {
        let both = match (op, self.last_op_of(value.0, value.1)) {
            (Op::I32Store, Some(Op::I32Load)) | (Op::F32Store, Some(Op::F32Load)) => {
                Op::I32LoadStore
            }
            (Op::I64Store, Some(Op::I64Load)) | (Op::F64Store, Some(Op::F64Load)) => {
                Op::I64LoadStore
            }
            _ => return false,
        };
        let high = self.asm.code[self.last as usize + 4];
        if high != 0 || offset > 0xffff || addr.0.is_const() {
            return false;
        }
        let [_, _, src, src_offset, ..] = self.take_last().units;
        let dst = self.slot(addr.0, addr.1);
        self.put(&mut [both as u16, dst, offset as u16, src, src_offset]);
        true
    }
}

/// The address that a constant and an offset make, if it has 32 bits.
fn absolute(entry: Entry, offset: u32) -> Option<u32> {
    if entry.is_const() {
        (entry.bits as u32).checked_add(offset)
    } else {
        None
    }
}

pub(super) fn memory_of(arg: &MemArg) -> u16 {
    match arg.target {
        // There are at most 100.
        MemArgTarget::Memory(index) => index as u16,
        MemArgTarget::Array(_) => 0,
    }
}

/// The 16-bit immediate, to be sign-extended, that stores the same bytes as `bits`.
pub(super) fn store_imm(op: Op, bits: u64) -> Option<u16> {
    let fits = match op {
        Op::I32Store8 | Op::I64Store8 => return Some(u16::from(bits as u8)),
        Op::I32Store16 | Op::I64Store16 => return Some(bits as u16),
        Op::I32Store | Op::I64Store32 => bits as i32 == i32::from(bits as i16),
        Op::I64Store => bits as i64 == i64::from(bits as i16),
        _ => false,
    };
    fits.then_some(bits as u16)
}
