//! Writing ops: labels, fuel, copies, constants.

use super::stack::{Entry, Kind};
use super::{NONE, Translator, Ty, maps};
use sheave_isa::{LABEL, Op};

/// The next op is the target of a branch.
pub(super) const MARK: u8 = 1;
/// The next op begins a block that fuel is counted for.
pub(super) const FUEL: u8 = 2;
/// Remember where each op came from. Never reset within a function.
pub(super) const RECORD: u8 = 4;
/// Remember where references are. Never reset within a function.
pub(super) const MAPS: u8 = 8;

/// More units than any op that writes one slot has.
const MAX_UNITS: usize = 12;

/// An op that was taken back.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) units: [u16; MAX_UNITS],
    len: usize,
    offset: u32,
    /// Its map, if it has one.
    map: Option<maps::Slots>,
}

impl Taken {
    /// The 32-bit operand at unit `at`.
    pub(super) fn imm32(&self, at: usize) -> u32 {
        u32::from(self.units[at]) | u32::from(self.units[at + 1]) << 16
    }
}

#[inline]
pub(super) fn lo(x: u32) -> u16 {
    x as u16
}

#[inline]
pub(super) fn hi(x: u32) -> u16 {
    (x >> 16) as u16
}

/// Lengths of ops in units: closer together than in the table.
static LENGTHS: [u8; sheave_isa::OP_COUNT] = {
    let mut lengths = [0; sheave_isa::OP_COUNT];
    let mut i = 0;
    while i < sheave_isa::OP_COUNT {
        lengths[i] = sheave_isa::OPS[i].len_units;
        i += 1;
    }
    lengths
};

impl Translator<'_> {
    /// The length of the op at `pos` in units.
    #[inline]
    pub(super) fn len_at(&self, pos: u32) -> u32 {
        let unit = self.asm.code[pos as usize] & !LABEL;
        LENGTHS.get(usize::from(unit)).copied().map_or(0, u32::from)
    }

    /// Writes an op that is not a candidate for `last`, and gives its position.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, units: &mut [u16; N]) -> u32 {
        if self.pending != 0 {
            self.before_op(&mut units[0]);
        }
        self.before = self.last;
        self.last = NONE;
        self.prev = NONE;
        self.asm.push(units)
    }

    /// Writes an op whose first operand is the only slot it writes.
    #[inline]
    pub(super) fn put_value<const N: usize>(&mut self, mut units: [u16; N]) {
        if self.pending != 0 {
            self.before_op(&mut units[0]);
        }
        self.prev = self.last;
        self.last = self.asm.push(&units);
    }

    /// Does what is pending for the op with this opcode unit.
    #[cold]
    fn before_op(&mut self, opcode: &mut u16) {
        if self.pending & FUEL != 0 {
            let fuel = Op::Fuel as u16 | self.take_label();
            self.mark_offset(self.offset);
            self.fuel_pos = self.asm.push(&[fuel, 0, 0]);
            self.maps.add_fuel(self.fuel_pos);
            self.pending &= !FUEL;
            self.last = NONE;
            self.prev = NONE;
        }
        *opcode |= self.take_label();
        self.mark_offset(self.offset);
    }

    fn take_label(&mut self) -> u16 {
        let label = if self.pending & MARK != 0 { LABEL } else { 0 };
        self.pending &= !MARK;
        label
    }

    fn mark_offset(&mut self, offset: u32) {
        if self.pending & RECORD != 0 {
            self.marks.push((self.asm.pos(), offset));
        }
    }

    /// The next op will be the target of a branch.
    pub(super) fn label_here(&mut self) {
        self.pending |= MARK;
        self.last = NONE;
        self.prev = NONE;
    }

    /// Fuel is counted anew from here, where the stack is what it is at the next operator.
    pub(super) fn begin_fuel_block(&mut self) {
        if self.options.fuel {
            if self.fuel_pos != NONE {
                self.asm.patch_u32(self.fuel_pos + 1, self.fuel_count);
                self.fuel_pos = NONE;
                self.fuel_count = 0;
            }
            self.pending |= FUEL;
            self.note_fuel_block();
        }
    }

    // ---- the last op ----------------------------------------------------------------------------

    /// The opcode of the op at `pos`.
    #[inline]
    pub(super) fn opcode_at(&self, pos: u32) -> Option<Op> {
        Op::from_unit(*self.asm.code.get(pos as usize)?)
    }

    /// Whether the last op wrote this slot, and the slot is a temporary that this one entry names.
    #[inline]
    pub(super) fn is_last(&self, entry: Entry, height: u32) -> bool {
        entry.kind == Kind::Temp
            && self.last != NONE
            && self.asm.code[self.last as usize + 1] == self.temp(height)
    }

    /// The opcode of the last op, if it wrote this entry.
    #[inline]
    pub(super) fn last_op_of(&self, entry: Entry, height: u32) -> Option<Op> {
        if self.is_last(entry, height) {
            self.opcode_at(self.last)
        } else {
            None
        }
    }

    /// The 32-bit operand at unit `at` of the code.
    pub(super) fn u32_at(&self, at: u32) -> u32 {
        let at = at as usize;
        u32::from(self.asm.code[at]) | u32::from(self.asm.code[at + 1]) << 16
    }

    /// Changes which slot the last op writes.
    #[inline]
    pub(super) fn retarget_last(&mut self, slot: u16) {
        let last = self.last;
        self.asm.patch_u16(last + 1, slot);
    }

    /// Takes the last op back. If it was a branch target, the next op is.
    pub(super) fn take_last(&mut self) -> Taken {
        let at = self.last as usize;
        let mut taken = Taken {
            units: [0; MAX_UNITS],
            len: 0,
            offset: self.offset,
            map: None,
        };
        let units = &self.asm.code[at..];
        taken.len = units.len();
        taken.units[..units.len()].copy_from_slice(units);
        if taken.units[0] & LABEL != 0 {
            self.pending |= MARK;
            taken.units[0] &= !LABEL;
        }
        self.asm.code.truncate(at);
        if self.pending & (RECORD | MAPS) != 0 {
            self.take_marks(&mut taken);
        }
        self.last = self.prev;
        self.prev = NONE;
        taken
    }

    /// Takes back what was recorded of an op.
    #[cold]
    fn take_marks(&mut self, taken: &mut Taken) {
        if self.pending & MAPS != 0 {
            taken.map = self.maps.take(self.asm.pos());
        } else if let Some((_, offset)) = self.marks.pop() {
            taken.offset = offset;
        }
    }

    /// Writes an op again that was taken back.
    pub(super) fn put_again(&mut self, taken: &Taken) {
        let mut opcode = taken.units[0];
        if self.pending != 0 {
            let offset = core::mem::replace(&mut self.offset, taken.offset);
            self.before_op(&mut opcode);
            self.offset = offset;
        }
        self.prev = self.last;
        self.last = self.asm.pos();
        self.asm.code.push(opcode);
        self.asm.code.extend_from_slice(&taken.units[1..taken.len]);
        if let Some(slots) = taken.map {
            self.maps.add(self.last, slots);
        }
    }

    // ---- copies and constants -------------------------------------------------------------------

    /// Copies a value of this type.
    #[inline]
    pub(super) fn put_copy_of(&mut self, ty: Ty, dst: u16, src: u16) {
        match ty {
            Ty::V128 => self.put_vector_copy(dst, src),
            Ty::Pad => {}
            _ => self.put_copy(dst, src),
        }
    }

    /// Copies a slot; consecutive copies become one op.
    pub(super) fn put_copy(&mut self, dst: u16, src: u16) {
        if dst == src {
            return;
        }
        if self.last != NONE && self.pending & (MARK | FUEL) == 0 {
            let at = self.last as usize;
            let code = &self.asm.code;
            if code[at] & !LABEL == Op::Copy as u16 && code[at + 1] != src {
                let first = self.take_last();
                let [_, d, a, ..] = first.units;
                self.put(&mut [Op::Copy2 as u16, d, a, dst, src]);
                self.copies = self.asm.pos() - 5;
                return;
            }
        } else if self.copies != NONE && self.extend_copies(dst, src) {
            return;
        }
        self.put_value([Op::Copy as u16, dst, src]);
    }

    /// Makes the last op, which is a `copy2` or `copy_n`, copy one slot more, if it can.
    fn extend_copies(&mut self, dst: u16, src: u16) -> bool {
        let at = self.copies as usize;
        let code = &mut self.asm.code;
        if self.pending & (MARK | FUEL) != 0 || at >= code.len() {
            return false;
        }
        let is_copy2 = code[at] & !LABEL == Op::Copy2 as u16 && code.len() == at + 5;
        let is_copy_n = code[at] & !LABEL == Op::CopyN as u16 && code.len() == at + 4;
        let (to, from) = (code[at + 1], code[at + 2]);
        let n = if is_copy2 && code[at + 3] == to + 1 && code[at + 4] == from + 1 {
            2
        } else if is_copy_n {
            code[at + 3]
        } else {
            return false;
        };
        // One after the other and all at once must be the same.
        let apart = to < from || u32::from(to) > u32::from(from) + u32::from(n);
        if dst != to + n || src != from + n || !apart {
            return false;
        }
        code[at] = code[at] & LABEL | Op::CopyN as u16;
        code.truncate(at + 3);
        code.push(n + 1);
        true
    }

    /// Copies `n` adjacent slots down.
    pub(super) fn put_move(&mut self, dst: u16, src: u16, n: u32) {
        match n {
            0 => {}
            _ if dst == src => {}
            1 => self.put_value([Op::Copy as u16, dst, src]),
            2 => {
                self.put(&mut [Op::Copy2 as u16, dst, src, dst + 1, src + 1]);
            }
            _ => {
                self.put(&mut [Op::CopyN as u16, dst, src, n as u16]);
            }
        }
    }

    /// Writes a constant to a slot.
    pub(super) fn put_const(&mut self, dst: u16, entry: Entry) {
        let bits = entry.bits;
        let low = bits as u32;
        match entry.ty {
            Ty::Pad => {}
            Ty::V128 => self.put_vector(dst, self.vectors[bits as usize]),
            Ty::I32 | Ty::Ref | Ty::GcRef => {
                self.put_value([Op::Const32 as u16, dst, lo(low), hi(low)])
            }
            Ty::F32 => self.put_value([Op::ConstF32 as u16, dst, lo(low), hi(low)]),
            Ty::I64 if bits as i64 == i64::from(bits as i32) => {
                self.put_value([Op::Const64s as u16, dst, lo(low), hi(low)]);
            }
            Ty::I64 | Ty::F64 => {
                let op = if entry.ty == Ty::I64 {
                    Op::Const64
                } else {
                    Op::ConstF64
                };
                let high = (bits >> 32) as u32;
                self.put_value([op as u16, dst, lo(low), hi(low), lo(high), hi(high)]);
            }
        }
    }
}
