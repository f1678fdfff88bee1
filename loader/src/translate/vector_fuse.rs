//! Operators on vectors that may become one op with those before them.

use super::stack::Kind;
use super::{NONE, Translator, Ty};
use sheave_isa::Op;

impl Translator<'_> {
    pub(super) fn visit_f32x4_add(&mut self) {
        self.vector_add(Op::F32x4Add, &[(Op::F32x4Mul, Op::F32x4MulAdd)]);
    }

    pub(super) fn visit_f64x2_add(&mut self) {
        self.vector_add(Op::F64x2Add, &[(Op::F64x2Mul, Op::F64x2MulAdd)]);
    }

    pub(super) fn visit_i16x8_add(&mut self) {
        self.vector_add(Op::I16x8Add, &[(Op::I16x8Mul, Op::I16x8MulAdd)]);
    }

    pub(super) fn visit_i32x4_add(&mut self) {
        let merged = [
            (Op::I32x4DotI16x8S, Op::I32x4DotAddI16x8S),
            (Op::I32x4Mul, Op::I32x4MulAdd),
        ];
        self.vector_add(Op::I32x4Add, &merged);
    }

    /// An addition, merged with the multiplication that made one of its operands: floats are still
    /// rounded twice.
    fn vector_add(&mut self, add: Op, merged: &[(Op, Op)]) {
        if !self.reachable {
            return;
        }
        let mut b = self.pop_value();
        let mut a = self.pop_value();
        let dst = self.temp(a.1);
        if self.is_last(b.0, b.1) {
            core::mem::swap(&mut a, &mut b);
        }
        let last = self.last_op_of(a.0, a.1);
        let form = merged.iter().find(|(mul, _)| last == Some(*mul));
        // A constant would be written after the product, whose place it might take.
        if let Some((_, form)) = form
            && !b.0.is_const()
        {
            let other = self.slot(b.0, b.1);
            let [_, _, x, y, ..] = self.take_last().units;
            self.put_value([*form as u16, dst, x, y, other]);
        } else {
            let a = self.slot(a.0, a.1);
            let b = self.slot(b.0, b.1);
            self.put_value([add as u16, dst, a, b]);
        }
        self.push_value(Ty::V128);
    }

    pub(super) fn visit_v128_or(&mut self) {
        if self.reachable && self.is_rotation() {
            self.pop_value();
            let (_, at) = self.pop_value();
            let second = self.take_last().units;
            let first = self.take_last().units;
            let left = [first, second]
                .into_iter()
                .find_map(|[opcode, _, a, n, ..]| {
                    let rotl = rotation(opcode)?;
                    Some((rotl, a, n))
                });
            let Some((op, a, n)) = left else { return };
            let dst = self.temp(at);
            self.put_value([op as u16, dst, a, n]);
            self.push_value(Ty::V128);
        } else {
            self.vector_op2(Op::V128Or, Ty::V128);
        }
    }

    /// Whether the two operands are one vector shifted to the left and to the right, by the last
    /// two ops, so that together they rotate it.
    fn is_rotation(&self) -> bool {
        let height = self.height();
        if self.prev == NONE || height < 4 {
            return false;
        }
        let (a, b) = (height - 4, height - 2);
        let made = |at: u32, pos: u32| {
            let entry = self.stack[at as usize];
            entry.kind == Kind::Temp
                && entry.ty == Ty::V128
                && self.asm.code[pos as usize + 1] == self.temp(at)
        };
        if !made(a, self.prev) || !made(b, self.last) {
            return false;
        }
        let (Some(first), Some(second)) = (self.opcode_at(self.prev), self.opcode_at(self.last))
        else {
            return false;
        };
        let bits = match (first, second) {
            (Op::I32x4ShlImm, Op::I32x4ShrUImm) | (Op::I32x4ShrUImm, Op::I32x4ShlImm) => 32,
            (Op::I64x2ShlImm, Op::I64x2ShrUImm) | (Op::I64x2ShrUImm, Op::I64x2ShlImm) => 64,
            _ => return false,
        };
        let operands = |pos: u32| {
            let at = pos as usize + 2;
            (self.asm.code[at], self.asm.code[at + 1])
        };
        let ((x, n), (y, m)) = (operands(self.prev), operands(self.last));
        // The first may have changed what the second shifts.
        x == y && x != self.temp(a) && n > 0 && m > 0 && n.checked_add(m) == Some(bits)
    }
}

/// The rotation that a shift to the left is a part of.
fn rotation(opcode: u16) -> Option<Op> {
    match Op::from_unit(opcode)? {
        Op::I32x4ShlImm => Some(Op::I32x4Rotl),
        Op::I64x2ShlImm => Some(Op::I64x2Rotl),
        _ => None,
    }
}
