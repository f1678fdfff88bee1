//! Operators that are not control: from stack entries to the best op there is for them.

use super::emit::{hi, lo};
use super::stack::{Entry, Kind};
use super::{NONE, Translator, Ty};
use crate::error::LoadErrorKind;
use sheave_isa::{LABEL, Op};

/// What may be done when the first operand of a binary operator is the constant.
#[derive(Clone, Copy)]
pub(super) enum Swap {
    /// The operands cannot change places.
    No,
    /// They can.
    Yes,
    /// They can, and this is the operator then.
    To(Op),
}

/// An operand that was popped, and where it was.
pub(super) type Popped = (Entry, u32);

impl Translator<'_> {
    // ---- locals and globals ---------------------------------------------------------------------

    #[inline]
    pub(super) fn visit_local_get(&mut self, x: u32) {
        if self.reachable {
            if self.has_vectors {
                self.get_local_among_vectors(x);
                return;
            }
            self.reads_local(x);
            self.push_local(x);
        }
    }

    pub(super) fn visit_local_set(&mut self, x: u32) {
        if self.reachable {
            let x = self.local_slot(x);
            let (entry, at) = self.pop_value();
            self.set_local(x, entry, at);
            self.two_increments();
        }
    }

    pub(super) fn visit_local_tee(&mut self, x: u32) {
        if !self.reachable {
            return;
        }
        let x = self.local_slot(x);
        let (entry, at) = self.pop_value();
        let in_temp = entry.kind == Kind::Temp && !self.is_last(entry, at);
        self.set_local(x, entry, at);
        if in_temp || entry.is_const() {
            self.push(entry);
        } else {
            self.push_local(x);
        }
        if entry.ty == Ty::V128 {
            self.push_temp(Ty::Pad);
        }
    }

    #[inline]
    fn set_local(&mut self, x: u32, entry: Entry, at: u32) {
        let dst = x as u16;
        self.writes_local(x);
        if self.is_last(entry, at) {
            if self.local_entry[x as usize] != 0 {
                // The old value is still wanted: it moves away before the new one is made.
                let made = self.take_last();
                self.settle_local(x);
                self.put_again(&made);
            }
            self.retarget_last(dst);
            return;
        }
        if entry.kind == Kind::Local && entry.x == x {
            return;
        }
        if self.local_entry[x as usize] != 0 {
            self.settle_local(x);
        }
        self.copy_entry(dst, entry, at);
    }

    pub(super) fn visit_global_get(&mut self, index: u32) {
        if !self.reachable {
            return;
        }
        let dst = self.temp(self.height());
        let ty = self.global_type(index);
        let imported = self.info.n_imported_globals;
        let (op, i) = match (index.checked_sub(imported), ty) {
            (Some(i), Ty::V128) => (Op::GlobalGetV128, self.info.global_cell(i)),
            (Some(i), _) => (Op::GlobalGet, self.info.global_cell(i)),
            (None, Ty::V128) => (Op::GlobalGetImportV128, index),
            (None, _) => (Op::GlobalGetImport, index),
        };
        self.put_value([op as u16, dst, lo(i), hi(i)]);
        self.push_value(ty);
    }

    fn global_type(&self, index: u32) -> Ty {
        self.info
            .globals
            .get(index as usize)
            .map_or(Ty::I32, |g| self.ty(g.content))
    }

    pub(super) fn visit_global_set(&mut self, index: u32) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop_value();
        let own = index
            .checked_sub(self.info.n_imported_globals)
            .map(|i| self.info.global_cell(i));
        if let Some(i) = own {
            if self.global_add(entry, at, i) {
                return;
            }
            if self.last_op_of(entry, at) == Some(Op::I32AddImm) {
                let [_, _, a, low, high, ..] = self.take_last().units;
                self.put(&mut [Op::I32GlobalSetAdd as u16, a, low, high, lo(i), hi(i)]);
                return;
            }
        }
        let src = self.slot(entry, at);
        let (op, i) = match (own, entry.ty) {
            (Some(i), Ty::V128) => (Op::GlobalSetV128, i),
            (Some(i), _) => (Op::GlobalSet, i),
            (None, Ty::V128) => (Op::GlobalSetImportV128, index),
            (None, _) => (Op::GlobalSetImport, index),
        };
        self.put(&mut [op as u16, src, lo(i), hi(i)]);
    }

    /// Makes one op of `global.get`, the addition of a constant, and `global.set` of the same
    /// global: how compiled C and Rust make room on their stack.
    fn global_add(&mut self, entry: Entry, at: u32, global: u32) -> bool {
        if self.prev == NONE || entry.is_const() {
            return false;
        }
        let value = if entry.kind == Kind::Local {
            entry.x as u16
        } else {
            self.temp(at)
        };
        let (get, add) = (self.prev as usize, self.last as usize);
        let code = &self.asm.code;
        let fits = code[get] & !LABEL == Op::GlobalGet as u16
            && code[add] & !LABEL == Op::I32AddImm as u16
            && code[get + 2..get + 4] == [lo(global), hi(global)]
            && code[add + 1] == value
            && code[add + 2] == code[get + 1]
            && u32::from(code[get + 1]) >= self.n_locals;
        if fits {
            let [_, dst, _, low, high, ..] = self.take_last().units;
            self.take_last();
            let op = Op::I32GlobalAddImm as u16;
            self.put(&mut [op, dst, lo(global), hi(global), low, high]);
        }
        fits
    }

    // ---- parametric -----------------------------------------------------------------------------

    pub(super) fn visit_drop(&mut self) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop_value();
        if let Some(op) = self.last_op_of(entry, at)
            && op.shape().kind == sheave_isa::Kind::Value
        {
            self.take_last();
        }
    }

    pub(super) fn visit_select(&mut self) {
        if !self.reachable {
            return;
        }
        let (mut cond, cond_at) = self.pop();
        let (mut b, mut b_at) = self.pop_value();
        let (mut a, mut a_at) = self.pop_value();
        let dst = self.temp(a_at);
        let ty = a.ty;
        if ty != Ty::V128 && self.select_on_comparison(dst, (cond, cond_at), (a, a_at), (b, b_at)) {
            self.push_temp(ty);
            return;
        }
        let mut cond_slot = None;
        if self.last_op_of(cond, cond_at) == Some(Op::I32Eqz) {
            let source = self.take_last().units[2];
            // The condition is now whatever was compared with zero, in a slot.
            cond_slot = Some(source);
            cond.kind = Kind::Temp;
            core::mem::swap(&mut a, &mut b);
            core::mem::swap(&mut a_at, &mut b_at);
        }
        let a = self.slot(a, a_at);
        let b = self.slot(b, b_at);
        let cond = match cond_slot {
            Some(slot) => slot,
            None => self.slot(cond, cond_at),
        };
        let op = match ty {
            Ty::F32 => Op::SelectF32,
            Ty::F64 => Op::SelectF64,
            Ty::V128 => Op::SelectV128,
            Ty::I32 | Ty::I64 | Ty::Pad | Ty::Ref | Ty::GcRef => Op::Select,
        };
        self.put_value([op as u16, dst, a, b, cond]);
        self.push_value(ty);
    }

    /// A `select` whose condition the last op compared.
    fn select_on_comparison(&mut self, dst: u16, cond: Popped, a: Popped, b: Popped) -> bool {
        let Some(op) = self.last_op_of(cond.0, cond.1) else {
            return false;
        };
        let (form, exchanged, turned) = match (op.select_form(), op.negated_form(), op) {
            (Some(form), ..) => (form, false, false),
            // `a > b` is `b < a`.
            (None, _, Op::I64GtS) => (Op::SelectI64LtS, false, true),
            (None, _, Op::I64GtU) => (Op::SelectI64LtU, false, true),
            (None, _, Op::F32Gt) => (Op::SelectF32Lt, false, true),
            (None, _, Op::F64Gt) => (Op::SelectF64Lt, false, true),
            (None, _, Op::I64LeS) => (Op::SelectI64LtS, true, true),
            (None, _, Op::I64LeU) => (Op::SelectI64LtU, true, true),
            (None, Some(negated), _) => match negated.select_form() {
                Some(form) => (form, true, false),
                None => return false,
            },
            (None, None, _) => return false,
        };
        let taken = self.take_last();
        let x = self.slot(a.0, a.1);
        let y = self.slot(b.0, b.1);
        let (x, y) = if exchanged { (y, x) } else { (x, y) };
        let [_, _, left, right, high, ..] = taken.units;
        if op.len() == 5 {
            self.put_value([form as u16, dst, left, right, high, x, y]);
        } else if turned {
            self.put_value([form as u16, dst, right, left, x, y]);
        } else {
            self.put_value([form as u16, dst, left, right, x, y]);
        }
        true
    }

    // ---- arithmetic -----------------------------------------------------------------------------

    pub(super) fn unary(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop();
        let src = self.slot(entry, at);
        let dst = self.temp(at);
        self.put_value([op as u16, dst, src]);
        self.push_temp(ty);
    }

    /// The top entry is of another type now, which has the same bits in a slot.
    #[inline]
    pub(super) fn same_bits(&mut self, ty: Ty) {
        if self.reachable
            && let Some(entry) = self.stack.last_mut()
        {
            entry.ty = ty;
        }
    }

    /// The slot of an operand of which only the low 32 bits are read.
    #[inline]
    pub(super) fn slot_low(&mut self, (entry, at): Popped) -> u16 {
        if self.last_op_of(entry, at) == Some(Op::I32WrapI64) {
            return self.take_last().units[2];
        }
        self.slot(entry, at)
    }

    /// The slot of an operand of this type.
    #[inline]
    fn slot_of(&mut self, operand: Popped, ty: Ty) -> u16 {
        if ty == Ty::I32 {
            self.slot_low(operand)
        } else {
            self.slot(operand.0, operand.1)
        }
    }

    pub(super) fn eqz(&mut self, op: Op) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop();
        if let Some(last) = self.last_op_of(entry, at) {
            let unit = self.last as usize;
            if let Some(negated) = last.negated_form() {
                let label = self.asm.code[unit] & LABEL;
                self.asm.code[unit] = negated as u16 | label;
                self.push_temp(Ty::I32);
                return;
            }
            if last == Op::I32Eqz {
                let [_, dst, src, ..] = self.take_last().units;
                self.put_value([Op::I32NeImm as u16, dst, src, 0, 0]);
                self.push_temp(Ty::I32);
                return;
            }
        }
        let src = if op == Op::I32Eqz {
            self.slot_low((entry, at))
        } else {
            self.slot(entry, at)
        };
        let dst = self.temp(at);
        self.put_value([op as u16, dst, src]);
        self.push_temp(Ty::I32);
    }

    /// A binary operator on `ty` with a result of type `out`.
    #[inline]
    pub(super) fn binary(&mut self, op: Op, ty: Ty, out: Ty, swap: Swap) {
        if self.reachable {
            let b = self.pop();
            let a = self.pop();
            let dst = self.temp(a.1);
            self.binary_of(op, dst, a, b, ty, swap);
            self.push_temp(out);
        }
    }

    /// A binary operator on popped operands.
    pub(super) fn binary_of(
        &mut self,
        mut op: Op,
        dst: u16,
        mut a: Popped,
        mut b: Popped,
        ty: Ty,
        swap: Swap,
    ) {
        if a.0.is_const() && !b.0.is_const() {
            match swap {
                Swap::Yes => core::mem::swap(&mut a, &mut b),
                Swap::To(other) => {
                    op = other;
                    core::mem::swap(&mut a, &mut b);
                }
                Swap::No => {
                    if let Some(form) = op.rimm_form().filter(|_| fits(a.0)) {
                        let b = self.slot_of(b, ty);
                        let (low, high) = (a.0.bits as u32, (a.0.bits >> 32) as u32);
                        if ty == Ty::F64 {
                            self.put_value([
                                form as u16,
                                dst,
                                lo(low),
                                hi(low),
                                lo(high),
                                hi(high),
                                b,
                            ]);
                        } else {
                            self.put_value([form as u16, dst, lo(low), hi(low), b]);
                        }
                        return;
                    }
                }
            }
        }
        if b.0.is_const()
            && fits(b.0)
            && let Some(form) = op.imm_form()
        {
            let a = self.slot_of(a, ty);
            let (low, high) = (b.0.bits as u32, (b.0.bits >> 32) as u32);
            if ty == Ty::F64 {
                self.put_value([form as u16, dst, a, lo(low), hi(low), lo(high), hi(high)]);
            } else {
                self.put_value([form as u16, dst, a, lo(low), hi(low)]);
            }
            return;
        }
        let a = self.slot_of(a, ty);
        let b = self.slot_of(b, ty);
        self.put_value([op as u16, dst, a, b]);
    }

    /// An op whose operands are the top `N` entries and then `extra`; it gives nothing.
    pub(super) fn effect<const N: usize, const M: usize>(&mut self, op: Op, extra: [u16; M]) {
        if !self.reachable {
            return;
        }
        let mut units = [0; 8];
        units[0] = op as u16;
        for i in (0..N).rev() {
            let (entry, at) = self.pop();
            units[1 + i] = self.slot(entry, at);
        }
        units[1 + N..][..M].copy_from_slice(&extra);
        self.put_slice(&mut units[..1 + N + M]);
    }

    /// As `effect`, with a result.
    pub(super) fn result<const N: usize, const M: usize>(
        &mut self,
        op: Op,
        extra: [u16; M],
        ty: Ty,
    ) {
        if !self.reachable {
            return;
        }
        let mut units = [0; 8];
        units[0] = op as u16;
        for i in (0..N).rev() {
            let (entry, at) = self.pop();
            units[2 + i] = self.slot(entry, at);
        }
        units[1] = self.temp(self.height());
        units[2 + N..][..M].copy_from_slice(&extra);
        let pos = self.put_slice(&mut units[..2 + N + M]);
        self.last = pos;
        self.push_temp(ty);
    }

    /// Writes an op whose length is not known in advance.
    pub(super) fn put_slice(&mut self, units: &mut [u16]) -> u32 {
        let [opcode, operands @ ..] = units else {
            return NONE;
        };
        let pos = self.put(&mut [*opcode]);
        self.asm.code.extend_from_slice(operands);
        pos
    }

    /// An index that the bytecode has 16 bits for.
    pub(super) fn index16(&mut self, index: u32) -> u16 {
        u16::try_from(index).unwrap_or_else(|_| {
            self.failed = Some(LoadErrorKind::TooManyTables);
            0
        })
    }
}

/// Whether a constant fits the immediate of its type.
fn fits(entry: Entry) -> bool {
    entry.ty != Ty::I64 || entry.bits as i64 == i64::from(entry.bits as i32)
}
