//! Two operators, one op: the last op is taken back when it made an operand of the next.
//!
//! An op that was taken back wrote a temporary that nobody else can see, so doing its work later,
//! as a part of the op that comes next, changes nothing.

use super::condition::is_i16;
use super::emit::{hi, lo};
use super::ops::{Popped, Swap};
use super::stack::Kind;
use super::{NONE, Translator, Ty};
use sheave_isa::Op;

impl Translator<'_> {
    /// Pops the operands of a commutative operator. The first that is given was made by the last
    /// op, if one was; a constant is given last.
    fn pop_commutative(&mut self) -> (Popped, Popped, Option<Op>, u16) {
        let b = self.pop();
        let a = self.pop();
        let dst = self.temp(a.1);
        if let Some(op) = self.last_op_of(b.0, b.1) {
            return (b, a, Some(op), dst);
        }
        (a, b, self.last_op_of(a.0, a.1), dst)
    }

    pub(super) fn visit_i32_add(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        self.i32_add(a, b, last, dst);
        self.push_temp(Ty::I32);
    }

    fn i32_add(&mut self, a: Popped, b: Popped, last: Option<Op>, dst: u16) {
        if b.0.is_const() {
            let imm = b.0.bits as u32;
            match last {
                Some(Op::I32AddImm) => {
                    let taken = self.take_last();
                    let imm = imm.wrapping_add(taken.imm32(3));
                    let src = taken.units[2];
                    self.put_value([Op::I32AddImm as u16, dst, src, lo(imm), hi(imm)]);
                    return;
                }
                Some(Op::I32Add) if imm as i32 == i32::from(imm as i16) => {
                    let [_, _, x, y, ..] = self.take_last().units;
                    self.put_value([Op::I32AddAddImm as u16, dst, x, y, imm as u16]);
                    return;
                }
                Some(Op::I32ShlImm) => {
                    let [_, _, x, k, ..] = self.take_last().units;
                    self.put_value([Op::I32ShlAddImm as u16, dst, x, k & 31, lo(imm), hi(imm)]);
                    return;
                }
                _ => {}
            }
        } else if !a.0.is_const() {
            let form = match last {
                Some(op @ (Op::I32ShlImm | Op::I32MulImm | Op::I32Mul | Op::I32Add)) => op,
                _ => return self.binary_of(Op::I32Add, dst, a, b, Ty::I32, Swap::Yes),
            };
            let other = self.slot(b.0, b.1);
            let [_, _, x, y, z, ..] = self.take_last().units;
            match form {
                Op::I32ShlImm => {
                    self.put_value([Op::I32AddShl as u16, dst, other, x, y & 31]);
                }
                Op::I32MulImm => self.put_value([Op::I32MulImmAdd as u16, dst, x, other, y, z]),
                Op::I32Mul => self.put_value([Op::I32MulAdd as u16, dst, x, y, other]),
                _ => self.put_value([Op::I32AddAdd as u16, dst, x, y, other]),
            }
            return;
        }
        self.binary_of(Op::I32Add, dst, a, b, Ty::I32, Swap::Yes);
    }

    pub(super) fn visit_i32_sub(&mut self) {
        if !self.reachable {
            return;
        }
        let b = self.pop();
        let mut a = self.pop();
        let dst = self.temp(a.1);
        if b.0.is_const() && !a.0.is_const() {
            let mut b = b;
            b.0.bits = u64::from((b.0.bits as u32).wrapping_neg());
            let last = self.last_op_of(a.0, a.1);
            self.i32_add(a, b, last, dst);
        } else {
            if b.0.is_const() {
                // Both are: one of them goes to a slot.
                let slot = self.slot(a.0, a.1);
                debug_assert_eq!(slot, dst);
                a.0.kind = Kind::Temp;
            }
            self.binary_of(Op::I32Sub, dst, a, b, Ty::I32, Swap::No);
        }
        self.push_temp(Ty::I32);
    }

    pub(super) fn visit_i64_add(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        let three = match last {
            Some(Op::I64Mul) => Op::I64MulAdd,
            Some(Op::I64Add) => Op::I64AddAdd,
            _ => Op::I64Add,
        };
        self.three_slots(Op::I64Add, three, Ty::I64, a, b, dst);
        self.push_temp(Ty::I64);
    }

    pub(super) fn visit_i64_sub(&mut self) {
        if !self.reachable {
            return;
        }
        let mut b = self.pop();
        let a = self.pop();
        let dst = self.temp(a.1);
        let negated = (b.0.bits as i64).wrapping_neg();
        if b.0.is_const() && !a.0.is_const() && i64::from(negated as i32) == negated {
            b.0.bits = negated as u64;
            self.binary_of(Op::I64Add, dst, a, b, Ty::I64, Swap::Yes);
        } else {
            self.binary_of(Op::I64Sub, dst, a, b, Ty::I64, Swap::No);
        }
        self.push_temp(Ty::I64);
    }

    pub(super) fn visit_f64_add(&mut self) {
        self.float_add(Op::F64Add, Op::F64Mul, Op::F64MulAdd, Ty::F64);
    }

    pub(super) fn visit_f32_add(&mut self) {
        self.float_add(Op::F32Add, Op::F32Mul, Op::F32MulAdd, Ty::F32);
    }

    fn float_add(&mut self, add: Op, mul: Op, mul_add: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        let three = if last == Some(mul) { mul_add } else { add };
        self.three_slots(add, three, ty, a, b, dst);
        self.push_temp(ty);
    }

    /// `three` of the last op's operands and `b`, or the operator as it is if `three` is `op`.
    fn three_slots(&mut self, op: Op, three: Op, ty: Ty, a: Popped, b: Popped, dst: u16) {
        if three == op || b.0.is_const() {
            self.binary_of(op, dst, a, b, ty, Swap::Yes);
            return;
        }
        let other = self.slot(b.0, b.1);
        let [_, _, x, y, ..] = self.take_last().units;
        self.put_value([three as u16, dst, x, y, other]);
    }

    pub(super) fn visit_i32_xor(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        match last {
            Some(Op::I32ShrUImm) if !b.0.is_const() => self.xor_shift(Op::I32XorShrU, b, dst),
            Some(Op::I32ShlImm) if !b.0.is_const() => self.xor_shift(Op::I32XorShl, b, dst),
            Some(Op::I32Xor) => {
                self.three_slots(Op::I32Xor, Op::I32XorXor, Ty::I32, a, b, dst);
            }
            _ => self.binary_of(Op::I32Xor, dst, a, b, Ty::I32, Swap::Yes),
        }
        self.push_temp(Ty::I32);
    }

    pub(super) fn visit_i64_xor(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        match last {
            Some(Op::I64ShrUImm) if !b.0.is_const() => self.xor_shift(Op::I64XorShrU, b, dst),
            Some(Op::I64ShlImm) if !b.0.is_const() => self.xor_shift(Op::I64XorShl, b, dst),
            Some(Op::I64Xor) => {
                self.three_slots(Op::I64Xor, Op::I64XorXor, Ty::I64, a, b, dst);
            }
            _ => self.binary_of(Op::I64Xor, dst, a, b, Ty::I64, Swap::Yes),
        }
        self.push_temp(Ty::I64);
    }

    /// The last op shifted by a constant.
    fn xor_shift(&mut self, both: Op, other: Popped, dst: u16) {
        let other = self.slot(other.0, other.1);
        let [_, _, x, k, ..] = self.take_last().units;
        self.put_value([both as u16, dst, other, x, k & 63]);
    }

    pub(super) fn visit_i32_and(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        if b.0.is_const() && last.is_some_and(|op| is_narrower(op, b.0.bits as u32)) {
            // The load has cleared what the mask would.
            self.retarget_last(dst);
        } else if b.0.is_const() && last == Some(Op::I32AddImm) && self.last_adds_i16() {
            let [_, _, x, imm, ..] = self.take_last().units;
            let mask = b.0.bits as u32;
            self.put_value([Op::I32AddImmAnd as u16, dst, x, imm, lo(mask), hi(mask)]);
        } else if b.0.is_const() && last == Some(Op::I32ShrUImm) {
            let [_, _, x, k, ..] = self.take_last().units;
            let mask = b.0.bits as u32;
            self.put_value([Op::I32ShrUAnd as u16, dst, x, k & 31, lo(mask), hi(mask)]);
        } else {
            self.binary_of(Op::I32And, dst, a, b, Ty::I32, Swap::Yes);
        }
        self.push_temp(Ty::I32);
    }

    /// Whether the immediate of the last op, a binary one of i32, has 16 bits.
    fn last_adds_i16(&self) -> bool {
        let at = self.last as usize + 3;
        matches!(self.asm.code.get(at..), Some([low, high, ..]) if is_i16(*low, *high))
    }

    pub(super) fn visit_i64_and(&mut self) {
        if !self.reachable {
            return;
        }
        let (a, b, last, dst) = self.pop_commutative();
        let last_imm = self.asm.code.get(self.last.saturating_add(3) as usize..);
        if last == Some(Op::I64XorImm) && last_imm == Some(&[0xffff, 0xffff]) && !b.0.is_const() {
            let other = self.slot(b.0, b.1);
            let [_, _, x, ..] = self.take_last().units;
            self.put_value([Op::I64Andnot as u16, dst, x, other]);
        } else {
            self.binary_of(Op::I64And, dst, a, b, Ty::I64, Swap::Yes);
        }
        self.push_temp(Ty::I64);
    }

    pub(super) fn visit_i32_rotl(&mut self) {
        self.rotl(Op::I32Rotl, Op::I32Xor, Op::I32XorRotl, Ty::I32);
    }

    pub(super) fn visit_i64_rotl(&mut self) {
        self.rotl(Op::I64Rotl, Op::I64Xor, Op::I64XorRotl, Ty::I64);
    }

    fn rotl(&mut self, rotl: Op, xor: Op, both: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let b = self.pop();
        let a = self.pop();
        let dst = self.temp(a.1);
        if b.0.is_const() && self.last_op_of(a.0, a.1) == Some(xor) {
            let [_, _, x, y, ..] = self.take_last().units;
            self.put_value([both as u16, dst, x, y, b.0.bits as u16 & 63]);
        } else {
            self.binary_of(rotl, dst, a, b, ty, Swap::No);
        }
        self.push_temp(ty);
    }

    /// Makes one op of the last two if each adds a small constant to a slot of its own.
    pub(super) fn two_increments(&mut self) {
        let (first, second) = (self.prev as usize, self.last as usize);
        if self.prev == NONE
            || self.asm.code[second] != Op::I32AddImm as u16
            || self.opcode_at(self.prev) != Some(Op::I32AddImm)
        {
            return;
        }
        let (Some([x, x1, imm, sign]), Some([y, y1, imm2, sign2])) = (
            self.asm.code[first + 1..].first_chunk().copied(),
            self.asm.code[second + 1..].first_chunk().copied(),
        ) else {
            return;
        };
        if x == x1 && y == y1 && x != y && is_i16(imm, sign) && is_i16(imm2, sign2) {
            self.take_last();
            self.take_last();
            self.put(&mut [Op::I32Inc2 as u16, x, imm, y, imm2]);
        }
    }

    pub(super) fn visit_i64_mul(&mut self) {
        if !self.reachable {
            return;
        }
        let b = self.pop();
        let a = self.pop();
        let dst = self.temp(a.1);
        let (a, b) = if a.0.is_const() { (b, a) } else { (a, b) };
        let bits = b.0.bits;
        if b.0.is_const() && !a.0.is_const() && bits as i64 != i64::from(bits as i32) {
            let a = self.slot(a.0, a.1);
            let (low, high) = (bits as u32, (bits >> 32) as u32);
            let op = Op::I64MulImm64 as u16;
            self.put_value([op, dst, a, lo(low), hi(low), lo(high), hi(high)]);
        } else {
            self.binary_of(Op::I64Mul, dst, a, b, Ty::I64, Swap::Yes);
        }
        self.push_temp(Ty::I64);
    }
}

/// Whether this op's results have only bits that are in the mask.
fn is_narrower(op: Op, mask: u32) -> bool {
    match op {
        Op::I32Load8U | Op::I32Load8UAdd | Op::I32Load8UAddi => mask & 0xff == 0xff,
        Op::I32Load16U | Op::I32Load16UAdd | Op::I32Load16UAddi => mask & 0xffff == 0xffff,
        _ => false,
    }
}
